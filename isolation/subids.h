/*
 * subids - the ranges of user ids that this machine gives to its users, in /etc/subuid and /etc/subgid: what a user's
 * own containers run as must not be what an attempt runs as.
 */
#ifndef REEVE_ISOLATION_SUBIDS_H
#define REEVE_ISOLATION_SUBIDS_H

#include <stdint.h>

#include "base/err.h"

/* Does a range of `path` overlap `count` ids from `first`? -EADDRINUSE and a sentence. No such file: none does. Lines
 * that aren't NAME:FIRST:COUNT say nothing, as for those who use them. */
int subids_check(const char *path, uint32_t first, uint64_t count, struct err *err) MUST_USE;

#endif
