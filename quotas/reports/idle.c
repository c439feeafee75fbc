#include "quotas/reports/idle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotas/money.h"
#include "quotas/price_book.h"

#define SEGMENTS_MAX (IDLE_PERIODS_MAX + PRICE_VERSIONS_MAX)
#define KEYS_MAX 256
#define MICRO_HOUR_US 3600

/* A stretch of time within one period and under one price version. */
struct segment {
    int64_t from, to;
    const struct price_version *version; /* NULL: before the first */
};
struct key {
    char class[RESOURCE_NAME_MAX + 1], resource[RESOURCE_NAME_MAX + 1];
    uint64_t unit; /* of an amount, that has the price */
};
struct node_span {
    char *node, *class;
    int64_t from, to;
};
struct totals {
    money_wide capacity, allocated; /* amount x us */
};

struct idle {
    const struct ask *ask;
    const struct span *span;
    uint32_t kind;
    int64_t from, to;
    struct policy_change book;  /* the newest change that set prices */
    struct segment *segments;
    size_t segments_count;
    struct key keys[KEYS_MAX];
    size_t keys_count;
    struct node_span *spans;    /* by node, then time */
    size_t spans_count;
    struct totals *totals;      /* [segment * KEYS_MAX + key] */
};

/* ---- the span's segments ---------------------------------------------------------------------------------------- */
static int read_prices(struct idle *i, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(i->ask->db, "SELECT change FROM policies WHERE seq <= ?1 ORDER BY seq DESC", &s, err);
    if (r == 0)
        r = db_bind(s, "u", i->ask->as_of);
    while (r == 0 && (r = db_step(s, err)) == 1) {
        fields_clear(&policy_change_fields, &i->book);
        r = fields_decode(&policy_change_fields, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0),
                          &i->book, err);
        if (r == 0 && i->book.set_prices)
            return 0;
    }
    fields_clear(&policy_change_fields, &i->book);
    return r;
}

static bool has_periods(const struct idle *i)
{
    return i->kind != IDLE_NO_PERIOD && i->kind != IDLE_BY_PRICE;
}

/* The version in force, and when the next one comes. */
static const struct price_version *version_at(const struct idle *i, int64_t utc_us, int64_t *ret_until)
{
    const struct price_version *v = i->book.prices.v, *found = NULL;
    *ret_until = INT64_MAX;
    for (size_t k = 0; k < i->book.prices.count; k++) {
        if (v[k].from_utc_us <= utc_us)
            found = &v[k];
        else
            *ret_until = MIN(*ret_until, v[k].from_utc_us);
    }
    return found;
}

static int cut(struct idle *i, struct err *err)
{
    i->segments = calloc(SEGMENTS_MAX, sizeof *i->segments);
    if (i->segments == NULL)
        return err_set(err, -ENOMEM, "no memory");
    for (int64_t at = i->from; at < i->to; at = i->segments[i->segments_count++].to) {
        int64_t until;
        if (i->segments_count == SEGMENTS_MAX)
            return err_set(err, -E2BIG, "more than %d periods", IDLE_PERIODS_MAX);
        const struct price_version *version = version_at(i, at, &until);
        if (has_periods(i))
            until = MIN(until, span_period_end(i->span, i->kind, at));
        i->segments[i->segments_count] = (struct segment){at, MIN(until, i->to), version};
    }
    i->totals = calloc(MAX(i->segments_count, (size_t)1) * KEYS_MAX, sizeof *i->totals);
    return i->totals != NULL ? 0 : err_set(err, -ENOMEM, "no memory");
}

/* ---- what was there --------------------------------------------------------------------------------------------- */
static int key_of(struct idle *i, const char *class, const char *resource, uint64_t unit)
{
    for (size_t k = 0; k < i->keys_count; k++)
        if (strcmp(i->keys[k].class, class) == 0 && strcmp(i->keys[k].resource, resource) == 0)
            return (int)k;
    if (i->keys_count == KEYS_MAX)
        return -1;
    struct key *key = &i->keys[i->keys_count++];
    snprintf(key->class, sizeof key->class, "%s", class);
    snprintf(key->resource, sizeof key->resource, "%s", resource);
    key->unit = unit;
    return (int)(key - i->keys);
}

