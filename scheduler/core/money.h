/*
 * money - what is held, charged, quoted and adjusted. Internal to scheduler/core; the records are state.h's.
 */
#ifndef REEVE_SCHEDULER_CORE_MONEY_H
#define REEVE_SCHEDULER_CORE_MONEY_H

#include "scheduler/core/state.h"

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
    struct use_point use;       /* what was given, as far as it is charged */
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

/* ---- io_paid.c --------------------------------------------------------------------------------------------- */
/* What may be paid of an attempt's I/O: bytes of its node's count. All absent: it has no bound. */
struct io_offer {
    struct measure told;  /* it is paid for already; told <= least <= most */
    struct measure least; /* what is worth going on for */
    struct measure most;  /* an allowance beyond what is counted, within limits.io_bytes */
};
struct io_stand {
    struct measure paid;
    uint64_t counted;
};
struct io_stand task_io(const struct task *t); /* soft */
/* Bytes that are held for at a time. */
uint64_t io_allowance(const struct core *c, int64_t utc_us);
/* The same for who begins: no more than it may move at all, or its job's own budget (0: none) can pay. */
uint64_t io_at_a_time(const struct core *c, const struct shape *s, const struct meter *meter, int64_t budget_micros,
                      uint64_t until_us);
/* Up to until_us of the meter's run time; n NULL: on a node that counts. */
struct io_offer io_offer(const struct core *c, const struct shape *s, const struct node *n, const struct meter *meter,
                         uint64_t until_us, struct io_stand at);
/* What is to be held for it. */
int64_t io_hold(const struct core *c, const struct meter *meter, struct measure paid, uint64_t until_us);
/* How much of the offer so much money buys; the least of it even for less. */
struct measure io_bought(const struct core *c, const struct meter *meter, const struct io_offer *offer, int64_t micros,
                         uint64_t until_us);
/* What its node says that it moved: no more than can have been in that time. Absent: it is no count at all. */
struct measure io_believed(const struct use_point *use);
/* Half of its allowance is used, or all that is paid. */
bool task_io_is_due(const struct core *c, const struct task *t);
bool task_io_is_out(const struct task *t);
/* Is it worth a renewal of its own? */
bool io_gains(const struct task *t, struct measure paid, const struct io_offer *offer);
/* `use` with as much I/O as is paid and held for, and with no more beyond than a stop can take. */
struct use_point io_within(const struct core *c, const struct task *t, const struct meter *meter,
                           const struct use_point *use);
struct use_point io_owed(const struct task *t, const struct meter *meter, const struct use_point *use);

/* ---- times.c ----------------------------------------------------------------------------------------------- */
bool times_ask(const struct resources *r, const char *resource); /* is any of it asked for? */
/* Micro-unit-hours of a resource in the first run_us, and until when so many more last than in the first settled_us. */
int64_t time_of(const struct core *c, const char *resource, const struct resources *held, uint64_t run_us);
uint64_t time_lasts(const struct core *c, const char *resource, const struct resources *held, uint64_t settled_us,
                    int64_t micros, uint64_t max_us);
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

/* ---- quote.c ----------------------------------------------------------------------------------------------- */
/* What a submission would cost. Prices can't be changed to begin earlier than QUOTE_VALID_US from now on once something
 * was charged, so for so long a quote stays true. t NULL: its tenant is gone. */
#define QUOTE_VALID_US INT64_C(60000000)
/* Expected: every task runs up to its limit, or for one slice when it has none, and moves up to its limit of I/O, if it
 * has one, from some instant within QUOTE_VALID_US
 * on, on the kind of node that it would go to now; by request. */
int64_t quote_of(const struct core *c, const struct tenant *t, const struct job_spec *spec, int64_t utc_us);
/* At most: with its grace too, with every retry used, whenever and on whatever node, at the dearest prices that the
 * book knows from now on. -1: no bound, of time, or of I/O that costs something. */
int64_t quote_max(const struct core *c, const struct tenant *t, const struct job_spec *spec, int64_t utc_us);
/* The least that so much run time from now on can cost, on nodes of any class. */
int64_t quote_least(const struct core *c, const struct tenant *t, const struct job_spec *spec, int64_t utc_us,
                    uint64_t run_us);
void quote_fill(const struct core *c, const struct tenant *t, const char *path, const struct job_spec *spec,
                int64_t utc_us, struct submit_reply *quote);
/* Has the job a budget of its own, and less of it left than this? Then *ret_free_micros is what is left. */
bool job_budget_lacks(const struct core *c, const struct job *j, int64_t hold_micros, int64_t *ret_free_micros);
/* Lowers the hold to what the job's own budget has left. false: that doesn't buy slice_min, the hold is what does. */
bool placed_within_job_budget(const struct core *c, const struct job *j, struct fact *f);
const char *job_account(uint64_t job, char out[JOB_ACCOUNT_MAX]);

#endif
