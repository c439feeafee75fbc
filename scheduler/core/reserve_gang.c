#include <string.h>

#include "scheduler/core/forecast.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/reserve_inner.h"

/*
 * When so many tasks can start together. At an instant T each node says for its first task, its second, ... when it
 * could start from T on beside those before it. If fewer than all of them can begin at T, no instant before the one
 * that is the last of as many as are needed, in order, can do; that is the next T. So the first that holds is the first
 * there is.
 */
#define GANG_NODES_MAX 1024            /* nodes that are asked for a gang */
#define GANG_AGAIN_US INT64_C(1000000) /* between two searches for one that has a promise */
#define ROUNDS_MAX 16                  /* of such steps; who needs more has no promise yet */
#define STARTS_MAX 4096                /* that are looked at in one of them */

struct starts {
    int64_t *v;
    size_t count, size;
};

static void add(struct starts *s, int64_t utc_us)
{
    s->v = core_room(s->v, s->count, &s->size, 64, sizeof s->v[0]);
    s->v[s->count++] = utc_us;
}

static int rising(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* How many tasks a node could ever take. */
static uint64_t most_on(const struct plan *p, const struct shape *s, const struct node *n, uint32_t tasks)
{
    const struct entry *first = queue_first(s);
    bool may = node_is_usable(n) && shape_suits(s, n);
    uint32_t most = MIN(tasks, node_may_take_so_many(p, first != NULL ? entry_job(first) : NULL, s, n));
    return may ? MIN(capacity_times(&s->need, &n->total), (uint64_t)most) : 0;
}

static struct backfill_ask ask_of(const struct core *c, const struct shape *s, uint64_t tasks)
{
    struct backfill_ask ask = forecast_ask(c, s);
    ask.need = capacity_of_many(&s->need, tasks);
    return ask;
}

/* The first instant from there on that isn't known to be too early; INT64_MAX: none. */
static int64_t not_before(const struct core *c, const struct plan *p, const struct shape *s, uint32_t tasks,
                          struct node *const *nodes, size_t count, int64_t utc_us, struct starts *starts)
{
    starts->count = 0;
    for (size_t i = 0; i < count && starts->count < STARTS_MAX; i++) {
        uint64_t most = most_on(p, s, nodes[i], tasks);
        const struct backfill *b = most > 0 ? reserve_profile(c, p, nodes[i], s) : NULL;
        for (uint64_t k = 1; k <= most; k++) {
            struct backfill_ask ask = ask_of(c, s, k);
            int64_t at_utc_us = backfill_earliest(b, &ask, utc_us);
            if (at_utc_us == INT64_MAX)
                break;
            add(starts, at_utc_us);
        }
    }
    if (starts->count < tasks)
        return INT64_MAX;
    qsort(starts->v, starts->count, sizeof starts->v[0], rising);
    return starts->v[tasks - 1];
}

/* The nodes of a start that holds, in their order. */
static void take(const struct core *c, const struct plan *p, const struct shape *s, uint32_t tasks,
                 struct node *const *nodes, size_t count, struct gang_place *ret)
{
    ret->v = core_alloc((MIN(count, (size_t)tasks) + 1) * sizeof ret->v[0]);
    for (size_t i = 0; i < count && tasks > 0; i++) {
        uint64_t most = most_on(p, s, nodes[i], tasks), k = 0;
        const struct backfill *b = most > 0 ? reserve_profile(c, p, nodes[i], s) : NULL;
        for (; k < most; k++) {
            struct backfill_ask ask = ask_of(c, s, k + 1);
            if (!backfill_fits(b, &ask, ret->start_utc_us))
                break;
        }
        if (k == 0)
            continue;
        ret->v[ret->count++] = (struct kept){nodes[i], (uint32_t)k};
        tasks -= (uint32_t)k;
    }
    BUG(tasks > 0);
}

static void search(const struct core *c, const struct plan *p, const struct shape *s, uint32_t tasks,
                   struct node *const *nodes, size_t count, struct gang_place *ret)
{
    struct starts starts = {0};
    int64_t utc_us = p->now.utc_us, next_utc_us = utc_us;
    *ret = (struct gang_place){INT64_MAX, NULL, 0};
    for (int round = 0; round < ROUNDS_MAX && next_utc_us < INT64_MAX; round++) {
        utc_us = next_utc_us;
        next_utc_us = not_before(c, p, s, tasks, nodes, count, utc_us, &starts);
        if (next_utc_us == utc_us) {
            ret->start_utc_us = utc_us;
            break;
        }
    }
    free(starts.v);
    if (ret->start_utc_us < INT64_MAX)
        take(c, p, s, tasks, nodes, count, ret);
}

/* ---- promises ---------------------------------------------------------------------------------------- */

static int by_node_name(const void *a, const void *b)
{
    return strcmp((*(struct node *const *)a)->name, (*(struct node *const *)b)->name);
}

/* Its own nodes (r NULL: none), and those whose turn it is. */
static void ask_nodes(const struct core *c, const struct plan *p, const struct shape *s, uint32_t tasks,
                      const struct reservation *r, struct gang_place *ret)
{
    struct reserves *all = c->reserves;
    struct node *const *nodes = s->pool != NULL ? s->pool->nodes : c->nodes;
    size_t count = s->pool != NULL ? s->pool->count : c->nodes_count, size = MIN(count, (size_t)GANG_NODES_MAX);
    size_t from = count > size ? all->next_node % count : 0, own = r != NULL ? r->gang_count : 0, kept = 0;
    struct node **asked = core_alloc((size + own + 1) * sizeof(struct node *));
    for (size_t i = 0; i < size + own; i++)
        asked[i] = i < size ? nodes[(from + i) % count] : r->gang[i - size].node;
    qsort(asked, size + own, sizeof asked[0], by_node_name);
    for (size_t i = 0; i < size + own; i++)
        if (kept == 0 || asked[kept - 1] != asked[i])
            asked[kept++] = asked[i];
    all->next_node = count > size ? from + size : all->next_node;
    search(c, p, s, tasks, asked, kept, ret);
    free(asked);
}

/* The group that its promise is in (r NULL: none), and those whose turn it is, each as a whole. */
static void ask_groups(const struct core *c, const struct plan *p, const struct shape *s, uint32_t tasks,
                       const struct reservation *r, struct gang_place *ret)
{
    struct reserves *all = c->reserves;
    const struct topology *t = topology_of(c, s);
    size_t from = t->count > 0 ? all->next_node % t->count : 0, asked = 0;
    *ret = (struct gang_place){INT64_MAX, NULL, 0};
    for (size_t i = 0; i < t->count; i++) {
        const struct group *g = &t->groups[(from + i) % t->count];
        bool own = r != NULL && bsearch(&r->node, g->nodes, g->count, sizeof(struct node *), by_node_name) != NULL;
        if (asked >= GANG_NODES_MAX && !own)
            continue;
        struct gang_place place;
        search(c, p, s, tasks, g->nodes, g->count, &place);
        asked += g->count;
        all->next_node = own ? all->next_node : from + i + 1;
        bool better = place.start_utc_us < ret->start_utc_us;
        free(better ? ret->v : place.v);
        *ret = better ? place : *ret;
    }
}

bool reserve_ask_gang(const struct core *c, const struct plan *p, const struct shape *s, uint32_t tasks,
                      const struct reservation *r, struct gang_place *ret)
{
    struct reserves *all = c->reserves;
    if (all->gang_asked && p->facts != NULL)
        return false;
    all->gang_asked |= p->facts != NULL;
    (s->within != NULL && !s->within_or_any ? ask_groups : ask_nodes)(c, p, s, tasks, r, ret);
    return true;
}

static void count_gang(struct core *c, const struct gang_place *place, bool more)
{
    for (size_t i = 0; i < place->count; i++)
        reservation_count(c, place->v[i].node, more);
}

/* When all of it could start on its nodes if money ends where it is expected to. */
static int64_t expected_there(const struct core *c, const struct plan *p, const struct shape *s, uint32_t tasks,
                              const struct gang_place *there)
{
    struct gang_place place;
    struct node **nodes = core_alloc((there->count + 1) * sizeof(struct node *));
    for (size_t i = 0; i < there->count; i++)
        nodes[i] = there->v[i].node;
    forecast_by(c, FORECAST_BY_MONEY);
    search(c, p, s, tasks, nodes, there->count, &place);
    forecast_by(c, FORECAST_SURE);
    free(nodes);
    free(place.v);
    return place.start_utc_us;
}

/* It counts from now on in this turn; expected_utc_us: as for reservation_set_start(). */
static void confirm_gang(const struct core *c, const struct plan *p, struct reservation *r, int64_t expected_utc_us)
{
    r->confirmed_turn = c->turn;
    reservation_set_start(p, r, MAX(r->start_utc_us, p->now.utc_us), expected_utc_us);
    for (size_t i = 0; i < r->gang_count; i++)
        if (r->gang[i].node->profile_turn == c->turn)
            reservation_hold(c, r, r->gang[i].tasks, &r->gang[i].node->profile);
}

static void promise_gang(struct core *c, struct plan *p, struct shape *s, uint32_t tasks)
{
    struct gang_place place = {INT64_MAX, NULL, 0};
    struct reservation *r = NULL;
    if (reserve_ask_gang(c, p, s, tasks, NULL, &place) && place.start_utc_us < INT64_MAX)
        r = reservation_new(c, p, s, place.v[0].node, place.start_utc_us, expected_there(c, p, s, tasks, &place));
    if (r == NULL) {
        free(place.v);
        return;
    }
    r->gang = place.v;
    r->gang_count = place.count;
    r->searched_utc_us = p->now.utc_us;
    count_gang(c, &place, true);
}

/* To other nodes, or another start: the place is its from now on. */
static void move_gang(struct core *c, const struct plan *p, struct reservation *r, const struct gang_place *place,
                      int64_t expected_utc_us)
{
    struct gang_place before = {0, r->gang, r->gang_count};
    r->gang = place->v;
    r->gang_count = place->count;
    r->node = place->v[0].node;
    r->start_utc_us = place->start_utc_us;
    r->searched_utc_us = p->now.utc_us;
    c->reserves->version++;
    count_gang(c, place, true);
    count_gang(c, &before, false);
    free(before.v);
    confirm_gang(c, p, r, expected_utc_us);
}

uint32_t reservation_all_tasks(const struct reservation *r)
{
    uint32_t tasks = 0;
    for (size_t i = 0; i < r->gang_count; i++)
        tasks += r->gang[i].tasks;
    return tasks;
}

bool reserve_is_for_more(const struct core *c, const struct shape *s, uint32_t tasks)
{
    const struct reservation *r = reservation_of(c, s);
    return r != NULL && reservation_all_tasks(r) > tasks;
}

void reserve_blocked_gang(struct core *c, struct plan *p, struct shape *s, uint32_t tasks)
{
    struct reservation *r = reservation_of(c, s);
    struct gang_place place = {INT64_MAX, NULL, 0};
    if (r != NULL && reservation_all_tasks(r) != tasks) { /* another gang is first, or some of it has succeeded */
        reservation_drop(c, r);
        r = NULL;
    }
    if (r == NULL) {
        promise_gang(c, p, s, tasks);
        return;
    }
    if (r->confirmed_turn == c->turn)
        return;
    bool again = p->now.utc_us >= r->searched_utc_us + GANG_AGAIN_US || p->now.utc_us < r->searched_utc_us;
    if (!again || r->victims_count > 0 || !reserve_ask_gang(c, p, s, tasks, r, &place)) {
        confirm_gang(c, p, r, EXPECTED_BEFORE);
        return;
    }
    if (place.start_utc_us == INT64_MAX) {
        reservation_drop(c, r);
        return;
    }
    move_gang(c, p, r, &place, expected_there(c, p, s, tasks, &place));
}

bool reserve_gang_at(struct core *c, const struct plan *p, struct shape *s, const struct kept *v, size_t count)
{
    int64_t start_utc_us = p->now.utc_us + forecast_stop_us(c, END_PREEMPTED);
    struct reservation *r = reservation_of(c, s);
    if (r == NULL)
        r = reservation_new(c, p, s, v[0].node, start_utc_us, start_utc_us);
    if (r == NULL)
        return false;
    struct gang_place place = {start_utc_us, core_alloc(count * sizeof v[0]), count};
    memcpy(place.v, v, count * sizeof v[0]);
    move_gang(c, p, r, &place, start_utc_us);
    return true;
}

void reserve_lift(struct core *c, struct shape *s)
{
    struct reservation *r = reservation_of(c, s);
    for (size_t i = 0; r != NULL && i < r->gang_count; i++)
        r->gang[i].node->profile_turn = 0;
    if (r != NULL)
        r->confirmed_turn = 0;
}

uint64_t reserve_version(const struct core *c)
{
    return c->reserves->version;
}

bool reserve_is_due(const struct core *c, const struct shape *s, int64_t utc_us)
{
    const struct reservation *r = reservation_of(c, s);
    return r != NULL && r->start_utc_us <= utc_us;
}
