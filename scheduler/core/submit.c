#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "policies/admit.h"
#include "scheduler/core/answers.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/deadline.h"
#include "scheduler/core/money.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/spread.h"

#define SERVER_KEY_MARK '#' /* keys made here begin with it; a client's can't */

void refusal_from(struct refusal *r, const char *code, const char *where, const char *hint, const char *format,
                  ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    *r = (struct refusal){0};
    refusal_set(r, code, where, message, hint);
}

/* ---- who, where ------------------------------------------------------------------------------------- */

/* A tenant that isn't theirs is to others as if it were not there. */
static const char *choose_tenant(struct core *c, const struct submit_call *call, uint32_t uid, const char *user,
                                 struct refusal *refusal)
{
    const char *tenant = call->tenant != NULL ? call->tenant : core_user_tenant(c, user, uid);
    if (tenant != NULL && core_user_may(c, user, uid, tenant))
        return tenant_find(c, tenant)->path;
    const char *who = user != NULL ? user : "?";
    if (tenant == NULL && core_user_is_admin(c, user, uid))
        refusal_from(refusal, "tenant_required", "tenant",
                     "name one with --tenant; reeve admin apply FILE makes tenants and says who is in them",
                     "user %s belongs to no tenant", who);
    else if (tenant == NULL)
        refusal_from(refusal, "tenant_required", "tenant",
                     "name one with --tenant, or ask an admin to add you to one", "user %s belongs to no tenant", who);
    else if (core_user_is_admin(c, user, uid))
        refusal_from(refusal, "not_found", "tenant", NULL, "there is no tenant '%.200s'", tenant);
    else
        refusal_from(refusal, "not_found", "tenant", "if it is yours, ask an admin to add you to its users",
                     "there is no tenant '%.200s' that user %s may submit to", tenant, who);
    return NULL;
}

/* ---- can it ever run? ------------------------------------------------------------------------------- */

static bool refuse_never(struct refusal *r, const struct admit_answer *a)
{
    refusal_from(r, "never_fits", a->where, a->hint[0] != '\0' ? a->hint : NULL, "%s", a->message);
    return false;
}

/* Keeps those nodes that could enforce all of it. */
static size_t able_nodes(const struct core *c, const struct strs *features, struct admit_node *nodes, size_t count)
{
    uint64_t need, has;
    size_t kept = 0;
    bool known = capacity_features(&c->names, features, &need);
    for (size_t i = 0; i < count && known; i++)
        if (capacity_features(&c->names, nodes[i].features, &has) && (need & ~has) == 0)
            nodes[kept++] = nodes[i];
    return kept;
}

/* "8" or "4 to 8". */
static const char *gang_words(uint32_t gang, uint32_t gang_min, char out[32])
{
    if (gang_min == gang)
        snprintf(out, 32, "%u", gang);
    else
        snprintf(out, 32, "%u to %u", gang_min, gang);
    return out;
}

static void gang_hint(uint32_t gang, uint32_t gang_min, uint64_t most, char out[64])
{
    snprintf(out, 64, "gang%s <= %llu", gang_min == gang ? "" : "_min", (unsigned long long)most);
}

static bool gang_admit(const struct core *c, const struct shape *s, struct admit_answer *ret)
{
    char words[32], hint[64];
    uint64_t room = s->gang_min > 1 ? sufficient_room(c, s, s->gang_min) : s->gang_min;
    if (room >= s->gang_min)
        return true;
    snprintf(ret->where, sizeof ret->where, "gang");
    bool within = s->within != NULL && !s->within_or_any;
    char cap[48] = "";
    if (s->per_node != 0)
        snprintf(cap, sizeof cap, ", at most %u on a node (per_node)", s->per_node);
    snprintf(ret->message, sizeof ret->message, "%s tasks start together, all nodes%s%s%s have room for %llu of them%s",
             gang_words(s->gang, s->gang_min, words), within ? " of one " : "", within ? s->within->label : "",
             s->where != NULL ? " that match where" : "", (unsigned long long)room, cap);
    gang_hint(s->gang, s->gang_min, room, hint);
    snprintf(ret->hint, sizeof ret->hint, "%s", hint);
    return false;
}

