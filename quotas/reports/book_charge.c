/* Money: charge lines into rows, exact to the micro-unit. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "quotas/money.h"
#include "quotas/reports/book_rows.h"

#define HOUR_US INT64_C(3600000000)
/* Offsets of time zones are multiples of a quarter of an hour: so the days of every zone are exact. */
#define QUARTER_US (INT64_C(900) * 1000000)
#define PIECES_MAX 40000 /* quarters a line is cut into; a year has 35,136 */
#define NANOS 1000000000

/* The number of the row with this text; 1 = it is new. */
static int find_or_add(struct book *b, enum book_sql find_sql, enum book_sql add_sql, const char *text, int64_t *ret,
                       struct err *err)
{
    sqlite3_stmt *find = b->sql[find_sql];
    int r = db_bind(find, "t", text);
    if (r == 0)
        r = db_step(find, err);
    if (r == 1) {
        *ret = sqlite3_column_int64(find, 0);
        sqlite3_reset(find);
        return 0;
    }
    if (r == 0)
        r = book_run(b, add_sql, err, "t", text);
    if (r < 0)
        return r;
    *ret = sqlite3_last_insert_rowid(b->db);
    return 1;
}

int book_accounts(struct book *b, const struct strs *names, int64_t *ret, struct err *err)
{
    struct buf *joined = &b->scratch;
    buf_reset(joined);
    for (size_t i = 0; i < names->count; i++)
        buf_addf(joined, "%s%s", i > 0 ? "\n" : "", names->v[i]);
    if (joined->failed)
        return err_set(err, -ENOMEM, "no memory");
    int r = find_or_add(b, SQL_SET_FIND, SQL_SET_ADD, buf_text(joined), ret, err);
    for (size_t i = 0, members = r == 1 ? names->count : 0; i < members && r >= 0; i++)
        r = book_run(b, SQL_SET_MEMBER, err, "it", *ret, names->v[i]);
    return MIN(r, 0);
}

int book_path(struct book *b, const char *path, int64_t *ret, struct err *err)
{
    return MIN(find_or_add(b, SQL_PATH_FIND, SQL_PATH_ADD, path, ret, err), 0);
}

int book_line_add(struct book *b, const struct book_line *l, struct err *err)
{
    int64_t month;
    bool correction;
    int r = book_billing_of(b, l->from_utc_us, &month, &correction, err);
    if (r == 0)
        r = book_run(b, SQL_CHARGE_ADD, err, "uitiuiiititiiiiuiuuiiiii", l->seq, (int64_t)l->line, l->kind, l->attempt,
                     l->job, l->tenant, month, (int64_t)correction, l->resource, (int64_t)l->price_version,
                     l->price_class, (int64_t)l->preemptible, (int64_t)l->by, l->list_price, l->price, l->amount,
                     l->quantity, l->from_run_us, l->run_us, l->from_utc_us, l->to_utc_us, l->accounts,
                     (int64_t)l->measured, l->micros);
    if (r < 0)
        return r;
    book_billing_added(b, sqlite3_last_insert_rowid(b->db));
    int64_t into_hour = l->from_utc_us % HOUR_US + (l->from_utc_us % HOUR_US < 0 ? HOUR_US : 0);
    return MIN(book_run(b, SQL_HOUR_ADD, err, "iiuti", l->from_utc_us - into_hour, l->tenant, l->job, l->resource,
                        l->micros), 0);
}

int64_t book_part(int64_t total, uint64_t us, uint64_t whole)
{
    uint64_t size = total < 0 ? -(uint64_t)total : (uint64_t)total;
    int64_t part = money_round((money_wide)size * us, whole);
    return total < 0 ? -part : part;
}

struct posting {
    struct book *b;
    uint64_t seq, job;
    const struct book_attempt *attempt;
    const char *tenant;
    int64_t path;
};

static struct book_line line_of(const struct posting *p, const struct charge *c, uint32_t number)
{
    return (struct book_line){.seq = p->seq, .line = number, .kind = "usage", .attempt = p->attempt->row, .job = p->job,
                              .tenant = p->path, .accounts = p->attempt->accounts, .resource = c->resource,
                              .price_class = c->price_class, .price_version = c->price_version, .by = c->by,
                              .preemptible = c->preemptible, .list_price = c->list_price, .price = c->price,
                              .amount = c->amount};
}

