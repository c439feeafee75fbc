/*
 * mover_link - the agent's connection to the mover of one attempt (isolation/spec/mover.h): what it wants becomes
 * requests of its tenant and job in the fair queue, what is granted goes down, what was done comes back.
 *
 * Nothing of the mover is taken on trust: a number out of its bounds, a want while one is out, a grant that nobody has,
 * and the connection is closed; every grant that was out is then given back as one that moved nothing.
 * The callback is the last thing that touches the link: it may free it.
 */
#ifndef REEVE_AGENT_MOVER_LINK_H
#define REEVE_AGENT_MOVER_LINK_H

#include "agent/fair.h"
#include "agent/fairio/account.h"
#include "isolation/spec/mover.h"

#define MOVER_GRANTS_MAX 16u

struct mover_link;

struct mover_link_setup {
    struct loop *loop;
    struct fair *fair;
    const char *tenant;
    uint64_t job;
    int sock;
    const struct io_counts *before; /* as connections before this one said; borrowed for the call. NULL: none was */
    void (*on_gone)(void *owner, uint64_t token, const char *why);
    void *owner;
    uint64_t token;
};

/* Takes the socket over, also on failure. */
int mover_link_open(struct mover_link **ret, const struct mover_link_setup *setup) MUST_USE;
void mover_link_free(struct mover_link *m); /* NULL is fine */
/* Its job is paused, and it with it; or both go on. One that stands still keeps neither the window nor its tenant from
 * others: what it was granted counts as given back (it is worked off later all the same, MOVER_GRANTS_MAX / 2 at most),
 * what it wants is asked for when it goes on. NULL is fine. */
void mover_link_stands(struct mover_link *m, bool stands);
/* So many bytes may still be moved for it, those that are out included; UINT64_MAX: as many as it likes. It is granted
 * no byte more until this is said again. Unless it goes `to_the_byte`, a want is cut only between blocks: where part of
 * one was moved the rest of its want has to go through the page cache. NULL is fine. */
void mover_link_bound(struct mover_link *m, uint64_t left_bytes, bool to_the_byte);
bool mover_link_waits(const struct mover_link *m); /* it wants more than that */
/* Adds what it moved since its birth, for all agents, as far as it was heard, and what is out. What no agent heard of
 * when it was moved counts as gone through the page cache, where it didn't lie in memory. NULL is fine. */
void mover_link_counts(const struct mover_link *m, struct io_counts *to);

#endif
