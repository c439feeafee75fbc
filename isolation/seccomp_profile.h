/*
 * seccomp_profile - what a profile means on this machine: which answer each system call gets. Made from OCI JSON by
 * seccomp_read.h; seccomp_compile.h makes a filter of it.
 *
 *   another architecture's call                        -> the process is killed (x32's too)
 *   a number above the highest that anybody here knows -> ENOSYS, so that libraries fall back
 *   a call with rules that match                       -> the strictest of their answers, in the kernel's own order
 *   every other                                        -> the profile's default
 *
 * A rule matches when all its conditions do, also when two of them are about one argument. A condition looks at as many
 * bits of the argument as the kernel does.
 * seccomp_profile_ask() is this comment as code. It knows nothing of how filters are built: what it says is what a
 * filter is held against.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_SECCOMP_PROFILE_H
#define REEVE_ISOLATION_SECCOMP_PROFILE_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

#define SECCOMP_ARGS 6
#define SECCOMP_CONDITIONS_MAX 12
#define SECCOMP_RULES_MAX 8192
#define SECCOMP_NUMBER_MAX 4096 /* no Linux has so many calls; x32's begin far above */
#define SECCOMP_X32_BIT 0x40000000u

enum seccomp_op { SECCOMP_NE, SECCOMP_LT, SECCOMP_LE, SECCOMP_EQ, SECCOMP_GE, SECCOMP_GT, SECCOMP_MASKED_EQ };

struct seccomp_condition {
    uint32_t arg, op, width; /* width: bits of the argument that count */
    uint64_t value, mask;    /* mask: MASKED_EQ only */
};

struct seccomp_rule {
    int number;
    uint32_t answer; /* SECCOMP_RET_* with its data */
    uint32_t place;  /* index in the file's list, for messages */
    uint32_t count;
    struct seccomp_condition when[SECCOMP_CONDITIONS_MAX];
};

struct seccomp_profile {
    uint32_t arch;              /* AUDIT_ARCH_* */
    int highest;                /* number */
    uint32_t other;             /* the default answer */
    struct seccomp_rule *rules; /* sorted by number, then by strictness, then as in the file */
    size_t count;
};

void seccomp_profile_fini(struct seccomp_profile *p);
/* Brings the rules into their order. */
void seccomp_profile_sort(struct seccomp_profile *p);
/* The rules of one call: the first, and how many. */
const struct seccomp_rule *seccomp_profile_rules(const struct seccomp_profile *p, int number, size_t *ret_count);

bool seccomp_condition_holds(const struct seccomp_condition *c, uint64_t argument);
/* The answer that the profile gives. */
uint32_t seccomp_profile_ask(const struct seccomp_profile *p, const struct seccomp_data *call);
/* Whether the call is let through whatever its arguments are. */
bool seccomp_profile_allows(const struct seccomp_profile *p, int number);
/* 0 = the strictest. */
uint32_t seccomp_answer_rank(uint32_t answer);

#endif
