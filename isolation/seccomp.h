/*
 * seccomp - compiles a profile into the filter that jobs run under. The only user of libseccomp.
 */
#ifndef REEVE_ISOLATION_SECCOMP_H
#define REEVE_ISOLATION_SECCOMP_H

#include <linux/filter.h>

#include "base/err.h"
#include "isolation/seccomp_profile.h"

#define SECCOMP_INSNS_MAX 4096

/* The filter's instructions: count into *ret_count. Takes the time and memory that libseccomp takes: call it in a
 * child with limits (seccomp_filter_memfd does). */
int seccomp_compile(const struct seccomp_profile *p, struct sock_filter insns[SECCOMP_INSNS_MAX], size_t *ret_count,
                    struct err *err) MUST_USE;

/* Asks the filter about every call, at every edge of every condition, and compares with what the profile says.
 * -EBADMSG names the first call it answers otherwise. */
int seccomp_verify(const struct seccomp_profile *p, const struct sock_filter *insns, size_t count, struct err *err)
    MUST_USE;

/* Compiles and verifies in a child with limits on time and memory: a sealed memfd with the instructions, or -errno. */
int seccomp_filter_memfd(const struct seccomp_profile *p, struct err *err) MUST_USE;

#endif
