/*
 * What a job can't do, and what it can: ordinary and hostile programs under a real warden and keeper. Root.
 * Each test has a warden of its own; a failed test's warden ends with the test's process and takes its jobs along.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/system/confine_rows.h"
#include "tests/system/limits.h"
#include "tests/system/suite.h"

static void setup(void)
{
    driver_init(&d);
}

static void teardown(void)
{
    driver_fini(&d);
    ck_assert_msg(driver_groups_gone(&d), "a cgroup is left");
}

START_TEST(test_row)
{
    const struct confine_row *row = &confine_rows[_i];
    struct run r = driver_run(&d, row->with(row->program));
    driver_do(&d, &r, &e);
    ck_assert_msg(strcmp(e.out, row->out) == 0, "%s: printed\n%s\nnot\n%s\nstderr: %s", row->sentence, e.out,
                  row->out, e.err);
    ck_assert_msg(e.record.cause == END_EXIT && e.record.exit_code == row->exit_code,
                  "%s: cause %u exit %d signal %d, stderr %s", row->sentence, e.record.cause, e.record.exit_code,
                  e.record.signal, e.err);
}
END_TEST

/* --- other tables of system calls
 * ----------------------------------------------------------------------------------- */

START_TEST(test_x32_call_kills)
{
    struct run r = driver_run(&d, python(PY_HEAD "call(0x40000000+39); print('lived')"));
    driver_do(&d, &r, &e);
    check_end(END_SIGNAL, 0, SIGSYS);
}
END_TEST

/* mov eax,20 (getpid of i386); int 0x80; ret */
START_TEST(test_int80_call_kills)
{
    if (suite_under_uml()) {
        printf("skipped: user-mode-linux has no second system call table\n");
        return;
    }
    struct run r = driver_run(
        &d,
        python("import ctypes,mmap\nm=mmap.mmap(-1,4096,prot=7)\nm.write(b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3')\n"
               "f=ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))\nprint(f())"));
    driver_do(&d, &r, &e);
    check_end(END_SIGNAL, 0, SIGSYS);
}
END_TEST

/* --- limits
 * --------------------------------------------------------------------------------------------------------- */

START_TEST(test_memory_limit_kills_and_is_named)
{
    struct run r = driver_run(&d, python("b=b'x'*(300<<20)\nprint('had it')"));
    driver_do(&d, &r, &e);
    check_end(END_OOM, 0, SIGKILL);
    uint64_t limit = r.spec.mem_bytes + r.spec.scratch_bytes;
    ck_assert_uint_ge(measured(e.usage.oom_kills), 1);
    ck_assert_uint_le(e.usage.mem_peak_bytes, limit);
    ck_assert_uint_ge(e.usage.mem_peak_bytes, limit / 2);
}
END_TEST

START_TEST(test_a_child_out_of_memory_ends_the_job)
{
    struct run r = driver_run(&d, shell("python3 -c 'b=bytes([7])*(300<<20)'; sleep 600; echo survived"));
    driver_do(&d, &r, &e);
    ck_assert_uint_eq(e.record.cause, END_OOM); /* by itself it would end where it is paid for, with another cause */
    ck_assert_str_eq(e.out, "");
}
END_TEST

START_TEST(test_scratch_counts_as_memory)
{
    struct run r = driver_run(
        &d, shell("head -c 60000000 /dev/zero > /tmp/f; head -c 30000000 /dev/zero > /dev/shm/f; echo $?"));
    r.spec.mem_bytes = (uint64_t)16 << 20;
    r.spec.scratch_bytes = (uint64_t)64 << 20;
    driver_do(&d, &r, &e);
    ck_assert_uint_le(e.usage.mem_peak_bytes, (uint64_t)80 << 20);
}
END_TEST

