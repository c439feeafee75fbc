#include "scheduler/core/answers.h"
#include "scheduler/core/claims.h"
#include "scheduler/core/deadline.h"
#include "scheduler/core/money.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/preempt.h"
#include "scheduler/core/quarantine.h"
#include "scheduler/core/reserve.h"
#include "scheduler/core/spread.h"

/*
 * The tenant with the least share, its best task, the fullest node it fits on; what doesn't fit steps aside for this
 * turn and the next one is tried. What only room keeps from starting is promised a node (reserve.c): a small task
 * passes a large one only where it doesn't delay it.
 */
#define SKIPPED_MAX 256 /* entries of one shape passed over one by one in a turn */
#define FULL_TRIES_MAX 32 /* in a turn, while no node has room for anything */
#define FAILED_MAX 256  /* tries of one tenant that fail in a turn: its own shapes wait, nobody else's */

/* ---- the plan's memory ------------------------------------------------------------------------------ */

void plan_skip(struct core *c, struct plan *p, struct entry *e)
{
    queue_drop(c, e);
    p->rows.skipped = core_room(p->rows.skipped, p->skipped_count, &p->rows.skipped_size, 64, sizeof(struct entry *));
    p->rows.skipped[p->skipped_count++] = e;
}

static void note_parked(struct plan *p, struct shape *s)
{
    p->rows.parked = core_room(p->rows.parked, p->parked_count, &p->rows.parked_size, 64, sizeof(struct shape *));
    p->rows.parked[p->parked_count++] = s;
}

bool plan_passes(const struct core *c, const struct shape *s)
{
    return s->passed_turn == c->turn;
}

void plan_park(struct core *c, struct plan *p, struct shape *s)
{
    queue_park(c, s);
    note_parked(p, s);
}

static void rest_tenant(const struct core *c, struct plan *p, struct tenant *t)
{
    claims_rest(c, t);
    p->rows.rested = core_room(p->rows.rested, p->rested_count, &p->rows.rested_size, 64, sizeof(struct tenant *));
    p->rows.rested[p->rested_count++] = t;
}

void plan_log(const struct core *c, struct plan *p, struct placement what)
{
    p->rows.log = core_room(p->rows.log, p->log_count, &p->rows.log_size, 64, sizeof p->rows.log[0]);
    p->rows.log[p->log_count++] = what;
    spread_note(c, what.job, what.node, true);
}

void decide_place_undo(struct core *c, struct plan *p)
{
    for (size_t i = p->count; i-- > 0;)
        if (fact_placements(&p->facts[i]) > 0 || p->facts[i].kind == FACT_HOLD_RENEWED ||
            p->facts[i].kind == FACT_BUDGET_OPENED)
            ledger_revert(c->ledger, &p->facts[i]);
    preempt_undo(c, p);
    while (p->log_count > 0) {
        struct placement *last = &p->rows.log[--p->log_count];
        spread_note(c, last->job, last->node, false);
        node_use(c, last->node, &last->shape->need, false);
        quarantine_probe(c, last->node, false);
        past_use_count(last->shape->tenant, last->ahead, false);
        claims_use(c, last->shape->tenant, &last->shape->need, false);
    }
    plan_resume_undo(c, p);
    for (size_t i = 0; i < p->skipped_count; i++)
        queue_push(c, p->rows.skipped[i]);
    for (size_t i = 0; i < p->parked_count; i++)
        if (p->rows.parked[i]->at == HEAP_NOWHERE)
            queue_unpark(c, p->rows.parked[i]);
    for (size_t i = 0; i < p->rested_count; i++)
        claims_wake(c, p->rows.rested[i]);
    openings_fini(&p->openings);
}

/* ---- one placement ---------------------------------------------------------------------------------- */

