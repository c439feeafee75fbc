/*
 * fact - something that happened and is final; the words the journal is written in.
 *
 * A journal entry carries exactly one fact. core_apply(fact) updates the scheduler's state and never fails;
 * the store derives its counters from the same fact; reportd derives its rows from the same fact; so what is
 * committed, replayed, simulated and billed can't differ.
 *
 * Every fact carries whatever its readers need, so that no reader has to look elsewhere.
 * Purity:    pure.
 * Ownership: a struct fact owns what its table describes; fact_clear() frees it.
 */
#ifndef REEVE_BASE_FACT_H
#define REEVE_BASE_FACT_H

#include "base/attempt.h"
#include "base/job_spec.h"
#include "base/policy.h"

enum fact_kind {
    FACT_NONE,
    FACT_TERM_TAKEN,       /* a scheduler became the writer */
    FACT_POLICY_SET,       /* tenants, prices: the whole difference of one admin change, all or nothing */
    FACT_JOB_SUBMITTED,
    FACT_TASKS_CANCELLED,  /* tasks that had not started */
    FACT_TASK_HELD,        /* waits for a person */
    FACT_TASK_RELEASED,
    FACT_ATTEMPT_PLACED,   /* epoch grown, resources and money held; the start message may now leave */
    FACT_ATTEMPT_RUNNING,
    FACT_HOLD_RENEWED,     /* what ran is settled, the next slice is held */
    FACT_ATTEMPT_STOPPING, /* somebody asked it to stop; stays true across restarts */
    FACT_ATTEMPT_UNREACHABLE,
    FACT_ATTEMPT_REACHED,  /* it is there again */
    FACT_ATTEMPT_ENDED,    /* settled; the task is final, queued again, or held */
    FACT_NODE_JOINED,      /* new, or with other capacity, features or boot id */
    FACT_NODE_LOST,        /* silent beyond the limit */
    FACT_NODE_DRAINED,     /* nothing new is placed there; also undone by this fact */
    FACT_SNAPSHOT_JOB,     /* only in snapshots: one job with its live tasks, as it stood */
    FACT_SNAPSHOT_CELL,    /* only in snapshots: counters that no other fact gives back */
    FACT_BUDGET_OPENED,    /* an account of a budget's period comes into being, with its limit */
    FACT_BUDGET_CROSSED,   /* a threshold was passed, upwards or back */
    FACT_LEDGER_ADJUSTED,  /* a credit, an adjustment, a difference found by re-rating: a line of its own */
    FACT_PERIOD_CLOSED,    /* a billing period takes no more lines */
    FACT_POLICY_PROPOSED,  /* a raise waits for a second admin */
    FACT_POLICY_DROPPED,   /* a proposal that won't be */
    FACT_TENANT_MOVED,     /* a tenant and all below it, with what waits and runs there, to another place */
    FACT_ACCOUNTS_CLOSED,  /* accounts of periods that are over: nothing can come to them any more */
    FACT_JOB_CHANGED,      /* another priority; held as a whole, or no longer */
    FACT_WINDOW_SET,       /* nodes will be closed for a time: planned, or planned otherwise */
    FACT_WINDOW_DROPPED,   /* taken back, or over */
    FACT_GANG_PLACED,      /* tasks of a job that start together: an attempt.placed of each, all or none */
    FACT_ATTEMPT_SUSPENDED, /* a person wants it to stand still; also undone by this fact */
    FACT_NODE_QUARANTINED, /* taken out of placement for a while, for what failed there; also undone by this fact */
    FACT_KIND_COUNT        /* numbers lie in journals: only ever append */
};

/* Accounts are named: "acme/etl@2026-11" is a tenant's budget in one period, "acme/etl#gpu@2026-11" that of its budget
 * named gpu, "job:812" a job's own. */

/* One line of a charge: what one resource of one attempt cost since the last line, under one price version. */
struct charge {
    char *resource;         /* "cpu", "memory", "scratch", "gpu"; RESOURCE_IO */
    uint64_t amount;        /* as charged: milli-cores, bytes, units; of I/O the bytes that were moved */
    uint64_t run_us;        /* time this line covers */
    uint64_t from_run_us;   /* where in the attempt's run time it begins */
    int64_t micros;         /* the cost of it: difference of the cumulative, rounded cost */
    uint32_t price_version;
    int64_t list_price;     /* micro-units per hour of a core, GiB or unit, of I/O per GiB: as the book says
                               for this class of node */
    int64_t price;          /* what was charged: less discount and preemptible rate, rounded to a micro-unit */
    char *price_class;      /* of the node; NULL = none */
    bool preemptible;
    uint32_t by;            /* enum price_by */
};
extern const struct fields charge_fields;

