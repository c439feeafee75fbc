#include <errno.h>
#include <string.h>

#include "quotas/ledger_names.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/money.h"
#include "scheduler/core/plan.h"

/*
 * Credits and adjustments, and the thresholds of budgets as facts: what becomes of money without any job.
 */
#define KEY_MAX 200

static bool key_in_flight(const struct core *c, const char *key)
{
    for (size_t i = 0; i < c->adjusting.count; i++)
        if (strcmp(c->adjusting.v[i], key) == 0)
            return true;
    return false;
}

void adjust_begin(struct core *c, const struct fact_adjusted *f)
{
    char key[LEDGER_KEY_MAX];
    int rc = strs_add(&c->adjusting, ledger_adjust_key(f, key));
    BUG(rc < 0);
}

void adjust_end(struct core *c, const struct fact_adjusted *f)
{
    char key[LEDGER_KEY_MAX];
    const char *name = ledger_adjust_key(f, key);
    for (size_t i = 0; name != NULL && i < c->adjusting.count; i++)
        if (strcmp(c->adjusting.v[i], name) == 0) {
            free(c->adjusting.v[i]);
            c->adjusting.v[i] = c->adjusting.v[--c->adjusting.count];
            return;
        }
}

/* ---- the question ----------------------------------------------------------------------------------- */

static bool no(struct refusal *refusal, const char *where, const char *text)
{
    refusal_from(refusal, "bad_request", where, NULL, "%s", text);
    return false;
}

static bool call_is_sound(const struct core *c, const struct adjust_call *call, struct refusal *refusal)
{
    if (tenant_find(c, call->tenant) == NULL) {
        refusal_from(refusal, "not_found", "tenant", NULL, "there is no tenant '%s'",
                     call->tenant != NULL ? call->tenant : "");
        return false;
    }
    if (call->key == NULL || call->key[0] == '\0' || strlen(call->key) > KEY_MAX)
        return no(refusal, "key", "a key has 1 to 200 characters: what is posted under it is posted once");
    if (call->micros == 0 || call->micros > MONEY_MICROS_MAX || call->micros < -MONEY_MICROS_MAX)
        return no(refusal, "amount", "it must be something, and at most 4503599627.37");
    if (call->kind == ADJUST_CREDIT && call->micros > 0)
        return no(refusal, "amount", "a credit gives back: it is below zero");
    if (call->reason == NULL || call->reason[0] == '\0')
        return no(refusal, "reason", "finance will ask for it");
    if (call->to_utc_us < call->from_utc_us)
        return no(refusal, "to", "it is before `from`");
    if (call->kind == ADJUST_RERATE && (call->about_seq == 0 || call->resource == NULL))
        return no(refusal, "about_seq", "a re-rated line says which one it is, and of which resource");
    return true;
}

static uint64_t id_of(const struct core *c, const char *tenant)
{
    struct tenant_view view;
    bool there = ledger_tenant(c->ledger, tenant, 0, &view);
    BUG(!there);
    return view.id;
}

static void adjusted_fact(const struct core *c, const struct adjust_call *call, const char *who, struct fact *f)
{
    f->adjusted = (struct fact_adjusted){
        .key = core_text(call->key),
        .tenant = core_text(call->tenant),
        .tenant_id = id_of(c, call->tenant),
        .micros = call->micros,
        .kind = call->kind,
        .reason = core_text(call->reason),
        .who = core_text(who),
        .from_utc_us = call->from_utc_us,
        .to_utc_us = call->to_utc_us,
        .job = call->job,
        .about_seq = call->about_seq,
        .about_line = call->about_line,
        .resource = core_text(call->resource),
        .price_version = call->price_version,
        .list_price = call->list_price,
        .price = call->price,
    };
}

struct posting {
    const struct core *core;
    int64_t utc_us;
    struct strs *accounts;
    struct fact *openings;
    size_t max, count;
    bool full;
};

/* Its money of now: a window that is closed takes part in nothing. */
static bool add_account(const struct ledger_budget *b, void *arg)
{
    struct posting *p = arg;
    if ((b->rule != NULL && b->rule->resource != NULL) || !period_holds(&b->period, p->utc_us))
        return true;
    int rc = strs_add(p->accounts, b->account);
    BUG(rc < 0);
    struct fact opening;
    if (!ledger_opening(p->core->ledger, b->account, p->utc_us, &opening))
        return true;
    p->full = p->count == p->max;
    if (p->full)
        fact_clear(&opening);
    else
        p->openings[p->count++] = opening;
    return !p->full;
}

