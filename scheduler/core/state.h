/*
 * state - what the core is made of. Internal to scheduler/core; everybody else sees core.h.
 *
 *   what                 files
 *   facts -> state       apply.c (the table), apply_tasks.c, apply_attempt.c, paused.c, suspend.c, policy_change.c,
 *                        nodes.c, move.c, snapshot.c
 *   records              jobs.c (jobs, tasks), outcomes.c (which tasks are over), nodes.c, pool.h (nodes by
 *                        what jobs want), topology.h (by a label), spread.c (over its values),
 *                        windows.c (maintenance), quarantine.c, tenants.c (tree), shapes.c, demands.c (what is
 *                        asked), history.c, past_use.c (use that fades)
 *   who waits            queue.c (ready tasks), age.c (how long), claims.c (whose turn it is), timers.c, depend.c (for
 *                        other jobs), blocked.c (for limits), deadline.c (no longer), gang.c (for each other)
 *   proposals            decide.c (the turn), decide_nodes.c (silence, losses), renew.c, decide_place.c, choose.c
 *                        (where), forecast.c (when what runs ends), runway.c (how long it can be paid for), reserve.c
 *                        (what is kept for whom), preempt.c (who goes for whom), preempt_search.c (from where),
 *                        billing.c
 *   two persons          proposals.c (raises that wait), policy_raise.c, policy_raise_prices.c (what is a raise)
 *   questions            submit.c, depend_ask.c, cancel.c, change.c, policy_check.c, move.c, duty.c,
 *                        reports.c (hello, running, ended), windows_ask.c
 *   money of nobody's    adjust.c (credits, adjustments, thresholds)
 *   money of an attempt  settle.c, io_paid.c (bytes), times.c (resource time), openings.c (accounts that a hold needs);
 *                        of a submission: quote.c
 *   answers for people   top.c, explain.c (explain_ask.h has its parts), views.c, list.c
 *   state as a whole     snapshot.c, verify.c, hash.c
 *
 * Headers: this one has the records and what is done to them; apply.h what facts do, money.h what is held and charged,
 * plan.h one turn of decide(), answers.h questions of people; claims.h, depend.h, forecast.h, reserve.h and the like
 * have one noun each.
 *
 * Two kinds of state live side by side: what facts made (all of it in snapshots and in core_hash), and soft state: the
 * last contact with nodes, facts in flight, pauses after a refusal, the history of ended attempts and finished jobs.
 * Soft state is never needed to apply a fact.
 */
#ifndef REEVE_SCHEDULER_CORE_STATE_H
#define REEVE_SCHEDULER_CORE_STATE_H

#include "base/task_state.h"
#include "policies/backfill.h"
#include "policies/fade.h"
#include "policies/order.h"
#include "policies/place.h"
#include "scheduler/core/core.h"
#include "scheduler/core/age.h"
#include "base/heap.h"
#include "scheduler/core/depend.h"
#include "scheduler/core/outcomes.h"
#include "scheduler/core/table.h"
#include "scheduler/core/pool.h"
#include "scheduler/core/topology.h"

#define RESERVE_MAX 64       /* promises at once */
#define FINAL_STATES (TASK_STATE_COUNT - TASK_SUCCEEDED)
#define HISTORY_MAX 16       /* ended attempts kept of a job */
#define JOB_ACCOUNT_MAX 32   /* "job:812" */
#define REFUSED_PAUSE_US INT64_C(1000000)
#define NEVER_US INT64_MAX
#define SETTLE_MARGIN_US UINT64_C(1000000) /* so much of what ran last is settled later */
#define CLOCK_DRIFT_PARTS 1000 /* two clocks, 500 ppm each */

struct job;
struct task;
struct node;
struct tenant;
struct deadline;
struct window;
struct plan;
struct spread;
struct spread_counts;

/* Something ready to start: the tasks of a job that never started, or one task that waits for another attempt. */
struct entry {
    uint32_t at;       /* in its shape's heap, or HEAP_NOWHERE */
    bool of_task;      /* it lies in a task, else in its job: entry_task(), entry_job() */
};
struct timer {
    int64_t due_utc_us;
    struct job *job;
    struct task *task; /* NULL: the job's fresh tasks wait */
    bool deadline;     /* or one of its deadlines comes */
    uint32_t at;
};