/* Billionths of an hour of a core, GiB or unit in the first `us` of run time at `amount`; saturates. */
static uint64_t quantity_until(const struct charge *c, uint64_t us)
{
    money_wide unit = HOUR_US;
    if (strcmp(c->resource, "cpu") == 0)
        unit *= 1000;
    else if (strcmp(c->resource, "memory") == 0 || strcmp(c->resource, "scratch") == 0)
        unit *= 1 << 30;
    money_wide product;
    if (__builtin_mul_overflow((money_wide)c->amount * us, (money_wide)NANOS, &product))
        return UINT64_MAX;
    money_wide whole = product / unit, rest = product % unit * 2;
    whole += rest > unit || (rest == unit && whole % 2 == 1);
    return whole > UINT64_MAX ? UINT64_MAX : (uint64_t)whole;
}

/* Of moved bytes those of the first `us` of the line, as if they had come one like the other; the last has the rest. */
static uint64_t bytes_until(const struct charge *c, uint64_t us)
{
    return us >= c->run_us ? c->amount : (uint64_t)((money_wide)c->amount * us / c->run_us);
}

/* Billionths of a GiB, rounded on the bytes of the line so far. */
static int64_t gib_between(uint64_t from_bytes, uint64_t to_bytes)
{
    const money_wide gib = UINT64_C(1) << 30;
    return money_round((money_wide)to_bytes * NANOS, gib) - money_round((money_wide)from_bytes * NANOS, gib);
}

/* Rounded on the cumulative run time, so that the pieces of an attempt add up to what it ran. */
static int64_t quantity_between(const struct charge *c, uint64_t from_us, uint64_t to_us)
{
    return (int64_t)MIN(quantity_until(c, to_us) - quantity_until(c, from_us), (uint64_t)INT64_MAX);
}

/* The end of the quarter of an hour that an instant lies in. */
static int64_t quarter_end(int64_t utc_us)
{
    int64_t quarter = utc_us / QUARTER_US - (utc_us % QUARTER_US < 0);
    return (quarter + 1) * QUARTER_US;
}

/* Cuts the line at every quarter of an hour inside it. */
static int add_pieces(const struct posting *p, const struct charge *c, struct book_line *line, int64_t begin_utc_us,
                      struct err *err)
{
    bool cut = c->run_us / QUARTER_US < PIECES_MAX;
    uint64_t from = 0, moved = 0; /* a line of I/O may cover no time at all */
    int64_t posted = 0;
    int r = 0;
    do {
        uint64_t left = (uint64_t)(quarter_end(begin_utc_us + (int64_t)from) - begin_utc_us);
        uint64_t to = cut ? MIN(left, c->run_us) : c->run_us;
        int64_t upto = to == c->run_us ? c->micros : book_part(c->micros, to, c->run_us);
        line->from_run_us = c->from_run_us + from;
        line->run_us = to - from;
        line->from_utc_us = begin_utc_us + (int64_t)from;
        line->to_utc_us = begin_utc_us + (int64_t)to;
        if (strcmp(c->resource, RESOURCE_IO) == 0) {
            line->amount = bytes_until(c, to) - moved;
            line->quantity = gib_between(moved, moved + line->amount);
            moved += line->amount;
        } else
            line->quantity = quantity_between(c, line->from_run_us, c->from_run_us + to);
        line->micros = upto - posted;
        r = book_line_add(p->b, line, err);
        posted = upto;
        from = to;
    } while (r >= 0 && from < c->run_us);
    return r < 0 || moved == 0 ? r : book_run(p->b, SQL_ATTEMPT_IO_CHARGED, err, "iu", line->attempt, moved);
}

/* Entries of older schedulers don't say the price: it is what their version of the book says. */
static int find_price(const struct posting *p, struct book_line *line, struct err *err)
{
    if (line->list_price != 0 || line->price != 0 || line->price_class != NULL)
        return 0;
    sqlite3_stmt *s = p->b->sql[SQL_PRICE_FIND];
    int r = db_bind(s, "it", (int64_t)line->price_version, line->resource);
    if (r == 0)
        r = db_step(s, err);
    if (r == 1)
        line->list_price = line->price = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return MIN(r, 0);
}

