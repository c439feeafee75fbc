/* GET /metrics and /healthz: how reportd is, and what tenants spent, for Prometheus. Not for invoices: reports are. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/io/clock.h"
#include "quotas/reports/escape.h"
#include "quotas/reports/io_days.h"
#include "quotas/reports/report.h"
#include "quotas/reports/webhooks.h"

#define BUDGETS_AGE_MS 1000

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
    head(out, name, type, help);
    buf_addf(out, "%s %" PRIu64 "\n", name, value);
}

static void webhooks(struct webhooks_view view, struct buf *out)
{
    one(out, "reeve_webhooks", "gauge", "Webhooks that are told of events.", view.hooks);
    one(out, "reeve_webhooks_failing", "gauge", "Webhooks that didn't take the last event they were sent.",
        view.failing);
    one(out, "reeve_webhook_events_sent_total", "counter", "Events that a webhook took.", view.sent_total);
    one(out, "reeve_webhook_tries_failed_total", "counter", "Tries that a webhook didn't take.", view.failed_total);
    one(out, "reeve_webhook_events_dropped_total", "counter", "Events that a webhook didn't take for three days.",
        view.dropped_total);
}

static void follower(const struct report *report, struct buf *out)
{
    struct follow_view view = follow_view(report->follow);
    head(out, "reeve_report_state", "gauge", "1 for the state the follower of the journal is in.");
    for (uint32_t i = 0; i < FOLLOW_STATE_COUNT; i++)
        buf_addf(out, "reeve_report_state{state=\"%s\"} %d\n", names_get(&follow_state_names, i), view.state == i);
    one(out, "reeve_report_stopped", "gauge", "1 while archiving is stopped and needs a person: entries are missing, "
        "are another journal's, or can't be read.",
        view.state == FOLLOW_GAP || view.state == FOLLOW_OTHER_JOURNAL || view.state == FOLLOW_UNREADABLE);
    one(out, "reeve_report_archived_entries", "gauge", "Journal entries that are in the reports.", view.mark.cursor);
    one(out, "reeve_report_durable_entries", "gauge", "Journal entries in the store that are in both copies.",
        view.durable);
    one(out, "reeve_report_entries_total", "counter", "Journal entries archived since start.", view.entries_total);
    one(out, "reeve_report_batches_total", "counter", "Transactions they were archived in.", view.batches_total);
    one(out, "reeve_report_requests_total", "counter", "HTTP requests since start.", report->requests_total);
    one(out, "reeve_report_refused_total", "counter", "HTTP requests that were refused.", report->refused_total);
    one(out, "reeve_report_streams", "gauge", "Reports being sent.", report->streams);
    one(out, "reeve_report_connections", "gauge", "Open HTTP connections.", report->connections);
    one(out, "reeve_report_connections_dropped_total", "counter",
        "HTTP connections closed because there were too many and they were silent for longest.",
        report->connections_dropped_total);
    int64_t behind_us = view.behind_since_boot_us != 0 ? (int64_t)(clock_boot_us() - view.behind_since_boot_us) : 0;
    head(out, "reeve_report_behind_seconds", "gauge", "For how long durable entries have been waiting to be archived.");
    buf_add_str(out, "reeve_report_behind_seconds ");
    money_text(out, behind_us);
    buf_add_str(out, "\n");
    webhooks(webhooks_view(report->webhooks), out);
}

static int costs(const struct ask *ask, struct buf *out, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(ask->db, "SELECT tenant, resource, micros FROM spend WHERE visible(?1, tenant)", &s, err);
    if (r == 0)
        r = db_bind(s, "v", ask->viewer);
    head(out, "reeve_cost_total", "counter",
         "Money charged, by tenant and resource. For invoices use /v1/reports/cost.");
    for (; r == 0 && (r = db_step(s, err)) == 1; r = 0) {
        buf_add_str(out, "reeve_cost_total{tenant=");
        label_text(out, db_text(s, 0));
        buf_add_str(out, ",resource=");
        label_text(out, db_text(s, 1));
        buf_addf(out, ",currency=\"%s\"} ", ask->currency);
        money_text(out, sqlite3_column_int64(s, 2));
        buf_add_str(out, "\n");
    }
    return r;
}

static int counters(const struct ask *ask, struct buf *out, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(ask->db, "SELECT cause, attempts FROM ends", &s, err);
    head(out, "reeve_attempts_ended_total", "counter", "Attempts that ended, by cause.");
    for (; r == 0 && (r = db_step(s, err)) == 1; r = 0) {
        buf_add_str(out, "reeve_attempts_ended_total{cause=");
        label_text(out, db_text(s, 0));
        buf_addf(out, "} %s\n", db_text(s, 1));
    }
    int64_t refused, adjusted;
    if (r == 0)
        r = db_number(ask->db, "SELECT refused FROM meta", &refused, err);
    if (r == 0)
        r = db_number(ask->db, "SELECT adjusted FROM meta", &adjusted, err);
    if (r < 0)
        return r;
    one(out, "reeve_store_refusals_total", "counter", "Journal entries that record a refusal.", (uint64_t)refused);
    one(out, "reeve_report_adjustments_total", "counter",
        "Charge rows that had to explain a difference between a fact's lines and its sum; 0 unless there is a bug.",
        (uint64_t)adjusted);
    return 0;
}

enum budget_number { BUDGET_LIMIT, BUDGET_SPENT, BUDGET_HELD, BUDGET_RATIO };
static const struct budget_metric {
    const char *name, *help;
    enum budget_number number;
    bool hours; /* of a resource, not money */
} budget_metrics[] = {
    {"reeve_budget_limit", "Limit of the present period's budget.", BUDGET_LIMIT, false},
    {"reeve_budget_spent", "Spent in the present period.", BUDGET_SPENT, false},
    {"reeve_budget_held", "Held for running work in the present period.", BUDGET_HELD, false},
    {"reeve_budget_used_ratio", "Spent and held, as a part of the limit.", BUDGET_RATIO, false},
    {"reeve_budget_hours_limit", "Limit of a budget of a resource's time, in hours of a core, GiB or unit.",
     BUDGET_LIMIT, true},
    {"reeve_budget_hours_spent", "Hours of a resource spent in the present period.", BUDGET_SPENT, true},
    {"reeve_budget_hours_held", "Hours of a resource held for running work.", BUDGET_HELD, true},
    {"reeve_budget_hours_used_ratio", "Hours spent and held, as a part of the limit.", BUDGET_RATIO, true},
};

