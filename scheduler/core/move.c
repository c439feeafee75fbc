#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "policies/admit.h"
#include "quotas/ledger_names.h"
#include "scheduler/core/apply.h"

/* ---- the question ----------------------------------------------------------------------------------- */

static bool refuse_path(struct refusal *r, const char *where, const char *text)
{
    refusal_from(r, "bad_request", where, NULL, "%s", text);
    return false;
}

/* Is there such a tenant, and may there come to be one of that name? */
static bool places_are_sound(const struct core *c, const struct move_call *call, struct refusal *r)
{
    struct err err = {0};
    char parent[LEDGER_TENANT_MAX];
    if (strcmp(call->from, TENANT_ROOT) == 0)
        return refuse_path(r, "from", "the cell itself can't be moved");
    if (parse_tenant_path(call->to, &err) < 0)
        return refuse_path(r, "to", err_text(&err));
    if (tenant_find(c, call->from) == NULL) {
        refusal_from(r, "not_found", "from", NULL, "there is no tenant '%.200s'", call->from);
        return false;
    }
    if (tenant_path_is_below(call->to, call->from) || tenant_find(c, call->to) != NULL) {
        refusal_from(r, "state", "to", NULL, "%.200s %s", call->to,
                     tenant_find(c, call->to) != NULL ? "is there already" : "would lie inside of itself");
        return false;
    }
    if (tenant_find(c, ledger_parent_path(call->to, parent)) == NULL) {
        refusal_from(r, "not_found", "to", "add its parent to the policy first", "there is no tenant '%.200s'", parent);
        return false;
    }
    return true;
}

static void add_jobs(const struct core *c, struct fact_tenant_moved *m)
{
    for (size_t i = 0; i < c->jobs_count && m->jobs.count <= MOVED_MAX; i++) {
        const struct job *j = c->jobs[i].job;
        if (j == NULL || j->finished || !tenant_path_is_below(j->tenant, m->from))
            continue;
        struct moved_job *job = list_add(&m->jobs, sizeof *job);
        BUG(job == NULL);
        job->job = j->id;
    }
}

/* false: more goes along than one step can take. */
static bool fill(const struct core *c, const struct move_call *call, struct fact_tenant_moved *m)
{
    char parent[LEDGER_TENANT_MAX];
    m->from = core_text(call->from);
    m->to = core_text(call->to);
    core_copy_strs(&tenant_find(c, call->from)->line, &m->from_path);
    const struct strs *above = &tenant_find(c, ledger_parent_path(call->to, parent))->line;
    int rc = strs_add(&m->to_path, call->to);
    for (size_t i = 0; rc == 0 && i < above->count; i++)
        rc = strs_add(&m->to_path, above->v[i]);
    BUG(rc < 0);
    add_jobs(c, m);
    rc = ledger_fill_move(c->ledger, m);
    BUG(rc == -ENOMEM);
    return rc == 0;
}

static void refuse_limit(const struct ledger_blocker *b, const char *from, struct refusal *r)
{
    char used[48], need[48], limit[48];
    const char *hint = "raise its limit first, or wait until enough has ended";
    if (b->verdict == LEDGER_BORROW)
        refusal_from(r, "state", b->where, hint, "%s can't go there: %s would lack %s %s of what it may borrow", from,
                     b->where, admit_amount(b->resource, (uint64_t)(b->need - (b->limit - b->used)), need),
                     b->resource);
    else
        refusal_from(r, "state", b->where, hint, "%s can't go there: %s uses %s of %s %s, %s would come", from,
                     b->where, admit_amount(b->resource, (uint64_t)b->used, used),
                     admit_amount(b->resource, (uint64_t)b->limit, limit), b->resource,
                     admit_amount(b->resource, (uint64_t)b->need, need));
}

static bool ledger_agrees(const struct core *c, const struct fact *f, struct refusal *r)
{
    struct ledger_blocker b = {0};
    enum ledger_verdict verdict = ledger_check(c->ledger, f, &b);
    const char *from = f->tenant_moved.from, *where = b.where != NULL ? b.where : from;
    if (verdict == LEDGER_FITS)
        return true;
    if (verdict == LEDGER_QUOTA || verdict == LEDGER_QUEUE_FULL || verdict == LEDGER_BORROW)
        refuse_limit(&b, from, r);
    else if (strchr(where, '@') != NULL)
        refusal_from(r, "state", where, "choose another name",
                     "the account %s is there from an earlier tenant of that name", where);
    else
        refusal_from(r, "bad_request", "to", NULL, "%s: tenants lie at most %d levels deep and their paths are at most "
                     "%d characters long", where, TENANT_DEPTH_MAX, LEDGER_TENANT_MAX - 1);
    return false;
}

static void describe(const struct fact_tenant_moved *m, struct strs *lines)
{
    char *line = text_of("~ %s -> %s  tenants %zu, jobs %zu, running %zu", m->from, m->to, m->tenants.count,
                         m->jobs.count, m->attempts.count);
    int rc = line != NULL ? strs_add(lines, line) : -ENOMEM;
    BUG(rc < 0);
    free(line);
}