START_TEST(test_cpu_quota_applies)
{
    struct run r = driver_run(&d, python("import time\nt=time.monotonic()\nwhile time.monotonic()-t<1.5: pass"));
    r.spec.cpu_milli = 200;
    driver_do(&d, &r, &e);
    check_end(END_EXIT, 0, 0);
    /* A share of the clock would measure the machine's load as well. */
    ck_assert_uint_gt(measured(e.usage.throttled_us), 0);
    ck_assert_uint_lt(e.usage.cpu_us, e.record.run_us);
}
END_TEST

/* --- ends
 * ----------------------------------------------------------------------------------------------------------- */

static const struct end_row {
    const char *sentence, *program;
    enum end_cause cause;
    int exit_code, sig;
} end_rows[] = {
    {"an exit code is kept", "exit 42", END_EXIT, 42, 0},
    {"a signal is kept", "kill -SEGV $$", END_SIGNAL, 0, SIGSEGV},
    {"a program killed by its own hand was not out of memory", "kill -KILL $$", END_SIGNAL, 0, SIGKILL},
    {"a command that isn't there ends as in a shell", "exec /usr/bin/nothing-here", END_EXIT, 127, 0},
};

START_TEST(test_end_row)
{
    struct run r = driver_run(&d, shell(end_rows[_i].program));
    driver_do(&d, &r, &e);
    check_end(end_rows[_i].cause, end_rows[_i].exit_code, end_rows[_i].sig);
}
END_TEST

START_TEST(test_absent_command_is_127_with_a_line)
{
    static const char *const argv[] = {"no-such-program", NULL};
    struct run r = driver_run(&d, argv);
    driver_do(&d, &r, &e);
    check_end(END_EXIT, 127, 0);
    ck_assert_str_eq(e.err, "reeve: no-such-program: No such file or directory\n");
}
END_TEST

START_TEST(test_unusable_command_is_126)
{
    static const char *const argv[] = {"/etc/passwd", NULL};
    struct run r = driver_run(&d, argv);
    driver_do(&d, &r, &e);
    check_end(END_EXIT, 126, 0);
    ck_assert_str_eq(e.err, "reeve: /etc/passwd: Permission denied\n");
}
END_TEST

START_TEST(test_absent_folder_is_127_with_a_line)
{
    struct run r = driver_run(&d, shell("pwd"));
    r.cwd = "/nowhere";
    driver_do(&d, &r, &e);
    check_end(END_EXIT, 127, 0);
    ck_assert_str_eq(e.err, "reeve: /nowhere: No such file or directory\n");
}
END_TEST

START_TEST(test_scripts_run_with_and_without_an_interpreter_line)
{
    static const char *const argv[] = {"ignored", "a b", NULL};
    static const char *const env[] = {"HOME=/elsewhere", "X=1 2", NULL};
    struct run r = driver_run(&d, argv);
    r.script = "#!/usr/bin/python3\nimport sys,os\nprint(sys.argv, os.environ['X'], os.environ['HOME'], "
               "oct(os.stat(sys.argv[0]).st_mode))\n";
    r.env = env;
    driver_do(&d, &r, &e);
    ck_assert_str_eq(e.out, "['/tmp/.script', 'a b'] 1 2 /elsewhere 0o100500\n");
    r = driver_run(&d, argv);
    r.script = "echo \"$1\" $#\n";
    driver_do(&d, &r, &e);
    ck_assert_str_eq(e.out, "a b 1\n");
}
END_TEST

START_TEST(test_daemons_die_with_the_job)
{
    struct run r = driver_run(&d, python("import os,time\nfor i in range(5):\n if os.fork()==0:\n  os.setsid()\n  "
                                         "if os.fork()==0:\n   time.sleep(60)\n  os._exit(0)\n"
                                         "for i in range(5): os.wait()\nprint('left',flush=True)"));
    driver_do(&d, &r, &e);
    check_end(END_EXIT, 0, 0);
    ck_assert_str_eq(e.out, "left\n");
    ck_assert_uint_eq(e.record.stray_procs, 5);
    check_run_ms(0, 5000);
}
END_TEST

/* --- output
 * --------------------------------------------------------------------------------------------------------- */

