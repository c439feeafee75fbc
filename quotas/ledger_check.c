#include <string.h>

#include "quotas/ledger_state.h"

bool ledger_blocked(struct blocker_sink *sink, struct ledger_blocker blocker)
{
    if (sink->count < sink->max) {
        sink->ret[sink->count] = blocker;
    }
    sink->count++;
    return sink->first_only;
}

/* A fact that contradicts the state isn't weighed any further. */
static void refuse(struct blocker_sink *sink, enum ledger_verdict verdict, const char *where)
{
    (void)ledger_blocked(sink, (struct ledger_blocker){.verdict = verdict, .where = where});
}

/* The nodes of a path, leaf first; LEDGER_FITS when they are a chain up to the root. */
static enum ledger_verdict path_nodes(const struct ledger *l, const struct strs *path,
                                      struct node *ret[LEDGER_PATH_MAX], const char **ret_where)
{
    if (path->count == 0 || path->count > LEDGER_PATH_MAX) {
        *ret_where = NULL;
        return LEDGER_BAD;
    }
    if (ledger_line(l, path, ret) == path->count) {
        return LEDGER_FITS;
    }
    for (size_t i = 0; i < path->count; i++) {
        ret[i] = ledger_node(l, path->v[i]);
        *ret_where = path->v[i];
        if (!ret[i]) {
            return LEDGER_NO_TENANT;
        }
    }
    for (size_t i = 0; i < path->count; i++) {
        *ret_where = path->v[i];
        if (ret[i]->parent != (i + 1 < path->count ? ret[i + 1] : NULL)) {
            return LEDGER_BAD;
        }
    }
    return LEDGER_FITS;
}

static bool is_amount(int64_t micros)
{
    return micros >= 0 && micros <= MONEY_MICROS_MAX;
}

/* ---- money ------------------------------------------------------------------------------------------------- */

/* What is asked of one account. */
struct claim {
    const char *name;
    int64_t micros;
};
/* What is asked of all: one amount of money of each account, then time, each its own. */
struct claims {
    const struct strs *accounts;
    int64_t micros;
    const struct list *times; /* struct time_hold */
    int64_t at_utc_us;
};

#define CLAIMS_MAX ((size_t)2 * LEDGER_ACCOUNTS_MAX)

static size_t claims_count(const struct claims *c)
{
    return c->accounts->count + c->times->count;
}

static struct claim claim_at(const struct claims *c, size_t i)
{
    if (i < c->accounts->count) {
        return (struct claim){c->accounts->v[i], c->micros};
    }
    const struct time_hold *t = &((const struct time_hold *)c->times->v)[i - c->accounts->count];
    return (struct claim){t->account, t->hold};
}

/* What a renewal gives back to the accounts of the old hold before it asks again: held - freed, spent + settled. */
struct returned {
    const struct money_hold *from; /* NULL: a first hold, nothing comes back */
    int64_t settled;
    const struct list *times_settled;
};

/* An account as the claim would find it. */
struct purse {
    int64_t spent, held;
};

static struct purse purse_of(const struct account *a, struct returned back)
{
    struct purse p = {a->spent, a->held};
    for (size_t i = 0; back.from && i < back.from->accounts_count; i++) {
        if (back.from->accounts[i] == a) {
            return (struct purse){p.spent + back.settled, p.held - back.from->held};
        }
    }
    for (size_t i = 0; back.from && i < back.from->times_count; i++) {
        const struct time_part *part = &back.from->times[i];
        if (part->account == a) {
            int64_t spent = ((const struct time_hold *)back.times_settled->v)[i].spent;
            return (struct purse){p.spent + spent - part->spent, p.held - part->held};
        }
    }
    return p;
}

