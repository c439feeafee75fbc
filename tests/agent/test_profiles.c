/* Profiles that jobs bring, through the real reeve-seccomp. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/profiles.h"
#include "base/buf.h"
#include "base/io/fd.h"
#include "isolation/spec/trace.h"
#include "tests/run.h"
#include "tests/scratch.h"

static struct loop *loop;
static struct profiles *profiles;
static int program, answers, made;
static struct {
    int fd;
    uint64_t token;
    char why[512];
} last;

#define FINE "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"
#define WRONG "{\"defaultAction\":\"SCMP_ACT_SOMETIMES\"}"

static void on_answer(void *owner, uint64_t token, int fd, const char *why)
{
    ck_assert_ptr_eq(owner, &last);
    close_p(&last.fd);
    last.fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : fd;
    last.token = token;
    snprintf(last.why, sizeof last.why, "%s", why != NULL ? why : "");
    if (++answers == made)
        loop_stop(loop);
}

static void on_profile(void *arg)
{
    (void)arg;
    answers++;
    loop_stop(loop);
}

static void open_with(const char *path)
{
    struct err err = {0};
    answers = made = 0;
    last.fd = -1;
    program = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(program, 0);
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    ck_assert_int_eq(profiles_new(&profiles, loop, program, on_profile, NULL, &err), 0);
}

static void setup(void)
{
    char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    ck_assert_int_gt(n, 0);
    path[n] = '\0';
    char *end = strstr(path, "/tests/");
    ck_assert_ptr_nonnull(end);
    snprintf(end, sizeof path - (size_t)(end - path), "/reeve-seccomp");
    open_with(path);
}

static void teardown(void)
{
    profiles_free(profiles);
    loop_free(loop);
    close_p(&program);
    close_p(&last.fd);
}

static int ask(const char *text, uint64_t token)
{
    made++;
    return profiles_compile(profiles, text, on_answer, &last, token);
}

static void wait_all(void)
{
    struct err err = {0};
    while (answers < made) /* one that was answered at once has stopped a loop that didn't run */
        ck_assert_int_eq(loop_run(loop, &err), 0);
    ck_assert_int_eq(answers, made);
}

START_TEST(a_text_becomes_a_sealed_filter)
{
    ck_assert_int_eq(ask(FINE, 7), 0);
    ck_assert_int_eq(answers, 0);
    wait_all();
    ck_assert_int_ge(last.fd, 0);
    ck_assert_uint_eq(last.token, 7);
    struct stat st;
    ck_assert_int_eq(fstat(last.fd, &st), 0);
    ck_assert(st.st_size > 0 && st.st_size % 8 == 0);
    ck_assert_int_ne(fcntl(last.fd, F_GET_SEALS) & F_SEAL_WRITE, 0);
}
END_TEST

START_TEST(the_same_text_is_answered_at_once)
{
    ck_assert_int_eq(ask(FINE, 1), 0);
    wait_all();
    ck_assert_int_eq(ask(FINE, 2), 0);
    ck_assert_int_eq(answers, 2);
    ck_assert_int_eq(ask(FINE " ", 3), 0); /* another text, another process */
    ck_assert_int_eq(answers, 2);
    wait_all();
}
END_TEST

static const struct {
    const char *what, *text, *says;
} wrong[] = {
    {"an unknown action", WRONG, "defaultAction"},
    {"nothing", "", "not JSON"},
    {"no text of a profile", "\xff\xfe", "not JSON"},
    {"a key nobody knows", "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"x\":1}", "x: unknown key"},
};

START_TEST(a_wrong_text_is_refused_with_its_place)
{
    ck_assert_int_eq(ask(wrong[_i].text, 1), 0);
    wait_all();
    ck_assert_msg(last.fd == -EINVAL && strstr(last.why, wrong[_i].says) != NULL, "%s: %d %s", wrong[_i].what, last.fd,
                  last.why);
}
END_TEST

START_TEST(texts_that_are_deep_or_long_are_refused_too)
{
    static char text[300000];
    memset(text, '[', sizeof text - 1);
    ck_assert_int_eq(ask(text, 1), 0);
    wait_all();
    ck_assert_int_eq(last.fd, -EINVAL);
    memset(text, ' ', sizeof text - 1);
    ck_assert_int_eq(ask(text, 1), 0);
    wait_all();
    ck_assert_int_eq(last.fd, -EINVAL);
    ck_assert_msg(strstr(last.why, "256 KiB") != NULL, "%s", last.why);
}
END_TEST