/* What is asked of a node, once in the cell and each pool. Shapes of all tenants that ask alike share the verdict that
 * no node has room, until some node has more free than before; and likewise when the last of those with room closes for
 * maintenance: whoever may run until then finds none. */
struct demand {
    struct capacity need;
    struct pool *pool;       /* NULL: any node will do */
    uint32_t shapes;         /* that ask for it */
    struct heap waiting;     /* of these, with ready tasks: struct shape, least clear_us first */
    uint64_t full;           /* no node had room when c->room was this; 0 = not known */
    uint64_t shut;           /* when c->room was this, those with room closed until until_utc_us; 0 = not known */
    int64_t until_utc_us;
    size_t at;               /* in c->demands */
};
/* No room was found for so many of a gang, or for more, when c->room and promises were these. */
struct in_vain {
    uint64_t room, version;
    uint64_t job;            /* of this one; another may have more on a node (per_node) */
    uint32_t least;
};
/* What decides alike: tasks of one tenant with one demand and one time limit. A verdict is worth one turn. Of gangs one
 * that has begun before may want less than another: only some of it are left. */
struct shape {
    /* what is looked at when it isn't tried: together */
    struct tenant *tenant;
    struct demand *demand;   /* NULL: not placeable */
    struct heap_rank head;   /* of the first of the ready ones: by age_urgency(), and its job */
    struct heap ready;       /* struct entry, best first */
    uint32_t at;             /* in its tenant's heap of shapes, or HEAP_NOWHERE */
    uint32_t waits_at;       /* in its demand's heap, or HEAP_NOWHERE */
    int64_t clear_us;        /* while it waits: so long its node must stay open (forecast_ask()) */
    bool placeable;          /* false: names a resource or a feature that no node has */
    bool reserved;           /* soft: a node is kept for it (reserve.c) */
    bool preemptible;
    bool pinned;             /* its cores are its alone, also while it stands still */
    bool spread;             /* to the emptiest node, not the fullest with room */
    struct pool *pool;       /* of where; NULL too in one that is only as if */
    size_t names_seen;       /* number of names when need was computed */
    struct tenant *blocked_at; /* soft: whose limit it waits for, out of its tenant's heap; NULL: nobody's */
    struct capacity need;
    uint64_t limit_us;       /* 0 = none */
    uint64_t io_limit_bytes; /* of an attempt; 0 = none */
    struct resources resources;
    struct strs features;    /* that its limits need */
    uint16_t gang, gang_min; /* so many start together, or as few; 0: each alone */
    uint32_t per_node;       /* at most so many of a job on one node; 0: as many as fit */
    bool within_or_any;
    struct topology *within; /* a gang is on one group of it; NULL: wherever */
    struct spread *over;     /* a job's tasks go where the fewest are; NULL: wherever */
    uint32_t rests;          /* of those ready: gangs that have begun before */
    struct in_vain in_vain;  /* soft */
    uint64_t passed_turn;    /* soft: a gang that waits for room was passed over in this turn, for less of the shape */
    char *where;             /* NULL: any node */
    const struct where *parsed;
    uint64_t hash;
    uint32_t refs;           /* unfinished jobs */
    uint32_t skipped;        /* entries skipped one by one in the turn skipped_turn */
    uint64_t skipped_turn;
    int64_t victims_utc_us;  /* soft: whom to stop for it is looked for no sooner */
    struct shape *blocked_prev, *blocked_next;
    struct age_pause age_pause; /* soft: while it waits for a limit */
};

/* A claim competes with its siblings in the heap of its parent: a tenant as a whole, or a tenant's own jobs beside its
 * children. */
