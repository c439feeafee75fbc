/*
 * confine_filter - a command's own system call profile, by the program that compiles all of them: reeve-seccomp, in a
 * process of its own that has no privilege and little time. What an agent does for a job that brings its profile, or
 * that is traced.
 */
#ifndef REEVE_CLI_CONFINE_FILTER_H
#define REEVE_CLI_CONFINE_FILTER_H

#include "base/buf.h"
#include "base/err.h"

/* A sealed memfd of instructions. -EINVAL with what the compiler says of the profile; -ETIMEDOUT; -errno. */
int confine_filter_compile(const char *profile, size_t len, struct err *err) MUST_USE;
/* What a traced run came to, as the text of a profile. */
int confine_filter_from_trace(int trace, struct buf *ret, struct err *err) MUST_USE;

#endif
