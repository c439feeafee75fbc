#include <string.h>

#include "base/parse.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/money.h"
#include "scheduler/core/policy_lines.h"
#include "scheduler/core/policy_raise.h"

static const struct price_version *version_at(const struct list *l, size_t i)
{
    return &((const struct price_version *)l->v)[i];
}

static const struct tenant_rule *rule_at(const struct list *l, size_t i)
{
    return &((const struct tenant_rule *)l->v)[i];
}

static bool strs_equal(const struct strs *a, const struct strs *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->v[i], b->v[i]) != 0)
            return false;
    return true;
}

static bool look_for_money(const struct account_view *view, void *arg)
{
    bool *found = arg;
    *found |= view->spent_micros != 0 || view->held_micros != 0;
    return !*found;
}

static bool money_was_spent(const struct core *c)
{
    bool found = false;
    ledger_each_account(c->ledger, look_for_money, &found);
    return found;
}

/* ---- prices ----------------------------------------------------------------------------------------- */

static bool same_price(const struct price_version *a, const struct price_version *b)
{
    struct price_version as_b = *a; /* borrows */
    as_b.version = b->version;
    return fields_equal(&price_version_fields, &as_b, b);
}

static const struct price_version *same_price_in(const struct list *l, const struct price_version *v)
{
    for (size_t i = 0; i < l->count; i++)
        if (same_price(version_at(l, i), v))
            return version_at(l, i);
    return NULL;
}

/* Once something was charged, what the past costs is fixed, and for as long as a quote is valid what comes, too: only
 * versions that begin later can come and go. */
static bool past_stays(const struct list *from, const struct list *in, int64_t utc_us)
{
    for (size_t i = 0; i < from->count; i++)
        if (version_at(from, i)->from_utc_us <= utc_us && same_price_in(in, version_at(from, i)) == NULL)
            return false;
    return true;
}

static bool change_prices(const struct core *c, const struct list *wanted, int64_t fixed_utc_us,
                          struct policy_change *change, struct strs *lines, struct refusal *refusal)
{
    const struct list *now = price_book_versions(c->prices);
    if (past_stays(now, wanted, INT64_MAX) && past_stays(wanted, now, INT64_MAX))
        return true;
    if (money_was_spent(c) && !(past_stays(now, wanted, fixed_utc_us) && past_stays(wanted, now, fixed_utc_us))) {
        refusal_from(refusal, "state", "prices",
                     "add a version whose `from` is more than a minute away, or apply with --past-prices and re-rate",
                     "prices that are in force already, or within the minute that quotes are valid, can't change once "
                     "something was charged");
        return false;
    }
    uint32_t highest = 0;
    for (size_t i = 0; i < now->count; i++)
        highest = MAX(highest, version_at(now, i)->version);
    for (size_t i = 0; i < wanted->count; i++) {
        struct price_version *v = list_add(&change->prices, sizeof *v);
        BUG(v == NULL);
        int rc = fields_copy(&price_version_fields, version_at(wanted, i), v);
        BUG(rc < 0);
        const struct price_version *same = same_price_in(now, v);
        v->version = same != NULL ? same->version : ++highest;
    }
    change->set_prices = true;
    lines_prices(lines, now, wanted);
    return true;
}

static void add_zone(struct list *to, const struct zone_table *zone)
{
    struct zone_table *copy = list_add(to, sizeof *copy);
    BUG(copy == NULL);
    int rc = fields_copy(&zone_table_fields, zone, copy);
    BUG(rc < 0);
}

/* ---- tenants ---------------------------------------------------------------------------------------- */

static void add_rule(struct policy_change *change, const struct tenant_rule *rule)
{
    struct tenant_rule *copy = list_add(&change->tenants, sizeof *copy);
    BUG(copy == NULL);
    int rc = fields_copy(&tenant_rule_fields, rule, copy);
    BUG(rc < 0);
}

