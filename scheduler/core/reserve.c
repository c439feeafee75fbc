#include <string.h>

#include "scheduler/core/claims.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/preempt.h"
#include "scheduler/core/reserve_inner.h"

#define SEARCH_MAX 32             /* nodes that are asked in one search */
#define ASKS_MAX 64               /* nodes asked for something earlier in ASKS_US; the rest have what their own say */
#define ASKS_US INT64_C(100000)
#define EXPECT_US INT64_C(1000000) /* how often it is asked when money will end */

void reserve_init(struct core *c)
{
    c->reserves = core_alloc(sizeof *c->reserves);
}

/* What it holds. */
static void reservation_free(struct reservation *r)
{
    free(r->gang);
    free(r->victims);
}

void reserve_fini(struct core *c)
{
    for (size_t i = 0; i < c->reserves->count; i++)
        reservation_free(&c->reserves->v[i]);
    backfill_fini(&c->reserves->profile);
    free(c->reserves);
}

struct node *reservation_node(const struct reservation *r, size_t i)
{
    if (r->gang == NULL)
        return i == 0 ? r->node : NULL;
    return i < r->gang_count ? r->gang[i].node : NULL;
}

static int by_name(const void *name, const void *kept)
{
    return strcmp(name, ((const struct kept *)kept)->node->name);
}

/* How many of its tasks are to start there. */
uint32_t reservation_tasks(const struct reservation *r, const struct node *n)
{
    if (r->gang == NULL)
        return r->node == n;
    const struct kept *k = bsearch(n->name, r->gang, r->gang_count, sizeof *k, by_name);
    return k != NULL ? k->tasks : 0;
}

struct reservation *reservation_of(const struct core *c, const struct shape *s)
{
    struct reserves *all = c->reserves;
    for (size_t i = 0; s->reserved && i < all->count; i++)
        if (all->v[i].shape == s)
            return &all->v[i];
    return NULL;
}

/* ---- profiles --------------------------------------------------------------------------------------- */

void reservation_hold(const struct core *c, const struct reservation *r, uint32_t tasks, struct backfill *b)
{
    struct backfill_ask ask = forecast_ask(c, r->shape);
    struct capacity need = tasks == 1 ? ask.need : capacity_of_many(&ask.need, tasks);
    backfill_hold(b, r->expected_utc_us, backfill_after(r->start_utc_us, ask.run_us), &need);
}

/* Is it time to find out anew when it is expected to start? */
static bool is_unsure(const struct plan *p, const struct reservation *r)
{
    int64_t since_us = p->now.utc_us - r->expected_at_utc_us;
    return since_us < 0 || since_us >= EXPECT_US;
}

void reservation_set_start(const struct plan *p, struct reservation *r, int64_t start_utc_us, int64_t expected_utc_us)
{
    if (expected_utc_us != EXPECTED_BEFORE)
        r->expected_at_utc_us = p->now.utc_us;
    else
        expected_utc_us = MAX(r->expected_utc_us, p->now.utc_us);
    r->start_utc_us = start_utc_us;
    r->expected_utc_us = MIN(expected_utc_us, start_utc_us);
}

static bool is_firm(const struct reservation *r, int64_t utc_us)
{
    return r->firm_utc_us <= utc_us;
}

/* Does a promise stand in the way of this shape? In a turn when it was confirmed; outside of one when it would be. */
static bool counts(const struct core *c, const struct plan *p, const struct reservation *r, const struct shape *s)
{
    if (p->facts != NULL)
        return r->confirmed_turn == c->turn;
    return (r->shape != s || p->behind) &&
           (is_firm(r, p->now.utc_us) || r->shape->tenant == s->tenant || claims_before(c, r->shape, s));
}