/* What an attempt holds of the time of a resource, on the account of such a budget: micro-unit-hours. */
struct time_hold {
    char *account;
    int64_t spent;          /* cumulative over the attempt on this account; 0 when placed */
    int64_t hold;
};
extern const struct fields time_hold_fields;

/* Where the charging of a resource stands that the price book may charge by use: the next line goes on from here, so
 * that slices add up to the whole whoever charges them. */
struct meter_mark {
    char *resource;
    int64_t micros;         /* its cumulative cost before rounding: whole micro-units */
    int64_t rest;           /* and the rest, in parts of amount * us that cost a micro-unit, as quotas/price.c counts */
    struct measure used;    /* how much of its node's counter is charged, of cpu in milli-core-us, of I/O in bytes;
                               absent = not known */
};
extern const struct fields meter_mark_fields;

/* Tasks that are over, and how: succeeded, left out of their gang, or anything else. */
struct fact_outcome { uint32_t first, count; bool failed, left_out; };
/* What a job still waits for when it is submitted. Of a job that is over by then: how its tasks ended, of which some do
 * and some don't let a task of the same index start. */
struct fact_after {
    uint64_t job;
    uint32_t on;                  /* enum after_on */
    uint32_t tasks;               /* enum after_tasks */
    struct measure task;
    bool over;
    struct list outcomes;         /* struct fact_outcome */
    bool never;                   /* snapshots: it can't be met any more */
};

struct fact_term { uint64_t term; char *writer; uint32_t schema; };
struct fact_submitted {
    uint64_t job;
    char *tenant;
    uint32_t uid;           /* who, by kernel credentials */
    char *user;             /* its name at that time */
    char *key;              /* idempotency key; never NULL: made by the server when the client sent none */
    struct job_spec spec;
    struct bytes spec_from; /* FIELD_ALIKE */
    struct strs path;       /* tenant and its ancestors, leaf first, root "/" last */
    struct list after;      /* struct fact_after: of spec.after what isn't met already */
};
struct fact_tasks { uint64_t job; uint32_t first, count; char *who; char *reason; struct strs path; bool job_done; };
struct fact_job_changed {
    uint64_t job;
    char *who;
    bool set_hold, hold;
    bool set_priority;
    int32_t priority;
};
struct fact_placed {
    struct attempt_id id;
    char *node;
    struct resources resources;
    struct strs path;             /* whose concurrent use grows, leaf first, root last */
    struct strs accounts;         /* where money is held, leaf first; the job's own budget last if it has one */
    int64_t hold_micros;
    uint64_t paid_us;             /* run time the hold pays for */
    uint32_t price_version;
    struct list times;            /* struct time_hold */
    char *price_class;            /* of the node: its label "class"; NULL = none */
    struct measure io_paid_bytes; /* of its node's count: the hold pays for so much; absent = no bound, nothing held */
};
struct gang_member {
    uint32_t task, epoch;
    char *node;
    int64_t hold_micros;          /* nodes have prices of their own */
    char *price_class;
    struct measure io_paid_bytes;
};
extern const struct fields gang_member_fields;
struct fact_gang {
    uint64_t job;
    struct list members;          /* struct gang_member, by task; at most JOB_GANG_MAX */
    uint32_t left_out;            /* so many of it behind the last member don't start, and are over by that */
    /* of each of them, as in fact_placed */
    struct resources resources;
    struct strs path, accounts;
    uint64_t paid_us;
    uint32_t price_version;
    struct list times;
};
struct fact_running { struct attempt_id id; int64_t started_utc_us; };
struct fact_renewed {
    struct attempt_id id;
    int64_t spent_micros;         /* cumulative over the attempt, now settled on the accounts of the old hold */
    int64_t hold_micros;          /* the new hold, in place of what was left of the old */
    uint64_t settled_us;          /* run time that spent_micros covers */
    uint64_t paid_us;             /* cumulative run time that is paid for from now on */
    struct strs accounts;         /* of the new hold: another period may have begun */
    struct list charges;          /* struct charge: adds up to the growth of spent_micros */
    bool final;                   /* no further slice can be held: paid_us is the end */
    bool paused;                  /* it stands still at paid_us, all of which is settled, and holds nothing; paid_us may
                                     be less than before when it was suspended */
    uint64_t paused_us;           /* how long it has stood still before the time that this charges and pays for */
    struct list times;            /* struct time_hold: of the new hold */
    struct list times_settled;    /* struct time_hold, hold 0: what the old ones came to */
    struct list marks;            /* struct meter_mark, at settled_us */
    uint32_t suspends;            /* number of the last attempt.suspended before it */
    struct measure io_paid_bytes; /* cumulative, as in fact_placed */
    bool io_final;                /* no more I/O than that can be held */
};
struct fact_stopping { struct attempt_id id; uint32_t cause; char *who; };
struct fact_attempt { struct attempt_id id; char *node; };
/* number: greater than any before of this attempt; odd while it is suspended. The same wish may come again with another
 * number, when its node has heard of one that is lost. */
