#include "scheduler/core/claims.h"
#include "scheduler/core/deadline.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/quarantine.h"
#include "scheduler/core/reserve.h"
#include "scheduler/core/spread.h"

/*
 * A gang is tried like a task: one node after the other is chosen for its members, each as if those before had started
 * there. They ask alike, so where the first of them leave no room for the last, no other choice would. What was taken
 * in thought is given back when the gang as a whole has no room, or no money. Within a group of nodes (topology.h) it
 * is the same, group by group.
 *
 * One that may begin with fewer (gang_min) begins as soon as the least can, with as many as can then: as have room and
 * its job's cap allows, and of these as many as quota and money let start. It waits for the least: room is promised,
 * and others are stopped, for so many.
 */
#define GROUPS_TRIED_MAX 8

/* ---- its fact ---------------------------------------------------------------------------------------- */

static struct meter meter_of(const struct job *j, const struct fact *f, const struct gang_member *m)
{
    return shape_meter(j->shape, m->price_class, f->at_utc_us);
}

/* Does it pay the same as the one before it? */
static bool pays_alike(const struct gang_member *v, size_t i)
{
    return i > 0 && str_same(v[i].price_class, v[i - 1].price_class) &&
           v[i].io_paid_bytes.plus_one == v[i - 1].io_paid_bytes.plus_one;
}

static struct io_offer offer_of(const struct core *c, const struct job *j, const struct fact *f,
                                const struct gang_member *m, uint64_t paid_us)
{
    struct meter meter = meter_of(j, f, m);
    return io_offer(c, j->shape, node_find(c, m->node), &meter, paid_us, (struct io_stand){0});
}

static void pay_until(const struct core *c, const struct job *j, struct fact *f, uint64_t paid_us)
{
    struct fact_gang *g = &f->gang_placed;
    struct gang_member *v = g->members.v;
    g->paid_us = paid_us;
    for (size_t i = 0; i < g->members.count; i++) {
        struct meter meter = meter_of(j, f, &v[i]);
        v[i].hold_micros = pays_alike(v, i) ? v[i - 1].hold_micros
                                            : price_cost(c->prices, meter, paid_us) +
                                                  io_hold(c, &meter, v[i].io_paid_bytes, paid_us);
    }
    times_hold(c, job_tenant(j), &j->shape->resources, (struct stretch){f->at_utc_us, 0, paid_us}, &(struct list){0},
               &g->times);
}

void gang_fact(const struct core *c, struct gang g, uint32_t members, struct node *const *nodes,
               const struct node *like, int64_t utc_us, struct fact *f)
{
    const struct job *j = g.job;
    struct fact one;
    placed_fact(c, j, (struct attempt_id){j->id, g.first, 1}, nodes != NULL ? nodes[0] : like, utc_us, &one);
    *f = (struct fact){.kind = FACT_GANG_PLACED, .at_utc_us = utc_us};
    f->gang_placed = (struct fact_gang){.job = j->id,
                                        .resources = one.placed.resources,
                                        .path = one.placed.path,
                                        .accounts = one.placed.accounts,
                                        .price_version = one.placed.price_version,
                                        .times = one.placed.times,
                                        .left_out = gang_size(g) - members};
    uint64_t i = gang_member_from(g, g.first);
    for (uint32_t at = 0; at < members; i = gang_member_from(g, i + 1), at++) {
        const struct task *t = task_find(j, (uint32_t)i);
        const struct node *n = nodes != NULL ? nodes[at] : like;
        struct gang_member *m = list_add(&f->gang_placed.members, sizeof *m);
        BUG(m == NULL);
        *m = (struct gang_member){.task = (uint32_t)i,
                                  .epoch = t != NULL ? t->epoch + 1 : 1,
                                  .node = n != NULL ? core_text(n->name) : NULL,
                                  .price_class = core_text(node_price_class(n))};
        m->io_paid_bytes = offer_of(c, j, f, m, one.placed.paid_us).most;
    }
    pay_until(c, j, f, one.placed.paid_us);
    free(one.placed.node);
    free(one.placed.price_class);
}