bool nodes_admit(const struct core *c, const struct shape *s, struct admit_answer *ret)
{
    if (c->sizes.count == 0)
        return true;
    if (sufficient_node(c, s) != NULL)
        return gang_admit(c, s, ret);
    struct admit_node *nodes = core_alloc(c->nodes_count * sizeof nodes[0]);
    size_t count = 0;
    for (size_t i = 0; i < c->nodes_count; i++)
        if (!c->nodes[i]->lost)
            nodes[count++] = (struct admit_node){c->nodes[i]->name, &c->nodes[i]->capacity, &c->nodes[i]->features,
                                                 &c->nodes[i]->labels};
    bool fits = admit_by_where(s->parsed, nodes, &count, ret) && admit_by_features(&s->features, nodes, count, ret) &&
                admit_by_nodes(&s->resources, nodes, able_nodes(c, &s->features, nodes, count), ret);
    free(nodes);
    size_t len = strlen(ret->message);
    if (!fits && s->where != NULL && strcmp(ret->where, "where") != 0)
        snprintf(ret->message + len, sizeof ret->message - len, ", of %zu that match where", count);
    return fits;
}

/* It is a wish, but not for what isn't there. */
static bool spreads(const struct core *c, const struct shape *s, const struct job_spec *spec, struct refusal *refusal)
{
    if (spec->spread == NULL || c->sizes.count == 0)
        return true;
    size_t values = spread_values(c, s, spec->spread);
    if (values == 0)
        refusal_from(refusal, "never_fits", "spread", "a label that nodes have", "no node%s has the label '%s'",
                     s->where != NULL ? " that matches where" : "", spec->spread);
    else if (values > SPREAD_VALUES_MAX)
        refusal_from(refusal, "never_fits", "spread", "a label of which nodes have fewer values",
                     "nodes have %zu values of the label '%s', tasks are spread over at most %d", values, spec->spread,
                     SPREAD_VALUES_MAX);
    else if (!pools_fit(c, values + 1))
        refusal_from(refusal, "queue_full", "spread", "a label or a condition that other jobs have, or none",
                     "the cell keeps at most %d different conditions of unfinished jobs, a value that tasks are spread "
                     "over is one", POOLS_MAX);
    else
        return true;
    return false;
}

static bool fits_nodes(const struct core *c, const struct tenant *t, const struct job_spec *spec,
                       struct refusal *refusal)
{
    struct shape as_if = shape_as_if(c, t, spec);
    struct admit_answer answer;
    bool fits = nodes_admit(c, &as_if, &answer), spread = fits && spreads(c, &as_if, spec, refusal);
    shape_as_if_clear(&as_if);
    return fits ? spread : refuse_never(refusal, &answer);
}

static bool fits_guarantees(const struct core *c, const struct tenant *t, const struct job_spec *spec,
                            const struct resources *all, struct refusal *refusal)
{
    uint32_t gang = job_spec_gang(spec), gang_min = job_spec_gang_min(spec);
    struct ledger_blocker b = {0};
    char need[48], most[48], hint[128];
    if (ledger_ever_lends(c->ledger, &t->line, all, &b))
        return true;
    bool generic = strcmp(b.resource, "cpu") != 0 && strcmp(b.resource, "memory") != 0 &&
                   strcmp(b.resource, "scratch") != 0;
    admit_amount(b.resource, (uint64_t)b.need, need);
    admit_amount(b.resource, (uint64_t)MAX(b.limit, 0), most);
    int64_t each = MAX(b.need / (int64_t)MAX(gang_min, 1), 1);
    uint64_t tasks = (uint64_t)(MAX(b.limit, 0) / each);
    if (gang_min > 1 && tasks > 0)
        gang_hint(gang, gang_min, tasks, hint);
    else
        snprintf(hint, sizeof hint, "resources.%s%.40s <= %s", generic ? "generic." : "", b.resource, most);
    if (strcmp(b.where, TENANT_ROOT) == 0)
        refusal_from(refusal, "never_fits", b.where, hint, "needs %s %s, all guaranteed in the cell and lent is %s",
                     need, b.resource, most);
    else
        refusal_from(refusal, "never_fits", b.where, hint,
                     "needs %s %s, %s can use at most %s with what it may borrow", need, b.resource, b.where, most);
    return false;
}

/* What so many tasks have together; the caller clears it. */
static void resources_of(const struct job_spec *spec, uint64_t tasks, struct resources *ret)
{
    core_copy_resources(&spec->resources, ret);
    ret->cpu_milli *= tasks; /* each is at most CPU_MILLI_MAX, ...: far from the end of 64 bits */
    ret->mem_bytes *= tasks;
    ret->scratch_bytes *= tasks;
    for (size_t i = 0; i < ret->generic.count; i++)
        ret->generic.v[i].value *= tasks;
}

