/*
 * ask_store - a question over the blocking side of the store (quotas/store), whose deadline is right for a program that
 * has others to serve: asked again where this machine has so much to do that the answer came too late. For what may be
 * done twice.
 */
#ifndef REEVE_TESTS_ASK_STORE_H
#define REEVE_TESTS_ASK_STORE_H

#include <check.h>
#include <errno.h>

#define ASK_STORE(call)                                                                                             \
    do {                                                                                                            \
        int answer_;                                                                                                \
        while ((answer_ = (call)) == -ETIMEDOUT)                                                                    \
            continue;                                                                                               \
        ck_assert_int_eq(answer_, 0);                                                                               \
    } while (0)

#endif