START_TEST(test_output_waits_for_the_agent)
{
    struct run r = driver_run(&d, shell("seq 1 10000; echo end >&2"));
    struct task t;
    ck_assert_uint_eq(driver_launch(&d, &r, &t), OP_DONE);
    struct pollfd nothing = {.fd = -1};
    poll(&nothing, 1, 100); /* it has run dry or full by then: either way nothing may be lost */
    driver_end(&d, &t, &e);
    ck_assert_uint_eq(e.out_len, 48894);
    ck_assert_str_eq(e.err, "end\n");
    check_end(END_EXIT, 0, 0);
}
END_TEST

START_TEST(test_a_second_agent_gets_the_pipes_again)
{
    struct run r = driver_run(&d, shell("echo one; sleep 0.5; echo two"));
    struct task t;
    char first[8] = "";
    struct keeper_message hello;
    ck_assert_uint_eq(driver_launch(&d, &r, &t), OP_DONE);
    ck_assert(driver_link(&t, &hello));
    ck_assert_uint_eq(hello.id.job, r.spec.id.job);
    ck_assert_uint_eq(hello.term, 7);
    ck_assert_int_eq(read(t.out, first, 4), 4);
    ck_assert_str_eq(first, "one\n");
    ck_assert(driver_link(&t, &hello)); /* closes the first connection and its fds */
    driver_end(&d, &t, &e);
    ck_assert_str_eq(e.out, "two\n");
    check_end(END_EXIT, 0, 0);
}
END_TEST

/* --- killing the keepers of order
 * ----------------------------------------------------------------------------------- */

static pid_t keeper_pid(void)
{
    char command[160], text[32] = "";
    snprintf(command, sizeof command,
             "cat $(find /sys/fs/cgroup -path '*reeve-%s/a*/cgroup.procs' | head -1) | head -1", d.cgroup);
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
    pclose(f);
    return (pid_t)atoi(text); /* lint: allow in tests */
}

START_TEST(test_a_killed_keeper_takes_the_job_along)
{
    struct run r = driver_run(&d, shell("echo up; sleep 60"));
    struct task t;
    start(&r, &t);
    kill(keeper_pid(), SIGKILL);
    char rest[64];
    while (read(t.out, rest, sizeof rest) > 0) /* ends only when every process inside is gone */
        continue;
    struct stat st;
    ck_assert(stat(t.exit_path, &st) == 0 && st.st_size == 0); /* no record: nobody claims to know how it ended */
    ck_assert_uint_eq(driver_remove(&d, t.id).status, OP_DONE);
    driver_drop(&t);
}
END_TEST

START_TEST(test_a_job_outlives_the_warden_and_the_next_one_knows_it)
{
    struct run r = driver_run(&d, shell("echo up; sleep 0.7; echo done"));
    struct task t, other;
    char first[8] = "";
    ck_assert_uint_eq(driver_launch(&d, &r, &t), OP_DONE);
    ck_assert(driver_link(&t, NULL));
    ck_assert_int_eq(read(t.out, first, 3), 3);
    /* With --kill-on-exit even the end of our socket would end the job: SIGKILL comes first. */
    driver_kill_warden(&d);
    driver_start_warden(&d);
    struct op_reply list = driver_ask(&d, OP_LIST, t.id);
    ck_assert_uint_eq(list.count, 1);
    struct op_reply read_reply = driver_ask(&d, OP_READ, t.id);
    ck_assert_uint_eq(read_reply.status, OP_DONE);
    ck_assert_uint_gt(read_reply.usage.mem_peak_bytes, 0);
    ck_assert_uint_eq(driver_launch(&d, &r, &other), OP_EXISTS);
    driver_drop(&other);
    snprintf(t.exit_path, sizeof t.exit_path, "%s/exit.%lu.1", d.dir, (unsigned long)t.id.job);
    /* the second launch's files took the first one's names: the record is in the file the keeper holds, so look at
     * the streams only */
    char rest[16] = "";
    ck_assert_int_eq(fd_read_full(t.out, rest, 5), 5);
    ck_assert_str_eq(rest, "done\n");
    ck_assert_uint_eq(driver_remove(&d, t.id).status, OP_DONE);
    ck_assert_uint_eq(driver_remove(&d, t.id).status, OP_GONE);
    driver_drop(&t);
}
END_TEST