/* What counts of what is kept there takes its room; as_promised: from the promised starts on. */
static void hold_kept(const struct core *c, const struct plan *p, const struct node *n, const struct shape *s,
                      bool as_promised, struct backfill *b)
{
    const struct reserves *all = c->reserves;
    for (size_t i = 0; n->reserved > 0 && i < all->count; i++) {
        uint32_t tasks = reservation_tasks(&all->v[i], n);
        if (tasks > 0 && counts(c, p, &all->v[i], s)) {
            struct reservation r = all->v[i];
            r.expected_utc_us = as_promised ? r.start_utc_us : r.expected_utc_us;
            reservation_hold(c, &r, tasks, b);
        }
    }
}

/* That of a reserved node is made once a turn and kept up to date in it. */
const struct backfill *reserve_profile(const struct core *c, const struct plan *p, struct node *n,
                                       const struct shape *s)
{
    struct reserves *all = c->reserves;
    bool kept = p->facts != NULL && n->reserved > 0 && forecast_view(c) == FORECAST_SURE;
    struct backfill *b = kept ? &n->profile : &all->profile;
    if (kept && n->profile_turn == c->turn)
        return b;
    forecast_node(c, p, n, b);
    all->profiles++;
    hold_kept(c, p, n, s, false, b);
    if (kept)
        n->profile_turn = c->turn;
    return b;
}

/* Whatever else has to end there before. */
static bool may_be_on(const struct plan *p, const struct node *n, const struct shape *s)
{
    if (!node_is_usable(n) || !capacity_fits(&s->need, &n->total) || !shape_suits(s, n))
        return false;
    const struct entry *first = s->per_node != 0 ? queue_first(s) : NULL;
    return first == NULL || node_may_take(p, entry_job(first), s, n); /* else once some of its job has ended */
}

static int64_t earliest_on(const struct core *c, const struct plan *p, struct node *n, const struct shape *s)
{
    if (!may_be_on(p, n, s))
        return INT64_MAX;
    struct backfill_ask ask = forecast_ask(c, s);
    return backfill_earliest(reserve_profile(c, p, n, s), &ask, p->now.utc_us);
}

/* The same if money ends where it is expected to. */
static int64_t expected_on(const struct core *c, const struct plan *p, struct node *n, const struct shape *s)
{
    forecast_by(c, FORECAST_BY_MONEY);
    int64_t utc_us = earliest_on(c, p, n, s);
    forecast_by(c, FORECAST_SURE);
    return utc_us;
}

/* ---- giving and taking ------------------------------------------------------------------------------ */

void reservation_count(struct core *c, struct node *n, bool more)
{
    n->reserved += more ? 1 : UINT32_MAX;
    n->profile_turn = 0;
    node_reindex(c, n);
}

void reservation_drop(struct core *c, struct reservation *r)
{
    struct reserves *all = c->reserves;
    struct reservation gone = *r;
    if (r->victims_count > 0)
        blocked_free(c, r->shape->tenant); /* what was kept for it in the ledger is free for others */
    r->shape->reserved = false;
    all->version++;
    for (all->count--; r < &all->v[all->count]; r++)
        r[0] = r[1];
    struct node *n;
    for (size_t i = 0; (n = reservation_node(&gone, i)) != NULL; i++)
        reservation_count(c, n, false);
    reservation_free(&gone);
}

void reserve_forget(struct core *c, struct shape *s)
{
    struct reservation *r = reservation_of(c, s);
    if (r != NULL)
        reservation_drop(c, r);
}

/* A node and the first start there. */
struct place {
    struct node *node;
    int64_t start_utc_us;
};

static void take_earlier(const struct core *c, const struct plan *p, const struct shape *s, struct node *n,
                         struct place *best)
{
    int64_t start_utc_us = earliest_on(c, p, n, s);
    if (start_utc_us < best->start_utc_us)
        *best = (struct place){n, start_utc_us};
}

/* May so many nodes be asked now? Then they are. */
static bool may_ask(struct reserves *all, size_t nodes)
{
    bool may = nodes <= ASKS_MAX - all->asks;
    all->asks += may ? nodes : 0;
    return may;
}

int64_t reserve_gangs_utc_us(const struct core *c)
{
    return c->reserves->asks_utc_us + ASKS_US;
}