/* Holds for so much run time, and for the I/O that it has. */
static void pay_until(const struct core *c, const struct job *j, struct fact *f, uint64_t paid_us)
{
    struct meter meter = shape_meter(j->shape, f->placed.price_class, f->at_utc_us);
    f->placed.paid_us = paid_us;
    f->placed.hold_micros =
        price_cost(c->prices, meter, paid_us) + io_hold(c, &meter, f->placed.io_paid_bytes, paid_us);
    times_hold(c, job_tenant(j), &j->shape->resources, (struct stretch){f->at_utc_us, 0, paid_us}, &(struct list){0},
               &f->placed.times);
}

static struct io_offer offer_of(const struct core *c, const struct job *j, const struct node *n, const struct fact *f)
{
    struct meter meter = shape_meter(j->shape, f->placed.price_class, f->at_utc_us);
    return io_offer(c, j->shape, n, &meter, f->placed.paid_us, (struct io_stand){0});
}

void placed_fact(const struct core *c, const struct job *j, struct attempt_id id, const struct node *n, int64_t utc_us,
                 struct fact *f)
{
    struct tenant *t = job_tenant(j);
    const struct shape *s = j->shape;
    const struct price_version *version = price_book_at(c->prices, utc_us);
    *f = (struct fact){.kind = FACT_ATTEMPT_PLACED, .at_utc_us = utc_us};
    f->placed = (struct fact_placed){
        .id = id, .paid_us = shape_slice_us(c, s), .price_version = version != NULL ? version->version : 0};
    f->placed.node = n != NULL ? core_text(n->name) : NULL;
    f->placed.price_class = core_text(node_price_class(n));
    f->placed.io_paid_bytes = offer_of(c, j, n, f).most;
    pay_until(c, j, f, f->placed.paid_us);
    core_copy_resources(&s->resources, &f->placed.resources);
    core_copy_strs(&t->line, &f->placed.path);
    core_copy_strs(tenant_accounts(c, t, utc_us), &f->placed.accounts);
    if (j->aside->budget_micros > 0) {
        char own[JOB_ACCOUNT_MAX];
        int rc = strs_add(&f->placed.accounts, job_account(j->id, own));
        BUG(rc < 0);
    }
}

bool job_budget_lacks(const struct core *c, const struct job *j, int64_t hold_micros, int64_t *ret_free_micros)
{
    char own[JOB_ACCOUNT_MAX];
    struct account_view account;
    if (j->aside->budget_micros == 0 || !ledger_account(c->ledger, job_account(j->id, own), &account))
        return false;
    *ret_free_micros = account.limit_micros - account.spent_micros - account.held_micros;
    return *ret_free_micros < hold_micros;
}

bool placed_within_job_budget(const struct core *c, const struct job *j, struct fact *f)
{
    int64_t free_micros;
    if (!job_budget_lacks(c, j, f->placed.hold_micros, &free_micros))
        return true;
    struct meter meter = shape_meter(j->shape, f->placed.price_class, f->at_utc_us);
    uint64_t least_us = MIN(c->limits.slice_min_ms * 1000, f->placed.paid_us);
    struct io_offer offer = offer_of(c, j, node_find(c, f->placed.node), f);
    int64_t for_time = MAX(free_micros, 0) - io_hold(c, &meter, offer.least, f->placed.paid_us);
    uint64_t paid_us = price_time_for(c->prices, meter, for_time, f->placed.paid_us);
    bool buys = free_micros > 0 && paid_us >= least_us;
    paid_us = MAX(paid_us, least_us);
    f->placed.io_paid_bytes =
        io_bought(c, &meter, &offer, MAX(free_micros, 0) - price_cost(c->prices, meter, paid_us), paid_us);
    pay_until(c, j, f, paid_us);
    return buys;
}

bool start_least_io(const struct core *c, const struct job *j, struct fact *f)
{
    if (f->kind == FACT_GANG_PLACED)
        return gang_least_io(c, j, f);
    struct measure least = offer_of(c, j, node_find(c, f->placed.node), f).least;
    if (measured(least) >= measured(f->placed.io_paid_bytes))
        return false;
    f->placed.io_paid_bytes = least;
    pay_until(c, j, f, f->placed.paid_us);
    return true;
}

