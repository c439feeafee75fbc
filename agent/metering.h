/*
 * metering - what an attempt moves, read from the kernel's counters, its mover and its logs, billed
 * (agent/fairio/account.h), and kept in the file `io` of its folder.
 *
 * What is told is kept: the file is renamed into its place before a beat says it, so whoever is killed tells no less
 * afterwards. Between two tellings only what was moved in memory can get lost, and only when its mover moves nothing
 * any more: at the platform's cost. A disk that is full costs the file and no more than that.
 */
#ifndef REEVE_AGENT_METERING_H
#define REEVE_AGENT_METERING_H

#include "base/proto.h"

struct attempt;
struct attempt_moved;

/* What an agent before this one kept. */
void metering_restore(struct attempt *t);
/* Its group was read: completes t->usage, and its tenant is charged for what it took by itself. */
void metering_read(struct attempt *t, const struct usage *usage);
/* Something else is paid: so it is kept, and held to. */
void metering_paid(struct attempt *t);
/* What its mover and its logs say by now is taken as well; before the connection to its mover goes, too. */
void metering_take(struct attempt *t);
/* It is about to be told: the bill goes into t->usage, the node's books and the file. */
void metering_tell(struct attempt *t);
/* What it has moved since this was asked last. false: nothing. */
bool metering_rise(struct attempt *t, struct attempt_moved *ret);
/* What it has written to its logs, what is dropped by now included. */
uint64_t metering_log_bytes(const struct attempt *t, enum log_stream which);

#endif
