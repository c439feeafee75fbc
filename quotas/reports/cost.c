/*
 * GET /v1/reports/cost, top, waste, units: what was charged, who was charged most, what was asked for and not used,
 * what a job costs. Each is a row of what to select; query.h has what they have in common.
 */
#include "quotas/reports/table.h"

#define FORMS SPAN_NAMES, SHEET_NAMES, "tenant", "group_by"

/* What persons posted may be about no job; charges keep the tenant they were made to, wherever it was moved later. */
#define CHARGES                                                                                                        \
    .from = "charges c JOIN paths p USING(tenant) LEFT JOIN jobs j USING(job)", .tenant = "p.path",                    \
    .when = "c.from_utc_us", .where = "", .charges = true
const struct query_source cost_source = {CHARGES, .measures = "sum(c.micros) AS cost"};
const struct query_source hours_source = {.from = "hours c JOIN paths p USING(tenant)", .tenant = "p.path",
                                          .user = "nullif(c.user, '')", .when = "c.hour_utc_us", .where = "",
                                          .measures = "sum(c.micros) AS cost"};

int cost_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    static const char *const names[] = {FORMS, "granularity", "as_of", "page_size", "page_token", NULL};
    static const struct table_kind kind = {
        .schema = "reeve-cost/1", .parameters = names, .group_by = "tenant",
        .source = {CHARGES, .measures = "sum(c.micros) AS cost"}, .choose = query_cost_source,
        .figures = {{"cost", CELL_MONEY}}, .count = 1};
    return table_answer(&kind, report, ask, answer, problem);
}

/* The share is of all there is, not of what is shown. */
int top_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    static const char *const names[] = {FORMS, "granularity", "as_of", "limit", NULL};
    static const struct table_kind kind = {
        .schema = "reeve-top/1", .parameters = names, .group_by = "tenant", .limit = 10,
        .source = {CHARGES, .measures = "count(DISTINCT c.job), sum(c.micros) AS cost,"
                               " share(1000000, sum(c.micros), sum(sum(c.micros)) OVER ())",
                   .order = "cost DESC"},
        .figures = {{"jobs", CELL_NUMBER}, {"cost", CELL_MONEY}, {"share", CELL_DECIMAL}}, .count = 3, .total = 1};
    return table_answer(&kind, report, ask, answer, problem);
}

/*
 * Of attempts that have ended. Memory counts as used at its peak for all of the time: less can't be asked for next
 * time. What was charged by use has no waste. An attempt that wasn't measured (its node died) counts as if all was
 * used.
 */
#define OF(resource, more)                                                                                             \
    "(SELECT coalesce(sum(c.micros), 0) FROM charges c WHERE c.attempt = a.attempt AND c.resource = '" resource        \
    "'" more ")"
#define NOT_BY_USE " AND c.charged_by <> 1" /* PRICE_BY_USE */
#define MEASURED "cpu_us + mem_peak_bytes > 0"
#define WASTE                                                                                                          \
    .from = "(SELECT a.job, a.ended_utc_us, hours(cpu_milli, run_us, 1000) AS cpu_asked,"                              \
            " iif(" MEASURED ", hours(1, cpu_us, 1), hours(cpu_milli, run_us, 1000)) AS cpu_used,"                     \
            " hours(mem_bytes, run_us, 1073741824) AS mem_asked,"                                                      \
            " hours(iif(" MEASURED ", mem_peak_bytes, mem_bytes), run_us, 1073741824) AS mem_used, "                   \
            OF("cpu", "") " AS cpu_micros, " OF("memory", "") " AS mem_micros, "                                       \
            OF("cpu", NOT_BY_USE) " AS cpu_paid, " OF("memory", NOT_BY_USE) " AS mem_paid FROM attempts a"             \
            " WHERE a.ended_utc_us >= ?2 AND a.ended_utc_us < ?3 AND a.run_us > 0) w JOIN jobs j USING(job)",          \
    .when = "w.ended_utc_us", .where = "",                                                                             \
    .measures = "count(*), sum(w.cpu_asked), sum(w.cpu_used), sum(w.mem_asked), sum(w.mem_used),"                      \
                " sum(w.cpu_micros + w.mem_micros) AS cost,"                                                           \
                " sum(unused(w.cpu_paid, w.cpu_used, w.cpu_asked) +"                                                   \
                " unused(w.mem_paid, w.mem_used, w.mem_asked)) AS waste",                                              \
    .order = "waste DESC"
const struct query_source waste_source = {WASTE};

int waste_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    static const char *const names[] = {FORMS, "granularity", "limit", NULL};
    static const struct table_kind kind = {
        .schema = "reeve-waste/1", .parameters = names, .group_by = "tenant",
        .source = {WASTE},
        .figures = {{"attempts", CELL_NUMBER}, {"cpu_asked_core_hours", CELL_DECIMAL},
                    {"cpu_used_core_hours", CELL_DECIMAL}, {"memory_asked_gib_hours", CELL_DECIMAL},
                    {"memory_used_gib_hours", CELL_DECIMAL}, {"cost", CELL_MONEY}, {"waste", CELL_MONEY}},
        .count = 7, .total = 6};
    return table_answer(&kind, report, ask, answer, problem);
}

/* Of jobs that have ended, with all that they ever cost. */
int units_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    static const char *const names[] = {FORMS, "granularity", "limit", NULL};
    static const struct table_kind kind = {
        .schema = "reeve-units/1", .parameters = names, .group_by = "tenant,name",
        .source = {.from = "jobs j", .when = "j.ended_utc_us", .where = "",
                   .measures = "count(*), sum(j.tasks), sum(j.failed), sum(j.spent_micros) AS cost,"
                               " share(sum(j.spent_micros), 1, count(*)), share(sum(j.spent_micros), 1, sum(j.tasks)),"
                               " min(j.spent_micros), max(j.spent_micros)",
                   .order = "cost DESC"},
        .figures = {{"jobs", CELL_NUMBER}, {"tasks", CELL_NUMBER}, {"failed_tasks", CELL_NUMBER}, {"cost", CELL_MONEY},
                    {"cost_per_job", CELL_MONEY}, {"cost_per_task", CELL_MONEY}, {"cheapest", CELL_MONEY},
                    {"dearest", CELL_MONEY}},
        .count = 8, .total = 3};
    return table_answer(&kind, report, ask, answer, problem);
}
