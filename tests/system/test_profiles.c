/*
 * Seccomp profiles under a real warden and keeper: those of the node, those that come along, tracing; and what a filter
 * that somebody slipped in can't do. Root.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "isolation/spec/trace.h"
#include "tests/system/confine_rows.h"
#include "tests/system/driver.h"
#include "tests/system/suite.h"

static struct driver d;
static struct ended e;
static char profiles[96], compiler[512];
static const char *const options[] = {"--profiles", profiles, NULL};

static void write_profile(const char *name, const char *text, mode_t mode)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", profiles, name);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    for (; *text != '\0'; text++)
        fputc(*text == '\'' ? '"' : *text, f);
    fclose(f);
    ck_assert_int_eq(chmod(path, mode), 0);
}

#define NEEDED "'execve','exit','exit_group','rt_sigreturn'"
#define ALLOW_ALL "{'defaultAction':'SCMP_ACT_ALLOW'}"
/* Just what a small static or dynamic program needs; none of what the launch itself does: no recvmsg, no chdir. */
#define NARROW                                                                                                         \
    "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[{'action':'SCMP_ACT_ALLOW','names':[" NEEDED                        \
    ",'brk','mmap','munmap','mprotect','openat','read','pread64','write','close','newfstatat','fstat','access',"       \
    "'arch_prctl','set_tid_address','set_robust_list','rseq','prlimit64','getrandom','fadvise64','futex']}]}"
#define KILLS_UNAME                                                                                                    \
    "{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['uname'],'action':'SCMP_ACT_KILL_PROCESS'}]}"

static void start_with_profiles(void)
{
    driver_kill_warden(&d);
    d.options = options;
    driver_start_warden(&d);
}

static void setup(void)
{
    driver_init(&d);
    snprintf(profiles, sizeof profiles, "%s/profiles", d.dir);
    snprintf(compiler, sizeof compiler, "%.*sreeve-seccomp", (int)(strrchr(d.keeper, '/') + 1 - d.keeper), d.keeper);
    ck_assert_int_eq(mkdir(profiles, 0755), 0);
}

static void teardown(void)
{
    driver_fini(&d);
    ck_assert_msg(driver_groups_gone(&d), "a cgroup is left");
}

