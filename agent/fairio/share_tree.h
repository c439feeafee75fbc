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
 * Reservations and limits are a tenant's own jobs', not those of tenants below it.
 * Purity: pure.
 */
#ifndef REEVE_AGENT_FAIRIO_SHARE_TREE_H
#define REEVE_AGENT_FAIRIO_SHARE_TREE_H

#include "agent/fairio/fairq.h"
#include "base/io_rule.h"

#define SHARE_PATH_MAX 256 /* with its end */

struct share_tree {
    struct share_given *v; /* by path */
    size_t count;
};
struct share_given {
    char *path;
    struct fq_share share; /* weight 1..IO_WEIGHT_MAX */
};
/* What who isn't named has. */
extern const struct fq_share share_default;

/* Copied; of two with one path one counts. -ENOMEM: nothing has changed. */
int share_tree_set(struct share_tree *t, const struct share_given *rows, size_t count) MUST_USE;
void share_tree_fini(struct share_tree *t);
const struct fq_share *share_tree_get(const struct share_tree *t, const char *path);
bool share_tree_has(const struct share_tree *t, const char *path);

struct share_want {
    const char *path;
    uint32_t part;  /* out: 1..FQ_WEIGHT_MAX, all together about FQ_WEIGHT_MAX */
    uint32_t index; /* the caller's */
};
/* Sorts them; paths are there once. */
void share_tree_weigh(const struct share_tree *t, struct share_want *wants, size_t count);

#endif
