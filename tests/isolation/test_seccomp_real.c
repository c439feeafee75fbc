/* The filters in the kernel: for each row a child loads one and makes the call. */
#include <check.h>
#include <errno.h>
#include <linux/filter.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "isolation/seccomp_builtin.h"
#include "isolation/seccomp_compile.h"
#include "isolation/seccomp_read.h"
#include "tests/isolation/profiles.h"
#include "tests/run.h"

#define DOCKER_FILE "../../shared/seccomp/docker-default.json"
#define SYSCALL_INT80 (-80) /* getpid by the 32-bit gate */
#define KILLED (-1000)      /* SIGSYS */
#define ANY (-1001)         /* let through: whatever the kernel says to it, but no filter's answer */

enum filter { FLOOR, DEFAULT, DOCKER, STACKED, FILTERS };
static const char *const filter_names[FILTERS] = {"floor", "default", "docker", "allow-all on the floor"};

/* What a call answers: 0 or more as 0, else -errno. Arguments are such that the kernel itself never says EPERM or
 * ENOSYS to root; where it would, the row's filters deny. */
static const struct real_row {
    const char *sentence;
    long nr;
    long args[4];
    int answer[FILTERS];
} rows[] = {
    {"getpid", SYS_getpid, {0}, {0, 0, 0, 0}},
    {"openat of nothing", SYS_openat, {-1, 0}, {-EFAULT, -EFAULT, -EFAULT, -EFAULT}},
    {"a UNIX socket", SYS_socket, {1, 1, 0}, {0, 0, 0, 0}},
    {"AF_ALG", SYS_socket, {38, 5, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"AF_ALG behind a high bit", SYS_socket, {38 | 1L << 32, 5, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"AF_ALG behind the highest", SYS_socket, {(long)(38 | 1UL << 63), 5, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"AF_VSOCK", SYS_socket, {40, 1, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"AF_PACKET", SYS_socket, {17, 99, 0}, {ANY, -EPERM, ANY, ANY}},
    {"netlink for audit", SYS_socket, {16, 99, 9}, {ANY, -EPERM, ANY, ANY}},
    {"TIOCSTI", SYS_ioctl, {0, 0x5412, 0}, {-EPERM, -EPERM, ANY, -EPERM}},
    {"TIOCSTI behind a high bit", SYS_ioctl, {0, 0x100005412, 0}, {-EPERM, -EPERM, ANY, -EPERM}},
    {"an ordinary ioctl", SYS_ioctl, {-1, 0x5401, 0}, {-EBADF, -EBADF, -EBADF, -EBADF}},
    {"unshare of nothing", SYS_unshare, {0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"setns", SYS_setns, {-1, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"clone of a user namespace", SYS_clone, {0x10000011}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"clone of a mount namespace behind a high bit", SYS_clone, {0x100020011}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"clone with impossible flags",
     SYS_clone,
     {0x00010000},
     {-EINVAL, -EINVAL, -EINVAL, -EINVAL}}, /* CLONE_THREAD alone */
    {"clone3", SYS_clone3, {0, 0}, {-ENOSYS, -ENOSYS, -ENOSYS, -ENOSYS}},
    {"io_uring", SYS_io_uring_setup, {0, 0}, {-ENOSYS, -ENOSYS, -ENOSYS, -ENOSYS}},
    {"io_uring by number", SYS_io_uring_register, {-1, 0}, {-ENOSYS, -ENOSYS, -ENOSYS, -ENOSYS}},
    {"bpf", SYS_bpf, {0, 0, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"keyctl", SYS_keyctl, {0, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"add_key", SYS_add_key, {0, 0, 0, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"userfaultfd", SYS_userfaultfd, {-1}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"perf", SYS_perf_event_open, {0, 0, 0, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"mount", SYS_mount, {0, 0, 0, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"umount2", SYS_umount2, {0, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"fsopen", SYS_fsopen, {0, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"open_tree", SYS_open_tree, {-1, 0, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"mount_setattr", SYS_mount_setattr, {-1, 0, 0, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"pivot_root", SYS_pivot_root, {0, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"chroot", SYS_chroot, {0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"a file by its handle", SYS_open_by_handle_at, {-1, 0, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"a module", SYS_init_module, {0, 0, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"kexec", SYS_kexec_load, {0, 17, 0, -1}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"reboot, with the wrong words", SYS_reboot, {0, 0, 0, 0}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"the host's name", SYS_sethostname, {0, -1}, {-EPERM, -EPERM, -EPERM, -EPERM}},
    {"ptrace of nobody", SYS_ptrace, {16, -1, 0, 0}, {-ESRCH, -EPERM, -ESRCH, -ESRCH}},
    {"vmsplice", SYS_vmsplice, {-1, 0, 0, 0}, {-EBADF, -EPERM, -EBADF, -EBADF}},
    {"a call of tomorrow", 900, {0}, {-ENOSYS, -ENOSYS, -ENOSYS, -ENOSYS}},
    {"an x32 call", 0x40000000 + SYS_getpid, {0}, {KILLED, KILLED, KILLED, KILLED}},
#ifdef __x86_64__
    {"a 32-bit call", SYSCALL_INT80, {0}, {KILLED, KILLED, KILLED, KILLED}},
#endif
};

static struct sock_filter insns[FILTERS + 1][SECCOMP_INSNS_MAX];
static size_t counts[FILTERS + 1];

static bool compile_one(enum filter which)
{
    static char docker[SECCOMP_TEXT_MAX];
    struct seccomp_profile p = {0};
    struct err err = {0};
    int rc;
    if (which == DOCKER) {
        FILE *f = fopen(DOCKER_FILE, "re");
        if (f == NULL)
            return false;
        size_t len = fread(docker, 1, sizeof docker, f);
        fclose(f);
        rc = seccomp_read(docker, len, &p, NULL, &err);
    } else if (which == STACKED) {
        rc = read_quoted(PASS(ALLOW("'read'", "")), &p, NULL, &err);
    } else {
        rc = seccomp_builtin_read(filter_names[which], &p, &err);
    }
    rc = rc < 0 ? rc : seccomp_build(&p, insns[which], &counts[which], &err);
    ck_assert_msg(rc == 0, "%s: %s", filter_names[which], err.text);
    seccomp_profile_fini(&p);
    return true;
}

static bool have[FILTERS];

static void setup(void)
{
    for (enum filter f = 0; f < FILTERS; f++) {
        have[f] = compile_one(f);
        if (!have[f])
            printf("skipped: " DOCKER_FILE " is not here\n");
    }
}

static void load(enum filter which)
{
    const struct sock_fprog program = {(unsigned short)counts[which], insns[which]};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_seccomp, 1, 0, &program) < 0)
        _exit(200);
}

static long make_call(const struct real_row *row)
{
#ifdef __x86_64__
    if (row->nr == SYSCALL_INT80) {
        long result = 20;
        __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
        return result;
    }
#endif
    long result = syscall(row->nr, row->args[0], row->args[1], row->args[2], row->args[3], 0, 0);
    return result < 0 ? -errno : 0;
}

static int ask_kernel(enum filter which, const struct real_row *row)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (which == STACKED)
            load(FLOOR);
        load(which);
        _exit((int)-make_call(row));
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? KILLED : -2000 - WTERMSIG(status);
    return -WEXITSTATUS(status);
}

START_TEST(test_the_kernel_answers_so)
{
    const struct real_row *row = &rows[_i];
    for (enum filter f = 0; f < FILTERS; f++) {
        if (!have[f])
            continue;
        int got = ask_kernel(f, row), want = row->answer[f];
        bool right = want == ANY ? got != -EPERM && got != -ENOSYS && got > KILLED : got == want;
        ck_assert_msg(right, "%s, %s: %d, not %d", row->sentence, filter_names[f], got, want);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("isolation/seccomp in the kernel");
    TCase *t = tcase_create("real");
    tcase_add_unchecked_fixture(t, setup, NULL);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_the_kernel_answers_so, 0, (int)COUNT_OF(rows));
    suite_add_tcase(s, t);
    return run_suite(s);
}