START_TEST(test_remove_kills_what_runs)
{
    struct run r = driver_run(&d, python("import os,signal\nsignal.signal(15,signal.SIG_IGN)\nfor i in "
                                         "range(20):\n if os.fork()==0: break\nwhile True: signal.pause()"));
    struct task t;
    ck_assert_uint_eq(driver_launch(&d, &r, &t), OP_DONE);
    ck_assert_uint_eq(driver_remove(&d, t.id).status, OP_DONE); /* by itself it never ends */
    ck_assert(!driver_link(&t, NULL));
    driver_drop(&t);
}
END_TEST

/* --- jobs beside each other
 * ----------------------------------------------------------------------------------------- */

START_TEST(test_two_jobs_share_nothing)
{
    struct run a =
        driver_run(&d, python("import socket,time\ns=socket.socket(socket.AF_UNIX); s.bind('\\0meet'); s.listen()\n"
                              "open('/dev/shm/meet','w').close(); "
                              "open('/tmp/meet','w').close()\nprint('up',flush=True); time.sleep(30)"));
    struct run b = driver_run(
        &d, python("import os,socket\ns=socket.socket(socket.AF_UNIX)\n"
                   "print(os.path.exists('/dev/shm/meet'), os.path.exists('/tmp/meet'), s.connect_ex('\\0meet'))"));
    struct task ta;
    char byte;
    b.spec.hostname[4] = '2';
    ck_assert_uint_eq(driver_launch(&d, &a, &ta), OP_DONE);
    ck_assert(driver_link(&ta, NULL));
    ck_assert_int_eq(read(ta.out, &byte, 1), 1);
    driver_do(&d, &b, &e);
    ck_assert_str_eq(e.out, "False False 111\n");
    ck_assert_uint_eq(driver_remove(&d, ta.id).status, OP_DONE);
    driver_drop(&ta);
}
END_TEST

START_TEST(test_network_host_is_the_hosts)
{
    struct run r = driver_run(&d, shell("readlink /proc/self/ns/net"));
    char ours[64] = "";
    ssize_t n = readlink("/proc/self/ns/net", ours, sizeof ours - 2);
    ck_assert_int_gt(n, 0);
    ours[n] = '\n';
    r.spec.network = NET_HOST;
    driver_do(&d, &r, &e);
    ck_assert_str_eq(e.out, ours);
    r = driver_run(&d, shell("readlink /proc/self/ns/net"));
    driver_do(&d, &r, &e);
    ck_assert_str_ne(e.out, ours);
}
END_TEST

/* --- requests that are wrong
 * ---------------------------------------------------------------------------------------- */

