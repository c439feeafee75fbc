#include "quotas/reports/focus_rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotas/reports/focus_lookup.h"

#define LIMIT_EVERY 256 /* rows between two looks at the time limit */

enum charge_column {
    C_SEQ, C_LINE, C_KIND, C_ATTEMPT, C_JOB, C_TENANT, C_CORRECTION, C_RESOURCE, C_VERSION, C_CLASS, C_PREEMPTIBLE,
    C_BY, C_LIST_PRICE, C_PRICE, C_QUANTITY, C_FROM, C_TO, C_MICROS
};
static const char rows_sql[] =
    "SELECT seq, line, kind, attempt, job, tenant, correction, resource, price_version, price_class, preemptible,"
    " charged_by, list_price, price, quantity, from_utc_us, to_utc_us, micros FROM charges"
    " WHERE charge BETWEEN ?1 AND ?2 AND billing = ?3 ORDER BY charge";
static const char words_sql[] = "SELECT a.reason, a.about_seq, a.about_line, a.who, j.name, j.user, j.labels"
                                " FROM adjustments a LEFT JOIN jobs j ON j.job = ?2 WHERE a.seq = ?1";

struct export {
    struct rows rows;
    struct ask ask;              /* taken: db and clock */
    struct viewer viewer;        /* the lookup asks it until its end */
    char *top;
    struct focus_wish wish;
    struct focus_lookup lookup;
    sqlite3_stmt *s, *words;
    struct focus_idle *idle;     /* NULL: none are asked for */
    const struct focus_column *columns[64];
    struct buf names[64];        /* what stands before a value: a separator, in JSON also the column's name */
    size_t columns_count;
    struct buf fixed;            /* cells of the export */
    struct cell cell[FOCUS_CELL_COUNT];
    char numbers[12][FOCUS_NUMBER_MAX];
    size_t numbers_used;
    struct buf text;             /* cells of the row at hand */
    struct cell null, usage, credit, adjustment, correction, used, once, idle_type, root;
    uint64_t written;
    bool begun, lines_over;
};

static void export_free(struct rows *rows)
{
    struct export *x = (struct export *)rows;
    sqlite3_finalize(x->s);
    sqlite3_finalize(x->words);
    focus_idle_free(x->idle);
    lookup_fini(&x->lookup);
    ask_fini(&x->ask);
    viewer_fini(&x->viewer);
    for (size_t i = 0; i < x->columns_count; i++)
        buf_fini(&x->names[i]);
    buf_fini(&x->fixed);
    buf_fini(&x->text);
    free(x->top);
    free(x);
}

/* ---- cells of a row --------------------------------------------------------------------------------------------- */
static struct cell number(struct export *x, focus_wide value, uint32_t scale)
{
    char *out = x->numbers[x->numbers_used++];
    return (struct cell){out, focus_decimal(out, value, scale)};
}

static struct cell instant(struct export *x, int64_t utc_us)
{
    char *out = x->numbers[x->numbers_used++];
    size_t quote = x->wish.format != FOCUS_CSV;
    out[0] = '"';
    focus_time(out + quote, utc_us);
    out[quote + FOCUS_TIME_LEN] = '"';
    return (struct cell){out, FOCUS_TIME_LEN + 2 * quote};
}

/* Whole seconds, as FOCUS writes them: neighbours meet, and nothing is shorter than one. */
static void add_times(struct export *x, int64_t from, int64_t to, bool measured)
{
    if (from == to && !measured) { /* about no time in particular */
        x->cell[CELL_CHARGE_FROM] = x->cell[CELL_PERIOD_FROM];
        x->cell[CELL_CHARGE_TO] = x->cell[CELL_PERIOD_TO];
        return;
    }
    const int64_t second = 1000000;
    int64_t first = from / second - (from % second < 0), last = to / second - (to % second < 0);
    x->cell[CELL_CHARGE_FROM] = instant(x, first * second);
    x->cell[CELL_CHARGE_TO] = instant(x, MAX(last, first + 1) * second);
}

