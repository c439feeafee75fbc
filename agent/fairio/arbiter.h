/*
 * arbiter - who asks the fair queue, and what becomes of its answers: tenants by name, jobs and streams that come and
 * go, grants handed to whoever moves the bytes, meters of what was moved. One for each device.
 *
 *   open a stream --post(bytes)--> queue --pump--> go(grant) --> its owner moves them --done(moved)--> queue, meters
 *                                    ^                                                                   |
 *                                    +--------- room in the window: the next grant (pump) <--------------+
 *
 * Nothing is moved here, and no fd is known: owners are the agent's logs on its own ring, the links to movers
 * (isolation/spec/mover.h), the driver of a bench. Each answers a grant exactly once, with arbiter_done(); the bytes
 * said there are what is billed, and a grant that is answered twice, late or never bills nothing twice.
 *
 * Shares:    what tenants have is a tree of paths (agent/fairio/share_tree.h); what a weight comes to among those that
 *            have work now, or had some within FQ_CONTENDED_NS, is worked out when somebody comes or goes.
 * Ownership: the arbiter owns all; ids are plain values and find nothing once what they named is gone. A tenant is
 *            there as long as a stream of it is, and as long as it owes others ARBITER_OWES_NS or more for what it took
 *            directly, at most FQ_DEBT_NS: else many short jobs, one after the other, would each begin without debt.
 * Units:     as fairq.h. Purity: pure; time comes in.
 */
#ifndef REEVE_AGENT_FAIRIO_ARBITER_H
#define REEVE_AGENT_FAIRIO_ARBITER_H

#include "agent/fairio/share_tree.h"
#include "base/io_meters.h"

#define ARBITER_NAME_MAX SHARE_PATH_MAX /* of a tenant */
#define ARBITER_RESERVED_MAX_PPM (IO_RESERVED_MAX * 10000u)
#define ARBITER_OWES_NS INT64_C(10000000)
#define ARBITER_WEIGH_NS INT64_C(10000) /* for each tenant with work: so rarely are weights worked out anew */

struct arbiter;
typedef uint64_t arbiter_id; /* a stream; never 0 */

/* Move these bytes; called by arbiter_pump(), never from inside another call. `token` is the stream's, `grant->token`
 * its request's. It may call all but arbiter_pump(). */
typedef void (*arbiter_go)(void *owner, uint64_t token, const struct fq_grant *grant);

struct arbiter_stream {
    const char *tenant;
    uint64_t job;     /* the caller's number for it, unique within the tenant */
    uint32_t out_max; /* grants in flight at once; 1 where order counts */
    arbiter_go go;
    void *owner;      /* outlives the stream's last grant */
    uint64_t token;
};

struct io_meter {
    uint64_t ops[IO_DIR_COUNT], bytes[IO_DIR_COUNT]; /* moved by grant */
};

int arbiter_new(struct arbiter **ret, const struct fairq_setup *setup, int64_t now_ns) MUST_USE; /* as fairq_new() */
void arbiter_free(struct arbiter *a); /* NULL is fine */

/* From now on these have what they are given, and all others share_default. -EINVAL; -ERANGE: too much would be
 * reserved; -ENOMEM: as before. */
int arbiter_shares(struct arbiter *a, const struct share_given *rows, size_t count, int64_t now_ns) MUST_USE;
/* -EINVAL, -ENOSPC, -ENOMEM, -ENAMETOOLONG. */
int arbiter_open(struct arbiter *a, const struct arbiter_stream *s, arbiter_id *ret) MUST_USE;
/* What waits is forgotten. Grants in flight are still to be answered. Unknown ids are fine. */
void arbiter_close(struct arbiter *a, arbiter_id stream);

void arbiter_forget(struct arbiter *a, arbiter_id stream); /* what waits of it */
int arbiter_post(struct arbiter *a, arbiter_id stream, const struct fq_request *r, int64_t now_ns) MUST_USE;
/* Of a grant that isn't there any more: nothing. */
void arbiter_done(struct arbiter *a, const struct fq_grant *grant, uint64_t moved_bytes, int64_t now_ns);
/* A grant that was answered with nothing, because its owner stood still, and was worked off later all the same: what it
 * then moved is metered as moved, and charged now. The owner says it once. */
void arbiter_late(struct arbiter *a, const struct fq_grant *grant, uint64_t moved_bytes, int64_t now_ns);
/* Device time and bytes that a job took past this queue, by the kernel's counters: charged and metered, not moved. */
void arbiter_direct(struct arbiter *a, const char *tenant, enum io_dir dir, uint64_t ops, uint64_t bytes,
                    int64_t now_ns);
/* Gives out all that may go now; their number. Ticks the queue when it is time. */
unsigned arbiter_pump(struct arbiter *a, int64_t now_ns);
/* When to pump again although nothing has happened; INT64_MAX: never. */
int64_t arbiter_wake_ns(const struct arbiter *a);

/* What holds a tenant here or would, and what its weight comes to if it and all that are here wanted the disk. */
struct arbiter_standing {
    struct fq_limits limits;
    uint32_t part_ppm, tenants;
};
void arbiter_standing(const struct arbiter *a, const char *tenant, struct arbiter_standing *ret);
/* Of all attempts since birth: what the kernel counted for their groups, and what was told of their bills;
 * agent/fairio/account.h adds to them. */
struct io_sums *arbiter_books(struct arbiter *a);
struct arbiter_view {
    const char *tenant; /* until the next call */
    struct disk_share share;
    uint32_t part_ppm;           /* of the disk, as long as just those want it that do now; 0: it doesn't itself */
    struct fq_view queue;
    const char *held_by;         /* whose limit it is, its own or that of one above it; NULL: none holds it */
    struct io_meter moved, direct; /* since it came */
};
/* The tenants, one after the other: *at starts at 0. False: there are no more. */
bool arbiter_next_view(const struct arbiter *a, uint32_t *at, struct arbiter_view *ret);
const struct fairq *arbiter_queue(const struct arbiter *a);

#endif
