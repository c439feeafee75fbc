/*
 * direct_limits - what a tenant has of the disk, as limits of the kernel on its attempts' own reads and writes: the
 * queue rules only what is moved by grants.
 *
 * They are set when an attempt is launched and whenever the policy has changed, on each attempt by itself: several of
 * one tenant may together take several times that much directly, until what they took is read back and counts for their
 * tenant's turns and limits (agent/fairio/direct.h). Where the node can't enforce one, that reading back is all there
 * is. A job's own limits stay where they are tighter.
 * Purity: pure.
 */
#ifndef REEVE_AGENT_CORE_DIRECT_LIMITS_H
#define REEVE_AGENT_CORE_DIRECT_LIMITS_H

#include "base/features.h"
#include "base/io_rule.h"
#include "isolation/spec/limits.h"

#define DIRECT_WEIGHT_EVEN 100u /* the kernel's default: an even part */

/* `part_ppm`: what the tenant's weight comes to among `tenants` that are here. `features`: what the node can enforce,
 * bits of enum node_feature. */
void direct_limits(const struct io_rule *has, uint32_t part_ppm, uint32_t tenants, uint64_t features,
                   struct sandbox_limits *limits);

#endif
