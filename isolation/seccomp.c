#include "isolation/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "isolation/bpf.h"

#define COMPILE_SECONDS 10
#define COMPILE_BYTES ((rlim_t)512 << 20)
#define NUMBER_MAX 4096 /* no Linux has so many calls; x32's begin far above */
#define X32_BIT 0x40000000u
#define LOW_WORD UINT64_C(0xffffffff)

enum verdict { DENY, ALLOW, UNKNOWN, BY_ARGUMENT };

/* What each call number means under a profile. */
struct plan {
    const struct seccomp_profile *profile;
    uint32_t arch; /* AUDIT_ARCH_* */
    int highest;   /* number; above it everything is new to us */
    unsigned char verdict[NUMBER_MAX];
};

/* The number of a call here: by the library, else by our own table's word. -1: this architecture doesn't have it. */
static int number_of(const char *name, int given)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number >= 0)
        return number;
    return number == __NR_SCMP_ERROR ? given : -1;
}

static int plan_call(struct plan *plan, const char *name, int given, enum verdict verdict, struct err *err)
{
    int number = number_of(name, given);
    if (number < 0) {
        if (seccomp_syscall_resolve_name(name) == __NR_SCMP_ERROR)
            return err_set(err, -EINVAL, "seccomp profile: nobody knows a system call '%s'", name);
        return 0; /* known, but not on this architecture */
    }
    if (number >= NUMBER_MAX)
        return err_set(err, -EINVAL, "seccomp profile: '%s' has number %d", name, number);
    if (plan->verdict[number] != DENY && plan->verdict[number] != verdict)
        return err_set(err, -EINVAL, "seccomp profile: '%s' is listed in two ways", name);
    plan->verdict[number] = (unsigned char)verdict;
    plan->highest = MAX(plan->highest, number);
    return 0;
}

static uint32_t native_audit_arch(void)
{
    static const struct {
        uint32_t scmp, audit;
    } rows[] = {{SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64}, {SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64},
                {SCMP_ARCH_RISCV64, AUDIT_ARCH_RISCV64}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (seccomp_arch_native() == rows[i].scmp)
            return rows[i].audit;
    }
    return 0;
}

static int plan_make(struct plan *plan, const struct seccomp_profile *p, struct err *err)
{
    *plan = (struct plan){.profile = p, .arch = native_audit_arch()};
    if (plan->arch == 0)
        return err_set(err, -ENOTSUP, "seccomp: no profile for this machine's architecture");
    int rc = 0;
    for (size_t i = 0; i < p->allowed_count && rc == 0; i++)
        rc = plan_call(plan, p->allowed[i], -1, ALLOW, err);
    for (size_t i = 0; i < p->newer_count && rc == 0; i++)
        rc = plan_call(plan, p->newer[i].name, p->newer[i].number, ALLOW, err);
    for (size_t i = 0; i < p->unknown_count && rc == 0; i++)
        rc = plan_call(plan, p->unknown[i].name, p->unknown[i].number, UNKNOWN, err);
    for (size_t i = 0; i < p->when_count && rc == 0; i++)
        rc = plan_call(plan, p->when[i].name, -1, BY_ARGUMENT, err);
    for (size_t i = 0; i < p->except_count && rc == 0; i++)
        rc = plan_call(plan, p->except[i].name, -1, BY_ARGUMENT, err);
    for (int n = 0; n < NUMBER_MAX && rc == 0; n++) { /* calls the library knows and we deny are not new */
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, n);
        plan->highest = name != NULL ? MAX(plan->highest, n) : plan->highest;
        free(name);
    }
    return rc;
}

static int add_allow(scmp_filter_ctx ctx, const char *name, unsigned count, const struct scmp_arg_cmp *args)
{
    int number = number_of(name, -1);
    return number < 0 ? 0 : seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, number, count, args);
}

