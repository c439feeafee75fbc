/*
 * Hostile programs under a real warden and keeper: none gets away with anything. Root.
 * One warden for all rows; each row is a job of its own. A row that works outside is also run there, as root: a
 * program that couldn't succeed would prove nothing.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/system/driver.h"
#include "tests/system/hostile.h"
#include "tests/system/suite.h"

#define HOST_KEY 0x52455655
#define FIRST_JOB 1000

static struct driver d;
static struct ended e;
static char program[1 << 20]; /* the attacker's file: given to jobs as their script */
static size_t program_len;
static char program_path[512];

static const struct attack *all[128];
static int count;

static void take(const struct attack *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].end != ENDS_NEVER)
            all[count++] = &rows[i];
    }
}

static void load_program(void)
{
    ssize_t n = readlink("/proc/self/exe", program_path, sizeof program_path - 1);
    ck_assert_int_gt(n, 0);
    program_path[n] = '\0';
    char *slash = strrchr(program_path, '/');
    snprintf(slash, sizeof program_path - (size_t)(slash - program_path), "/hostile_program");
    CLEANUP(close_p) int fd = open(program_path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd_read_full(fd, program, sizeof program);
    ck_assert_msg(len > 0 && len < (ssize_t)sizeof program - 4096, "%s: %zd bytes", program_path, len);
    program_len = (size_t)len;
}

/* What a job must not find: IPC objects, a queue, an abstract socket, files, all open to everybody. */
static int host_socket = -1;

static void make_host_objects(void)
{
    shmget(HOST_KEY, 4096, IPC_CREAT | 0666);
    semget(HOST_KEY, 1, IPC_CREAT | 0666);
    msgget(HOST_KEY, IPC_CREAT | 0666);
    umask(0);
    mqd_t q = mq_open("/reeve-hostile", O_CREAT | O_RDWR, 0666, NULL);
    ck_assert_int_ge(q, 0);
    mq_close(q);
    static const char *const paths[] = {"/dev/shm/reeve-hostile", "/tmp/reeve-hostile"};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        close(open(paths[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    umask(022);
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0reeve-hostile"};
    host_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(host_socket, (struct sockaddr *)&name, sizeof name.sun_family + 14), 0);
    ck_assert_int_eq(listen(host_socket, 4), 0);
}

static void remove_host_objects(void)
{
    shmctl(shmget(HOST_KEY, 0, 0), IPC_RMID, NULL);
    semctl(semget(HOST_KEY, 0, 0), 0, IPC_RMID);
    msgctl(msgget(HOST_KEY, 0), IPC_RMID, NULL);
    mq_unlink("/reeve-hostile");
    unlink("/dev/shm/reeve-hostile");
    unlink("/tmp/reeve-hostile");
    close_p(&host_socket);
}

static void setup(void)
{
    load_program();
    make_host_objects();
    driver_init(&d);
}

static void teardown(void)
{
    driver_fini(&d);
    remove_host_objects();
    ck_assert_msg(driver_groups_gone(&d), "a cgroup is left");
}

static bool has_cap(int cap)
{
    char text[4096] = "";
    CLEANUP(close_p) int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ck_assert_int_gt(fd_read_full(fd, text, sizeof text - 1), 0);
    const char *line = strstr(text, "CapEff:\t");
    return line != NULL && (strtoull(line + 8, NULL, 16) >> cap & 1) != 0;
}

static struct run attack_run(const struct attack *row, int number)
{
    static const char *argv[] = {"attack", NULL, NULL};
    argv[1] = row->name;
    struct run r = driver_run(&d, argv);
    r.spec.id.job = FIRST_JOB + (uint64_t)number; /* each test is a process of its own */
    static const char *const protected_env[] = {"KEEPER_PROTECTED=1", NULL};
    r.env = has_cap(24 /* CAP_SYS_RESOURCE */) ? protected_env : NULL;
    r.script = program;
    r.script_len = program_len;
    return r;
}

static bool ended_as(enum attack_end end)
{
    bool oom = e.record.cause == END_OOM, well = e.record.cause == END_EXIT && e.record.exit_code == 0;
    int sig = e.record.cause == END_SIGNAL ? e.record.signal : 0;
    switch (end) {
    case ENDS: return well;
    case ENDS_SIGSYS: return sig == SIGSYS;
    case ENDS_SIGKILL: return sig == SIGKILL;
    case ENDS_OOM: return oom;
    case ENDS_BOUNDED: return well || oom;
    case ENDS_NEVER: return false;
    }
    return false;
}

/* What a v2 kernel can't refuse it charges beyond the limit for a moment, and counts in memory.peak (cgroup-v2.rst,
 * "memory.max"); seen with datagrams on two slow cores: a twentieth. */
static uint64_t most_memory(const struct sandbox_spec *spec)
{
    uint64_t limit = spec->mem_bytes + spec->scratch_bytes;
    return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 ? limit + limit / 8 : limit;
}

START_TEST(test_nobody_gets_away_with_anything)
{
    struct run r = attack_run(all[_i], _i);
    driver_do(&d, &r, &e);
    ck_assert_msg(e.out[0] == '\0', "%s (%s), but:\n%s", all[_i]->sentence, all[_i]->name, e.out);
    ck_assert_msg(ended_as(all[_i]->end), "%s (%s): cause %u exit %d signal %d\n%s", all[_i]->sentence, all[_i]->name,
                  e.record.cause, e.record.exit_code, e.record.signal, e.err);
    ck_assert_uint_le(e.usage.mem_peak_bytes, most_memory(&r.spec));
}
END_TEST

/* In a mount namespace whose /tmp and /dev/shm are its own; a folder of the test's is still visible through both. */
static void become_outsider(const char *name, int out)
{
    dup2(out, 1);
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        (strcmp(name, "host_ipc") == 0 || mount("t", "/tmp", "tmpfs", 0, NULL) == 0)) {
        CLEANUP(close_p) int self = memfd_sealed("attack", program, program_len);
        char *argv[] = {(char *)(uintptr_t) "attack", (char *)(uintptr_t)name, NULL}, *envp[] = {NULL};
        fexecve(self, argv, envp);
    }
    _exit(125);
}

START_TEST(test_outside_the_same_program_succeeds)
{
    if (!all[_i]->works_outside || suite_under_uml()) /* once is enough, and there it is slow */
        return;
    int ends[2], status;
    char text[256] = "";
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0)
        become_outsider(all[_i]->name, ends[1]);
    close(ends[1]);
    ssize_t n = fd_read_full(ends[0], text, sizeof text - 1);
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(n > 0, "%s proves nothing: outside it gets away with nothing either (status %#x)", all[_i]->name,
                  (unsigned)status);
}
END_TEST

/* --- tenants beside and after each other ------------------------------------------------------------------------ */

static void wait_for_line(struct task *t)
{
    char byte = 0;
    ck_assert(driver_link(t, NULL));
    while (byte != '\n')
        ck_assert_int_eq(read(t->out, &byte, 1), 1);
}

/* What a victim has: objects that are open to everybody, files, a secret in its arguments and its environment. */
START_TEST(test_tenants_see_nothing_of_each_other)
{
    static const char *const names[] = {"host_ipc", "other_pids", "hidden_names", "neighbours", "keeper_files"};
    static const char *const argv[] = {"attack", "victim", NULL}, *const env[] = {"SECRET=REEVE-SECRET-ENV", NULL};
    struct run victim = driver_run(&d, argv);
    struct task t;
    victim.spec.id.job = FIRST_JOB + 500;
    victim.script = program;
    victim.script_len = program_len;
    victim.env = env;
    ck_assert_uint_eq(driver_launch(&d, &victim, &t), OP_DONE);
    wait_for_line(&t);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct attack row = {.name = names[i]};
        struct run r = attack_run(&row, 600 + (int)i);
        driver_do(&d, &r, &e);
        ck_assert_msg(e.out[0] == '\0' && e.record.cause == END_EXIT && e.record.exit_code == 0, "%s:\n%s%s", names[i],
                      e.out, e.err);
    }
    ck_assert_uint_eq(driver_remove(&d, t.id).status, OP_DONE);
    driver_drop(&t);
    const struct attack after = {.name = "leftovers"}; /* its slot, and with it its user ids, are taken again */
    struct run r = attack_run(&after, 700);
    driver_do(&d, &r, &e);
    ck_assert_msg(e.out[0] == '\0' && e.record.cause == END_EXIT, "leftovers:\n%s%s", e.out, e.err);
}
END_TEST

