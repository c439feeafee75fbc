#include "quotas/reports/focus_month.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "quotas/reports/focus.h"
#include "quotas/reports/schema.h"

int focus_rule_read(sqlite3 *db, struct billing_rule *ret, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(db, "SELECT billing FROM meta", &s, err);
    if (r == 0)
        r = db_step(s, err);
    if (r <= 0)
        return r < 0 ? r : err_set(err, -EBADMSG, "meta is empty");
    return fields_decode(&billing_rule_fields, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0), ret, err);
}

static int read_zone(sqlite3 *db, const char *name, struct zone_table *ret, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    if (name == NULL)
        return 0;
    int r = db_prepare(db, "SELECT shifts FROM zones WHERE name = ?1", &s, err);
    if (r == 0)
        r = db_bind(s, "t", name);
    if (r == 0)
        r = db_step(s, err);
    if (r <= 0)
        return r;
    return fields_decode(&zone_table_fields, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0), ret, err);
}

static int read_issuer(sqlite3 *db, const struct billing_rule *rule, struct focus_month *m, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(db, "SELECT coalesce(?1, " ISSUER_DEFAULT ") FROM meta", &s, err);
    if (r == 0)
        r = db_bind(s, "t", rule->issuer);
    if (r == 0)
        r = db_step(s, err);
    if (r == 1)
        snprintf(m->issuer, sizeof m->issuer, "%s", db_text(s, 0));
    return MIN(r, 0);
}

/* 1: it is in the books. */
static int read_row(sqlite3 *db, struct focus_month *m, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(db, "SELECT billing, from_utc_us, to_utc_us, first_charge, last_charge, created_utc_us,"
                           " closed_seq, closed_utc_us, layout, issuer, (SELECT cell FROM meta)"
                           " FROM billing_periods WHERE name = ?1", &s, err);
    if (r == 0)
        r = db_bind(s, "t", m->month.name);
    if (r == 0)
        r = db_step(s, err);
    if (r <= 0)
        return r;
    m->row = sqlite3_column_int64(s, 0);
    m->month.from_utc_us = sqlite3_column_int64(s, 1);
    m->month.to_utc_us = sqlite3_column_int64(s, 2);
    m->first_charge = sqlite3_column_int64(s, 3);
    m->last_charge = sqlite3_column_int64(s, 4);
    m->created_utc_us = sqlite3_column_int64(s, 5);
    m->closed_seq = (uint64_t)sqlite3_column_int64(s, 6);
    m->closed_utc_us = sqlite3_column_int64(s, 7);
    if (m->closed_seq != 0) { /* as they stood then */
        m->layout = (uint32_t)sqlite3_column_int64(s, 8);
        snprintf(m->issuer, sizeof m->issuer, "%s", db_text(s, 9));
        snprintf(m->invoice, sizeof m->invoice, "%s/%s/", db_text(s, 10), m->month.name);
    }
    return 1;
}

int focus_month_find(sqlite3 *db, const char *name, struct focus_month *ret, bool *ret_named, struct err *err)
{
    struct focus_month m = {.layout = FOCUS_LAYOUT};
    struct billing_rule rule = {0};
    struct zone_table zone = {0};
    int r = focus_rule_read(db, &rule, err);
    if (r == 0)
        r = read_zone(db, rule.zone, &zone, err);
    bool named = r >= 0 && billing_month_named(&zone, name, &m.month);
    if (named)
        r = read_issuer(db, &rule, &m, err);
    if (named && r == 0)
        r = read_row(db, &m, err);
    fields_clear(&billing_rule_fields, &rule);
    fields_clear(&zone_table_fields, &zone);
    if (r < 0)
        return r;
    if (named)
        *ret = m;
    *ret_named = named;
    return 0;
}
