/*
 * scratch - a temporary folder for one test, removed with all below it. Fork mode: the test's own process removes it.
 */
#ifndef REEVE_TESTS_SCRATCH_H
#define REEVE_TESTS_SCRATCH_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io/fd.h"

struct scratch {
    char dir[64];
    char path[256]; /* of the last scratch_path() */
};

static inline struct scratch scratch_new(void)
{
    struct scratch s = {.dir = "/tmp/reeve-test-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(s.dir));
    return s;
}

/* DIR/name; valid until the next call. */
static inline const char *scratch_path(struct scratch *s, const char *name)
{
    snprintf(s->path, sizeof s->path, "%s/%s", s->dir, name);
    return s->path;
}

static inline void scratch_remove(struct scratch *s)
{
    struct err err = {0};
    ck_assert_msg(dir_remove(s->dir, &err) == 0, "%s", err.text);
}

#endif