static bool refuse_gang(const struct tenant_rule *rule, const struct job_spec *spec, uint64_t most, const char *may,
                        const char *each, struct refusal *refusal)
{
    char hint[64], words[32];
    uint32_t gang = job_spec_gang(spec), gang_min = job_spec_gang_min(spec);
    gang_hint(gang, gang_min, most, hint);
    refusal_from(refusal, "never_fits", rule->path, hint, "%s tasks start together, %s may %s at most %llu%s",
                 gang_words(gang, gang_min, words), rule->path, may, (unsigned long long)most, each);
    return false;
}

static bool fits_at_once(const struct job_spec *spec, const struct tenant_rule *rule, struct refusal *refusal)
{
    const struct quota_rule *q = &rule->quota;
    uint32_t gang = job_spec_gang_min(spec);
    if (q->max_running != 0 && gang > q->max_running)
        return refuse_gang(rule, spec, q->max_running, "run", "", refusal);
    if (q->starts_per_minute != 0 && gang > q->starts_per_minute)
        return refuse_gang(rule, spec, q->starts_per_minute, "start", " a minute", refusal);
    return true;
}

/* How many of its tasks the tenant may ever run at once, of one that may run one and can't run all. */
static uint64_t most_by_quota(const struct job_spec *spec, const struct tenant_rule *rule)
{
    uint64_t most = 1, over = job_spec_gang_min(spec);
    while (over - most > 1) {
        struct admit_answer answer;
        struct resources need;
        uint64_t tasks = most + (over - most) / 2;
        resources_of(spec, tasks, &need);
        *(admit_by_quota(&need, rule, &answer) ? &most : &over) = tasks;
        fields_clear(&resources_fields, &need);
    }
    return most;
}

/* `all`: what starts at once, as little as it may be. */
static bool fits_quota(const struct job_spec *spec, const struct resources *all, const struct tenant_rule *rule,
                       struct admit_answer *ret)
{
    char hint[64];
    if (!admit_by_quota(&spec->resources, rule, ret))
        return false;
    if (admit_by_quota(all, rule, ret))
        return true;
    gang_hint(job_spec_gang(spec), job_spec_gang_min(spec), most_by_quota(spec, rule), hint);
    snprintf(ret->hint, sizeof ret->hint, "%s", hint);
    return false;
}

static bool fits_rules(const struct core *c, const struct tenant *t, const struct job_spec *spec,
                       int64_t utc_us, struct refusal *refusal)
{
    const struct tenant *leaf = t;
    uint32_t gang = job_spec_gang_min(spec);
    struct resources need;
    bool fits = true;
    uint64_t slice_us = core_slice_us(c);
    uint64_t hold_us = MIN(core_longest_us(c, spec->time_limit_ms * 1000), slice_us);
    int64_t hold = quote_least(c, t, spec, utc_us, hold_us);
    hold = MIN(hold, MONEY_MICROS_MAX / (int64_t)MAX(gang, 1)) * (int64_t)MAX(gang, 1);
    if (spec->budget_micros > 0)
        hold = MIN(hold, spec->budget_micros);
    resources_of(spec, MAX(gang, 1), &need);
    for (; t != NULL && fits; t = t->parent) {
        struct admit_answer answer;
        const struct tenant_rule *rule = ledger_rule(c->ledger, t->path);
        BUG(rule == NULL);
        if (!fits_quota(spec, &need, rule, &answer) || !admit_by_budget(hold, rule, &answer))
            fits = refuse_never(refusal, &answer);
        else
            fits = fits_at_once(spec, rule, refusal);
    }
    fits = fits && fits_guarantees(c, leaf, spec, &need, refusal);
    fields_clear(&resources_fields, &need);
    return fits;
}

static bool fits_own_budget(const struct core *c, const struct tenant *t, const struct job_spec *spec, int64_t utc_us,
                            struct refusal *refusal)
{
    if (spec->budget_micros == 0)
        return true;
    uint64_t limit_us = spec->time_limit_ms != 0 ? spec->time_limit_ms * 1000 : UINT64_MAX;
    uint64_t least_us = MIN(c->limits.slice_min_ms * 1000, limit_us);
    int64_t least = quote_least(c, t, spec, utc_us, least_us) * (int64_t)MAX(job_spec_gang_min(spec), 1);
    if (spec->budget_micros >= least)
        return true;
    char have[PARSE_TEXT_MAX], need[PARSE_TEXT_MAX], hint[PARSE_TEXT_MAX + 16], time[PARSE_TEXT_MAX];
    format_money(least, need);
    snprintf(hint, sizeof hint, "budget >= %s", need);
    refusal_from(refusal, "budget", "budget", hint,
                 "a budget of %s does not buy %s %s of run time, which costs %s",
                 format_money(spec->budget_micros, have), job_spec_gang_min(spec) > 1 ? "its gang" : "one task",
                 format_duration(least_us / 1000, time), need);
    return false;
}

