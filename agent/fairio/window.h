/*
 * window - how much device time may be in flight, and how fast the device really is.
 *
 * Contended, the window is small: a newcomer waits about as long as the window is. Alone, it is wide. While it is
 * contended it widens when it was found empty although there was work, again and again (all that was in flight was
 * done before we came to look: the device ran dry between our turns), and the device completes less than nine tenths of
 * what it recently could. Otherwise it drifts back: a device that is just slower would gain nothing.
 *
 * speed is completed cost per elapsed time while something was in flight or could have been: what an operator sees, and
 * by which it is told whether an operation is stuck. An interval in which nothing completes while work is in flight
 * counts as slow, never as healthy; one that makes good for it afterwards counts for more than the nominal speed, up to
 * SPEED_SEEN_MAX: a device behind a token bucket works in bursts.
 * Units:  ns, parts per million.
 * Purity: pure; time comes in.
 */
#ifndef REEVE_AGENT_FAIRIO_WINDOW_H
#define REEVE_AGENT_FAIRIO_WINDOW_H

#include "agent/fairio/cost.h"

#define WINDOW_CONTENDED_NS INT64_C(600000)
#define WINDOW_ALONE_NS INT64_C(2000000)
#define WINDOW_TICK_NS INT64_C(50000000)
#define PPM INT64_C(1000000)
#define SPEED_MIN_PPM INT64_C(50000)
#define SPEED_SEEN_MAX (8 * PPM) /* of one interval; the speed itself is PPM at most */

struct window {
    int64_t contended_ns, alone_ns; /* the two ends, from configuration */
    int64_t limit_ns;               /* now */
    int64_t speed_ppm;              /* SPEED_MIN_PPM..PPM */
    int64_t since_ns;               /* start of the interval that is being measured */
    int64_t completed_ns;           /* cost completed in it */
    int64_t mean_ppm;               /* of recent intervals, SPEED_MIN_PPM..SPEED_SEEN_MAX */
    int64_t best_ppm;               /* of recent intervals */
    uint32_t drained;               /* how often it was found empty in this interval */
    bool busy;                      /* it was used all through it */
};

/* 0 = the defaults above. */
void window_init(struct window *w, int64_t contended_ns, int64_t alone_ns, int64_t now_ns);
void window_done(struct window *w, int64_t cost_ns);
void window_drained(struct window *w); /* nothing is in flight, and there is work */
void window_idle(struct window *w); /* nothing is in flight, nothing could be: this interval says nothing */
/* Closes an interval when it is over. `used`: something is in flight, or could be. */
void window_tick(struct window *w, int64_t now_ns, bool used, bool contended);

#endif
