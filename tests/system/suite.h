/*
 * suite - how a test program of this folder runs its suite, and what it has to know of the machine it runs on.
 */
#ifndef REEVE_TESTS_SYSTEM_SUITE_H
#define REEVE_TESTS_SYSTEM_SUITE_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/run.h"
#include "tests/system/system.h"

/* The same of a suite that system_start() was called for: nothing of the system may be left. */
static inline int suite_run_on_system(Suite *s)
{
    int code = run_suite(s);
    if (system_stop())
        return code;
    fprintf(stderr, "the system left something behind\n");
    return 1;
}

static inline bool suite_under_uml(void)
{
    char text[512] = "";
    CLEANUP(close_p) int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
    (void)!read(fd, text, sizeof text - 1);
    return strstr(text, "User Mode Linux") != NULL;
}

#endif
