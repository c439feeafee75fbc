/*
 * scratch - a temporary folder for one test, removed with all below it. Fork mode: the test's own process removes it,
 * or who runs the tests (tests/run.h) if that one failed before.
 */
#ifndef REEVE_TESTS_SCRATCH_H
#define REEVE_TESTS_SCRATCH_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/run.h"

struct scratch {
    char dir[64];
    char path[256]; /* of the last scratch_path() */
};

static inline struct scratch scratch_new(void)
{
    struct scratch s = {0};
    const char *top = getenv(RUN_TOP);
    snprintf(s.dir, sizeof s.dir, "%s/XXXXXX", top != NULL ? top : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(s.dir));
    return s;
}

/* DIR/name; valid until the next call. */
static inline const char *scratch_path(struct scratch *s, const char *name)
{
    snprintf(s->path, sizeof s->path, "%s/%s", s->dir, name);
    return s->path;
}

/* The file has these bytes and no others. Written over, not emptied first: what was emptied ext4 puts on the disk as it
 * is closed, and who cuts a file at every byte would wait for that each time. */
static inline void file_put(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_write_all(fd, bytes, len), 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)len), 0);
    close(fd);
}

static inline void scratch_remove(struct scratch *s)
{
    struct err err = {0};
    ck_assert_msg(dir_remove(s->dir, &err) == 0, "%s", err.text);
}

#endif
