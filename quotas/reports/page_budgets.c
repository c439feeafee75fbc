/* The page's budgets: how far the money has gone, and where it leads. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/parse.h"
#include "quotas/reports/escape.h"
#include "quotas/reports/forecast.h"
#include "quotas/reports/page_parts.h"

#define BUDGETS_AGE_MS 1000
#define BUDGETS_SHOWN 200
#define BAR 160
#define DAY_US (INT64_C(86400) * 1000000)

/* Spent, held, and a mark where the period is expected to end; beyond the limit it stands at the bar's end. */
static void bar(const struct forecast_row *f, struct buf *out)
{
    const struct budget_row *b = f->budget;
    double limit = (double)MAX(b->limit_micros, INT64_C(1));
    double spent = MIN(MAX((double)b->spent_micros / limit, 0.0), 1.0) * BAR;
    double held = MIN((double)b->held_micros / limit * BAR, BAR - spent);
    buf_addf(out, "<svg width=\"%d\" height=\"16\" role=\"img\" aria-label=\"spent and held of the limit\">"
                  "<rect class=\"f\" y=\"2\" width=\"%d\" height=\"12\"/><rect class=\"%s\" y=\"2\" width=\"%.1f\""
                  " height=\"12\"/><rect class=\"h\" x=\"%.1f\" y=\"2\" width=\"%.1f\" height=\"12\"/>",
             BAR, BAR, b->spent_micros > b->limit_micros ? "o" : "b", spent, spent, held);
    if (f->has_trend && f->end_utc_us != INT64_MAX) {
        double at = MIN(f->at_end.middle / limit, 1.0) * (BAR - 2) + 1;
        buf_addf(out, "<line class=\"m\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"16\"><title>expected at the end</title>"
                      "</line>", at, at);
    }
    buf_add_str(out, "</svg>");
}

static void range_cell(const struct forecast_row *f, struct buf *out)
{
    if (!f->has_trend || f->end_utc_us == INT64_MAX) {
        buf_add_str(out, "<td></td>");
        return;
    }
    bool over = f->budget->limit_micros >= 0 && f->at_end.middle > (double)f->budget->limit_micros;
    buf_addf(out, "<td class=\"n%s\"", over ? " warn" : "");
    if (f->at_end.known)
        buf_addf(out, " title=\"four times of five between %.2f and %.2f\"", f->at_end.low / 1e6, f->at_end.high / 1e6);
    buf_addf(out, ">%.2f</td>", f->at_end.middle / 1e6);
}

/* A date, when it is before the period's end or the budget has none; nothing else is worth a look. */
static void runway_cell(const struct forecast_row *f, int64_t now, struct buf *out)
{
    char time[PARSE_TEXT_MAX];
    double at = (double)now + f->runs_out.middle * (double)DAY_US;
    if (f->budget->limit_micros >= 0 && f->runs_out.middle <= 0)
        buf_add_str(out, "<td class=\"warn\">used up</td>");
    else if (!f->has_trend || at >= (double)f->end_utc_us || f->runs_out.middle > 3650)
        buf_add_str(out, "<td></td>");
    else
        buf_addf(out, "<td class=\"warn\">%.10s</td>", format_time((int64_t)at, time));
}

static void write_budget(const struct forecast_row *f, int64_t now, struct buf *out)
{
    const struct budget_row *b = f->budget;
    bool limited = b->limit_micros >= 0;
    buf_add_str(out, "<tr><td>");
    html_text(out, b->tenant);
    buf_add_str(out, "</td><td>");
    html_text(out, b->period);
    buf_add_str(out, "</td><td>");
    if (limited)
        bar(f, out);
    buf_add_str(out, "</td>");
    page_money_cell(out, b->spent_micros);
    page_money_cell(out, b->held_micros);
    if (limited) {
        page_money_cell(out, b->limit_micros - b->spent_micros - b->held_micros);
        page_money_cell(out, b->limit_micros);
    } else {
        buf_add_str(out, "<td class=\"n\">no limit</td><td></td>");
    }
    range_cell(f, out);
    runway_cell(f, now, out);
    buf_add_str(out, "</tr>");
}

static void heading(const struct report *report, struct buf *out)
{
    char at[PARSE_TEXT_MAX];
    buf_add_str(out, "<h2>Budgets</h2>");
    if (report->budgets.stale) {
        buf_addf(out, "<p class=\"warn\">The store is away; as of %s. ",
                 report->budgets.at_utc_us != 0 ? format_time(report->budgets.at_utc_us, at) : "never");
        html_text(out, err_text(&report->budgets.why));
        buf_add_str(out, "</p>");
    }
    buf_add_str(out,
                "<p>this period: spent, held for running work, free; the mark is where the last four weeks lead</p>"
                "<div class=\"wide\"><table><thead><tr><th>tenant</th><th>period</th><th></th>"
                "<th class=\"n\">spent</th><th class=\"n\">held</th><th class=\"n\">free</th>"
                "<th class=\"n\">limit</th><th class=\"n\">at its end</th><th>runs out</th></tr></thead><tbody>");
}

int page_budgets(struct report *report, const struct ask *ask, struct buf *out, struct err *err)
{
    struct list rows = {0}, found = {0};
    budgets_refresh(report, BUDGETS_AGE_MS);
    int r = budgets_rows(report, ask, &rows, err);
    if (r == 0)
        r = forecast_rows(ask, &rows, &found, err);
    if (r == 0)
        heading(report, out);
    const struct forecast_row *v = found.v;
    size_t shown = 0;
    for (; shown < found.count && shown < BUDGETS_SHOWN; shown++)
        write_budget(&v[shown], ask->now_utc_us, out);
    if (r == 0)
        buf_add_str(out, "</tbody></table></div>");
    if (shown == BUDGETS_SHOWN)
        buf_addf(out, "<p>the first %d; all of them are in /v1/budgets</p>", BUDGETS_SHOWN);
    free(found.v);
    budgets_rows_clear(&rows);
    return r;
}