bool gang_within_job_budget(const struct core *c, const struct job *j, struct fact *f)
{
    struct fact_gang *g = &f->gang_placed;
    struct gang_member *v = g->members.v;
    int64_t free_micros, hold_micros = 0;
    for (size_t i = 0; i < g->members.count; i++)
        hold_micros += v[i].hold_micros;
    if (!job_budget_lacks(c, j, hold_micros, &free_micros))
        return true;
    uint64_t least_us = MIN(c->limits.slice_min_ms * 1000, g->paid_us), paid_us = g->paid_us;
    int64_t each_micros = MAX(free_micros, 0) / (int64_t)g->members.count;
    for (size_t i = 0; i < g->members.count; i++) {
        struct meter meter = meter_of(j, f, &v[i]);
        int64_t for_time = each_micros - io_hold(c, &meter, offer_of(c, j, f, &v[i], g->paid_us).least, g->paid_us);
        if (!pays_alike(v, i))
            paid_us = MIN(paid_us, price_time_for(c->prices, meter, for_time, paid_us));
    }
    bool buys = free_micros > 0 && paid_us >= least_us;
    paid_us = MAX(paid_us, least_us);
    for (size_t i = 0; i < g->members.count; i++) {
        struct meter meter = meter_of(j, f, &v[i]);
        struct io_offer offer = offer_of(c, j, f, &v[i], g->paid_us);
        v[i].io_paid_bytes =
            io_bought(c, &meter, &offer, each_micros - price_cost(c->prices, meter, paid_us), paid_us);
    }
    pay_until(c, j, f, paid_us);
    return buys;
}

bool gang_least_io(const struct core *c, const struct job *j, struct fact *f)
{
    struct fact_gang *g = &f->gang_placed;
    struct gang_member *v = g->members.v;
    bool lowers = false;
    for (size_t i = 0; i < g->members.count; i++) {
        struct measure least = offer_of(c, j, f, &v[i], g->paid_us).least;
        if (measured(least) < measured(v[i].io_paid_bytes)) {
            v[i].io_paid_bytes = least;
            lowers = true;
        }
    }
    if (lowers)
        pay_until(c, j, f, g->paid_us);
    return lowers;
}

/* ---- its nodes --------------------------------------------------------------------------------------- */

/* Back to so many thoughts; room: as it was then. */
static void give_back(struct core *c, struct plan *p, size_t log, uint64_t room)
{
    while (p->log_count > log) {
        struct placement *last = &p->rows.log[--p->log_count];
        spread_note(c, last->job, last->node, false);
        node_use(c, last->node, &last->shape->need, false);
        quarantine_probe(c, last->node, false);
        reserve_give_back(last->node);
    }
    c->room = room; /* nobody has more free than before */
}

/* What is to find nodes. */
struct seeking {
    struct core *c;
    struct plan *p;
    const struct job *j;
    struct shape *s;
    uint32_t members, least; /* of them: with so few it begins */
    const struct node *avoid;
    bool asks; /* it is only a question */
};

/* One of them starts there, in the log from now on. */
static void take_one(struct seeking *k, struct node *n)
{
    plan_log(k->c, k->p, (struct placement){k->j, k->s, n, 0});
    node_use(k->c, n, &k->s->need, true);
    quarantine_probe(k->c, n, true);
    reserve_take(k->c, k->p, k->s, n);
}

/* Each gives for how many there was a node. */
static uint32_t take_anywhere(struct seeking *k)
{
    uint32_t found = 0;
    for (struct node *n; found < k->members && (n = choose_node(k->c, k->p, k->j, k->s, k->avoid)) != NULL; found++)
        take_one(k, n);
    return found;
}

static uint32_t take_of(struct seeking *k, const struct group *g)
{
    uint32_t found = 0;
    for (size_t i = 0; i < g->count; i++)
        while (found < k->members && g->nodes[i] != k->avoid && node_starts(k->c, k->p, k->j, k->s, g->nodes[i])) {
            take_one(k, g->nodes[i]);
            found++;
        }
    return found;
}

