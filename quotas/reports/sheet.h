/*
 * sheet - rows of figures in the form somebody asked for.
 *
 *   format=json              {head,"rows":[{...},...],tail}
 *   format=json&flat=1       [{...},...]: what wants a bare array (Grafana Infinity, pandas)
 *   format=ndjson            one object per line
 *   format=csv               RFC 4180, CRLF, a header always
 *   format=csv&excel=1       with a byte order mark, and ' before a text that a spreadsheet would take for a formula
 *
 * Money stands there twice: "cost" with six decimals and "cost_micros". Where there is no head, each row ends with the
 * currency.
 * Purity: pure.
 */
#ifndef REEVE_QUOTAS_REPORTS_SHEET_H
#define REEVE_QUOTAS_REPORTS_SHEET_H

#include "quotas/reports/params.h"

#define SHEET_NAMES "format", "excel", "flat" /* its parameters, for params_only() */
#define SHEET_COLUMNS_MAX 32
#define SHEET_EXCEL_ROWS 1000000              /* what a spreadsheet takes, header and some room apart */

enum sheet_format { SHEET_JSON, SHEET_NDJSON, SHEET_CSV };
/* DECIMAL: millionths, a bare number with six decimals. TIME: UTC microseconds. */
enum cell_kind { CELL_TEXT, CELL_NUMBER, CELL_MONEY, CELL_DECIMAL, CELL_TIME, CELL_FLAG };

struct sheet_column {
    const char *name;
    enum cell_kind kind;
};
struct cell {
    bool present;     /* false = null: nothing, which is not "" and not 0 */
    const char *text; /* CELL_TEXT */
    int64_t number;   /* all others */
};
static inline struct cell cell_text(const char *text)
{
    return (struct cell){.present = text != NULL, .text = text};
}
static inline struct cell cell_number(int64_t number)
{
    return (struct cell){.present = true, .number = number};
}

struct sheet {
    enum sheet_format format;
    bool flat, excel;
    char currency[8];
    struct sheet_column columns[SHEET_COLUMNS_MAX];
    size_t count;
    uint64_t rows;
};

/* Fills the form; 400 for a combination that means nothing. */
int sheet_parse(const struct params *params, struct sheet *ret, struct problem *problem) MUST_USE;
const char *sheet_type(const struct sheet *s); /* Content-Type */
bool sheet_has_head(const struct sheet *s);    /* JSON with a head and a tail around the rows: the caller's */
void sheet_column_add(struct sheet *s, const char *name, enum cell_kind kind);
/* After the caller's head, which leaves the object open behind a comma. */
void sheet_begin(const struct sheet *s, struct buf *out);
void sheet_row(struct sheet *s, const struct cell *cells, struct buf *out); /* as many as there are columns */
void sheet_end(const struct sheet *s, struct buf *out);                     /* the caller closes the object */

#endif