struct claim {
    struct tenant *tenant;
    struct order_claim rank;
    uint32_t at;
    bool own;
    uint64_t faded;                /* use that fades, what is paid ahead included */
    struct capacity used;
};
struct tenant {
    char *path;
    const char *name;              /* the path, interned: what its jobs have */
    struct tenant *parent;
    struct heap claims;            /* struct claim that has ready tasks, least share first */
    struct heap shapes;            /* struct shape that has ready tasks, best first */
    struct claim whole, own;
    uint32_t weight;
    struct order_weights weights;  /* by resource */
    uint32_t children;
    uint32_t paid_end;             /* enum paid_end */
    struct io_rule io;             /* of each node's disk; its weight as it is when the rule gives none */
    struct ledger_place place;     /* in the ledger */
    struct strs line;              /* path, …, "/" */
    struct strs accounts;          /* cached accounts of money: of one policy, between these two instants */
    struct list times;             /* struct tenant_time: the same for resource time */
    int64_t accounts_from_utc_us, accounts_end_utc_us;
    uint64_t accounts_policy;
    struct strs users;
    struct shape *blocked_shapes;  /* soft: that wait for its limits */
    struct age_pause age_pause;    /* soft: while it is stopped */
    bool stopped;                  /* soft: it has as many attempts as it may; nothing below it takes part */
    uint64_t recount_faded, recount_ahead; /* scratch of one call */
    size_t top_row;                /* scratch of core_top() */
    uint32_t refs;                 /* shapes */
    uint32_t failed;               /* tries that failed in the turn failed_turn */
    uint64_t failed_turn;
};

/* An account of a budget of a resource's time. */
struct tenant_time {
    char *account, *resource;
};

struct task {
    struct job *job;
    uint32_t index, epoch;
    uint32_t state;                /* enum task_state, none that is final */
    uint32_t stopping;             /* enum end_cause; END_NODE_LOST: died with its node's boot, decide() ends it */
    uint32_t retries_used, node_faults;
    bool final;                    /* no further slice could be held */
    bool paused;                   /* stands still at paid_us; holds nothing */
    bool probe;                    /* soft: the one that a quarantined node gets */
    bool wants_cores;              /* soft: it is paused, there is money again, and its node has no cores free */
    bool resuming;                 /* soft: it was paused, and its node hasn't said that it goes on */
    uint64_t paused_us;            /* how long it stood still, before the present pause */
    int64_t paused_utc_us;         /* since when it is paused */
    bool rests;                    /* paused, and not for want of money */
    uint32_t suspends;             /* how often it was suspended or resumed: odd while it is suspended */
    uint32_t stands, suspends_heard; /* soft: by which it stands still, says its node; the highest that it has heard */
    char *suspended_by;            /* who, and why */
    int64_t suspended_utc_us;
    bool going;                    /* soft: in this plan, or in flight, is its stop for another, or that of its gang */
    bool away;                     /* scratch of one call: the ledger is thought without it */
    bool missing;                  /* soft: its node doesn't list it */
    bool in_flight;                /* soft */
    bool breaking;                 /* soft: in flight is an end that decides for its gang */
    bool stop_told;                /* soft: in flight is an order to stop it, and its gang */
    struct node *node;             /* of the live attempt */
    struct task *node_prev, *node_next;
    struct node *avoid;
    int64_t placed_utc_us, started_utc_us, eligible_utc_us;
    int64_t spent_micros, hold_micros;
    uint64_t settled_us, paid_us;
    struct measure io_paid;        /* of its node's count of bytes: so much is paid; absent = no bound */
    bool io_final;                 /* no more than that could be held */
    int64_t io_out_utc_us;         /* soft: since when all of it is used; 0: it isn't */
    bool suspended_for_io;         /* for want of money for I/O, by nobody */
    uint64_t run_us, run_boot_us;  /* soft: what its node said last, and when by our clock; 0 = nothing yet */
    uint64_t first_run_us, first_boot_us; /* soft: the first it said */
    struct use_point use;          /* soft: the last it counted */
    struct usage *told;            /* soft: all that its node last told of what it used; NULL: nothing yet */
    struct stage_view *staging;    /* soft: while its inputs or outputs are under way; else NULL */
    uint64_t uncounted_us;         /* soft: run time of the last beat that counted nothing */
    uint64_t lasts_us, lasts_asked; /* soft: how long its money lasts, as was found when that was asked (forecast.c) */
    struct strs accounts;
    struct list times;             /* struct time_hold */
    int64_t accounts_end_utc_us;   /* soft: when a period of theirs ends; INT64_MAX: none does */
    struct list charges;           /* soft: struct charge, joined per resource and version */
    uint32_t price_version;
    const char *price_class;       /* interned; of its node when it was placed */
    struct list marks;             /* struct meter_mark: where charging by use stands */
    uint64_t ahead;                /* of its tenant's faded use: what is counted for the slice it has paid */
    struct entry entry;
    struct timer timer;            /* queued: eligible; running: the next renewal */
    char *refused;                 /* soft: code of the last refusal */
};