static int memfd_of(const char *bytes, size_t len, bool sealed)
{
    int fd = sealed ? memfd_sealed("x", bytes, len) : memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static struct op_reply ask_raw(const void *bytes, size_t size, const int *fds, size_t count)
{
    struct op_reply reply = {0};
    struct pollfd at = {.fd = d.sock, .events = POLLIN};
    ck_assert_int_eq(fd_send_packet(d.sock, bytes, size, fds, count), 0);
    ck_assert_int_eq(poll(&at, 1, 20000), 1);
    ck_assert_int_gt(fd_recv_packet(d.sock, &reply, sizeof reply, NULL, NULL), 0);
    return reply;
}

START_TEST(test_wrong_requests_are_refused)
{
    struct run r = driver_run(&d, shell("true"));
    struct op_request q = {.version = OPS_VERSION, .kind = OP_LAUNCH, .tag = 5, .sandbox = r.spec};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC), args = memfd_of("", 0, false),
        sealed = memfd_of("abc", 3, true);
    int listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), file = open(d.dir, O_TMPFILE | O_WRONLY, 0600);
    const int bad[][LAUNCH_FDS] = {
        {args, file, listening, file, file},   {sealed, null, listening, file, file},
        {sealed, file, listening, file, file}, /* not listening */
        {sealed, file, listening, null, file}, {sealed, file, listening, file, sealed},
    };
    const int many[LAUNCH_FDS + 1] = {sealed, file, listening, file, file, file};
    ck_assert_uint_eq(ask_raw(&q, sizeof q, NULL, 0).status, OP_BAD_REQUEST);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_assert_uint_eq(ask_raw(&q, sizeof q, bad[i], LAUNCH_FDS).status, OP_BAD_REQUEST);
    ck_assert_uint_eq(ask_raw(&q, sizeof q, many, LAUNCH_FDS - 1).status, OP_BAD_REQUEST);
    ck_assert_uint_eq(ask_raw(&q, sizeof q, many, LAUNCH_FDS + 1).status, OP_BAD_REQUEST);
    ck_assert_uint_eq(ask_raw(&q, 10, NULL, 0).status, OP_BAD_REQUEST);
    static const char long_packet[sizeof q + 1];
    ck_assert_uint_eq(ask_raw(long_packet, sizeof long_packet, NULL, 0).status, OP_BAD_REQUEST);
    q.version = 99;
    ck_assert_uint_eq(ask_raw(&q, sizeof q, bad[0], LAUNCH_FDS).status, OP_BAD_REQUEST);
    q = (struct op_request){.version = OPS_VERSION, .kind = 77};
    ck_assert_uint_eq(ask_raw(&q, sizeof q, NULL, 0).status, OP_BAD_REQUEST);
    ck_assert_uint_eq(driver_ask(&d, OP_READ, (struct attempt_id){1, 2, 3}).status, OP_GONE);
    ck_assert_uint_eq(driver_ask(&d, OP_LIST, (struct attempt_id){0}).count, 0);
}
END_TEST

static const struct args_row {
    const char *sentence, *bytes;
    size_t size;
} args_rows[] = {
    {"empty", "", 0},
    {"no magic", "XXXX\1\0\0\0\0\0\0\0\0\0\0\0a\0b\0", 20},
    {"more words than there are", "RVA1\5\0\0\0\0\0\0\0\0\0\0\0a\0b\0", 20},
    {"no end of the last word", "RVA1\1\0\0\0\0\0\0\0\0\0\0\0aaaa", 20},
    {"huge counts", "RVA1\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0a\0b\0", 20},
    {"a script longer than the rest", "RVA1\1\0\0\0\0\0\0\0\xff\0\0\0a\0\0x", 20},
    {"bytes behind the end", "RVA1\1\0\0\0\0\0\0\0\0\0\0\0a\0\0x", 20},
    {"no command", "RVA1\0\0\0\0\0\0\0\0\0\0\0\0\0", 17},
};