static size_t search_size(const struct core *c, const struct shape *s)
{
    return MIN(s->pool != NULL ? s->pool->count : c->nodes_count, (size_t)SEARCH_MAX);
}

/* false: enough were asked of late. */
static bool search(const struct core *c, const struct plan *p, const struct shape *s, struct place *best)
{
    struct reserves *all = c->reserves;
    struct node *const *nodes = s->pool != NULL ? s->pool->nodes : c->nodes;
    size_t count = s->pool != NULL ? s->pool->count : c->nodes_count, size = search_size(c, s);
    size_t from = count > size ? all->next_node % count : 0;
    if (!may_ask(all, size))
        return false;
    for (size_t i = 0; i < size; i++)
        take_earlier(c, p, s, nodes[(from + i) % count], best);
    all->next_node = from + size;
    return true;
}

/* Its own node as things are, and those that have changed; others when that is later than was promised. */
static struct place place_of(const struct core *c, const struct plan *p, const struct reservation *r)
{
    struct reserves *all = c->reserves;
    struct place best = {NULL, INT64_MAX};
    take_earlier(c, p, r->shape, r->node, &best);
    for (size_t i = 0; i < all->changed_count && may_ask(all, 1); i++)
        take_earlier(c, p, r->shape, all->changed[i], &best);
    if (best.start_utc_us > r->start_utc_us)
        (void)search(c, p, r->shape, &best);
    return best;
}

/* It counts from now on in this turn. */
static void confirm(struct core *c, const struct plan *p, struct reservation *r, struct place place)
{
    struct node *before = r->node;
    bool asks = place.node != before || is_unsure(p, r);
    reservation_set_start(p, r, place.start_utc_us, asks ? expected_on(c, p, place.node, r->shape) : EXPECTED_BEFORE);
    r->confirmed_turn = c->turn;
    if (place.node != before) {
        r->node = place.node;
        reservation_count(c, before, false);
        reservation_count(c, place.node, true);
        c->reserves->version++;
    } else if (before->profile_turn == c->turn) {
        reservation_hold(c, r, 1, &before->profile);
    }
}

/* Is there a place among the promises? *ret_gives_way: that of one who wasn't asked yet, so is behind: of the same
 * tenant, or of any when there is no other place. */
static bool has_place(const struct core *c, const struct shape *s, struct reservation **ret_gives_way)
{
    struct reserves *all = c->reserves;
    struct reservation *behind = NULL;
    for (size_t i = 0; i < all->count; i++) {
        struct reservation *r = &all->v[i];
        bool asked = r->confirmed_turn == c->turn;
        if (r->shape->tenant == s->tenant) {
            *ret_gives_way = r;
            return !asked;
        }
        behind = asked ? behind : r;
    }
    bool full = all->count >= MIN(RESERVE_MAX, c->limits.reserve_max);
    *ret_gives_way = full ? behind : NULL;
    return !full || behind != NULL;
}

bool reserve_is_open(const struct core *c, const struct shape *s)
{
    bool may = s->gang != 0 ? !c->reserves->gang_asked || preempt_is_on(c, s) /* whoever goes for it makes a promise */
                            : search_size(c, s) <= ASKS_MAX - c->reserves->asks;
    return s->reserved || (c->limits.reserve_max > 0 && may);
}

bool reserve_wanted(const struct core *c, const struct shape *s)
{
    struct reservation *gives_way;
    return reserve_is_open(c, s) && (s->reserved || has_place(c, s, &gives_way));
}

/* NULL: no place among the promises. */
struct reservation *reservation_new(struct core *c, const struct plan *p, struct shape *s, struct node *n,
                                    int64_t start_utc_us, int64_t expected_utc_us)
{
    struct reserves *all = c->reserves;
    struct reservation *gives_way;
    if (!has_place(c, s, &gives_way))
        return NULL;
    if (gives_way != NULL)
        reservation_drop(c, gives_way);
    int64_t wait_us = MAX(start_utc_us - p->now.utc_us, forecast_stop_us(c, END_PREEMPTED));
    struct reservation *r = &all->v[all->count++];
    *r = (struct reservation){.shape = s,
                              .node = n,
                              .firm_utc_us = backfill_after(start_utc_us, wait_us),
                              .confirmed_turn = c->turn};
    reservation_set_start(p, r, start_utc_us, expected_utc_us);
    s->reserved = true;
    all->version++;
    return r;
}

