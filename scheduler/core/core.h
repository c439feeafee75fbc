/*
 * core - everything the scheduler knows, and the only code that decides.
 *
 *   core_apply(fact)    a committed fact changes the state; never fails; the same journal gives the same state
 *   core_decide(now)    proposes facts: placements, renewals, stops, ends of what was lost
 *   core_check_x()      questions by clients: a refusal, or a fact to commit
 *
 * Nothing else changes the core. decide() plans on the state itself and takes the plan back before it returns.
 *
 * In flight: a fact that decide() or a check has handed out is in flight until core_apply() or core_refused() of that
 *            same fact (also code "dropped", when it was thrown away uncommitted): every handed-out fact must end in
 *            one of the two. Until then nothing else is proposed about its task, and a check about it answers
 *            CORE_LATER: ask again after the next apply. decide() proposes nothing while its last proposals are in
 *            flight.
 *            Facts must be committed in the order in which they were handed out.
 *            (So a second report of the same end, a cancel that meets a placement, an end that meets a renewal can't
 *            both be committed. Who asks between batches only hardly ever sees CORE_LATER.)
 *
 * Ownership: the core owns its jobs, tasks, nodes and ledger; callers hold ids. What is borrowed from it lives until
 *            the next apply.
 * Purity:    no clock, no I/O, no randomness, no logging; time arrives in facts and in struct core_now.
 * Bounds:    core_limits; reaching one is a refusal with a name.
 * Order:     ties break by id, never by address or hash order.
 */
#ifndef REEVE_SCHEDULER_CORE_CORE_H
#define REEVE_SCHEDULER_CORE_CORE_H

#include "base/proto.h"
#include "quotas/ledger.h"
#include "quotas/price.h"

struct core;

struct core_limits {
    uint64_t jobs_max;        /* unfinished jobs */
    uint64_t finished_max;    /* finished jobs kept for show and wait; older ones are reportd's */
    uint64_t slice_ms;        /* money is held for this much run time at a time; default 900000 */
    uint64_t slice_min_ms;    /* a renewal of less is not worth it; default 1000 */
    uint64_t silent_ms;       /* a node silent for longer gets no new work and its attempts are unreachable; 10000 */
    uint64_t lease_patient_ms, lease_fast_ms; /* 1800000, 10000 */
    uint64_t kill_ms;         /* worst measured time to kill, added to a lease before a rerun; 3000 */
    uint64_t fence_ms;        /* so long one whose term is over may still renew leases, added likewise; 3000 */
    uint64_t grace_ms;        /* between SIGTERM and SIGKILL; 5000 */
    uint64_t adjusted_max;    /* keys of credits and adjustments that are remembered, see ledger.h; 1000000 */
    uint64_t checkpoint_ms;   /* SIGUSR1 so long before a paid end after which nothing is held; 60000 */
    uint64_t pause_max_ms;    /* paused for longer, an attempt is stopped; a day */
    uint64_t suspend_max_ms;  /* suspended for longer, it is stopped, and its task held; a week */
    uint64_t horizon_ms;      /* what has no time limit is expected to run for so long; a week */
    uint32_t reserve_max;     /* tasks that a node is kept for; 0: none, whatever fits passes; 16 */
    bool in_order;            /* nobody passes who can't start for want of room; false */
};
extern const struct core_limits core_limits_default;

struct core_now {
    int64_t utc_us;
    uint64_t boot_us;         /* CLOCK_BOOTTIME of the scheduler: silence and leases */
};

int core_new(struct core **ret, const struct core_limits *limits, struct err *err) MUST_USE;
void core_free(struct core *c);

/* ---- facts ---- */
/* `seq` is the entry's; facts of refused entries are not applied. Aborts on a fact that contradicts the state: the
 * journal is damaged or the code is wrong, and going on would spread it (docs: recovery). */
void core_apply(struct core *c, uint64_t seq, const struct fact *fact);
/* The same question without the abort, for replaying what may be damaged. -EPROTO and which invariant. */
int core_apply_check(const struct core *c, const struct fact *fact, struct err *err) MUST_USE;
/* Both, with one look: applied if nothing speaks against it. */
int core_replay(struct core *c, uint64_t seq, const struct fact *fact, struct err *err) MUST_USE;
/* The store refused this fact, or it was dropped uncommitted: it is no longer in flight. A refused placement or renewal
 * waits a second and `why` shows the code. */