void plan_job(struct core *c, struct job *j)
{
    if (j->plan_turn == c->turn)
        return;
    j->plan_turn = c->turn;
    j->plan_next = j->next;
    j->plan_live = 0;
    spread_begin(c, j);
}

bool plan_is_capped(const struct job *j, uint32_t tasks)
{
    return j->max_running != 0 && j->live + j->plan_live + tasks > j->max_running;
}

/* The attempt that would start next. false: not now. */
static bool next_attempt(struct core *c, const struct plan *p, const struct entry *e, struct attempt_id *ret)
{
    struct job *j = entry_job(e);
    struct task *t = entry_task(e);
    plan_job(c, j);
    if (j->aside->ranges_in_flight > 0 || plan_is_capped(j, 1) || (t != NULL && t->in_flight) ||
        deadline_is_over(j, t, p->now.utc_us))
        return false;
    uint64_t index = t != NULL ? t->index : job_ready_from(j, j->plan_next);
    *ret = (struct attempt_id){j->id, (uint32_t)index, t != NULL ? t->epoch + 1 : 1};
    return index <= j->last;
}

static void start_think(struct core *c, struct plan *p, const struct entry *e, struct attempt_id id,
                        const struct node *n, struct start *ret)
{
    struct job *j = entry_job(e);
    *ret = (struct start){0};
    placed_fact(c, j, id, n, p->now.utc_us, &ret->f);
    int64_t whole_micros = ret->f.placed.hold_micros;
    ret->affordable = placed_within_job_budget(c, j, &ret->f);
    ret->whole = ret->affordable && ret->f.placed.hold_micros == whole_micros;
    openings_add(c, &p->openings, &ret->f);
    ret->fits = ret->affordable && ledger_check(c->ledger, &ret->f, &ret->blocker) == LEDGER_FITS;
    if (ret->affordable && !ret->fits && ret->blocker.verdict == LEDGER_BUDGET && start_least_io(c, j, &ret->f))
        ret->fits = ledger_check(c->ledger, &ret->f, &ret->blocker) == LEDGER_FITS;
}

void start_forget(struct core *c, struct plan *p, struct start *s)
{
    openings_undo(c, &p->openings);
    fact_clear(&s->f);
}

static void keep_room(struct core *c, struct plan *p, struct shape *s, const struct start *start)
{
    if (s->gang != 0)
        reserve_blocked_gang(c, p, s, (uint32_t)fact_placements(&start->f));
    else
        reserve_blocked(c, p, s);
}

void start_wait_for_room(struct core *c, struct plan *p, const struct entry *e, struct start *start)
{
    struct shape *s = entry_job(e)->shape;
    bool lent = start->blocker.verdict == LEDGER_BORROW && preempt_is_on(c, s);
    if (start->fits || (lent && s->reserved))
        keep_room(c, p, s, start);
    bool wants = preempt_is_on(c, s) && (lent || (start->fits && !reserve_is_soon(c, p, s)));
    bool comes = wants && preempt_for(c, p, e, &start->f, false);
    if (!start->fits && !comes)
        reserve_forget(c, s);
}

static void wait_for_room(struct core *c, struct plan *p, struct entry *e, struct attempt_id id)
{
    struct shape *s = entry_job(e)->shape;
    struct start start;
    if (!reserve_wanted(c, s))
        return;
    start_think(c, p, e, id, likely_node(c, s), &start);
    start_wait_for_room(c, p, e, &start);
    start_forget(c, p, &start);
}

/* There is room, but others have borrowed what it is guaranteed. true: that comes back, and the room is kept. */
static bool take_back(struct core *c, struct plan *p, struct entry *e, struct start *start)
{
    struct shape *s = entry_job(e)->shape;
    if (plan_passes(c, s) || !preempt_is_on(c, s) || !reserve_wanted(c, s))
        return false;
    if (s->reserved)
        keep_room(c, p, s, start);
    return preempt_for(c, p, e, &start->f, true);
}