static int add_rule(scmp_filter_ctx ctx, const struct seccomp_rule *rule)
{
    struct scmp_arg_cmp args[COUNT_OF(rule->when)];
    for (uint32_t i = 0; i < rule->count; i++)
        args[i] = SCMP_CMP64(rule->when[i].arg, SCMP_CMP_MASKED_EQ, rule->when[i].mask, rule->when[i].value);
    return add_allow(ctx, rule->name, rule->count, args);
}

/*
 * "Any value but these" as masked equalities: walk down the binary tree of 32-bit values; a branch without any of
 * them is one rule (its prefix), a branch with some is split at the next bit.
 */
static int add_except(scmp_filter_ctx ctx, const struct seccomp_except *e, uint64_t mask, uint64_t prefix, uint64_t bit)
{
    bool hit = false;
    for (uint32_t i = 0; i < e->count; i++)
        hit = hit || (e->values[i] & mask) == prefix;
    if (!hit) {
        struct scmp_arg_cmp arg = SCMP_CMP64(e->arg, SCMP_CMP_MASKED_EQ, mask, prefix);
        return add_allow(ctx, e->name, 1, &arg);
    }
    if (bit == 0)
        return 0; /* one of them, exactly */
    int rc = add_except(ctx, e, mask | bit, prefix, bit >> 1);
    return rc < 0 ? rc : add_except(ctx, e, mask | bit, prefix | bit, bit >> 1);
}

static int add_rules(scmp_filter_ctx ctx, const struct plan *plan)
{
    const struct seccomp_profile *p = plan->profile;
    int rc = 0;
    for (int n = 0; n < NUMBER_MAX && rc == 0; n++) {
        if (plan->verdict[n] == ALLOW)
            rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, n, 0, NULL);
        else if (plan->verdict[n] == UNKNOWN)
            rc = seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(ENOSYS), n, 0, NULL);
    }
    for (size_t i = 0; i < p->when_count && rc == 0; i++)
        rc = add_rule(ctx, &p->when[i]);
    for (size_t i = 0; i < p->except_count && rc == 0; i++)
        rc = add_except(ctx, &p->except[i], 0, 0, (LOW_WORD + 1) >> 1);
    return rc;
}

