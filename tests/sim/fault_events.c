/*
 * What is to come, soonest first, and the messages on their way. Both are made and done with a million times in a world
 * of some size: they come from free lists. Most events come in the order in which they are made, if one looks at those
 * with the same delay alone: such go to a lane, and what would have to overtake there to the heap. Slots have the times
 * themselves, so that nobody needs to look at an event to find the soonest.
 */
#include "tests/sim/fault_world.h"

#define CHILDREN 4 /* of a place in the heap: all in one or two cache lines */

/* ---- the queue ---- */
/* The lanes and, behind them, the heap. */
#define HEAP EVENT_LANES
#define NOTHING ~(__uint128_t)0 /* comes behind everything */

static __uint128_t key_of(const struct event_slot *slot)
{
    return (__uint128_t)(uint64_t)slot->at_us << 64 | slot->number; /* ties: first come */
}

static bool before(const struct event_slot *a, const struct event_slot *b)
{
    return key_of(a) < key_of(b);
}

static void heap_put(struct event_queue *q, const struct event_slot *slot)
{
    if (q->count == q->size) {
        q->size = q->size == 0 ? 256 : q->size * 2;
        q->v = realloc(q->v, q->size * sizeof q->v[0]);
        MUST_NOT(q->v == NULL);
    }
    size_t at = q->count++;
    for (; at > 0 && before(slot, &q->v[(at - 1) / CHILDREN]); at = (at - 1) / CHILDREN)
        q->v[at] = q->v[(at - 1) / CHILDREN];
    q->v[at] = *slot;
    q->soonest[HEAP] = key_of(&q->v[0]);
}

static struct event *heap_take(struct event_queue *q)
{
    struct event *e = q->v[0].event;
    struct event_slot last = q->v[--q->count];
    size_t at = 0;
    for (size_t child = 1; child < q->count; child = at * CHILDREN + 1) {
        size_t least = child, end = MIN(child + CHILDREN, q->count);
        while (++child < end)
            if (before(&q->v[child], &q->v[least]))
                least = child;
        if (before(&last, &q->v[least]))
            break;
        q->v[at] = q->v[least];
        at = least;
    }
    q->v[at] = last;
    q->soonest[HEAP] = q->count > 0 ? key_of(&q->v[0]) : NOTHING;
    return e;
}

static void lane_grow(struct event_lane *l)
{
    struct event_slot *v = malloc(MAX(l->size * 2, 64) * sizeof v[0]);
    MUST_NOT(v == NULL);
    for (size_t i = 0; i < l->count; i++)
        v[i] = l->v[(l->first + i) & (l->size - 1)];
    free(l->v);
    l->v = v;
    l->first = 0;
    l->size = MAX(l->size * 2, 64);
}

/* false: it would have to overtake there. */
static bool lane_put(struct event_queue *q, size_t lane, const struct event_slot *slot)
{
    struct event_lane *l = &q->lanes[lane];
    if (l->count == 0)
        q->soonest[lane] = key_of(slot);
    else if (l->v[(l->first + l->count - 1) & (l->size - 1)].at_us > slot->at_us)
        return false;
    if (l->count == l->size)
        lane_grow(l);
    l->v[(l->first + l->count++) & (l->size - 1)] = *slot;
    return true;
}

static struct event *lane_take(struct event_queue *q, size_t lane)
{
    struct event_lane *l = &q->lanes[lane];
    struct event *e = l->v[l->first].event;
    l->first = (l->first + 1) & (l->size - 1);
    q->soonest[lane] = --l->count > 0 ? key_of(&l->v[l->first]) : NOTHING;
    return e;
}

/* Those of the network by their delay (delay_us), as none overtakes another with the same; turns that are to be at once
 * apart from those that wait for a time. HEAP: they come in no order. */
static size_t lane_of(enum event_kind kind, int64_t us)
{
    enum { NETWORK = 1, TURN = 5, SYNCED = 7, TIMEOUT, BEAT };
    static const uint8_t lanes[EVENT_KIND_COUNT] = {
        [EVENT_SCHED_TURN] = TURN,     [EVENT_SCHED_SYNCED] = SYNCED, [EVENT_SCHED_TIMEOUT] = TIMEOUT,
        [EVENT_NODE_BEAT] = BEAT,      [EVENT_STORE_BATCH] = NETWORK, [EVENT_STORE_REPLY] = NETWORK,
        [EVENT_TO_SCHED] = NETWORK,    [EVENT_TO_NODE] = NETWORK,     [EVENT_CLIENT_REPLY] = NETWORK};
    size_t lane = lanes[kind];
    if (lane == NETWORK)
        return lane - 1 + (((uint64_t)us / 200) & 3);
    return lane == TURN ? lane - 1 + (us > 0) : lane == 0 ? HEAP : lane - 1;
}

