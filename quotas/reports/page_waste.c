/* The page's waste: what tenants paid for and didn't use. */
#include <errno.h>

#include "quotas/reports/escape.h"
#include "quotas/reports/page_parts.h"
#include "quotas/reports/query.h"

#define SHOWN 10
enum {
    TENANT,
    ATTEMPTS,
    CPU_ASKED,
    CPU_USED,
    MEM_ASKED,
    MEM_USED,
    COST,
    WASTE
}; /* columns of waste_source by tenant */

static void used_cell(sqlite3_stmt *s, int asked, int used, struct buf *out)
{
    double whole = sqlite3_column_double(s, asked);
    buf_add_str(out, "<td class=\"n\">");
    if (whole > 0)
        buf_addf(out, "%.0f %%", sqlite3_column_double(s, used) / whole * 100);
    buf_add_str(out, "</td>");
}

static void write_row(sqlite3_stmt *s, struct buf *out)
{
    buf_add_str(out, "<tr><td>");
    html_text(out, db_text(s, TENANT));
    buf_addf(out, "</td><td class=\"n\">%s</td>", db_text(s, ATTEMPTS));
    used_cell(s, CPU_ASKED, CPU_USED, out);
    used_cell(s, MEM_ASKED, MEM_USED, out);
    page_money_cell(out, sqlite3_column_int64(s, COST));
    page_money_cell(out, sqlite3_column_int64(s, WASTE));
    buf_add_str(out, "</tr>");
}

int page_waste(const struct ask *ask, int64_t from_utc_us, struct buf *out, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    struct query q = {.span = {.from_utc_us = from_utc_us, .to_utc_us = INT64_MAX}, .by = {[BY_TENANT] = true},
                      .limit = SHOWN};
    struct buf sql = {0};
    query_sql(&q, &waste_source, &sql);
    int r = sql.failed ? err_set(err, -ENOMEM, "no memory") : db_prepare(ask->db, buf_text(&sql), &s, err);
    buf_fini(&sql);
    if (r == 0 && query_bind(&q, ask->viewer, s) < 0)
        r = err_set(err, -ENOMEM, "no memory");
    if (r < 0)
        return r;
    buf_add_str(out,
                "<h2>Waste</h2><p>asked for and paid, but not used; memory counts at its peak</p><div class=\"wide\">"
                "<table><thead><tr><th>tenant</th><th class=\"n\">attempts</th><th class=\"n\">cpu used</th>"
                "<th class=\"n\">memory used</th><th class=\"n\">cost of both</th><th class=\"n\">waste</th></tr>"
                "</thead><tbody>");
    for (; r == 0 && (r = db_step(s, err)) == 1; r = 0)
        write_row(s, out);
    buf_add_str(out, "</tbody></table></div>");
    return r;
}