static void add_figures(struct export *x, bool measured)
{
    x->cell[CELL_BILLED] = x->cell[CELL_EFFECTIVE] = number(x, sqlite3_column_int64(x->s, C_MICROS), 6);
    x->cell[CELL_SEQ] = number(x, sqlite3_column_int64(x->s, C_SEQ), 0);
    x->cell[CELL_LINE] = number(x, sqlite3_column_int64(x->s, C_LINE), 0);
    if (!measured) {
        const enum focus_cell none[] = {CELL_QUANTITY, CELL_PRICE, CELL_LIST_PRICE, CELL_VERSION};
        for (size_t i = 0; i < COUNT_OF(none); i++)
            x->cell[none[i]] = x->null;
        x->cell[CELL_LIST] = x->cell[CELL_CONTRACTED] = x->cell[CELL_BILLED];
        return;
    }
    int64_t quantity = sqlite3_column_int64(x->s, C_QUANTITY), price = sqlite3_column_int64(x->s, C_PRICE);
    int64_t list_price = sqlite3_column_int64(x->s, C_LIST_PRICE);
    x->cell[CELL_QUANTITY] = number(x, quantity, 9);
    x->cell[CELL_PRICE] = number(x, price, 6);
    x->cell[CELL_CONTRACTED] = number(x, (focus_wide)quantity * price, 15);
    x->cell[CELL_LIST_PRICE] = list_price == price ? x->cell[CELL_PRICE] : number(x, list_price, 6);
    x->cell[CELL_LIST] =
        list_price == price ? x->cell[CELL_CONTRACTED] : number(x, (focus_wide)quantity * list_price, 15);
    x->cell[CELL_VERSION] = number(x, sqlite3_column_int64(x->s, C_VERSION), 0);
}

static void add_tenant(struct export *x, const struct rendered *t)
{
    x->cell[CELL_ACCOUNT] = rendered_get(t, TENANT_ACCOUNT);
    x->cell[CELL_TENANT] = rendered_get(t, TENANT_PATH);
    x->cell[CELL_INVOICE] = rendered_get(t, TENANT_INVOICE);
    x->cell[CELL_INVOICE_DETAIL] = rendered_get(t, TENANT_DETAIL);
}

static void copy_cells(struct export *x, const struct rendered *from, const enum focus_cell *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x->cell[to[i]] = from != NULL ? rendered_get(from, i) : x->null;
}

static const enum focus_cell attempt_cells[] = {
    [ATTEMPT_RESOURCE] = CELL_RESOURCE, [ATTEMPT_NAME] = CELL_RESOURCE_NAME, [ATTEMPT_TYPE] = CELL_RESOURCE_TYPE,
    [ATTEMPT_TAGS] = CELL_TAGS,         [ATTEMPT_ID] = CELL_ATTEMPT,         [ATTEMPT_USER] = CELL_USER,
    [ATTEMPT_NODE] = CELL_NODE};
static const enum focus_cell sku_cells[] = {
    [SKU_ID] = CELL_SKU,          [SKU_METER] = CELL_METER,        [SKU_PRICE] = CELL_SKU_PRICE,
    [SKU_DETAILS] = CELL_SKU_DETAILS, [SKU_UNIT] = CELL_UNIT,      [SKU_PRICING] = CELL_PRICING,
    [SKU_CLASS] = CELL_PRICE_CLASS,   [SKU_BY] = CELL_CHARGED_BY,
};

