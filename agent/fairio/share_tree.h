/*
 * share_tree - what tenants have of a disk, by their paths, and what their weights come to among those that want it
 * now.
 *
 * Weights count among siblings: acme and labs share the disk by theirs; what acme has of it is shared by acme/etl,
 * acme/ml and acme's own jobs, which count as a child of the default weight. Who doesn't want the disk leaves its part
 * to its siblings, and those who all don't want it to their parent's siblings. So among tenants that want it each has
 *
 *   part = product, from the top down to it, of  weight / sum of the weights of those there that want it, or somebody
 *          below them
 *
 * which the queue, that knows no tree, takes as its weight; it is taken anew whenever somebody comes or goes.
 *
 * What is reserved for a tenant is its own jobs' and those of all below it together. What is reserved for one below is
 * a part of that; where more is reserved below than above, above has as much as they have together. Of who wants the
 * disk each has what is reserved for it, and what is left of its parent's goes by the weights among its siblings that
 * want it, so that a parent's is had whole by whoever of them is there.
 *
 * A tenant's limits hold for its own jobs and all below it together: each is a cap of the queue's, and caps lie under
 * caps as tenants do.
 * Purity: pure.
 */
#ifndef REEVE_AGENT_FAIRIO_SHARE_TREE_H
#define REEVE_AGENT_FAIRIO_SHARE_TREE_H

#include "agent/fairio/fairq.h"
#include "base/io_rule.h"

#define SHARE_PATH_MAX 256 /* with its end */

struct disk_share {
    uint32_t weight;        /* 1..IO_WEIGHT_MAX, among siblings */
    uint32_t reserved_ppm;  /* of all of the disk; 0 = none but what those below have */
    struct fq_limits limits;
};
struct share_given {
    char *path;
    struct disk_share share;
};
struct share_row;
struct share_tree {
    struct share_row *v; /* by path */
    size_t count;
    uint32_t caps;       /* of them have limits */
};
/* What who isn't named has. */
extern const struct disk_share share_default;

/* Copied; of two with one path one counts. -ENOMEM: nothing has changed. */
int share_tree_set(struct share_tree *t, const struct share_given *rows, size_t count) MUST_USE;
void share_tree_fini(struct share_tree *t);
const struct disk_share *share_tree_get(const struct share_tree *t, const char *path);
bool share_tree_has(const struct share_tree *t, const char *path);
/* All of them; the paths are the tree's. Their number. */
size_t share_tree_rows(const struct share_tree *t, struct share_given *ret);
/* By all together. */
uint64_t share_tree_reserved_ppm(const struct share_tree *t);
/* The caps, t->caps of them; what was owed under `before` is owed on. */
void share_tree_caps(const struct share_tree *t, const struct share_tree *before, struct fq_cap *ret);
/* The nearest that holds a tenant; 0: none. */
uint32_t share_tree_cap(const struct share_tree *t, const char *path);
/* Whose it is; NULL: there is no such cap. */
const char *share_tree_cap_of(const struct share_tree *t, uint32_t cap);
/* The tightest of each that holds a tenant. */
struct fq_limits share_tree_limits(const struct share_tree *t, const char *path);

struct share_want {
    const char *path;
    struct fq_share has; /* out: its weight 1..FQ_WEIGHT_MAX, all together about FQ_WEIGHT_MAX */
    uint32_t index;      /* the caller's */
};
/* Sorts them; paths are there once. */
void share_tree_weigh(const struct share_tree *t, struct share_want *wants, size_t count);

#endif
