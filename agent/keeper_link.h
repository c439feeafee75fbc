/*
 * keeper_link - the agent's connection to one keeper.
 * What is said is cumulative and repeatable; a send that finds the socket full says so and is tried again later.
 * Callbacks are the last thing that touches the link: they may free it.
 */
#ifndef REEVE_AGENT_KEEPER_LINK_H
#define REEVE_AGENT_KEEPER_LINK_H

#include "base/io/loop.h"
#include "isolation/spec/keeper.h"

struct keeper_link;

struct keeper_events {
    /* The callee owns both pipes. At most once per link. */
    void (*on_hello)(void *owner, uint64_t token, const struct keeper_message *m, int out, int err);
    void (*on_mover)(void *owner, uint64_t token, int sock); /* the callee owns it; not of every keeper */
    void (*on_paused)(void *owner, uint64_t token, const struct keeper_message *m); /* PAUSED, RESUMED */
    void (*on_ended)(void *owner, uint64_t token, const struct keeper_message *m);
    void (*on_gone)(void *owner, uint64_t token, const char *why);
};

/* Takes the socket over, also on failure. */
int keeper_link_open(struct keeper_link **ret, struct loop *l, int sock, struct attempt_id id,
                     const struct keeper_events *events, void *owner, uint64_t token) MUST_USE;
void keeper_link_free(struct keeper_link *k); /* NULL is fine */

int keeper_link_paid(struct keeper_link *k, uint64_t paid_us, bool pauses, uint32_t suspends,
                     uint64_t signal_us) MUST_USE;
int keeper_link_lease(struct keeper_link *k, uint64_t lease_boot_us) MUST_USE;
int keeper_link_stop(struct keeper_link *k, uint32_t cause, uint32_t grace_ms) MUST_USE;
int keeper_link_halt(struct keeper_link *k) MUST_USE;
int keeper_link_drained(struct keeper_link *k) MUST_USE;

#endif