static bool network_allowed(const struct core *c, const struct tenant *t, const struct job_spec *spec,
                            struct refusal *refusal)
{
    const struct tenant_rule *rule = ledger_rule(c->ledger, t->path);
    if (spec->network == NET_NONE || (spec->network == NET_HOST && rule != NULL && rule->network_host) ||
        (spec->network == NET_PRIVATE && rule != NULL && rule->network_private))
        return true;
    refusal_from(refusal, "forbidden", "network", "network: none", "%s may not use %s", t->path,
                 spec->network == NET_HOST ? "the host's network" : "a private network");
    return false;
}

static const char *volume_rule(const struct tenant_rule *rule, const char *name)
{
    for (size_t i = 0; i < rule->volumes.count; i++)
        if (strcmp(rule->volumes.v[i].key, name) == 0)
            return rule->volumes.v[i].value;
    return NULL;
}

static bool volumes_allowed(const struct core *c, const struct tenant *t, const struct job_spec *spec,
                            struct refusal *refusal)
{
    const struct tenant_rule *rule = ledger_rule(c->ledger, t->path);
    const struct job_volume *v = spec->volumes.v;
    for (size_t i = 0; i < spec->volumes.count; i++) {
        const char *may = rule != NULL ? volume_rule(rule, v[i].name) : NULL;
        if (may != NULL && (!v[i].writable || strcmp(may, VOLUME_WRITE) == 0))
            continue;
        refusal_from(refusal, "forbidden", "volumes",
                     may != NULL ? "writable: false" : "ask an admin to add it to the tenant's volumes",
                     "%s may not %s the volume '%s'", t->path, may != NULL ? "write to" : "use", v[i].name);
        return false;
    }
    return true;
}

static bool devices_allowed(const struct core *c, const struct tenant *t, const struct job_spec *spec,
                            struct refusal *refusal)
{
    const struct tenant_rule *rule = ledger_rule(c->ledger, t->path);
    for (size_t i = 0; i < spec->limits.devices.count; i++) {
        const char *device = spec->limits.devices.v[i];
        bool allowed = false;
        for (size_t k = 0; rule != NULL && k < rule->devices.count; k++)
            allowed = allowed || strcmp(rule->devices.v[k], device) == 0;
        if (allowed)
            continue;
        refusal_from(refusal, "forbidden", "limits.devices", "ask an admin to add it to the tenant's devices",
                     "%s may not use the device '%s'", t->path, device);
        return false;
    }
    return true;
}

static bool lists(const struct strs *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->v[i], name) == 0)
            return true;
    }
    return false;
}

/* Everyone up the tree that says anything must list it, so a tenant can only narrow what its parent has. */
static bool seccomp_allowed(const struct core *c, const struct tenant *t, const struct job_spec *spec,
                            struct refusal *refusal)
{
    const char *name = job_spec_seccomp(spec);
    bool said = false;
    const struct tenant *at = t;
    for (; name != NULL && at != NULL; at = at->parent) {
        const struct tenant_rule *rule = ledger_rule(c->ledger, at->path);
        if (rule == NULL || rule->seccomp.count == 0)
            continue;
        said = true;
        if (!lists(&rule->seccomp, name))
            break;
    }
    if (name == NULL || (said && at == NULL))
        return true;
    const char *who = at != NULL ? at->path : t->path;
    if (strcmp(name, SECCOMP_INLINE) == 0)
        refusal_from(refusal, "forbidden", "seccomp", "seccomp: default",
                     "jobs of %s may not bring a seccomp profile of their own", who);
    else
        refusal_from(refusal, "forbidden", "seccomp", "seccomp: default", "%s may not use the seccomp profile '%s'",
                     who, name);
    return false;
}

/* ---- the queue's bound ------------------------------------------------------------------------------ */

