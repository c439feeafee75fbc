/*
 * keeper_ends - when and why a running attempt has to end: the earliest of time limit, paid time, lease and stop.
 *
 *   time limit  SIGTERM at the limit, SIGKILL `grace` later
 *   paid end    SIGKILL exactly there, SIGTERM `grace` before it; without SIGTERM when half the paid time is not
 *               longer than the grace
 *   lease       like the paid end, against the lease's length: after it the attempt may run elsewhere
 *   stop        SIGTERM now, SIGKILL after the grace that came with it
 *
 * The first cause that sends a signal stays the cause. A renewal moves its deadline forward, never back, and does not
 * take back a SIGTERM that was sent. Times are CLOCK_BOOTTIME in us.
 * Purity: pure.
 */
#ifndef REEVE_ISOLATION_KEEPER_ENDS_H
#define REEVE_ISOLATION_KEEPER_ENDS_H

#include <stdbool.h>
#include <stdint.h>

#include "isolation/spec/ops.h"

#define KEEPER_NEVER UINT64_MAX

struct keeper_ends {
    uint64_t start_us, limit_us, paid_us, lease_us, grace_us;
    uint64_t lease_at_us;  /* KEEPER_NEVER without a lease */
    uint64_t stop_kill_us; /* KEEPER_NEVER until asked to stop */
    uint32_t cause;        /* enum end_cause; END_NONE until a signal was due */
};

enum keeper_act { KEEPER_WAIT, KEEPER_TERM, KEEPER_KILL };

void keeper_ends_init(struct keeper_ends *e, const struct sandbox_spec *spec, uint64_t start_us);
void keeper_ends_paid(struct keeper_ends *e, uint64_t paid_us);
void keeper_ends_lease(struct keeper_ends *e, uint64_t lease_at_us);
/* True when SIGTERM is due now: false when the attempt is being stopped already; a shorter grace still counts. */
bool keeper_ends_stop(struct keeper_ends *e, uint32_t cause, uint64_t now_us, uint64_t grace_us);
/* What is due at `now_us`; sets the cause. */
enum keeper_act keeper_ends_due(struct keeper_ends *e, uint64_t now_us);
/* When to ask again; KEEPER_NEVER. */
uint64_t keeper_ends_next(const struct keeper_ends *e);

#endif
