/*
 * forecast - when what runs will have ended, as far as that can be known, and how long what is asked would take: what
 * the profiles of nodes are made of (policies/backfill.h). Soft state: only how early tasks have ended of late.
 * Purity: pure; internal to scheduler/core.
 */
#ifndef REEVE_SCHEDULER_CORE_FORECAST_H
#define REEVE_SCHEDULER_CORE_FORECAST_H

#include "scheduler/core/plan.h"

void forecast_init(struct core *c);
void forecast_fini(struct core *c);
/* A task of this shape for a profile: until its time limit, grace and kill time; without a limit for ever, but clear of
 * maintenance for the horizon only, or, when it may be preempted, until it may be stopped for it. */
struct backfill_ask forecast_ask(const struct core *c, const struct shape *s);
/* Until when a node must be open for a task of this shape that starts then. */
int64_t forecast_clear_utc_us(const struct core *c, const struct shape *s, int64_t utc_us);
/* From an order to stop until nothing is left. */
int64_t forecast_stop_us(const struct core *c, uint32_t cause);
/* What lives on a node, and what this turn has planned there. */
void forecast_node(const struct core *c, const struct plan *p, const struct node *n, struct backfill *b);
/* An attempt of this shape ended after so much run time. */
void forecast_note_end(struct core *c, const struct shape *s, uint64_t run_us);
/* For the forecasts that follow: what runs ends as early as others did; false: as late as it may. */
void forecast_sooner(const struct core *c, bool sooner);

#endif
