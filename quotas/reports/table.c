#include "quotas/reports/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotas/money.h"
#include "quotas/reports/escape.h"

struct table {
    struct rows rows;     /* first: what is drawn from */
    const struct table_kind *kind;
    struct query query;
    struct sheet sheet;
    struct viewer viewer; /* the statement asks it until its end */
    struct ask ask;       /* taken: db and clock */
    sqlite3_stmt *s;
    struct buf sql;
    size_t total_column;
    bool has_row;         /* stepped, not yet written */
    bool begun;
    bool paged;           /* then the total is known from the start */
    int64_t total_micros;
    char next_page[PAGE_TOKEN_MAX];
};

static void table_free(struct rows *rows)
{
    struct table *t = (struct table *)rows;
    sqlite3_finalize(t->s);
    ask_fini(&t->ask);
    query_fini(&t->query);
    viewer_fini(&t->viewer);
    buf_fini(&t->sql);
    free(t);
}

static void begin(const struct table *t, struct buf *out)
{
    if (sheet_has_head(&t->sheet)) {
        buf_addf(out, "{\"schema\":\"%s\",", t->kind->schema);
        span_json(&t->query.span, out);
        ask_json(&t->ask, out);
    }
    sheet_begin(&t->sheet, out);
}

static void end(const struct table *t, struct buf *out)
{
    sheet_end(&t->sheet, out);
    if (!sheet_has_head(&t->sheet))
        return;
    buf_add_str(out, ",\"total\":\"");
    money_text(out, t->total_micros);
    buf_addf(out, "\",\"total_micros\":%" PRId64, t->total_micros);
    if (t->paged) {
        buf_add_str(out, ",\"next_page_token\":");
        json_text(out, t->next_page[0] != '\0' ? t->next_page : NULL);
    }
    buf_add_str(out, "}\n");
}

/* A label that a job doesn't have is null, not "": they are different groups. */
static void write_row(struct table *t, struct buf *out)
{
    struct cell cells[SHEET_COLUMNS_MAX];
    for (size_t i = 0; i < t->sheet.count; i++) {
        int column = (int)i;
        cells[i] = (struct cell){.present = sqlite3_column_type(t->s, column) != SQLITE_NULL};
        if (t->sheet.columns[i].kind == CELL_TEXT)
            cells[i].text = db_text(t->s, column);
        else
            cells[i].number = sqlite3_column_int64(t->s, column);
    }
    sheet_row(&t->sheet, cells, out);
}

static int next(struct rows *rows, struct buf *out, struct err *err)
{
    struct table *t = (struct table *)rows;
    if (!t->begun)
        begin(t, out);
    t->begun = true;
    if (!t->has_row) {
        end(t, out);
        return 0;
    }
    write_row(t, out);
    if (!t->paged && !money_add(t->total_micros, sqlite3_column_int64(t->s, (int)t->total_column), &t->total_micros))
        return err_set(err, -EOVERFLOW, "the total is beyond all bounds");
    db_limit(t->ask.db, t->ask.clock, REPORT_QUERY_MS);
    int r = db_step(t->s, err);
    t->has_row = r == 1;
    return r < 0 ? r : 1;
}

static int start(struct table *t, const char *sql, sqlite3_stmt **ret, struct err *err)
{
    int r = db_prepare(t->ask.db, sql, ret, err);
    if (r == 0 && query_bind(&t->query, &t->viewer, *ret) < 0)
        r = err_set(err, -ENOMEM, "no memory");
    return r == 0 ? db_step(*ret, err) : r;
}

/* How many rows there are in all, and their total; then the statement is cut down to one page of them. */
static int take_page(struct table *t, struct page_place place, const struct report *report,
                     const uint8_t question[SHA256_BYTES], struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    struct buf sql = {0};
    uint64_t count = 0;
    buf_addf(&sql, "SELECT count(*), coalesce(sum(\"%s\"), 0) FROM (%s)", t->sheet.columns[t->total_column].name,
             buf_text(&t->sql));
    int r = sql.failed ? err_set(err, -ENOMEM, "no memory") : start(t, buf_text(&sql), &s, err);
    buf_fini(&sql);
    if (r < 0)
        return r;
    count = (uint64_t)sqlite3_column_int64(s, 0);
    t->total_micros = sqlite3_column_int64(s, 1);
    t->paged = true;
    buf_addf(&t->sql, " LIMIT %" PRIu64 " OFFSET %" PRIu64, t->query.page_size, place.rows);
    if (count > place.rows && count - place.rows > t->query.page_size)
        page_token_make(report->page_key, question,
                        (struct page_place){t->ask.as_of, place.rows + t->query.page_size}, t->next_page);
    return 0;
}

