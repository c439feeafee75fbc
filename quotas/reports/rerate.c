#include "quotas/reports/rerate.h"

#include <errno.h>
#include <string.h>

#include "quotas/price.h"

#define SLACK_US (INT64_C(86400) * 1000000) /* clocks that were set, between a line's time and its attempt's */
#define RESOURCES_MAX (RESOURCE_GENERIC_MAX + 4)

/* ---- the book as it is now --------------------------------------------------------------------------------------- */
static int take_prices(const void *bytes, size_t len, struct price_book *book, bool *ret_found, struct err *err)
{
    struct policy_change change = {0};
    int r = fields_decode(&policy_change_fields, bytes, len, &change, err);
    if (r < 0)
        return r;
    *ret_found = change.set_prices;
    if (change.set_prices)
        r = price_book_set(book, &change.prices, err);
    fields_clear(&policy_change_fields, &change);
    return r;
}

static int load_book(sqlite3 *db, struct price_book *book, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    bool found = false;
    int r = db_prepare(db, "SELECT change FROM policies ORDER BY seq DESC", &s, err);
    while (r == 0 && !found && (r = db_step(s, err)) == 1)
        r = take_prices(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0), book, &found, err);
    return r;
}

/* ---- one attempt ------------------------------------------------------------------------------------------------- */
/* "acme/etl" -> acme/etl, acme, / */
static int path_of(const char *tenant, struct strs *ret)
{
    char text[256];
    size_t len = strlen(tenant);
    if (len >= sizeof text)
        return -ENAMETOOLONG;
    memcpy(text, tenant, len + 1);
    int r = 0;
    for (char *slash = text; r == 0 && slash != NULL && strcmp(text, TENANT_ROOT) != 0;) {
        r = strs_add(ret, text);
        slash = strrchr(text, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    return r == 0 ? strs_add(ret, TENANT_ROOT) : r;
}

static void path_clear(struct strs *path)
{
    for (size_t i = 0; i < path->count; i++)
        free(path->v[i]);
    free(path->v);
    *path = (struct strs){0};
}

/* Cumulative costs of one attempt. */
struct sums {
    struct {
        char name[RESOURCE_NAME_MAX + 1];
        struct price_sum sum;
    } v[RESOURCES_MAX];
    size_t count;
};

static struct price_sum *sum_of(struct sums *sums, const char *resource)
{
    for (size_t i = 0; i < sums->count; i++)
        if (strcmp(sums->v[i].name, resource) == 0)
            return &sums->v[i].sum;
    if (sums->count == RESOURCES_MAX || strlen(resource) > RESOURCE_NAME_MAX)
        return NULL;
    memcpy(sums->v[sums->count].name, resource, strlen(resource) + 1);
    return &sums->v[sums->count++].sum;
}

struct search {
    const struct rerate_call *call;
    const struct price_book *book;
    sqlite3_stmt *lines;
    struct rerate_reply *ret;
};

/* Rows are pieces of lines, in the order in which they were charged. */
static const char attempts_sql[] =
    "SELECT attempt FROM attempts WHERE attempt >= ?1 AND placed_utc_us < ?3"
    " AND (ended_utc_us IS NULL OR ended_utc_us > ?2) ORDER BY attempt";
static const char lines_sql[] =
    "WITH posted AS (SELECT a.about_seq AS seq, a.about_line AS line, sum(r.micros) AS micros"
    "  FROM charges r CROSS JOIN adjustments a ON a.seq = r.seq WHERE r.attempt = ?1 AND r.kind = 'rerate'"
    "  GROUP BY 1, 2)"
    " SELECT c.seq, c.line, c.job, p.path, c.resource, c.price_class, c.preemptible,"
    "  iif(c.resource = '" RESOURCE_IO "', sum(c.amount), c.amount), sum(c.run_us),"
    "  min(c.from_utc_us), max(c.to_utc_us), sum(c.micros) + coalesce((SELECT d.micros FROM posted d"
    "  WHERE d.seq = c.seq AND d.line = c.line), 0)"
    " FROM charges c JOIN paths p ON p.tenant = c.tenant WHERE c.attempt = ?1 AND c.kind = 'usage'"
    " GROUP BY c.seq, c.line ORDER BY c.seq, c.line";

static bool is_asked_for(const struct search *q, uint64_t attempt, uint64_t seq, uint32_t line, int64_t from_utc_us)
{
    const struct rerate_at *after = &q->call->after;
    bool is_later = attempt > after->attempt || seq > after->seq || (seq == after->seq && line > after->line);
    return is_later && from_utc_us >= q->call->from_utc_us && from_utc_us < q->call->to_utc_us;
}

static int answer(struct search *q, const struct rerate_line *line, struct err *err)
{
    struct rerate_line *to = list_add(&q->ret->lines, sizeof *to);
    if (to == NULL || fields_copy(&rerate_line_fields, line, to) < 0)
        return err_set(err, -ENOMEM, "no memory");
    return 0;
}

static int look_at_line(struct search *q, uint64_t attempt, struct sums *sums, struct err *err)
{
    sqlite3_stmt *s = q->lines;
    struct strs path = {0};
    struct charge charge = {.resource = (char *)(uintptr_t)db_text(s, 4),
                            .amount = (uint64_t)sqlite3_column_int64(s, 7),
                            .run_us = (uint64_t)sqlite3_column_int64(s, 8)};
    struct price_sum *sum = sum_of(sums, charge.resource);
    if (sum == NULL || path_of(db_text(s, 3), &path) < 0) {
        path_clear(&path);
        return err_set(err, -EBADMSG, "attempt %llu: a line of '%s' that no book can price",
                       (unsigned long long)attempt, charge.resource);
    }
    struct buyer buyer = {&path, (const char *)sqlite3_column_text(s, 5), sqlite3_column_int(s, 6) != 0};
    struct rerate_line line = {.seq = (uint64_t)sqlite3_column_int64(s, 0),
                               .line = (uint32_t)sqlite3_column_int64(s, 1),
                               .job = (uint64_t)sqlite3_column_int64(s, 2),
                               .tenant = (char *)(uintptr_t)db_text(s, 3),
                               .resource = charge.resource,
                               .from_utc_us = sqlite3_column_int64(s, 9),
                               .to_utc_us = sqlite3_column_int64(s, 10),
                               .charged_micros = sqlite3_column_int64(s, 11)};
    line.micros = price_again(q->book, buyer, &charge, line.from_utc_us, sum, &line.price_version);
    struct unit_price rate = price_rate(price_book_at(q->book, MAX(line.to_utc_us - 1, line.from_utc_us)), buyer,
                                  charge.resource);
    line.list_price = rate.list;
    line.price = rate.price;
    int r = 0;
    if (line.micros != line.charged_micros && is_asked_for(q, attempt, line.seq, line.line, line.from_utc_us))
        r = answer(q, &line, err);
    q->ret->next = (struct rerate_at){attempt, line.seq, line.line};
    path_clear(&path);
    return r;
}

/* 1: there is no room for more. */
static int look_at_attempt(struct search *q, uint64_t attempt, struct err *err)
{
    struct sums sums = {0};
    int r = db_bind(q->lines, "u", attempt);
    while (r == 0 && (r = db_step(q->lines, err)) == 1) {
        r = look_at_line(q, attempt, &sums, err);
        if (r == 0 && q->ret->lines.count == RERATE_LINES_MAX)
            return 1;
    }
    return r;
}

static int search(struct search *q, sqlite3 *db, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int64_t from, to;
    size_t looked = 0;
    if (__builtin_sub_overflow(q->call->from_utc_us, SLACK_US, &from))
        from = INT64_MIN;
    if (__builtin_add_overflow(q->call->to_utc_us, SLACK_US, &to))
        to = INT64_MAX;
    int r = db_prepare(db, attempts_sql, &s, err);
    if (r == 0)
        r = db_bind(s, "uii", q->call->after.attempt, from, to);
    while (r == 0 && (r = db_step(s, err)) == 1) {
        uint64_t attempt = (uint64_t)sqlite3_column_int64(s, 0);
        r = looked++ < RERATE_ATTEMPTS_MAX ? look_at_attempt(q, attempt, err) : 1;
        if (r == 1)
            q->ret->more = true;
        if (r != 0)
            break;
    }
    return MIN(r, 0);
}

int rerate_lines(const struct ask *ask, const struct rerate_call *call, struct rerate_reply *ret, struct err *err)
{
    struct rerate_reply reply = {.next = call->after};
    struct price_book *book = NULL;
    struct search q = {.call = call, .ret = &reply};
    int r = price_book_new(&book, err);
    if (r == 0)
        r = load_book(ask->db, book, err);
    q.book = book;
    if (r >= 0)
        r = db_prepare(ask->db, lines_sql, &q.lines, err);
    if (r == 0)
        r = str_set(&reply.currency, ask->currency) < 0 ? err_set(err, -ENOMEM, "no memory") : search(&q, ask->db, err);
    db_finalize_p(&q.lines);
    price_book_free(book);
    if (r < 0) {
        fields_clear(&rerate_reply_fields, &reply);
        return r;
    }
    *ret = reply;
    return 0;
}
