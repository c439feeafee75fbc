/* What warden, zygote and keeper let through, asked of the filters themselves. */
#include <check.h>
#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "base/macros.h"
#include "isolation/bpf.h"
#include "isolation/own_filter.h"
#include "tests/run.h"

#define DENIED (SECCOMP_RET_ERRNO | EPERM)
#define ABSENT (SECCOMP_RET_ERRNO | ENOSYS)

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#else
#define NATIVE AUDIT_ARCH_AARCH64
#endif

static uint32_t ask(const struct own_filter *filter, struct seccomp_data call)
{
    static struct sock_filter insns[OWN_FILTER_INSNS_MAX];
    size_t count = own_filter_emit(filter, insns);
    ck_assert_uint_gt(count, 0);
    return bpf_ask(insns, count, &call);
}

static const struct filter_row {
    const char *sentence;
    const struct own_filter *filter;
    long call;
    uint64_t first, second, third;
    uint32_t answer;
} rows[] = {
    {"a warden reads", &own_filter_warden_alone, SYS_read, 0, 0, 0, SECCOMP_RET_ALLOW},
    {"a warden without an agent to start makes no process", &own_filter_warden_alone, SYS_clone, SIGCHLD, 0, 0, DENIED},
    {"nor executes anything", &own_filter_warden_alone, SYS_execve, 0, 0, 0, DENIED},
    {"nor makes a socket", &own_filter_warden_alone, SYS_socket, 2, 0, 0, DENIED},
    {"a warden with an agent forks", &own_filter_warden, SYS_clone, SIGCHLD, 0, 0, SECCOMP_RET_ALLOW},
    {"its agent makes threads", &own_filter_warden, SYS_clone, CLONE_VM | CLONE_THREAD, 0, 0, SECCOMP_RET_ALLOW},
    {"but no namespace", &own_filter_warden, SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, DENIED},
    {"not with a high bit either", &own_filter_warden, SYS_clone, UINT64_C(1) << 40 | CLONE_NEWNET, 0, 0, DENIED},
    {"clone3 is not there, so that libraries fall back", &own_filter_warden, SYS_clone3, 0, 0, 0, ABSENT},
    {"no mounts", &own_filter_warden, SYS_mount, 0, 0, 0, DENIED},
    {"no new mounts either", &own_filter_warden, SYS_move_mount, 0, 0, 0, ABSENT},
    {"no namespaces entered", &own_filter_warden, SYS_setns, 0, 0, 0, DENIED},
    {"where a node has roots to give, mounts", &own_filter_warden_alone_roots, SYS_move_mount, 0, 0, 0,
     SECCOMP_RET_ALLOW},
    {"also when it starts agents", &own_filter_warden_roots, SYS_move_mount, 0, 0, 0, SECCOMP_RET_ALLOW},
    {"and what agents need", &own_filter_warden_roots, SYS_execveat, 0, 0, 0, SECCOMP_RET_ALLOW},
    {"but not by path", &own_filter_warden_roots, SYS_mount, 0, 0, 0, DENIED},
    {"a user namespace by itself", &own_filter_warden_roots, SYS_clone, CLONE_NEWUSER, 0, 0, SECCOMP_RET_ALLOW},
    {"beside no other flag", &own_filter_warden_roots, SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, DENIED},
    {"and no other namespace", &own_filter_warden_roots, SYS_clone, CLONE_NEWUSER | CLONE_NEWNET, 0, 0, DENIED},
    {"processes as before", &own_filter_warden_roots, SYS_clone, SIGCHLD, 0, 0, SECCOMP_RET_ALLOW},
    {"which one without an agent doesn't make", &own_filter_warden_alone_roots, SYS_clone, SIGCHLD, 0, 0, DENIED},
    {"but that namespace", &own_filter_warden_alone_roots, SYS_clone, CLONE_NEWUSER, 0, 0, SECCOMP_RET_ALLOW},
    {"clone3 is not there", &own_filter_warden_alone_roots, SYS_clone3, 0, 0, 0, ABSENT},
    {"nor a socket", &own_filter_warden_alone_roots, SYS_socket, 16, 0, 0, DENIED},
    {"but no program is run", &own_filter_warden_alone_roots, SYS_execve, 0, 0, 0, DENIED},
    {"nobody traced", &own_filter_warden, SYS_ptrace, 0, 0, 0, DENIED},
    {"a keeper kills", &own_filter_keeper, SYS_kill, 0, 0, 0, SECCOMP_RET_ALLOW},
    {"a keeper opens nothing", &own_filter_keeper, SYS_openat, 0, 0, 0, DENIED},
    {"a keeper maps nothing", &own_filter_keeper, SYS_mmap, 0, 0, 0, DENIED},
    {"a keeper starts nothing", &own_filter_keeper, SYS_clone, SIGCHLD, 0, 0, DENIED},
    {"a keeper executes nothing", &own_filter_keeper, SYS_execve, 0, 0, 0, DENIED},
    {"a keeper loads no other filter", &own_filter_keeper, SYS_seccomp, 0, 0, 0, DENIED},
    {"a mover opens again what it was handed", &own_filter_mover, SYS_openat, 0, 0, 0, SECCOMP_RET_ALLOW},
    {"a mover starts nothing", &own_filter_mover, SYS_clone, SIGCHLD, 0, 0, DENIED},
    {"nor kills", &own_filter_mover, SYS_kill, 0, 0, 0, DENIED},
    {"nor maps", &own_filter_mover, SYS_mmap, 0, 0, 0, DENIED},
    {"nor makes a socket", &own_filter_mover, SYS_socket, 1, 0, 0, DENIED},
    {"nor removes, renames or makes what has a name", &own_filter_mover, SYS_unlinkat, 0, 0, 0, DENIED},
    {"a mover has no io_uring", &own_filter_mover, SYS_io_uring_setup, 0, 0, 0, ABSENT},
    {"a zygote clones into namespaces", &own_filter_zygote, SYS_clone3, 0, 0, 0, SECCOMP_RET_ALLOW},
    {"a sandbox mounts while it is built", &own_filter_zygote, SYS_mount, 0, 0, 0, SECCOMP_RET_ALLOW},
    {"no sandbox loads a module, whatever its profile says", &own_filter_zygote, SYS_finit_module, 0, 0, 0, DENIED},
    {"nor a program into the kernel", &own_filter_zygote, SYS_bpf, 0, 0, 0, DENIED},
    {"nor opens files by handle", &own_filter_zygote, SYS_open_by_handle_at, 0, 0, 0, DENIED},
    {"a job asks what its limit of cores is", &own_filter_zygote, SYS_prlimit64, 0, 4, 0, SECCOMP_RET_ALLOW},
    {"and can't set it", &own_filter_zygote, SYS_prlimit64, 0, 4, 1, DENIED},
    {"nor with an address of high bits alone", &own_filter_zygote, SYS_prlimit64, 0, 4, UINT64_C(1) << 32, DENIED},
    {"nor with a high bit in the limit's name", &own_filter_zygote, SYS_prlimit64, 0, UINT64_C(1) << 32 | 4, 1, DENIED},
    {"other limits it may lower", &own_filter_zygote, SYS_prlimit64, 0, 7, 1, SECCOMP_RET_ALLOW},
#ifdef SYS_setrlimit
    {"nor by the older call", &own_filter_zygote, SYS_setrlimit, 4, 0, 0, DENIED},
    {"which is there for other limits", &own_filter_zygote, SYS_setrlimit, 7, 0, 0, SECCOMP_RET_ALLOW},
#endif
    {"nor works past its filter", &own_filter_zygote, SYS_io_uring_setup, 0, 0, 0, DENIED},
};