/* Which page, and so which state of the journal. */
static int find_page(struct ask *ask, struct query *q, const struct report *report, uint8_t question[SHA256_BYTES],
                     struct page_place *place, struct problem *problem)
{
    page_question(ask->path != NULL ? ask->path : "", ask->params, ask->viewer, question);
    if (q->page_token != NULL && page_token_read(report->page_key, question, q->page_token, place) < 0)
        return problem_set(problem, 400, "page_token", "what the page before said, for the same question",
                           "page_token: is not one of this question");
    if (q->page_token != NULL)
        q->as_of = place->seq;
    int r = ask_pin(ask, q->as_of, problem);
    q->as_of = q->as_of != 0 || q->page_size != 0 ? ask->as_of : 0;
    return r;
}

static struct table *make(const struct table_kind *kind, struct query *query, struct ask *ask)
{
    struct table *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    *t = (struct table){.rows = {next, table_free}, .kind = kind, .query = *query, .sheet = query->sheet, .ask = *ask};
    *query = (struct query){0};
    ask->db = NULL;
    ask->clock = NULL;
    memcpy(t->sheet.currency, ask->currency, sizeof t->sheet.currency);
    query_columns_add(&t->query, &t->sheet);
    t->total_column = t->sheet.count + kind->total;
    for (size_t i = 0; i < kind->count; i++)
        sheet_column_add(&t->sheet, kind->figures[i].name, kind->figures[i].kind);
    if (t->query.limit == 0)
        t->query.limit = kind->limit;
    query_sql(&t->query, kind->choose != NULL ? kind->choose(&t->query) : &kind->source, &t->sql);
    return t;
}

/* The first step does the grouping: a question that is too large fails here, before anything was answered. */
static int begin_rows(struct table *t, const struct viewer *viewer, const struct report *report,
                      const uint8_t question[SHA256_BYTES], struct page_place place, struct err *err)
{
    int r = viewer_copy(viewer, &t->viewer) < 0 || t->sql.failed ? err_set(err, -ENOMEM, "no memory") : 0;
    if (r == 0 && t->query.page_size != 0)
        r = take_page(t, place, report, question, err);
    if (r == 0 && t->sql.failed)
        r = err_set(err, -ENOMEM, "no memory");
    if (r == 0)
        r = start(t, buf_text(&t->sql), &t->s, err);
    t->has_row = r == 1;
    return MIN(r, 0);
}

int table_answer(const struct table_kind *kind, struct report *report, struct ask *ask, struct answer *answer,
                 struct problem *problem)
{
    struct query query = {0};
    struct page_place place = {0};
    uint8_t question[SHA256_BYTES];
    struct err err = {0};
    int r = query_parse(ask->params, kind->parameters, kind->group_by, &query, problem);
    if (r == 0 && query.by[BY_RESOURCE] && !kind->source.charges)
        r = problem_set(problem, 400, "group_by", NULL, "group_by: these rows are not of one resource");
    if (r == 0 && query.tenant != NULL)
        r = ask_tenant(ask, query.tenant, problem);
    if (r == 0)
        r = find_page(ask, &query, report, question, &place, problem);
    struct table *t = r == 0 ? make(kind, &query, ask) : NULL;
    query_fini(&query);
    if (t == NULL)
        return r < 0 ? r : problem_set(problem, 503, NULL, NULL, "no memory");
    r = begin_rows(t, ask->viewer, report, question, place, &err);
    if (r < 0) {
        table_free(&t->rows);
        return ask_failed(problem, &err);
    }
    answer->content_type = sheet_type(&t->sheet);
    memcpy(answer->next_page, t->next_page, sizeof answer->next_page);
    answer->rows = &t->rows;
    return 0;
}
