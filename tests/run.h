/*
 * run - how a test program ends: all its checks run, the closing line that counts them is printed (CK_VERBOSITY may ask
 * for more), and the exit code says whether all passed.
 * One folder per program, made and removed by the process that runs the tests: one that fails leaves nothing
 * (tests/scratch.h).
 */
#ifndef REEVE_TESTS_RUN_H
#define REEVE_TESTS_RUN_H

#include <check.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/io/fd.h"

#define RUN_TOP "REEVE_TEST_TOP" /* in the environment of each test: that folder */

static inline int run_suite(Suite *s)
{
    char top[] = "/tmp/reeve-test-XXXXXX";
    if (mkdtemp(top) == NULL || chmod(top, 0711) != 0 || setenv(RUN_TOP, top, 1) != 0) /* other users' way through */
        abort(); /* outside a test Check has no assertions */
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return dir_remove(top, NULL) == 0 && failed == 0 ? 0 : 1;
}

#endif