static void refuse_rate(const struct ledger_blocker *b, int64_t utc_us, struct refusal *refusal)
{
    char hint[80];
    if (b->when_utc_us == INT64_MAX) {
        snprintf(hint, sizeof hint, "at most %lld tasks in one job", (long long)b->limit);
        refusal_from(refusal, "never_fits", b->where, hint, "%s may submit %lld tasks a minute, this job brings %lld",
                     b->where, (long long)b->limit, (long long)b->need);
        return;
    }
    refusal_from(refusal, "rate", b->where, NULL, "%s may submit %lld tasks a minute and has done so", b->where,
                 (long long)b->limit);
    refusal->retry_after_ms = (uint32_t)((b->when_utc_us - utc_us + 999) / 1000); /* within a minute */
}

static void refuse_queue(const struct ledger_blocker *b, struct refusal *refusal)
{
    char hint[80];
    if (b->need > b->limit) {
        snprintf(hint, sizeof hint, "at most %lld tasks in one job", (long long)b->limit);
        refusal_from(refusal, "never_fits", b->where, hint, "%s may have %lld tasks waiting, this job brings %lld",
                     b->where, (long long)b->limit, (long long)b->need);
        return;
    }
    refusal_from(refusal, "queue_full", b->where, NULL, "%s has %lld of %lld tasks waiting, this job brings %lld",
                 b->where, (long long)b->used, (long long)b->limit, (long long)b->need);
    refusal->retry_after_ms = 1000;
}

static bool queue_has_room(const struct core *c, const struct fact *f, struct refusal *refusal)
{
    if (f->submitted.spec.where != NULL && !pool_fits(c, f->submitted.spec.where)) {
        refusal_from(refusal, "queue_full", "where", "a condition that other jobs have, or none",
                     "the cell keeps at most %d different conditions of unfinished jobs, that %zu nodes match together",
                     POOLS_MAX, POOL_NODES_MAX);
        refusal->retry_after_ms = 1000;
        return false;
    }
    if (c->unfinished >= c->limits.jobs_max) {
        refusal_from(refusal, "queue_full", "cell", NULL, "the cell keeps at most %llu unfinished jobs",
                     (unsigned long long)c->limits.jobs_max);
        refusal->retry_after_ms = 1000;
        return false;
    }
    struct ledger_blocker b = {0};
    enum ledger_verdict verdict = ledger_check(c->ledger, f, &b);
    if (verdict == LEDGER_FITS)
        return true;
    if (verdict == LEDGER_QUEUE_FULL) {
        refuse_queue(&b, refusal);
        return false;
    }
    if (verdict == LEDGER_RATE) {
        refuse_rate(&b, f->at_utc_us, refusal);
        return false;
    }
    refusal_from(refusal, names_get(&ledger_verdict_names, verdict), b.where, NULL,
                 "the ledger does not take this job");
    return false;
}

/* ---- the same key again ----------------------------------------------------------------------------- */

static bool same_spec(const struct job *j, const struct job_spec *spec, struct refusal *refusal)
{
    struct job_spec before;
    job_spec_of(j, &before);
    bool same = fields_equal(&job_spec_fields, &before, spec);
    if (!same) {
        struct buf differ = {.max = 400};
        fields_diff(&job_spec_fields, &before, spec, &differ);
        char hint[64];
        snprintf(hint, sizeof hint, "another key, or the body of job %llu", (unsigned long long)j->id);
        refusal_from(refusal, "key_conflict", "key", hint,
                     "key '%.127s' belongs to job %llu, which differs in %s", job_key(j),
                     (unsigned long long)j->id, buf_text(&differ));
        buf_fini(&differ);
    }
    fields_clear(&job_spec_fields, &before);
    return same;
}

static int same_key(const struct core *c, const struct job *j, const struct job_spec *spec, int64_t utc_us,
                    struct submit_reply *quote, struct refusal *refusal)
{
    if (!same_spec(j, spec, refusal))
        return CORE_REFUSED;
    quote_fill(c, tenant_find(c, j->tenant), j->tenant, spec, utc_us, quote);
    quote->job = j->id;
    quote->existed = true;
    if (!j->finished)
        quote->would_start = explain_first(c, j, utc_us);
    if (quote->would_start == NULL && !j->finished)
        quote->would_start = core_text("now");
    return CORE_FACT;
}

/* ---- the question ----------------------------------------------------------------------------------- */

static bool spec_is_sound(struct job_spec *spec, struct refusal *refusal)
{
    struct err err = {0};
    if (fields_check(&job_spec_fields, spec, &err) == 0 && job_spec_complete(spec, &err) == 0)
        return true;
    const char *text = err_text(&err);
    char where[64];
    size_t len = strcspn(text, ":");
    snprintf(where, sizeof where, "%.*s", (int)MIN(len, sizeof where - 1), text[len] == ':' ? text : "job");
    refusal_from(refusal, "bad_request", where, NULL, "%s", text);
    return false;
}

