#include "agent/fairio/window.h"

#include "base/macros.h"

#define KEEP 7     /* of ten: the weight of what was known */
#define DRY_PARTS 8 /* empty once in so many times that a windowful is completed: the device runs dry */

void window_init(struct window *w, int64_t contended_ns, int64_t alone_ns, int64_t now_ns)
{
    *w = (struct window){.contended_ns = contended_ns > 0 ? contended_ns : WINDOW_CONTENDED_NS,
                         .alone_ns = alone_ns > 0 ? alone_ns : WINDOW_ALONE_NS,
                         .speed_ppm = PPM,
                         .mean_ppm = PPM,
                         .since_ns = now_ns};
    w->limit_ns = w->alone_ns;
}

void window_done(struct window *w, int64_t cost_ns)
{
    w->completed_ns += cost_ns;
}

void window_drained(struct window *w)
{
    w->drained++;
}

void window_idle(struct window *w)
{
    w->busy = false;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static bool runs_dry(const struct window *w)
{
    return w->drained > 0 && (fq_wide)w->drained * DRY_PARTS * w->limit_ns >= w->completed_ns;
}

static void resize(struct window *w, int64_t rate_ppm, bool contended)
{
    if (!contended) {
        w->limit_ns = w->alone_ns;
        return;
    }
    if (w->limit_ns == w->alone_ns)
        w->limit_ns = w->contended_ns;
    else if (runs_dry(w) && rate_ppm < w->best_ppm * 9 / 10)
        w->limit_ns = clamp(w->limit_ns * 5 / 4, w->contended_ns, w->alone_ns - 1);
    else
        w->limit_ns -= (w->limit_ns - w->contended_ns) / 4;
}

void window_tick(struct window *w, int64_t now_ns, bool used, bool contended)
{
    int64_t elapsed = now_ns - w->since_ns;
    if (contended && w->limit_ns == w->alone_ns)
        w->limit_ns = w->contended_ns; /* at once: a newcomer need not wait for the interval's end */
    if (elapsed < WINDOW_TICK_NS)
        return;
    int64_t rate = clamp((int64_t)((fq_wide)w->completed_ns * PPM / elapsed), 0, SPEED_SEEN_MAX);
    if (w->busy) {
        w->mean_ppm = MAX((w->mean_ppm * KEEP + rate * (10 - KEEP)) / 10, SPEED_MIN_PPM);
        w->speed_ppm = MIN(w->mean_ppm, PPM);
        w->best_ppm = rate > w->best_ppm ? rate : w->best_ppm - (w->best_ppm - rate) / 50;
        resize(w, rate, contended);
    } else if (!contended) {
        w->limit_ns = w->alone_ns;
    }
    w->since_ns = now_ns;
    w->completed_ns = 0;
    w->drained = 0;
    w->busy = used;
}
