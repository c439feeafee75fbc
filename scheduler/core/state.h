/*
 * state - what the core is made of. Internal to scheduler/core; everybody else sees core.h.
 *
 *   what                 files
 *   facts -> state       apply.c (the table), apply_tasks.c, apply_attempt.c, paused.c, policy_change.c,
 *                        nodes.c, move.c, snapshot.c
 *   records              jobs.c (jobs, tasks), outcomes.c (which tasks are over), nodes.c, pool.h (nodes by
 *                        what jobs want), tenants.c (tree), shapes.c, demands.c (what is asked), history.c,
 *                        past_use.c (use that fades)
 *   who waits            queue.c (ready tasks), claims.c (whose turn it is), timers.c, depend.c (for other jobs),
 *                        blocked.c (for limits), deadline.c (no longer)
 *   proposals            decide.c (the turn), decide_nodes.c (silence, losses), renew.c, decide_place.c, choose.c
 *                        (where), reserve.c (what is kept for whom), preempt.c (who goes for whom), billing.c
 *   two persons          proposals.c (raises that wait), policy_raise.c, policy_raise_prices.c (what is a raise)
 *   questions            submit.c, depend_ask.c, cancel.c, change.c, policy_check.c, move.c, duty.c,
 *                        reports.c (hello, running, ended)
 *   money of nobody's    adjust.c (credits, adjustments, thresholds)
 *   money of an attempt  settle.c, times.c (resource time), openings.c (accounts that a hold needs);
 *                        of a submission: quote.c
 *   answers for people   explain.c, views.c, list.c
 *   state as a whole     snapshot.c, verify.c, hash.c
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
#include "base/heap.h"
#include "scheduler/core/depend.h"
#include "scheduler/core/outcomes.h"
#include "scheduler/core/table.h"
#include "scheduler/core/pool.h"

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
struct plan;

/* Something ready to start: the tasks of a job that never started, or one task that waits for another attempt. */
struct entry {
    struct job *job;
    struct task *task; /* NULL: the job's fresh tasks */
    uint32_t at;       /* in its shape's heap, or HEAP_NOWHERE */
};
struct timer {
    int64_t due_utc_us;
    struct job *job;
    struct task *task; /* NULL: the job's fresh tasks wait */
    bool deadline;     /* or one of its deadlines comes */
    uint32_t at;
};

/* What is asked of a node, once in the cell and each pool. Shapes of all tenants that ask alike share the verdict that
 * no node has room, until some node has more free than before. */
struct demand {
    struct capacity need;
    struct pool *pool;       /* NULL: any node will do */
    uint32_t shapes;         /* that ask for it */
    uint32_t waiting;        /* of these, with ready tasks */
    uint64_t full;           /* no node had room when c->room was this; 0 = not known */
    size_t at;               /* in c->demands */
};
/* What decides alike: tasks of one tenant with one demand and one time limit. A verdict is worth one turn. */
struct shape {
    struct tenant *tenant;
    struct resources resources;
    struct strs features;    /* that its limits need */
    uint64_t limit_us;       /* 0 = none */
    bool preemptible;
    bool spread;             /* to the emptiest node, not the fullest with room */
    char *where;             /* NULL: any node */
    struct pool *pool;       /* of where; NULL too in one that is only as if */
    const struct where *parsed;
    uint64_t hash;
    uint32_t refs;           /* unfinished jobs */
    struct heap ready;       /* struct entry, best first */
    uint32_t at;             /* in its tenant's heap of shapes, or HEAP_NOWHERE */
    struct capacity need;
    struct demand *demand;   /* NULL: not placeable */
    bool pinned;             /* its cores are its alone, also while it stands still */
    bool placeable;          /* false: names a resource or a feature that no node has */
    size_t names_seen;       /* number of names when need was computed */
    uint32_t skipped;        /* entries skipped one by one in the turn skipped_turn */
    uint64_t skipped_turn;
    bool reserved;           /* soft: a node is kept for it (reserve.c) */
    int64_t victims_utc_us;  /* soft: whom to stop for it is looked for no sooner */
    struct tenant *blocked_at; /* soft: whose limit it waits for, out of its tenant's heap; NULL: nobody's */
    struct shape *blocked_prev, *blocked_next;
};

