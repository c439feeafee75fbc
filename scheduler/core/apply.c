#include <errno.h>
#include <string.h>

#include "scheduler/core/apply.h"
#include "scheduler/core/claims.h"

static int term_check(const struct core *c, const struct fact *f, struct err *err)
{
    if (f->term.term <= c->term)
        return err_set(err, -EPROTO, "term.taken: %llu is not above %llu", (unsigned long long)f->term.term,
                       (unsigned long long)c->term);
    return 0;
}

static void term_apply(struct core *c, const struct fact *f)
{
    c->term = f->term.term;
}

static const struct fact_rule rule_term = {term_check, term_apply};

static const struct fact_rule *const rules[FACT_KIND_COUNT] = {
    [FACT_TERM_TAKEN] = &rule_term,
    [FACT_POLICY_SET] = &rule_policy,
    [FACT_JOB_SUBMITTED] = &rule_submitted,
    [FACT_TASKS_CANCELLED] = &rule_cancelled,
    [FACT_TASK_HELD] = &rule_held,
    [FACT_TASK_RELEASED] = &rule_released,
    [FACT_ATTEMPT_PLACED] = &rule_placed,
    [FACT_ATTEMPT_RUNNING] = &rule_running,
    [FACT_HOLD_RENEWED] = &rule_renewed,
    [FACT_ATTEMPT_STOPPING] = &rule_stopping,
    [FACT_ATTEMPT_UNREACHABLE] = &rule_unreachable,
    [FACT_ATTEMPT_REACHED] = &rule_reached,
    [FACT_ATTEMPT_ENDED] = &rule_ended,
    [FACT_NODE_JOINED] = &rule_joined,
    [FACT_NODE_LOST] = &rule_lost,
    [FACT_NODE_DRAINED] = &rule_drained,
    [FACT_BUDGET_OPENED] = &rule_opened,
    [FACT_BUDGET_CROSSED] = &rule_crossed,
    [FACT_LEDGER_ADJUSTED] = &rule_adjusted,
    [FACT_ACCOUNTS_CLOSED] = &rule_accounts_closed,
    [FACT_TENANT_MOVED] = &rule_moved,
    [FACT_SNAPSHOT_JOB] = &rule_snapshot_job,
    [FACT_SNAPSHOT_CELL] = &rule_snapshot_cell,
    [FACT_PERIOD_CLOSED] = &rule_period_closed,
    [FACT_POLICY_PROPOSED] = &rule_policy_proposed,
    [FACT_POLICY_DROPPED] = &rule_policy_dropped,
    [FACT_JOB_CHANGED] = &rule_changed,
    [FACT_ATTEMPT_SUSPENDED] = &rule_suspended,
    [FACT_NODE_QUARANTINED] = &rule_quarantined,
    [FACT_WINDOW_SET] = &rule_window_set,
    [FACT_WINDOW_DROPPED] = &rule_window_dropped,
    [FACT_GANG_PLACED] = &rule_gang_placed,
};

bool path_is_of(const struct strs *path, const struct tenant *t)
{
    if (path->count != t->line.count)
        return false;
    for (size_t i = 0; i < path->count; i++)
        if (strcmp(path->v[i], t->line.v[i]) != 0)
            return false;
    return true;
}

static int check(const struct core *c, const struct fact *fact, struct err *err)
{
    if (fact->kind >= FACT_KIND_COUNT || rules[fact->kind] == NULL)
        return err_set(err, -EPROTO, "no fact of kind %u changes the core", fact->kind);
    return rules[fact->kind]->check(c, fact, err);
}

/* Whether limits admitted it was the store's question, when it was committed. */
static bool is_contradiction(enum ledger_verdict verdict)
{
    return verdict != LEDGER_FITS && verdict != LEDGER_QUOTA && verdict != LEDGER_BUDGET &&
           verdict != LEDGER_QUEUE_FULL && verdict != LEDGER_BORROW && verdict != LEDGER_RATE;
}

int core_apply_check(const struct core *c, const struct fact *fact, struct err *err)
{
    int rc = check(c, fact, err);
    if (rc < 0)
        return rc;
    struct ledger_blocker b = {0};
    enum ledger_verdict verdict = ledger_check(c->ledger, fact, &b);
    if (is_contradiction(verdict))
        return err_set(err, -EPROTO, "%s: the ledger says %s%s%s", names_get(&fact_names, fact->kind),
                       names_get(&ledger_verdict_names, verdict), b.where != NULL ? " at " : "",
                       b.where != NULL ? b.where : "");
    return 0;
}

static void begin(struct core *c, const struct fact *fact)
{
    flight_end(c, fact);
    billing_begin(c, fact->at_utc_us);
}

/* It was checked. */
static void take(struct core *c, uint64_t seq, const struct fact *fact)
{
    c->turn_utc_us = MAX(c->turn_utc_us, fact->at_utc_us);
    blocked_before(c, fact);
    rules[fact->kind]->apply(c, fact);
    c->seq = MAX(c->seq, seq);
    c->fact_utc_us = MAX(c->fact_utc_us, fact->at_utc_us);
}

void core_apply(struct core *c, uint64_t seq, const struct fact *fact)
{
    begin(c, fact);
    struct err err = {0};
    int rc = check(c, fact, &err);
    BUG(rc < 0); /* err.text says which invariant */
    take(c, seq, fact);
}

int core_replay(struct core *c, uint64_t seq, const struct fact *fact, struct err *err)
{
    int rc = core_apply_check(c, fact, err);
    if (rc < 0)
        return rc;
    begin(c, fact);
    take(c, seq, fact);
    return 0;
}