static int add_line(const struct posting *p, const struct charge *c, uint32_t number, struct err *err)
{
    int64_t begin, end;
    uint64_t last;
    if (c->resource == NULL || __builtin_add_overflow(p->attempt->started_utc_us, c->from_run_us, &begin) ||
        __builtin_add_overflow(begin, c->run_us, &end) || __builtin_add_overflow(c->from_run_us, c->run_us, &last) ||
        end > INT64_MAX - QUARTER_US || c->micros > MONEY_MICROS_MAX || c->micros < -MONEY_MICROS_MAX ||
        c->list_price < 0 || c->list_price > PRICE_MICROS_MAX || c->price < 0 || c->price > PRICE_MICROS_MAX ||
        c->by >= PRICE_BY_COUNT)
        return err_set(err, -EPROTO, "a charge beyond all bounds");
    struct book_line line = line_of(p, c, number);
    line.measured = true;
    int r = find_price(p, &line, err);
    if (r == 0)
        r = add_pieces(p, c, &line, begin, err);
    if (r >= 0)
        r = book_run(p->b, SQL_SPEND_ADD, err, "tti", p->tenant, c->resource, c->micros);
    return r;
}

/* What the lines don't explain, so that rows and ledger agree whatever the scheduler wrote. */
static int add_unexplained(const struct posting *p, uint32_t number, int64_t micros, int64_t at_utc_us,
                           struct err *err)
{
    char resource[] = "adjustment";
    struct charge c = {.resource = resource};
    struct book_line line = line_of(p, &c, number);
    line.kind = names_get(&adjust_kind_names, ADJUST_ADJUSTMENT);
    line.from_utc_us = line.to_utc_us = at_utc_us;
    line.micros = micros;
    int r = book_line_add(p->b, &line, err);
    if (r >= 0)
        r = book_run(p->b, SQL_SPEND_ADD, err, "tti", p->tenant, resource, micros);
    if (r >= 0)
        r = book_run(p->b, SQL_META_COUNT, err, "ii", INT64_C(0), INT64_C(1));
    return r;
}

static int find_tenant(struct book *b, uint64_t job, char *out, size_t size, struct err *err)
{
    sqlite3_stmt *s = b->sql[SQL_JOB_TENANT];
    int r = db_bind(s, "u", job);
    if (r == 0)
        r = db_step(s, err);
    if (r <= 0)
        return r < 0 ? r : err_set(err, -EPROTO, "job %llu is not known", (unsigned long long)job);
    snprintf(out, size, "%s", db_text(s, 0));
    sqlite3_reset(s);
    return 0;
}

int book_charge(struct book *b, uint64_t seq, struct attempt_id id, const struct book_attempt *attempt,
                const struct list *charges, int64_t spent_micros, int64_t at_utc_us, struct err *err)
{
    char tenant[256];
    struct posting p = {.b = b, .seq = seq, .job = id.job, .attempt = attempt, .tenant = tenant};
    const struct charge *lines = charges->v;
    int64_t growth, explained = 0, rest;
    if (__builtin_sub_overflow(spent_micros, attempt->spent_micros, &growth))
        return err_set(err, -EPROTO, "spent is beyond all bounds");
    int r = find_tenant(b, id.job, tenant, sizeof tenant, err);
    if (r == 0)
        r = book_path(b, tenant, &p.path, err);
    for (size_t i = 0; i < charges->count && r >= 0; i++) {
        r = add_line(&p, &lines[i], (uint32_t)i, err);
        if (r >= 0 && !money_add(explained, lines[i].micros, &explained))
            r = err_set(err, -EPROTO, "charges beyond all bounds");
    }
    if (r >= 0 && __builtin_sub_overflow(growth, explained, &rest))
        r = err_set(err, -EPROTO, "charges beyond all bounds");
    if (r >= 0 && rest != 0)
        r = add_unexplained(&p, (uint32_t)charges->count, rest, at_utc_us, err);
    if (r >= 0)
        r = book_known(book_run(b, SQL_JOB_SPENT, err, "ui", id.job, growth), err, "job", id.job);
    return r;
}
