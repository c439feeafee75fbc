/* GET /v1/prices: every dated version of the price book, also those that were withdrawn: charges name them. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/parse.h"
#include "quotas/reports/escape.h"
#include "quotas/reports/focus_lookup.h"
#include "quotas/reports/report.h"

static void write_row(sqlite3_stmt *s, bool first, struct buf *out)
{
    char from[PARSE_TEXT_MAX];
    int64_t micros = sqlite3_column_int64(s, 4);
    buf_addf(out, "%s{\"version\":%d,\"from\":\"%s\",\"withdrawn\":%s,\"resource\":", first ? "\n" : ",\n",
             sqlite3_column_int(s, 0), format_time(sqlite3_column_int64(s, 1), from),
             sqlite3_column_int(s, 2) != 0 ? "true" : "false");
    json_text(out, db_text(s, 3));
    buf_add_str(out, ",\"price\":\"");
    money_text(out, micros);
    buf_addf(out, "\",\"price_micros\":%" PRId64 ",\"unit\":\"%s\"}", micros, focus_unit(db_text(s, 3)));
}

int prices_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    (void)report;
    static const char *const names[] = {NULL};
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    struct buf *out = &answer->body;
    struct err err = {0};
    if (params_only(ask->params, names, problem) < 0)
        return -EINVAL;
    int r = db_prepare(ask->db, "SELECT v.version, v.from_utc_us, v.withdrawn, p.resource, p.micros"
                                " FROM price_versions v JOIN prices p USING(version) ORDER BY 2, 1, 4", &s, &err);
    buf_addf(out, "{\"schema\":\"reeve-prices/1\",\"as_of\":%" PRIu64 ",\"currency\":", ask->as_of);
    json_text(out, ask->currency);
    buf_add_str(out, ",\"prices\":[");
    for (bool first = true; r == 0 && (r = db_step(s, &err)) == 1; first = false, r = 0)
        write_row(s, first, out);
    buf_add_str(out, "]}\n");
    return r < 0 ? ask_failed(problem, &err) : 0;
}
