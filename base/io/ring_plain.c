#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io/ring_inner.h"

#define NOBODY UINT32_MAX

enum state { FREE, ASKED, WATCHED, DONE };

struct place {
    enum state state;
    uint64_t id;
    struct ring_op op;
    struct watch *watch;
    int32_t result;
    uint32_t next; /* in the queue that it is in */
    struct ring_plain *of;
};
/* First in, first out. */
struct line {
    uint32_t first, last;
};

struct ring_plain {
    struct loop *loop;
    struct timer *answers; /* due: something is done */
    struct line asked, done;
    ring_answer answer;
    struct ring *ring;
    unsigned depth;
    struct place places[];
};

static void enqueue(struct ring_plain *p, struct line *l, struct place *at)
{
    uint32_t index = (uint32_t)(at - p->places);
    at->next = NOBODY;
    if (l->first == NOBODY)
        l->first = index;
    else
        p->places[l->last].next = index;
    l->last = index;
}

static struct place *dequeue(struct ring_plain *p, struct line *l)
{
    if (l->first == NOBODY)
        return NULL;
    struct place *at = &p->places[l->first];
    l->first = at->next;
    return at;
}

static void finish(struct ring_plain *p, struct place *at, int32_t result)
{
    if (p->done.first == NOBODY)
        timer_set_us(p->answers, 0);
    at->state = DONE;
    at->result = result;
    enqueue(p, &p->done, at);
}

/* Its place is free before the answer: that may ask for more. */
static void answer(struct ring_plain *p, struct place *at)
{
    at->state = FREE;
    p->answer(p->ring, at->id, at->result);
}

static void on_answers(void *arg)
{
    struct ring_plain *p = arg;
    struct line now = p->done;
    p->done.first = NOBODY;
    for (struct place *at; (at = dequeue(p, &now)) != NULL;)
        answer(p, at);
}

int ring_plain_new(struct ring_plain **ret, struct loop *l, unsigned depth, ring_answer fn, struct ring *r)
{
    struct ring_plain *p = calloc(1, sizeof *p + depth * sizeof p->places[0]);
    int rc = p == NULL ? -ENOMEM : timer_new(&p->answers, l, on_answers, p);
    if (rc < 0) {
        free(p);
        return rc;
    }
    p->loop = l;
    p->asked.first = p->done.first = NOBODY;
    p->answer = fn;
    p->ring = r;
    p->depth = depth;
    *ret = p;
    return 0;
}

void ring_plain_free(struct ring_plain *p)
{
    if (p == NULL)
        return;
    for (unsigned i = 0; i < p->depth; i++)
        if (p->places[i].state == WATCHED)
            watch_free(p->places[i].watch);
    timer_free(p->answers);
    free(p);
}

void ring_plain_ask(struct ring_plain *p, uint32_t slot, uint64_t id, const struct ring_op *op)
{
    struct place *at = &p->places[slot];
    BUG(at->state != FREE);
    *at = (struct place){.state = ASKED, .id = id, .op = *op, .of = p};
    enqueue(p, &p->asked, at);
}

/* What waits to be called is skipped when its turn comes; what is done is done. */
void ring_plain_cancel(struct ring_plain *p, uint32_t slot)
{
    struct place *at = &p->places[slot];
    if (at->state == WATCHED) {
        watch_free(at->watch);
        finish(p, at, -ECANCELED);
    } else if (at->state == ASKED) {
        at->result = -ECANCELED;
    }
}

static int ready(const struct ring_op *op)
{
    struct pollfd one = {.fd = op->fd, .events = (short)op->events};
    int n = poll(&one, 1, 0);
    return n < 0 ? -errno : one.revents;
}

static void on_ready(void *arg, int what)
{
    (void)what;
    struct place *at = arg;
    int events = ready(&at->op);
    if (events == 0)
        return;
    watch_free(at->watch);
    at->result = events;
    answer(at->of, at);
}

static void watch(struct ring_plain *p, struct place *at)
{
    int events = ready(&at->op), what = (at->op.events & POLLOUT) != 0 ? WATCH_READ | WATCH_WRITE : WATCH_READ;
    if (events == 0 && watch_new(&at->watch, p->loop, at->op.fd, what, on_ready, at) == 0)
        at->state = WATCHED;
    else
        finish(p, at, events != 0 ? events : (int)at->op.events);
}

static ssize_t call(const struct ring_op *op)
{
    off_t offset = (off_t)op->offset;
    switch (op->kind) {
    case RING_SPLICE:
        return splice(op->fd, NULL, op->file, &offset, op->len, SPLICE_F_NONBLOCK);
    case RING_READ:
        return pread(op->fd, op->bytes, op->len, offset);
    case RING_WRITE:
        return pwrite(op->fd, op->bytes, op->len, offset);
    case RING_FSYNC:
        return op->data_only ? fdatasync(op->fd) : fsync(op->fd);
    case RING_FALLOCATE:
        return fallocate(op->fd, op->mode, offset, (off_t)op->len);
    case RING_POLL:
        break;
    }
    BUG(true);
    return -1;
}

void ring_plain_flush(struct ring_plain *p)
{
    for (struct place *at; (at = dequeue(p, &p->asked)) != NULL;) {
        if (at->result == -ECANCELED) {
            finish(p, at, -ECANCELED);
        } else if (at->op.kind == RING_POLL) {
            watch(p, at);
        } else {
            ssize_t n = call(&at->op);
            finish(p, at, n < 0 ? -errno : (int32_t)n);
        }
    }
}