/* Made to take long: many calls, each with a condition on every argument. It ends, one way or the other. */
START_TEST(a_text_made_to_take_long_ends)
{
    struct buf text = {0};
    buf_add_str(&text, "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[");
    for (int i = 0; i < 300; i++) {
        buf_addf(&text, "%s{\"names\":[\"mmap\",\"mremap\",\"futex\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":[",
                 i > 0 ? "," : "");
        for (int arg = 0; arg < 5; arg++)
            buf_addf(&text, "%s{\"index\":%d,\"value\":%d,\"op\":\"SCMP_CMP_NE\"}", arg > 0 ? "," : "", arg,
                     i * 77 + arg);
        buf_add_str(&text, "]}");
    }
    buf_add_str(&text, "]}");
    ck_assert_int_eq(ask(buf_text(&text), 1), 0);
    wait_all();
    ck_assert_int_eq(last.fd, -EINVAL);
    buf_fini(&text);
}
END_TEST

START_TEST(only_so_many_run_at_once)
{
    char text[64];
    int rc = 0;
    for (int i = 0; i < PROFILE_RUNS_MAX; i++) {
        snprintf(text, sizeof text, FINE "%*s", i, "");
        rc = rc != 0 ? rc : ask(text, 1);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(profiles_compile(profiles, WRONG, on_answer, &last, 1), -EBUSY);
    wait_all();
    ck_assert_int_eq(ask(WRONG, 1), 0);
    wait_all();
}
END_TEST

START_TEST(what_runs_when_the_agent_goes_is_killed)
{
    ck_assert_int_eq(ask(FINE, 1), 0);
    ck_assert_int_eq(ask(WRONG, 1), 0); /* teardown frees them; nobody is called */
}
END_TEST

static bool status_says(const char *status, const char *line)
{
    return strstr(status, line) != NULL;
}

/* Before it reads a byte: here its text never comes. */
START_TEST(the_compiler_gives_everything_up_first)
{
    int in[2];
    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        char name[] = "reeve-seccomp";
        char *argv[] = {name, NULL}, *envp[] = {NULL};
        dup2(in[0], 0);
        dup2(in[0], 9); /* what somebody forgot */
        fexecve(program, argv, envp);
        _exit(126);
    }
    char path[64], status[4096] = "";
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    ssize_t n = 1;
    /* The test's own time limit ends this. */
    while (n > 0 && !status_says(status, "Seccomp:\t2") && !status_says(status, "State:\tZ")) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        n = read(fd, status, sizeof status - 1);
        status[MAX(n, 0)] = '\0';
        close(fd);
    }
    ck_assert_int_gt(n, 0);
    ck_assert(!status_says(status, "State:\tZ"));
    ck_assert(status_says(status, "NoNewPrivs:\t1"));
    for (int fd = 0; fd < 16; fd++) {
        char target[64], link[64];
        snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, fd);
        bool there = readlink(link, target, sizeof target) >= 0;
        ck_assert_msg(there == (fd <= 3), "descriptor %d", fd); /* 3: where libseccomp writes */
    }
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    close(in[0]);
    close(in[1]);
}
END_TEST

START_TEST(a_compiler_that_cannot_start_is_the_nodes_fault)
{
    teardown();
    open_with("/dev/null");
    ck_assert_int_eq(ask(FINE, 1), 0);
    wait_all();
    ck_assert_int_eq(last.fd, -ENOEXEC);
}
END_TEST

static void write_file(int dir, const char *name, const void *bytes, size_t len)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(fd_write_all(fd, bytes, len), 0);
    close(fd);
}

START_TEST(a_trace_becomes_a_profile_beside_it)
{
    const struct {
        struct trace_head head;
        struct trace_row row;
    } trace = {{TRACE_MAGIC, 1, 0}, {.number = 101, .count = 2}};
    char text[20000];
    struct scratch scratch = scratch_new();
    int dir = open(scratch.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    profiles_from_trace(profiles, dir); /* nothing to do */
    write_file(dir, "trace", &trace, sizeof trace);
    made = 1;
    profiles_from_trace(profiles, dir);
    wait_all();
    int fd = openat(dir, "profile", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);
    ck_assert_int_gt(n, 0);
    text[n] = '\0';
    ck_assert_ptr_nonnull(strstr(text, "2 times: ptrace(0, 0, 0, 0)"));
    close(fd);
    close(dir);
    scratch_remove(&scratch);
}
END_TEST

int main(void)
{
    TCase *c = tcase_create("profiles");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_text_becomes_a_sealed_filter);
    tcase_add_test(c, the_same_text_is_answered_at_once);
    tcase_add_loop_test(c, a_wrong_text_is_refused_with_its_place, 0, (int)COUNT_OF(wrong));
    tcase_add_test(c, texts_that_are_deep_or_long_are_refused_too);
    tcase_add_test(c, a_text_made_to_take_long_ends);
    tcase_add_test(c, only_so_many_run_at_once);
    tcase_add_test(c, what_runs_when_the_agent_goes_is_killed);
#ifdef __SANITIZE_ADDRESS__
    printf("skipped: with AddressSanitizer the compiler keeps the calls that it makes\n");
    (void)the_compiler_gives_everything_up_first;
#else
    tcase_add_test(c, the_compiler_gives_everything_up_first);
#endif
    tcase_add_test(c, a_compiler_that_cannot_start_is_the_nodes_fault);
    tcase_add_test(c, a_trace_becomes_a_profile_beside_it);
    Suite *s = suite_create("agent/profiles");
    suite_add_tcase(s, c);
    return run_suite(s);
}
