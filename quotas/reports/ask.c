#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/parse.h"
#include "base/policy.h"
#include "quotas/reports/escape.h"
#include "quotas/reports/report.h"

int ask_failed(struct problem *problem, const struct err *why)
{
    if (why->code == -ETIMEDOUT)
        return problem_set(problem, 503, NULL, "a shorter time span or fewer groups", "the question takes too long");
    problem->retry_after_s = 1;
    return problem_set(problem, 503, NULL, NULL, "the reports can't be read: %s", err_text(why));
}

static int read_meta(struct ask *ask, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(ask->db, "SELECT cursor, at_utc_us, currency FROM meta", &s, err);
    if (r == 0)
        r = db_step(s, err);
    if (r <= 0)
        return r < 0 ? r : err_set(err, -EBADMSG, "meta is empty");
    ask->as_of = (uint64_t)sqlite3_column_int64(s, 0);
    ask->as_of_utc_us = sqlite3_column_int64(s, 1);
    const char *currency = db_text(s, 2);
    snprintf(ask->currency, sizeof ask->currency, "%s", currency[0] != '\0' ? currency : CURRENCY_DEFAULT);
    return 0;
}

int ask_open(struct ask *ask, const struct report *report, struct problem *problem)
{
    struct err err = {0};
    ask->now_utc_us = clock_utc_us();
    ask->clock = calloc(1, sizeof *ask->clock);
    int r =
        ask->clock != NULL ? db_open(&ask->db, report->database, DB_READER, &err) : err_set(&err, -ENOMEM, "no memory");
    if (r == 0)
        r = db_exec(ask->db, "BEGIN", &err);
    if (r == 0)
        r = read_meta(ask, &err);
    if (r < 0)
        return ask_failed(problem, &err);
    db_limit(ask->db, ask->clock, REPORT_QUERY_MS);
    return 0;
}

int ask_pin(struct ask *ask, uint64_t as_of, struct problem *problem)
{
    char allowed[48];
    if (as_of == 0 || as_of == ask->as_of)
        return 0;
    snprintf(allowed, sizeof allowed, "1 to %" PRIu64, ask->as_of);
    if (as_of > ask->as_of)
        return problem_set(problem, 400, "as_of", allowed, "as_of: entry %" PRIu64 " is not in the reports", as_of);
    ask->as_of = as_of;
    ask->as_of_utc_us = 0;
    return 0;
}

void ask_json(const struct ask *ask, struct buf *out)
{
    char time[PARSE_TEXT_MAX];
    buf_addf(out, "\"as_of\":%" PRIu64 ",\"as_of_time\":", ask->as_of);
    if (ask->as_of_utc_us != 0)
        buf_addf(out, "\"%s\"", format_time(ask->as_of_utc_us, time));
    else
        buf_add_str(out, "null");
    buf_add_str(out, ",\"currency\":");
    json_text(out, ask->currency);
    buf_add_str(out, ",");
}

void ask_fini(struct ask *ask)
{
    db_close(ask->db);
    free(ask->clock);
    ask->db = NULL;
    ask->clock = NULL;
}

int ask_tenant(const struct ask *ask, const char *tenant, struct problem *problem)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    struct err err = {0};
    int r = viewer_sees(ask->viewer, tenant);
    if (r == 1 && strcmp(tenant, TENANT_ROOT) != 0) {
        r = db_prepare(ask->db, "SELECT 1 FROM tenants WHERE path = ?1", &s, &err);
        if (r == 0)
            r = db_bind(s, "t", tenant);
        if (r == 0)
            r = db_step(s, &err);
    }
    if (r < 0)
        return ask_failed(problem, &err);
    return r == 1 ? 0 : problem_set(problem, 404, "tenant", NULL, "tenant: there is no such tenant for you");
}