struct past_attempt {
    struct attempt_id id;
    struct node *node;
    size_t len;
    uint8_t bytes[];               /* attempt_view, encoded; none: it couldn't be */
};
struct history {                   /* soft: the newest of them; a ring once they are as many as it may hold */
    struct past_attempt **v;
    uint32_t count, first, size;
};

/* What most jobs that wait have nothing of yet. They share one that is empty; who writes has its own: job_aside(). */
struct job_aside {
    int64_t budget_micros;         /* its own; 0: none */
    int64_t ended_utc_us;
    int64_t spent_micros;
    int32_t exit_code;
    uint32_t ended[FINAL_STATES];
    uint32_t ended_count;
    struct outcomes over;          /* of these, which */
    struct deadline *deadline;     /* NULL: none */
    struct spread_counts *spread;  /* soft: of its tasks that live, where */
    struct timer *wait;            /* soft: its fresh tasks were refused and wait */
    char *refused;
    struct history *history;
    struct depends *after;         /* what it waits for; NULL: nothing */
    struct dependency *dependents; /* who waits for it */
    char *end_reason;              /* soft: why tasks ended that had not started */
    struct job *finished_next;
    uint32_t in_flight;            /* soft: facts about its tasks */
    uint32_t ending_in_flight;     /* soft: tasks that these make final */
    uint32_t ranges_in_flight;     /* soft: of these, about its waiting tasks as ranges */
};

/* What was asked for, encoded; once for all jobs that ask alike. */
struct job_ask {
    uint64_t hash;
    uint32_t refs, len;
    struct retry_rule *retry;      /* what it says of its retries; NULL: nothing */
    uint8_t bytes[];
};

struct job {
    uint64_t id;
    struct shape *shape;           /* NULL once finished */
    int64_t urgency;               /* policies/order.h */
    struct entry fresh;
    uint32_t plan_next, plan_live; /* scratch of the turn plan_turn */
    uint64_t plan_turn;
    const struct job_aside *aside;
    uint32_t first, last, next;    /* next: the first that has neither a record nor an outcome */
    uint32_t max_running;
    uint16_t gang, gang_min;       /* so many start together, or as few; 0: each alone */
    uint32_t live, held, paused;
    uint32_t change;               /* soft: counts what happened to it */
    uint8_t lease, on_node_loss;
    uint8_t retries;               /* at most JOB_RETRIES_MAX */
    bool on_hold : 1;              /* nothing of it starts */
    bool finished : 1;
    struct task **tasks;           /* by index: started and not final, or held */
    uint32_t tasks_count, tasks_size;
    const char *tenant, *user;     /* interned */
    int64_t submitted_utc_us;
    struct job_ask *ask;
    int32_t priority;
    uint32_t uid;
    char key[];
};

/* NULL: the job's fresh tasks. */
static inline struct task *entry_task(const struct entry *e)
{
    return e->of_task ? (struct task *)((uintptr_t)e - offsetof(struct task, entry)) : NULL;
}
static inline struct job *entry_job(const struct entry *e)
{
    return e->of_task ? entry_task(e)->job : (struct job *)((uintptr_t)e - offsetof(struct job, fresh));
}

