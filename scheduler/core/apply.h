/*
 * apply - what facts do: the table of their rules, attempts, policies, facts in flight. Internal to scheduler/core; the
 * records are state.h's.
 */
#ifndef REEVE_SCHEDULER_CORE_APPLY_H
#define REEVE_SCHEDULER_CORE_APPLY_H

#include "scheduler/core/state.h"

/* ---- apply ------------------------------------------------------------------------------------------------- */
struct fact_rule {
    int (*check)(const struct core *c, const struct fact *f, struct err *err);
    void (*apply)(struct core *c, const struct fact *f);
};
extern const struct fact_rule rule_opened, rule_adjusted, rule_crossed, rule_policy, rule_submitted, rule_cancelled,
    rule_held, rule_released, rule_placed, rule_accounts_closed,
    rule_running, rule_renewed, rule_stopping, rule_unreachable, rule_reached, rule_ended, rule_joined, rule_lost,
    rule_drained, rule_moved, rule_snapshot_job, rule_snapshot_cell, rule_period_closed, rule_policy_proposed,
    rule_policy_dropped, rule_changed, rule_window_set, rule_window_dropped, rule_gang_placed, rule_suspended,
    rule_quarantined;
/* Is it this tenant's path, leaf first? Facts carry it for readers that don't know the tree. */
bool path_is_of(const struct strs *path, const struct tenant *t);
/* attempt: into the state of a live one, as a placement or a snapshot leaves it */
void attempt_begin(struct core *c, struct task *t, struct node *n);
void attempt_finish(struct core *c, struct task *t);
void attempt_plan_renewal(struct core *c, struct task *t);
/* What a live attempt uses of its node: while it is paused no cores, but those that are its alone. */
struct capacity attempt_uses(const struct task *t);
struct capacity attempt_cores(const struct task *t); /* what it gives back while it is paused */
void attempt_set_paused(struct core *c, struct task *t, bool paused, int64_t since_utc_us);
void attempt_want_cores(struct core *c, struct task *t, bool wants);
/* suspend.c: a person wants it to stand still. Does it, as far as its node has said? */
bool attempt_is_suspended(const struct task *t);
bool attempt_is_put_aside(const struct task *t); /* by somebody, not for want of money for I/O */
bool attempt_stands(const struct task *t);
void attempt_forget_suspension(struct core *c, struct task *t);
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
void proposals_fini(struct core *c);

/* ---- flight.c ---------------------------------------------------------------------------------------------- */
void flight_begin(struct core *c, const struct fact *f);
void flight_end(struct core *c, const struct fact *f);

#endif