static void promise(struct core *c, struct plan *p, struct shape *s)
{
    struct place best = {NULL, INT64_MAX};
    if (!search(c, p, s, &best) || best.node == NULL)
        return;
    int64_t expected_utc_us = expected_on(c, p, best.node, s);
    if (reservation_new(c, p, s, best.node, best.start_utc_us, expected_utc_us) != NULL)
        reservation_count(c, best.node, true);
}

void reserve_blocked(struct core *c, struct plan *p, struct shape *s)
{
    struct reservation *r = reservation_of(c, s);
    if (r == NULL) {
        promise(c, p, s);
    } else if (r->confirmed_turn != c->turn) {
        struct place place = place_of(c, p, r);
        if (place.node != NULL)
            confirm(c, p, r, place);
        else
            reservation_drop(c, r);
    }
}

/* ---- where to ---------------------------------------------------------------------------------------- */

/* Is somebody expected to start there sooner than was promised? */
static bool has_expected(const struct core *c, const struct node *n)
{
    const struct reserves *all = c->reserves;
    for (size_t i = 0; n->reserved > 0 && i < all->count; i++)
        if (all->v[i].expected_utc_us < all->v[i].start_utc_us && reservation_tasks(&all->v[i], n) > 0)
            return true;
    return false;
}

/* Its money ends before it is in the way of anybody's expected start, and its limit before any promised one. */
static bool ends_in_time(const struct core *c, const struct plan *p, const struct shape *s, struct node *n)
{
    const struct entry *first = queue_first(s);
    struct backfill_ask whole = forecast_ask(c, s), paid = whole;
    if (!has_expected(c, n) || !may_be_on(p, n, s))
        return false;
    paid.run_us = forecast_run_us(c, s, first != NULL ? entry_job(first) : NULL, n, p->now.utc_us);
    if (paid.run_us >= whole.run_us || !backfill_fits(reserve_profile(c, p, n, s), &paid, p->now.utc_us))
        return false;
    struct backfill *b = &c->reserves->profile;
    forecast_node(c, p, n, b);
    hold_kept(c, p, n, s, true, b);
    return backfill_fits(b, &whole, p->now.utc_us);
}

bool reserve_starts_now(const struct core *c, const struct plan *p, const struct shape *s, struct node *n)
{
    if (!capacity_fits(&s->need, &n->open.free))
        return false;
    return earliest_on(c, p, n, s) == p->now.utc_us || ends_in_time(c, p, s, n);
}

struct node *reserve_due(const struct core *c, const struct plan *p, const struct shape *s)
{
    const struct reservation *r = reservation_of(c, s);
    if (r == NULL || r->gang != NULL || !capacity_fits(&s->need, &r->node->open.free))
        return NULL;
    bool due = r->confirmed_turn == c->turn ? r->start_utc_us <= p->now.utc_us : reserve_starts_now(c, p, s, r->node);
    return due ? r->node : NULL;
}

struct node *reserve_beside(const struct core *c, const struct plan *p, const struct job *j, const struct shape *s,
                            const struct node *avoid)
{
    const struct reserves *all = c->reserves;
    struct node *best = NULL, *n;
    for (size_t i = 0; i < all->count; i++)
        for (size_t k = 0; (n = reservation_node(&all->v[i], k)) != NULL; k++)
            if (n != avoid && (best == NULL || shape_prefers(s, n, best)) && node_may_take(p, j, s, n) &&
                reserve_starts_now(c, p, s, n))
                best = n;
    return best;
}

