/*
 * topology - nodes by the value that they have of a label: racks, zones, switches. Internal to scheduler/core.
 *
 * A gang whose job says `within: rack` starts on nodes of one rack. For each such shape the nodes that suit it are kept
 * sorted by the value, each value a group; made anew when it is asked for after a node has joined (labels come with
 * that alone). Nodes without the label are in no group. The label `node` is the node's own name, as in `where`.
 * Soft: made of nodes and a shape, never in a fact or a snapshot.
 * Purity: pure.
 */
#ifndef REEVE_SCHEDULER_CORE_TOPOLOGY_H
#define REEVE_SCHEDULER_CORE_TOPOLOGY_H

#include <stddef.h>
#include <stdint.h>

struct core;
struct node;
struct shape;

struct group {
    const char *value;
    struct node **nodes; /* by name */
    size_t count;
};
struct topology {
    char *label;
    uint64_t made;       /* of nodes as they were at c->joins */
    struct node **nodes;
    struct group *groups; /* by value */
    size_t count;
};

struct topology *topology_new(const char *label);
void topology_free(struct topology *t); /* NULL: no-op */
/* What a shape's gangs are within, as nodes are now. */
const struct topology *topology_of(const struct core *c, const struct shape *s);
/* Any, of the nodes that suit a shape, as they are now. */
const struct topology *topology_made(const struct core *c, const struct shape *s, struct topology *t);
/* A node's value of a label; NULL: none. Borrowed. */
const char *node_label(const struct node *n, const char *label);

#endif