void core_refused(struct core *c, const struct fact *fact, const char *code, const char *detail, struct core_now now);
/* Facts that rebuild this state through core_apply: policy, cell, nodes, jobs. fn owns nothing. */
int core_snapshot(const struct core *c, int (*fn)(void *arg, const struct fact *fact), void *arg) MUST_USE;
/* Recount of every invariant. -EUCLEAN. */
int core_verify(const struct core *c, struct err *err) MUST_USE;
/* Hash of the whole state, the same on every machine and compiler. */
uint64_t core_hash(const struct core *c);

/* ---- decide ---- */
/* Fills up to `max` proposals (caller clears them); each is committable alone or with the others, in any prefix.
 * *ret_next_boot_us: when to ask again if nothing happens before (UINT64_MAX = never). */
size_t core_decide(struct core *c, struct core_now now, struct fact *proposals, size_t max, uint64_t *ret_next_boot_us);

/* ---- live facts about nodes that are not in the journal (contact is soft state) ---- */
void core_node_seen(struct core *c, const char *node, struct core_now now); /* a hello or beat arrived */
/* How long an attempt has run by its keeper's clock, 0 = not known. Renewals go by it: the wall clock may be set. */
void core_attempt_seen(struct core *c, const char *node, struct attempt_id id, uint64_t run_us, struct core_now now);
/* Its node says whether it stands still, and the highest fact_suspended.number that its keeper has heard. */
void core_attempt_stands(struct core *c, const char *node, struct attempt_id id, uint32_t number, bool stands,
                         struct core_now now);
/* How far its inputs or outputs are, as its node said last; soft. Absent: neither is under way. */
void core_attempt_staging(struct core *c, const char *node, struct attempt_id id, const struct stage_view *staging);
/* All that its node says it used, for people; soft. */
void core_attempt_told(struct core *c, const char *node, struct attempt_id id, const struct usage *usage);
/* What its node has counted of it by a run time, for prices by use; zeros: it doesn't count. */
void core_attempt_used(struct core *c, const char *node, struct attempt_id id, struct use_point used);

/* ---- questions by clients and agents ---- */
enum core_answer {
    CORE_FACT,    /* a fact to commit (caller clears); kind FACT_NONE when nothing needs to change: answer at once */
    CORE_REFUSED, /* and a refusal (caller clears) */
    CORE_LATER,   /* something about it is in flight: nothing was filled; ask again after the next apply */
};
int core_check_submit(struct core *c, const struct submit_call *call, uint32_t uid, const char *user,
                      struct core_now now, struct fact *ret, struct submit_reply *quote, struct refusal *refusal);
/* Cancel: queued tasks by fact `cancelled`; live ones each by a `stopping` fact. Up to max facts; when
 * *ret_count == max there may be more to do: ask again after these are applied. */
int core_check_cancel(struct core *c, const struct job_call *call, const char *who, struct core_now now,
                      struct fact *ret, size_t max, size_t *ret_count, struct cancel_reply *reply,
                      struct refusal *refusal);
/* Nothing of a job, or of a task that waits, starts until it is released. */
int core_check_hold(struct core *c, const struct job_call *call, const char *who, struct core_now now,
                    struct fact *ret, struct refusal *refusal);
int core_check_priority(struct core *c, const struct priority_call *call, const char *who, struct core_now now,
                        struct fact *ret, struct refusal *refusal);
/* What runs of it is stopped and queued again: facts as core_check_cancel() gives them. */
int core_check_requeue(struct core *c, const struct job_call *call, const char *who, struct core_now now,
                       struct fact *ret, size_t max, size_t *ret_count, struct cancel_reply *reply,
                       struct refusal *refusal);
/* What runs of a job, or one task, stands still until it is resumed: its memory stays, its cores and what was held for
 * it go back, nothing is charged. Of a whole job nothing more starts either; resuming it releases that. Facts as
 * core_check_requeue() gives them; none when it is so already. */
int core_check_suspend(struct core *c, const struct suspend_call *call, bool suspend, const char *who,
                       struct core_now now, struct fact *ret, size_t max, size_t *ret_count,
                       struct suspend_reply *reply, struct refusal *refusal);
/* One fact at a time: when it is applied there may be more to release. */
int core_check_release(struct core *c, const struct job_call *call, const char *who, struct core_now now,
                       struct fact *ret, struct refusal *refusal);
