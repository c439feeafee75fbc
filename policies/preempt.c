#include "policies/preempt.h"

#include <stdlib.h>
#include <string.h>

#include "quotas/ledger_names.h"

#define RESOURCES_MAX (CAPACITY_DIMS + 1) /* scratch is one of its own here */

/* One resource that the task needs and that is shared out by guarantees. */
struct shared {
    size_t index;
    const char *name;
    int64_t need; /* of all its tasks */
};
/* One of those on a place. */
struct there {
    size_t place, candidate;
};
/* What room for one more task on a place costs. */
struct offer {
    size_t attempts;
    uint64_t tasks;    /* that find room with it, wherever */
    int32_t highest;
    uint64_t changes;  /* as of */
    bool none;
};
struct choice {
    struct ledger *l;
    const struct preempt_ask *ask;
    const struct preempt_member *members;
    struct preempt_candidate *v;
    size_t count;
    const struct strs *path;
    struct resources all; /* of all its tasks */
    uint32_t tasks;
    struct shared shared[RESOURCES_MAX];
    size_t shared_count;
    bool within[TENANT_DEPTH_MAX + 1]; /* by place in path */
    int64_t left[TENANT_DEPTH_MAX + 1][RESOURCES_MAX]; /* before anybody goes */
    uint64_t room;        /* for so many tasks */
    uint64_t changes;     /* of the choice, and one more */
    uint64_t again_us;
    /* of several places */
    struct there *there;  /* by place, then in the order in which they go */
    size_t *from;         /* where those of a place begin; one more for the end */
    struct offer *offers;
    size_t *taken;        /* for the offer that is thought of */
    size_t taken_count;
};

/* ---- what is known before ---------------------------------------------------------------------------- */

static uint64_t room_on(const struct choice *k, size_t place)
{
    const struct preempt_place *p = &k->ask->places[place];
    return MIN(capacity_times(&k->ask->need, &p->free), (uint64_t)p->most);
}

static void begin(struct choice *k)
{
    const struct fact *f = k->ask->placed;
    bool gang = f->kind == FACT_GANG_PLACED;
    uint64_t need;
    const char *name;
    k->path = gang ? &f->gang_placed.path : &f->placed.path;
    k->tasks = gang ? (uint32_t)f->gang_placed.members.count : 1;
    BUG(k->path->count > COUNT_OF(k->within));
    resources_times(gang ? &f->gang_placed.resources : &f->placed.resources, k->tasks, &k->all);
    for (size_t i = 0; i < k->ask->places_count; i++)
        k->room += room_on(k, i);
    for (size_t i = 0; (name = ledger_resource(&k->all, i, &need)) != NULL; i++)
        if (k->shared_count < RESOURCES_MAX && need > 0 && ledger_share(k->l, TENANT_ROOT, i, name).total > 0)
            k->shared[k->shared_count++] = (struct shared){i, name, (int64_t)MIN(need, (uint64_t)INT64_MAX)};
    for (size_t i = 0; i < k->path->count; i++) {
        k->within[i] = k->shared_count > 0;
        for (size_t r = 0; r < k->shared_count; r++) {
            const struct shared *s = &k->shared[r];
            k->left[i][r] = ledger_left(k->l, k->path->v[i], s->index, s->name);
            k->within[i] &= k->left[i][r] >= s->need;
        }
    }
}

/* How many tenants two ways to the root have in common. */
static size_t common_of(const struct strs *a, const struct strs *b)
{
    size_t n = 0;
    while (n < a->count && n < b->count && strcmp(a->v[a->count - 1 - n], b->v[b->count - 1 - n]) == 0)
        n++;
    return n;
}

static bool is_same_tenant(const struct choice *k, const struct preempt_candidate *v)
{
    return v->common == k->path->count && v->common == v->path->count;
}

/* The newest of the lowest priority goes first, borrowers before a tenant's own. */
static int compare(const void *a, const void *b)
{
    const struct preempt_candidate *x = a, *y = b;
    if (x->reclaimed != y->reclaimed)
        return x->reclaimed ? -1 : 1;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    if (x->start_utc_us != y->start_utc_us)
        return x->start_utc_us > y->start_utc_us ? -1 : 1;
    if (x->id.job != y->id.job)
        return x->id.job > y->id.job ? -1 : 1;
    return x->id.task > y->id.task ? -1 : x->id.task < y->id.task;
}

/* ---- who may go -------------------------------------------------------------------------------------- */

/* Has everybody from its tenant up to y borrowed some of one resource that the task needs and this one uses? */
static bool is_borrowed(const struct choice *k, const struct preempt_candidate *v)
{
    for (size_t r = 0; r < k->shared_count; r++) {
        const struct shared *s = &k->shared[r];
        size_t i = ledger_resource_get(v->resources, s->index, s->name) > 0 ? 0 : SIZE_MAX;
        while (i < v->path->count - v->common && ledger_left(k->l, v->path->v[i], s->index, s->name) < 0)
            i++;
        if (i == v->path->count - v->common)
            return true;
    }
    return false;
}