struct fact_suspended { struct attempt_id id; char *node; bool suspended; uint32_t number; char *who, *reason;
                        bool for_io; /* nobody's wish: it may move nothing more, and waits for money */ };
enum task_next { NEXT_FINAL, NEXT_QUEUED, NEXT_HELD, TASK_NEXT_COUNT };
struct fact_ended {
    struct attempt_id id;
    char *node;
    struct exit_record record;
    uint32_t next;                /* enum task_next: what becomes of the task */
    uint32_t state;               /* enum task_state, when final */
    uint32_t user_retry;          /* 1 if this attempt used up one of the user's retries */
    int64_t spent_micros;         /* cumulative over the attempt: the real cost; the rest of the hold returns */
    int64_t written_off_micros;   /* cost beyond the hold, or of a node fault: the platform's */
    struct list charges;
    uint64_t paused_us;           /* how long it has stood still before the time that this charges */
    bool job_done;                /* the last task of its job: its own account closes */
    struct list times_settled;    /* struct time_hold, hold 0 */
};
struct fact_budget_opened {
    char *account, *tenant;
    char *budget;                 /* its name; NULL = the tenant's `budget` */
    char *resource;               /* whose time; NULL = money */
    int64_t limit_micros;         /* with what was carried; -1 = none (soft, or "/@total") */
    int64_t carried_micros;       /* of the period before */
    int64_t from_utc_us, to_utc_us; /* INT64_MIN, INT64_MAX where it has no bound */
};
struct fact_budget_crossed {
    char *account, *tenant;
    uint32_t percent, of;         /* enum threshold_of */
    bool up;                      /* false: it is below again, and armed for the next time */
    int64_t limit_micros, spent_micros, held_micros, forecast_micros;
};
enum adjust_kind {
    ADJUST_CREDIT,                /* money given: FOCUS Credit */
    ADJUST_ADJUSTMENT,            /* anything else that a person posts: FOCUS Adjustment */
    ADJUST_RERATE,                /* the difference that another price makes: FOCUS Usage */
    ADJUST_KIND_COUNT
};
extern const struct names adjust_kind_names; /* "credit", "adjustment", "rerate" */
struct fact_adjusted {
    char *key;                    /* idempotency: a key of this tenant is posted once, see quotas/ledger.h */
    char *tenant;
    uint64_t tenant_id;           /* the same wherever it is moved; 0 in entries of an older version */
    struct strs accounts;         /* where it is posted, leaf first, "/@total" last; present ones only */
    int64_t micros;               /* signed; a credit is negative */
    uint32_t kind;                /* enum adjust_kind */
    char *reason, *who;
    int64_t from_utc_us, to_utc_us; /* when what it is about was incurred; equal = no such time */
    uint64_t job;                 /* 0 = none */
    uint64_t about_seq;           /* the entry it corrects; 0 = none */
    uint32_t about_line;          /* which charge of it, from 0 */
    char *resource;               /* ADJUST_RERATE */
    uint32_t price_version;       /* ADJUST_RERATE: the one that holds now */
    int64_t list_price, price;    /* ADJUST_RERATE: as in struct charge, by that version */
};
struct fact_period_closed {
    char *period;                 /* "2026-11" */
    int64_t from_utc_us, to_utc_us;
};
struct fact_accounts_closed { struct list accounts; /* struct closed_account */ };
struct closed_account {
    char *account, *resource;     /* resource: whose time; NULL = money */
    int64_t spent_micros;         /* as it stood */
};
#define ACCOUNTS_CLOSED_MAX 200 /* in one entry */
struct fact_policy_proposed {
    uint64_t proposal;
    struct policy_change change;  /* what it would set; of the version after the one it was made against */
    struct strs lines;            /* the change for people */
    uint32_t uid;                 /* of change.who: another has to approve */
    struct strs raises;           /* what of it gives somebody more */
    bool past_prices;             /* prices in force may change, too */
    int64_t proposed_utc_us;
};
struct fact_policy_dropped { uint64_t proposal; char *who; char *reason; };
/* All lists are complete: what else is below `from` contradicts the fact. Together they are at most MOVED_MAX long. */
struct fact_tenant_moved {
    char *from, *to;              /* paths; `to` is not there yet, its parent is */
    struct strs from_path, to_path; /* leaf first, root last */
    char *who;
    uint64_t version;             /* the policy's after it */
    struct strs tenants;          /* `from` and all below it, by their old paths, parents first */
    struct pairs accounts;        /* of these, of all periods: old name -> new name */
    struct list attempts;         /* struct attempt_id: that run there, or hold money on these accounts */
    struct list jobs;             /* struct moved_job: unfinished ones */
};
struct moved_job { uint64_t job; };
#define MOVED_MAX 10000
struct fact_node {
    char *node, *boot_id, *version;
    struct resources capacity;
    struct pairs labels;
    struct strs features;         /* what it can enforce, base/features.h */
    uint64_t hello;               /* number of the hello that said so */
    uint32_t max_attempts;        /* that it takes at once; 0 = any number */
};
struct fact_node_lost { char *node; char *reason; };
struct fact_drained { char *node; bool drained; char *reason; char *who; };
/* level: how often in a row. until: from then on it is tried. */
struct fact_quarantined {
    char *node;
    bool quarantined;
    uint32_t level;
    int64_t until_utc_us;
    char *reason, *who;
};
/* What becomes of an attempt that still runs when its node closes. One that may be preempted is stopped either way. */
enum window_begin { WINDOW_LEAVES, WINDOW_STOPS, WINDOW_BEGIN_COUNT };
extern const struct names window_begin_names; /* "leave", "stop" */
#define WINDOWS_MAX 256       /* that aren't over */
#define WINDOW_NODES_MAX 4096 /* named by one */
#define WINDOW_LONGEST_US (INT64_C(366) * 86400 * 1000000)
/* A maintenance window: which nodes are closed, from when until when, and why. Exactly one of nodes, where and cell. */
struct fact_window {
    uint64_t window;              /* its number; one that is there already is replaced */
    struct strs nodes;            /* by name */
    char *where;                  /* every node that it suits, now or later */
    bool cell;                    /* every node */
    int64_t from_utc_us, to_utc_us; /* [from, to) */
    uint32_t at_begin;            /* enum window_begin */
    char *reason, *who;
};
extern const struct fields window_fields;
struct fact_window_dropped { uint64_t window; char *who; char *reason; };