static size_t first_segment(const struct idle *i, int64_t from)
{
    size_t low = 0, high = i->segments_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (i->segments[middle].to <= from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add(struct idle *i, const char *class, const char *resource, uint64_t unit, uint64_t amount, int64_t from,
                int64_t to, bool allocated)
{
    int key = amount > 0 ? key_of(i, class, resource, unit) : -1;
    if (key < 0)
        return;
    for (size_t k = first_segment(i, from); k < i->segments_count && i->segments[k].from < to; k++) {
        uint64_t us = (uint64_t)(MIN(to, i->segments[k].to) - MAX(from, i->segments[k].from));
        struct totals *t = &i->totals[k * KEYS_MAX + (size_t)key];
        *(allocated ? &t->allocated : &t->capacity) += (money_wide)amount * us;
    }
}

static int add_resources(struct idle *i, const char *class, sqlite3_stmt *s, int column, int64_t from, int64_t to,
                         bool allocated, struct err *err)
{
    struct resources held = {0};
    from = MAX(from, i->from);
    to = MIN(to, i->to);
    if (from >= to)
        return 0;
    int r = fields_decode(&resources_fields, sqlite3_column_blob(s, column), (size_t)sqlite3_column_bytes(s, column),
                          &held, err);
    if (r < 0)
        return r;
    add(i, class, "cpu", 1000, held.cpu_milli, from, to, allocated);
    add(i, class, "memory", UINT64_C(1) << 30, held.mem_bytes, from, to, allocated);
    add(i, class, "scratch", UINT64_C(1) << 30, held.scratch_bytes, from, to, allocated);
    for (size_t k = 0; k < held.generic.count; k++)
        add(i, class, held.generic.v[k].name, 1, held.generic.v[k].value, from, to, allocated);
    fields_clear(&resources_fields, &held);
    return 0;
}

static int keep_span(struct idle *i, sqlite3_stmt *s, int64_t from, int64_t to)
{
    struct node_span *grown = realloc(i->spans, (i->spans_count + 1) * sizeof *grown);
    if (grown == NULL)
        return -ENOMEM;
    i->spans = grown;
    struct node_span *span = &grown[i->spans_count];
    *span = (struct node_span){.from = from, .to = to};
    i->spans_count++;
    return str_set(&span->node, db_text(s, 0)) < 0 || str_set(&span->class, db_text(s, 1)) < 0 ? -ENOMEM : 0;
}

static int read_nodes(struct idle *i, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(i->ask->db,
                       "SELECT node, class, capacity, from_utc_us, to_utc_us FROM node_spans"
                       " WHERE from_utc_us < ?2 AND coalesce(to_utc_us, ?2) > ?1 ORDER BY node, from_utc_us",
                       &s, err);
    if (r == 0)
        r = db_bind(s, "ii", i->from, i->to);
    while (r == 0 && (r = db_step(s, err)) == 1) {
        int64_t from = sqlite3_column_int64(s, 3);
        int64_t to = sqlite3_column_type(s, 4) != SQLITE_NULL ? sqlite3_column_int64(s, 4) : i->to;
        r = keep_span(i, s, from, to) < 0 ? err_set(err, -ENOMEM, "no memory")
                                          : add_resources(i, db_text(s, 1), s, 2, from, to, false, err);
    }
    return r;
}

/* The node's span at that time, else the first after it. */
static size_t find_span(const struct idle *i, const char *node, int64_t at)
{
    size_t low = 0, high = i->spans_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(i->spans[middle].node, node);
        if (order < 0 || (order == 0 && i->spans[middle].to <= at))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Only while the node is there: what a lost node's attempts hold is no part of any capacity. */
static int read_attempt(struct idle *i, sqlite3_stmt *s, struct err *err)
{
    int64_t from = sqlite3_column_int64(s, 2);
    int64_t to = sqlite3_column_type(s, 3) != SQLITE_NULL ? sqlite3_column_int64(s, 3) : i->to;
    int r = 0;
    for (size_t k = find_span(i, db_text(s, 0), from); k < i->spans_count && r == 0; k++) {
        const struct node_span *span = &i->spans[k];
        if (strcmp(span->node, db_text(s, 0)) != 0 || span->from >= to)
            break;
        r = add_resources(i, span->class, s, 1, MAX(from, span->from), MIN(to, span->to), true, err);
    }
    return r;
}

static int read_attempts(struct idle *i, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(i->ask->db,
                       "SELECT node, resources, placed_utc_us, ended_utc_us FROM attempts"
                       " WHERE placed_utc_us < ?2 AND (ended_utc_us > ?1 OR ended_utc_us IS NULL)",
                       &s, err);
    if (r == 0)
        r = db_bind(s, "ii", i->from, i->to);
    while (r == 0 && (r = db_step(s, err)) == 1)
        r = read_attempt(i, s, err);
    return r;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */
/* Millionths of an hour; then money, which is what those hours cost. */
static void add_segment(struct idle_row *row, const struct totals *t, const struct key *key, int64_t price)
{
    money_wide unit = (money_wide)key->unit * MICRO_HOUR_US;
    int64_t capacity = money_round(t->capacity, unit), allocated = money_round(t->allocated, unit);
    int64_t idle = MAX(capacity - allocated, INT64_C(0));
    row->capacity += capacity;
    row->allocated += allocated;
    row->idle += idle;
    row->capacity_micros += money_round((money_wide)(uint64_t)capacity * (uint64_t)price, 1000000);
    row->idle_micros += money_round((money_wide)(uint64_t)idle * (uint64_t)price, 1000000);
}

static int by_place(const void *a, const void *b)
{
    const struct idle_row *x = a, *y = b;
    int order = strcmp(x->period, y->period);
    if (order == 0)
        order = strcmp(x->class, y->class);
    if (order == 0)
        order = strcmp(x->resource, y->resource);
    return order != 0 ? order : x->from_utc_us < y->from_utc_us ? -1 : x->from_utc_us > y->from_utc_us;
}

static int add_period(struct idle *i, size_t first, size_t end, struct list *ret)
{
    for (size_t key = 0; key < i->keys_count; key++) {
        struct idle_row *row = list_add(ret, sizeof *row);
        if (row == NULL)
            return -ENOMEM;
        struct buyer buyer = {.price_class = i->keys[key].class};
        *row = (struct idle_row){.from_utc_us = i->segments[first].from, .to_utc_us = i->segments[end - 1].to};
        if (has_periods(i))
            span_period_name(i->span, i->kind, i->segments[first].from, row->period);
        memcpy(row->class, i->keys[key].class, sizeof row->class);
        memcpy(row->resource, i->keys[key].resource, sizeof row->resource);
        for (size_t k = first; k < end; k++) {
            row->price = price_rate(i->segments[k].version, buyer, i->keys[key].resource).list;
            add_segment(row, &i->totals[k * KEYS_MAX + key], &i->keys[key], row->price);
        }
    }
    return 0;
}

static bool same_period(const struct idle *i, size_t a, size_t b)
{
    if (i->kind == IDLE_BY_PRICE)
        return false;
    return i->kind == IDLE_NO_PERIOD || span_period_end(i->span, i->kind, i->segments[a].from) ==
                                            span_period_end(i->span, i->kind, i->segments[b].from);
}

static int write_rows(struct idle *i, struct list *ret, struct err *err)
{
    for (size_t first = 0, end; first < i->segments_count; first = end) {
        for (end = first + 1; end < i->segments_count && same_period(i, first, end);)
            end++;
        if (add_period(i, first, end, ret) < 0)
            return err_set(err, -ENOMEM, "no memory");
    }
    if (ret->count > 1)
        qsort(ret->v, ret->count, sizeof(struct idle_row), by_place);
    return 0;
}

static void idle_fini(struct idle *i)
{
    for (size_t k = 0; k < i->spans_count; k++) {
        free(i->spans[k].node);
        free(i->spans[k].class);
    }
    free(i->spans);
    free(i->segments);
    free(i->totals);
    fields_clear(&policy_change_fields, &i->book);
}

int idle_read(const struct ask *ask, const struct span *span, uint32_t kind, struct list *ret, struct err *err)
{
    struct idle i = {.ask = ask, .span = span, .kind = kind};
    struct list rows = {0};
    int64_t first;
    int r = db_number(ask->db, "SELECT coalesce(min(from_utc_us), 0) FROM node_spans", &first, err);
    i.from = MAX(span->from_utc_us, first);
    i.to = MIN(span->to_utc_us, ask->as_of_utc_us);
    if (r == 0)
        r = read_prices(&i, err);
    if (r == 0)
        r = cut(&i, err);
    if (r == 0)
        r = read_nodes(&i, err);
    if (r == 0)
        r = read_attempts(&i, err);
    if (r == 0)
        r = write_rows(&i, &rows, err);
    idle_fini(&i);
    if (r < 0)
        free(rows.v);
    else
        *ret = rows;
    return r;
}
