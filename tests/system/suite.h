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
#include "tests/system/system.h"

/* Runs it, prints Check's closing line. What main() returns. */
static inline int suite_run(Suite *s)
{
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}

/* The same of a suite that system_start() was called for: nothing of the system may be left. */
static inline int suite_run_on_system(Suite *s)
{
    int code = suite_run(s);
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