/* The job's own budget can't buy another second, and nothing of it is held that might come back: it is over. */
static void give_up(struct core *c, struct plan *p, struct job *j)
{
    uint32_t first, count;
    if (j->live > 0 || j->plan_live > 0 || j->aside->in_flight > 0 || !job_waiting_range(j, j->first, &first, &count))
        return;
    struct fact *f = plan_add(p, FACT_TASKS_CANCELLED);
    cancel_range(c, j, first, count, "budget", core_text("the job's own budget is spent"), p->now.utc_us, f);
}

static void keep_plan(struct core *c, struct plan *p, struct entry *e, struct node *n, struct fact *f)
{
    struct job *j = entry_job(e);
    uint64_t ahead = past_use_of(c, j->shape, f->placed.paid_us, p->now.utc_us);
    plan_log(c, p, (struct placement){j, j->shape, n, ahead});
    plan_hold(c, p, f);
    node_use(c, n, &j->shape->need, true);
    quarantine_probe(c, n, true);
    past_use_count(j->shape->tenant, ahead, true);
    claims_use(c, j->shape->tenant, &j->shape->need, true); /* asks the ledger */
    reserve_placed(c, p, j->shape, n);
    j->plan_live++;
    if (!e->of_task)
        j->plan_next = f->placed.id.task + 1;
    if (e->of_task || plan_is_capped(j, 1) || job_ready_from(j, j->plan_next) > j->last)
        plan_skip(c, p, e);
}

/* Another one of this shape may start where this one can't: so many are passed over one by one in a turn. */
static bool may_skip(const struct core *c, struct shape *s)
{
    s->skipped = s->skipped_turn == c->turn ? s->skipped + 1 : 1;
    s->skipped_turn = c->turn;
    return s->skipped <= SKIPPED_MAX;
}

/* Has it a gang that may want less than this one does? */
static bool has_less(const struct shape *s, const struct entry *e)
{
    return s->rests > e->of_task && (!e->of_task || gang_least(gang_of(entry_job(e), entry_task(e)->index)) > 1);
}

/* Nobody of this shape finds room, one verdict for all of it; but where a job may have only so many on a node it may be
 * this job alone, and where a gang has less left it may fit. full: that was known. */
void plan_no_room(struct core *c, struct plan *p, struct entry *e, bool full)
{
    struct shape *s = entry_job(e)->shape;
    bool for_one = s->placeable && !full && demand_has_room(c, s, p->now.utc_us);
    p->stalled = c->limits.in_order;
    if (for_one && (s->per_node != 0 || has_less(s, e)) && may_skip(c, s)) {
        plan_skip(c, p, e);
        s->passed_turn = s->gang != 0 ? c->turn : 0;
        return;
    }
    plan_park(c, p, s);
    if (s->placeable && !full && !for_one) {
        p->full = !demands_fit(c, p->now.utc_us);
        claims_look(c);
    }
}

void start_put_off(struct core *c, struct plan *p, struct entry *e, struct start *start)
{
    struct shape *s = entry_job(e)->shape;
    if (start->blocker.verdict == LEDGER_RATE)
        plan_wake_at(p, start->blocker.when_utc_us);
    bool answered = start->affordable && start->whole && !start->fits;
    bool comes_back = answered && start->blocker.verdict == LEDGER_BORROW && take_back(c, p, e, start);
    struct block block = answered ? blocked_where(c, &start->blocker) : (struct block){0};
    start_forget(c, p, start);
    if (start->fits)
        return; /* the turn is full */
    if (comes_back) {
        plan_park(c, p, s);
        return;
    }
    if (!plan_passes(c, s))
        reserve_forget(c, s);
    if (!start->affordable)
        give_up(c, p, entry_job(e));
    if ((!start->whole || has_less(s, e)) && may_skip(c, s))
        plan_skip(c, p, e);
    else if (block.where != NULL)
        blocked_at(c, s, block, p->now.utc_us);
    else
        plan_park(c, p, s);
}

/* Tries the best ready task of a shape. false: none of this shape can start now, or this one can't; whatever
 * can't is out of the way for this turn. */
