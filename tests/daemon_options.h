/*
 * daemon_options - a program's command line, held against its rows: what the built program prints for --help, how it
 * refuses, and what its manual page says. From a test in BUILD/tests/, run where the sources are.
 */
#ifndef REEVE_TESTS_DAEMON_OPTIONS_H
#define REEVE_TESTS_DAEMON_OPTIONS_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/options.h"
#include "tests/run.h"

#define DAEMON_ARGS_MAX 4
/* BUILD/PROGRAM ARGS, which NULL ends, its stdout (or stderr) into `out`; the exit code. */
static inline int daemon_run(const char *program, const char *const *args, int stream, struct buf *out)
{
    char path[512], bytes[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 64);
    ck_assert_int_gt(n, 0);
    path[n] = '\0';
    char *tests = strstr(path, "/tests/");
    ck_assert_ptr_nonnull(tests);
    snprintf(tests, 64, "/%s", program);
    int ends[2], status;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        dup2(ends[1], stream);
        char *argv[DAEMON_ARGS_MAX + 2] = {(char *)(uintptr_t)program};
        for (size_t i = 0; i < DAEMON_ARGS_MAX && args[i] != NULL; i++)
            argv[i + 1] = (char *)(uintptr_t)args[i];
        execv(path, argv);
        _exit(127);
    }
    close(ends[1]);
    while ((n = read(ends[0], bytes, sizeof bytes)) > 0)
        buf_add(out, bytes, (size_t)n);
    close(ends[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status), "%s: status %d", program, status);
    return WEXITSTATUS(status);
}

static inline bool daemon_has(const struct buf *text, const char *before, const char *name, const char *ends)
{
    char want[128];
    snprintf(want, sizeof want, "%s%s", before, name);
    for (const char *at = buf_text(text); (at = strstr(at, want)) != NULL; at += strlen(want))
        if (strchr(ends, at[strlen(want)]) != NULL)
            return true;
    return false;
}

static inline void daemon_check_help(const struct option_table *t)
{
    struct buf text = {0};
    const char *const args[] = {"--help", NULL};
    ck_assert_int_eq(daemon_run(t->program, args, STDOUT_FILENO, &text), 0);
    for (size_t i = 0; i < t->count; i++) {
        const struct option_row *row = &t->rows[i];
        ck_assert_msg(daemon_has(&text, "\n  --", row->name, " "), "--help lacks --%s", row->name);
        ck_assert_msg(strstr(buf_text(&text), row->help) != NULL, "--help lacks '%s'", row->help);
    }
    buf_reset(&text);
    const char *const version[] = {"--version", NULL};
    ck_assert_int_eq(daemon_run(t->program, version, STDOUT_FILENO, &text), 0);
    ck_assert_msg(strncmp(buf_text(&text), t->program, strlen(t->program)) == 0, "%s", buf_text(&text));
    buf_fini(&text);
}

/* Wrong command lines: nothing is begun, the exit code is 2, the sentence begins with the program's name. */
static inline void daemon_check_refusal(const struct option_table *t, const char *option, const char *value,
                                        const char *says)
{
    struct buf text = {0};
    char want[256];
    const char *const args[] = {option, value, NULL};
    snprintf(want, sizeof want, "%s: %s", t->program, says);
    int code = daemon_run(t->program, args, STDERR_FILENO, &text);
    ck_assert_msg(code == 2 && strncmp(buf_text(&text), want, strlen(want)) == 0, "%d %s", code, buf_text(&text));
    buf_fini(&text);
}

/* Every row is in the manual, in the synopsis and by itself, with its default; the manual names nothing else. */
static inline void daemon_check_manual(const struct option_table *t)
{
    struct buf page = {0};
    struct err err = {0};
    char path[128], name[64];
    snprintf(path, sizeof path, "docs/man/%s.8", t->program);
    if (access(path, R_OK) < 0) /* not a daemon: a program for people */
        snprintf(path, sizeof path, "docs/man/%s.1", t->program);
    ck_assert_msg(file_read(path, 1 << 20, &page, &err) == 0, "%s", err.text);
    const char *described = strstr(buf_text(&page), "The options are:");
    ck_assert_ptr_nonnull(described);
    struct buf synopsis = {0}, rest = {0};
    buf_add(&synopsis, buf_text(&page), (size_t)(described - buf_text(&page)));
    buf_add_str(&rest, described);
    for (size_t i = 0; i < t->count; i++) {
        const struct option_row *row = &t->rows[i];
        ck_assert_msg(daemon_has(&synopsis, "Fl -", row->name, " \n"), "%s: synopsis lacks --%s", path, row->name);
        ck_assert_msg(daemon_has(&rest, "Fl -", row->name, " \n"), "%s lacks --%s", path, row->name);
        ck_assert_msg(row->fallback == NULL || strstr(described, row->fallback) != NULL, "%s: --%s lacks its default",
                      path, row->name);
    }
    for (const char *at = buf_text(&page); (at = strstr(at, "Fl -")) != NULL; at++) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 4, " \n"), at + 4);
        ck_assert_msg(option_find(t->rows, t->count, name, strlen(name)) != NULL || strcmp(name, "help") == 0 ||
                          strcmp(name, "version") == 0, "%s: there is no --%s", path, name);
    }
    buf_fini(&synopsis);
    buf_fini(&rest);
    buf_fini(&page);
}

/* What a daemon says to a line that is wrong. */
struct daemon_refusal {
    const char *option, *value, *says;
};
static const struct option_table *daemon_table;
static const struct daemon_refusal *daemon_refusals;

START_TEST(daemon_refuses)
{
    const struct daemon_refusal *row = &daemon_refusals[_i];
    daemon_check_refusal(daemon_table, row->option, row->value, row->says);
}
END_TEST

START_TEST(daemon_helps)
{
    daemon_check_help(daemon_table);
}
END_TEST

START_TEST(daemon_manual)
{
    daemon_check_manual(daemon_table);
}
END_TEST

/* The whole test program: its exit code. */
static inline int daemon_options_run(const char *suite, const struct option_table *t,
                                     const struct daemon_refusal *refusals, size_t count)
{
    daemon_table = t;
    daemon_refusals = refusals;
    TCase *c = tcase_create("options");
    tcase_add_loop_test(c, daemon_refuses, 0, (int)count);
    tcase_add_test(c, daemon_helps);
    tcase_add_test(c, daemon_manual);
    Suite *s = suite_create(suite);
    suite_add_tcase(s, c);
    return run_suite(s);
}

#endif
