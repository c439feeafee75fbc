/*
 * GET /: one page a person can read without any set-up. Plain HTML made here, styles inside, no script, nothing from
 * elsewhere. Everything tenant-given goes through html_text().
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "quotas/period.h"
#include "quotas/reports/escape.h"
#include "quotas/reports/page_parts.h"

#define DAYS 30
#define TENANTS_SHOWN 12
#define DAY_US (INT64_C(86400) * 1000000)

static const char style[] =
    ":root{color-scheme:light "
    "dark;--ink:#1d2430;--soft:#667085;--line:#d9dee7;--bar:#2f6fde;--held:#f2a33a;--bad:#c0362c;"
    "--page:#fff;--band:#f5f7fa}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#98a2b3;--line:#323a48;--bar:#6ea0ff;--held:#e0a04a;"
    "--bad:#ff8a80;--page:#14181f;--band:#1b212b}}"
    "body{margin:2rem auto;max-width:70rem;padding:0 1rem;font:15px/1.5 system-ui,sans-serif;color:var(--ink);"
    "background:var(--page)}"
    "h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}p{color:var(--soft);margin:.2rem 0}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;width:100%}"
    "th{text-align:left;font-weight:600;color:var(--soft)}th,td{padding:.35rem .8rem .35rem 0;"
    "border-bottom:1px solid var(--line);vertical-align:middle}"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "tbody tr:hover{background:var(--band)}.warn{color:var(--bad)}svg{display:block}"
    ".b{fill:var(--bar)}.h{fill:var(--held)}.f{fill:var(--line)}.o{fill:var(--bad)}"
    ".m{stroke:var(--ink);stroke-width:2}";

static void begin(const struct ask *ask, const struct report *report, struct buf *out)
{
    char now[PARSE_TEXT_MAX];
    struct follow_view view = follow_view(report->follow);
    buf_addf(out, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                  "<meta name=\"viewport\" content=\"width=device-width\"><title>Reeve: cost of ");
    html_text(out, report->cell);
    buf_addf(out, "</title><style>%s</style></head><body><h1>Cost of ", style);
    html_text(out, report->cell);
    buf_addf(out, "</h1><p>as of entry %" PRIu64 " of the journal, %s, in ", ask->as_of,
             format_second(ask->now_utc_us, now));
    html_text(out, ask->currency);
    buf_add_str(out, ". Days are UTC.</p>");
    if (view.state != FOLLOW_OK) {
        buf_addf(out, "<p class=\"warn\">These figures are not moving: %s. ",
                 names_get(&follow_state_names, view.state));
        html_text(out, view.text);
        buf_add_str(out, "</p>");
    }
}

void page_money_cell(struct buf *out, int64_t micros)
{
    buf_add_str(out, "<td class=\"n\">");
    money_text(out, micros);
    buf_add_str(out, "</td>");
}

/* ---- spend by tenant over time ---------------------------------------------------------------------------------- */
struct spender {
    char tenant[256];
    int64_t days[DAYS], total;
};
struct spending {
    struct spender top[TENANTS_SHOWN + 1]; /* the last one: all others together */
    size_t count;
    int64_t first_day_us, most; /* most: on one day by one tenant */
};

static struct spender *spender_of(struct spending *s, const char *tenant)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->top[i].tenant, tenant) == 0)
            return &s->top[i];
    return &s->top[TENANTS_SHOWN];
}

static int read_spending(const struct ask *ask, struct spending *s, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *totals = NULL, *days = NULL;
    static const char from[] =
        " FROM hours c JOIN paths p USING(tenant) WHERE c.hour_utc_us >= ?2 AND visible(?1, p.path)";
    struct buf sql = {0};
    s->first_day_us = ask->now_utc_us / DAY_US * DAY_US - (DAYS - 1) * DAY_US;
    buf_addf(&sql, "SELECT p.path, sum(c.micros)%s GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %d", from, TENANTS_SHOWN);
    int r = db_prepare(ask->db, buf_text(&sql), &totals, err);
    if (r == 0)
        r = db_bind(totals, "vi", ask->viewer, s->first_day_us);
    for (; r == 0 && (r = db_step(totals, err)) == 1; r = 0)
        snprintf(s->top[s->count++].tenant, sizeof s->top[0].tenant, "%s", db_text(totals, 0));
    snprintf(s->top[TENANTS_SHOWN].tenant, sizeof s->top[0].tenant, "all others");
    buf_reset(&sql);
    buf_addf(&sql, "SELECT p.path, (c.hour_utc_us - ?2) / %" PRId64 ", sum(c.micros)%s GROUP BY 1, 2", DAY_US, from);
    if (r == 0)
        r = db_prepare(ask->db, buf_text(&sql), &days, err);
    if (r == 0)
        r = db_bind(days, "vi", ask->viewer, s->first_day_us);
    for (; r == 0 && (r = db_step(days, err)) == 1; r = 0) {
        struct spender *who = spender_of(s, db_text(days, 0));
        int64_t day = sqlite3_column_int64(days, 1), micros = sqlite3_column_int64(days, 2);
        who->days[day < DAYS ? day : DAYS - 1] += micros; /* a node's clock may run ahead */
        who->total += micros;
    }
    buf_fini(&sql);
    return r;
}

