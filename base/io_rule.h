/*
 * io_rule - what a tenant has of each node's disk: `io` of its rule in the policy (reeve-tenants(5)), and the same keys
 * in the operator's file on a node, node/shares.yaml (reeve-agent(8)).
 * Purity: pure.
 */
#ifndef REEVE_BASE_IO_RULE_H
#define REEVE_BASE_IO_RULE_H

#include "base/fields.h"

#define IO_WEIGHT_MAX 10000u
#define IO_WEIGHT_DEFAULT 100u    /* as the kernel's own */
#define IO_RESERVED_MAX 80u       /* percent, by all together: the rest is for those who have nothing reserved */
#define IO_BYTES_PER_S_MAX ((uint64_t)1 << 40)
#define IO_OPS_PER_S_MAX UINT64_C(1000000000)

/* 0 = not given. */
struct io_rule {
    uint32_t weight;           /* among its siblings, with all that is below it */
    uint32_t reserved_percent; /* of the disk's time; these four are its own jobs' and those of all below it together */
    uint32_t limit_percent;
    uint64_t bytes_per_s, ops_per_s;
};
struct io_share {
    char *tenant;              /* its path */
    struct io_rule is;
};
/* The rule's rows begin with id 2: those of a share are a path and the same. */
extern const struct fields io_rule_fields, io_share_fields;

bool io_rule_is_empty(const struct io_rule *r);

#endif
