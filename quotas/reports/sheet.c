#include "quotas/reports/sheet.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/parse.h"
#include "quotas/reports/escape.h"

static int read_flag(const struct params *params, const char *name, bool *ret, struct problem *problem)
{
    const char *text = params_get(params, name);
    if (text != NULL && strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
        return problem_set(problem, 400, name, "0, 1", "%s: '%.100s' is neither 0 nor 1", name, text);
    *ret = text != NULL && text[0] == '1';
    return 0;
}

int sheet_parse(const struct params *params, struct sheet *ret, struct problem *problem)
{
    static const char *const formats[] = {[SHEET_JSON] = "json", [SHEET_NDJSON] = "ndjson", [SHEET_CSV] = "csv"};
    const char *format = params_get(params, "format");
    struct sheet s = {0};
    size_t found = SHEET_JSON;
    if (format != NULL)
        for (found = 0; found < COUNT_OF(formats) && strcmp(formats[found], format) != 0;)
            found++;
    if (found == COUNT_OF(formats))
        return problem_set(problem, 400, "format", "json, ndjson, csv", "format: '%.100s' is none", format);
    s.format = (enum sheet_format)found;
    int r = read_flag(params, "excel", &s.excel, problem);
    if (r == 0)
        r = read_flag(params, "flat", &s.flat, problem);
    if (r == 0 && s.excel && s.format != SHEET_CSV)
        r = problem_set(problem, 400, "excel", "with format=csv", "excel: is for format=csv");
    if (r == 0 && s.flat && s.format != SHEET_JSON)
        r = problem_set(problem, 400, "flat", "with format=json", "flat: is for format=json");
    if (r == 0)
        *ret = s;
    return r;
}

const char *sheet_type(const struct sheet *s)
{
    return s->format == SHEET_CSV      ? "text/csv; charset=utf-8; header=present"
           : s->format == SHEET_NDJSON ? "application/x-ndjson"
                                       : "application/json";
}

bool sheet_has_head(const struct sheet *s)
{
    return s->format == SHEET_JSON && !s->flat;
}

void sheet_column_add(struct sheet *s, const char *name, enum cell_kind kind)
{
    BUG(s->count == SHEET_COLUMNS_MAX);
    s->columns[s->count++] = (struct sheet_column){name, kind};
}

/* ---- CSV --------------------------------------------------------------------------------------------------------- */
/* A formula begins with one of these; so may a harmless text, which keeps its meaning with the mark before it. */
static void excel_text(struct buf *out, const char *text)
{
    struct buf marked = {0};
    if (text == NULL || text[0] == '\0' || strchr("=+-@\t\r", text[0]) == NULL) {
        csv_text(out, text);
        return;
    }
    buf_addf(&marked, "'%s", text);
    csv_text(out, buf_text(&marked));
    out->failed = out->failed || marked.failed;
    buf_fini(&marked);
}

static void csv_cell(const struct sheet *s, const struct sheet_column *column, const struct cell *cell, struct buf *out)
{
    char time[PARSE_TEXT_MAX];
    if (!cell->present) {
        buf_add_str(out, column->kind == CELL_MONEY ? "," : "");
        return;
    }
    switch (column->kind) {
    case CELL_TEXT:
        s->excel ? excel_text(out, cell->text) : csv_text(out, cell->text);
        break;
    case CELL_MONEY:
        money_text(out, cell->number);
        buf_addf(out, ",%" PRId64, cell->number);
        break;
    case CELL_DECIMAL:
        money_text(out, cell->number);
        break;
    case CELL_TIME:
        buf_add_str(out, format_time(cell->number, time));
        break;
    case CELL_FLAG:
        buf_add_str(out, cell->number != 0 ? "true" : "false");
        break;
    case CELL_NUMBER:
        buf_addf(out, "%" PRId64, cell->number);
        break;
    }
}

static void csv_header(const struct sheet *s, struct buf *out)
{
    if (s->excel)
        buf_add_str(out, "\xef\xbb\xbf");
    for (size_t i = 0; i < s->count; i++) {
        s->excel ? excel_text(out, s->columns[i].name) : csv_text(out, s->columns[i].name);
        if (s->columns[i].kind == CELL_MONEY)
            buf_addf(out, ",%s_micros", s->columns[i].name);
        buf_add_str(out, ",");
    }
    buf_add_str(out, "currency\r\n");
}

static void csv_row(const struct sheet *s, const struct cell *cells, struct buf *out)
{
    for (size_t i = 0; i < s->count; i++) {
        csv_cell(s, &s->columns[i], &cells[i], out);
        buf_add_str(out, ",");
    }
    csv_text(out, s->currency);
    buf_add_str(out, "\r\n");
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */
static void json_name(const struct sheet_column *column, const char *tail, struct buf *out)
{
    if (tail[0] == '\0')
        json_text(out, column->name);
    else
        buf_addf(out, "\"%s%s\"", column->name, tail); /* money's names are ours */
    buf_add_str(out, ":");
}

static void json_value(const struct sheet_column *column, const struct cell *cell, struct buf *out)
{
    char time[PARSE_TEXT_MAX];
    if (!cell->present) {
        buf_add_str(out, "null");
        return;
    }
    switch (column->kind) {
    case CELL_TEXT:
        json_text(out, cell->text);
        break;
    case CELL_MONEY:
        buf_add_str(out, "\"");
        money_text(out, cell->number);
        buf_add_str(out, "\"");
        break;
    case CELL_DECIMAL:
        money_text(out, cell->number);
        break;
    case CELL_TIME:
        buf_addf(out, "\"%s\"", format_time(cell->number, time));
        break;
    case CELL_FLAG:
        buf_add_str(out, cell->number != 0 ? "true" : "false");
        break;
    case CELL_NUMBER:
        buf_addf(out, "%" PRId64, cell->number);
        break;
    }
}

static void json_row(const struct sheet *s, const struct cell *cells, struct buf *out)
{
    buf_add_str(out, s->format == SHEET_NDJSON ? "{" : s->rows == 0 ? "\n{" : ",\n{");
    for (size_t i = 0; i < s->count; i++) {
        buf_add_str(out, i > 0 ? "," : "");
        json_name(&s->columns[i], "", out);
        json_value(&s->columns[i], &cells[i], out);
        if (s->columns[i].kind != CELL_MONEY)
            continue;
        buf_add_str(out, ",");
        json_name(&s->columns[i], "_micros", out);
        cells[i].present ? buf_addf(out, "%" PRId64, cells[i].number) : buf_add_str(out, "null");
    }
    if (!sheet_has_head(s)) {
        buf_add_str(out, ",\"currency\":");
        json_text(out, s->currency);
    }
    buf_add_str(out, s->format == SHEET_NDJSON ? "}\n" : "}");
}

void sheet_begin(const struct sheet *s, struct buf *out)
{
    if (s->format == SHEET_CSV)
        csv_header(s, out);
    else if (s->format == SHEET_JSON)
        buf_add_str(out, s->flat ? "[" : "\"rows\":[");
}

void sheet_row(struct sheet *s, const struct cell *cells, struct buf *out)
{
    s->format == SHEET_CSV ? csv_row(s, cells, out) : json_row(s, cells, out);
    s->rows++;
}

void sheet_end(const struct sheet *s, struct buf *out)
{
    if (s->format == SHEET_JSON)
        buf_add_str(out, s->flat ? "]\n" : "]");
}
