/*
 * keeper_ends - when and why a running attempt has to end: the earliest of time limit, paid time, lease and stop.
 *
 *   time limit  SIGTERM at the limit, SIGKILL `grace` later
 *   paid end    SIGKILL exactly there, SIGTERM `grace` before it; without SIGTERM when half of the most that was paid
 *               at once is not longer than the grace: the next slice comes later than such a SIGTERM would
 *   lease       like the paid end, against the lease's length: after it the attempt may run elsewhere
 *   stop        SIGTERM now, SIGKILL after the grace that came with it; of a paused attempt SIGKILL now
 *
 * A suspended one gets SIGSTOP at once, and what was paid is used up by that: it goes on when it is no longer suspended
 * and more is paid than it has run. Suspensions are numbered, odd ones begin; what comes with a lower number is old.
 *
 * One that is halted is paused at once as well, and what was paid is used up: it goes on when it is told again that
 * more is paid than it has run. Not one that is being stopped.
 *
 * An attempt that pauses at the paid end gets SIGSTOP exactly there instead, unless it is being stopped already;
 * nothing warns it. Its run time stands still until more is paid: then SIGCONT. Meanwhile only lease and stop can end
 * it. Who is told beforehand that nothing more can be held gets SIGUSR1 at a run time of its own, once for each time
 * that it is told.
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
    uint64_t start_us;     /* of the run time: moves on by each pause */
    uint64_t limit_us, paid_us, lease_us, grace_us;
    uint64_t slice_us;     /* the most that was paid at once */
    uint64_t lease_at_us;  /* KEEPER_NEVER without a lease */
    uint64_t stop_kill_us; /* KEEPER_NEVER until asked to stop */
    uint32_t cause;        /* enum end_cause; END_NONE until a signal was due */
    bool pauses;           /* at the paid end */
    bool paused;
    bool halted;           /* until it goes on */
    uint32_t suspends;     /* the highest number heard */
    uint64_t paused_at_us;
    uint64_t signal_us;    /* run time of the SIGUSR1 that was asked for last; 0: none */
    bool signalled;
};

enum keeper_act { KEEPER_WAIT, KEEPER_TERM, KEEPER_KILL, KEEPER_PAUSE, KEEPER_SIGNAL };

void keeper_ends_init(struct keeper_ends *e, const struct sandbox_spec *spec, uint64_t start_us);
/* False: a later suspension, or a later end of one, is known. To be said before what is paid. */
bool keeper_ends_suspend(struct keeper_ends *e, uint32_t number);
bool keeper_ends_is_suspended(const struct keeper_ends *e);
void keeper_ends_halt(struct keeper_ends *e);
/* True when a paused attempt goes on by it. */
bool keeper_ends_paid(struct keeper_ends *e, uint64_t paid_us, uint64_t now_us);
/* What becomes of it at the paid end, as it was told last. */
void keeper_ends_at_paid_end(struct keeper_ends *e, bool pauses, uint64_t signal_us);
uint64_t keeper_ends_run_us(const struct keeper_ends *e, uint64_t now_us);
void keeper_ends_lease(struct keeper_ends *e, uint64_t lease_at_us);
/* True when SIGTERM is due now: false when the attempt is being stopped already; a shorter grace still counts. */
bool keeper_ends_stop(struct keeper_ends *e, uint32_t cause, uint64_t now_us, uint64_t grace_us);
/* What is due at `now_us`; sets the cause. */
enum keeper_act keeper_ends_due(struct keeper_ends *e, uint64_t now_us);
/* When to ask again; KEEPER_NEVER. */
uint64_t keeper_ends_next(const struct keeper_ends *e);

#endif