static void spend_bars(const struct spending *s, const struct spender *who, struct buf *out)
{
    char name[PERIOD_NAME_MAX];
    buf_addf(out, "<svg width=\"%d\" height=\"36\" role=\"img\" aria-label=\"spend by day\">", DAYS * 12);
    for (int i = 0; i < DAYS; i++) {
        int64_t height = who->days[i] > 0 ? 1 + (int64_t)((double)who->days[i] / (double)s->most * 33) : 1;
        buf_addf(out, "<rect class=\"%s\" x=\"%d\" y=\"%" PRId64 "\" width=\"10\" height=\"%" PRId64 "\"><title>%s ",
                 who->days[i] > 0 ? "b" : "f", i * 12, 36 - height, height,
                 period_name(PERIOD_DAY, s->first_day_us + i * DAY_US, name));
        money_text(out, who->days[i]);
        buf_add_str(out, "</title></rect>");
    }
    buf_add_str(out, "</svg>");
}

static void write_spending(struct spending *s, struct buf *out)
{
    char first[PERIOD_NAME_MAX];
    int64_t total = 0;
    bool others = s->top[TENANTS_SHOWN].total != 0;
    for (size_t i = 0; i <= TENANTS_SHOWN; i++)
        for (int day = 0; day < DAYS; day++)
            s->most = MAX(s->most, s->top[i].days[day]);
    s->most = MAX(s->most, INT64_C(1));
    buf_addf(out, "<h2>Spend by tenant</h2><p>each day since %s; all bars have one scale</p><div class=\"wide\"><table>"
                  "<thead><tr><th>tenant</th><th>by day</th><th class=\"n\">%d days</th></tr></thead><tbody>",
             period_name(PERIOD_DAY, s->first_day_us, first), DAYS);
    for (size_t i = 0; i <= TENANTS_SHOWN; i++) {
        if (i >= s->count && !(i == TENANTS_SHOWN && others))
            continue;
        buf_add_str(out, "<tr><td>");
        html_text(out, s->top[i].tenant);
        buf_add_str(out, "</td><td>");
        spend_bars(s, &s->top[i], out);
        buf_add_str(out, "</td>");
        page_money_cell(out, s->top[i].total);
        buf_add_str(out, "</tr>");
        total += s->top[i].total;
    }
    buf_add_str(out, "</tbody><tfoot><tr><th>together</th><td></td>");
    page_money_cell(out, total);
    buf_add_str(out, "</tr></tfoot></table></div>");
}

/* ---- jobs -------------------------------------------------------------------------------------------------------- */
static void write_job(sqlite3_stmt *s, struct buf *out)
{
    char submitted[PARSE_TEXT_MAX];
    double asked = sqlite3_column_double(s, 6), used = sqlite3_column_double(s, 7);
    buf_addf(out, "<tr><td class=\"n\">%" PRId64 "</td>", (int64_t)sqlite3_column_int64(s, 0));
    for (int column = 1; column <= 3; column++) {
        buf_add_str(out, "<td>");
        html_text(out, db_text(s, column));
        buf_add_str(out, "</td>");
    }
    buf_addf(out, "<td>%.16s</td><td class=\"n\">", format_time(sqlite3_column_int64(s, 4), submitted));
    if (asked >= 1e6) /* below a core-second the launch weighs more than the job */
        buf_addf(out, "%.0f %%", used / asked * 100);
    buf_add_str(out, "</td>");
    page_money_cell(out, sqlite3_column_int64(s, 5));
    buf_add_str(out, "</tr>");
}

static int write_jobs(const struct ask *ask, struct buf *out, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    /* Core-microseconds asked for and used, of attempts that have ended. */
    int r = db_prepare(ask->db, "SELECT job, name, tenant, user, submitted_utc_us, spent_micros,"
                                " (SELECT sum(cpu_milli * (run_us / 1000.0)) FROM attempts a WHERE a.job = j.job),"
                                " (SELECT sum(cpu_us) FROM attempts a WHERE a.job = j.job)"
                                " FROM jobs j WHERE spent_micros > 0 AND visible(?1, tenant)"
                                " ORDER BY spent_micros DESC, job DESC LIMIT 20", &s, err);
    if (r == 0)
        r = db_bind(s, "v", ask->viewer);
    buf_add_str(
        out, "<h2>Most expensive jobs</h2><div class=\"wide\"><table><thead><tr><th class=\"n\">job</th><th>name</th>"
             "<th>tenant</th><th>user</th><th>submitted</th><th class=\"n\">cpu used</th><th class=\"n\">cost</th>"
             "</tr></thead><tbody>");
    for (; r == 0 && (r = db_step(s, err)) == 1; r = 0)
        write_job(s, out);
    buf_add_str(out, "</tbody></table></div>");
    return r;
}

int page_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    static const char *const names[] = {NULL};
    struct spending spending = {0};
    struct err err = {0};
    struct buf *out = &answer->body;
    if (params_only(ask->params, names, problem) < 0)
        return -EINVAL;
    begin(ask, report, out);
    int r = read_spending(ask, &spending, &err);
    if (r == 0) {
        write_spending(&spending, out);
        r = page_budgets(report, ask, out, &err);
    }
    if (r == 0)
        r = page_waste(ask, spending.first_day_us, out, &err);
    if (r == 0)
        r = write_jobs(ask, out, &err);
    buf_add_str(out, "<p style=\"margin-top:2rem\">Figures by machine: /v1/reports/cost, top, waste, units, anomalies, "
                     "idle, allocation; /v1/budgets, /v1/forecast, /v1/prices, /metrics.</p>"
                     "</body></html>\n");
    answer->content_type = "text/html; charset=utf-8";
    return r < 0 ? ask_failed(problem, &err) : 0;
}