/* The bytes are moved when the text grows: spans are made when the row is whole. */
static void describe(struct export *x, const char *before, struct cell sku, struct cell attempt)
{
    const char *quote = x->wish.format == FOCUS_CSV ? "" : "\"";
    buf_add_str(&x->text, quote);
    buf_add_str(&x->text, before);
    buf_add(&x->text, sku.at, sku.len);
    buf_add_str(&x->text, " of ");
    buf_add(&x->text, attempt.at, attempt.len);
    buf_add_str(&x->text, quote);
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */
static int fill_usage(struct export *x, bool rerated, struct err *err)
{
    const struct rendered *sku, *attempt;
    const struct focus_good good = {db_text(x->s, C_RESOURCE), (const char *)sqlite3_column_text(x->s, C_CLASS),
                                    sqlite3_column_int(x->s, C_PREEMPTIBLE) != 0,
                                    (uint32_t)MIN(sqlite3_column_int64(x->s, C_BY), INT64_C(2))};
    int r = lookup_sku(&x->lookup, &good, &sku, err);
    if (r == 0)
        r = lookup_attempt(&x->lookup, sqlite3_column_int64(x->s, C_ATTEMPT), &attempt, err);
    if (r < 0)
        return r;
    copy_cells(x, sku, sku_cells, COUNT_OF(sku_cells));
    copy_cells(x, attempt, attempt_cells, COUNT_OF(attempt_cells));
    x->cell[CELL_CATEGORY] = x->usage;
    x->cell[CELL_FREQUENCY] = x->used;
    describe(x, !rerated ? "" : sqlite3_column_int(x->s, C_LINE) == 0 ? "Taken back: " : "At another price: ",
             rendered_get(sku, SKU_WHAT), rendered_get(attempt, ATTEMPT_WHAT));
    x->cell[CELL_DESCRIPTION] = (struct cell){x->text.data, x->text.len};
    return 0;
}

/* What the entry says in words, and which one it is about. Cells of the job it names, if any. */
static int read_words(struct export *x, bool describes, struct err *err)
{
    size_t begin = x->text.len, end[5];
    uint32_t format = x->wish.format;
    char about[48], job[32];
    int r = db_bind(x->words, "ii", sqlite3_column_int64(x->s, C_SEQ), sqlite3_column_int64(x->s, C_JOB));
    if (r == 0)
        r = db_step(x->words, err);
    if (r <= 0)
        return r; /* an entry that doesn't explain its own charges: it has no words */
    snprintf(about, sizeof about, "%" PRId64 ".%" PRId64, (int64_t)sqlite3_column_int64(x->words, 1),
             (int64_t)sqlite3_column_int64(x->words, 2));
    snprintf(job, sizeof job, "job:%" PRId64, (int64_t)sqlite3_column_int64(x->s, C_JOB));
    bool has_job = sqlite3_column_type(x->words, 4) != SQLITE_NULL;
    const char *reason = db_text(x->words, 0), *name = db_text(x->words, 4), *labels = db_text(x->words, 6);
    const char *texts[] = {reason[0] != '\0' ? reason : db_text(x->s, C_KIND),
                           sqlite3_column_int64(x->words, 1) != 0 ? about : NULL, has_job ? job : NULL,
                           has_job && name[0] != '\0' ? name : NULL, has_job ? db_text(x->words, 5) : NULL};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        focus_text(&x->text, format, texts[i]);
        end[i] = x->text.len;
    }
    focus_object(&x->text, format, has_job && strcmp(labels, "{}") != 0 ? labels : NULL);
    size_t tags_end = x->text.len, type_begin = tags_end;
    focus_text(&x->text, format, has_job ? "Batch Job" : NULL);
    sqlite3_reset(x->words);
    if (x->text.failed)
        return err_set(err, -ENOMEM, "no memory");
    x->cell[CELL_ABOUT] = (struct cell){x->text.data + end[0], end[1] - end[0]};
    if (!describes) { /* re-rating: the description was made from what it is about */
        x->cell[CELL_DESCRIPTION] = (struct cell){x->text.data, begin};
        return 0;
    }
    x->cell[CELL_DESCRIPTION] = (struct cell){x->text.data + begin, end[0] - begin};
    x->cell[CELL_RESOURCE] = (struct cell){x->text.data + end[1], end[2] - end[1]};
    x->cell[CELL_RESOURCE_NAME] = (struct cell){x->text.data + end[2], end[3] - end[2]};
    x->cell[CELL_USER] = (struct cell){x->text.data + end[3], end[4] - end[3]};
    x->cell[CELL_TAGS] = (struct cell){x->text.data + end[4], tags_end - end[4]};
    x->cell[CELL_RESOURCE_TYPE] = (struct cell){x->text.data + type_begin, x->text.len - type_begin};
    return 0;
}