static bool may_go(const struct choice *k, const struct preempt_candidate *v)
{
    const struct preempt_ask *ask = k->ask;
    if (ask->reclaim == RECLAIM_NEVER || (!v->preemptible && (!v->reclaimed || ask->reclaim != RECLAIM_ANY)))
        return false;
    if (is_same_tenant(k, v))
        return v->priority < ask->priority;
    if (!v->reclaimed)
        return false;
    return k->within[k->path->count - 1 - v->common] && is_borrowed(k, v);
}

/* ---- does it fit ------------------------------------------------------------------------------------- */

/* The place in path from which on upwards nobody may borrow more than before. */
static size_t lowest_common(const struct choice *k)
{
    size_t common = SIZE_MAX;
    for (size_t i = 0; i < k->count; i++)
        if (k->v[i].chosen && k->v[i].reclaimed)
            common = MIN(common, k->v[i].common);
    return common == SIZE_MAX ? 0 : k->path->count - 1 - common;
}

static bool nobody_borrows_more(const struct choice *k)
{
    for (size_t i = lowest_common(k); i < k->path->count; i++)
        for (size_t r = 0; r < k->shared_count; r++) {
            const struct shared *s = &k->shared[r];
            if (ledger_left(k->l, k->path->v[i], s->index, s->name) < MIN(k->left[i][r], 0))
                return false;
        }
    return true;
}

static bool has_room(const struct choice *k)
{
    return k->ask->places_count == 0 || k->room >= k->tasks;
}

static bool fits(const struct choice *k, bool some_go)
{
    struct ledger_blocker blocker;
    if (!has_room(k) || ledger_check(k->l, k->ask->placed, &blocker) != LEDGER_FITS)
        return false;
    if (!some_go)
        return true;
    ledger_with(k->l, k->path, &k->all, k->tasks, true);
    bool same = nobody_borrows_more(k);
    ledger_with(k->l, k->path, &k->all, k->tasks, false);
    return same;
}

/* ---- the choice -------------------------------------------------------------------------------------- */

static void take(struct choice *k, struct preempt_candidate *v, bool goes)
{
    v->chosen = goes;
    k->changes++;
    for (size_t i = v->first; i < v->first + v->count; i++) {
        const struct preempt_member *m = &k->members[i];
        ledger_without(k->l, m->id, goes);
        if (m->place == PREEMPT_ELSEWHERE)
            continue;
        k->room -= room_on(k, m->place);
        (goes ? capacity_add : capacity_take)(&k->ask->places[m->place].free, &m->room);
        k->room += room_on(k, m->place);
    }
}

/* It goes, if it may. */
static bool try_take(struct choice *k, struct preempt_candidate *v)
{
    if (v->chosen || !may_go(k, v))
        return false;
    if (v->run_us < k->ask->min_run_us) {
        k->again_us = MIN(k->again_us, k->ask->min_run_us - v->run_us);
        return false;
    }
    take(k, v, true);
    return true;
}

/* In order, beside those who go already. */
static bool take_some(struct choice *k, bool some_go)
{
    bool enough = fits(k, some_go);
    for (size_t i = 0; i < k->count && !enough; i++)
        enough = try_take(k, &k->v[i]) && fits(k, true);
    return enough;
}

static void give_back(struct choice *k)
{
    for (size_t i = k->count; i-- > 0;) {
        struct preempt_candidate *v = &k->v[i];
        if (!v->chosen)
            continue;
        take(k, v, false);
        if (!fits(k, true))
            take(k, v, true);
    }
}

/* ---- of several places ------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
    const struct there *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->candidate < y->candidate ? -1 : x->candidate > y->candidate;
}

static void *row_of(size_t count, size_t size)
{
    void *row = calloc(count + 1, size);
    if (row == NULL)
        abort();
    return row;
}

static void places_begin(struct choice *k)
{
    size_t places = k->ask->places_count, all = 0;
    for (size_t i = 0; i < k->count; i++)
        all += k->v[i].count;
    k->there = row_of(all, sizeof k->there[0]);
    k->from = row_of(places, sizeof k->from[0]);
    k->offers = row_of(places, sizeof k->offers[0]);
    k->taken = row_of(k->count, sizeof k->taken[0]);
    size_t count = 0;
    for (size_t i = 0; i < k->count; i++)
        for (size_t m = k->v[i].first; m < k->v[i].first + k->v[i].count; m++)
            if (k->members[m].place != PREEMPT_ELSEWHERE)
                k->there[count++] = (struct there){k->members[m].place, i};
    if (count > 1)
        qsort(k->there, count, sizeof k->there[0], by_place);
    for (size_t place = 0, at = 0; place <= places; place++) {
        while (at < count && k->there[at].place < place)
            at++;
        k->from[place] = at;
    }
}

static void places_end(struct choice *k)
{
    free(k->there);
    free(k->from);
    free(k->offers);
    free(k->taken);
}

/* So that one more task fits there; in reverse whoever need not go for that stays. */
static void take_there(struct choice *k, size_t place)
{
    uint64_t before = room_on(k, place);
    size_t kept = 0;
    k->taken_count = 0;
    for (size_t i = k->from[place]; i < k->from[place + 1] && room_on(k, place) == before; i++)
        if (try_take(k, &k->v[k->there[i].candidate]))
            k->taken[k->taken_count++] = k->there[i].candidate;
    bool enough = room_on(k, place) > before;
    if (enough && k->taken_count == 1)
        return; /* a large gang isn't put back and taken again */
    for (size_t i = k->taken_count; i-- > 0;) {
        take(k, &k->v[k->taken[i]], false);
        if (!enough || room_on(k, place) > before)
            k->taken[i] = SIZE_MAX;
        else
            take(k, &k->v[k->taken[i]], true);
    }
    for (size_t i = 0; i < k->taken_count; i++)
        if (k->taken[i] != SIZE_MAX)
            k->taken[kept++] = k->taken[i];
    k->taken_count = kept;
}