/* The soonest, if it is no later than that. */
static struct event *queue_take(struct event_queue *q, int64_t end_us)
{
    __uint128_t soonest = q->soonest[HEAP];
    size_t from = HEAP;
    for (size_t lane = 0; lane < EVENT_LANES; lane++) {
        bool sooner = q->soonest[lane] < soonest;
        soonest = sooner ? q->soonest[lane] : soonest;
        from = sooner ? lane : from;
    }
    if ((uint64_t)(soonest >> 64) > (uint64_t)end_us || soonest == NOTHING)
        return NULL;
    return from == HEAP ? heap_take(q) : lane_take(q, from);
}

/* ---- events ---- */
void events_init(struct world *w)
{
    for (size_t i = 0; i <= HEAP; i++)
        w->queue.soonest[i] = NOTHING;
}

struct event *event_at(struct world *w, int64_t at_us, enum event_kind kind)
{
    struct event_queue *q = &w->queue;
    struct event *e = q->spare;
    if (e != NULL)
        q->spare = e->next;
    else
        e = malloc(sizeof *e);
    MUST_NOT(e == NULL);
    *e = (struct event){.at_us = MAX(at_us, w->now_us), .kind = kind};
    struct event_slot slot = {e->at_us, ++w->numbers, e};
    size_t lane = lane_of(kind, e->at_us - w->now_us);
    if (lane == HEAP || !lane_put(q, lane, &slot))
        heap_put(q, &slot);
    return e;
}

struct event *event_next(struct world *w, int64_t end_us)
{
    return queue_take(&w->queue, end_us);
}

void event_done(struct world *w, struct event *e)
{
    if (e->message != NULL)
        message_free(w, e->message);
    if (e->batch.v != NULL)
        entries_cut(&e->batch, 0);
    e->next = w->queue.spare;
    w->queue.spare = e;
}

void events_fini(struct world *w)
{
    for (struct event *e; (e = queue_take(&w->queue, INT64_MAX)) != NULL;)
        event_done(w, e);
    for (struct event *e; (e = w->queue.spare) != NULL; free(e))
        w->queue.spare = e->next;
    for (size_t kind = 0; kind < MESSAGE_KIND_COUNT; kind++)
        for (struct message *m; (m = w->queue.spare_messages[kind]) != NULL; free(m)) {
            w->queue.spare_messages[kind] = m->next;
            if (kind == MESSAGE_BEAT)
                free(m->beats.v);
        }
    for (size_t i = 0; i < EVENT_LANES; i++)
        free(w->queue.lanes[i].v);
    free(w->queue.v);
    w->queue = (struct event_queue){0};
}

/* ---- messages ---- */
/* Bytes of one, by what its kind carries. */
static size_t message_size(enum message_kind kind)
{
    static const size_t carried[MESSAGE_KIND_COUNT] = {
        [MESSAGE_HELLO] = sizeof(struct hello_call), [MESSAGE_STATE] = sizeof(struct attempt_state),
        [MESSAGE_BEAT] = sizeof(struct beats), [MESSAGE_RUN] = sizeof(struct run_call)};
    return offsetof(struct message, hello) + carried[kind];
}

struct message *message_new(struct world *w, enum message_kind kind)
{
    struct message *m = w->queue.spare_messages[kind];
    struct beats kept = {0};
    if (m != NULL) {
        w->queue.spare_messages[kind] = m->next;
        if (kind == MESSAGE_BEAT)
            kept = (struct beats){.v = m->beats.v, .size = m->beats.size};
    } else {
        m = malloc(message_size(kind));
    }
    MUST_NOT(m == NULL);
    memset(m, 0, message_size(kind));
    m->kind = kind;
    if (kind == MESSAGE_BEAT)
        m->beats = kept;
    return m;
}

void message_free(struct world *w, struct message *m)
{
    if (m == NULL)
        return;
    if (m->kind == MESSAGE_HELLO)
        fields_clear(&hello_call_fields, &m->hello);
    else if (m->kind == MESSAGE_STATE)
        fields_clear(&attempt_state_fields, &m->state);
    else if (m->kind == MESSAGE_RUN)
        fields_clear(&run_call_fields, &m->run);
    m->next = w->queue.spare_messages[m->kind];
    w->queue.spare_messages[m->kind] = m;
}
