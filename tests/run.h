/*
 * run - how a test program ends: all its checks run, the closing line that counts them is printed (CK_VERBOSITY may ask
 * for more), and the exit code says whether all passed.
 */
#ifndef REEVE_TESTS_RUN_H
#define REEVE_TESTS_RUN_H

#include <check.h>

static inline int run_suite(Suite *s)
{
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}

#endif