/* A charge that the lines of its entry don't explain has an attempt, and a person's words have none. */
static int fill_amount(struct export *x, bool credit, struct err *err)
{
    const struct rendered *attempt = NULL;
    int r = 0;
    if (sqlite3_column_type(x->s, C_ATTEMPT) != SQLITE_NULL)
        r = lookup_attempt(&x->lookup, sqlite3_column_int64(x->s, C_ATTEMPT), &attempt, err);
    if (r < 0)
        return r;
    copy_cells(x, NULL, sku_cells, COUNT_OF(sku_cells));
    copy_cells(x, attempt, attempt_cells, COUNT_OF(attempt_cells));
    x->cell[CELL_CATEGORY] = credit ? x->credit : x->adjustment;
    x->cell[CELL_FREQUENCY] = x->once;
    if (attempt == NULL)
        return read_words(x, true, err);
    static const char what[] = "Cost beyond the lines";
    describe(x, "", (struct cell){what, sizeof what - 1}, rendered_get(attempt, ATTEMPT_WHAT));
    x->cell[CELL_DESCRIPTION] = (struct cell){x->text.data, x->text.len};
    return 0;
}

static int fill_row(struct export *x, struct err *err)
{
    char kind = db_text(x->s, C_KIND)[0]; /* usage, credit, adjustment, rerate */
    bool measured = sqlite3_column_type(x->s, C_QUANTITY) != SQLITE_NULL;
    x->numbers_used = 0;
    buf_reset(&x->text);
    x->cell[CELL_CLASS] = sqlite3_column_int(x->s, C_CORRECTION) != 0 ? x->correction : x->null;
    x->cell[CELL_ABOUT] = x->null;
    add_times(x, sqlite3_column_int64(x->s, C_FROM), sqlite3_column_int64(x->s, C_TO), measured);
    add_figures(x, measured);
    int r = measured ? fill_usage(x, kind == 'r', err) : fill_amount(x, kind == 'c', err);
    if (r == 0 && measured && kind == 'r')
        r = read_words(x, false, err);
    return r == 0 && x->text.failed ? err_set(err, -ENOMEM, "no memory") : r;
}

/* ---- idle capacity ---------------------------------------------------------------------------------------------- */
/* Why the part is so large, as FOCUS wants it said. */
static void idle_details(const struct export *x, const struct focus_idle_row *row, struct buf *json)
{
    char number[FOCUS_NUMBER_MAX];
    size_t len = focus_decimal(number, row->ratio, 9);
    buf_addf(json, "{\"Elements\":[{\"AllocatedRatio\":%.*s", (int)len, number);
    if (row->tenant != NULL && x->wish.idle == FOCUS_IDLE_USAGE) {
        len = focus_decimal(number, row->billed_micros, 6);
        buf_addf(json, ",\"UsageUnit\":\"%s\",\"UsageQuantity\":%.*s", x->ask.currency, (int)len, number);
    }
    buf_add_str(json, "}]}");
}