/* --- what the confiners themselves may do ----------------------------------------------------------------------- */

static pid_t child_of(pid_t pid)
{
    char path[64], text[32] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    (void)!read(fd, text, sizeof text - 1);
    return (pid_t)strtol(text, NULL, 10);
}

static long status_number(pid_t pid, const char *line)
{
    char path[64], text[4096] = "";
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_gt(fd_read_full(fd, text, sizeof text - 1), 0);
    const char *at = strstr(text, line);
    return at != NULL ? strtol(at + strlen(line), NULL, 10) : -1;
}

#ifdef __x86_64__
static void wait_asleep(pid_t pid)
{
    char path[64], text[4096];
    struct pollfd nothing = {.fd = -1};
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    for (bool asleep = false; !asleep; poll(&nothing, 1, 1)) { /* nothing tells of it */
        CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd_read_full(fd, text, sizeof text - 1);
        ck_assert_int_gt(n, 0);
        text[n] = '\0';
        asleep = strstr(text, "\nState:\tS") != NULL;
    }
}

/* Makes a stopped process do one call: it waits in one, so the two bytes before where it is are the instruction. */
static long call_in(pid_t pid, long number, unsigned long a, unsigned long b)
{
    int status;
    struct user_regs_struct before, regs;
    wait_asleep(pid);
    ck_assert_int_eq(ptrace(PTRACE_SEIZE, pid, NULL, (void *)(long)PTRACE_O_TRACESYSGOOD), 0);
    ck_assert_int_eq(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
    ck_assert_int_eq(waitpid(pid, &status, __WALL), pid);
    ck_assert_int_eq(ptrace(PTRACE_GETREGS, pid, NULL, &before), 0);
    regs = before;
    regs.rip -= 2;
    regs.rax = (unsigned long)number;
    regs.orig_rax = ~0ul;
    regs.rdi = a;
    regs.rsi = b;
    regs.rdx = regs.r10 = regs.r8 = 0;
    ck_assert_int_eq(ptrace(PTRACE_SETREGS, pid, NULL, &regs), 0);
    for (int stop = 0; stop < 2; stop++) { /* on the way in, on the way out */
        ck_assert_int_eq(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
        ck_assert_int_eq(waitpid(pid, &status, __WALL), pid);
        ck_assert_msg(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80), "it is at %#x", (unsigned)status);
    }
    ck_assert_int_eq(ptrace(PTRACE_GETREGS, pid, NULL, &regs), 0);
    before.rax = (unsigned long)-EINTR; /* what it waited in was interrupted */
    before.orig_rax = ~0ul;
    ptrace(PTRACE_SETREGS, pid, NULL, &before);
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
    return (long)regs.rax;
}

static const struct own_row {
    const char *call;
    long number;
    unsigned long a, b;
    long warden, zygote, keeper; /* 0: it may */
} own_rows[] = {
    {"getpid: the way works", SYS_getpid, 0, 0, 0, 0, -EPERM},
    {"socket", SYS_socket, AF_INET, SOCK_STREAM, -EPERM, 0, -EPERM},
    {"unshare", SYS_unshare, 0, 0, -EPERM, 0, -EPERM},
    {"execve", SYS_execve, 0, 0, -EPERM, -EFAULT, -EPERM},
    {"mount", SYS_mount, 0, 0, -EPERM, -EFAULT, -EPERM},
    {"setns", SYS_setns, 0, 0, -EPERM, -EINVAL, -EPERM},
    {"open_by_handle_at", SYS_open_by_handle_at, 0, 0, -EPERM, -EPERM, -EPERM},
    {"bpf", SYS_bpf, 0, 0, -EINVAL, -EPERM, -EPERM}, /* the warden needs it for devices on v2 */
    {"finit_module", SYS_finit_module, 0, 0, -EPERM, -EPERM, -EPERM},
    {"io_uring_setup", SYS_io_uring_setup, 0, 0, -ENOSYS, -EPERM, -ENOSYS},
    {"mmap", SYS_mmap, 0, 4096, -EBADF, -EBADF, -EPERM},
    {"fork", SYS_fork, 0, 0, -EPERM, 1, -EPERM}, /* 1: not tried */
};

static void check_own(const char *who, pid_t pid, size_t row, long want)
{
    if (want == 1)
        return;
    long got_back = call_in(pid, own_rows[row].number, own_rows[row].a, own_rows[row].b);
    ck_assert_msg(want == 0                          ? got_back >= 0
                  : want > -EFAULT && want != -EPERM ? got_back < 0
                                                     : got_back == want,
                  "%s, %s: %ld, not %ld", who, own_rows[row].call, got_back, want);
}

START_TEST(test_confiners_are_confined)
{
    struct driver own;
    struct task t;
    static const char *const argv[] = {"sh", "-c", "echo up; sleep 100", NULL};
    driver_init(&own);
    struct run r = driver_run(&own, argv);
    ck_assert_uint_eq(driver_launch(&own, &r, &t), OP_DONE);
    wait_for_line(&t);
    pid_t zygote = child_of(own.pid), keeper = child_of(zygote);
    ck_assert(zygote > 0 && keeper > 0);
    const pid_t pids[] = {own.pid, zygote, keeper};
    for (size_t i = 0; i < COUNT_OF(pids); i++) {
        ck_assert_int_eq(status_number(pids[i], "\nSeccomp:\t"), 2);
        ck_assert_int_eq(status_number(pids[i], "\nNoNewPrivs:\t"), 1);
    }
    for (size_t i = 0; i < COUNT_OF(own_rows); i++) {
        check_own("warden", own.pid, i, own_rows[i].warden);
        check_own("zygote", zygote, i, own_rows[i].zygote);
        check_own("keeper", keeper, i, own_rows[i].keeper);
    }
    driver_say(&t,
               (struct keeper_message){.op = KEEPER_STOP, .cause = END_CANCELLED, .grace_ms = 0}); /* all still work */
    driver_end(&own, &t, &e);
    ck_assert_uint_eq(e.record.cause, END_CANCELLED);
    driver_fini(&own);
}
END_TEST
#endif

/* --- programs that the kernel starts: only where the kernel is the test's own ----------------------------------- */

START_TEST(test_no_core_reaches_a_program_of_the_host)
{
    if (access("/run/disk", F_OK) < 0) { /* a machine that was made for the tests has it */
        printf("skipped: core_pattern is this machine's; tried under user-mode-linux and qemu\n");
        return;
    }
    static const char handler[] = "#!/bin/sh\ncat > /dev/null; : > /tmp/core-was-here\n";
    int fd = open("/tmp/core-handler", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    ck_assert_int_eq(fd_write_all(fd, handler, sizeof handler - 1), 0);
    close(fd);
    fd = open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(fd_write_all(fd, "|/tmp/core-handler", 18), 0);
    close(fd);
    const struct attack row = {.name = "cores"};
    struct run r = attack_run(&row, 800);
    driver_do(&d, &r, &e);
    ck_assert_str_eq(e.out, "");
    ck_assert_int_ne(access("/tmp/core-was-here", F_OK), 0);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_hostile: needs root\n");
        return 1;
    }
    take(attacks_see, attacks_see_count);
    take(attacks_escape, attacks_escape_count);
    take(attacks_calls, attacks_calls_count);
    take(attacks_exhaust, attacks_exhaust_count);
    take(attacks_witness, attacks_witness_count);
    take(attacks_tenants, attacks_tenants_count);
    Suite *s = suite_create("hostile jobs");
    TCase *t = tcase_create("hostile jobs");
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_nobody_gets_away_with_anything, 0, count);
    tcase_add_loop_test(t, test_outside_the_same_program_succeeds, 0, count);
    tcase_add_test(t, test_tenants_see_nothing_of_each_other);
#ifdef __x86_64__
    tcase_add_test(t, test_confiners_are_confined);
#endif
    tcase_add_test(t, test_no_core_reaches_a_program_of_the_host);
    suite_add_tcase(s, t);
    return run_suite(s);
}