static bool try_first(struct core *c, struct plan *p, struct shape *s)
{
    struct entry *e = queue_first(s);
    struct attempt_id id;
    shape_refresh(c, s);
    if (entry_job(e)->gang != 0)
        return decide_gang(c, p, e);
    if (s->placeable && !next_attempt(c, p, e, &id)) {
        plan_skip(c, p, e);
        return false;
    }
    bool full = s->placeable && demand_is_full(c, s, p->now.utc_us);
    if (s->placeable && !full)
        ledger_expect(c->ledger, id);
    const struct node *avoid = e->of_task ? entry_task(e)->avoid : NULL;
    struct node *n = s->placeable && !full ? choose_node(c, p, entry_job(e), s, avoid) : NULL;
    if (n == NULL) {
        if (s->placeable)
            wait_for_room(c, p, e, id);
        plan_no_room(c, p, e, full);
        return false;
    }
    struct start start;
    start_think(c, p, e, id, n, &start);
    if (start.fits && openings_plan(c, p)) {
        keep_plan(c, p, e, n, &start.f);
        return true;
    }
    start_put_off(c, p, e, &start);
    return false;
}

/* Nothing comes of a try: no node has room, and none would be kept for it. */
static bool is_hopeless(const struct core *c, const struct shape *s, int64_t utc_us)
{
    return s->demand != NULL && demand_is_full(c, s, utc_us) && !reserve_is_open(c, s);
}

struct parking {
    struct core *c;
    struct plan *p;
};

static bool park_hopeless(void *arg, void *shape)
{
    const struct parking *w = arg;
    if (!is_hopeless(w->c, shape, w->p->now.utc_us))
        return false;
    note_parked(w->p, shape);
    return true;
}

/* The best of its shapes that may start; where the first can't, all that can't go at once. Not where something is
 * guaranteed: whose turn it is goes there by what each tenant's first shape needs. */
static bool try_tenant(struct core *c, struct plan *p, struct tenant *t)
{
    struct shape *first = heap_top(&t->shapes);
    if (p->full || c->limits.in_order || c->guarantees || !is_hopeless(c, first, p->now.utc_us))
        return try_first(c, p, first);
    queue_park_some(c, t, park_hopeless, &(struct parking){c, p});
    return true;
}

static void count_failure(struct core *c, struct plan *p, struct tenant *t)
{
    t->failed = t->failed_turn == c->turn ? t->failed + 1 : 1;
    t->failed_turn = c->turn;
    if (t->failed >= FAILED_MAX && t->own.at != HEAP_NOWHERE)
        rest_tenant(c, p, t);
}

/* For whom somebody was stopped is asked before all others: whoever is first in the fair order, a borrower it may be,
 * would else take what was given back. */
static void try_with_victims(struct core *c, struct plan *p)
{
    struct shape *shapes[RESERVE_MAX];
    size_t count = reserve_waiting_for_victims(c, shapes);
    for (size_t i = 0; i < count && p->count < p->max; i++)
        if (shapes[i]->at != HEAP_NOWHERE && queue_first(shapes[i]) != NULL) {
            c->decisions_total++;
            (void)try_first(c, p, shapes[i]);
        }
}

/* Where nobody has room, some may be made for those who are first. */
static bool is_worth_a_try(const struct core *c, const struct plan *p)
{
    bool some = !p->full || (preempt_is_used(c) && p->full_tries < FULL_TRIES_MAX);
    return some && !p->stalled && p->count < p->max;
}

void decide_place(struct core *c, struct plan *p)
{
    p->full = !demands_fit(c, p->now.utc_us);
    if (p->full && !preempt_is_used(c))
        return;
    claims_look(c);
    reserve_turn_begin(c, p);
    try_with_victims(c, p);
    for (struct tenant *t; is_worth_a_try(c, p) && (t = claims_next(c)) != NULL;) {
        c->decisions_total++;
        p->full_tries += p->full;
        if (!try_tenant(c, p, t))
            count_failure(c, p, t);
    }
    reserve_turn_end(c);
}
