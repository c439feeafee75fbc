#include "isolation/own_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#elif defined(__riscv)
#define NATIVE AUDIT_ARCH_RISCV64
#else
#error "no audit architecture is known here"
#endif
#define X32_BIT 0x40000000u
#define NO_CALL UINT32_MAX         /* what a tracer puts where a call is to be skipped */
#define FIRST_NEW 424u             /* Linux 5.1: from here on all architectures share their numbers */
#define NEW_NAMESPACES 0x7e020000u /* every CLONE_NEW* bit that clone(2) knows */

struct emitter {
    struct sock_filter *at;
    size_t count;
};

static void put(struct emitter *e, struct sock_filter insn)
{
    if (e->count < OWN_FILTER_INSNS_MAX)
        e->at[e->count] = insn;
    e->count++;
}

static void load(struct emitter *e, size_t offset)
{
    put(e, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* What follows is one instruction, passed over when the comparison fails. */
static void when(struct emitter *e, uint16_t comparison, uint32_t value)
{
    put(e, (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | BPF_K | comparison), value, 0, 1));
}

static void answer(struct emitter *e, uint32_t action)
{
    put(e, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void jump_if(struct emitter *e, uint32_t value, uint8_t equal, uint8_t other)
{
    put(e, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, equal, other));
}

/* Its first argument's low word is all that the kernel reads of the flags. */
static void put_clone(struct emitter *e)
{
    jump_if(e, SYS_clone, 0, 4);
    load(e, offsetof(struct seccomp_data, args[0])); /* little endian, as all we build for */
    when(e, BPF_JSET, NEW_NAMESPACES);
    answer(e, SECCOMP_RET_ERRNO | EPERM);
    answer(e, SECCOMP_RET_ALLOW);
}

/* A process that an id-mapped mount takes its user namespace from: born with these flags, and it can't be another's. */
static void put_user_namespace(struct emitter *e)
{
    jump_if(e, SYS_clone, 0, 4);
    load(e, offsetof(struct seccomp_data, args[0]));
    jump_if(e, CLONE_NEWUSER, 0, 1);
    answer(e, SECCOMP_RET_ALLOW);
    load(e, offsetof(struct seccomp_data, nr));
}

/* The limit of cores can be read, not set (zygote.c says why). setrlimit(what, new), prlimit64(pid, what, new, old). */
static void put_core_limit(struct emitter *e)
{
#ifdef SYS_setrlimit
    jump_if(e, SYS_setrlimit, 0, 4);
    load(e, offsetof(struct seccomp_data, args[0]));
    jump_if(e, RLIMIT_CORE, 0, 1);
    answer(e, SECCOMP_RET_ERRNO | EPERM);
    answer(e, SECCOMP_RET_ALLOW);
#endif
    jump_if(e, SYS_prlimit64, 0, 8);
    load(e, offsetof(struct seccomp_data, args[1]));
    jump_if(e, RLIMIT_CORE, 0, 5);
    load(e, offsetof(struct seccomp_data, args[2]));
    jump_if(e, 0, 0, 2);
    load(e, offsetof(struct seccomp_data, args[2]) + sizeof(uint32_t));
    jump_if(e, 0, 1, 0);
    answer(e, SECCOMP_RET_ERRNO | EPERM);
    answer(e, SECCOMP_RET_ALLOW);
}

static void put_list(struct emitter *e, const struct own_filter_list *list, uint32_t action)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->calls[i] == SYS_clone && action == SECCOMP_RET_ALLOW) {
            put_clone(e);
            continue;
        }
        when(e, BPF_JEQ, (uint32_t)list->calls[i]);
        answer(e, action);
    }
}

size_t own_filter_emit(const struct own_filter *filter, struct sock_filter insns[OWN_FILTER_INSNS_MAX])
{
    struct emitter e = {.at = insns};
    load(&e, offsetof(struct seccomp_data, arch));
    put(&e, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE, 1, 0));
    answer(&e, SECCOMP_RET_KILL_PROCESS);
    load(&e, offsetof(struct seccomp_data, nr));
    when(&e, BPF_JEQ, NO_CALL);
    answer(&e, SECCOMP_RET_ERRNO | EPERM);
    when(&e, BPF_JGE, X32_BIT);
    answer(&e, SECCOMP_RET_KILL_PROCESS);
    if (filter->keeps_core_limit)
        put_core_limit(&e);
    if (filter->makes_user_namespaces)
        put_user_namespace(&e);
    for (size_t i = 0; i < OWN_FILTER_LISTS; i++)
        put_list(&e, &filter->lists[i], filter->refuses ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_ALLOW);
    if (!filter->refuses) {
        when(&e, BPF_JGE, FIRST_NEW);
        answer(&e, SECCOMP_RET_ERRNO | ENOSYS);
    }
    answer(&e, filter->refuses ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM);
    return e.count <= OWN_FILTER_INSNS_MAX ? e.count : 0;
}

int own_filter_load(const struct own_filter *filter)
{
    static struct sock_filter insns[OWN_FILTER_INSNS_MAX];
    struct sock_fprog program = {.filter = insns};
    program.len = (unsigned short)own_filter_emit(filter, insns);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        return -errno;
    return 0;
}