static bool is_wanted(const struct list *wanted, const char *path)
{
    size_t low = 0, high = wanted->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(rule_at(wanted, middle)->path, path);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

struct removal {
    const struct list *wanted;
    struct policy_change *change;
    struct strs *lines;
};

static bool remove_unwanted(const struct tenant_rule *rule, void *arg)
{
    struct removal *r = arg;
    if (is_wanted(r->wanted, rule->path))
        return true;
    const struct tenant_rule bare = {.path = rule->path};
    if (strcmp(rule->path, TENANT_ROOT) != 0) {
        int rc = strs_add(&r->change->removed, rule->path);
        BUG(rc < 0);
        lines_removed(r->lines, rule->path);
    } else if (!fields_equal(&tenant_rule_fields, rule, &bare)) {
        add_rule(r->change, &bare); /* the cell itself stays, without a rule */
        lines_changed(r->lines, rule, &bare);
    }
    return true;
}

static void change_tenants(const struct core *c, const struct list *wanted, struct policy_change *change,
                           struct strs *lines)
{
    struct removal removal = {wanted, change, lines};
    for (size_t i = 0; i < wanted->count; i++) {
        const struct tenant_rule *rule = rule_at(wanted, i);
        struct tenant_view now;
        bool known = ledger_tenant(c->ledger, rule->path, c->fact_utc_us, &now);
        if (known && fields_equal(&tenant_rule_fields, now.rule, rule))
            continue;
        add_rule(change, rule);
        if (known)
            lines_changed(lines, now.rule, rule);
        else
            lines_added(lines, rule);
    }
    ledger_each_tenant(c->ledger, remove_unwanted, &removal);
}

static bool ledger_agrees(const struct core *c, const struct fact *f, struct refusal *refusal)
{
    struct ledger_blocker b = {0};
    enum ledger_verdict verdict = ledger_check(c->ledger, f, &b);
    if (verdict == LEDGER_FITS)
        return true;
    const char *where = b.where != NULL ? b.where : "tenants";
    if (verdict == LEDGER_IN_USE)
        refusal_from(refusal, "state", where, "cancel its jobs or let them end first",
                     "tenant %s can't be removed: %lld of its tasks are waiting or running", where,
                     (long long)b.used);
    else
        refusal_from(refusal, "bad_request", where, NULL, "tenant %s: %s", where,
                     names_get(&ledger_verdict_names, verdict));
    return false;
}

/* ---- zones ------------------------------------------------------------------------------------------ */

void core_offer_zones(struct core *c, const struct list *zones)
{
    struct zone_table *old = c->zones_offered.v;
    for (size_t i = 0; i < c->zones_offered.count; i++)
        fields_clear(&zone_table_fields, &old[i]);
    free(old);
    c->zones_offered = (struct list){0};
    for (size_t i = 0; i < zones->count; i++)
        add_zone(&c->zones_offered, &((const struct zone_table *)zones->v)[i]);
}

static const struct zone_table *offered(const struct core *c, const char *name)
{
    const struct zone_table *v = c->zones_offered.v;
    for (size_t i = 0; i < c->zones_offered.count; i++)
        if (strcmp(v[i].name, name) == 0)
            return &v[i];
    return NULL;
}

static bool change_zones(const struct core *c, const struct policy_file *file, struct policy_change *change,
                         struct refusal *refusal)
{
    struct strs names = {0};
    int rc = policy_zones(file, &names);
    BUG(rc < 0);
    bool fine = names.count <= ZONES_MAX;
    if (!fine)
        refusal_from(refusal, "bad_request", "zone", NULL, "at most %d time zones in one policy", ZONES_MAX);
    for (size_t i = 0; fine && i < names.count; i++) {
        const struct zone_table *known = ledger_zone(c->ledger, names.v[i]), *now = offered(c, names.v[i]);
        bool is_billing = file->billing.zone != NULL && strcmp(file->billing.zone, names.v[i]) == 0;
        fine = known != NULL || now != NULL || is_billing || strcmp(names.v[i], ZONE_UTC) == 0; /* told by itself */
        if (!fine)
            refusal_from(refusal, "bad_request", "zone", "see /usr/share/zoneinfo",
                         "the scheduler's machine knows no time zone '%s'", names.v[i]);
        else if (now != NULL && (known == NULL || !fields_equal(&zone_table_fields, known, now)))
            add_zone(&change->zones, now);
    }
    core_clear_strs(&names);
    return fine;
}

/* ---- the question ----------------------------------------------------------------------------------- */

static bool change_people(const struct core *c, const struct policy_file *file, struct policy_change *change,
                          struct strs *lines, struct refusal *refusal)
{
    if (file->currency != NULL && strcmp(file->currency, c->currency) != 0) {
        if (money_was_spent(c)) {
            refusal_from(refusal, "state", "currency", NULL,
                         "the currency is %s and stays so: something was charged in it", c->currency);
            return false;
        }
        change->currency = core_text(file->currency);
        lines_text(lines, "currency", c->currency, file->currency);
    }
    if (!strs_equal(&file->admins, &c->admins)) {
        change->set_admins = true;
        core_copy_strs(&file->admins, &change->admins);
        lines_list(lines, "admins", &c->admins, &file->admins);
    }
    if (file->two_persons != c->two_persons) {
        change->set_two_persons = true;
        change->two_persons = file->two_persons;
        lines_text(lines, "two_persons", c->two_persons ? "yes" : "no", file->two_persons ? "yes" : "no");
    }
    return true;
}

static void duration_line(struct strs *lines, const char *what, uint64_t before_ms, uint64_t after_ms)
{
    char before[PARSE_TEXT_MAX], after[PARSE_TEXT_MAX];
    if (before_ms != after_ms)
        lines_text(lines, what, before_ms != 0 ? format_duration(before_ms, before) : "",
                   after_ms != 0 ? format_duration(after_ms, after) : "");
}

static uint64_t half_life_ms(const struct order_rule *o)
{
    return o->half_life_ms != 0 ? o->half_life_ms : FADE_HALF_LIFE_DEFAULT_MS;
}

static void change_order(const struct core *c, const struct policy_file *file, struct policy_change *change,
                         struct strs *lines)
{
    const struct order_rule *old = &c->order, *new = &file->order;
    if (fields_equal(&order_rule_fields, old, new))
        return;
    change->set_order = true;
    change->order = *new;
    if (old->by != new->by)
        lines_text(lines, "order.by", names_get(&order_by_names, old->by), names_get(&order_by_names, new->by));
    duration_line(lines, "order.half_life", half_life_ms(old), half_life_ms(new));
    duration_line(lines, "order.age", old->age_ms, new->age_ms);
}

static uint64_t min_run_ms(const struct preempt_rule *r)
{
    return r->min_run_ms != 0 ? r->min_run_ms : PREEMPT_MIN_RUN_DEFAULT_MS;
}

static void change_preempt(const struct core *c, const struct policy_file *file, struct policy_change *change,
                           struct strs *lines)
{
    const struct preempt_rule *old = &c->preempt, *new = &file->preempt;
    if (fields_equal(&preempt_rule_fields, old, new))
        return;
    change->set_preempt = true;
    change->preempt = *new;
    if (old->reclaim != new->reclaim)
        lines_text(lines, "preempt.reclaim", names_get(&reclaim_names, old->reclaim),
                   names_get(&reclaim_names, new->reclaim));
    duration_line(lines, "preempt.min_run", min_run_ms(old), min_run_ms(new));
    duration_line(lines, "preempt.grace", old->grace_ms, new->grace_ms);
}

static bool is_empty(const struct policy_change *change)
{
    return change->currency == NULL && !change->set_admins && !change->set_prices && !change->set_billing &&
           !change->set_order && !change->set_preempt && !change->set_two_persons && change->tenants.count == 0 &&
           change->removed.count == 0 && change->zones.count == 0;
}

int policy_difference(const struct core *c, struct policy_file *file, bool past_prices, struct fact *f,
                      struct strs *lines, struct refusal *refusal)
{
    int64_t fixed_utc_us = past_prices ? INT64_MIN : f->at_utc_us + QUOTE_VALID_US; /* prices up to then stay */
    struct err err = {0};
    if (file->currency == NULL)
        file->currency = core_text(c->currency); /* not named: stays */
    if (fields_check(&policy_file_fields, file, &err) < 0 || policy_file_check(file, &err) < 0) {
        const char *text = err_text(&err);
        char where[80];
        size_t len = MIN(strcspn(text, ":"), sizeof where - 1);
        memcpy(where, text, len);
        where[len] = '\0';
        refusal_from(refusal, "bad_request", where, NULL, "%s", text);
        return CORE_REFUSED;
    }
    if (!change_people(c, file, &f->policy, lines, refusal) ||
        !change_zones(c, file, &f->policy, refusal) ||
        !billing_change(c, &file->billing, money_was_spent(c), &f->policy, lines, refusal) ||
        !change_prices(c, &file->prices, fixed_utc_us, &f->policy, lines, refusal))
        return CORE_REFUSED;
    for (size_t i = 0; i < f->policy.zones.count; i++)
        lines_text(lines, "zone", "", ((const struct zone_table *)f->policy.zones.v)[i].name);
    change_order(c, file, &f->policy, lines);
    change_preempt(c, file, &f->policy, lines);
    change_tenants(c, &file->tenants, &f->policy, lines);
    const char *turned = ledger_new_limits(c->ledger, &f->policy, f->at_utc_us);
    if (turned != NULL) {
        refusal_from(refusal, "state", "resource", "give it another name",
                     "%s has counted something else in this period", turned);
        return CORE_REFUSED;
    }
    return is_empty(&f->policy) || ledger_agrees(c, f, refusal) ? CORE_FACT : CORE_REFUSED;
}

int core_check_policy(struct core *c, const struct apply_call *call, const char *who, uint32_t uid,
                      struct core_now now, struct fact *ret, struct apply_reply *reply, struct refusal *refusal)
{
    *ret = (struct fact){0};
    *reply = (struct apply_reply){0};
    if (c->policy_in_flight > 0 || c->plans_in_flight > 0)
        return CORE_LATER;
    if (call->if_version != 0 && call->if_version != c->policy_version) {
        refusal_from(refusal, "stale_version", "if_version", "look at the difference again",
                     "the policy is at version %llu, not %llu", (unsigned long long)c->policy_version,
                     (unsigned long long)call->if_version);
        return CORE_REFUSED;
    }
    struct policy_file file;
    int rc = fields_copy(&policy_file_fields, &call->policy, &file);
    BUG(rc < 0);
    struct fact f = {.kind = FACT_POLICY_SET, .at_utc_us = core_utc(c, now)};
    struct strs lines = {0};
    int answer = policy_difference(c, &file, call->past_prices, &f, &lines, refusal);
    fields_clear(&policy_file_fields, &file);
    if (answer == CORE_REFUSED) {
        core_clear_strs(&lines);
        fact_clear(&f);
        return answer;
    }
    bool changes = !is_empty(&f.policy);
    *reply = (struct apply_reply){.version = c->policy_version + changes, .changes = lines};
    if (changes && c->two_persons)
        policy_raises(c, &f.policy, &reply->raises);
    if (!changes || call->dry_run) {
        fact_clear(&f);
        return CORE_FACT;
    }
    f.policy.version = c->policy_version + 1;
    f.policy.who = core_text(who);
    if (reply->raises.count > 0) {
        reply->version = c->policy_version;
        answer = propose_policy(c, &f, reply, uid, call->past_prices, &reply->proposal, refusal);
    }
    if (answer == CORE_REFUSED)
        fields_clear(&apply_reply_fields, reply);
    else if (f.kind != FACT_NONE)
        flight_begin(c, &f);
    *ret = f.kind != FACT_NONE ? f : (struct fact){0};
    return answer;
}
