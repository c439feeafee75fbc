/*
 * window - how much device time may be in flight, and how fast the device really is.
 *
 * Contended, the window is small: a newcomer waits about as long as the window is. Alone, it is wide. While it is
 * contended and the device completes less than nine tenths of what it recently could, the window widens, for then it
 * runs dry between our turns; otherwise it drifts back.
 *
 * speed is completed cost per elapsed time while something was in flight throughout: the factor by which
 * reservations are scaled. An interval in which nothing completes while work is in flight counts as slow, never as
 * healthy.
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

struct window {
    int64_t contended_ns, alone_ns; /* the two ends, from configuration */
    int64_t limit_ns;               /* now */
    int64_t speed_ppm;              /* SPEED_MIN_PPM..PPM */
    int64_t since_ns;               /* start of the interval that is being measured */
    int64_t completed_ns;           /* cost completed in it */
    int64_t best_ppm;               /* of recent intervals */
    bool busy;                      /* something was in flight all through it */
};

/* 0 = the defaults above. */
void window_init(struct window *w, int64_t contended_ns, int64_t alone_ns, int64_t now_ns);
void window_done(struct window *w, int64_t cost_ns);
void window_idle(struct window *w); /* nothing is in flight any more: this interval says nothing */
/* Closes an interval when it is over. */
void window_tick(struct window *w, int64_t now_ns, bool in_flight, bool contended);

#endif