/* Snapshots: as much as core needs to go on. */
struct snapshot_task {
    uint32_t task, epoch, state, retries_used, node_faults;
    char *node;                   /* of the live attempt, else NULL */
    int64_t placed_utc_us, started_utc_us, eligible_utc_us;
    int64_t spent_micros, hold_micros;
    uint64_t settled_us, paid_us;
    struct strs accounts;
    uint32_t stopping;            /* enum end_cause, 0 = none */
    bool final;
    uint32_t price_version;
    char *avoid;                  /* node of the last node fault */
    bool paused;
    uint64_t paused_us;
    int64_t paused_utc_us;        /* since when */
    struct list times;            /* struct time_hold */
    char *price_class;
    struct list marks;            /* struct meter_mark */
    uint64_t ahead;               /* of its tenant's faded use: what is counted for the slice it has paid */
    uint32_t suspends;            /* number of the last attempt.suspended */
    bool rests;                   /* paused, and not for want of money */
    char *suspended_by;           /* who, and why */
    int64_t suspended_utc_us;     /* since when */
    struct measure io_paid_bytes;
    bool io_final, suspended_for_io;
};
struct fact_snapshot_job {
    struct fact_submitted submitted;
    int64_t submitted_utc_us;
    uint32_t next_task;           /* tasks from here on have never started */
    struct counts ended;          /* finished tasks by state name */
    int64_t spent_micros;         /* over all attempts */
    struct list tasks;            /* struct snapshot_task */
    struct list over;             /* struct fact_outcome: which tasks are over */
    struct fact_job_changed changed; /* since it was submitted */
};
struct fact_snapshot_cell {
    uint64_t seq, term, next_job;
    int64_t billing_from_utc_us;  /* where the first billing period begins that isn't closed; 0 = no fact yet */
    uint32_t periods_closed;
    uint64_t next_proposal;
    struct list nodes;            /* struct snapshot_node */
    struct list accounts;         /* struct snapshot_account */
    struct list rates;            /* struct snapshot_rate */
    struct list budgets;          /* struct snapshot_budget */
    struct list adjusted;         /* struct snapshot_adjusted */
    int64_t fade_epoch_utc_us;    /* policies/fade.h */
    struct list faded;            /* struct snapshot_faded: of those that have any */
    struct list tenant_ids;       /* struct snapshot_tenant_id */
    uint64_t next_tenant_id;
    struct list windows;          /* struct fact_window */
    uint64_t last_window;         /* the highest number that was given */
};
struct snapshot_faded { char *tenant; uint64_t amount; };
struct snapshot_rate { char *tenant; bool starts; int64_t parts, at_utc_us; /* quotas/rate.h */ };
struct snapshot_node {
    struct fact_node node;
    bool drained, lost;
    char *drain_reason;
    struct fact_quarantined quarantine; /* while it is out */
};
struct snapshot_account {
    char *name;
    int64_t limit_micros, spent_micros;
    int64_t carried_micros, from_utc_us, to_utc_us;
    char *resource;
    uint32_t crossed;             /* bit i: threshold i of its rule was passed; 16 + i: fell back, to be said */
};
/* Since when there has been a budget; what it had left before then isn't carried. */
struct snapshot_budget { char *tenant, *budget; int64_t since_utc_us; };
/* A key under which something was posted, and what; how many billing periods were closed by then. */
struct snapshot_adjusted { char *key; uint64_t hash; uint32_t periods_closed; };
struct snapshot_tenant_id { char *tenant; uint64_t id; };

