/*
 * fair - the node's arbiter in the agent's loop: it is asked at the end of every turn, before the ring sends what the
 * turn has gathered, and when a limit is paid off or its interval is over.
 *
 * One disk: that of the node's folder, with the model that `reeve-agent calibrate` left (agent/calibrate.h).
 * Ownership: made after the ring, freed after it and after the logs, which close their streams.
 */
#ifndef REEVE_AGENT_FAIR_H
#define REEVE_AGENT_FAIR_H

#include "agent/fairio/arbiter.h"
#include "base/err.h"
#include "base/io/loop.h"

#define FAIR_TENANTS_MAX 2048u
#define FAIR_JOBS_MAX 8192u
#define FAIR_STREAMS_MAX 20480u
#define FAIR_REQUESTS_MAX 32768u
#define FAIR_GRANTS_MAX 1024u

struct fair;

/* `cost` NULL: io_cost_default. */
int fair_new(struct fair **ret, struct loop *l, const struct io_cost *cost, struct err *err) MUST_USE;
void fair_free(struct fair *f); /* NULL is fine */
/* For opening, closing and looking; the rest needs the time: */
struct arbiter *fair_arbiter(struct fair *f);
/* As arbiter_shares(). */
/* What the disk moves in that time at most, by its model. */
uint64_t fair_bytes_in(const struct fair *f, int64_t ns);
int fair_shares(struct fair *f, const struct share_given *rows, size_t count) MUST_USE;
int fair_post(struct fair *f, arbiter_id stream, const struct fq_request *r) MUST_USE;
/* arbiter_late() */
void fair_late(struct fair *f, const struct fq_grant *grant, uint64_t moved_bytes);
/* Past the queue: arbiter_direct(). */
void fair_direct(struct fair *f, const char *tenant, enum io_dir dir, uint64_t ops, uint64_t bytes);
void fair_done(struct fair *f, const struct fq_grant *grant, uint64_t moved_bytes);

#endif
