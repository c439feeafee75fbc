#include <errno.h>

#include "scheduler/core/apply.h"
#include "scheduler/core/money.h"
#include "scheduler/core/plan.h"

/*
 * Accounts come into being by a fact of their own, which stands before the first hold on them. While a hold is only
 * thought about, so are they: the ledger knows them, until the plan or the question is over.
 */
void openings_add(const struct core *c, struct openings *o, const struct fact *hold)
{
    struct fact f;
    while (ledger_opening_for(c->ledger, hold, &f)) {
        o->v = core_room(o->v, o->count, &o->size, 16, sizeof o->v[0]);
        o->v[o->count++] = f;
        ledger_apply(c->ledger, &f);
    }
}

static void undo_from(const struct core *c, struct openings *o, size_t from)
{
    while (o->count > from) {
        struct fact *last = &o->v[--o->count];
        ledger_revert(c->ledger, last);
        fact_clear(last);
    }
}

void openings_undo(const struct core *c, struct openings *o)
{
    undo_from(c, o, 0);
}

void openings_fini(struct openings *o)
{
    free(o->v);
    *o = (struct openings){0};
}

bool openings_plan(struct core *c, struct plan *p)
{
    struct openings *o = &p->openings;
    size_t fit = MIN(o->count, p->max - p->count);
    bool all = fit == o->count && p->max - p->count > fit;
    undo_from(c, o, fit);
    for (size_t i = 0; i < fit; i++) {
        p->facts[p->count++] = o->v[i];
        flight_begin(c, &o->v[i]);
    }
    o->count = 0;
    return all;
}

/* ---- the fact itself -------------------------------------------------------------------------------- */

static int opened_check(const struct core *c, const struct fact *f, struct err *err)
{
    struct ledger_blocker b = {0};
    enum ledger_verdict verdict = ledger_check(c->ledger, f, &b);
    if (verdict == LEDGER_FITS)
        return 0;
    return err_set(err, -EPROTO, "budget.opened: %s: %s", b.where != NULL ? b.where : "?",
                   names_get(&ledger_verdict_names, verdict));
}

static void opened_apply(struct core *c, const struct fact *f)
{
    ledger_apply(c->ledger, f);
    closing_expect(c, f->budget_opened.to_utc_us);
}
const struct fact_rule rule_opened = {opened_check, opened_apply};
