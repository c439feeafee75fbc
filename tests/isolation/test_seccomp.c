#include <check.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isolation/bpf.h"
#include "isolation/seccomp.h"

static struct sock_filter insns[SECCOMP_INSNS_MAX];
static size_t count;

static void setup(void)
{
    struct err err = {0};
    ck_assert_msg(seccomp_compile(&seccomp_default, insns, &count, &err) == 0, "%s", err.text);
}

#define DENIED (SECCOMP_RET_ERRNO | EPERM)
#define ABSENT (SECCOMP_RET_ERRNO | ENOSYS)

static const struct call_row {
    const char *sentence;
    uint32_t arch;
    int nr;
    uint64_t args[3];
    uint32_t answer;
} calls[] = {
    {"reading is allowed", AUDIT_ARCH_X86_64, SYS_read, {0}, SECCOMP_RET_ALLOW},
    {"exec is allowed", AUDIT_ARCH_X86_64, SYS_execve, {0}, SECCOMP_RET_ALLOW},
    {"ending is allowed", AUDIT_ARCH_X86_64, SYS_exit_group, {0}, SECCOMP_RET_ALLOW},
    {"threads are allowed", AUDIT_ARCH_X86_64, SYS_clone, {0x3d0f00}, SECCOMP_RET_ALLOW},
    {"a new user namespace is not", AUDIT_ARCH_X86_64, SYS_clone, {0x10000011}, DENIED},
    {"nor hidden behind a high bit", AUDIT_ARCH_X86_64, SYS_clone, {0x8000000010000011}, DENIED},
    {"clone3 doesn't exist, so that libraries fall back", AUDIT_ARCH_X86_64, SYS_clone3, {0}, ABSENT},
    {"io_uring doesn't exist", AUDIT_ARCH_X86_64, SYS_io_uring_setup, {0}, ABSENT},
    {"what a future kernel brings doesn't exist", AUDIT_ARCH_X86_64, 700, {0}, ABSENT},
    {"tracing is denied", AUDIT_ARCH_X86_64, SYS_ptrace, {0}, DENIED},
    {"keys are denied", AUDIT_ARCH_X86_64, SYS_keyctl, {0}, DENIED},
    {"bpf is denied", AUDIT_ARCH_X86_64, SYS_bpf, {0}, DENIED},
    {"TCP is allowed", AUDIT_ARCH_X86_64, SYS_socket, {2, 1, 0}, SECCOMP_RET_ALLOW},
    {"the crypto family is denied", AUDIT_ARCH_X86_64, SYS_socket, {38, 5, 0}, DENIED},
    {"with any high bit too", AUDIT_ARCH_X86_64, SYS_socket, {38 | UINT64_C(1) << 32, 5, 0}, DENIED},
    {"a high bit changes nothing for an allowed family",
     AUDIT_ARCH_X86_64,
     SYS_socket,
     {2 | UINT64_C(1) << 40, 1, 0},
     SECCOMP_RET_ALLOW},
    {"routing netlink is allowed", AUDIT_ARCH_X86_64, SYS_socket, {16, 3, 0}, SECCOMP_RET_ALLOW},
    {"other netlink is denied", AUDIT_ARCH_X86_64, SYS_socket, {16, 3, 9}, DENIED},
    {"an ordinary ioctl is allowed", AUDIT_ARCH_X86_64, SYS_ioctl, {0, 0x5401, 0}, SECCOMP_RET_ALLOW},
    {"typing into a terminal is denied", AUDIT_ARCH_X86_64, SYS_ioctl, {0, 0x5412, 0}, DENIED},
    {"typing with a high bit is denied", AUDIT_ARCH_X86_64, SYS_ioctl, {0, 0x100005412, 0}, DENIED},
    {"a 32-bit call kills", AUDIT_ARCH_I386, 20, {0}, SECCOMP_RET_KILL_PROCESS},
    {"an x32 call kills", AUDIT_ARCH_X86_64, 0x40000000 + SYS_getpid, {0}, SECCOMP_RET_KILL_PROCESS},
};

START_TEST(test_call)
{
    struct seccomp_data call = {.nr = calls[_i].nr, .arch = calls[_i].arch};
    for (int i = 0; i < 3; i++)
        call.args[i] = calls[_i].args[i];
    uint32_t answer = bpf_ask(insns, count, &call);
    ck_assert_msg(answer == calls[_i].answer, "%s: %#x, not %#x", calls[_i].sentence, answer, calls[_i].answer);
}
END_TEST

START_TEST(test_filter_answers_as_the_profile_says)
{
    struct err err = {0};
    ck_assert_msg(seccomp_verify(&seccomp_default, insns, count, &err) == 0, "%s", err.text);
}
END_TEST