/* A claim competes with its siblings in the heap of its parent: a tenant as a whole, or a tenant's own jobs beside its
 * children. */
struct claim {
    struct tenant *tenant;
    struct capacity used;
    uint64_t faded;                /* use that fades, what is paid ahead included */
    struct order_claim rank;
    uint32_t at;
    bool own;
};
struct tenant {
    char *path;
    struct tenant *parent;
    uint32_t weight;
    struct order_weights weights;  /* by resource */
    uint32_t children;
    uint32_t paid_end;             /* enum paid_end */
    struct strs line;              /* path, …, "/" */
    struct strs accounts;          /* cached accounts of money: of one policy, until accounts_end_utc_us */
    struct list times;             /* struct tenant_time: the same for resource time */
    int64_t accounts_end_utc_us;
    uint64_t accounts_policy;
    struct strs users;
    struct claim whole, own;
    struct heap claims;            /* struct claim that has ready tasks, least share first */
    struct heap shapes;            /* struct shape that has ready tasks, best first */
    struct shape *blocked_shapes;  /* soft: that wait for its limits */
    bool stopped;                  /* soft: it has as many attempts as it may; nothing below it takes part */
    uint64_t recount_faded, recount_ahead; /* scratch of one call */
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
    bool wants_cores;              /* soft: it is paused, there is money again, and its node has no cores free */
    bool resuming;                 /* soft: it was paused, and its node hasn't said that it goes on */
    uint64_t paused_us;            /* how long it stood still, before the present pause */
    int64_t paused_utc_us;         /* since when it is paused */
    bool going;                    /* soft: in this plan, or in flight, is its stop for another */
    bool missing;                  /* soft: its node doesn't list it */
    bool in_flight;                /* soft */
    struct node *node;             /* of the live attempt */
    struct task *node_prev, *node_next;
    struct node *avoid;
    int64_t placed_utc_us, started_utc_us, eligible_utc_us;
    int64_t spent_micros, hold_micros;
    uint64_t settled_us, paid_us;
    uint64_t run_us, run_boot_us;  /* soft: what its node said last, and when by our clock; 0 = nothing yet */
    uint64_t first_run_us, first_boot_us; /* soft: the first it said */
    struct use_point use;          /* soft: the last it counted */
    uint64_t uncounted_us;         /* soft: run time of the last beat that counted nothing */
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

struct history {                   /* soft: attempt_view, encoded; ring of the newest */
    struct bytes v[HISTORY_MAX];
    struct attempt_id ids[HISTORY_MAX];
    struct node *nodes[HISTORY_MAX];
    uint32_t count, first;
};

struct job {
    uint64_t id;
    struct shape *shape;           /* NULL once finished */
    const char *tenant, *user;     /* interned */
    uint8_t *spec;                 /* encoded; the key's text follows */
    uint32_t spec_len;
    uint32_t uid;
    int64_t submitted_utc_us, ended_utc_us;
    int64_t spent_micros, budget_micros;
    int32_t priority, exit_code;
    int64_t urgency;               /* policies/order.h */
    uint32_t first, last, next;    /* next: the first that has neither a record nor an outcome */
    uint32_t max_running, retries;
    uint32_t live, held, paused;
    uint32_t ended[FINAL_STATES];
    uint32_t ended_count;
    struct outcomes over;          /* of these, which */
    struct task **tasks;           /* by index: started and not final, or held */
    uint32_t tasks_count, tasks_size;
    struct entry fresh;
    struct deadline *deadline;     /* NULL: none */
    struct timer *wait;            /* soft: its fresh tasks were refused and wait */
    char *refused;
    struct history *history;
    struct depends *after;         /* what it waits for; NULL: nothing */
    struct dependency *dependents; /* who waits for it */
    char *end_reason;              /* soft: why tasks ended that had not started */
    struct job *finished_next;
    uint32_t change;               /* soft: counts what happened to it */
    uint32_t in_flight;            /* soft: facts about its tasks */
    uint32_t ending_in_flight;     /* soft: tasks that these make final */
    uint32_t ranges_in_flight;     /* soft: of these, about its waiting tasks as ranges */
    uint32_t plan_next, plan_live; /* scratch of the turn plan_turn */
    uint64_t plan_turn;
    uint8_t lease, on_node_loss;
    bool on_hold;                  /* nothing of it starts */
    bool finished;
};

struct node {
    char *name, *boot_id, *version, *drain_reason, *lost_reason;
    struct resources capacity;
    struct pairs labels;
    struct strs features;
    struct capacity total, used;
    struct place_item open;        /* in core.open while it takes new work */
    struct place_item size;        /* in core.sizes unless lost: what it could take when empty */
    struct pool_node *pools;       /* that it is in */
    bool drained, lost;
    uint32_t live;
    struct task *tasks;            /* live attempts */
    uint32_t cores_wanted;         /* soft: paused attempts that wait for their cores: nothing new is placed */
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