/* The texts of the row at hand, one after the other; the spans are made when they are whole. */
static int idle_texts(struct export *x, const struct focus_idle_row *row, struct err *err)
{
    static const enum focus_cell cells[] = {CELL_RESOURCE, CELL_DESCRIPTION, CELL_ALLOCATED, CELL_ALLOCATED_METHOD,
                                            CELL_ALLOCATED_DETAILS};
    bool split = x->wish.idle != FOCUS_IDLE_SEPARATE;
    const char *at = row->class != NULL ? "@" : "", *class = row->class != NULL ? row->class : "";
    CLEANUP(buf_fini) struct buf id = {0}, what = {0}, method = {0}, details = {0};
    size_t end[COUNT_OF(cells)], n = 0;
    buf_addf(&id, "idle:%s%s%s", row->resource, at, class);
    buf_addf(&what, "Idle %s%s%s", row->resource, row->class != NULL ? " of nodes of class " : "", class);
    buf_addf(&method, "idle-by-%s-1", names_get(&focus_spread_names, x->wish.idle));
    idle_details(x, row, &details);
    if (id.failed || what.failed || method.failed || details.failed)
        return err_set(err, -ENOMEM, "no memory");
    const char *const texts[] = {buf_text(&id), buf_text(&what), row->tenant, split ? buf_text(&method) : NULL};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        focus_text(&x->text, x->wish.format, texts[i]);
        end[n++] = x->text.len;
    }
    focus_object(&x->text, x->wish.format, split ? buf_text(&details) : NULL);
    end[n++] = x->text.len;
    if (x->text.failed)
        return err_set(err, -ENOMEM, "no memory");
    for (size_t i = 0, begin = 0; i < n; begin = end[i++])
        x->cell[cells[i]] = (struct cell){x->text.data + begin, end[i] - begin};
    x->cell[CELL_ALLOCATED_NAME] = x->cell[CELL_ALLOCATED];
    return 0;
}

/* Nobody's job, nobody's entry of the ledger, on nobody's invoice: the cell's own. */
static int fill_idle(struct export *x, const struct focus_idle_row *row, struct err *err)
{
    static const enum focus_cell none[] = {CELL_CLASS, CELL_ABOUT, CELL_SEQ, CELL_LINE, CELL_VERSION, CELL_CHARGED_BY,
                                           CELL_TENANT, CELL_INVOICE, CELL_INVOICE_DETAIL};
    const struct focus_good good = {row->resource, row->class, false, PRICE_BY_REQUEST};
    const struct rendered *sku;
    int r = lookup_sku(&x->lookup, &good, &sku, err);
    if (r < 0)
        return r;
    x->numbers_used = 0;
    buf_reset(&x->text);
    copy_cells(x, sku, sku_cells, COUNT_OF(sku_cells));
    copy_cells(x, NULL, attempt_cells, COUNT_OF(attempt_cells));
    for (size_t i = 0; i < COUNT_OF(none); i++)
        x->cell[none[i]] = x->null;
    x->cell[CELL_RESOURCE_TYPE] = x->idle_type;
    x->cell[CELL_ACCOUNT] = x->root;
    x->cell[CELL_CATEGORY] = x->usage;
    x->cell[CELL_FREQUENCY] = x->used;
    add_times(x, row->from_utc_us, row->to_utc_us, true);
    x->cell[CELL_BILLED] = number(x, 0, 6);
    x->cell[CELL_EFFECTIVE] = number(x, row->micros, 6);
    x->cell[CELL_QUANTITY] = number(x, row->quantity, 9);
    x->cell[CELL_PRICE] = x->cell[CELL_LIST_PRICE] = number(x, row->price, 6);
    x->cell[CELL_CONTRACTED] = x->cell[CELL_LIST] = number(x, (focus_wide)row->quantity * row->price, 15);
    return idle_texts(x, row, err);
}

static void write_row(const struct export *x, bool first, struct buf *out)
{
    bool json = x->wish.format == FOCUS_JSON;
    if (x->wish.format != FOCUS_CSV)
        buf_add_str(out, json && !first ? ",\n{" : json ? "\n{" : "{");
    for (size_t i = 0; i < x->columns_count; i++) {
        struct cell cell = x->cell[x->columns[i]->cell];
        buf_add(out, x->names[i].data, x->names[i].len);
        buf_add(out, cell.at, cell.len);
    }
    buf_add_str(out, x->wish.format == FOCUS_CSV ? "\r\n" : json ? "}" : "}\n");
}

