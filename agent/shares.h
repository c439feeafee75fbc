/*
 * shares - what tenants have of this node's disk, put together from two hands: the policy's, as the scheduler tells it
 * (node.shares), and the operator's file on the node, which is read once, when an agent starts, and checked before any
 * of it counts.
 *
 * Who wins: the file. A tenant that it names has what it says there and nothing else, whatever the policy says; all
 * others have what the policy says; until a scheduler has told it, or who neither names: weight 100, no reservation, no
 * limit. What the policy reserves beside the file's reservations must leave the others their fifth: what is too much
 * is taken from the policy's, from each alike, and said.
 *
 * Told twice, late or out of order: terms and versions only rise. A message that replaces all is dropped when it is
 * older than what is known; one that adds (who was placed here) is for the known version or dropped, for then all of it
 * is on its way.
 */
#ifndef REEVE_AGENT_SHARES_H
#define REEVE_AGENT_SHARES_H

#include "agent/fair.h"
#include "base/fields.h"
#include "base/proto.h"

#define SHARES_PATH "node/shares.yaml" /* below the system's folder */

struct shares;

struct shares_file {
    struct list tenants; /* struct io_share */
};
extern const struct fields shares_fields;

/* Reads the file; none is fine. -EINVAL with file, line and column, or what is too much of it all. */
int shares_new(struct shares **ret, struct fair *f, struct err *err) MUST_USE;
void shares_free(struct shares *s); /* NULL is fine */
/* The fence was checked. False: nothing has changed by it; the first that it is told of all is a change. */
bool shares_told(struct shares *s, const struct shares_call *call);

#endif