START_TEST(test_broken_args_fail_the_launch)
{
    struct run r = driver_run(&d, shell("true"));
    struct task t;
    ck_assert_uint_eq(driver_launch(&d, &r, &t), OP_DONE); /* only to have a socket's name */
    driver_end(&d, &t, &e);
    r = driver_run(&d, shell("true"));
    struct op_request q = {.version = OPS_VERSION, .kind = OP_LAUNCH, .tag = 5, .sandbox = r.spec};
    int ends = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(listen(ends, 1), -1);
    struct sockaddr name = {.sa_family = AF_UNIX}; /* autobind */
    ck_assert_int_eq(bind(ends, &name, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(listen(ends, 1), 0);
    int file = open(d.dir, O_TMPFILE | O_WRONLY, 0600);
    const int fds[LAUNCH_FDS] = {memfd_of(args_rows[_i].bytes, args_rows[_i].size, true), file, ends, file, file};
    struct op_reply reply = ask_raw(&q, sizeof q, fds, LAUNCH_FDS);
    ck_assert_msg(reply.status == OP_FAILED && strcmp(reply.step, "args") == 0, "%s: status %u step %s",
                  args_rows[_i].sentence, reply.status, reply.step);
    ck_assert_uint_eq(driver_ask(&d, OP_READ, q.sandbox.id).status, OP_GONE); /* nothing is left of it */
}
END_TEST

/* --- nothing leaks
 * -------------------------------------------------------------------------------------------------- */

static int count_lines(const char *command)
{
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    char text[32] = "";
    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
    pclose(f);
    return atoi(text); /* lint: allow in tests */
}

START_TEST(test_a_hundred_launches_leave_nothing)
{
    static const char *const argv[] = {"true", NULL};
    char fds[64];
    snprintf(fds, sizeof fds, "ls /proc/%d/fd | wc -l", (int)d.pid);
    int mounts = count_lines("wc -l < /proc/self/mountinfo");
    struct run r = driver_run(&d, argv);
    driver_do(&d, &r, &e);
    int before = count_lines(fds);
    for (int i = 0; i < 100; i++) {
        r = driver_run(&d, argv);
        driver_do(&d, &r, &e);
        check_end(END_EXIT, 0, 0);
    }
    ck_assert_int_eq(count_lines(fds), before);
    ck_assert_int_eq(count_lines("wc -l < /proc/self/mountinfo"), mounts);
    ck_assert_uint_eq(driver_ask(&d, OP_LIST, (struct attempt_id){0}).count, 0);
}
END_TEST

/* What one more keeper adds. The text of its program lies in memory once for all of them and their zygote; how much of
 * it is mapped, so counts in its PSS, is the kernel's whim. */
START_TEST(test_a_keeper_is_small)
{
    struct run r = driver_run(&d, shell("echo up; sleep 30"));
    struct task t;
    char command[160];
    start(&r, &t);
    snprintf(command, sizeof command, "awk '/^(Pss_Anon|Private_Clean|Private_Dirty):/ {n += $2} END {print n}' "
             "/proc/%d/smaps_rollup", (int)keeper_pid());
    int added = count_lines(command);
    ck_assert_msg(added > 0 && added <= 128, "a keeper adds %d KiB", added);
    ck_assert_uint_eq(driver_remove(&d, t.id).status, OP_DONE);
    driver_drop(&t);
}
END_TEST

static void add_tests(TCase *t)
{
    const TTest *const tests[] = {
        test_x32_call_kills,
        test_int80_call_kills,
        test_memory_limit_kills_and_is_named,
        test_a_child_out_of_memory_ends_the_job,
        test_scratch_counts_as_memory,
        test_cpu_quota_applies,
        test_absent_command_is_127_with_a_line,
        test_unusable_command_is_126,
        test_absent_folder_is_127_with_a_line,
        test_scripts_run_with_and_without_an_interpreter_line,
        test_daemons_die_with_the_job,
        test_output_waits_for_the_agent,
        test_a_second_agent_gets_the_pipes_again,
        test_a_killed_keeper_takes_the_job_along,
        test_a_job_outlives_the_warden_and_the_next_one_knows_it,
        test_remove_kills_what_runs,
        test_two_jobs_share_nothing,
        test_network_host_is_the_hosts,
        test_wrong_requests_are_refused,
        test_a_hundred_launches_leave_nothing,
        test_a_keeper_is_small,
    };
    tcase_add_loop_test(t, test_row, 0, (int)confine_rows_count);
    tcase_add_loop_test(t, test_end_row, 0, (int)COUNT_OF(end_rows));
    tcase_add_loop_test(t, test_broken_args_fail_the_launch, 0, (int)COUNT_OF(args_rows));
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tcase_add_test(t, tests[i]);
}

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_confine: needs root\n");
        return 1;
    }
    Suite *s = suite_create("confine");
    TCase *t = tcase_create("confine");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    add_tests(t);
    suite_add_tcase(s, t);
    return run_suite(s);
}
