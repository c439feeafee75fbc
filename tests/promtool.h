/*
 * promtool - Debian's own judge of metrics (package prometheus), for the tests of what we tell Prometheus.
 */
#ifndef REEVE_TESTS_PROMTOOL_H
#define REEVE_TESTS_PROMTOOL_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"

static inline void promtool_check(const char *text)
{
    int ends[2], status;
    if (access("/usr/bin/promtool", X_OK) < 0) {
        printf("skipped: promtool (Debian's package prometheus) is not installed\n");
        return;
    }
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        dup2(ends[0], STDIN_FILENO);
        execl("/usr/bin/promtool", "promtool", "check", "metrics", (char *)NULL);
        _exit(127);
    }
    close(ends[0]);
    ck_assert_int_eq(fd_write_all(ends[1], text, strlen(text)), 0);
    close(ends[1]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0); /* what it found is on stderr */
}

#endif
