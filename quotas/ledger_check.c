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

/* An account as a hold would find it: there, or about to be made. */
struct purse {
    const char *name;
    int64_t limit, spent, held;
};

static enum ledger_verdict purse_of(const struct ledger *l, const char *name, struct purse *ret)
{
    const struct account *a = ledger_account_find(l, name);
    if (a) {
        *ret = (struct purse){a->name, a->limit, a->spent, a->held};
        return LEDGER_FITS;
    }
    *ret = (struct purse){.name = name};
    return ledger_new_limit(l, name, &ret->limit);
}

/* What a renewal gives back to the accounts of the old hold before it asks again: held - freed, spent + settled. */
struct returned {
    const struct money_hold *from; /* NULL: a first hold, nothing comes back */
    int64_t settled;
};

static void purse_return(struct purse *p, struct returned back)
{
    for (size_t i = 0; back.from && i < back.from->accounts_count; i++) {
        if (strcmp(back.from->accounts[i]->name, p->name) == 0) {
            p->held -= back.from->held;
            p->spent += back.settled;
            return;
        }
    }
}

static bool strs_repeat(const struct strs *s)
{
    for (size_t i = 0; i < s->count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(s->v[i], s->v[k]) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Whatever keeps these accounts from being held on at all, before any question of limits. */
static bool accounts_refused(const struct ledger *l, const struct strs *accounts, int64_t micros,
                             struct returned back, struct blocker_sink *sink)
{
    if (!is_amount(micros) || accounts->count > LEDGER_ACCOUNTS_MAX || strs_repeat(accounts)) {
        refuse(sink, LEDGER_BAD, NULL);
        return true;
    }
    for (size_t i = 0; i < accounts->count; i++) {
        struct purse p;
        enum ledger_verdict verdict = purse_of(l, accounts->v[i], &p);
        if (verdict == LEDGER_FITS) {
            purse_return(&p, back);
            verdict = p.spent + p.held + micros > LEDGER_COUNT_MAX ? LEDGER_BAD : LEDGER_FITS;
        }
        if (verdict != LEDGER_FITS) {
            refuse(sink, verdict, accounts->v[i]);
            return true;
        }
    }
    return false;
}

/* A first hold needs free >= ask, also when it asks for nothing: below zero nothing new is admitted. A renewal that
 * asks for nothing may go on. */
static void money_blockers(const struct ledger *l, const struct strs *accounts, int64_t micros, struct returned back,
                           struct blocker_sink *sink)
{
    for (size_t i = 0; i < accounts->count; i++) {
        struct purse p;
        if (purse_of(l, accounts->v[i], &p) != LEDGER_FITS) {
            continue; /* refused above */
        }
        purse_return(&p, back);
        bool asks = micros > 0 || !back.from;
        struct ledger_blocker blocker = {LEDGER_BUDGET, p.name, NULL, p.limit, p.spent, p.held, micros, 0};
        if (p.limit >= 0 && asks && p.limit - p.spent - p.held < micros && ledger_blocked(sink, blocker)) {
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
    return ledger_blocked(sink, (struct ledger_blocker){LEDGER_QUOTA, n->rule.path, resource, (int64_t)limit,
                                                        (int64_t)used, 0, (int64_t)need, 0});
}

static bool quota_blockers(const struct node *n, const struct resources *need, struct blocker_sink *sink)
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
    return quota_blocked(n, "running", quota->max_running, n->running, 1, sink);
}

static void placed_blockers(const struct ledger *l, const struct fact_placed *f, int64_t at_utc_us,
                            struct blocker_sink *sink)
{
    struct node *path[LEDGER_PATH_MAX];
    const char *where = NULL;
    if (ledger_hold(l, f->id)) {
        refuse(sink, LEDGER_DUPLICATE, NULL);
        return;
    }
    enum ledger_verdict verdict = path_nodes(l, &f->path, path, &where);
    for (size_t i = 0; verdict == LEDGER_FITS && i < f->path.count; i++) {
        where = path[i]->rule.path;
        /* A task that is placed was queued; resources are named once (their table keeps generic ones sorted). */
        verdict = path[i]->queued == 0 || use_overflows(path[i], &f->resources) ? LEDGER_BAD : LEDGER_FITS;
    }
    if (verdict != LEDGER_FITS) {
        refuse(sink, verdict, where);
        return;
    }
    if (accounts_refused(l, &f->accounts, f->hold_micros, (struct returned){0}, sink)) {
        return;
    }
    for (size_t i = 0; i < f->path.count; i++) {
        if (quota_blockers(path[i], &f->resources, sink)) {
            return;
        }
    }
    if (quota_borrow_blockers(path, f->path.count, &f->resources, sink)) {
        return;
    }
    money_blockers(l, &f->accounts, f->hold_micros, (struct returned){0}, sink);
    if (!(sink->first_only && sink->count > 0)) {
        (void)quota_rate_blockers(path, f->path.count, true, 1, at_utc_us, sink);
    }
}

/* The growth of an attempt's cumulative cost must be paid by its hold. */
static enum ledger_verdict settle_check(const struct hold *h, int64_t spent_micros)
{
    if (!h) {
        return LEDGER_NO_HOLD;
    }
    if (spent_micros < h->now.spent || spent_micros > LEDGER_COUNT_MAX) {
        return LEDGER_BAD;
    }
    return spent_micros - h->now.spent > h->now.held ? LEDGER_OVERRUN : LEDGER_FITS;
}

static void renewed_blockers(const struct ledger *l, const struct fact_renewed *f, struct blocker_sink *sink)
{
    const struct hold *h = ledger_hold(l, f->id);
    enum ledger_verdict verdict = settle_check(h, f->spent_micros);
    if (verdict != LEDGER_FITS) {
        refuse(sink, verdict, NULL);
        return;
    }
    struct returned back = {&h->now, f->spent_micros - h->now.spent};
    if (!accounts_refused(l, &f->accounts, f->hold_micros, back, sink)) {
        money_blockers(l, &f->accounts, f->hold_micros, back, sink);
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
    enum ledger_verdict verdict = settle_check(h, f->spent_micros);
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
            ledger_blocked(sink, (struct ledger_blocker){LEDGER_QUEUE_FULL, n->rule.path, "queued", (int64_t)limit,
                                                         (int64_t)n->queued, 0, (int64_t)tasks, 0})) {
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

/* ---- the question ------------------------------------------------------------------------------------------ */

static void blockers(const struct ledger *l, const struct fact *fact, struct blocker_sink *sink)
{
    switch (fact->kind) {
    case FACT_POLICY_SET: ledger_policy_check(l, &fact->policy, sink); break;
    case FACT_TENANT_MOVED: ledger_move_check(l, &fact->tenant_moved, sink); break;
    case FACT_JOB_SUBMITTED: submitted_blockers(l, &fact->submitted, fact->at_utc_us, sink); break;
    case FACT_TASKS_CANCELLED: cancelled_blockers(l, &fact->cancelled, sink); break;
    case FACT_ATTEMPT_PLACED: placed_blockers(l, &fact->placed, fact->at_utc_us, sink); break;
    case FACT_HOLD_RENEWED: renewed_blockers(l, &fact->renewed, sink); break;
    case FACT_ATTEMPT_ENDED: ended_blockers(l, &fact->ended, sink); break;
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
