/*
 * Billing months (quotas/billing.h): the first fact begins the month that it lies in; each is closed by a fact once its
 * grace is over, one after the other, also when nobody was there at that time.
 */
#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "quotas/billing.h"
#include "scheduler/core/apply.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/policy_lines.h"

/* The first month that isn't closed. It begins where the last one ended, whatever the tables say by now. */
static struct billing_month first_open(const struct core *c)
{
    struct billing_month m = billing_month_at(&c->billing_zone, c->billing_from_utc_us);
    m.from_utc_us = c->billing_from_utc_us;
    return m;
}

static bool has_begun(const struct core *c)
{
    return c->billing_from_utc_us != 0;
}

/* ---- facts ------------------------------------------------------------------------------------------ */

void billing_begin(struct core *c, int64_t at_utc_us)
{
    if (!has_begun(c))
        c->billing_from_utc_us = billing_month_at(&c->billing_zone, at_utc_us).from_utc_us;
}

/* The offsets of a zone as they are after the change; NULL: nobody knows them. */
static const struct zone_table *find_zone(const struct core *c, const struct policy_change *change, const char *name)
{
    const struct zone_table *v = change->zones.v;
    for (size_t i = 0; i < change->zones.count; i++)
        if (str_same(v[i].name, name))
            return &v[i];
    return str_same(c->billing_zone.name, name) ? &c->billing_zone : NULL;
}

static void take_zone(struct core *c, const struct zone_table *zone)
{
    struct zone_table taken = {0};
    int rc = zone != NULL ? fields_copy(&zone_table_fields, zone, &taken) : 0;
    BUG(rc < 0);
    fields_clear(&zone_table_fields, &c->billing_zone);
    c->billing_zone = taken;
}

int billing_policy_check(const struct core *c, const struct policy_change *change, struct err *err)
{
    const char *zone = change->set_billing ? change->billing.zone : NULL;
    if (zone != NULL && find_zone(c, change, zone) == NULL)
        return err_set(err, -EPROTO, "policy.set: no offsets of time zone '%s'", zone);
    for (size_t i = 0; i < change->zones.count; i++) {
        const struct zone_table *z = &((const struct zone_table *)change->zones.v)[i];
        if (z->name == NULL || zone_table_check(z, err) < 0)
            return err_set(err, -EPROTO, "policy.set: zone %zu makes no sense", i);
    }
    return 0;
}

void billing_policy_apply(struct core *c, const struct policy_change *change, int64_t at_utc_us)
{
    bool moved = change->set_billing && !str_same(change->billing.zone, c->billing.zone);
    if (change->set_billing) {
        fields_clear(&billing_rule_fields, &c->billing);
        int rc = fields_copy(&billing_rule_fields, &change->billing, &c->billing);
        BUG(rc < 0);
    }
    take_zone(c, c->billing.zone != NULL ? find_zone(c, change, c->billing.zone) : NULL);
    /* Nothing was billed yet: it begins by the calendar of that place. */
    if (moved && ledger_periods_closed(c->ledger) == 0)
        c->billing_from_utc_us = billing_month_at(&c->billing_zone, at_utc_us).from_utc_us;
}

static int closed_check(const struct core *c, const struct fact *f, struct err *err)
{
    const struct fact_period_closed *p = &f->period_closed;
    struct billing_month m = first_open(c);
    if (!has_begun(c) || p->period == NULL || strcmp(p->period, m.name) != 0 || p->from_utc_us != m.from_utc_us ||
        p->to_utc_us <= p->from_utc_us)
        return err_set(err, -EPROTO, "period.closed: %s is not the first open one, %s",
                       p->period != NULL ? p->period : "", m.name);
    return 0;
}

static void closed_apply(struct core *c, const struct fact *f)
{
    c->billing_from_utc_us = f->period_closed.to_utc_us;
    ledger_apply(c->ledger, f);
}
const struct fact_rule rule_period_closed = {closed_check, closed_apply};

/* ---- the turn --------------------------------------------------------------------------------------- */

/* A calendar is much to ask in every turn: its answer holds until the month or the policy is another. */
static int64_t first_closes_at(struct core *c)
{
    struct billing_due *due = &c->billing_due;
    if (due->from_utc_us != c->billing_from_utc_us || due->policy_version != c->policy_version)
        *due = (struct billing_due){c->billing_from_utc_us, billing_closes_at(&c->billing, first_open(c).to_utc_us),
                                    c->policy_version};
    return due->utc_us;
}

void decide_billing(struct core *c, struct plan *p)
{
    if (!has_begun(c) || c->period_in_flight)
        return;
    int64_t due_utc_us = first_closes_at(c);
    if (due_utc_us > p->now.utc_us) {
        plan_wake_at(p, due_utc_us);
        return;
    }
    struct billing_month m = first_open(c);
    struct fact *f = plan_add(p, FACT_PERIOD_CLOSED);
    if (f == NULL)
        return;
    f->period_closed = (struct fact_period_closed){
        .period = core_text(m.name), .from_utc_us = m.from_utc_us, .to_utc_us = m.to_utc_us};
    flight_begin(c, f);
}

/* ---- questions -------------------------------------------------------------------------------------- */

static void grace_line(const struct core *c, const struct billing_rule *wanted, struct strs *lines)
{
    char before[PARSE_TEXT_MAX], after[PARSE_TEXT_MAX];
    uint64_t was = (uint64_t)(billing_closes_at(&c->billing, 0) / 1000);
    uint64_t is = (uint64_t)(billing_closes_at(wanted, 0) / 1000);
    if (was != is)
        lines_text(lines, "billing.grace", format_duration(was, before), format_duration(is, after));
}

static const char *or_none(const char *text, const char *none)
{
    return text != NULL ? text : none;
}

bool billing_change(const struct core *c, struct billing_rule *wanted, bool spent, struct policy_change *change,
                    struct strs *lines, struct refusal *refusal)
{
    struct err err = {0};
    if (wanted->zone != NULL && strcmp(wanted->zone, ZONE_UTC) == 0) {
        free(wanted->zone);
        wanted->zone = NULL;
    }
    if (fields_equal(&billing_rule_fields, &c->billing, wanted))
        return true;
    bool moves = !str_same(c->billing.zone, wanted->zone);
    if (moves && wanted->zone != NULL && zone_name_check(wanted->zone, &err) < 0) {
        refusal_from(refusal, "bad_request", "billing.zone", NULL, "%s", err_text(&err));
        return false;
    }
    if (moves && (spent || ledger_periods_closed(c->ledger) > 0)) {
        refusal_from(refusal, "state", "billing.zone", NULL,
                     "the billing zone is %s and stays so: %s", or_none(c->billing.zone, ZONE_UTC),
                     spent ? "something was charged by its months" : "months of it were closed");
        return false;
    }
    if (moves && wanted->zone != NULL && find_zone(c, change, wanted->zone) == NULL) {
        refusal_from(refusal, "bad_request", "billing.zone", "see /usr/share/zoneinfo",
                     "the scheduler's machine knows no time zone '%s'", wanted->zone);
        return false;
    }
    if (moves)
        lines_text(lines, "billing.zone", or_none(c->billing.zone, ZONE_UTC), or_none(wanted->zone, ZONE_UTC));
    grace_line(c, wanted, lines);
    if (!str_same(c->billing.issuer, wanted->issuer))
        lines_text(lines, "billing.issuer", or_none(c->billing.issuer, ""), or_none(wanted->issuer, ""));
    change->set_billing = true;
    int rc = fields_copy(&billing_rule_fields, wanted, &change->billing);
    BUG(rc < 0);
    return true;
}
