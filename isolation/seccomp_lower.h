/*
 * seccomp_lower - conditions as masked equalities: the one kind that libseccomp merges correctly (2.5.4 and 2.6.1 make
 * wider filters than asked of NE and of ranges), and that BPF can ask of the two halves of an argument one by one.
 *
 * The values that all conditions on one argument let through are covered by disjoint terms "argument & mask == value":
 * walk down the binary tree of values; where all conditions are sure to hold there is a term, where one is sure not to
 * there is none, else the branch is split at the highest bit that still matters to one of them.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_SECCOMP_LOWER_H
#define REEVE_ISOLATION_SECCOMP_LOWER_H

#include "base/err.h"
#include "isolation/seccomp_profile.h"

#define SECCOMP_TERMS_MAX 256 /* for one argument of one rule */

struct seccomp_term {
    uint64_t mask, value;
};
struct seccomp_terms {
    uint32_t count; /* 0: no value matches; one term with mask 0: every value does */
    struct seccomp_term at[SECCOMP_TERMS_MAX];
};

/* The terms of argument `arg`. -E2BIG: more than there is room for. */
int seccomp_lower(const struct seccomp_rule *rule, uint32_t arg, struct seccomp_terms *ret) MUST_USE;

#endif
