/*
 * attempt - one attempt in the agent's hands; shared by the files that move it (attempts*.c, launch.c, running.c,
 * finish.c, adopt.c). attempt_feed() is the only thing that changes `life`; it may free the attempt: whoever calls it
 * is done with it.
 */
#ifndef REEVE_AGENT_ATTEMPT_H
#define REEVE_AGENT_ATTEMPT_H

#include "agent/attempts.h"
#include "agent/core/life.h"
#include "agent/core/roster.h"
#include "agent/fairio/account.h"
#include "agent/io_bound.h"
#include "agent/keeper_link.h"
#include "agent/mover_link.h"
#include "agent/profiles.h"

struct attempt {
    struct attempts *all;
    roster_id handle;
    struct attempt_id id;
    char name[ATTEMPT_ID_TEXT_MAX];
    uint32_t life, tell;          /* enum life_state, tell_state */
    struct run_call *order;       /* until it was launched */
    int dir;                      /* its folder; -1 = it could not be made */
    char tenant[ARBITER_NAME_MAX]; /* of its order */
    uint64_t lease_us, log_cap;
    roster_id older;              /* another epoch of this task that must be gone first; 0 = none */

    bool asked;                   /* the warden may know it */
    bool stages;                  /* it has inputs or outputs */
    uint32_t staged_phase;        /* when that was looked at last */
    uint64_t staged_bytes, staged_boot_us;
    struct keeper_link *keeper;
    struct mover_link *mover;     /* NULL: none, or not heard of yet */
    bool greeted;
    uint64_t hello_boot_us, hello_run_us;
    int64_t started_utc_us;
    bool paused;                  /* its run time stands still, at hello_run_us */
    uint64_t paid_us;
    bool pauses;                  /* at the paid end */
    uint64_t signal_us;           /* run time of its SIGUSR1; 0 = none */
    uint32_t suspends;            /* odd: it stands still, or shall */
    bool paid_due;                /* the keeper hasn't heard these four */
    uint32_t suspends_said;       /* by its keeper */
    uint64_t lease_said_boot_us;
    uint32_t stop_cause, stop_grace_ms; /* END_NONE = nobody asked */
    bool stop_said;
    uint64_t stop_end_boot_us;    /* a keeper that lives on after it is killed */

    logs_id logs[LOG_STREAM_COUNT];
    bool drained[LOG_STREAM_COUNT];
    struct usage usage;           /* the last known */
    uint64_t used_at_us;          /* run time it was read at */
    struct io_account account;    /* what it moved and is to pay for (metering.c) */
    struct io_bound bound;        /* how much of that it may */
    struct io_meter shown_moved, shown_direct; /* of that, by `reeve top` */
    bool metered;                 /* the kernel counts for its group */
    bool unkept;                  /* and was warned of */
    bool reading;                 /* a READ for a beat is under way */
    uint64_t follows;             /* which state of the policy its limits are of; as attempts.followed counts */
    struct exit_record record;
    bool verdict;                 /* record.cause is settled */

    uint32_t redo;                /* enum life_action to be tried again, LIFE_NOTHING = none */
    bool warned;                  /* of what is being tried again */
    bool launch_queued, tell_queued;
    struct attempt *next_launch, *next_tell;
};

struct queue {
    struct attempt *first, *last;
};

struct attempts {
    struct attempts_setup with;
    struct roster *roster;        /* live ones, and those over (data NULL) */
    uint32_t live;
    struct logs *logs;
    struct profiles *profiles;
    struct shelf shelf, empty;    /* over: with logs, without */
    struct queue launches, tells;
    uint32_t launching;
    uint64_t launch_pause_boot_us;
    struct timer *pump;           /* after a pause */
    struct timer *tick;
    struct timer *meter;          /* the next reading of who has a bound */
    uint64_t meter_boot_us;       /* what it is set to; UINT64_MAX: nothing */
    roster_id usage_cursor;
    uint64_t followed;            /* how often the policy on disks has changed */
    bool following;               /* some were not yet asked to */
    roster_id follow_cursor;      /* up to here all were */
    uint32_t limiting;            /* the warden has not answered yet */
    uint64_t contact_boot_us;     /* sending time of the last thing that was acknowledged; 0 = never */
};

/* attempts.c; take_order: attempts_calls.c */
struct attempt *attempt_new(struct attempts *a, struct attempt_id id);       /* NULL: full or out of memory */
struct attempt *attempt_get(struct attempts *a, uint64_t handle);            /* NULL: gone */
void attempt_feed(struct attempt *t, enum life_event event);
void attempt_verdict(struct attempt *t, enum end_cause cause,
                     const char *detail); /* settles the cause, feeds VERDICT */
void attempt_tell(struct attempt *t, enum tell_event event);
void attempt_stop(struct attempt *t, uint32_t cause, uint32_t grace_ms);
void attempt_redo(struct attempt *t, enum life_action action, const char *why);
void attempt_free(struct attempt *t);
void attempt_take_order(struct attempt *t, struct run_call *order); /* owns it from now on */
void attempts_meter(struct attempts *a);  /* reads the groups whose turn it is */
void attempt_meter(struct attempt *t);    /* it has another turn */
void attempts_shelve(struct attempts *a, struct attempt_id id, uint64_t bytes, int64_t ended_s);

/* launch.c */
void launch_queue(struct attempt *t);
void launch_start(struct attempt *t);
void launch_pump(struct attempts *a);

/* running.c */
void running_connect(struct attempt *t);
void running_capture(struct attempt *t);
void running_sync(struct attempt *t);         /* what the keeper hasn't heard yet */
uint64_t running_run_us(const struct attempt *t);

/* follow.c */
/* What a job asks for, as the policy has it now. */
void follow_limit(const struct attempt *t, struct sandbox_limits *limits);
void follow_look(struct attempt *t);     /* it runs: has the policy changed since it was asked for? */
void follow_go_on(struct attempts *a);

/* finish.c */
void finish_drain(struct attempt *t);
void finish_kill(struct attempt *t);
void finish_read(struct attempt *t);
void finish_record(struct attempt *t);
void finish_remove(struct attempt *t);
void finish_tell(struct attempt *t);
void finish_close(struct attempt *t);
void finish_on_log_done(void *owner, uint64_t token, enum log_stream which);
void finish_take_record(struct attempt *t, const struct keeper_record *record);

#endif