/* libseccomp leaves an instruction behind that no jump leads to. */
static void mark_reachable(bool reachable[SECCOMP_INSNS_MAX])
{
    reachable[0] = true;
    for (size_t i = 0; i < count; i++) {
        bool jump = BPF_CLASS(insns[i].code) == BPF_JMP, always = insns[i].code == (BPF_JMP | BPF_JA);
        if (!reachable[i] || BPF_CLASS(insns[i].code) == BPF_RET)
            continue;
        reachable[i + 1 + (always ? insns[i].k : jump ? insns[i].jt : 0)] = true;
        reachable[i + 1 + (always ? insns[i].k : jump ? insns[i].jf : 0)] = true;
    }
}

/* Each instruction that answers, changed in its answer: somebody must notice. */
START_TEST(test_a_wrong_answer_is_noticed)
{
    static bool reachable[SECCOMP_INSNS_MAX];
    int tried = 0;
    mark_reachable(reachable);
    for (size_t i = 0; i < count; i++) {
        if (insns[i].code != (BPF_RET | BPF_K) || !reachable[i])
            continue;
        uint32_t was = insns[i].k;
        insns[i].k = was == SECCOMP_RET_ALLOW ? DENIED : SECCOMP_RET_ALLOW;
        ck_assert_msg(seccomp_verify(&seccomp_default, insns, count, NULL) == -EBADMSG, "instruction %zu", i);
        insns[i].k = was;
        tried++;
    }
    ck_assert_int_ge(tried, 4);
}
END_TEST

START_TEST(test_names_nobody_knows_are_refused)
{
    static const char *const allowed[] = {"read", "raed"};
    const struct seccomp_profile p = {.allowed = allowed, .allowed_count = 2};
    struct err err = {0};
    ck_assert_int_eq(seccomp_compile(&p, insns, &count, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "'raed'"));
}
END_TEST

START_TEST(test_a_call_listed_in_two_ways_is_refused)
{
    static const char *const allowed[] = {"read"};
    static const struct seccomp_number unknown[] = {{"read", 0}};
    const struct seccomp_profile p = {.allowed = allowed, .allowed_count = 1, .unknown = unknown, .unknown_count = 1};
    ck_assert_int_eq(seccomp_compile(&p, insns, &count, NULL), -EINVAL);
}
END_TEST

START_TEST(test_the_memfd_is_sealed_and_holds_the_filter)
{
    struct err err = {0};
    static struct sock_filter again[SECCOMP_INSNS_MAX];
    int fd = seccomp_filter_memfd(&seccomp_default, &err);
    ck_assert_msg(fd >= 0, "%s", err.text);
    ck_assert_int_eq(pread(fd, again, sizeof again, 0), (ssize_t)(count * sizeof *again));
    ck_assert_mem_eq(again, insns, count * sizeof *again);
    ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
    ck_assert_int_eq(ftruncate(fd, 0), -1);
    close(fd);
}
END_TEST

/* --- the interpreter itself
 * ------------------------------------------------------------------------------------------ */

START_TEST(test_broken_programs_have_no_answer)
{
    const struct seccomp_data call = {0};
    const struct sock_filter runs_out[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)};
    const struct sock_filter jumps_out[] = {BPF_STMT(BPF_JMP | BPF_JA, 100), BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_filter reads_out[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_filter reads_odd[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 3), BPF_STMT(BPF_RET | BPF_K, 0)};
    const struct sock_filter strange[] = {BPF_STMT(0xffff, 0), BPF_STMT(BPF_RET | BPF_K, 0)};
    ck_assert_uint_eq(bpf_ask(runs_out, 1, &call), BPF_BROKEN);
    ck_assert_uint_eq(bpf_ask(jumps_out, 2, &call), BPF_BROKEN);
    ck_assert_uint_eq(bpf_ask(reads_out, 2, &call), BPF_BROKEN);
    ck_assert_uint_eq(bpf_ask(reads_odd, 2, &call), BPF_BROKEN);
    ck_assert_uint_eq(bpf_ask(strange, 2, &call), BPF_BROKEN);
    ck_assert_uint_eq(bpf_ask(NULL, 0, &call), BPF_BROKEN);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("isolation/seccomp");
    TCase *t = tcase_create("seccomp");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_call, 0, (int)COUNT_OF(calls));
    tcase_add_test(t, test_filter_answers_as_the_profile_says);
    tcase_add_test(t, test_a_wrong_answer_is_noticed);
    tcase_add_test(t, test_names_nobody_knows_are_refused);
    tcase_add_test(t, test_a_call_listed_in_two_ways_is_refused);
    tcase_add_test(t, test_the_memfd_is_sealed_and_holds_the_filter);
    tcase_add_test(t, test_broken_programs_have_no_answer);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