/* How many would fit, as far as free capacity goes: beside what is kept for others it may be fewer. */
static uint64_t room_in(const struct seeking *k, const struct group *g)
{
    uint64_t room = 0;
    int64_t clear_utc_us = forecast_clear_utc_us(k->c, k->s, k->p->now.utc_us);
    for (size_t i = 0; i < g->count; i++)
        if (node_is_usable(g->nodes[i]) && g->nodes[i] != k->avoid && clear_utc_us <= g->nodes[i]->open.until_us)
            room += MIN(capacity_times(&k->s->need, &g->nodes[i]->open.free),
                        (uint64_t)MIN(node_may_take_so_many(k->p, k->j, k->s, g->nodes[i]), k->members));
    return room;
}

struct ranked {
    const struct group *group;
    uint64_t room;
};

static int by_room(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->room != y->room)
        return x->room < y->room ? -1 : 1;
    return x->group < y->group ? -1 : x->group > y->group; /* of one row, by value */
}

/* Takes of the groups, one after the other, until there is room for all. */
static struct gang_found take_first(struct seeking *k, const struct ranked *v, size_t count, bool from_end)
{
    size_t log = k->p->log_count;
    uint64_t room = k->c->room;
    struct gang_found best = {0};
    for (size_t i = 0; i < MIN(count, (size_t)GROUPS_TRIED_MAX) && best.tasks < k->members; i++) {
        const struct group *g = v[from_end ? count - 1 - i : i].group;
        give_back(k->c, k->p, log, room);
        uint32_t found = take_of(k, g);
        if (best.group == NULL || found > best.tasks)
            best = (struct gang_found){found, g};
    }
    return best;
}

/* May it be in a group that hasn't room for all of it? */
static bool takes_fewer(const struct seeking *k)
{
    return k->asks || (k->least < k->members && k->avoid == NULL && !k->s->within_or_any);
}

/* The group with the least room that is enough for all, so that large ones stay whole; spread: with the most. What is
 * kept there for others may be in the way: then the next one. Where fewer will do, or it is a question: the one with
 * most. */
static struct gang_found take_within(struct seeking *k)
{
    const struct topology *t = topology_of(k->c, k->s);
    struct ranked *v = core_alloc((t->count + 1) * sizeof v[0]);
    size_t log = k->p->log_count, count = t->count, first = 0;
    uint64_t room = k->c->room;
    for (size_t i = 0; i < count; i++)
        v[i] = (struct ranked){&t->groups[i], room_in(k, &t->groups[i])};
    if (count > 1)
        qsort(v, count, sizeof v[0], by_room);
    while (first < count && v[first].room < k->members)
        first++;
    struct gang_found found = take_first(k, v + first, count - first, k->s->spread);
    if (found.tasks < k->members && takes_fewer(k)) {
        give_back(k->c, k->p, log, room);
        struct gang_found most = take_first(k, v, first, true);
        found = found.group == NULL || most.tasks > found.tasks ? most : found;
        give_back(k->c, k->p, log, room);
        if (found.group != NULL)
            (void)take_of(k, found.group);
    }
    free(v);
    return found;
}

/* Nodes for as many of them as may be, in the log from now on. Gives for how many there is one; less than the least:
 * the caller gives back what is in the log. */
static struct gang_found take(struct seeking *k)
{
    size_t log = k->p->log_count;
    uint64_t room = k->c->room;
    struct gang_found found = {0};
    if (k->s->within != NULL)
        found = take_within(k);
    else
        found.tasks = take_anywhere(k);
    if (found.tasks < k->members && k->s->within != NULL && k->avoid != NULL) {
        give_back(k->c, k->p, log, room);
        k->avoid = NULL;
        found = take_within(k);
    }
    if (found.tasks < k->members && k->s->within != NULL && k->s->within_or_any) {
        give_back(k->c, k->p, log, room);
        found = (struct gang_found){take_anywhere(k), NULL};
    }
    return found;
}

