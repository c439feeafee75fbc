/*
 * Thresholds of budgets: which accounts were touched, what was passed and what fell back.
 *
 * Each threshold is passed once in a period. What holds and their ends do to an account never takes that back, or it
 * would be said again and again; what can is a person's doing: another limit, a credit. Then it counts as fallen, which
 * is said (budget.crossed, up = false), and it can be passed anew. account.crossed has both: bit i passed, 16 + i
 * fallen and not yet said.
 */
#include <string.h>

#include "quotas/ledger_state.h"
#include "quotas/money.h"

_Static_assert(THRESHOLDS_MAX == 16, "a bit each for passed and fallen");
#define FALLEN(i) (UINT32_C(1) << (16 + (i)))
#define PASSED(i) (UINT32_C(1) << (i))
#define FORECAST_AFTER 20 /* a part of the period: before that, nobody can tell */

/* ---- the touched ones -------------------------------------------------------------------------------------- */

void ledger_touch(struct ledger *l, struct account *a)
{
    if (!a->is_touched) {
        a->is_touched = true;
        a->touched_next = l->touched;
        a->touched_prev = NULL;
        if (l->touched) {
            l->touched->touched_prev = a;
        }
        l->touched = a;
    }
}

void ledger_untouch(struct ledger *l, struct account *a)
{
    if (!a->is_touched) {
        return;
    }
    *(a->touched_prev ? &a->touched_prev->touched_next : &l->touched) = a->touched_next;
    if (a->touched_next) {
        a->touched_next->touched_prev = a->touched_prev;
    }
    a->is_touched = false;
}

/* ---- questions --------------------------------------------------------------------------------------------- */

static const struct budget_rule *named(const struct tenant_rule *rule, const char *name)
{
    size_t at = 0;
    for (const struct budget_rule *b; (b = ledger_rule_budget(rule, &at)) != NULL;) {
        if (strcmp(b->name ? b->name : "", name ? name : "") == 0) {
            return b;
        }
    }
    return NULL;
}

static const struct budget_rule *rule_of(const struct ledger *l, const char *account)
{
    char tenant[LEDGER_TENANT_MAX], budget[LEDGER_BUDGET_MAX];
    const struct node *n = ledger_node(l, ledger_account_tenant(account, tenant));
    return n ? named(&n->rule, ledger_account_budget(account, budget)) : NULL;
}

/* When its forecast begins to mean something. INT64_MAX: it never does. */
static int64_t forecast_from(const struct account *a)
{
    if (a->from_utc_us == INT64_MIN || a->to_utc_us == INT64_MAX) {
        return INT64_MAX;
    }
    return a->from_utc_us + (a->to_utc_us - a->from_utc_us) / FORECAST_AFTER;
}

/* Spent by the end of the period if it goes on like this. */
static int64_t forecast(const struct account *a, int64_t utc_us)
{
    int64_t whole_us = a->to_utc_us - a->from_utc_us, gone_us = MIN(utc_us, a->to_utc_us) - a->from_utc_us;
    if (utc_us < forecast_from(a) || forecast_from(a) == INT64_MAX || a->spent <= 0 || gone_us <= 0) {
        return a->spent;
    }
    return money_round((money_wide)a->spent * (money_wide)whole_us, (money_wide)gone_us);
}

static int64_t value_of(const struct account *a, uint32_t of, int64_t utc_us)
{
    return of == THRESHOLD_SPENT ? a->spent : of == THRESHOLD_COMMITTED ? a->spent + a->held : forecast(a, utc_us);
}

/* What its percents are of: a soft budget has a limit for this, too. */
static int64_t full_limit(const struct account *a, const struct budget_rule *b)
{
    return a->limit >= 0 ? a->limit : b->limit_micros + a->carried;
}

static bool is_reached(const struct account *a, const struct budget_rule *b, const struct threshold_rule *t,
                       int64_t utc_us)
{
    int64_t value = value_of(a, t->of, utc_us);
    /* Both below 2^53 and 1000: no overflow in 128 bits. */
    return value > 0 && (money_wide)value * 100 >= (money_wide)full_limit(a, b) * t->percent;
}

static const struct threshold_rule *threshold_at(const struct budget_rule *b, size_t i)
{
    return &((const struct threshold_rule *)b->thresholds.v)[i];
}

/* ---- falling: at the very fact that makes it ---------------------------------------------------------------- */

void ledger_crossings_fall(struct ledger *l, struct account *a, int64_t utc_us)
{
    const struct budget_rule *b = rule_of(l, a->name);
    for (size_t i = 0; b && i < b->thresholds.count; i++) {
        if ((a->crossed & PASSED(i)) && !is_reached(a, b, threshold_at(b, i), utc_us)) {
            a->crossed |= FALLEN(i);
        }
    }
    ledger_touch(l, a);
}

/* A bit stays with its threshold; what is gone takes its bit along. */
static void remap(struct account *a, const struct budget_rule *old, const struct budget_rule *new)
{
    uint32_t crossed = 0;
    for (size_t i = 0; i < new->thresholds.count; i++) {
        for (size_t k = 0; k < old->thresholds.count; k++) {
            const struct threshold_rule *x = threshold_at(new, i), *y = threshold_at(old, k);
            if (x->percent == y->percent && x->of == y->of) {
                crossed |= a->crossed & PASSED(k) ? PASSED(i) : 0;
                crossed |= a->crossed & FALLEN(k) ? FALLEN(i) : 0;
            }
        }
    }
    a->crossed = crossed;
}

