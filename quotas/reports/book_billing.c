#include "quotas/reports/book_billing.h"

#include <errno.h>
#include <string.h>

#include "quotas/reports/book_rows.h"
#include "quotas/reports/focus.h"

/* ---- the rule, as the tables have it ---------------------------------------------------------------------------- */
static int load_rule(struct book *b, struct err *err)
{
    struct book_billing *g = &b->billing;
    sqlite3_stmt *s = b->sql[SQL_BILLING_LOAD];
    int r = db_bind(s, "");
    if (r == 0)
        r = db_step(s, err);
    if (r <= 0)
        return r < 0 ? r : err_set(err, -EBADMSG, "its meta row is missing");
    g->begun = sqlite3_column_type(s, 1) != SQLITE_NULL;
    g->until_utc_us = sqlite3_column_int64(s, 1);
    r = fields_decode(&billing_rule_fields, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0), &g->rule,
                      err);
    sqlite3_reset(s);
    return r;
}

static int load_zone(struct book *b, struct err *err)
{
    struct book_billing *g = &b->billing;
    sqlite3_stmt *s = b->sql[SQL_ZONE_FIND];
    int r = g->rule.zone != NULL ? db_bind(s, "t", g->rule.zone) : -ENOENT;
    if (r == 0)
        r = db_step(s, err);
    if (r == 1)
        r = fields_decode(&zone_table_fields, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0), &g->zone,
                          err);
    sqlite3_reset(s);
    return r == -ENOENT ? 0 : r;
}

int book_billing_load(struct book *b, struct err *err)
{
    book_billing_fini(b);
    int r = load_rule(b, err);
    return r == 0 ? load_zone(b, err) : r;
}

void book_billing_fini(struct book *b)
{
    fields_clear(&billing_rule_fields, &b->billing.rule);
    fields_clear(&zone_table_fields, &b->billing.zone);
    b->billing = (struct book_billing){0};
}

/* ---- months ------------------------------------------------------------------------------------------------------ */
int book_billing_save(struct book *b, struct err *err)
{
    struct book_billing *g = &b->billing;
    if (!g->dirty)
        return 0;
    g->dirty = false;
    return MIN(book_run(b, SQL_BILLING_STRETCH, err, "iii", g->row, g->first_charge, g->last_charge), 0);
}

static int find_month(struct book *b, const char *name, struct err *err)
{
    struct book_billing *g = &b->billing;
    sqlite3_stmt *s = b->sql[SQL_BILLING_FIND];
    int r = db_bind(s, "t", name);
    if (r == 0)
        r = db_step(s, err);
    if (r == 1) {
        g->row = sqlite3_column_int64(s, 0);
        g->from_utc_us = sqlite3_column_int64(s, 1);
        g->to_utc_us = sqlite3_column_int64(s, 2);
        g->first_charge = sqlite3_column_int64(s, 3);
        g->last_charge = sqlite3_column_int64(s, 4);
        sqlite3_reset(s);
    }
    return r;
}

/* The month becomes the one in memory; its row is made when it isn't there. */
static int take_month(struct book *b, const struct billing_month *m, struct err *err)
{
    struct book_billing *g = &b->billing;
    int r = book_billing_save(b, err);
    if (r == 0)
        r = find_month(b, m->name, err);
    if (r == 0) {
        r = book_run(b, SQL_BILLING_ADD, err, "tiii", m->name, m->from_utc_us, m->to_utc_us, g->now_utc_us);
        if (r >= 0)
            r = find_month(b, m->name, err);
    }
    return MIN(r, 0);
}

static int set_until(struct book *b, int64_t until_utc_us, struct err *err)
{
    b->billing.begun = true;
    b->billing.until_utc_us = until_utc_us;
    return MIN(book_run(b, SQL_BILLING_UNTIL, err, "i", until_utc_us), 0);
}

static int begin_first(struct book *b, struct err *err)
{
    struct book_billing *g = &b->billing;
    struct billing_month m = billing_month_at(&g->zone, g->now_utc_us);
    int r = set_until(b, m.from_utc_us, err);
    return r == 0 ? take_month(b, &m, err) : r;
}

