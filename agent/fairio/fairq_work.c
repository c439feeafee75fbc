/*
 * fairq_work - what a tenant has to move: its jobs by start tags, their streams in turn, requests in order.
 */
#include "agent/fairio/state.h"

/* Ties by number: rows of one table. */
static int by_tag(const void *a, const void *b)
{
    const struct job *x = a, *y = b;
    if (x->tag != y->tag)
        return x->tag < y->tag ? -1 : 1;
    return (x > y) - (x < y);
}
static const struct heap_kind jobs_by_tag = {by_tag, offsetof(struct job, at), NULL};

static bool can_grant(const struct stream *s)
{
    return s->first != NONE && s->out < s->out_max;
}

bool work_is_there(const struct tenant *t)
{
    return t->jobs.count > 0;
}

void work_list(struct fairq *q, struct stream *s)
{
    if (s->after != NONE || !can_grant(s))
        return;
    struct job *j = &q->jobs[s->job];
    struct tenant *t = &q->tenants[j->tenant];
    uint32_t self = (uint32_t)(s - q->streams);
    if (j->first == NONE) {
        j->first = s->before = s->after = self;
        j->tag = MAX(j->tag, t->job_now);
        heap_add(&t->jobs, &jobs_by_tag, j);
        return;
    }
    struct stream *first = &q->streams[j->first], *last = &q->streams[first->before];
    s->after = j->first;
    s->before = first->before;
    last->after = first->before = self;
}

void work_unlist(struct fairq *q, struct stream *s)
{
    struct job *j = &q->jobs[s->job];
    if (s->after == NONE)
        return;
    uint32_t self = (uint32_t)(s - q->streams);
    if (s->after == self) {
        j->first = NONE;
        heap_remove(&q->tenants[j->tenant].jobs, &jobs_by_tag, j);
    } else {
        q->streams[s->before].after = s->after;
        q->streams[s->after].before = s->before;
        j->first = j->first == self ? s->after : j->first;
    }
    s->before = s->after = NONE;
}

void work_note(struct fairq *q, uint32_t tenant, int64_t now_ns)
{
    if (tenant != q->seen_tenant) {
        q->other_tenant = q->seen_tenant;
        q->other_ns = q->seen_ns;
        q->seen_tenant = tenant;
    }
    q->seen_ns = now_ns;
}

bool work_is_contended(const struct fairq *q, int64_t now_ns)
{
    return q->working > 1 || (q->other_tenant != NONE && now_ns - q->other_ns < FQ_CONTENDED_NS);
}

static uint64_t chunk_of(const struct fairq *q, const struct request *r, int64_t now_ns)
{
    uint64_t most = work_is_contended(q, now_ns) ? FQ_CHUNK_CONTENDED : FQ_CHUNK_ALONE;
    most = MIN(most, io_cost_bytes_in(&q->with.cost, r->what.dir, q->window.limit_ns / 4));
    return MIN(most, r->what.bytes - r->granted);
}

struct work work_head(struct fairq *q, struct tenant *t, int64_t now_ns)
{
    struct work w;
    w.job = heap_top(&t->jobs);
    w.stream = &q->streams[w.job->first];
    w.request = &q->requests[w.stream->first];
    w.bytes = chunk_of(q, w.request, now_ns);
    w.cost_ns = io_cost_of(&q->with.cost, w.request->what.dir, w.request->what.random, w.bytes);
    return w;
}

static void drop_first(struct fairq *q, struct tenant *t, struct stream *s)
{
    uint32_t done = s->first;
    s->first = q->requests[done].next;
    s->last = s->first == NONE ? NONE : s->last;
    q->requests[done].next = q->free_requests.first;
    q->free_requests.first = done;
    t->pending--;
}

void work_take(struct fairq *q, struct tenant *t, struct work *w)
{
    w->request->granted += w->bytes;
    w->stream->out++;
    t->job_now = w->job->tag;
    w->job->tag += w->cost_ns;
    heap_moved(&t->jobs, &jobs_by_tag, w->job);
    if (w->request->granted == w->request->what.bytes)
        drop_first(q, t, w->stream);
    w->job->first = w->stream->after; /* the next stream's turn */
    if (!can_grant(w->stream))
        work_unlist(q, w->stream);
}
