#include <stdio.h>
#include <string.h>

#include "quotas/ledger_names.h"
#include "scheduler/core/explain_ask.h"
#include "scheduler/core/money.h"

#define BLOCKERS_MAX 32
#define ROUNDS_MAX 8 /* one for each kind of period, and some */

/* When the account that can't pay then is followed by another; INT64_MAX: never. */
static int64_t follows_utc_us(const struct core *c, const char *account, int64_t utc_us)
{
    struct account_view a;
    if (!ledger_account(c->ledger, account, &a))
        return INT64_MAX;
    int64_t change = utc_us < a.from_utc_us ? a.from_utc_us : a.to_utc_us;
    return change > utc_us ? change : INT64_MAX;
}

/* What keeps it waiting for the longest. */
struct wait {
    int64_t utc_us;                   /* until then */
    char account[LEDGER_ACCOUNT_MAX]; /* that can't pay before */
};

/* The earliest instant, from that of the start on, at which all its budgets may pay; the same: they do. */
static void wait_for_all(const struct core *c, const struct fact *start, struct wait *ret)
{
    struct ledger_blocker found[BLOCKERS_MAX];
    size_t count = MIN(ledger_blockers(c->ledger, start, found, BLOCKERS_MAX), (size_t)BLOCKERS_MAX);
    ret->utc_us = start->at_utc_us;
    for (size_t i = 0; i < count; i++) {
        int64_t utc_us = follows_utc_us(c, found[i].where, start->at_utc_us);
        if (found[i].verdict != LEDGER_BUDGET || utc_us <= ret->utc_us)
            continue;
        ret->utc_us = utc_us;
        snprintf(ret->account, sizeof ret->account, "%s", found[i].where);
    }
}

/* Would it be admitted if all came back that others hold on the accounts that can't pay now? */
static bool may_come_back(const struct core *c, const struct fact *start)
{
    struct ledger_blocker found[BLOCKERS_MAX];
    size_t count = MIN(ledger_blockers(c->ledger, start, found, BLOCKERS_MAX), (size_t)BLOCKERS_MAX);
    bool may = true;
    for (size_t i = 0; i < count; i++) {
        const struct ledger_blocker *b = &found[i];
        may &= b->verdict != LEDGER_BUDGET || (!b->closed && b->limit - b->used >= b->need);
    }
    return may;
}

static size_t before_period(const char *account)
{
    return strcspn(account, "@");
}

/* "acme/etl's budget of 2026-12 begins": of the periods that begin with it the one after `account`. */
static char *words_of(const struct openings *o, const char *account)
{
    char path[LEDGER_TENANT_MAX], name[LEDGER_BUDGET_MAX];
    const char *next = account; /* the window that hasn't begun */
    for (size_t i = 0; i < o->count; i++) {
        const char *opened = o->v[i].budget_opened.account;
        size_t same = before_period(opened);
        next = same == before_period(account) && memcmp(opened, account, same) == 0 ? opened : next;
    }
    const char *budget = ledger_account_budget(next, name);
    return text_of("%s's budget%s%s of %s begins", ledger_account_tenant(next, path), budget != NULL ? " " : "",
                   budget != NULL ? budget : "", ledger_account_period(next));
}

bool explain_waits_for_money(const struct list *blockers)
{
    const struct blocker *v = blockers->v;
    for (size_t i = 0; i < blockers->count; i++)
        if (strcmp(v[i].kind, "budget") == 0)
            return true;
    return false;
}

void explain_opening(struct question *q, void (*make)(const struct question *q, int64_t utc_us, struct fact *ret))
{
    struct wait now = {.utc_us = q->utc_us}, then = now;
    bool sooner = false;
    if (q->opening == NULL || !explain_waits_for_money(q->blockers))
        return;
    q->opening->asked = true;
    for (int i = 0; i < ROUNDS_MAX && then.utc_us < INT64_MAX; i++) {
        struct fact f;
        struct openings openings = {0};
        now = then;
        make(q, now.utc_us, &f);
        openings_add(q->core, &openings, &f);
        wait_for_all(q->core, &f, &then);
        sooner = i == 0 ? may_come_back(q->core, &f) : sooner;
        bool pays = then.utc_us == now.utc_us;
        if (pays && now.utc_us > q->utc_us)
            *q->opening = (struct opening){now.utc_us, words_of(&openings, now.account), true, sooner};
        openings_undo(q->core, &openings);
        openings_fini(&openings);
        fact_clear(&f);
        if (pays)
            return;
    }
}