struct node {
    char *name, *boot_id, *version, *drain_reason, *lost_reason;
    struct resources capacity;
    struct pairs labels;
    struct strs features;
    uint32_t max_attempts;         /* that it takes at once; 0: any number */
    struct capacity total, used;
    struct place_item open;        /* in core.open while it takes new work */
    struct place_item size;        /* in core.sizes unless lost: what it could take when empty */
    struct pool_node *pools;       /* that it is in */
    bool counts_io;                /* its features say so */
    bool drained, lost;
    uint32_t live;
    struct task *tasks;            /* live attempts */
    struct window **windows;       /* that close it, soonest first */
    uint32_t windows_count;
    bool quarantined;
    uint32_t quarantine_level;     /* how often in a row */
    int64_t quarantine_until_utc_us;
    char *quarantine_reason;
    struct faults *faults;         /* soft: what failed there of late; NULL: nothing (quarantine.c) */
    bool probing, well, failed;    /* soft: its time is over and it gets one attempt; that runs; that failed */
    bool going_out;                /* soft: in flight is that it is quarantined */
    uint32_t probes;               /* soft: such attempts, planned or alive */
    bool suspect;                  /* soft: decide() has to look at what failed there */
    struct node *suspect_next;
    uint32_t cores_wanted;         /* soft: paused attempts that wait for their cores: nothing new is placed */
    uint32_t asked;                /* scratch of one call: 1 and its place among those asked (preempt_search.c) */
    /* soft */
    bool heard;                    /* since this core began */
    bool silent;
    uint64_t hello;                /* number of the newest one */
    uint64_t seen_boot_us;
    int64_t seen_utc_us;
    struct node *seen_prev, *seen_next; /* longest silence first */
    bool troubled;                 /* in core.troubled: decide() has to look at its attempts */
    struct node *troubled_next;
    bool in_flight;
    uint32_t reserved;             /* reservations there: it isn't in core.open */
    bool changed;                  /* what is reserved could start earlier there */
    struct backfill profile;       /* of a reserved one, with what was confirmed in the turn profile_turn */
    uint64_t profile_turn, planned_turn; /* planned: the plan's log names it */
};

struct job_slot {
    uint64_t id;
    struct job *job; /* NULL: dropped */
};

struct core {
    struct core_limits limits;
    struct ledger *ledger;
    struct price_book *prices;
    struct list zones_offered;     /* soft: struct zone_table */
    struct hours **hours;          /* soft: books made when first asked for */
    char *currency;
    struct strs admins;
    bool two_persons;
    uint64_t policy_version;
    struct order_rule order;
    struct preempt_rule preempt;
    struct fade fade;
    struct billing_rule billing;
    struct zone_table billing_zone; /* of billing.zone, as it was known when the policy was set */
    int64_t billing_from_utc_us;    /* where the first billing month begins that isn't closed; 0: no fact yet */
    int64_t closing_utc_us;         /* when to look for accounts of periods that are over; 0: as soon as may be */
    struct billing_due { int64_t from_utc_us, utc_us; uint64_t policy_version; } billing_due; /* soft: when it closes */
    struct list proposals;  /* struct fact: FACT_POLICY_PROPOSED, oldest first */
    uint64_t next_proposal;

    struct table tenants, nodes_by_name, keys, shapes, demands_by_need, texts, asks;
    struct buf ask_bytes; /* scratch of one call */
    struct demand **demands;
    size_t demands_count, demands_size;
    size_t demands_waiting; /* of which somebody is ready to start */
    uint64_t room;         /* soft: grows when some node has more free than before */
    int64_t blocked_until_utc_us; /* soft: when a period or a price of what waits for money ends */
    bool price_classes;           /* some price depends on the node */
    uint32_t spent;        /* soft: resources, a bit each, of which nobody who waits can get any more */
    bool guarantees;       /* some tenant is guaranteed something */
    uint64_t suspended_live;   /* attempts */
    uint64_t preemptible_live; /* attempts of jobs that may be preempted */
    struct tenant *root;
    struct tenant **inner; /* that have children, but the root: children first */
    size_t inner_count;
    struct node **nodes; /* by name */
    size_t nodes_count, nodes_size;
    struct node *seen_first, *seen_last, *troubled, *suspects;
    uint64_t joins;      /* soft: of nodes, with labels that may be others */
    uint64_t nodes_quarantined, quarantines_total;
    struct capacity_names names;
    struct capacity total; /* of all nodes that aren't lost */
    struct window **windows; /* by number */
    size_t windows_count;
    uint64_t last_window;
    struct place_index open, sizes;
    struct pools pools;

