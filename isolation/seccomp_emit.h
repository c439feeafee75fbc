/*
 * seccomp_emit - our own filter builder: expresses every profile, as a binary tree over the numbers with a chain of
 * conditions at those that have any. Written from the last instruction to the first, so that every jump's target is
 * known when the jump is made, and tails are shared.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_SECCOMP_EMIT_H
#define REEVE_ISOLATION_SECCOMP_EMIT_H

#include <linux/filter.h>

#include "base/err.h"
#include "isolation/seccomp_profile.h"

#define SECCOMP_INSNS_MAX 4096 /* the kernel's BPF_MAXINSNS */

/* The whole filter. -E2BIG: it has no room. */
int seccomp_emit(const struct seccomp_profile *p, struct sock_filter insns[SECCOMP_INSNS_MAX], size_t *ret_count,
                 struct err *err) MUST_USE;
/* Only its beginning: other architectures, x32 and numbers above the highest are answered; what falls through has its
 * number loaded. How many instructions. */
size_t seccomp_emit_head(const struct seccomp_profile *p, struct sock_filter *insns);
#define SECCOMP_HEAD_MAX 8

#endif