int core_check_move(struct core *c, const struct move_call *call, const char *who, struct core_now now,
                    struct fact *ret, struct apply_reply *reply, struct refusal *refusal)
{
    *ret = (struct fact){0};
    *reply = (struct apply_reply){0};
    if (c->facts_in_flight > 0)
        return CORE_LATER;
    if (call->if_version != 0 && call->if_version != c->policy_version) {
        refusal_from(refusal, "stale_version", "if_version", "look again", "the policy is at version %llu, not %llu",
                     (unsigned long long)c->policy_version, (unsigned long long)call->if_version);
        return CORE_REFUSED;
    }
    if (c->two_persons && !call->dry_run) { /* other limits, prices and users may lie above it there */
        refusal_from(refusal, "two_persons", "from", "switch two_persons off, which takes two, and on again after it",
                     "a move can give somebody more, and can't be proposed");
        return CORE_REFUSED;
    }
    if (!places_are_sound(c, call, refusal))
        return CORE_REFUSED;
    struct fact f = {.kind = FACT_TENANT_MOVED, .at_utc_us = core_utc(c, now)};
    f.tenant_moved.version = c->policy_version + 1;
    f.tenant_moved.who = core_text(who);
    if (!fill(c, call, &f.tenant_moved)) {
        refusal_from(refusal, "state", "from", "move what is below it one by one, or wait until jobs have ended",
                     "%s has more tenants, jobs, attempts and accounts than move in one step: %d", call->from,
                     MOVED_MAX);
        fact_clear(&f);
        return CORE_REFUSED;
    }
    if (!ledger_agrees(c, &f, refusal)) {
        fact_clear(&f);
        return CORE_REFUSED;
    }
    reply->version = f.tenant_moved.version;
    describe(&f.tenant_moved, &reply->changes);
    if (call->dry_run) {
        fact_clear(&f);
        return CORE_FACT;
    }
    *ret = f;
    flight_begin(c, ret);
    return CORE_FACT;
}

/* ---- the fact --------------------------------------------------------------------------------------- */

static int moved_check(const struct core *c, const struct fact *f, struct err *err)
{
    const struct fact_tenant_moved *m = &f->tenant_moved;
    struct ledger_blocker b = {0};
    enum ledger_verdict verdict = ledger_check(c->ledger, f, &b);
    if (verdict == LEDGER_NO_TENANT || verdict == LEDGER_BAD)
        return err_set(err, -EPROTO, "tenant.moved: %s: %s", b.where != NULL ? b.where : "?",
                       names_get(&ledger_verdict_names, verdict));
    if (m->version <= c->policy_version)
        return err_set(err, -EPROTO, "tenant.moved: version %llu is not above %llu", (unsigned long long)m->version,
                       (unsigned long long)c->policy_version);
    return 0;
}

static void rename_accounts(struct strs *accounts, const struct pairs *names)
{
    for (size_t i = 0; i < accounts->count; i++) {
        const char *moved = pairs_get(names, accounts->v[i]);
        int rc = moved != NULL ? str_set(&accounts->v[i], moved) : 0;
        BUG(rc < 0);
    }
}

static void rename_times(struct list *times, const struct pairs *names)
{
    struct time_hold *v = times->v;
    for (size_t i = 0; i < times->count; i++) {
        const char *moved = pairs_get(names, v[i].account);
        int rc = moved != NULL ? str_set(&v[i].account, moved) : 0;
        BUG(rc < 0);
    }
}

/* Also finished ones, as long as they are known: who may see the tenant may see them. */
static void lead_job(struct core *c, struct job *j, const struct fact_tenant_moved *m)
{
    char *tenant = ledger_moved_name(j->tenant, m->from, m->to);
    BUG(tenant == NULL);
    job_rename_tenant(c, j, tenant);
    free(tenant);
}

static void moved_apply(struct core *c, const struct fact *f)
{
    const struct fact_tenant_moved *m = &f->tenant_moved;
    ledger_apply(c->ledger, f);
    tenant_move(c, m);
    for (size_t i = 0; i < c->jobs_count; i++)
        if (c->jobs[i].job != NULL && tenant_path_is_below(c->jobs[i].job->tenant, m->from))
            lead_job(c, c->jobs[i].job, m);
    const struct attempt_id *ids = m->attempts.v;
    for (size_t i = 0; i < m->attempts.count; i++) {
        struct task *t = task_of(c, ids[i]);
        BUG(t == NULL);
        rename_accounts(&t->accounts, &m->accounts);
        rename_times(&t->times, &m->accounts);
    }
    if (c->order.age_ms != 0)
        queue_reorder(c); /* other tenants above it, other times over their limits */
    c->policy_version = m->version;
}
const struct fact_rule rule_moved = {moved_check, moved_apply};
