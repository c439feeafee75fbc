/*
 * turn_inner - what the three files of the commit turn share: turn.c (inbox, building, sending), turn_settle.c
 * (outcomes, effects), turn_recover.c (clearing up, snapshots). Nobody else includes it.
 */
#ifndef REEVE_SCHEDULER_TURN_INNER_H
#define REEVE_SCHEDULER_TURN_INNER_H

#include "quotas/store/store.h"
#include "scheduler/snapshot.h"
#include "scheduler/turn.h"

struct effect {
    uint64_t seq;
    struct fact fact;        /* kind FACT_NONE: only a request waits here */
    struct request *request; /* whose fact it is; NULL = decide's or another life's */
    bool refused;
};

struct effects { /* a ring, in the order of seq */
    struct effect *v;
    size_t size, head, count;
};

struct inbox {
    struct request *first, **last;
    size_t count;
    size_t deferred; /* of these, at the front: were asked already and had to wait, or have more to do */
};

struct turn {
    struct turn_setup setup;
    struct store *store;
    struct store_handlers store_handlers;
    struct journal_handlers journal_handlers;

    enum turn_state state;
    bool store_up, recover_due, decide_due, term_announced, stopping;
    char store_text[200];
    struct timer *decide_timer, *wake_timer, *retry_timer, *unknown_timer, *fence_timer;
    int64_t utc_us; /* of the newest fact: time never falls behind it */
    int64_t utc_at_us; /* what time it was, as turn_now() has it, … */
    uint64_t utc_boot_us; /* … at this instant */
    uint64_t term, term_floor;

    struct inbox nodes, inbox; /* patient requests, and the others */

    /* The batch that is out, or whose outcome is unknown: entry i has seq `first_seq + i`. */
    struct fact facts[TURN_BATCH_MAX];
    struct request *owners[TURN_BATCH_MAX];
    struct store_entry entries[TURN_BATCH_MAX];
    size_t offsets[TURN_BATCH_MAX];
    size_t count;
    uint64_t first_seq;
    bool out;
    struct buf bytes;

    struct effects effects;

    struct snapshot_job *snapshot;
    uint64_t snapshot_seq, snapshot_next, archived, trimmed;
    struct turn_stats stats; /* the _total ones */
};

/* turn.c */
void turn_fail_inbox(struct turn *t, const char *why);
void turn_repost(struct turn *t, struct request *r);
int turn_send(struct turn *t);
void turn_fatal(struct turn *t, int exit_code, const char *why);
/* turn_settle.c */
void turn_on_unknown_timer(void *turn);
void turn_on_committed(void *turn, const struct store_result *results, size_t count);
void turn_on_synced(void *turn, uint64_t durable);
void turn_settle_when_durable(struct turn *t, struct request *r);
/* Entry i of the batch is decided. */
void turn_accept(struct turn *t, size_t i);
void turn_refuse(struct turn *t, size_t i, const char *code, const char *detail);
/* The first `n` entries of the batch are decided and gone. */
void turn_shift(struct turn *t, size_t n);
void turn_effect(struct turn *t, struct effect e);
void turn_effects_free(struct turn *t);
/* turn_recover.c */
void turn_on_up(void *turn);
void turn_on_down(void *turn, const char *why);
void turn_recover(struct turn *t);
void turn_snapshot_maybe(struct turn *t);
void turn_trim(struct turn *t);

#endif