static int export(scmp_filter_ctx ctx, struct sock_filter *insns, size_t room, size_t *ret_count)
{
    int fd = memfd_create("filter", MFD_CLOEXEC);
    int rc = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
    if (rc == 0) {
        ssize_t n = pread(fd, insns, room * sizeof *insns, 0);
        rc = n < 0 ? -errno : 0;
        if (rc == 0 && (size_t)n == room * sizeof *insns)
            rc = -E2BIG;
        *ret_count = n > 0 ? (size_t)n / sizeof *insns : 0;
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

/* Before libseccomp's part: a number that is new to us is answered as a kernel would that doesn't have it. Another
 * architecture's call and x32's go on to be killed there. */
static size_t put_new_number_check(const struct plan *plan, struct sock_filter *insns)
{
    const struct sock_filter head[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, plan->arch, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)plan->highest, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    };
    memcpy(insns, head, sizeof head);
    return COUNT_OF(head);
}

int seccomp_compile(const struct seccomp_profile *p, struct sock_filter insns[SECCOMP_INSNS_MAX], size_t *ret_count,
                    struct err *err)
{
    static struct plan plan;
    int rc = plan_make(&plan, p, err);
    if (rc < 0)
        return rc;
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (ctx == NULL)
        return err_set(err, -ENOMEM, "seccomp: cannot begin a filter");
    rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    rc = rc < 0 ? rc : seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree over the numbers */
    rc = rc < 0 ? rc : add_rules(ctx, &plan);
    size_t head = put_new_number_check(&plan, insns), count = 0;
    rc = rc < 0 ? rc : export(ctx, insns + head, SECCOMP_INSNS_MAX - head, &count);
    seccomp_release(ctx);
    if (rc < 0)
        return err_set(err, rc, "seccomp: cannot build the filter: %s", strerror(-rc));
    *ret_count = head + count;
    return 0;
}

/* --- the same question, answered from the profile alone --------------------------------------------------------- */

static bool rule_matches(const struct seccomp_rule *rule, const struct seccomp_data *call)
{
    for (uint32_t i = 0; i < rule->count; i++) {
        if ((call->args[rule->when[i].arg] & rule->when[i].mask) != rule->when[i].value)
            return false;
    }
    return true;
}

static bool allowed_by_argument(const struct seccomp_profile *p, const struct seccomp_data *call)
{
    for (size_t i = 0; i < p->when_count; i++) {
        if (number_of(p->when[i].name, -1) == call->nr && rule_matches(&p->when[i], call))
            return true;
    }
    for (size_t i = 0; i < p->except_count; i++) {
        const struct seccomp_except *e = &p->except[i];
        if (number_of(e->name, -1) != call->nr)
            continue;
        bool hit = false;
        for (uint32_t v = 0; v < e->count; v++)
            hit = hit || (call->args[e->arg] & LOW_WORD) == e->values[v];
        return !hit;
    }
    return false;
}

static uint32_t expected(const struct plan *plan, const struct seccomp_data *call)
{
    uint32_t nr = (uint32_t)call->nr;
    if (call->arch != plan->arch)
        return SECCOMP_RET_KILL_PROCESS;
    if (plan->arch == AUDIT_ARCH_X86_64 && nr >= X32_BIT && call->nr != -1)
        return SECCOMP_RET_KILL_PROCESS;
    if (nr >= X32_BIT)
        return SECCOMP_RET_ERRNO | EPERM;
    if (nr > (uint32_t)plan->highest || plan->verdict[nr] == UNKNOWN)
        return SECCOMP_RET_ERRNO | ENOSYS;
    bool allowed = plan->verdict[nr] == ALLOW ||
                   (plan->verdict[nr] == BY_ARGUMENT && allowed_by_argument(plan->profile, call));
    return allowed ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM;
}

struct asker {
    const struct plan *plan;
    const struct sock_filter *insns;
    size_t count;
    struct err *err;
};

static int ask(const struct asker *a, const struct seccomp_data *call)
{
    uint32_t want = expected(a->plan, call), got = bpf_ask(a->insns, a->count, call);
    if (want == got)
        return 0;
    return err_set(a->err, -EBADMSG,
                   "seccomp: the filter answers call %d (%#llx, %#llx, %#llx) of architecture %#x with %#x, not %#x",
                   call->nr, (unsigned long long)call->args[0], (unsigned long long)call->args[1],
                   (unsigned long long)call->args[2], call->arch, got, want);
}

/* One argument takes every value at the edge of `value`: itself, its neighbours, each bit of it the other way. */
static int ask_around(const struct asker *a, struct seccomp_data call, uint32_t arg, uint64_t value)
{
    const uint64_t near[] = {value, value + 1, value - 1, ~value, 0, UINT64_MAX, value | UINT64_C(1) << 32};
    int rc = 0;
    for (size_t i = 0; i < COUNT_OF(near) && rc == 0; i++) {
        call.args[arg] = near[i];
        rc = ask(a, &call);
    }
    for (int bit = 0; bit < 64 && rc == 0; bit++) {
        call.args[arg] = value ^ UINT64_C(1) << bit;
        rc = ask(a, &call);
    }
    return rc;
}

static int ask_rule(const struct asker *a, const struct seccomp_rule *rule)
{
    struct seccomp_data call = {.nr = number_of(rule->name, -1), .arch = a->plan->arch};
    int rc = 0;
    for (uint32_t i = 0; i < rule->count; i++)
        call.args[rule->when[i].arg] = rule->when[i].value;
    for (uint32_t i = 0; i < rule->count && rc == 0; i++)
        rc = ask_around(a, call, rule->when[i].arg, rule->when[i].value);
    return rc;
}

static int ask_except(const struct asker *a, const struct seccomp_except *e)
{
    struct seccomp_data call = {.nr = number_of(e->name, -1), .arch = a->plan->arch};
    int rc = 0;
    for (uint32_t v = 0; v < e->count && rc == 0; v++)
        rc = ask_around(a, call, e->arg, e->values[v]);
    for (uint64_t value = 0; value < 0x10000 && rc == 0; value++) {
        call.args[e->arg] = value;
        rc = ask(a, &call);
    }
    return rc;
}

static int ask_numbers(const struct asker *a)
{
    static const uint32_t archs[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, 0};
    static const int odd[] = {-1, INT32_MIN, INT32_MAX, (int)X32_BIT, (int)X32_BIT + 1, (int)X32_BIT - 1, NUMBER_MAX};
    int rc = 0;
    for (size_t i = 0; i < COUNT_OF(archs) && rc == 0; i++) {
        struct seccomp_data call = {.arch = archs[i]};
        for (call.nr = 0; call.nr < NUMBER_MAX && rc == 0; call.nr++)
            rc = ask(a, &call);
        for (size_t k = 0; k < COUNT_OF(odd) && rc == 0; k++) {
            call.nr = odd[k];
            rc = ask(a, &call);
        }
    }
    return rc;
}

int seccomp_verify(const struct seccomp_profile *p, const struct sock_filter *insns, size_t count, struct err *err)
{
    static struct plan plan;
    int rc = plan_make(&plan, p, err);
    struct asker a = {&plan, insns, count, err};
    rc = rc < 0 ? rc : ask_numbers(&a);
    for (size_t i = 0; i < p->when_count && rc == 0; i++)
        rc = ask_rule(&a, &p->when[i]);
    for (size_t i = 0; i < p->except_count && rc == 0; i++)
        rc = ask_except(&a, &p->except[i]);
    return rc;
}

/* --- in a child ------------------------------------------------------------------------------------------------- */

static void limit(int what, rlim_t value)
{
    struct rlimit both = {value, value};
    prlimit(0, (enum __rlimit_resource)what, &both, NULL);
}

static int child(const struct seccomp_profile *p, int memfd, struct err *err)
{
    static struct sock_filter insns[SECCOMP_INSNS_MAX];
    size_t count;
    limit(RLIMIT_CPU, COMPILE_SECONDS);
#ifndef __SANITIZE_ADDRESS__ /* which maps terabytes for itself */
    limit(RLIMIT_AS, COMPILE_BYTES);
#endif
    int rc = seccomp_compile(p, insns, &count, err);
    rc = rc < 0 ? rc : seccomp_verify(p, insns, count, err);
    if (rc < 0)
        return rc;
    ssize_t n = write(memfd, insns, count * sizeof *insns);
    return n == (ssize_t)(count * sizeof *insns) ? 0 : err_set(err, -EIO, "seccomp: cannot write the filter");
}

static int wait_child(pid_t pid, const struct err *told, struct err *err)
{
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return err_set(err, -errno, "seccomp: lost the compiler's process");
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status) && told->code < 0)
        return err_set(err, told->code, "%s", told->text);
    return err_set(err, -ETIMEDOUT, "seccomp: compiling the filter took too much time or memory");
}

int seccomp_filter_memfd(const struct seccomp_profile *p, struct err *err)
{
    int fd = memfd_create("seccomp", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct err *told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fd < 0 || told == MAP_FAILED)
        return err_set(err, -errno, "seccomp: cannot make a memfd: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(p, fd, told) < 0 ? 1 : 0);
    int rc = pid < 0 ? err_set(err, -errno, "seccomp: fork: %s", strerror(errno)) : wait_child(pid, told, err);
    munmap(told, sizeof *told);
    if (rc == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        rc = err_set(err, -errno, "seccomp: cannot seal the filter: %s", strerror(errno));
    if (rc < 0)
        close(fd);
    return rc < 0 ? rc : fd;
}