void reserve_take(struct core *c, const struct plan *p, const struct shape *s, struct node *n)
{
    struct backfill_ask ask = forecast_ask(c, s);
    n->planned_turn = c->turn;
    if (p->facts != NULL && n->profile_turn == c->turn) /* a question keeps none */
        backfill_hold(&n->profile, p->now.utc_us, backfill_after(p->now.utc_us, ask.run_us), &ask.need);
}

void reserve_give_back(struct node *n)
{
    n->profile_turn = 0;
}

void reserve_placed(struct core *c, const struct plan *p, struct shape *s, struct node *n)
{
    reserve_take(c, p, s, n);
    reserve_forget(c, s);
}

/* ---- a turn ------------------------------------------------------------------------------------------ */

void reserve_node_changed(struct core *c, struct node *n)
{
    struct reserves *all = c->reserves;
    if (n->changed || all->count == 0 || all->changed_count == RESERVE_CHANGED_MAX)
        return;
    n->changed = true;
    all->changed[all->changed_count++] = n;
}

/* The firm ones are asked first. One that goes leaves its place to the next. */
static void confirm_firm(struct core *c, struct plan *p)
{
    struct reserves *all = c->reserves;
    for (size_t i = 0, count; i < all->count; i += all->count == count) {
        count = all->count;
        if (!is_firm(&all->v[i], p->now.utc_us))
            continue;
        if (all->v[i].gang != NULL)
            reserve_blocked_gang(c, p, all->v[i].shape, reservation_all_tasks(&all->v[i]));
        else
            reserve_blocked(c, p, all->v[i].shape);
    }
}

/* Could it be kept, as its nodes are? */
static bool is_possible(const struct reservation *r)
{
    struct node *n;
    for (size_t i = 0; (n = reservation_node(r, i)) != NULL; i++)
        if (!node_is_usable(n) || !shape_suits(r->shape, n) ||
            capacity_times(&r->shape->need, &n->total) < reservation_tasks(r, n))
            return false;
    return true;
}

void reserve_turn_begin(struct core *c, struct plan *p)
{
    struct reserves *all = c->reserves;
    forecast_begin(c);
    if (p->now.utc_us >= all->asks_utc_us + ASKS_US || p->now.utc_us < all->asks_utc_us) {
        all->asks_utc_us = p->now.utc_us;
        all->asks = 0;
        all->gang_asked = false;
    }
    for (size_t i = all->count; i-- > 0;) {
        struct reservation *r = &all->v[i];
        shape_refresh(c, r->shape);
        if (queue_first(r->shape) == NULL || !is_possible(r))
            reservation_drop(c, r);
    }
    confirm_firm(c, p);
}

void reserve_turn_end(struct core *c)
{
    struct reserves *all = c->reserves;
    for (size_t i = 0; i < all->changed_count; i++)
        all->changed[i]->changed = false;
    all->changed_count = 0;
}

/* ---- what is stopped for it --------------------------------------------------------------------------- */

bool reserve_is_soon(const struct core *c, const struct plan *p, const struct shape *s)
{
    const struct reservation *r = reservation_of(c, s);
    bool asked = r != NULL && (r->gang == NULL || r->victims_count == 0); /* else it holds as it is, whatever goes on */
    return asked && r->expected_utc_us <= p->now.utc_us + forecast_stop_us(c, END_PREEMPTED);
}

size_t reserve_victims(const struct core *c, const struct shape *s, struct node *const **ret)
{
    const struct reservation *r = reservation_of(c, s);
    *ret = r != NULL ? r->victims : NULL;
    return r != NULL ? r->victims_count : 0;
}

bool reserve_is_cut(const struct core *c, const struct shape *s)
{
    const struct reservation *r = reservation_of(c, s);
    return r != NULL && r->victims_cut;
}

void reserve_set_victims(struct core *c, const struct shape *s, struct node *const *nodes, size_t count, bool cut)
{
    struct reservation *r = reservation_of(c, s);
    if (r->victims_count > 0 && count == 0)
        blocked_free(c, s->tenant);
    free(r->victims);
    r->victims = core_alloc((count + 1) * sizeof r->victims[0]);
    r->victims_count = count;
    r->victims_cut = cut;
    for (size_t i = 0; i < count; i++)
        r->victims[i] = nodes[i];
}

