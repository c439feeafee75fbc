#include <errno.h>

#include "scheduler/core/apply.h"
#include "scheduler/core/plan.h"

/*
 * Accounts of periods that are over leave by a fact of their own once nothing can come to them any more (ledger.h says
 * when): what the cell remembers follows the budgets it has, not the time it has run. Their history is reportd's.
 */

/* It may be the first that will have to be closed. */
void closing_expect(struct core *c, int64_t to_utc_us)
{
    c->closing_utc_us = MIN(c->closing_utc_us, to_utc_us);
}

void decide_closing(struct core *c, struct plan *p)
{
    if (c->closing_utc_us <= p->now.utc_us && p->count < p->max) {
        struct fact *f = &p->facts[p->count];
        if (ledger_closing(c->ledger, p->now.utc_us, f, &c->closing_utc_us)) {
            flight_begin(c, f);
            p->count++;
        }
    }
    plan_wake_at(p, c->closing_utc_us);
}

/* ---- the fact --------------------------------------------------------------------------------------- */

static int closed_check(const struct core *c, const struct fact *f, struct err *err)
{
    struct ledger_blocker b = {0};
    enum ledger_verdict verdict = ledger_check(c->ledger, f, &b);
    if (verdict == LEDGER_FITS)
        return 0;
    return err_set(err, -EPROTO, "accounts.closed: %s: %s", b.where != NULL ? b.where : "?",
                   names_get(&ledger_verdict_names, verdict));
}

static void closed_apply(struct core *c, const struct fact *f)
{
    ledger_apply(c->ledger, f);
}
const struct fact_rule rule_accounts_closed = {closed_check, closed_apply};