    struct job_slot *jobs; /* by id */
    size_t jobs_count, jobs_size, jobs_dropped;
    struct job *finished_first, *finished_last;
    uint64_t unfinished, finished;
    struct heap timers; /* struct timer, soonest first */
    struct job *doomed; /* soft: what some of its tasks wait for can't come any more */
    struct gang_over { uint64_t job; uint32_t task; } *gangs_over; /* soft: some of theirs may still wait */
    size_t gangs_over_count, gangs_over_size;

    uint64_t seq, term, next_job;
    int64_t fact_utc_us;    /* of the newest fact: no later one is below it */
    int64_t turn_utc_us;    /* soft: of the newest turn, or of a fact since */
    /* soft */
    uint64_t next_job_handed;
    uint64_t turn;
    struct still {
        bool is; /* nothing is to be said before these, if nothing happens (decide.c) */
        uint64_t boot_us;
        int64_t utc_us;
    } still;
    struct reserves *reserves;
    struct forecast *forecast;
    struct plan_rows *plan_rows; /* plan.h */
    uint32_t estimates;     /* in answers to submissions, since estimates_utc_us */
    int64_t estimates_utc_us;
    bool began;             /* the first decide() has been */
    uint64_t hello_boot_us; /* when the newest hello came that makes a node join */
    uint32_t plans_in_flight, policy_in_flight, moves_in_flight, windows_in_flight;
    uint64_t facts_in_flight;
    bool period_in_flight;
    struct strs adjusting;  /* keys of adjustments in flight */
    uint64_t count[TASK_STATE_COUNT]; /* tasks by state; only live and held ones are kept */
    uint64_t submitted_total, placed_total, ended_total, renewed_total, stale_total, refused_total, decisions_total;
    int64_t written_off_micros;
};

/* Something happened: the next turn looks at everything. Whatever may give it something to say comes by here: each fact
 * that is applied or refused (flight_end), a timer, a node in trouble, under suspicion, or with other room. */
static inline void core_stir(struct core *c)
{
    c->still.is = false;
}

/* ---- core.c: memory that a committed fact can't do without, texts ------------------------------------------ */
void *core_alloc(size_t size);                        /* zeroed; aborts */
void *core_grow(void *old, size_t size);              /* realloc; aborts */
/* A row of `count` with a place for one more: as it is, twice as long, or `first` long when it is new. */
void *core_room(void *row, size_t count, size_t *size, size_t first, size_t each);
char *core_text(const char *text);                    /* strdup, NULL stays NULL; aborts */
const char *core_intern(struct core *c, const char *text);
void core_copy_strs(const struct strs *from, struct strs *to);
void core_copy_resources(const struct resources *from, struct resources *to);
void core_clear_strs(struct strs *s);
/* Time never falls from one fact to the next, whatever the clock does. */
int64_t core_utc(const struct core *c, struct core_now now);
uint64_t core_slice_us(const struct core *c);
/* The longest an attempt with this time limit (0 = none) can run and must be paid for: SIGTERM comes at the limit,
 * SIGKILL a grace later. */
uint64_t core_longest_us(const struct core *c, uint64_t limit_us);
void refusal_from(struct refusal *r, const char *code, const char *where, const char *hint, const char *format, ...)
    PRINTF_LIKE(5, 6);
char *text_of(const char *format, ...) PRINTF_LIKE(1, 2); /* allocated; NULL on lack of memory */
uint64_t hash_fields(uint64_t hash, const struct fields *f, const void *object); /* hash.c */