/* A filter as an agent would have it made. */
static int compile(const char *text)
{
    int in = memfd_create("in", 0), out = memfd_create("out", MFD_ALLOW_SEALING);
    for (; *text != '\0'; text++)
        ck_assert_int_eq(write(in, *text == '\'' ? "\"" : text, 1), 1);
    lseek(in, 0, SEEK_SET);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in, 0);
        dup2(out, 1);
        execl(compiler, compiler, NULL);
        _exit(127);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    close(in);
    ck_assert_int_eq(fcntl(out, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    return out;
}

static struct run run_with(const char *name, const char *const *argv)
{
    struct run r = driver_run(&d, argv);
    snprintf(r.spec.filter.name, sizeof r.spec.filter.name, "%s", name);
    return r;
}

/* --- the node's own ------------------------------------------------------------------- */

START_TEST(test_a_profile_of_the_node_is_had_by_name)
{
    write_profile("narrow.json", NARROW, 0644);
    start_with_profiles();
    struct run r =
        run_with("narrow", python("import os\ntry: os.getuid(); print(os.getpid())\nexcept Exception: pass"));
    r.argv = shell("echo never");
    const char *const argv[] = {"/bin/echo", "heard", NULL};
    r.argv = argv;
    driver_do(&d, &r, &e);
    ck_assert_str_eq(e.out, "heard\n");
    r = run_with("narrow", shell("cd / && echo moved"));
    driver_do(&d, &r, &e);
    ck_assert_str_eq(e.out, "");
    ck_assert_int_ne(e.record.exit_code, 0);
}
END_TEST

START_TEST(test_a_profile_that_kills_is_told_from_an_exit)
{
    write_profile("nosy.json", KILLS_UNAME, 0644);
    start_with_profiles();
    const char *const argv[] = {"/bin/uname", NULL};
    struct run r = run_with("nosy", argv);
    driver_do(&d, &r, &e);
    ck_assert_int_eq(e.record.signal, SIGSYS);
}
END_TEST

START_TEST(test_the_default_by_its_name)
{
    struct run r = run_with("default", shell("grep -c Seccomp_filters..3 /proc/self/status"));
    driver_do(&d, &r, &e);
    ck_assert_str_eq(e.out, "1\n");
}
END_TEST

START_TEST(test_a_profile_that_the_node_lacks_fails_the_launch)
{
    struct run r = run_with("absent", shell("echo never"));
    struct task t;
    ck_assert_int_eq(driver_launch(&d, &r, &t), OP_FAILED);
    ck_assert_str_eq(t.launch.step, "seccomp");
    ck_assert_int_eq(t.launch.error, ENOENT);
    driver_drop(&t);
}
END_TEST

static const struct wrong_folder_row {
    const char *sentence, *name, *text;
    mode_t mode;
} wrong_folders[] = {
    {"a file that others may write", "open.json", ALLOW_ALL, 0666},
    {"a name that is none", "Open Profile.json", ALLOW_ALL, 0644},
    {"a name that is taken", "floor.json", ALLOW_ALL, 0644},
    {"a profile that is broken", "broken.json", "{'defaultAction':'SCMP_ACT_NOTHING'}", 0644},
    {"a file that is no profile", "notes.txt", "hello", 0644},
};

/* Whoever relies on it would otherwise run without. */
START_TEST(test_a_wrong_folder_stops_the_warden)
{
    const struct wrong_folder_row *row = &wrong_folders[_i];
    write_profile(row->name, row->text, row->mode);
    driver_kill_warden(&d);
    d.options = options;
    driver_start_warden(&d);
    int status;
    ck_assert_int_eq(waitpid(d.pid, &status, 0), d.pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%s: %#x", row->sentence, (unsigned)status);
    close_p(&d.sock);
    char path[160];
    snprintf(path, sizeof path, "%s/%s", profiles, row->name);
    unlink(path);
    driver_start_warden(&d);
    driver_ask(&d, OP_LIST, (struct attempt_id){0}); /* it is ready to be stopped */
}
END_TEST

/* --- what comes along ------------------------------------------------------------------- */

START_TEST(test_a_given_filter_is_loaded_last)
{
    const char *const argv[] = {"/bin/echo", "heard", NULL};
    struct run r = driver_run(&d, argv);
    r.spec.filter.kind = FILTER_GIVEN;
    r.seccomp = compile(NARROW);
    driver_do(&d, &r, &e);
    ck_assert_str_eq(e.out, "heard\n");
    r = driver_run(&d, shell("(true) && echo forked"));
    r.spec.filter.kind = FILTER_GIVEN;
    r.seccomp = compile(NARROW);
    driver_do(&d, &r, &e);
    ck_assert_str_eq(e.out, "");
}
END_TEST

/* An agent that was taken over sends a filter that allows everything. */
START_TEST(test_a_given_filter_opens_nothing_below_the_floor)
{
    struct run r = driver_run(
        &d,
        python(
            PY_HEAD
            "for n,a in {'unshare':(272,0x10000000),'mount':(165,0,0,0,0,0),'bpf':(321,0,0,0),'keyctl':(250,0,0,0,0,0),"
            "'userfaultfd':(323,0),'setns':(308,0,0),'perf':(298,0,0,0,0,0),'clone':(56,0x10000011,0,0,0,0),"
            "'clone+high':(56,(1<<40)|0x40000011,0,0,0,0),'alg':(41,38,5,0),'sti':(16,0,0x5412,0),'module':(175,0,0,0),"
            "'kexec':(246,0,0,0,0),'chroot':(161,0)}.items():\n"
            " r=call(*a)\n if r!=-1: print(n,r)\n"
            "for n,a in {'io_uring':(425,8,0),'clone3':(435,0,0),'future':(900,)}.items():\n"
            " r=call(*a)\n if r!=-38: print(n,r)\n"
            "print('vmsplice',call(278,-1,0,0,0))"));
    static const struct {
        uint16_t code;
        uint8_t jt, jf;
        uint32_t k;
    } allow = {6, 0, 0, 0x7fff0000};
    r.spec.filter.kind = FILTER_GIVEN;
    r.seccomp = memfd_sealed("filter", &allow, sizeof allow);
    driver_do(&d, &r, &e);
    ck_assert_str_eq(e.out, "vmsplice -9\n");
    r = driver_run(&d, python(PY_HEAD "call(0x40000000+39); print('lived')"));
    r.spec.filter.kind = FILTER_GIVEN;
    r.seccomp = memfd_sealed("filter", &allow, sizeof allow);
    driver_do(&d, &r, &e);
    ck_assert_int_eq(e.record.signal, SIGSYS);
}
END_TEST

static const struct wrong_filter_row {
    const char *sentence;
    size_t size;
    bool sealed, sent;
    uint32_t kind, status; /* 8 bytes of zero are an instruction that the kernel refuses: it would load nothing */
} wrong_filters[] = {
    {"one that isn't sealed", 8, false, true, FILTER_GIVEN, OP_BAD_REQUEST},
    {"an empty one", 0, true, true, FILTER_GIVEN, OP_BAD_REQUEST},
    {"half an instruction", 12, true, true, FILTER_GIVEN, OP_BAD_REQUEST},
    {"one too large", 8 * 4097, true, true, FILTER_GIVEN, OP_BAD_REQUEST},
    {"one that isn't there", 0, true, false, FILTER_GIVEN, OP_BAD_REQUEST},
    {"one for a named profile", 8, true, true, FILTER_NAMED, OP_BAD_REQUEST},
    {"one for a kind that is none", 8, true, true, FILTER_KINDS, OP_BAD_REQUEST},
    {"a memfd as a trace's file", 8, true, true, FILTER_TRACE, OP_BAD_REQUEST},
    {"one that the kernel refuses", 8, true, true, FILTER_GIVEN, OP_FAILED},
};

START_TEST(test_a_wrong_filter_is_refused)
{
    static const char zeros[8 * 4097];
    const struct wrong_filter_row *row = &wrong_filters[_i];
    struct run r = driver_run(&d, shell("echo never"));
    struct task t;
    r.spec.filter.kind = row->kind;
    if (row->sent)
        r.seccomp = row->sealed ? memfd_sealed("filter", zeros, row->size) : memfd_create("filter", MFD_ALLOW_SEALING);
    enum op_status status = driver_launch(&d, &r, &t);
    ck_assert_msg(status == row->status, "%s: %d", row->sentence, status);
    if (status == OP_FAILED)
        ck_assert_str_eq(t.launch.step, "seccomp");
    driver_drop(&t);
}
END_TEST

START_TEST(test_a_name_that_is_none_is_refused)
{
    static const char *const names[] = {"../default", "A", "-x", "a/b", "a b"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct run r = run_with(names[i], shell("echo never"));
        struct task t;
        ck_assert_int_eq(driver_launch(&d, &r, &t), OP_BAD_REQUEST);
        driver_drop(&t);
    }
    struct run r = driver_run(&d, shell("echo never"));
    memset(r.spec.filter.name, 'a', sizeof r.spec.filter.name);
    struct task t;
    ck_assert_int_eq(driver_launch(&d, &r, &t), OP_BAD_REQUEST);
    driver_drop(&t);
}
END_TEST

/* --- tracing ------------------------------------------------------------------- */

static struct {
    struct trace_head head;
    struct trace_row rows[TRACE_ROWS_MAX];
} trace;

static void run_traced(const char *const *argv)
{
    char path[160];
    struct run r = driver_run(&d, argv);
    snprintf(path, sizeof path, "%s/trace", d.dir);
    unlink(path);
    r.spec.filter.kind = FILTER_TRACE;
    r.seccomp = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int reading = open(path, O_RDONLY | O_CLOEXEC);
    close(r.seccomp);
    r.seccomp = open(path, O_WRONLY | O_CLOEXEC);
    driver_do(&d, &r, &e);
    close(r.seccomp);
    ssize_t n = read(reading, &trace, sizeof trace);
    close(reading);
    ck_assert_int_ge(n, (ssize_t)sizeof trace.head);
    ck_assert_uint_eq(trace.head.magic, TRACE_MAGIC);
    ck_assert_int_eq(n, (ssize_t)(sizeof trace.head + trace.head.rows * sizeof trace.rows[0]));
}

static const struct trace_row *traced(int number)
{
    for (uint32_t i = 0; i < trace.head.rows; i++) {
        if (trace.rows[i].number == number)
            return &trace.rows[i];
    }
    return NULL;
}

START_TEST(test_tracing_lets_through_and_writes_down)
{
    run_traced(python(PY_HEAD "print([call(278,-1,0,0,0) for _ in range(3)], call(101,16,-1,0,0))"));
    ck_assert_str_eq(e.out, "[-9, -9, -9] -3\n"); /* EBADF and ESRCH: the kernel's own answers */
    ck_assert_ptr_nonnull(traced(SYS_vmsplice));
    ck_assert_uint_eq(traced(SYS_vmsplice)->count, 3);
    ck_assert_ptr_nonnull(traced(SYS_ptrace));
    ck_assert_uint_eq(traced(SYS_ptrace)->args[0], 16);
    ck_assert_ptr_null(traced(SYS_read));
}
END_TEST

START_TEST(test_tracing_opens_nothing_below_the_floor)
{
    run_traced(python(PY_HEAD "print(call(272,0x10000000),call(165,0,0,0,0,0),call(425,8,0),call(435,0,0),"
                              "call(321,0,0,0),call(56,0x10000011,0,0,0,0),call(41,38,5,0))"));
    ck_assert_str_eq(e.out, "-1 -1 -38 -38 -1 -1 -1\n");
    ck_assert_uint_eq(trace.head.rows, 0);
}
END_TEST

START_TEST(test_an_ordinary_job_leaves_an_empty_trace)
{
    run_traced(shell("seq 1 1000 | sort -r | tail -1; cat /proc/self/status > /dev/null"));
    ck_assert_str_eq(e.out, "1\n");
    ck_assert_uint_eq(trace.head.rows, 0);
}
END_TEST

/* Many calls at once, from many processes, some of which are killed while their call waits. */
START_TEST(test_tracing_stands_a_storm)
{
    run_traced(python(PY_HEAD "import signal,time\n"
                              "def child():\n"
                              " while True: call(278,-1,0,0,0)\n"
                              "pids=[]\n"
                              "for _ in range(8):\n"
                              " p=os.fork()\n"
                              " if p==0: child()\n"
                              " pids.append(p)\n"
                              "for i in range(4000): call(278,-2-i,i,0,0)\n"
                              "for p in pids: os.kill(p,9); os.waitpid(p,0)\n"
                              "print('done')"));
    ck_assert_str_eq(e.out, "done\n");
    uint64_t total = 0;
    for (uint32_t i = 0; i < trace.head.rows; i++)
        total += trace.rows[i].count;
    ck_assert_uint_le(trace.head.rows, 8);
    ck_assert_uint_ge(total, 4000);
}
END_TEST

START_TEST(test_a_traced_job_that_is_stopped_leaves_its_trace)
{
    char path[160];
    struct run r = driver_run(&d, python(PY_HEAD "call(278,-1,0,0,0)\nprint('ready',flush=True)\n"
                                                 "while True: call(278,-1,0,0,0)"));
    snprintf(path, sizeof path, "%s/trace", d.dir);
    r.spec.filter.kind = FILTER_TRACE;
    r.seccomp = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    struct task t;
    ck_assert_int_eq(driver_launch(&d, &r, &t), OP_DONE);
    ck_assert(driver_link(&t, NULL));
    char word[6];
    ck_assert_int_eq(fd_read_full(t.out, word, sizeof word), sizeof word);
    driver_say(&t, (struct keeper_message){.op = KEEPER_STOP, .cause = END_CANCELLED, .grace_ms = 0});
    driver_end(&d, &t, &e);
    ck_assert_uint_eq(e.record.cause, END_CANCELLED);
    int reading = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(read(reading, &trace, sizeof trace), (ssize_t)(sizeof trace.head + sizeof trace.rows[0]));
    close(reading);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_profiles: needs root\n");
        return 1;
    }
    Suite *s = suite_create("profiles");
    TCase *t = tcase_create("profiles");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    const TTest *const tests[] = {
        test_a_profile_of_the_node_is_had_by_name,
        test_a_profile_that_kills_is_told_from_an_exit,
        test_the_default_by_its_name,
        test_a_profile_that_the_node_lacks_fails_the_launch,
        test_a_given_filter_is_loaded_last,
        test_a_given_filter_opens_nothing_below_the_floor,
        test_a_name_that_is_none_is_refused,
        test_tracing_lets_through_and_writes_down,
        test_tracing_opens_nothing_below_the_floor,
        test_an_ordinary_job_leaves_an_empty_trace,
        test_tracing_stands_a_storm,
        test_a_traced_job_that_is_stopped_leaves_its_trace,
    };
    tcase_add_loop_test(t, test_a_wrong_folder_stops_the_warden, 0, (int)COUNT_OF(wrong_folders));
    tcase_add_loop_test(t, test_a_wrong_filter_is_refused, 0, (int)COUNT_OF(wrong_filters));
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tcase_add_test(t, tests[i]);
    suite_add_tcase(s, t);
    return run_suite(s);
}