static bool same_thresholds(const struct budget_rule *a, const struct budget_rule *b)
{
    bool same = a->thresholds.count == b->thresholds.count;
    for (size_t i = 0; same && i < a->thresholds.count; i++) {
        same = threshold_at(a, i)->percent == threshold_at(b, i)->percent &&
               threshold_at(a, i)->of == threshold_at(b, i)->of;
    }
    return same;
}

void ledger_thresholds_apply(struct ledger *l, const struct tenant_rule *old, const struct tenant_rule *new,
                             int64_t utc_us)
{
    size_t turn = 0;
    for (const struct budget_rule *b; (b = ledger_rule_budget(new, &turn)) != NULL;) {
        const struct budget_rule none = {0}, *was = named(old, b->name) ? named(old, b->name) : &none;
        bool moved = b->soft && was->limit_micros != b->limit_micros; /* a hard one's limit lies in the account */
        size_t at = 0;
        if (same_thresholds(was, b) && !moved) {
            continue;
        }
        for (struct account *a; (a = map_each(&l->accounts, &at)) != NULL;) {
            if (rule_of(l, a->name) == b) {
                remap(a, was, b);
                moved ? ledger_crossings_fall(l, a, utc_us) : ledger_touch(l, a);
            }
        }
    }
}

/* ---- proposals --------------------------------------------------------------------------------------------- */

static void fill(const struct account *a, const struct budget_rule *b, size_t i, bool up, int64_t utc_us,
                 struct fact *ret)
{
    char tenant[LEDGER_TENANT_MAX];
    *ret = (struct fact){.kind = FACT_BUDGET_CROSSED, .at_utc_us = utc_us};
    struct fact_budget_crossed *f = &ret->budget_crossed;
    *f = (struct fact_budget_crossed){
        .percent = threshold_at(b, i)->percent,
        .of = threshold_at(b, i)->of,
        .up = up,
        .limit_micros = full_limit(a, b),
        .spent_micros = a->spent,
        .held_micros = a->held,
        .forecast_micros = forecast(a, utc_us),
    };
    if (str_set(&f->account, a->name) < 0 || str_set(&f->tenant, ledger_account_tenant(a->name, tenant)) < 0) {
        abort();
    }
}

static size_t crossings_of(const struct ledger *l, const struct account *a, int64_t utc_us, struct fact *ret,
                           size_t max)
{
    const struct budget_rule *b = rule_of(l, a->name);
    size_t count = 0;
    for (size_t i = 0; b && i < b->thresholds.count && count < max; i++) {
        if (a->crossed & FALLEN(i)) {
            fill(a, b, i, false, utc_us, &ret[count++]);
        } else if (!(a->crossed & PASSED(i)) && is_reached(a, b, threshold_at(b, i), utc_us)) {
            fill(a, b, i, true, utc_us, &ret[count++]);
        }
    }
    return count;
}

/* It has a forecast to be asked for, later. */
static bool waits_for_forecast(const struct ledger *l, const struct account *a, int64_t utc_us)
{
    bool too_early = utc_us < forecast_from(a) && forecast_from(a) != INT64_MAX;
    const struct budget_rule *b = too_early ? rule_of(l, a->name) : NULL;
    for (size_t i = 0; b && i < b->thresholds.count; i++) {
        if (threshold_at(b, i)->of == THRESHOLD_FORECAST) {
            return true;
        }
    }
    return false;
}

size_t ledger_crossings(struct ledger *l, int64_t utc_us, struct fact *ret, size_t max, int64_t *ret_next_utc_us)
{
    size_t count = 0;
    *ret_next_utc_us = INT64_MAX;
    for (struct account *a = l->touched, *next; a && count < max; a = next) {
        next = a->touched_next;
        count += crossings_of(l, a, utc_us, ret + count, max - count);
        if (count == max) {
            break; /* it may have more to say */
        }
        if (waits_for_forecast(l, a, utc_us)) {
            *ret_next_utc_us = MIN(*ret_next_utc_us, forecast_from(a));
        } else {
            ledger_untouch(l, a);
        }
    }
    return count;
}

void ledger_crossings_again(struct ledger *l, const char *account)
{
    struct account *a = ledger_account_find(l, account);
    if (a) {
        ledger_touch(l, a);
    }
}

/* ---- the fact ---------------------------------------------------------------------------------------------- */

void ledger_crossed_apply(struct ledger *l, const struct fact_budget_crossed *f)
{
    struct account *a = ledger_account_find(l, f->account);
    const struct budget_rule *b = a ? rule_of(l, f->account) : NULL;
    for (size_t i = 0; b && i < b->thresholds.count; i++) {
        if (threshold_at(b, i)->percent != f->percent || threshold_at(b, i)->of != f->of) {
            continue;
        }
        a->crossed &= ~(PASSED(i) | FALLEN(i));
        a->crossed |= f->up ? PASSED(i) : 0;
    }
    if (a) {
        ledger_touch(l, a); /* fallen and said: it may be above again by now */
    }
}