struct gang_found gang_would_find(const struct core *c, int64_t utc_us, const struct job *j, const struct shape *s,
                                  uint32_t members)
{
    struct core *thinker = (struct core *)(uintptr_t)c; /* it is as it was when this is over */
    struct plan p = {.now = {utc_us, 0}, .behind = reserve_is_for_more(c, s, members)};
    struct seeking k = {thinker, &p, j, (struct shape *)(uintptr_t)s, members, members, NULL, true};
    uint64_t room = c->room;
    struct gang_found found = take(&k);
    give_back(thinker, &p, 0, room);
    free(p.rows.log);
    return found;
}

/* ---- one try ----------------------------------------------------------------------------------------- */

/* The gang that would start next. false: not now. */
static bool next_gang(struct core *c, const struct plan *p, const struct entry *e, struct gang *ret)
{
    struct job *j = entry_job(e);
    plan_job(c, j);
    uint64_t index = e->of_task ? entry_task(e)->index : job_ready_from(j, j->plan_next);
    if (index > j->last || j->aside->ranges_in_flight > 0)
        return false;
    *ret = gang_of(j, (uint32_t)index);
    for (uint64_t i = gang_member_from(*ret, ret->first); i <= ret->last; i = gang_member_from(*ret, i + 1)) {
        const struct task *t = task_find(j, (uint32_t)i);
        if ((t != NULL && t->in_flight) || deadline_is_over(j, t, p->now.utc_us))
            return false;
    }
    return !plan_is_capped(j, gang_least(*ret));
}

/* So many of it, on these nodes; NULL: wherever it would be likely. */
static void think_on(struct core *c, struct plan *p, struct gang g, uint32_t members, struct node *const *nodes,
                     struct start *ret)
{
    *ret = (struct start){0};
    gang_fact(c, g, members, nodes, nodes == NULL ? likely_node(c, g.job->shape) : NULL, p->now.utc_us, &ret->f);
    uint64_t whole_us = ret->f.gang_placed.paid_us;
    ret->affordable = gang_within_job_budget(c, g.job, &ret->f);
    ret->whole = ret->affordable && ret->f.gang_placed.paid_us == whole_us;
    openings_add(c, &p->openings, &ret->f);
    ret->fits = ret->affordable && ledger_check(c->ledger, &ret->f, &ret->blocker) == LEDGER_FITS;
    if (ret->affordable && !ret->fits && ret->blocker.verdict == LEDGER_BUDGET && start_least_io(c, g.job, &ret->f))
        ret->fits = ledger_check(c->ledger, &ret->f, &ret->blocker) == LEDGER_FITS;
}

/* The first so many where the log has them. */
static void think(struct core *c, struct plan *p, struct gang g, size_t log, uint32_t members, struct start *ret)
{
    struct node **nodes = core_alloc(members * sizeof(struct node *));
    for (uint32_t i = 0; i < members; i++)
        nodes[i] = p->rows.log[log + i].node;
    think_on(c, p, g, members, nodes, ret);
    free(nodes);
}

static void think_again(struct core *c, struct plan *p, struct gang g, size_t log, uint32_t members, struct start *ret)
{
    start_forget(c, p, ret);
    think(c, p, g, log, members, ret);
}

/* As many of those that the log has as the ledger and the job's own budget let start; the least, if not even these.
 * Gives how many. */
static uint32_t think_most(struct core *c, struct plan *p, struct gang g, size_t log, struct start *ret)
{
    uint32_t least = gang_least(g), most = (uint32_t)(p->log_count - log);
    think(c, p, g, log, most, ret);
    if (ret->fits || most == least)
        return most;
    think_again(c, p, g, log, least, ret);
    if (!ret->fits)
        return least;
    while (least + 1 < most) { /* the least fit, so many don't */
        uint32_t middle = least + (most - least) / 2;
        think_again(c, p, g, log, middle, ret);
        *(ret->fits ? &least : &most) = middle;
    }
    if (!ret->fits)
        think_again(c, p, g, log, least, ret);
    return least;
}

