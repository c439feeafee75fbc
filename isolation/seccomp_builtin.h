/*
 * seccomp_builtin - the profiles that are part of the program: policies/data/seccomp/, as text.
 *
 *   default  what a job gets that names none
 *   floor    what no job gets, whatever its own profile says: loaded below it, and the kernel takes the stricter answer
 *   trace    the default, but what it would deny is told to the keeper and let through, down to the floor
 */
#ifndef REEVE_ISOLATION_SECCOMP_BUILTIN_H
#define REEVE_ISOLATION_SECCOMP_BUILTIN_H

#include "base/err.h"
#include "isolation/seccomp_profile.h"

/* The text of default or floor; NULL: there is none of that name. */
const char *seccomp_builtin_text(const char *name, size_t *ret_len);
/* What it means. -ENOENT. */
int seccomp_builtin_read(const char *name, struct seccomp_profile *ret, struct err *err) MUST_USE;

#endif