static bool key_is_sound(const char *key, struct refusal *refusal)
{
    if (key == NULL || (key[0] != '\0' && key[0] != SERVER_KEY_MARK && strlen(key) <= JOB_KEY_MAX))
        return true;
    refusal_from(refusal, "bad_request", "key", NULL,
                 "a key has 1 to %d characters and doesn't begin with '%c'", JOB_KEY_MAX, SERVER_KEY_MARK);
    return false;
}

/* Takes the spec and what it waits for. */
static void submitted_fact(const struct tenant *t, const struct submit_call *call, uint64_t id, uint32_t uid,
                           const char *user, struct job_spec *spec, struct list *after, struct fact *f)
{
    char made[32];
    if (call->key == NULL)
        snprintf(made, sizeof made, "%c%llu", SERVER_KEY_MARK, (unsigned long long)id);
    f->submitted = (struct fact_submitted){
        .job = id,
        .tenant = core_text(t->path),
        .uid = uid,
        .user = core_text(user),
        .key = core_text(call->key != NULL ? call->key : made),
        .spec = *spec,
        .after = *after,
    };
    *spec = (struct job_spec){0};
    *after = (struct list){0};
    core_copy_strs(&t->line, &f->submitted.path);
}

static int submit(struct core *c, const struct submit_call *call, struct job_spec *spec, uint32_t uid,
                  const char *user, int64_t utc_us, struct fact *ret, struct submit_reply *quote,
                  struct refusal *refusal)
{
    if (!spec_is_sound(spec, refusal) || !key_is_sound(call->key, refusal))
        return CORE_REFUSED;
    const char *path = choose_tenant(c, call, uid, user, refusal);
    if (path == NULL)
        return CORE_REFUSED;
    struct tenant *t = tenant_find(c, path);
    const struct job *known = call->key != NULL ? job_find_key(c, path, call->key) : NULL;
    if (known != NULL)
        return same_key(c, known, spec, utc_us, quote, refusal);
    if (!deadline_admits(spec, utc_us, refusal) || !network_allowed(c, t, spec, refusal) ||
        !devices_allowed(c, t, spec, refusal) || !volumes_allowed(c, t, spec, refusal) ||
        !seccomp_allowed(c, t, spec, refusal) || !fits_nodes(c, t, spec, refusal) ||
        !fits_rules(c, t, spec, utc_us, refusal) || !fits_own_budget(c, t, spec, utc_us, refusal))
        return CORE_REFUSED;
    struct fact f = {.kind = FACT_JOB_SUBMITTED, .at_utc_us = utc_us};
    struct list after = {0};
    int waits = depend_resolve(c, t, call, spec, uid, user, &after, refusal);
    if (waits != CORE_FACT) {
        f.submitted.after = after;
        fact_clear(&f);
        return waits;
    }
    struct submit_reply answer;
    quote_fill(c, t, path, spec, utc_us, &answer);
    answer.would_start = after.count > 0 ? explain_waits(c, &after) : explain_new(c, t, spec, utc_us);
    submitted_fact(t, call, c->next_job_handed, uid, user, spec, &after, &f);
    if (!queue_has_room(c, &f, refusal)) {
        fact_clear(&f);
        fields_clear(&submit_reply_fields, &answer);
        return CORE_REFUSED;
    }
    *quote = answer;
    if (call->dry_run) {
        fact_clear(&f);
        return CORE_FACT;
    }
    quote->job = c->next_job_handed++;
    *ret = f;
    flight_begin(c, ret);
    return CORE_FACT;
}

int core_check_submit(struct core *c, const struct submit_call *call, uint32_t uid, const char *user,
                      struct core_now now, struct fact *ret, struct submit_reply *quote,
                      struct refusal *refusal)
{
    *ret = (struct fact){0};
    *quote = (struct submit_reply){0};
    if (c->moves_in_flight > 0)
        return CORE_LATER; /* a path may be another one then */
    struct job_spec spec;
    int rc = fields_copy(&job_spec_fields, &call->spec, &spec);
    BUG(rc < 0);
    rc = submit(c, call, &spec, uid, user, core_utc(c, now), ret, quote, refusal);
    fields_clear(&job_spec_fields, &spec);
    return rc;
}