static void write_head(const struct export *x, struct buf *out)
{
    if (x->wish.format == FOCUS_JSON)
        buf_addf(out, "{\"schema\":\"reeve-focus/1\",\"focus_version\":\"%s\",\"billing_period\":\"%s\",\"rows\":[",
                 focus_version_name(x->wish.version), x->wish.month.month.name);
    for (size_t i = 0; x->wish.format == FOCUS_CSV && i < x->columns_count; i++)
        buf_addf(out, "%s%s", i > 0 ? "," : "", x->columns[i]->name);
    if (x->wish.format == FOCUS_CSV)
        buf_add_str(out, "\r\n");
}

/* The next line that the viewer may see. 1: it is filled in, 0: the end. */
static int next_line(struct export *x, struct err *err)
{
    const struct rendered *tenant = NULL;
    for (uint32_t i = 0; tenant == NULL; i++) {
        if ((x->written + i) % LIMIT_EVERY == 0)
            db_limit(x->ask.db, x->ask.clock, REPORT_QUERY_MS);
        int r = x->s != NULL ? db_step(x->s, err) : 0;
        if (r <= 0)
            return r;
        r = lookup_tenant(&x->lookup, sqlite3_column_int64(x->s, C_TENANT), &tenant, err);
        if (r < 0)
            return r;
    }
    add_tenant(x, tenant);
    int r = fill_row(x, err);
    return r < 0 ? r : 1;
}

/* All lines, then what is idle. */
static int next_row(struct export *x, struct err *err)
{
    struct focus_idle_row row;
    int r = x->lines_over ? 0 : next_line(x, err);
    x->lines_over = x->lines_over || r == 0;
    if (r != 0 || x->idle == NULL || !focus_idle_next(x->idle, &row))
        return r;
    r = fill_idle(x, &row, err);
    return r < 0 ? r : 1;
}

static int export_next(struct rows *rows, struct buf *out, struct err *err)
{
    struct export *x = (struct export *)rows;
    if (!x->begun)
        write_head(x, out);
    x->begun = true;
    int r = next_row(x, err);
    if (r == 1)
        write_row(x, x->written++ == 0, out);
    else if (r == 0 && x->wish.format == FOCUS_JSON)
        buf_add_str(out, "]}\n");
    return r;
}

/* ---- beginning -------------------------------------------------------------------------------------------------- */
/* Cells that are the same in every row. */
static int add_constants(struct export *x, struct err *err)
{
    static const enum focus_cell cells[] = {CELL_CURRENCY, CELL_ISSUER, CELL_SERVICE, CELL_SERVICE_CATEGORY,
                                            CELL_SERVICE_SUBCATEGORY, CELL_PERIOD_FROM, CELL_PERIOD_TO};
    struct cell *const words[] = {&x->null, &x->usage,     &x->credit, &x->adjustment, &x->correction,
                                  &x->used, &x->once, &x->idle_type, &x->root};
    const char *const texts[] = {x->ask.currency, x->wish.month.issuer, "Batch Compute", "Compute", "Containers"};
    const char *const word_texts[] = {NULL,          "Usage",    "Credit",        "Adjustment", "Correction",
                                      "Usage-Based", "One-Time", "Idle Capacity", TENANT_ROOT};
    const struct billing_month *m = &x->wish.month.month;
    struct buf *text = &x->fixed;
    size_t end[COUNT_OF(cells) + COUNT_OF(words)], n = 0;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        focus_text(text, x->wish.format, texts[i]);
        end[n++] = text->len;
    }
    focus_instant(text, x->wish.format, m->from_utc_us);
    end[n++] = text->len;
    focus_instant(text, x->wish.format, m->to_utc_us);
    end[n++] = text->len;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        focus_text(text, x->wish.format, word_texts[i]);
        end[n++] = text->len;
    }
    if (text->failed)
        return err_set(err, -ENOMEM, "no memory");
    for (size_t i = 0, begin = 0; i < n; begin = end[i++]) {
        struct cell *to = i < COUNT_OF(cells) ? &x->cell[cells[i]] : words[i - COUNT_OF(cells)];
        *to = (struct cell){text->data + begin, end[i] - begin};
    }
    return 0;
}

