/*
 * seccomp_verify - asks a filter about every call number, here and on other architectures, and about every value at the
 * edge of a condition, and holds its answers against seccomp_profile_ask(). A filter that differs is not used.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_SECCOMP_VERIFY_H
#define REEVE_ISOLATION_SECCOMP_VERIFY_H

#include <linux/filter.h>

#include "base/err.h"
#include "isolation/seccomp_profile.h"

/* -EBADMSG names the first call that is answered otherwise. */
int seccomp_verify(const struct seccomp_profile *p, const struct sock_filter *insns, size_t count,
                   struct err *err) MUST_USE;

#endif