int book_billing_begin(struct book *b, int64_t at_utc_us, struct err *err)
{
    b->billing.now_utc_us = at_utc_us;
    return b->billing.begun ? 0 : begin_first(b, err);
}

int book_billing_of(struct book *b, int64_t from_utc_us, int64_t *ret_row, bool *ret_correction, struct err *err)
{
    struct book_billing *g = &b->billing;
    bool late = from_utc_us < g->until_utc_us;
    int64_t at = MAX(from_utc_us, g->until_utc_us);
    int r = 0;
    if (g->row == 0 || at < g->from_utc_us || at >= g->to_utc_us) {
        struct billing_month m = billing_month_at(&g->zone, at);
        r = take_month(b, &m, err);
    }
    *ret_row = g->row;
    *ret_correction = late;
    return r;
}

void book_billing_added(struct book *b, int64_t charge)
{
    struct book_billing *g = &b->billing;
    if (g->first_charge == 0)
        g->first_charge = charge;
    g->last_charge = charge;
    g->dirty = true;
}

/* ---- facts ------------------------------------------------------------------------------------------------------- */
static int set_zone(struct book *b, const struct zone_table *zone, struct err *err)
{
    CLEANUP(buf_fini) struct buf bytes = {0};
    fields_encode(&zone_table_fields, zone, &bytes);
    if (bytes.failed || zone->name == NULL)
        return err_set(err, bytes.failed ? -ENOMEM : -EPROTO, "a zone without a name, or no memory");
    return MIN(book_run(b, SQL_ZONE_SET, err, "tb", zone->name, buf_text(&bytes), bytes.len), 0);
}

/* Another zone is only set while nothing was billed: the first month begins anew, by its calendar. */
static int set_rule(struct book *b, const struct billing_rule *rule, struct err *err)
{
    bool moved = !str_same(b->billing.rule.zone, rule->zone);
    int64_t now = b->billing.now_utc_us;
    CLEANUP(buf_fini) struct buf bytes = {0};
    fields_encode(&billing_rule_fields, rule, &bytes);
    int r = bytes.failed ? err_set(err, -ENOMEM, "no memory")
                         : MIN(book_run(b, SQL_BILLING_RULE, err, "b", buf_text(&bytes), bytes.len), 0);
    if (r == 0)
        r = book_billing_save(b, err);
    if (r == 0)
        r = book_billing_load(b, err);
    b->billing.now_utc_us = now;
    if (r == 0 && moved)
        r = MIN(book_run(b, SQL_BILLING_CLEAR, err, ""), 0);
    return r == 0 && moved ? begin_first(b, err) : r;
}

int book_billing_policy(struct book *b, const struct policy_change *change, struct err *err)
{
    const struct zone_table *zones = change->zones.v;
    int r = 0;
    for (size_t i = 0; i < change->zones.count && r == 0; i++)
        r = set_zone(b, &zones[i], err);
    if (r == 0 && change->set_billing)
        return set_rule(b, &change->billing, err);
    if (r == 0 && change->zones.count > 0) { /* other offsets for months to come */
        fields_clear(&zone_table_fields, &b->billing.zone);
        r = load_zone(b, err);
    }
    return r;
}

int book_period_closed(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    const struct fact_period_closed *p = &fact->period_closed;
    struct book_billing *g = &b->billing;
    if (p->period == NULL || p->to_utc_us <= p->from_utc_us || strlen(p->period) >= PERIOD_NAME_MAX)
        return err_set(err, -EPROTO, "not a period");
    struct billing_month m = {.from_utc_us = p->from_utc_us, .to_utc_us = p->to_utc_us};
    memcpy(m.name, p->period, strlen(p->period) + 1);
    int r = take_month(b, &m, err);
    if (r == 0)
        r = MIN(book_run(b, SQL_BILLING_CLOSE, err, "iiiuiti", g->row, p->from_utc_us, p->to_utc_us, seq,
                         fact->at_utc_us, g->rule.issuer, (int64_t)FOCUS_LAYOUT), 0);
    if (r == 0)
        r = set_until(b, MAX(g->until_utc_us, p->to_utc_us), err);
    m = billing_month_at(&g->zone, g->until_utc_us);
    return r == 0 ? take_month(b, &m, err) : r;
}
