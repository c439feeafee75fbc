/*
 * What is to come, soonest first, and the messages on their way. Both are made and done with a million times in a world
 * of some size: they come from free lists. Most events come in the order in which they are made, if one looks at those
 * with the same delay alone: such go to a lane, and what would have to overtake there to the heap. Of a scheduler's
 * turns and timeouts only the last one set is to come: those have a place each. Keys have the times themselves, so that
 * nobody needs to look at an event to find the soonest.
 */
#include "tests/sim/fault_world.h"

#define CHILDREN 4 /* of a place in the heap: all in one or two cache lines */

/* ---- the queue ---- */
/* The lanes, behind them the alarms, and the heap. */
#define ALARMS EVENT_LANES
#define HEAP (EVENT_PLACES - 1)
#define NOTHING UINT64_MAX /* comes behind everything */
#define NUMBER_BITS 26     /* of a key; what is left are three days, and what is later doesn't come */
#define LAST_US ((INT64_C(1) << (64 - NUMBER_BITS)) - 1)

static uint64_t next_key(struct world *w, int64_t at_us)
{
    uint64_t number = ++w->numbers;
    MUST_NOT(w->now_us >= LAST_US || number >> NUMBER_BITS != 0);
    return (uint64_t)MIN(at_us, LAST_US) << NUMBER_BITS | number;
}

static int64_t time_of(uint64_t key)
{
    return (int64_t)(key >> NUMBER_BITS);
}

static void heap_put(struct event_queue *q, const struct event_slot *slot)
{
    if (q->count == q->size) {
        q->size = q->size == 0 ? 256 : q->size * 2;
        q->v = realloc(q->v, q->size * sizeof q->v[0]);
        MUST_NOT(q->v == NULL);
    }
    size_t at = q->count++;
    for (; at > 0 && slot->key < q->v[(at - 1) / CHILDREN].key; at = (at - 1) / CHILDREN)
        q->v[at] = q->v[(at - 1) / CHILDREN];
    q->v[at] = *slot;
    q->soonest[HEAP] = q->v[0].key;
}

static struct event *heap_take(struct event_queue *q)
{
    struct event *e = q->v[0].event;
    struct event_slot last = q->v[--q->count];
    size_t at = 0;
    for (size_t child = 1; child < q->count; child = at * CHILDREN + 1) {
        size_t least = child, end = MIN(child + CHILDREN, q->count);
        while (++child < end)
            if (q->v[child].key < q->v[least].key)
                least = child;
        if (last.key < q->v[least].key)
            break;
        q->v[at] = q->v[least];
        at = least;
    }
    q->v[at] = last;
    q->soonest[HEAP] = q->count > 0 ? q->v[0].key : NOTHING;
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
        q->soonest[lane] = slot->key;
    else if (l->v[(l->first + l->count - 1) & (l->size - 1)].key > slot->key)
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
    q->soonest[lane] = --l->count > 0 ? l->v[l->first].key : NOTHING;
    return e;
}

/* Those of the network by their delay (delay_us), as none overtakes another with the same. HEAP: they come in no
 * order. */
static size_t lane_of(enum event_kind kind, int64_t us)
{
    enum { NETWORK = 1, SYNCED = 5, BEAT };
    static const uint8_t lanes[EVENT_KIND_COUNT] = {
        [EVENT_SCHED_SYNCED] = SYNCED, [EVENT_NODE_BEAT] = BEAT,      [EVENT_STORE_BATCH] = NETWORK,
        [EVENT_STORE_REPLY] = NETWORK, [EVENT_TO_SCHED] = NETWORK,    [EVENT_TO_NODE] = NETWORK,
        [EVENT_CLIENT_REPLY] = NETWORK};
    size_t lane = lanes[kind];
    if (lane == NETWORK)
        return lane - 1 + (((uint64_t)us / 200) & 3);
    return lane == 0 ? HEAP : lane - 1;
}


/* ---- events ---- */
void events_init(struct world *w)
{
    for (size_t i = 0; i < EVENT_PLACES; i++)
        w->queue.soonest[i] = NOTHING;
}

static struct event *event_new(struct event_queue *q, int64_t at_us, enum event_kind kind)
{
    struct event *e = q->spare;
    if (e != NULL)
        q->spare = e->next;
    else
        e = malloc(sizeof *e);
    MUST_NOT(e == NULL);
    *e = (struct event){.at_us = at_us, .kind = kind};
    return e;
}

struct event *event_at(struct world *w, int64_t at_us, enum event_kind kind)
{
    struct event_queue *q = &w->queue;
    struct event *e = event_new(q, MAX(at_us, w->now_us), kind);
    struct event_slot slot = {next_key(w, e->at_us), e};
    size_t lane = lane_of(kind, e->at_us - w->now_us);
    if (lane == HEAP || !lane_put(q, lane, &slot))
        heap_put(q, &slot);
    return e;
}

static uint64_t *alarm_place(struct world *w, enum alarm alarm, size_t sched)
{
    return &w->queue.soonest[ALARMS + 2 * (size_t)alarm + sched];
}

void alarm_set(struct world *w, enum alarm alarm, size_t sched, int64_t at_us)
{
    *alarm_place(w, alarm, sched) = next_key(w, MAX(at_us, w->now_us));
}

void alarm_clear(struct world *w, enum alarm alarm, size_t sched)
{
    *alarm_place(w, alarm, sched) = NOTHING;
}

static struct event *alarm_take(struct event_queue *q, size_t place)
{
    static const enum event_kind kinds[] = {[ALARM_TURN] = EVENT_SCHED_TURN, [ALARM_TIMEOUT] = EVENT_SCHED_TIMEOUT};
    struct event *e = event_new(q, time_of(q->soonest[place]), kinds[(place - ALARMS) / 2]);
    e->sched = (place - ALARMS) % 2;
    q->soonest[place] = NOTHING;
    return e;
}

struct event *event_next(struct world *w, int64_t end_us)
{
    struct event_queue *q = &w->queue;
    uint64_t soonest = NOTHING;
    size_t from = 0;
#pragma GCC unroll 16
    for (size_t place = 0; place < EVENT_PLACES; place++)
        soonest = MIN(soonest, q->soonest[place]);
    if (soonest == NOTHING || time_of(soonest) > end_us)
        return NULL;
    while (q->soonest[from] != soonest)
        from++;
    return from == HEAP ? heap_take(q) : from >= ALARMS ? alarm_take(q, from) : lane_take(q, from);
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
    for (struct event *e; (e = event_next(w, INT64_MAX)) != NULL;)
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
