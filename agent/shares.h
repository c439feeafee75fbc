/*
 * shares - what tenants have of this node's disk, from the operator's file: weight, reservation, limits. Tenants that
 * it doesn't name have weight 100 and nothing else. Read once, when an agent starts, and checked before any of it
 * counts.
 */
#ifndef REEVE_AGENT_SHARES_H
#define REEVE_AGENT_SHARES_H

#include "agent/fair.h"
#include "base/fields.h"

#define SHARES_PATH "node/shares.yaml" /* below the system's folder */

struct tenant_share {
    char *tenant;
    uint32_t weight; /* 0: not given */
    uint32_t reserved_percent, limit_percent;
    uint64_t bytes_per_s, ops_per_s;
};
struct shares_file {
    struct list tenants; /* struct tenant_share */
};
extern const struct fields shares_fields;

/* No file is fine. -EINVAL with file, line and column, or what is too much of it all. */
int shares_load(struct fair *f, struct err *err) MUST_USE;

#endif