static void ask_place(struct choice *k, size_t place)
{
    uint64_t before = k->room, changes = k->changes;
    struct offer o = {.highest = INT32_MIN, .changes = changes};
    take_there(k, place);
    o.none = k->taken_count == 0;
    o.tasks = MIN(k->room, (uint64_t)k->tasks) - before;
    for (size_t i = k->taken_count; i-- > 0;) {
        struct preempt_candidate *v = &k->v[k->taken[i]];
        o.attempts += v->count;
        o.highest = MAX(o.highest, v->priority);
        take(k, v, false);
    }
    k->changes = changes; /* it is as it was */
    k->offers[place] = o;
}

/* Fewer go for each task that fits then, or less important ones. */
static bool is_better(const struct offer *a, const struct offer *b)
{
    uint64_t x = a->attempts * b->tasks, y = b->attempts * a->tasks;
    return x != y ? x < y : a->highest < b->highest;
}

/* Of the offers as they were when they were made. SIZE_MAX: there is none. */
static size_t best_offer(const struct choice *k)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < k->ask->places_count; i++)
        if (!k->offers[i].none && (best == SIZE_MAX || is_better(&k->offers[i], &k->offers[best])))
            best = i;
    return best;
}

/* Offers hardly become better while others go: the one that looks best is asked again, until the best one has just been
 * asked; all are where none is left. SIZE_MAX: nowhere. */
static size_t best_place(struct choice *k)
{
    for (;;) {
        size_t best = best_offer(k), asked = 0;
        if (best != SIZE_MAX && k->offers[best].changes == k->changes)
            return best;
        if (best != SIZE_MAX) {
            ask_place(k, best);
            continue;
        }
        for (size_t i = 0; i < k->ask->places_count; i++)
            if (k->offers[i].changes != k->changes) {
                ask_place(k, i);
                asked++;
            }
        if (asked == 0)
            return SIZE_MAX;
    }
}

/* Room for one more after the other, where that costs least. */
static bool make_room(struct choice *k)
{
    size_t best;
    places_begin(k);
    for (size_t i = 0; i < k->ask->places_count && !has_room(k); i++)
        ask_place(k, i);
    while (!has_room(k) && (best = best_place(k)) != SIZE_MAX)
        take_there(k, best);
    places_end(k);
    return has_room(k);
}

/* ---- the answer -------------------------------------------------------------------------------------- */

static void answer_places(const struct choice *k)
{
    uint64_t tasks = k->tasks;
    for (size_t i = 0; i < k->ask->places_count; i++) {
        k->ask->places[i].tasks = (uint32_t)MIN(room_on(k, i), tasks);
        tasks -= k->ask->places[i].tasks;
    }
}

bool preempt_choose(struct ledger *l, const struct preempt_ask *ask, const struct preempt_member *members,
                    struct preempt_candidate *v, size_t count, struct preempt_answer *ret)
{
    struct choice k = {.l = l,
                       .ask = ask,
                       .members = members,
                       .v = v,
                       .count = count,
                       .changes = 1,
                       .again_us = UINT64_MAX};
    begin(&k);
    for (size_t i = 0; i < count; i++) {
        v[i].chosen = false;
        v[i].id = members[v[i].first].id;
        v[i].common = common_of(k.path, v[i].path);
        v[i].reclaimed = v[i].common < k.path->count && v[i].common < v[i].path->count;
    }
    if (count > 1)
        qsort(v, count, sizeof v[0], compare);
    bool enough = ask->places_count > 1 ? make_room(&k) && take_some(&k, k.changes > 1) : take_some(&k, false);
    if (enough) {
        give_back(&k);
        answer_places(&k);
    }
    *ret = (struct preempt_answer){.highest = INT32_MIN, .again_us = k.again_us};
    for (size_t i = 0; i < count; i++) {
        if (!v[i].chosen)
            continue;
        take(&k, &v[i], false);
        v[i].chosen = enough;
        ret->count += enough ? v[i].count : 0;
        ret->highest = enough ? MAX(ret->highest, v[i].priority) : ret->highest;
    }
    free(k.all.generic.v);
    return enough;
}
