#include "base/io/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdlib.h>

#include "base/io/log.h"

struct loop {
    struct event_base *base;
    bool (*turn)(void *arg);
    void *turn_arg;
    void (*on_stop)(void *arg);
    void *stop_arg;
    struct event terminate, interrupt;
    struct loop_flush *flushes;
    struct loop_flush *next_flush; /* the one after that which is running: taking any off is safe */
    bool stopping;
};

struct timer {
    struct event event;
    void (*fn)(void *arg);
    void *arg;
};

struct watch {
    struct event event;
    void (*fn)(void *arg, int what);
    void *arg;
};

static void on_stop_signal(evutil_socket_t signo, short what, void *arg)
{
    (void)signo;
    (void)what;
    struct loop *l = arg;
    event_del(&l->terminate);
    event_del(&l->interrupt);
    if (l->on_stop != NULL)
        l->on_stop(l->stop_arg);
    else
        l->stopping = true;
}

/* libevent would write lines of its own shape to stderr. */
static void on_library_message(int severity, const char *text)
{
    if (severity >= EVENT_LOG_WARN)
        log_line(LOG_WARN, "loop.warning", "text=%s", log_quote(text));
}

int loop_new(struct loop **ret, struct err *err)
{
    struct loop *l = calloc(1, sizeof *l);
    struct event_config *config = event_config_new();
    if (l == NULL || config == NULL) {
        free(l);
        if (config != NULL)
            event_config_free(config);
        return err_set(err, -ENOMEM, "make the event loop: out of memory");
    }
    event_set_log_callback(on_library_message);
    /* Without this libevent reads the coarse clock, which is up to 4 ms behind. */
    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    l->base = event_base_new_with_config(config);
    event_config_free(config);
    if (l->base == NULL) {
        free(l);
        return err_set(err, -ENOSYS, "make the event loop: libevent has no method that works here");
    }
    event_assign(&l->terminate, l->base, SIGTERM, EV_SIGNAL | EV_PERSIST, on_stop_signal, l);
    event_assign(&l->interrupt, l->base, SIGINT, EV_SIGNAL | EV_PERSIST, on_stop_signal, l);
    *ret = l;
    return 0;
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    event_base_free(l->base);
    free(l);
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

void loop_on_turn(struct loop *l, bool (*turn)(void *arg), void *arg)
{
    l->turn = turn;
    l->turn_arg = arg;
}

void loop_on_stop(struct loop *l, void (*on_stop)(void *arg), void *arg)
{
    l->on_stop = on_stop;
    l->stop_arg = arg;
}

void loop_on_flush(struct loop *l, struct loop_flush *flush)
{
    BUG(flush->link != NULL);
    flush->next = l->flushes;
    flush->link = &l->flushes;
    if (flush->next != NULL)
        flush->next->link = &flush->next;
    l->flushes = flush;
}

void loop_off_flush(struct loop *l, struct loop_flush *flush)
{
    if (flush->link == NULL)
        return;
    if (l->next_flush == flush)
        l->next_flush = flush->next;
    *flush->link = flush->next;
    if (flush->next != NULL)
        flush->next->link = flush->link;
    flush->next = NULL;
    flush->link = NULL;
}

static void flush_all(struct loop *l)
{
    for (struct loop_flush *f = l->flushes; f != NULL; f = l->next_flush) {
        l->next_flush = f->next;
        f->fn(f->arg);
    }
}

static int rounds(struct loop *l, struct err *err)
{
    bool again = true; /* what was posted before the first round waits for no event */
    while (!l->stopping) {
        /* NONBLOCK alone would go round until nothing is ready: a busy peer would keep the turn from ever coming. */
        if (event_base_loop(l->base, again ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE) < 0)
            return err_set(err, -EIO, "wait for events: libevent failed");
        again = l->turn != NULL && l->turn(l->turn_arg);
        flush_all(l);
    }
    return 0;
}

int loop_run(struct loop *l, struct err *err)
{
    if (event_add(&l->terminate, NULL) < 0 || event_add(&l->interrupt, NULL) < 0) {
        event_del(&l->terminate);
        return err_set(err, -ENOMEM, "watch for SIGTERM and SIGINT: out of memory");
    }
    int rc = rounds(l, err);
    event_del(&l->terminate);
    event_del(&l->interrupt);
    l->stopping = false;
    return rc;
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct timer *t = arg;
    t->fn(t->arg); /* last: it may free t */
}

int timer_new(struct timer **ret, struct loop *l, void (*fn)(void *arg), void *arg)
{
    struct timer *t = malloc(sizeof *t);
    if (t == NULL)
        return -ENOMEM;
    t->fn = fn;
    t->arg = arg;
    event_assign(&t->event, l->base, -1, 0, on_timer, t);
    *ret = t;
    return 0;
}

void timer_set_us(struct timer *t, uint64_t us)
{
    const uint64_t year_s = UINT64_C(366) * 86400; /* beyond it libevent's own arithmetic is not ours to trust */
    uint64_t seconds = us / 1000000;
    struct timeval tv = {.tv_sec = (time_t)(seconds < year_s ? seconds : year_s),
                         .tv_usec = (suseconds_t)(us % 1000000)};
    int rc = event_add(&t->event, &tv); /* only the heap of timers can fail, and it grows at start-up */
    assert(rc == 0);
}

void timer_set_ms(struct timer *t, uint64_t ms)
{
    timer_set_us(t, ms < UINT64_MAX / 1000 ? ms * 1000 : UINT64_MAX);
}

void timer_cancel(struct timer *t)
{
    event_del(&t->event);
}

void timer_free(struct timer *t)
{
    if (t == NULL)
        return;
    event_del(&t->event);
    free(t);
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct watch *w = arg;
    w->fn(w->arg, (what & (EV_READ | EV_SIGNAL) ? WATCH_READ : 0) | (what & EV_WRITE ? WATCH_WRITE : 0));
}

static int watch_add(struct watch **ret, struct loop *l, int fd, short what, void (*fn)(void *arg, int what), void *arg)
{
    struct watch *w = malloc(sizeof *w);
    if (w == NULL)
        return -ENOMEM;
    w->fn = fn;
    w->arg = arg;
    if (event_assign(&w->event, l->base, fd, what, on_watch, w) < 0 || event_add(&w->event, NULL) < 0) {
        free(w);
        return -EINVAL; /* a regular file, or a descriptor that is not open */
    }
    *ret = w;
    return 0;
}

int watch_new(struct watch **ret, struct loop *l, int fd, int what, void (*fn)(void *arg, int what), void *arg)
{
    int events = EV_PERSIST | (what & WATCH_READ ? EV_READ : 0) | (what & WATCH_WRITE ? EV_WRITE : 0);
    return watch_add(ret, l, fd, (short)events, fn, arg);
}

int watch_signal(struct watch **ret, struct loop *l, int signo, void (*fn)(void *arg, int what), void *arg)
{
    return watch_add(ret, l, signo, EV_SIGNAL | EV_PERSIST, fn, arg);
}

void watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    event_del(&w->event);
    free(w);
}
