/*
 * admit - can this job ever run? What no waiting would cure is refused at submission, with the smallest change that
 * would help: a resource no node has so much of, more at once than a tenant may ever use, a budget that can't pay for
 * even the first hold.
 * Purity: pure. Texts go into caller-lent buffers.
 */
#ifndef REEVE_POLICIES_ADMIT_H
#define REEVE_POLICIES_ADMIT_H

#include "base/policy.h"
#include "base/where.h"
#include "policies/capacity.h"

#define ADMIT_TEXT_MAX 256

struct admit_node {
    const char *name;
    const struct resources *capacity;
    const struct strs *features;
    const struct pairs *labels;
};
struct admit_answer {
    char where[ADMIT_TEXT_MAX];   /* "resources.cpu", "acme/etl" */
    char message[ADMIT_TEXT_MAX]; /* "needs 96 cpu on one node, the largest node has 64 (node-07)" */
    char hint[ADMIT_TEXT_MAX];    /* "resources.cpu <= 64"; empty when there is none */
};

/* Each returns true when the job could run, else fills *ret. */
/* Keeps of the nodes those that match (w NULL: all). "no node matches where; n7 comes nearest, where this doesn't hold:
 * disk != hdd" */
bool admit_by_where(const struct where *w, struct admit_node *nodes, size_t *count, struct admit_answer *ret);
bool admit_by_nodes(const struct resources *need, const struct admit_node *nodes, size_t count,
                    struct admit_answer *ret);
/* `need`: names of features. "no node can enforce io.write_bps; n1 lacks: io.write_bps" */
bool admit_by_features(const struct strs *need, const struct admit_node *nodes, size_t count, struct admit_answer *ret);
bool admit_by_quota(const struct resources *need, const struct tenant_rule *rule, struct admit_answer *ret);
/* `hold_micros`: what the first hold asks for. */
bool admit_by_budget(int64_t hold_micros, const struct tenant_rule *rule, struct admit_answer *ret);

/* "1.5" or "64Gi" or "8": an amount of a resource as people write it. */
const char *admit_amount(const char *resource, uint64_t amount, char out[48]);

#endif