/* Time zones as this machine knows them (struct zone_table, copied), for policies that are asked about from now on: one
 * names a zone that is new, or whose offsets are others by now, and it becomes part of the change. Soft. */
void core_offer_zones(struct core *c, const struct list *zones);
/* The whole policy as it shall be -> the difference as one fact, and its lines for people. ret->kind FACT_NONE when
 * nothing would change. Under two_persons a raise (policy_raise.h) becomes a proposal: the fact is
 * FACT_POLICY_PROPOSED, or FACT_NONE when the same is proposed already; reply->proposal is its number. */
int core_check_policy(struct core *c, const struct apply_call *call, const char *who, uint32_t uid,
                      struct core_now now, struct fact *ret, struct apply_reply *reply, struct refusal *refusal);
/* Another's proposal, put in force if all that core_check_policy() asks still holds: FACT_POLICY_SET. */
int core_check_approve(struct core *c, const struct approve_call *call, const char *who, uint32_t uid,
                       struct core_now now, struct fact *ret, struct apply_reply *reply, struct refusal *refusal);
int core_check_drop(struct core *c, const struct drop_call *call, const char *who, struct core_now now,
                    struct fact *ret, struct refusal *refusal);
/* A credit or another adjustment: up to max facts, the accounts that have to be opened first among them, all or none.
 * None, and reply->existed, when the same was posted under its key before. */
int core_check_adjust(struct core *c, const struct adjust_call *call, const char *who, struct core_now now,
                      struct fact *ret, size_t max, size_t *ret_count, struct adjust_reply *reply,
                      struct refusal *refusal);
/* A tenant and all below it, with what waits and runs there, to another place; the reply's line says how much it is.
 * CORE_LATER while anything at all is in flight: the fact lists what goes along. */
int core_check_move(struct core *c, const struct move_call *call, const char *who, struct core_now now,
                    struct fact *ret, struct apply_reply *reply, struct refusal *refusal);
int core_check_drain(struct core *c, const struct drain_call *call, const char *who, struct core_now now,
                     struct fact *ret, struct refusal *refusal);
/* A maintenance window is planned, or planned otherwise; taken back. CORE_LATER while another is on its way. reply is
 * filled also when nothing changes. */
int core_check_window(struct core *c, const struct window_call *call, const char *who, struct core_now now,
                      struct fact *ret, struct window_reply *reply, struct refusal *refusal);
int core_check_window_drop(struct core *c, const struct window_drop_call *call, const char *who, struct core_now now,
                           struct fact *ret, struct refusal *refusal);
/* A node says hello: counts as seen. Fact joined, or FACT_NONE when nothing is new. A new boot id makes decide() end
 * what ran there; an attempt that ran there under the same boot id and isn't listed is ended as END_KEEPER_LOST.
 * One that was only starting is not lost: core_duty() says DUTY_RUN again. */
int core_check_hello(struct core *c, const struct hello_call *call, struct core_now now, struct fact *ret,
                     struct refusal *refusal);
/* An attempt is running / has ended, says its node. FACT_NONE when known already or stale (another epoch, final):
 * answered as done, counted in core_stats. */
int core_check_running(struct core *c, const char *node, const struct attempt_state *state, struct core_now now,
                       struct fact *ret) MUST_USE; /* CORE_FACT or CORE_LATER */
int core_check_ended(struct core *c, const char *node, const struct attempt_state *state, struct core_now now,
                     struct fact *ret) MUST_USE;   /* CORE_FACT or CORE_LATER */

/* ---- what an agent should know about an attempt now, from state alone (idempotent effects) ---- */
enum agent_duty { DUTY_RUN, DUTY_PAID, DUTY_STOP, DUTY_FORGET };
/* For DUTY_RUN fills run (deep copy, caller clears with run_call_fields). Unknown or over: DUTY_FORGET. A live attempt
 * that is stopping: DUTY_STOP. started: the agent has it already. */
enum agent_duty core_duty(const struct core *c, struct attempt_id id, bool agent_has_it, struct run_call *run,
                          uint64_t *ret_paid_us, uint32_t *ret_stop_cause);