static int add_columns(struct export *x, struct err *err)
{
    bool failed = false;
    for (size_t i = 0; i < focus_columns_count; i++) {
        if (!focus_column_is_of(&focus_columns[i], x->wish.version, x->wish.month.layout))
            continue;
        BUG(x->columns_count == COUNT_OF(x->columns));
        size_t at = x->columns_count++;
        x->columns[at] = &focus_columns[i];
        buf_add_str(&x->names[at], at > 0 ? "," : "");
        if (x->wish.format != FOCUS_CSV)
            buf_addf(&x->names[at], "\"%s\":", focus_columns[i].name);
        failed |= x->names[at].failed;
    }
    return failed ? err_set(err, -ENOMEM, "no memory") : 0;
}

/* Of rows of idle capacity alone; they come last. */
static const enum focus_cell split_cells[] = {CELL_NULL, CELL_ALLOCATED, CELL_ALLOCATED_NAME, CELL_ALLOCATED_METHOD,
                                              CELL_ALLOCATED_DETAILS};

static int export_begin(struct export *x, const struct ask *ask, struct err *err)
{
    const struct focus_month *m = &x->wish.month;
    int r = viewer_copy(ask->viewer, &x->viewer) < 0 ? err_set(err, -ENOMEM, "no memory") : 0;
    if (r == 0 && x->wish.tenant != NULL && str_set(&x->top, x->wish.tenant) < 0)
        r = err_set(err, -ENOMEM, "no memory");
    x->lookup = (struct focus_lookup){.format = x->wish.format, .db = x->ask.db, .viewer = &x->viewer, .top = x->top,
                                     .invoice = m->invoice[0] != '\0' ? x->wish.month.invoice : NULL};
    if (r == 0)
        r = lookup_init(&x->lookup, err);
    if (r == 0)
        r = add_columns(x, err);
    if (r == 0)
        r = add_constants(x, err);
    for (size_t i = 0; i < COUNT_OF(split_cells); i++)
        x->cell[split_cells[i]] = x->null;
    if (r == 0 && x->wish.idle != FOCUS_IDLE_HIDDEN)
        r = focus_idle_new(&x->idle, &x->ask, m, x->wish.idle, err);
    if (r == 0)
        r = db_prepare(x->ask.db, words_sql, &x->words, err);
    if (r == 0 && m->row != 0 && m->first_charge != 0)
        r = db_prepare(x->ask.db, rows_sql, &x->s, err);
    if (r == 0 && x->s != NULL)
        r = db_bind(x->s, "iii", m->first_charge, m->last_charge, m->row);
    return r;
}

int focus_rows_new(struct rows **ret, struct ask *ask, const struct focus_wish *wish, struct err *err)
{
    struct export *x = calloc(1, sizeof *x);
    if (x == NULL)
        return err_set(err, -ENOMEM, "no memory");
    *x = (struct export){.rows = {export_next, export_free}, .ask = *ask, .wish = *wish};
    int r = export_begin(x, ask, err);
    if (r < 0) {
        x->ask.db = NULL; /* stays the caller's */
        x->ask.clock = NULL;
        export_free(&x->rows);
        return r;
    }
    ask->db = NULL;
    ask->clock = NULL;
    *ret = &x->rows;
    return 0;
}