START_TEST(test_row)
{
    struct seccomp_data call = {
        .nr = (int)rows[_i].call, .arch = NATIVE, .args = {rows[_i].first, rows[_i].second, rows[_i].third}};
    ck_assert_msg(ask(rows[_i].filter, call) == rows[_i].answer, "%s: %#x", rows[_i].sentence,
                  ask(rows[_i].filter, call));
}
END_TEST

static const struct own_filter *const all[] = {&own_filter_warden,       &own_filter_warden_alone,
                                               &own_filter_warden_roots, &own_filter_warden_alone_roots,
                                               &own_filter_zygote,       &own_filter_keeper,
                                               &own_filter_mover};

START_TEST(test_other_tables_of_calls_kill)
{
    const uint32_t archs[] = {AUDIT_ARCH_I386, AUDIT_ARCH_ARM, 0, NATIVE == AUDIT_ARCH_X86_64 ? AUDIT_ARCH_AARCH64 : 1};
    for (int nr = 0; nr < 600; nr++) {
        for (size_t i = 0; i < COUNT_OF(archs); i++)
            ck_assert_uint_eq(ask(all[_i], (struct seccomp_data){.nr = nr, .arch = archs[i]}),
                              SECCOMP_RET_KILL_PROCESS);
        ck_assert_uint_eq(ask(all[_i], (struct seccomp_data){.nr = 0x40000000 | nr, .arch = NATIVE}),
                          SECCOMP_RET_KILL_PROCESS);
    }
    ck_assert_uint_eq(ask(all[_i], (struct seccomp_data){.nr = -1, .arch = NATIVE}), DENIED);
}
END_TEST

START_TEST(test_a_keeper_has_few_calls)
{
    int allowed = 0;
    for (int nr = 0; nr < 600; nr++)
        allowed += ask(&own_filter_keeper, (struct seccomp_data){.nr = nr, .arch = NATIVE}) == SECCOMP_RET_ALLOW;
    ck_assert_int_gt(allowed, 10);
    ck_assert_int_le(allowed, 24);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("own_filter");
    TCase *t = tcase_create("own_filter");
    tcase_add_loop_test(t, test_row, 0, (int)COUNT_OF(rows));
    tcase_add_loop_test(t, test_other_tables_of_calls_kill, 0, (int)COUNT_OF(all));
    tcase_add_test(t, test_a_keeper_has_few_calls);
    suite_add_tcase(s, t);
    return run_suite(s);
}