struct fact {
    uint32_t kind;      /* enum fact_kind */
    int64_t at_utc_us;  /* when the scheduler proposed it; never falls from one fact to the next */
    union {
        struct fact_term term;
        struct policy_change policy;
        struct fact_submitted submitted;
        struct fact_tasks cancelled, held, released;
        struct fact_placed placed;
        struct fact_running running;
        struct fact_renewed renewed;
        struct fact_stopping stopping;
        struct fact_attempt unreachable, reached;
        struct fact_ended ended;
        struct fact_node joined;
        struct fact_node_lost lost;
        struct fact_drained drained;
        struct fact_snapshot_job snapshot_job;
        struct fact_snapshot_cell snapshot_cell;
        struct fact_budget_opened budget_opened;
        struct fact_budget_crossed budget_crossed;
        struct fact_adjusted adjusted;
        struct fact_period_closed period_closed;
        struct fact_policy_proposed policy_proposed;
        struct fact_policy_dropped policy_dropped;
        struct fact_tenant_moved tenant_moved;
        struct fact_job_changed job_changed;
        struct fact_accounts_closed accounts_closed;
        struct fact_window window;
        struct fact_window_dropped window_dropped;
        struct fact_gang gang_placed;
        struct fact_suspended suspended;
        struct fact_quarantined quarantined;
    };
};

extern const struct names fact_names;    /* "job.submitted", "attempt.placed", … */
extern const struct names task_next_names;
/* The table of the union member for a kind; NULL for FACT_NONE and unknown kinds. */
const struct fields *fact_fields(uint32_t kind);
/* Where that member lies in the fact. */
void *fact_body(struct fact *fact);
const void *fact_body_const(const struct fact *fact);

void fact_encode(const struct fact *fact, struct buf *out);
/* -EBADMSG: not a fact. -EPROTONOSUPPORT: a kind this version doesn't know, named in err. */
int fact_decode(const void *bytes, size_t len, struct fact *fact, struct err *err) MUST_USE;
/* The same, but what it holds is the arena's: it goes with arena_reset() and isn't cleared. `alike` keeps the specs
 * that were read, and what they hold is its. */
struct arena;
struct alike;
int fact_decode_in(struct arena *a, struct alike *alike, const void *bytes, size_t len, struct fact *fact,
                   struct err *err) MUST_USE;
void fact_clear(struct fact *fact);
/* Only as much as its kind has: `to` needs not be anything before, `from` is of no kind afterwards. */
void fact_hand_over(struct fact *from, struct fact *to);
int fact_copy(const struct fact *from, struct fact *to) MUST_USE;
/* How many attempts a fact places: 1 for attempt.placed, the members of gang.placed, else 0; and the one at `i` as an
 * attempt.placed: the fact itself, or *room, which borrows all of it. Whoever reads placements reads them so. */
size_t fact_placements(const struct fact *fact);
const struct fact *fact_placement(const struct fact *fact, size_t i, struct fact *room);

#endif
