#include "scheduler/waiters.h"

#include <errno.h>
#include <stdlib.h>


enum { BUCKETS = 4096 };

struct wait {
    struct wait *next;       /* in its bucket */
    struct waiters *waiters;
    struct timer *timer;
    struct rpc_ticket ticket;
    struct wait_call call;
};

struct waiters {
    struct waiters_setup setup;
    struct core *core;
    struct rpc_server *server;
    size_t count;
    struct wait *buckets[BUCKETS];
};

static struct wait **bucket(struct waiters *w, uint64_t job)
{
    return &w->buckets[job % BUCKETS];
}

static void wait_drop(struct wait *x)
{
    struct wait **at = bucket(x->waiters, x->call.job);
    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    x->waiters->count--;
    timer_free(x->timer);
    free(x);
}

/* `late`: answer whatever there is. false: nothing to tell yet. */
static bool answer(struct waiters *w, const struct rpc_ticket *ticket, const struct wait_call *call, bool late)
{
    struct wait_reply reply = {0};
    if (!core_wait_view(w->core, call->job, w->setup.now(w->setup.arg), &reply)) {
        struct refusal gone = {0};
        refusal_set(&gone, "not_found", "job", "this job is no longer known here", "ask the history: reeve history");
        rpc_refuse(w->server, ticket, &gone);
        fields_clear(&refusal_fields, &gone);
        return true;
    }
    bool tell = late || reply.change != call->seen;
    if (tell)
        rpc_answer(w->server, ticket, &wait_reply_fields, &reply);
    fields_clear(&wait_reply_fields, &reply);
    return tell;
}

static void on_timeout(void *arg)
{
    struct wait *x = arg;
    answer(x->waiters, &x->ticket, &x->call, true);
    wait_drop(x);
}

int waiters_new(struct waiters **ret, const struct waiters_setup *setup, struct err *err)
{
    struct waiters *w = calloc(1, sizeof *w);
    if (w == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    w->setup = *setup;
    *ret = w;
    return 0;
}

void waiters_free(struct waiters *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (w->buckets[i] != NULL)
            wait_drop(w->buckets[i]);
    free(w);
}

void waiters_start(struct waiters *w, struct core *core, struct rpc_server *server)
{
    w->core = core;
    w->server = server;
}

int waiters_add(struct waiters *w, const struct rpc_ticket *ticket, const struct wait_call *call)
{
    if (answer(w, ticket, call, false))
        return 0;
    if (w->count >= WAITERS_MAX)
        return -ENOBUFS;
    struct wait *x = calloc(1, sizeof *x);
    if (x == NULL)
        return -ENOBUFS;
    *x = (struct wait){.waiters = w, .ticket = *ticket, .call = *call};
    if (timer_new(&x->timer, w->setup.loop, on_timeout, x) < 0) {
        free(x);
        return -ENOBUFS;
    }
    timer_set_ms(x->timer, call->timeout_ms == 0 ? WAIT_DEFAULT_MS : MIN(call->timeout_ms, (uint32_t)WAIT_MAX_MS));
    x->next = *bucket(w, call->job);
    *bucket(w, call->job) = x;
    w->count++;
    return 0;
}

void waiters_wake(struct waiters *w, uint64_t job)
{
    for (struct wait *x = *bucket(w, job), *next; x != NULL; x = next) {
        next = x->next;
        if (x->call.job == job && answer(w, &x->ticket, &x->call, false))
            wait_drop(x);
    }
}

size_t waiters_count(const struct waiters *w)
{
    return w->count;
}
