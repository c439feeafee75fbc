/* GET /v1/reports/cost: rows of a query, one by one, as JSON or CSV. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/parse.h"
#include "quotas/money.h"
#include "quotas/reports/escape.h"
#include "quotas/reports/query.h"
#include "quotas/reports/report.h"

struct cost_rows {
    struct rows rows;
    struct query query;
    struct viewer viewer; /* the statement asks it until its end */
    struct ask ask;       /* taken: db and clock */
    sqlite3_stmt *s;
    struct buf sql;
    bool has_row;         /* stepped, not yet written */
    bool begun;
    int64_t total_micros;
};

static void cost_free(struct rows *rows)
{
    struct cost_rows *c = (struct cost_rows *)rows;
    sqlite3_finalize(c->s);
    ask_fini(&c->ask);
    query_fini(&c->query);
    viewer_fini(&c->viewer);
    buf_fini(&c->sql);
    free(c);
}

static void write_time(struct buf *out, const char *name, bool present, int64_t utc_us)
{
    char text[PARSE_TEXT_MAX];
    if (present)
        buf_addf(out, "\"%s\":\"%s\",", name, format_time(utc_us, text));
    else
        buf_addf(out, "\"%s\":null,", name);
}

static void json_begin(const struct cost_rows *c, struct buf *out)
{
    char as_of[PARSE_TEXT_MAX];
    buf_add_str(out, "{\"schema\":\"reeve-cost/1\",");
    write_time(out, "from", c->query.has_from, c->query.from_utc_us);
    write_time(out, "to", c->query.has_to, c->query.to_utc_us);
    buf_addf(out, "\"as_of\":%" PRIu64 ",\"as_of_time\":\"%s\",\"currency\":", c->ask.as_of,
             format_time(c->ask.as_of_utc_us, as_of));
    json_text(out, c->ask.currency);
    buf_add_str(out, ",\"rows\":[");
}

static void csv_begin(const struct cost_rows *c, struct buf *out)
{
    for (size_t i = 0; i < QUERY_DIMENSION_COUNT; i++)
        if (c->query.by[i])
            buf_addf(out, "%s,", query_columns[i].name);
    for (size_t i = 0; i < c->query.labels_count; i++) {
        csv_text(out, c->query.labels[i]);
        buf_add_str(out, ",");
    }
    buf_add_str(out, "cost,cost_micros,currency\r\n");
}

/* A label that the job doesn't have is null, not "": they are different groups. */
static const char *cell_text(sqlite3_stmt *s, int column)
{
    return sqlite3_column_type(s, column) == SQLITE_NULL ? NULL : db_text(s, column);
}

static int json_cells(const struct cost_rows *c, struct buf *out)
{
    int column = 0;
    for (size_t i = 0; i < QUERY_DIMENSION_COUNT; i++) {
        if (!c->query.by[i])
            continue;
        buf_addf(out, "\"%s\":", query_columns[i].name);
        if (query_columns[i].number)
            buf_add_str(out, db_text(c->s, column));
        else
            json_text(out, cell_text(c->s, column));
        buf_add_str(out, ",");
        column++;
    }
    for (size_t i = 0; i < c->query.labels_count; i++, column++) {
        json_text(out, c->query.labels[i]);
        buf_add_str(out, ":");
        json_text(out, cell_text(c->s, column));
        buf_add_str(out, ",");
    }
    return column;
}

static void json_row(const struct cost_rows *c, bool first, struct buf *out)
{
    buf_add_str(out, first ? "\n{" : ",\n{");
    int64_t micros = sqlite3_column_int64(c->s, json_cells(c, out));
    buf_add_str(out, "\"cost\":\"");
    money_text(out, micros);
    buf_addf(out, "\",\"cost_micros\":%" PRId64 "}", micros);
}

static void csv_row(const struct cost_rows *c, struct buf *out)
{
    int columns = sqlite3_column_count(c->s) - 1;
    for (int i = 0; i < columns; i++) {
        csv_text(out, cell_text(c->s, i));
        buf_add_str(out, ",");
    }
    int64_t micros = sqlite3_column_int64(c->s, columns);
    money_text(out, micros);
    buf_addf(out, ",%" PRId64 ",", micros);
    csv_text(out, c->ask.currency);
    buf_add_str(out, "\r\n");
}

static void json_end(const struct cost_rows *c, struct buf *out)
{
    buf_add_str(out, "],\"total\":\"");
    money_text(out, c->total_micros);
    buf_addf(out, "\",\"total_micros\":%" PRId64 "}\n", c->total_micros);
}

static int cost_next(struct rows *rows, struct buf *out, struct err *err)
{
    struct cost_rows *c = (struct cost_rows *)rows;
    bool first = !c->begun;
    if (first)
        c->query.csv ? csv_begin(c, out) : json_begin(c, out);
    c->begun = true;
    if (!c->has_row) {
        if (!c->query.csv)
            json_end(c, out);
        return 0;
    }
    c->query.csv ? csv_row(c, out) : json_row(c, first, out);
    if (!money_add(c->total_micros, sqlite3_column_int64(c->s, sqlite3_column_count(c->s) - 1), &c->total_micros))
        return err_set(err, -EOVERFLOW, "the total is beyond all bounds");
    db_limit(c->ask.db, c->ask.clock, REPORT_QUERY_MS);
    int r = db_step(c->s, err);
    c->has_row = r == 1;
    return r < 0 ? r : 1;
}

/* The first step does the grouping: a question that is too large fails here, before anything was answered. */
static int cost_start(struct cost_rows *c, struct err *err)
{
    query_sql(&c->query, &c->sql);
    if (c->sql.failed)
        return err_set(err, -ENOMEM, "no memory");
    int r = db_prepare(c->ask.db, buf_text(&c->sql), &c->s, err);
    if (r == 0)
        r = db_bind(c->s, "viit", &c->viewer, c->query.from_utc_us, c->query.to_utc_us,
                    c->query.tenant != NULL ? c->query.tenant : TENANT_ROOT);
    for (size_t i = 0; i < c->query.labels_count && r == 0; i++)
        if (sqlite3_bind_text(c->s, (int)i + 5, c->query.labels[i] + sizeof "label." - 1, -1, SQLITE_STATIC) !=
            SQLITE_OK)
            r = db_failed(c->ask.db, err, "bind");
    if (r == 0)
        r = db_step(c->s, err);
    c->has_row = r == 1;
    return MIN(r, 0);
}

int cost_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    (void)report;
    struct query query = {0};
    struct err err = {0};
    int r = query_parse(ask->params, &query, problem);
    if (r == 0 && query.tenant != NULL)
        r = ask_tenant(ask, query.tenant, problem);
    struct cost_rows *c = r == 0 ? calloc(1, sizeof *c) : NULL;
    if (c == NULL) {
        query_fini(&query);
        return r < 0 ? r : problem_set(problem, 503, NULL, NULL, "no memory");
    }
    *c = (struct cost_rows){.rows = {cost_next, cost_free}, .query = query, .ask = *ask};
    ask->db = NULL;
    ask->clock = NULL;
    r = viewer_copy(ask->viewer, &c->viewer) < 0 ? err_set(&err, -ENOMEM, "no memory") : cost_start(c, &err);
    if (r < 0) {
        cost_free(&c->rows);
        return ask_failed(problem, &err);
    }
    answer->content_type = query.csv ? "text/csv; charset=utf-8; header=present" : NULL;
    answer->rows = &c->rows;
    return 0;
}
