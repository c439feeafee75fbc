/*
 * seccomp - the only user of libseccomp: names and numbers of system calls on this machine, and the filter of a profile
 * where the library builds it right.
 */
#ifndef REEVE_ISOLATION_SECCOMP_H
#define REEVE_ISOLATION_SECCOMP_H

#include "isolation/seccomp_emit.h"

#define SECCOMP_NAME_MAX 64

/* AUDIT_ARCH_* of this machine, and its name in profiles' "arches" ("amd64") and "architectures"; 0 and NULL: we have
 * no filters for it. */
uint32_t seccomp_native_arch(const char **ret_goarch, const char **ret_scmp);
/* The number of a call. -ENOENT: nobody knows the name. -EOPNOTSUPP: this architecture doesn't have it. */
int seccomp_number(const char *name);
/* Its name here; NULL: there is no such call. Valid until the next question. */
const char *seccomp_name(int number);
/* The highest number that the library or our own table knows. */
int seccomp_highest(void);

/* -EOPNOTSUPP: not in the library's reach; seccomp_emit() does it. What the library merges right is rules of one answer
 * for each call, whose conditions are masked equalities, one for each argument. */
int seccomp_by_library(const struct seccomp_profile *p, struct sock_filter insns[SECCOMP_INSNS_MAX],
                       size_t *ret_count) MUST_USE;
/* Where the library writes what it built: a memfd that was opened before, when there will be no more files. */
void seccomp_set_scratch(int memfd);

#endif