struct node *reserve_place(const struct core *c, const struct shape *s, size_t i)
{
    const struct reservation *r = reservation_of(c, s);
    return r != NULL ? reservation_node(r, i) : NULL;
}

uint32_t reserve_tasks(const struct core *c, const struct shape *s)
{
    const struct reservation *r = reservation_of(c, s);
    return r->gang != NULL ? reservation_all_tasks(r) : 1;
}

size_t reserve_waiting_for_victims(const struct core *c, struct shape **ret)
{
    const struct reserves *all = c->reserves;
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        if (all->v[i].victims_count > 0)
            ret[count++] = all->v[i].shape;
    return count;
}

void reserve_at(struct core *c, const struct plan *p, const struct shape *s, struct node *n)
{
    struct reservation *r = reservation_of(c, s);
    confirm(c, p, r, (struct place){n, p->now.utc_us + forecast_stop_us(c, END_PREEMPTED)});
}

void reserve_kept(const struct core *c, const struct node *n, const struct shape *s, struct capacity *ret)
{
    const struct reserves *all = c->reserves;
    *ret = (struct capacity){0};
    for (size_t i = 0; n->reserved > 0 && i < all->count; i++) {
        uint32_t tasks = reservation_tasks(&all->v[i], n);
        if (tasks == 0 || all->v[i].shape == s || all->v[i].confirmed_turn != c->turn)
            continue;
        struct capacity need = capacity_of_many(&all->v[i].shape->need, tasks);
        capacity_add(ret, &need);
    }
}

/* ---- questions --------------------------------------------------------------------------------------- */

/* When all of a gang could start, and one of the nodes. */
static struct place earliest_of_gang(const struct core *c, const struct plan *asked, const struct shape *s,
                                     const struct reservation *r)
{
    struct gang_place place = {INT64_MAX, NULL, 0};
    (void)reserve_ask_gang(c, asked, s, r != NULL ? reservation_all_tasks(r) : s->gang_min, r, &place);
    struct place best = {place.start_utc_us < INT64_MAX ? place.v[0].node : NULL, place.start_utc_us};
    free(place.v);
    return best;
}

int64_t reserve_earliest(const struct core *c, const struct shape *s, int64_t utc_us, bool sooner,
                         const struct node **ret_node, bool *ret_kept)
{
    const struct reservation *r = reservation_of(c, s);
    struct plan asked = {.now = {utc_us, 0}};
    struct place best = {NULL, INT64_MAX};
    struct shape known = *s; /* with what it needs, as nodes know it by now */
    struct reserves *all = c->reserves;
    size_t next_node = all->next_node, asks = all->asks; /* the turn's: a question changes nothing */
    all->asks = 0;
    forecast_question(c, utc_us);
    if (!s->placeable && !shape_need(c, s, &known.need))
        r = NULL;
    else {
        const struct shape *one = s->placeable ? s : &known;
        forecast_by(c, sooner ? FORECAST_SOONER : FORECAST_BY_MONEY);
        if (s->gang > 1) {
            best = earliest_of_gang(c, &asked, one, r);
        } else {
            if (r != NULL)
                take_earlier(c, &asked, one, r->node, &best);
            search(c, &asked, one, &best);
        }
        forecast_by(c, FORECAST_SURE);
    }
    all->next_node = next_node;
    all->asks = asks;
    *ret_node = best.node;
    *ret_kept = r != NULL && best.node == r->node;
    return best.start_utc_us;
}

bool reserve_promised(const struct core *c, const struct shape *s, int64_t *ret_start_utc_us,
                      const struct node **ret_node)
{
    const struct reservation *r = reservation_of(c, s);
    if (r == NULL)
        return false;
    *ret_start_utc_us = r->start_utc_us;
    *ret_node = r->node;
    return true;
}
