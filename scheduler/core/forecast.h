/*
 * forecast - when what runs will have ended, as far as that can be known, and how long what is asked would take: what
 * the profiles of nodes are made of (policies/backfill.h). Soft state: only how early tasks have ended of late.
 *
 * What runs ends at the latest, unless it overruns, at its time limit, by an order to stop, when its node closes; what
 * has no limit is given a horizon. Sooner than that it may end by itself, or with its money (runway.h): stopped there;
 * or paused, so that its cores are free, and stopped core_limits.pause_max_ms later.
 *
 * An end of money is an expectation. A raise, a credit, what another gives back, use below what was asked for, a lower
 * price: each may move it, also of an attempt that was told that its paid time is final. So who waits for room has two
 * starts on the node that is kept for him:
 *
 *   promised   by FORECAST_SURE. Whatever money comes, to whomever, nobody who is let past moves it later.
 *   expected   by FORECAST_BY_MONEY; never later. His room is kept from there on (reserve.h), so who is let past and
 *              may still run by then fits beside him AND beside all that runs by FORECAST_SURE. So if money ends for
 *              all of them, or for some, he starts as soon as he would have if nobody had been let past.
 *
 * A promise built on ends of money could be broken by money. On 10 cores 4 + 4 run, both until T, one of them for want
 * of money; 6 wait, and 2 are let past for ever, as they fit beside the 6 from T on. Money comes: at T the other 4 end,
 * and the 6, who would have fitted beside the first 4 alone, don't fit beside 4 + 2.
 * Who is let past is himself counted until his money ends, as far as expected starts are concerned: only his own money
 * can bring him into the way of one, and not of a promised one.
 * A pause that comes in spite of all, and its end, count as overruns: who is paused keeps his memory for longer, and
 * takes his cores back when there is money.
 * Purity: pure; internal to scheduler/core.
 */
#ifndef REEVE_SCHEDULER_CORE_FORECAST_H
#define REEVE_SCHEDULER_CORE_FORECAST_H

#include "scheduler/core/plan.h"

enum forecast_view {
    FORECAST_SURE,     /* as late as it may end */
    FORECAST_BY_MONEY, /* but no later than its money does */
    FORECAST_SOONER,   /* and, for its limit, as early as others did */
};

void forecast_init(struct core *c);
void forecast_fini(struct core *c);
/* For the forecasts that follow; whoever asks by another than FORECAST_SURE sets that back. */
void forecast_by(const struct core *c, enum forecast_view view);
enum forecast_view forecast_view(const struct core *c);
/* What was found out of ends of money is forgotten: a turn begins; or somebody asks, and the state or the time is
 * another than when somebody asked last. */
void forecast_begin(const struct core *c);
void forecast_question(const struct core *c, int64_t utc_us);
/* A task of this shape for a profile: until its time limit, grace and kill time; without a limit for ever, but clear of
 * maintenance for the horizon only, or, when it may be preempted, until it may be stopped for it. */
struct backfill_ask forecast_ask(const struct core *c, const struct shape *s);
/* How long one of it that starts now on that node can be expected to run: forecast_ask().run_us, or until its money
 * ends. j: NULL: nobody's yet. */
int64_t forecast_run_us(const struct core *c, const struct shape *s, const struct job *j, const struct node *n,
                        int64_t utc_us);
/* Until when a node must be open for a task of this shape that starts then. */
int64_t forecast_clear_utc_us(const struct core *c, const struct shape *s, int64_t utc_us);
/* From an order to stop until nothing is left. */
int64_t forecast_stop_us(const struct core *c, uint32_t cause);
/* What lives on a node, and what this turn has planned there. */
void forecast_node(const struct core *c, const struct plan *p, const struct node *n, struct backfill *b);
/* An attempt of this shape ended after so much run time. */
void forecast_note_end(struct core *c, const struct shape *s, uint64_t run_us);

#endif