    struct table tenants, nodes_by_name, keys, shapes, demands_by_need, texts;
    struct demand **demands;
    size_t demands_count, demands_size;
    uint64_t room;         /* soft: grows when some node has more free than before */
    int64_t blocked_until_utc_us; /* soft: when a period or a price of what waits for money ends */
    bool price_classes;           /* some price depends on the node */
    uint32_t spent;        /* soft: resources, a bit each, of which nobody who waits can get any more */
    bool guarantees;       /* some tenant is guaranteed something */
    uint64_t preemptible_live; /* attempts of jobs that may be preempted */
    struct tenant *root;
    struct node **nodes; /* by name */
    size_t nodes_count, nodes_size;
    struct node *seen_first, *seen_last, *troubled;
    struct capacity_names names;
    struct capacity total; /* of all nodes that aren't lost */
    struct place_index open, sizes;
    struct pools pools;

    struct job_slot *jobs; /* by id */
    size_t jobs_count, jobs_size, jobs_dropped;
    struct job *finished_first, *finished_last;
    uint64_t unfinished, finished;
    struct heap timers; /* struct timer, soonest first */
    struct job *doomed; /* soft: what some of its tasks wait for can't come any more */

    uint64_t seq, term, next_job;
    int64_t last_utc_us;
    /* soft */
    uint64_t next_job_handed;
    uint64_t turn;
    struct reserves *reserves;
    bool began;             /* the first decide() has been */
    uint64_t hello_boot_us; /* when the newest hello came that makes a node join */
    uint32_t plans_in_flight, policy_in_flight, moves_in_flight;
    uint64_t facts_in_flight;
    bool period_in_flight;
    struct strs adjusting;  /* keys of adjustments in flight */
    uint64_t count[TASK_STATE_COUNT]; /* tasks by state; only live and held ones are kept */
    uint64_t submitted_total, placed_total, ended_total, renewed_total, stale_total, refused_total, decisions_total;
    int64_t written_off_micros;
};

/* ---- core.c: memory that a committed fact can't do without, texts ------------------------------------------ */
void *core_alloc(size_t size);                        /* zeroed; aborts */
void *core_grow(void *old, size_t size);              /* realloc; aborts */
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

/* ---- jobs.c ------------------------------------------------------------------------------------------------ */
struct job *job_find(const struct core *c, uint64_t id);
struct job *job_find_key(const struct core *c, const char *tenant, const char *key);
struct job *job_add(struct core *c, const struct fact_submitted *f, int64_t at_utc_us);
const char *job_key(const struct job *j);
void job_rename_tenant(struct core *c, struct job *j, const char *tenant); /* its key goes along */
/* The spec as submitted; the caller clears it with job_spec_fields. */
void job_spec_of(const struct job *j, struct job_spec *ret);
uint32_t job_tasks(const struct job *j);
/* Nothing of it is in the queue, or the queue is put in order afterwards. */
void job_set_priority(const struct core *c, struct job *j, int32_t priority);
/* The first task from there on that never started and isn't held; > last: none. */
uint64_t job_fresh_from(const struct job *j, uint64_t from);
/* The first of these that waits for no other job. */
uint64_t job_ready_from(const struct job *j, uint64_t from);
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
void history_each(const struct history *h, void (*fn)(void *arg, struct attempt_view *view), void *arg);
/* Joins lines of the same resource and price that follow each other. */
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
/* Up to date with the nodes' generic resources and features. */
void shape_refresh(struct core *c, struct shape *s);
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
bool job_may_start(const struct job *j); /* as far as its cap, and a person, allow */
void queue_sync_task(struct core *c, struct task *t);
void queue_push(struct core *c, struct entry *e);
void queue_drop(struct core *c, struct entry *e); /* no-op when it isn't in */
struct entry *queue_first(const struct shape *s); /* NULL: empty */
/* Takes a shape out of its tenant's heap with all its entries, and back: the turn found that none can start. */
void queue_park(struct core *c, struct shape *s);
void queue_unpark(struct core *c, struct shape *s);

/* The order inside tenants has another rule. */
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
void node_use(struct core *c, struct node *n, const struct capacity *need, bool more);
void node_trouble(struct core *c, struct node *n);   /* decide() has to look at it */
void node_take_task(struct node *n, struct task *t);
void node_leave_task(struct task *t);
void nodes_fini(struct core *c);
uint64_t nodes_look(struct core *c, struct core_now now); /* who has become silent; when to look again (boot_us) */
uint64_t node_silent_us(const struct node *n, struct core_now now);

/* ---- apply ------------------------------------------------------------------------------------------------- */
struct fact_rule {
    int (*check)(const struct core *c, const struct fact *f, struct err *err);
    void (*apply)(struct core *c, const struct fact *f);
};
extern const struct fact_rule rule_opened, rule_adjusted, rule_crossed, rule_policy, rule_submitted, rule_cancelled,
    rule_held, rule_released, rule_placed, rule_accounts_closed,
    rule_running, rule_renewed, rule_stopping, rule_unreachable, rule_reached, rule_ended, rule_joined, rule_lost,
    rule_drained, rule_moved, rule_snapshot_job, rule_snapshot_cell, rule_period_closed, rule_policy_proposed,
    rule_policy_dropped, rule_changed;
/* Is it this tenant's path, leaf first? Facts carry it for readers that don't know the tree. */
bool path_is_of(const struct strs *path, const struct tenant *t);
/* attempt: into the state of a live one, as a placement or a snapshot leaves it */
void attempt_begin(struct core *c, struct task *t, struct node *n);
void attempt_finish(struct core *c, struct task *t);
void attempt_plan_renewal(struct core *c, struct task *t);
/* What a live attempt uses of its node: while it is paused no cores, but those that are its alone. */
struct capacity attempt_uses(const struct task *t);
void attempt_set_paused(struct core *c, struct task *t, bool paused, int64_t since_utc_us);
void attempt_want_cores(struct core *c, struct task *t, bool wants);
/* Has its node the cores that a paused attempt would take up again? */
bool attempt_has_cores(const struct task *t);
#define PAUSED_LOOK_US INT64_C(1000000) /* how often money is looked for while one is paused */
/* Its hold is for the periods of that instant. */
void attempt_note_periods(const struct core *c, struct task *t, int64_t utc_us);
/* How long before the paid end the next slice is asked for. */
int64_t renewal_lead_us(const struct core *c);
void policy_set(struct core *c, const struct policy_change *change, int64_t at_utc_us);

/* ---- billing.c --------------------------------------------------------------------------------------------- */
void billing_begin(struct core *c, int64_t at_utc_us); /* each fact of a journal passes here first */
int billing_policy_check(const struct core *c, const struct policy_change *change, struct err *err) MUST_USE;
void billing_policy_apply(struct core *c, const struct policy_change *change, int64_t at_utc_us);
/* Fills in what of the billing changes, and its lines. false: refused. spent: something was charged. */
bool billing_change(const struct core *c, struct billing_rule *wanted, bool spent, struct policy_change *change,
                    struct strs *lines, struct refusal *refusal);

/* ---- policy_check.c, proposals.c --------------------------------------------------------------------------- */
/* The whole policy as it shall be -> what changes, in the fact and in lines for people. */
int policy_difference(const struct core *c, struct policy_file *file, bool past_prices, struct fact *f,
                      struct strs *lines, struct refusal *refusal);
/* Turns a change into the proposal of it: FACT_NONE when that waits already. */
int propose_policy(struct core *c, struct fact *f, const struct apply_reply *reply, uint32_t uid, bool past_prices,
                   uint64_t *ret_proposal, struct refusal *refusal);
int proposals_policy_check(const struct core *c, const struct policy_change *change, struct err *err) MUST_USE;
void proposals_policy_apply(struct core *c, const struct policy_change *change);
int proposals_snapshot(const struct core *c, int (*fn)(void *arg, const struct fact *fact), void *arg) MUST_USE;
uint64_t proposals_hash(const struct core *c, uint64_t hash);
uint64_t hash_fields(uint64_t hash, const struct fields *f, const void *object); /* hash.c */
void proposals_fini(struct core *c);

/* ---- flight.c ---------------------------------------------------------------------------------------------- */
void flight_begin(struct core *c, const struct fact *f);
void flight_end(struct core *c, const struct fact *f);

/* ---- settle.c ---------------------------------------------------------------------------------------------- */
/* What the price book calls a node; NULL = none. */
const char *node_price_class(const struct node *n);
/* For what is not placed yet. */
struct meter shape_meter(const struct shape *s, const char *price_class, int64_t utc_us);
struct settlement {
    int64_t spent_micros;       /* cumulative, after it */
    int64_t written_off_micros;
    uint64_t settled_us;
    struct list charges;        /* struct charge, owned */
    struct list times;          /* struct time_hold, owned: what the holds of time came to */
};
struct meter task_meter(const struct task *t); /* from where its charging stands */
/* The instant at which its run time would have begun, had it never stood still. */
int64_t task_clock_utc_us(const struct task *t);
/* How long it has stood still, the present pause included. */
uint64_t task_paused_us(const struct task *t, int64_t utc_us);
/* Its node says that all that was paid is used, and it lives: it is paused, whether there is a fact of it or not. */
bool task_stands_still(const struct core *c, const struct task *t);
/* enum paid_end, as its tenant's rule says now. Who has used up the job's own budget waits for nothing: it stops. */
uint32_t task_paid_end(const struct core *c, const struct task *t);
/* How long it has run, as far as is known: what its node said and the time since; else by the wall clock. */
uint64_t task_run_us(const struct task *t, struct core_now now);
uint64_t task_wall_us(const struct task *t, struct core_now now); /* by the wall clock alone */
/* Charges the run time up to run_us as far as the hold pays; the rest is written off (or, at a renewal, still owed).
 * `use` as in quotas/price.h. */
void settle_until(const struct core *c, const struct task *t, const struct meter *meter, const struct use_point *use,
                  uint64_t run_us, struct settlement *ret);
/* Nothing beyond what was settled is charged: the platform's fault. */
void settle_fault(const struct core *c, const struct task *t, const struct meter *meter, const struct use_point *use,
                  uint64_t run_us, struct settlement *ret);
/* Fills f with the end of a live attempt; takes over record's detail. */
void settle_end(const struct core *c, struct task *t, struct exit_record *record, int64_t at_utc_us, struct fact *f);

/* ---- times.c ----------------------------------------------------------------------------------------------- */
/* Micro-unit-hours of a resource in the first run_us, and how long so many of them last. */
int64_t time_of(const struct core *c, const char *resource, const struct resources *held, uint64_t run_us);
uint64_t time_lasts(const struct core *c, const char *resource, const struct resources *held, int64_t micros,
                    uint64_t max_us);
/* A stretch of run time that is held for at an instant. */
struct stretch {
    int64_t utc_us;
    uint64_t from_us, to_us;
};
/* What is held for it on the tenant's budgets of time, in place of what *ret had; `settled`: as times_settled. */
void times_hold(const struct core *c, struct tenant *t, const struct resources *held, struct stretch s,
                const struct list *settled, struct list *ret);
/* What the holds come to when settled at that run time. */
void times_settle(const struct core *c, const struct task *t, uint64_t until_us, struct list *ret);
/* How much of the run time up to run_us the holds of time cover. */
uint64_t times_last(const struct core *c, const struct task *t, uint64_t run_us);
void times_copy(const struct list *from, struct list *to);
void times_clear(struct list *times);
void hours_fini(struct core *c);

/* ---- openings.c -------------------------------------------------------------------------------------------- */
/* budget.opened facts, applied to the ledger for as long as a thought lasts. {0} is empty. */
struct openings {
    struct fact *v;
    size_t count, size;
};
void openings_add(const struct core *c, struct openings *o, const struct fact *hold);
void openings_undo(const struct core *c, struct openings *o);
void openings_fini(struct openings *o); /* empty by then */
struct plan;
/* Those of the plan become proposals. false: no room for all of them and the hold; some may stand there. */
bool openings_plan(struct core *c, struct plan *p);

/* ---- adjust.c ---------------------------------------------------------------------------------------------- */
void adjust_begin(struct core *c, const struct fact_adjusted *f);
void adjust_end(struct core *c, const struct fact_adjusted *f);

/* ---- one turn of decide() ---------------------------------------------------------------------------------- */
struct placement {
    size_t fact;
    struct shape *shape;
    struct node *node;
    uint64_t ahead; /* counted of its tenant's use that fades */
};
struct plan {
    struct core_now now;       /* utc_us never below the last fact's */
    struct fact *facts;
    size_t count, max;
    uint64_t next_boot_us;
    struct placement *log;     /* what to undo when the turn is over */
    size_t log_count, log_size;
    struct task **resumed;     /* their cores are taken, until the turn is over */
    size_t resumed_count, resumed_size;
    struct entry **skipped;    /* entries to put back */
    size_t skipped_count, skipped_size;
    struct shape **parked;
    size_t parked_count, parked_size;
    struct tenant **rested;    /* tenants whose turn is over */
    size_t rested_count, rested_size;
    bool stalled;              /* who is first can't start, and nobody may pass (core_limits.in_order) */
    struct openings openings;  /* of the hold that is being thought about */
    bool full;                 /* no node has room for anything that waits */
    uint32_t victim_searches;  /* preempt.c */
    struct shape *kept[RESERVE_MAX]; /* for whom somebody goes: in the ledger as if they had started */
    size_t kept_count;
    uint32_t full_tries;       /* while it was full */
};
struct fact *plan_add(struct plan *p, uint32_t kind); /* NULL: full */
void plan_wake_at(struct plan *p, int64_t utc_us);    /* the next turn is no later; INT64_MAX: whenever */
/* Its cores are in use for the rest of the turn. */
void plan_resume(struct core *c, struct plan *p, struct task *t);
void plan_resume_undo(struct core *c, struct plan *p);
/* Takes a placement or a renewal; there is room. */
void plan_hold(struct core *c, struct plan *p, const struct fact *f);
void decide_crossings(struct core *c, struct plan *p);
void decide_nodes(struct core *c, struct plan *p);
void decide_billing(struct core *c, struct plan *p);
void decide_closing(struct core *c, struct plan *p);
/* An account's period ends then; also: ask again at that time. */
void closing_expect(struct core *c, int64_t to_utc_us);
void decide_renewal(struct core *c, struct plan *p, struct task *t);
/* The least that a paused attempt needs to go on, as a fact. The caller clears it. */
void resume_fact(const struct core *c, const struct task *t, int64_t utc_us, struct fact *f);
void decide_place(struct core *c, struct plan *p);
void decide_place_undo(struct core *c, struct plan *p);
/* The placement of a task on a node as a fact, holding a slice at that node's prices. NULL: on none yet, whose class
 * has no name. The caller clears it. */
void placed_fact(const struct core *c, const struct job *j, struct attempt_id id, const struct node *n, int64_t utc_us,
                 struct fact *f);
/* The job of a call, or a refusal. */
struct job *job_of_call(const struct core *c, const struct job_call *call, struct refusal *refusal);
/* Waiting tasks (queued or held) without a gap, from `from` on. false: none. */
bool job_waiting_range(const struct job *j, uint64_t from, uint32_t *ret_first, uint32_t *ret_count);
/* The fact that cancels such a range, in flight from now on. Takes the reason. */
void cancel_range(struct core *c, const struct job *j, uint32_t first, uint32_t count, const char *who, char *reason,
                  int64_t utc_us, struct fact *f);
/* Lowers the hold to what the job's own budget has left. false: that doesn't buy slice_min. */
bool placed_within_job_budget(const struct core *c, const struct job *j, struct fact *f);
const char *job_account(uint64_t job, char out[JOB_ACCOUNT_MAX]);

/* ---- choose.c ---------------------------------------------------------------------------------------------- */
/* Where a task of this shape starts now: where its room is kept, or where it delays nobody whose room is kept; not
 * where it failed by the node's fault (`avoid`), unless there is no other. NULL: nowhere. */
struct node *choose_node(const struct core *c, const struct plan *p, const struct shape *s, const struct node *avoid);
struct node *open_node(const struct place_item *open); /* whose item in c->open it is */
/* Where it would if that node were empty. NULL: nowhere. */
const struct node *sufficient_node(const struct core *c, const struct shape *s);
/* Where a task of this shape would go now; when it fits nowhere now, where it would if that were empty. NULL: nowhere.
 * */
const struct node *likely_node(const struct core *c, const struct shape *s);

/* ---- submit.c ---------------------------------------------------------------------------------------------- */
/* Could any node, when empty, take a task of this shape? Fills *ret when not. */
struct admit_answer;
bool nodes_admit(const struct core *c, const struct shape *s, struct admit_answer *ret);

/* ---- quote.c ----------------------------------------------------------------------------------------------- */
/* What a submission would cost. Prices can't be changed to begin earlier than QUOTE_VALID_US from now on once something
 * was charged, so for so long a quote stays true. t NULL: its tenant is gone. */
#define QUOTE_VALID_US INT64_C(60000000)
/* Expected: every task runs up to its limit, or for one slice when it has none, from some instant within QUOTE_VALID_US
 * on, on the kind of node that it would go to now; by request. */
int64_t quote_of(const struct core *c, const struct tenant *t, const struct job_spec *spec, int64_t utc_us);
/* At most: with its grace too, with every retry used, whenever and on whatever node, at the dearest prices that the
 * book knows from now on. -1: no bound. */
int64_t quote_max(const struct core *c, const struct tenant *t, const struct job_spec *spec, int64_t utc_us);
/* The least that so much run time from now on can cost, on nodes of any class. */
int64_t quote_least(const struct core *c, const struct tenant *t, const struct job_spec *spec, int64_t utc_us,
                    uint64_t run_us);
void quote_fill(const struct core *c, const struct tenant *t, const char *path, const struct job_spec *spec,
                int64_t utc_us, struct submit_reply *quote);

/* ---- explain.c, views.c ------------------------------------------------------------------------------------ */
/* The first thing that keeps the job's next task from starting, in one line; NULL: nothing. Caller frees. */
char *explain_first(const struct core *c, const struct job *j, int64_t utc_us);
/* The same for a job that is not there yet; "now" when nothing blocks. */
char *explain_new(const struct core *c, struct tenant *t, const struct job_spec *spec, int64_t utc_us);
/* The same for one that waits for other jobs: struct fact_after. */
char *explain_waits(const struct core *c, const struct list *after);
const char *job_state(const struct job *j); /* "pending", "running", "held", or a final state */
void refusal_from(struct refusal *r, const char *code, const char *where, const char *hint, const char *format, ...)
    PRINTF_LIKE(5, 6);
char *text_of(const char *format, ...) PRINTF_LIKE(1, 2); /* allocated; NULL on lack of memory */

#endif