static bool claims_repeat(const struct claims *c)
{
    for (size_t i = 0; i < claims_count(c); i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(claim_at(c, i).name, claim_at(c, k).name) == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool claims_are_sound(const struct claims *c)
{
    bool sound = is_amount(c->micros) && c->accounts->count <= LEDGER_ACCOUNTS_MAX &&
                 c->times->count <= LEDGER_ACCOUNTS_MAX;
    for (size_t i = 0; sound && i < claims_count(c); i++) {
        struct claim claim = claim_at(c, i);
        sound = claim.name && is_amount(claim.micros);
    }
    return sound && !claims_repeat(c);
}

/* Whatever keeps these accounts from being held on at all, before any question of limits. Finds them. */
static bool claims_refused(const struct ledger *l, const struct claims *c, struct returned back,
                           const struct account *ret[CLAIMS_MAX], struct blocker_sink *sink)
{
    if (!claims_are_sound(c)) {
        refuse(sink, LEDGER_BAD, NULL);
        return true;
    }
    for (size_t i = 0; i < claims_count(c); i++) {
        struct claim claim = claim_at(c, i);
        const struct account *a = ret[i] = ledger_account_find(l, claim.name);
        struct purse p = a ? purse_of(a, back) : (struct purse){0};
        bool wrong = a && (i < c->accounts->count) != !a->resource; /* money is no time */
        if (!a || wrong || p.spent + p.held + claim.micros > LEDGER_COUNT_MAX) {
            refuse(sink, a ? LEDGER_BAD : LEDGER_NO_ACCOUNT, claim.name);
            return true;
        }
    }
    return false;
}

/* A first hold needs free >= ask, also when it asks for nothing: below zero nothing new is admitted. A renewal that
 * asks for nothing may go on. */
static void money_blockers(const struct claims *c, struct returned back, const struct account *const *accounts,
                           struct blocker_sink *sink)
{
    for (size_t i = 0; i < claims_count(c); i++) {
        struct claim claim = claim_at(c, i);
        const struct account *a = accounts[i];
        struct purse p = purse_of(a, back);
        bool asks = claim.micros > 0 || !back.from;
        struct ledger_blocker blocker = {
            .verdict = LEDGER_BUDGET, .where = a->name, .resource = a->resource, .limit = a->limit, .used = p.spent,
            .held = p.held, .need = claim.micros,
            .closed = c->at_utc_us < a->from_utc_us || c->at_utc_us >= a->to_utc_us,
        };
        if (a->limit >= 0 && asks && (blocker.closed || a->limit - p.spent - p.held < claim.micros) &&
            ledger_blocked(sink, blocker)) {
            return;
        }
    }
}

/* ---- attempts ---------------------------------------------------------------------------------------------- */

static bool use_overflows(const struct node *n, const struct resources *need)
{
    uint64_t amount;
    const char *name;
    for (size_t i = 0; (name = ledger_resource(need, i, &amount)) != NULL; i++) {
        if (amount > (uint64_t)LEDGER_COUNT_MAX ||
            ledger_resource_get(&n->used, i, name) + amount > (uint64_t)LEDGER_COUNT_MAX) {
            return true;
        }
    }
    return false;
}

static bool quota_blocked(const struct node *n, const char *resource, uint64_t limit, uint64_t used, uint64_t need,
                          struct blocker_sink *sink)
{
    if (limit == 0 || used + need <= limit) {
        return false;
    }
    return ledger_blocked(sink, (struct ledger_blocker){.verdict = LEDGER_QUOTA, .where = n->rule.path,
                                                        .resource = resource, .limit = (int64_t)limit,
                                                        .used = (int64_t)used, .need = (int64_t)need});
}

static bool quota_blockers(const struct node *n, const struct resources *need, uint64_t tasks,
                           struct blocker_sink *sink)
{
    uint64_t amount;
    const char *name;
    const struct quota_rule *quota = &n->rule.quota;
    for (size_t i = 0; (name = ledger_resource(need, i, &amount)) != NULL; i++) {
        if (amount > 0 && quota_blocked(n, name, ledger_resource_get(&quota->max, i, name),
                                        ledger_resource_get(&n->used, i, name), amount, sink)) {
            return true;
        }
    }
    return quota_blocked(n, "running", quota->max_running, n->running, tasks, sink);
}

/* Nothing was spent before the first hold. */
static bool times_begin(const struct list *times)
{
    const struct time_hold *v = times->v;
    for (size_t i = 0; i < times->count; i++) {
        if (v[i].spent != 0) {
            return false;
        }
    }
    return true;
}

/* So many tasks at once; so many leave the queue by that. */
struct starting {
    uint64_t tasks, waiting;
    int64_t at_utc_us;
};

/* f: what they ask for together. */
static void starts_blockers(const struct ledger *l, const struct fact_placed *f, struct starting s,
                            struct blocker_sink *sink)
{
    const struct claims claims = {&f->accounts, f->hold_micros, &f->times, s.at_utc_us};
    struct node *path[LEDGER_PATH_MAX];
    const char *where = NULL;
    enum ledger_verdict verdict = path_nodes(l, &f->path, path, &where);
    for (size_t i = 0; verdict == LEDGER_FITS && i < f->path.count; i++) {
        where = path[i]->rule.path;
        /* A task that is placed was queued; resources are named once (their table keeps generic ones sorted). */
        verdict = path[i]->queued < s.waiting || use_overflows(path[i], &f->resources) ? LEDGER_BAD : LEDGER_FITS;
    }
    if (verdict == LEDGER_FITS && !times_begin(&f->times)) {
        verdict = LEDGER_BAD;
        where = NULL;
    }
    if (verdict != LEDGER_FITS) {
        refuse(sink, verdict, where);
        return;
    }
    const struct account *accounts[CLAIMS_MAX];
    if (claims_refused(l, &claims, (struct returned){0}, accounts, sink)) {
        return;
    }
    for (size_t i = 0; i < f->path.count; i++) {
        if (quota_blockers(path[i], &f->resources, s.tasks, sink)) {
            return;
        }
    }
    if (quota_borrow_blockers(path, f->path.count, &f->resources, sink)) {
        return;
    }
    money_blockers(&claims, (struct returned){0}, accounts, sink);
    if (!(sink->first_only && sink->count > 0)) {
        (void)quota_rate_blockers(path, f->path.count, true, s.tasks, s.at_utc_us, sink);
    }
}

static void placed_blockers(const struct ledger *l, const struct fact *fact, struct blocker_sink *sink)
{
    if (ledger_hold(l, fact->placed.id)) {
        refuse(sink, LEDGER_DUPLICATE, NULL);
    } else {
        starts_blockers(l, &fact->placed, (struct starting){1, 1, fact->at_utc_us}, sink);
    }
}

/* Members are in the order of their tasks, so that none is there twice, and each holds an amount. */
static enum ledger_verdict members_verdict(const struct ledger *l, const struct fact_gang *f)
{
    const struct gang_member *v = f->members.v;
    for (size_t i = 0; i < f->members.count; i++) {
        if (ledger_hold(l, (struct attempt_id){f->job, v[i].task, v[i].epoch})) { /* first, as the commit asks */
            return LEDGER_DUPLICATE;
        }
        if (!is_amount(v[i].hold_micros) || (i > 0 && v[i].task <= v[i - 1].task)) {
            return LEDGER_BAD;
        }
    }
    return f->members.count > 0 && f->members.count <= JOB_GANG_MAX ? LEDGER_FITS : LEDGER_BAD;
}

/* An array as long as the list's, each element a copy; the texts stay the fact's. */
static void *copied(const void *v, size_t count, size_t size)
{
    void *copy = calloc(count + 1, size);
    if (!copy) {
        abort();
    }
    if (count > 0) {
        memcpy(copy, v, count * size);
    }
    return copy;
}

static void gang_blockers(const struct ledger *l, const struct fact *fact, struct blocker_sink *sink)
{
    const struct fact_gang *f = &fact->gang_placed;
    enum ledger_verdict verdict = members_verdict(l, f);
    uint64_t tasks = f->members.count;
    if (verdict != LEDGER_FITS) {
        refuse(sink, verdict, NULL);
        return;
    }
    struct fact room;
    struct fact_placed all = fact_placement(fact, 0, &room)->placed;
    for (size_t i = 1; i < tasks; i++) { /* at most JOB_GANG_MAX amounts below 2^52 */
        all.hold_micros += ((const struct gang_member *)f->members.v)[i].hold_micros;
    }
    resources_times(&f->resources, tasks, &all.resources);
    struct time_hold *times = copied(all.times.v, all.times.count, sizeof *times);
    for (size_t i = 0; i < all.times.count; i++) {
        times[i].hold = is_amount(times[i].hold) ? times[i].hold * (int64_t)tasks : -1;
    }
    all.times.v = times;
    starts_blockers(l, &all, (struct starting){tasks, tasks + f->left_out, fact->at_utc_us}, sink);
    free(all.resources.generic.v);
    free(times);
}

static enum ledger_verdict growth_check(int64_t before, int64_t held, int64_t after)
{
    if (after < before || after > LEDGER_COUNT_MAX) {
        return LEDGER_BAD;
    }
    return after - before > held ? LEDGER_OVERRUN : LEDGER_FITS;
}

/* The growth of an attempt's cumulative cost must be paid by its hold; so with time, account by account. */
static enum ledger_verdict settle_check(const struct hold *h, int64_t spent_micros, const struct list *times)
{
    if (!h) {
        return LEDGER_NO_HOLD;
    }
    const struct time_hold *t = times->v;
    enum ledger_verdict verdict = growth_check(h->now.spent, h->now.held, spent_micros);
    if (verdict == LEDGER_FITS && times->count != h->now.times_count) {
        verdict = LEDGER_BAD;
    }
    for (size_t i = 0; verdict == LEDGER_FITS && i < times->count; i++) {
        const struct time_part *part = &h->now.times[i];
        bool same = t[i].account && strcmp(t[i].account, part->account->name) == 0;
        verdict = same ? growth_check(part->spent, part->held, t[i].spent) : LEDGER_BAD;
    }
    return verdict;
}

/* On the account of the old hold it goes on, on another one it begins. */
static bool times_go_on(const struct fact_renewed *f)
{
    const struct time_hold *new = f->times.v, *old = f->times_settled.v;
    for (size_t i = 0; i < f->times.count; i++) {
        int64_t want = 0;
        for (size_t k = 0; new[i].account && k < f->times_settled.count; k++) {
            want = old[k].account && strcmp(old[k].account, new[i].account) == 0 ? old[k].spent : want;
        }
        if (new[i].spent != want) {
            return false;
        }
    }
    return true;
}

static void renewed_blockers(const struct ledger *l, const struct fact *fact, struct blocker_sink *sink)
{
    const struct fact_renewed *f = &fact->renewed;
    const struct claims claims = {&f->accounts, f->hold_micros, &f->times, fact->at_utc_us};
    const struct hold *h = ledger_hold(l, f->id);
    enum ledger_verdict verdict = settle_check(h, f->spent_micros, &f->times_settled);
    if (verdict == LEDGER_FITS && !times_go_on(f)) {
        verdict = LEDGER_BAD;
    }
    if (verdict != LEDGER_FITS) {
        refuse(sink, verdict, NULL);
        return;
    }
    struct returned back = {&h->now, f->spent_micros - h->now.spent, &f->times_settled};
    const struct account *accounts[CLAIMS_MAX];
    if (!claims_refused(l, &claims, back, accounts, sink)) {
        money_blockers(&claims, back, accounts, sink);
    }
}

/* A job's account closes with its last task: nothing else may be held on it then. */
static bool job_account_busy(const struct ledger *l, uint64_t job, int64_t held_by_this)
{
    char name[LEDGER_JOB_ACCOUNT_MAX];
    const struct account *a = ledger_account_find(l, ledger_job_account(job, name));
    return a && a->held != held_by_this;
}

static int64_t held_on_job_account(const struct hold *h)
{
    char name[LEDGER_JOB_ACCOUNT_MAX];
    ledger_job_account(h->id.job, name);
    for (size_t i = 0; i < h->now.accounts_count; i++) {
        if (strcmp(h->now.accounts[i]->name, name) == 0) {
            return h->now.held;
        }
    }
    return 0;
}

static void ended_blockers(const struct ledger *l, const struct fact_ended *f, struct blocker_sink *sink)
{
    const struct hold *h = ledger_hold(l, f->id);
    enum ledger_verdict verdict = settle_check(h, f->spent_micros, &f->times_settled);
    if (verdict == LEDGER_FITS && f->job_done && job_account_busy(l, f->id.job, held_on_job_account(h))) {
        verdict = LEDGER_BAD;
    }
    if (verdict != LEDGER_FITS) {
        refuse(sink, verdict, NULL);
    }
}

/* ---- jobs -------------------------------------------------------------------------------------------------- */

static void submitted_blockers(const struct ledger *l, const struct fact_submitted *f, int64_t at_utc_us,
                               struct blocker_sink *sink)
{
    struct node *path[LEDGER_PATH_MAX];
    const char *where = NULL;
    uint64_t tasks = job_spec_tasks(&f->spec);
    enum ledger_verdict verdict = path_nodes(l, &f->path, path, &where);
    if (verdict == LEDGER_FITS && !is_amount(f->spec.budget_micros)) {
        verdict = LEDGER_BAD;
        where = NULL;
    }
    if (verdict != LEDGER_FITS) {
        refuse(sink, verdict, where);
        return;
    }
    for (size_t i = 0; i < f->path.count; i++) {
        const struct node *n = path[i];
        uint64_t limit = n->rule.quota.max_queued;
        if (limit != 0 && n->queued + tasks > limit &&
            ledger_blocked(sink, (struct ledger_blocker){.verdict = LEDGER_QUEUE_FULL, .where = n->rule.path,
                                                         .resource = "queued", .limit = (int64_t)limit,
                                                         .used = (int64_t)n->queued, .need = (int64_t)tasks})) {
            return;
        }
    }
    (void)quota_rate_blockers(path, f->path.count, false, tasks, at_utc_us, sink);
}

static void cancelled_blockers(const struct ledger *l, const struct fact_tasks *f, struct blocker_sink *sink)
{
    struct node *path[LEDGER_PATH_MAX];
    const char *where = NULL;
    enum ledger_verdict verdict = path_nodes(l, &f->path, path, &where);
    for (size_t i = 0; verdict == LEDGER_FITS && i < f->path.count; i++) {
        where = path[i]->rule.path;
        verdict = path[i]->queued < f->count ? LEDGER_BAD : LEDGER_FITS;
    }
    if (verdict == LEDGER_FITS && f->job_done && job_account_busy(l, f->job, 0)) {
        verdict = LEDGER_BAD;
        where = NULL;
    }
    if (verdict != LEDGER_FITS) {
        refuse(sink, verdict, where);
    }
}

static void opened_blockers(const struct ledger *l, const struct fact_budget_opened *f, struct blocker_sink *sink)
{
    enum ledger_verdict verdict = ledger_opened_verdict(l, f);
    if (verdict != LEDGER_FITS) {
        refuse(sink, verdict, f->account);
    }
}

static void adjusted_blockers(const struct ledger *l, const struct fact_adjusted *f, struct blocker_sink *sink)
{
    const char *where;
    enum ledger_verdict verdict = ledger_adjust_verdict(l, f, &where);
    if (verdict != LEDGER_FITS) {
        refuse(sink, verdict, where);
    }
}

static void closed_blockers(const struct ledger *l, const struct fact_accounts_closed *f, int64_t at_utc_us,
                            struct blocker_sink *sink)
{
    const char *where;
    enum ledger_verdict verdict = ledger_closed_verdict(l, f, at_utc_us, &where);
    if (verdict != LEDGER_FITS) {
        refuse(sink, verdict, where);
    }
}

/* ---- the question ------------------------------------------------------------------------------------------ */

static void blockers(const struct ledger *l, const struct fact *fact, struct blocker_sink *sink)
{
    switch (fact->kind) {
    case FACT_POLICY_SET: ledger_policy_check(l, &fact->policy, sink); break;
    case FACT_TENANT_MOVED: ledger_move_check(l, &fact->tenant_moved, sink); break;
    case FACT_JOB_SUBMITTED: submitted_blockers(l, &fact->submitted, fact->at_utc_us, sink); break;
    case FACT_TASKS_CANCELLED: cancelled_blockers(l, &fact->cancelled, sink); break;
    case FACT_ATTEMPT_PLACED: placed_blockers(l, fact, sink); break;
    case FACT_GANG_PLACED: gang_blockers(l, fact, sink); break;
    case FACT_HOLD_RENEWED: renewed_blockers(l, fact, sink); break;
    case FACT_BUDGET_OPENED: opened_blockers(l, &fact->budget_opened, sink); break;
    case FACT_ACCOUNTS_CLOSED: closed_blockers(l, &fact->accounts_closed, fact->at_utc_us, sink); break;
    case FACT_ATTEMPT_ENDED: ended_blockers(l, &fact->ended, sink); break;
    case FACT_LEDGER_ADJUSTED: adjusted_blockers(l, &fact->adjusted, sink); break;
    default: break;
    }
}

enum ledger_verdict ledger_check(const struct ledger *l, const struct fact *fact, struct ledger_blocker *ret_first)
{
    struct ledger_blocker first = {.verdict = LEDGER_FITS};
    struct blocker_sink sink = {.ret = &first, .max = 1, .first_only = true};
    blockers(l, fact, &sink);
    if (ret_first) {
        *ret_first = first;
    }
    return first.verdict;
}

size_t ledger_blockers(const struct ledger *l, const struct fact *fact, struct ledger_blocker *ret, size_t max)
{
    struct blocker_sink sink = {.ret = ret, .max = max};
    blockers(l, fact, &sink);
    return sink.count;
}