static void keep(struct core *c, struct plan *p, struct entry *e, struct gang g, size_t log, struct fact *f)
{
    struct job *j = entry_job(e);
    struct tenant *t = j->shape->tenant;
    uint64_t ahead = past_use_of(c, j->shape, f->gang_placed.paid_us, p->now.utc_us);
    plan_hold(c, p, f);
    for (size_t i = log; i < p->log_count; i++) {
        p->rows.log[i].ahead = ahead;
        past_use_count(t, ahead, true);
        claims_use(c, t, &j->shape->need, true);
    }
    if (!plan_passes(c, j->shape))
        reserve_forget(c, j->shape);
    j->plan_live += (uint32_t)(p->log_count - log);
    if (!e->of_task)
        j->plan_next = g.last + 1;
    if (e->of_task || plan_is_capped(j, j->gang_min) || job_ready_from(j, j->plan_next) > j->last)
        plan_skip(c, p, e);
}

static void wait_for_room(struct core *c, struct plan *p, const struct entry *e, struct gang g)
{
    struct start start;
    if (plan_passes(c, g.job->shape) || !reserve_wanted(c, g.job->shape))
        return;
    think_on(c, p, g, gang_least(g), NULL, &start);
    start_wait_for_room(c, p, e, &start);
    start_forget(c, p, &start);
}

/* Nothing has changed since no room was found for so many, or fewer, and what is promised to it isn't due. */
static bool is_in_vain(const struct core *c, const struct plan *p, struct gang g)
{
    const struct shape *s = g.job->shape;
    const struct in_vain *v = &s->in_vain;
    bool same = v->room == c->room && v->version == reserve_version(c) && (s->per_node == 0 || v->job == g.job->id);
    return same && gang_least(g) >= v->least && (plan_passes(c, s) || !reserve_is_due(c, s, p->now.utc_us));
}

static uint32_t most_under_cap(struct gang g)
{
    const struct job *j = g.job;
    uint32_t size = gang_size(g);
    return j->max_running != 0 ? MIN(size, j->max_running - j->live - j->plan_live) : size;
}

static bool find_room(struct core *c, struct plan *p, struct gang g, const struct node *avoid)
{
    struct shape *s = g.job->shape;
    size_t log = p->log_count;
    uint64_t room = c->room;
    if (demand_is_full(c, s, p->now.utc_us) || is_in_vain(c, p, g))
        return false;
    if (!plan_passes(c, s))
        reserve_lift(c, s);
    struct seeking k = {c, p, g.job, s, most_under_cap(g), gang_least(g), avoid, false};
    if (take(&k).tasks >= k.least)
        return true;
    give_back(c, p, log, room);
    s->in_vain = (struct in_vain){room, reserve_version(c), g.job->id, k.least};
    return false;
}

bool decide_gang(struct core *c, struct plan *p, struct entry *e)
{
    struct shape *s = entry_job(e)->shape;
    struct gang g;
    struct start start;
    if (s->placeable && !next_gang(c, p, e, &g)) {
        plan_skip(c, p, e);
        return false;
    }
    size_t log = p->log_count;
    uint64_t room = c->room;
    bool full = s->placeable && demand_is_full(c, s, p->now.utc_us);
    const struct node *avoid = e->of_task ? entry_task(e)->avoid : NULL;
    if (!s->placeable || !find_room(c, p, g, avoid)) {
        if (s->placeable)
            wait_for_room(c, p, e, g);
        plan_no_room(c, p, e, full);
        return false;
    }
    give_back(c, p, log + think_most(c, p, g, log, &start), c->room);
    if (start.fits && openings_plan(c, p)) {
        keep(c, p, e, g, log, &start.f);
        return true;
    }
    give_back(c, p, log, room);
    start_put_off(c, p, e, &start);
    return false;
}