static void budget_value(const struct budget_row *row, enum budget_number which, struct buf *out)
{
    const int64_t values[] = {row->limit_micros, row->spent_micros, row->held_micros};
    if (which < BUDGET_RATIO)
        money_text(out, values[which]);
    else
        buf_addf(out, "%.6f", row->limit_micros > 0
                                  ? (double)(row->spent_micros + row->held_micros) / (double)row->limit_micros : 1.0);
    buf_add_str(out, "\n");
}

static void budget_labels(const struct ask *ask, const struct budget_row *row, struct buf *out)
{
    buf_add_str(out, "{tenant=");
    label_text(out, row->tenant);
    if (row->budget != NULL) {
        buf_add_str(out, ",budget=");
        label_text(out, row->budget);
    }
    buf_addf(out, ",period=\"%s\",", strcmp(row->period, "total") == 0 ? "total" : "current");
    buf_add_str(out, row->resource != NULL ? "resource=" : "currency=");
    label_text(out, row->resource != NULL ? row->resource : ask->currency);
    buf_add_str(out, "} ");
}

static void budgets(const struct ask *ask, const struct list *rows, struct buf *out)
{
    const struct budget_row *v = rows->v;
    for (size_t m = 0; m < COUNT_OF(budget_metrics); m++) {
        const struct budget_metric *metric = &budget_metrics[m];
        bool needs_limit = metric->number == BUDGET_LIMIT || metric->number == BUDGET_RATIO;
        head(out, metric->name, "gauge", metric->help);
        for (size_t i = 0; i < rows->count; i++) {
            if (!v[i].current || metric->hours != (v[i].resource != NULL) || (needs_limit && v[i].limit_micros < 0))
                continue;
            buf_add_str(out, metric->name);
            budget_labels(ask, &v[i], out);
            budget_value(&v[i], metric->number, out);
        }
    }
}

int metrics_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    static const char *const names[] = {NULL};
    struct list rows = {0};
    struct err err = {0};
    struct buf *out = &answer->body;
    if (params_only(ask->params, names, problem) < 0)
        return -EINVAL;
    budgets_refresh(report, BUDGETS_AGE_MS);
    follower(report, out);
    one(out, "reeve_store_up", "gauge", "1 when the store answered just now; budgets are left out otherwise.",
        !report->budgets.stale);
    int r = costs(ask, out, &err);
    if (r == 0 && viewer_sees(ask->viewer, TENANT_ROOT)) /* sums over all tenants */
        r = counters(ask, out, &err);
    if (r == 0 && ask->viewer->all)
        r = io_days_metrics(ask, out, &err);
    if (r == 0 && !report->budgets.stale)
        r = budgets_rows(report, ask, &rows, &err);
    if (r == 0 && !report->budgets.stale)
        budgets(ask, &rows, out);
    budgets_rows_clear(&rows);
    answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    return r < 0 ? ask_failed(problem, &err) : 0;
}

/* 200 while archiving goes on; 503 when it is stopped or the store is away, with why. */
int health_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    static const char *const names[] = {NULL};
    if (params_only(ask->params, names, problem) < 0)
        return -EINVAL;
    struct follow_view view = follow_view(report->follow);
    bool well = view.state == FOLLOW_OK;
    answer->status = well ? 200 : 503;
    buf_addf(&answer->body,
             "{\"status\":\"%s\",\"state\":\"%s\",\"archived\":%" PRIu64 ",\"durable\":%" PRIu64 ",\"detail\":",
             well ? "ok" : "failing", names_get(&follow_state_names, view.state), view.mark.cursor, view.durable);
    json_text(&answer->body, view.text);
    buf_add_str(&answer->body, "}\n");
    return 0;
}
