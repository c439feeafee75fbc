/*
 * loop - the one event_base of a program, and how its turn runs.
 *
 * Callbacks translate and post; the turn decides: after every round of callbacks the loop calls the program's
 * `turn`, which is the one flush point for Redis, the ring and the sockets.
 * Ownership: timers and watches belong to the caller, freed with their own _free; freeing inside their own callback
 *            is fine. No threads.
 */
#ifndef REEVE_BASE_IO_LOOP_H
#define REEVE_BASE_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct event_base;
struct loop;
struct timer;
struct watch;

int loop_new(struct loop **ret, struct err *err) MUST_USE;
void loop_free(struct loop *l);
struct event_base *loop_base(struct loop *l); /* for libevent's own helpers (rpc, http, hiredis adapter) */
/* `turn` runs after each round of callbacks; returns true to be called again without waiting. */
void loop_on_turn(struct loop *l, bool (*turn)(void *arg), void *arg);
/* Called when SIGTERM or SIGINT arrives, instead of stopping at once: whoever sets it calls loop_stop() when ready. */
void loop_on_stop(struct loop *l, void (*on_stop)(void *arg), void *arg);
/* Runs until loop_stop(); the turn and the flushes of the last round still run. SIGTERM and SIGINT stop it too, once:
 * a second one does what it does to any program. */
int loop_run(struct loop *l, struct err *err) MUST_USE;
void loop_stop(struct loop *l);

/* Work to be done once per turn, after `turn`: writers that batch (rpc) hang their one write here. The struct is the
 * caller's, zeroed at first, and stays in place while it hangs; taking it off inside a flush is fine. */
struct loop_flush {
    void (*fn)(void *arg);
    void *arg;
    struct loop_flush *next, **link; /* the loop's */
};
void loop_on_flush(struct loop *l, struct loop_flush *flush);
void loop_off_flush(struct loop *l, struct loop_flush *flush); /* not hanging = fine */

/* One-shot timers; setting again moves it. */
int timer_new(struct timer **ret, struct loop *l, void (*fn)(void *arg), void *arg) MUST_USE;
void timer_set_ms(struct timer *t, uint64_t ms);
void timer_set_us(struct timer *t, uint64_t us);
void timer_cancel(struct timer *t);
void timer_free(struct timer *t);

enum { WATCH_READ = 1, WATCH_WRITE = 2 };
/* Level-triggered, persistent. The fd stays the caller's. */
int watch_new(struct watch **ret, struct loop *l, int fd, int what, void (*fn)(void *arg, int what),
              void *arg) MUST_USE;
void watch_free(struct watch *w);
/* A signal as an ordinary callback. */
int watch_signal(struct watch **ret, struct loop *l, int signo, void (*fn)(void *arg, int what), void *arg) MUST_USE;

#endif
