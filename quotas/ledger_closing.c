/* Accounts of periods that are over: when they have no further effect, and their leaving. */
#include <string.h>

#include "quotas/ledger_state.h"

#define OVER_FOR_US (INT64_C(2) * 86400 * 1000000) /* another zone moves the end of a period by up to 26 hours */
#define AGAIN_US (INT64_C(3600) * 1000000)         /* what still waits for holds is asked for so often */

/* ---- which ------------------------------------------------------------------------------------------------- */

/* The present one, or the one before it while it isn't known yet what is carried over from it. */
static bool is_current(const struct ledger *l, const struct account *a, int64_t utc_us)
{
    char tenant[LEDGER_TENANT_MAX], before[LEDGER_ACCOUNT_MAX];
    const struct node *n = ledger_node(l, ledger_account_tenant(a->name, tenant));
    const struct budget_rule *rule;
    struct ledger_budget b;
    struct period p;
    for (size_t at = 0; n && (rule = ledger_rule_budget(&n->rule, &at)) != NULL;) {
        if (!ledger_budget_at(l, &n->rule, rule, utc_us, &b)) {
            continue;
        }
        if (strcmp(b.account, a->name) == 0) {
            return true;
        }
        if (!ledger_account_find(l, b.account) && period_before(rule, ledger_zone(l, rule->zone), &b.period, &p) &&
            ledger_budget_account(n->rule.path, rule->name, p.name, before) && strcmp(before, a->name) == 0) {
            return true;
        }
    }
    return false;
}

/* When its period is over for long enough; INT64_MAX: never. */
static int64_t due(const struct account *a)
{
    return a->to_utc_us < INT64_MAX - OVER_FOR_US ? a->to_utc_us + OVER_FOR_US : INT64_MAX;
}

static bool is_closable(const struct ledger *l, const struct account *a, int64_t utc_us)
{
    return due(a) <= utc_us && a->held == 0 && a->holds == 0 && !is_current(l, a, utc_us);
}

static int by_name(const void *a, const void *b)
{
    const struct account *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void list_closed(struct account **found, size_t count, struct fact_accounts_closed *f)
{
    qsort(found, count, sizeof found[0], by_name);
    for (size_t i = 0; i < MIN(count, (size_t)ACCOUNTS_CLOSED_MAX); i++) {
        struct closed_account *c = list_add(&f->accounts, sizeof *c);
        if (!c || str_set(&c->account, found[i]->name) < 0 || str_set(&c->resource, found[i]->resource) < 0) {
            abort();
        }
        c->spent_micros = found[i]->spent;
    }
}

bool ledger_closing(const struct ledger *l, int64_t utc_us, struct fact *ret, int64_t *ret_again_utc_us)
{
    struct account **found = calloc(l->accounts.count + 1, sizeof(struct account *));
    size_t count = 0, at = 0;
    if (!found) {
        abort();
    }
    *ret_again_utc_us = INT64_MAX;
    for (struct account *a; (a = map_each(&l->accounts, &at)) != NULL;) {
        if (is_closable(l, a, utc_us)) {
            found[count++] = a;
        } else if (due(a) != INT64_MAX) {
            *ret_again_utc_us = MIN(*ret_again_utc_us, MAX(due(a), utc_us + AGAIN_US));
        }
    }
    if (count > 0) {
        *ret = (struct fact){.kind = FACT_ACCOUNTS_CLOSED, .at_utc_us = utc_us};
        list_closed(found, count, &ret->accounts_closed);
        *ret_again_utc_us = count > ACCOUNTS_CLOSED_MAX ? utc_us : *ret_again_utc_us;
    }
    free(found);
    return count > 0;
}

/* ---- the fact ---------------------------------------------------------------------------------------------- */

static enum ledger_verdict verdict_of(const struct ledger *l, const struct fact_accounts_closed *f, size_t i,
                                      int64_t at_utc_us)
{
    const struct closed_account *v = f->accounts.v;
    const struct account *a = ledger_account_find(l, v[i].account);
    if (!a) {
        return LEDGER_NO_ACCOUNT;
    }
    for (size_t k = 0; k < i; k++) {
        if (strcmp(v[i].account, v[k].account) == 0) {
            return LEDGER_BAD;
        }
    }
    if (a->held != 0) {
        return LEDGER_IN_USE;
    }
    if (a->to_utc_us > at_utc_us || a->spent != v[i].spent_micros) {
        return LEDGER_BAD;
    }
    return a->holds > 0 ? LEDGER_IN_USE : LEDGER_FITS;
}

enum ledger_verdict ledger_closed_verdict(const struct ledger *l, const struct fact_accounts_closed *f,
                                          int64_t at_utc_us, const char **ret_where)
{
    *ret_where = NULL;
    if (f->accounts.count == 0 || f->accounts.count > ACCOUNTS_CLOSED_MAX) {
        return LEDGER_BAD;
    }
    for (size_t i = 0; i < f->accounts.count; i++) {
        enum ledger_verdict verdict = verdict_of(l, f, i, at_utc_us);
        if (verdict != LEDGER_FITS) {
            *ret_where = ((const struct closed_account *)f->accounts.v)[i].account;
            return verdict;
        }
    }
    return LEDGER_FITS;
}

void ledger_closed_apply(struct ledger *l, const struct fact_accounts_closed *f)
{
    for (size_t i = 0; i < f->accounts.count; i++) {
        struct account *a = ledger_account_find(l, ((const struct closed_account *)f->accounts.v)[i].account);
        BUG(!a);
        ledger_account_remove(l, a);
    }
}