/* ---- jobs.c ------------------------------------------------------------------------------------------------ */
struct job *job_find(const struct core *c, uint64_t id);
struct job *job_find_key(const struct core *c, const char *tenant, const char *key);
struct job *job_add(struct core *c, const struct fact_submitted *f, int64_t at_utc_us);
const char *job_key(const struct job *j);
extern const struct job_aside job_nothing_aside;
struct job_aside *job_aside(struct job *j); /* to write to; its own from now on */
void job_set_refused(struct job *j, const char *code); /* copied; NULL: no longer */
void job_rename_tenant(struct core *c, struct job *j, const char *tenant); /* its key goes along */
/* The spec as submitted; the caller clears it with job_spec_fields. */
void job_spec_of(const struct job *j, struct job_spec *ret);
uint32_t job_tasks(const struct job *j);
uint32_t job_failed(const struct job *j); /* of its tasks that are over: neither succeeded nor left out */
/* Nothing of it is in the queue, or the queue is put in order afterwards. */
void job_set_priority(const struct core *c, struct job *j, int32_t priority);
/* The first task from there on that never started and isn't held; > last: none. */
uint64_t job_fresh_from(const struct job *j, uint64_t from);
/* The first of these that waits for no other job; of a job with gangs the first of a gang that could start. */
uint64_t job_ready_from(const struct job *j, uint64_t from);
uint64_t job_ready_task_from(const struct job *j, uint64_t from); /* whatever its gang */
/* Where in j->tasks the first record from a task on is; j->tasks_count: there is none. */
uint32_t job_record_from(const struct job *j, uint32_t index);
bool job_has_task(const struct job *j, uint32_t index);
struct tenant *job_tenant(const struct job *j);              /* of an unfinished job */
struct task *task_find(const struct job *j, uint32_t index);
struct task *task_of(const struct core *c, struct attempt_id id); /* NULL: no record, or of another epoch */
struct task *task_add(struct core *c, struct job *j, uint32_t index, uint32_t state);
void task_drop(struct core *c, struct task *t);
void task_set_state(struct core *c, struct task *t, uint32_t state);
struct attempt_id task_id(const struct task *t);
/* These tasks are over, their records are gone; `state` is final. */
void job_count_ended(struct core *c, struct job *j, uint32_t state, uint32_t first, uint32_t count);
void job_advance(struct job *j); /* a task has got a record or an outcome: job->next may move */
void job_finish_if_done(struct core *c, struct job *j, int64_t at_utc_us);
void jobs_fini(struct core *c);

/* ---- history.c --------------------------------------------------------------------------------------------- */
void history_add(struct job *j, const struct attempt_view *view, struct attempt_id id, struct node *node);
void history_free(struct history *h);
/* Its newest of that epoch, 0 = of any. NULL: not there. */
const struct past_attempt *history_find(const struct history *h, struct attempt_id id);
bool history_read(const struct past_attempt *p, struct attempt_view *ret); /* the caller clears it */
void history_each(const struct history *h, void (*fn)(void *arg, struct attempt_view *view), void *arg);
/* Joins lines of the same resource and price that follow each other; bytes of I/O add up. */
void charges_join(struct list *to, const struct list *from);
void charges_clear(struct list *l);
void marks_clear(struct list *l);
void marks_set(struct list *to, const struct list *from);

/* ---- shapes.c ---------------------------------------------------------------------------------------------- */
struct shape *shape_get(struct core *c, struct tenant *t, const struct job_spec *spec); /* one reference more */
void shape_put(struct core *c, struct shape *s);
/* All shapes of a tenant and of those below it leave the table, and come back to it under their tenants' new names. */
struct shape **shapes_take(struct core *c, const char *top, size_t *ret_count); /* the caller frees the row */
void shapes_put_back(struct core *c, struct shape *const *row, size_t count);
int shapes_verify(const struct core *c, struct err *err) MUST_USE;
/* Up to date with the nodes' generic resources and features. */
void shape_refresh(struct core *c, struct shape *s);
void shapes_refresh(struct core *c); /* all of them: a resource or a feature has a place that had none */
/* What it needs of a node. false: something that no node ever had. */
bool shape_need(const struct core *c, const struct shape *s, struct capacity *ret);
/* One that no job has, for a question: shares t's memory and spec's; the caller clears it. */
struct shape shape_as_if(const struct core *c, const struct tenant *t, const struct job_spec *spec);
void shape_as_if_clear(struct shape *s);
/* Do this node's labels suit it? */
bool shape_suits(const struct shape *s, const struct node *n);
/* Of two with room. */
bool shape_prefers(const struct shape *s, const struct node *n, const struct node *to);
/* Run time that the first hold of a task of this shape pays for. */
uint64_t shape_slice_us(const struct core *c, const struct shape *s);

