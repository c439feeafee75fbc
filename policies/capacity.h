/*
 * capacity - resources as a row of numbers, for decisions that compare many of them: what a node has free, what a task
 * needs there, what a tenant uses.
 * Units:  milli-cores, bytes, units. On a node scratch lies in memory (tmpfs), so both are one number here; quotas and
 *         prices keep them apart (quotas/).
 *         Attempts: each needs one; where a node says no number there are CAPACITY_ANY_NUMBER. No share counts them.
 * Names:  generic resources get their place when the first node that has them joins; a task naming one that no node has
 *         fits nowhere.
 * Purity: pure.
 */
#ifndef REEVE_POLICIES_CAPACITY_H
#define REEVE_POLICIES_CAPACITY_H

#include "base/limits.h"

#define CAPACITY_CPU 0
#define CAPACITY_MEM 1
#define CAPACITY_ATTEMPTS 2
#define CAPACITY_GENERIC 3
#define CAPACITY_DIMS (CAPACITY_GENERIC + RESOURCE_GENERIC_MAX)

#define CAPACITY_ANY_NUMBER (UINT64_C(1) << 32)

struct capacity {
    uint64_t v[CAPACITY_DIMS];
    uint64_t features;  /* what must be, or is, enforceable there: one bit each, neither added nor taken */
};
struct capacity_names {
    char *generic[RESOURCE_GENERIC_MAX];
    size_t count;
    char *features[NODE_FEATURES_MAX];
    size_t features_count;
};

void capacity_names_fini(struct capacity_names *names);
/* Would these names find room? A question. */
bool capacity_names_fit(const struct capacity_names *names, const struct resources *r);
/* Gives every generic resource of r a place. false: no room or no memory, names already added stay. */
bool capacity_names_add(struct capacity_names *names, const struct resources *r);
/* The same for features. */
bool capacity_features_fit(const struct capacity_names *names, const struct strs *features);
bool capacity_features_add(struct capacity_names *names, const struct strs *features);
/* What is shared out, of a place: "cpu", "memory", or a generic one. NULL: nothing has it. */
const char *capacity_name(const struct capacity_names *names, size_t dim);
/* Their bits; false when one has no place: no node ever had it. */
bool capacity_features(const struct capacity_names *names, const struct strs *features, uint64_t *ret);
/* false when r names a resource without a place; *ret is then not filled. */
bool capacity_of(const struct capacity_names *names, const struct resources *r, struct capacity *ret);

void capacity_add(struct capacity *to, const struct capacity *what);
/* Never below zero: what isn't there can't be taken. */
void capacity_take(struct capacity *from, const struct capacity *what);
/* So many of them together; what no number can hold fits nowhere. */
struct capacity capacity_of_many(const struct capacity *one, uint64_t times);
bool capacity_fits(const struct capacity *need, const struct capacity *have);
/* How often it fits; UINT64_MAX: it needs nothing. */
uint64_t capacity_times(const struct capacity *need, const struct capacity *have);

#endif