static int known(const struct core *c, const struct fact *f, struct adjust_reply *reply, struct refusal *refusal)
{
    uint64_t hash = 0;
    if (!ledger_adjusted(c->ledger, &f->adjusted, &hash))
        return CORE_LATER;
    reply->existed = hash == ledger_adjust_hash(&f->adjusted);
    if (reply->existed)
        return CORE_FACT;
    refusal_from(refusal, "key_conflict", "key", "use a new key for another adjustment",
                 "something else was posted under the key '%s' already", f->adjusted.key);
    return CORE_REFUSED;
}

/* In place of the facts of a question that can't be asked now. */
static int drop(struct fact *facts, size_t count, int answer)
{
    for (size_t i = 0; i < count; i++)
        fact_clear(&facts[i]);
    return answer;
}

int core_check_adjust(struct core *c, const struct adjust_call *call, const char *who, struct core_now now,
                      struct fact *ret, size_t max, size_t *ret_count, struct adjust_reply *reply,
                      struct refusal *refusal)
{
    char key[LEDGER_KEY_MAX];
    *ret_count = 0;
    *reply = (struct adjust_reply){0};
    if (!call_is_sound(c, call, refusal))
        return CORE_REFUSED;
    struct fact f = {.kind = FACT_LEDGER_ADJUSTED, .at_utc_us = core_utc(c, now)};
    adjusted_fact(c, call, who, &f);
    int answer = known(c, &f, reply, refusal);
    if (answer != CORE_LATER || max == 0 || key_in_flight(c, ledger_adjust_key(&f.adjusted, key)))
        return drop(&f, 1, answer);
    if (ledger_adjusted_count(c->ledger) + c->adjusting.count >= c->limits.adjusted_max) {
        refusal_from(refusal, "full", "key", NULL,
                     "the cell remembers %llu adjustments of the last months, and has that many",
                     (unsigned long long)c->limits.adjusted_max);
        return drop(&f, 1, CORE_REFUSED);
    }
    struct posting p = {c, f.at_utc_us, &f.adjusted.accounts, ret, max - 1, 0, false};
    int rc = ledger_each_budget(c->ledger, &tenant_find(c, call->tenant)->line, f.at_utc_us, add_account, &p);
    BUG(rc < 0);
    if (p.full || (p.count > 0 && c->plans_in_flight + c->policy_in_flight > 0)) { /* somebody opens them just now */
        fact_clear(&f);
        return drop(ret, p.count, CORE_LATER);
    }
    ret[p.count++] = f;
    for (size_t i = 0; i < p.count; i++)
        flight_begin(c, &ret[i]);
    core_copy_strs(&f.adjusted.accounts, &reply->accounts);
    *ret_count = p.count;
    return CORE_FACT;
}

/* ---- facts ------------------------------------------------------------------------------------------ */

static int adjusted_check(const struct core *c, const struct fact *f, struct err *err)
{
    struct ledger_blocker b = {0};
    enum ledger_verdict verdict = ledger_check(c->ledger, f, &b);
    if (verdict == LEDGER_FITS)
        return 0;
    return err_set(err, -EPROTO, "ledger.adjusted: %s: %s", b.where != NULL ? b.where : "?",
                   names_get(&ledger_verdict_names, verdict));
}

static void adjusted_apply(struct core *c, const struct fact *f)
{
    ledger_apply(c->ledger, f);
}
const struct fact_rule rule_adjusted = {adjusted_check, adjusted_apply};

static int crossed_check(const struct core *c, const struct fact *f, struct err *err)
{
    struct account_view view;
    if (f->budget_crossed.account == NULL || !ledger_account(c->ledger, f->budget_crossed.account, &view))
        return err_set(err, -EPROTO, "budget.crossed: no account '%s'",
                       f->budget_crossed.account != NULL ? f->budget_crossed.account : "");
    return 0;
}

static void crossed_apply(struct core *c, const struct fact *f)
{
    ledger_apply(c->ledger, f);
}
const struct fact_rule rule_crossed = {crossed_check, crossed_apply};

/* ---- what decide() finds ---------------------------------------------------------------------------- */

void decide_crossings(struct core *c, struct plan *p)
{
    int64_t next_utc_us;
    size_t count = ledger_crossings(c->ledger, p->now.utc_us, p->facts + p->count, p->max - p->count, &next_utc_us);
    for (size_t i = 0; i < count; i++)
        flight_begin(c, &p->facts[p->count + i]);
    p->count += count;
    if (next_utc_us != INT64_MAX)
        plan_wake_at(p, next_utc_us);
}
