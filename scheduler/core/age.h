/*
 * age - time over a limit doesn't count as waiting (policies/order.h: a wait is worth priority among a tenant's jobs).
 *
 * What waits for somebody's limit stands still as a whole: a shape in the list of the tenant whose limit it is, or a
 * tenant, with all below it, that has as many attempts as it may (blocked.c). So each keeps one sum of the time it
 * stood still, and a job the sums as they were when it came: what it has lost since is the difference. That is put into
 * its urgency once, so an order inside a shape never changes by itself, and between the shapes of a tenant only the
 * sum of a shape makes one.
 * Of what no event announces (rates of a minute, a job's own budget) and of waiting for other jobs all counts.
 * Soft state: to a scheduler that recovers all the time before was waiting.
 */
#ifndef REEVE_SCHEDULER_CORE_AGE_H
#define REEVE_SCHEDULER_CORE_AGE_H

#include <stdint.h>

struct core;
struct job;

struct age_pause {
    int64_t us;            /* how long it stood still, before the present pause */
    int64_t since_utc_us;  /* it stands still since then; 0: it doesn't */
};

/* It stands still from now on; it goes on. No-ops when no wait is worth anything, or it does already. */
void age_stop(const struct core *c, struct age_pause *a, int64_t utc_us);
void age_go_on(struct age_pause *a, int64_t utc_us);
/* The urgency of a job from now on: what stood still before isn't lost to it. */
void age_begin(const struct core *c, struct job *j, int64_t utc_us);
/* Its place among all jobs of its tenant that don't stand still. */
int64_t age_urgency(const struct job *j);

#endif
