/*
 * turn - the commit turn: proposals of one loop turn become one batch, get seqs, go to Redis, then to the file, then
 * have their effects.
 *
 *   READY --batch out--> READY --unknown outcome, store down--> RECOVER --both copies equal--> READY
 *     +---------------- gap, fenced, journal broken ------------------------> on_fatal
 *
 *   on_committed   ok: append to the journal's buffer, core_apply at once; refused: append with the code
 *   on_synced      effects of everything durable: on_durable(fact), then the request that wanted it is settled
 *
 * One batch is in flight at a time; the next may leave while the fsync of the one before runs. An unknown outcome
 * is cleared up by reading what Redis has; the rest is sent again under the same seqs.
 * Bounds: TURN_INBOX_MAX requests of clients wait and as many of nodes, TURN_BATCH_MAX facts in a batch,
 * TURN_UNSYNCED_MAX facts await their fsync. In a batch nodes come first, then clients; a quarter is left for what the
 * core decides, however many ask.
 */
#ifndef REEVE_SCHEDULER_TURN_H
#define REEVE_SCHEDULER_TURN_H

#include "base/io/loop.h"
#include "scheduler/journal.h"
#include "scheduler/request.h"

#define TURN_INBOX_MAX 8192
#define TURN_BATCH_MAX 512
#define TURN_BATCH_BYTES ((size_t)1 << 20) /* then no further wish: the store's deadline is the whole batch's */
#define TURN_UNSYNCED_MAX 8192
#define TURN_SNAPSHOT_EVERY 50000
#define TURN_FENCE_MS 1000 /* so often one that has nothing to commit asks whether its term still holds */
#define TURN_UNKNOWN_MS 500 /* with the store's own deadline: everybody hears something within a second */

struct turn;

struct turn_setup {
    struct loop *loop;
    struct core *core;
    struct journal *journal;  /* read, not begun */
    const char *redis_url, *cell, *writer;
    uint64_t term_floor;      /* highest term in the file */
    uint64_t snapshot_seq;    /* of the snapshot it was started from */
    int64_t at_utc_us;        /* of the newest fact */
    /* A fact became durable; effects may leave. Also for entries found in Redis at start. */
    void (*on_durable)(void *arg, uint64_t seq, const struct fact *fact);
    void (*on_ready)(void *arg);                             /* a term was taken; once per term */
    void (*on_fatal)(void *arg, int exit_code, const char *why);
    void (*on_rotated)(void *arg);                           /* all before a new segment is durable; may be NULL */
    void *arg;
};

int turn_new(struct turn **ret, const struct turn_setup *setup, struct err *err) MUST_USE;
/* Waiting requests are answered unavailable, then freed. */
void turn_free(struct turn *t);
/* loop_on_turn(). */
bool turn_run(void *turn);

/* Takes the request in every case. */
void turn_post(struct turn *t, struct request *r);
/* The core may have something to decide (a beat, a report): soon, not at once. */
void turn_wake(struct turn *t);
/* The journal up to here is safe in the archive. */
void turn_archived(struct turn *t, uint64_t seq);
/* Is this placement committed but not yet durable? Then nobody may hear of it: its own effect will tell. */
bool turn_placement_pending(const struct turn *t, struct attempt_id id);
/* A node has obeyed this term: ours must be above it. -ERANGE when that can't be. */
int turn_term_seen(struct turn *t, uint64_t term) MUST_USE;
/* Begins nothing new; the loop is stopped as soon as no outcome is awaited. */
void turn_stop(struct turn *t);
/* Makes durable what is committed and writes a snapshot. Only after the loop has stopped. */
int turn_close(struct turn *t, struct err *err) MUST_USE;

/* Time as facts have it: never falls, and never stands. While the wall clock is behind the newest fact, because it was
 * set back, it goes on with CLOCK_BOOTTIME, a thousandth slower, until the wall clock has caught up. */
struct core_now turn_now(struct turn *t);

enum turn_state { TURN_RECOVER, TURN_READY, TURN_FATAL, TURN_STATE_COUNT };
struct turn_stats {
    uint64_t state; /* enum turn_state */
    uint64_t term, seq, durable, archived, snapshot_seq;
    uint64_t inbox, inflight, unsynced;
    uint64_t committed_total, refused_total, batches_total, unknown_total, recoveries_total, rebuilds_total;
    uint64_t busy_total, unavailable_total, snapshots_total, decide_us_total;
    const char *store;     /* "up", "down: <why>", "recovering: <why>"; borrowed */
};
void turn_stats(const struct turn *t, struct turn_stats *ret);

#endif