/* ---- queue.c, timers.c ------------------------------------------------------------------------------------- */
/* Puts every entry of the job where it belongs: into its shape's heap or out of it. */
void queue_sync(struct core *c, struct job *j);
bool job_may_start(const struct job *j, uint32_t tasks); /* so many more, as far as its cap, and a person, allow */
bool task_is_ready(const struct task *t);  /* it, or the gang that it leads, belongs into the queue */
bool job_is_ready(const struct job *j);    /* the same for its fresh tasks */
void queue_sync_task(struct core *c, struct task *t);
void queue_push(struct core *c, struct entry *e);
void queue_drop(struct core *c, struct entry *e); /* no-op when it isn't in */
struct entry *queue_first(const struct shape *s); /* NULL: empty */
/* Takes a shape out of its tenant's heap with all its entries, and back: the turn found that none can start. */
void queue_park(struct core *c, struct shape *s);
void queue_unpark(struct core *c, struct shape *s);
/* The same for all shapes of a tenant's heap, it isn't empty, of which `out` says so. */
void queue_park_some(struct core *c, struct tenant *t, bool (*out)(void *arg, void *shape), void *arg);

/* The order inside tenants has another rule: nobody stands still at a limit; all the time before was waiting. */
void queue_reorder(struct core *c);

void timer_set(struct core *c, struct timer *t, int64_t due_utc_us);
void timer_stop(struct core *c, struct timer *t);
struct timer *timer_first(const struct core *c);

/* ---- tenants.c --------------------------------------------------------------------------------------------- */
struct tenant *tenant_find(const struct core *c, const char *path);
struct tenant *tenant_add(struct core *c, const char *path);
void tenant_remove(struct core *c, struct tenant *t);
void tenant_free(struct tenant *t);
void tenant_set_rule(struct tenant *t, const struct tenant_rule *rule);
/* Below another parent, with all below it, under the names that the fact gives them. */
void tenant_move(struct core *c, const struct fact_tenant_moved *move);
/* The accounts on which its line holds money now, cached, and in t->times those of resource time. Borrowed. */
const struct strs *tenant_accounts(const struct core *c, struct tenant *t, int64_t utc_us);
/* When the first period of these ends. INT64_MAX: none does. */
int64_t tenant_accounts_end(const struct core *c, struct tenant *t, int64_t utc_us);
/* Is it among t->times, as tenant_accounts() left them? */
bool tenant_has_time(const struct tenant *t, const char *account);
void tenants_each(const struct core *c, void (*fn)(void *arg, struct tenant *t), void *arg);

/* ---- nodes.c ----------------------------------------------------------------------------------------------- */
struct node *node_find(const struct core *c, const char *name);
struct node *node_add(struct core *c, const char *name);
void node_seen(struct core *c, struct node *n, struct core_now now);
void node_reindex(struct core *c, struct node *n);   /* kept for somebody, or no longer */
/* What node.joined and node.lost do; the cell's total is another then: claims_rebuild() is up to the caller. */
struct node *node_join(struct core *c, const struct fact_node *f);
void node_lose(struct core *c, struct node *n, const char *reason);
void node_refresh(struct core *c, struct node *n);   /* into or out of the placement index, with what it has free */
bool node_is_usable(const struct node *n);           /* does it take new work? */
const char *node_state(const struct node *n, int64_t utc_us); /* "up", "closed", "drained", "unreachable", "lost" */
void node_use(struct core *c, struct node *n, const struct capacity *need, bool more);
void node_trouble(struct core *c, struct node *n);   /* decide() has to look at it */
void node_take_task(struct node *n, struct task *t);
void node_leave_task(struct task *t);
void nodes_fini(struct core *c);
uint64_t nodes_look(struct core *c, struct core_now now); /* who has become silent; when to look again (boot_us) */
uint64_t node_silent_us(const struct node *n, struct core_now now);

#endif