/* Between SIGTERM and SIGKILL, when it is stopped for this cause (enum end_cause). */
uint32_t core_stop_grace_ms(const struct core *c, uint32_t cause);
/* What its node is told of a paid end: the term is the caller's to fill in. */
struct paid_call core_paid(const struct core *c, struct attempt_id id, uint64_t paid_us, bool final);
bool core_is_suspended(const struct core *c, struct attempt_id id);
bool core_is_final(const struct core *c, struct attempt_id id);
/* The attempts that this fact (attempt.stopping, attempt.ended) orders to stop beside its own: of its gang. */
void core_each_taken_along(const struct core *c, const struct fact *f, void (*fn)(void *arg, struct attempt_id id),
                           void *arg);
/* Live attempts on a node, for reconciling after hello. */
void core_each_attempt(const struct core *c, const char *node, void (*fn)(void *arg, struct attempt_id id), void *arg);
/* What a node is told of the shares of its disk: of those who have attempts there and all above them, in order, who has
 * nothing but the default left out. `tenant` NULL: all that the node has, `whole`; else that one alone. The caller sets
 * the term, and clears it. */
void core_shares(const struct core *c, const char *node, const char *tenant, struct shares_call *ret);
/* Does the job, which is known, have a task of this number? */
bool core_has_task(const struct core *c, uint64_t job, uint32_t task);
/* Which node an attempt's logs are on (also of ended ones still known); epoch 0 = newest, filled in. NULL = unknown. */
const char *core_attempt_node(const struct core *c, struct attempt_id *id, bool *ret_ended);
/* Of one that core_attempt_node() doesn't know: is it over, or was it before the present one? Then the reports know. */
bool core_attempt_is_past(const struct core *c, struct attempt_id id);
/* Has this attempt ended, and written nothing to the stream? Then no node need be asked for its log. */
bool core_log_is_empty(const struct core *c, struct attempt_id id, enum log_stream which);

/* ---- views; everything filled is owned by the caller ---- */
bool core_job_row(const struct core *c, uint64_t job, struct core_now now, struct job_row *ret);
bool core_job_view(const struct core *c, const struct job_call *call, struct core_now now, struct job_view *ret);
int core_list(const struct core *c, const struct list_call *call,
              bool (*may_see)(void *arg, const char *tenant, const char *user), void *arg, struct core_now now,
              struct list_reply *ret) MUST_USE;
bool core_why(struct core *c, const struct job_call *call, struct core_now now, struct why_reply *ret);
bool core_wait_view(const struct core *c, uint64_t job, struct core_now now, struct wait_reply *ret);
/* Tenant and user of a job, borrowed; false = unknown. */
bool core_job_owner(const struct core *c, uint64_t job, const char **ret_tenant, uint32_t *ret_uid);
int core_tenants(const struct core *c, const char *top, struct core_now now, struct tenant_reply *ret) MUST_USE;
/* `arg` is for may_see: a caller sees rows of those tenants alone, in the light of all. */
int core_top(const struct core *c, const struct top_call *call, bool (*may_see)(void *arg, const char *tenant),
             void *arg, struct core_now now, struct top_reply *ret) MUST_USE;
int core_nodes(const struct core *c, struct core_now now, struct node_reply *ret) MUST_USE;
int core_windows(const struct core *c, struct core_now now, struct windows_reply *ret) MUST_USE;
int core_policy(const struct core *c, struct policy_reply *ret) MUST_USE;
int core_proposals(const struct core *c, struct proposals_reply *ret) MUST_USE;
/* May this user submit to / see this tenant (itself or below one of theirs)? user is the login name, or "uid:N". */
bool core_user_may(const struct core *c, const char *user, uint32_t uid, const char *tenant);
bool core_user_is_admin(const struct core *c, const char *user, uint32_t uid);
/* First tenant in path order where the user is named; NULL = none. */
const char *core_user_tenant(const struct core *c, const char *user, uint32_t uid);
const struct ledger *core_ledger(const struct core *c);
const char *core_currency(const struct core *c);

struct core_stats {
    uint64_t jobs, finished, queued, starting, running, unreachable, held, suspended;
    uint64_t nodes_quarantined, quarantines_total;
    uint64_t windows, nodes_closed; /* maintenance windows that aren't over; nodes that one of them closes */
    uint64_t nodes, submitted_total, placed_total, ended_total, renewed_total, stale_total, refused_total;
    uint64_t decisions_total;  /* tasks looked at by decide */
    int64_t written_off_micros;
    uint64_t seq, term;
};
void core_stats(const struct core *c, struct core_stats *ret);

#endif
