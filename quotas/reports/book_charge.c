/* Money: charge lines into rows, exact to the micro-unit. */
#include <errno.h>
#include <stdio.h>

#include "quotas/money.h"
#include "quotas/period.h"
#include "quotas/reports/book_rows.h"

#define PIECES_MAX 4000 /* days a line is cut into; the longest job runs 366 */

int book_accounts(struct book *b, const struct strs *names, int64_t *ret, struct err *err)
{
    struct buf *joined = &b->scratch;
    buf_reset(joined);
    for (size_t i = 0; i < names->count; i++)
        buf_addf(joined, "%s%s", i > 0 ? "\n" : "", names->v[i]);
    if (joined->failed)
        return err_set(err, -ENOMEM, "no memory");
    sqlite3_stmt *find = b->sql[SQL_SET_FIND];
    int r = db_bind(find, "t", buf_text(joined));
    if (r == 0)
        r = db_step(find, err);
    if (r == 1) {
        *ret = sqlite3_column_int64(find, 0);
        sqlite3_reset(find);
        return 0;
    }
    if (r == 0)
        r = book_run(b, SQL_SET_ADD, err, "t", buf_text(joined));
    if (r < 0)
        return r;
    int64_t set = sqlite3_last_insert_rowid(b->db);
    for (size_t i = 0; i < names->count && r >= 0; i++)
        r = book_run(b, SQL_SET_MEMBER, err, "it", set, names->v[i]);
    if (r < 0)
        return r;
    *ret = set;
    return 0;
}

struct posting {
    struct book *b;
    uint64_t seq, job;
    const struct book_attempt *attempt;
    const char *tenant;
};

/* One row of what `c` says for the run time from..to (relative to its begin), worth `micros`. */
static int add_row(const struct posting *p, const struct charge *c, int64_t begin_utc_us, uint64_t from, uint64_t to,
                   int64_t micros, struct err *err)
{
    return book_run(p->b, SQL_CHARGE_ADD, err, "uiutiuuuiiii", p->seq, p->attempt->row, p->job, c->resource,
                    (int64_t)c->price_version, c->amount, c->from_run_us + from, to - from,
                    begin_utc_us + (int64_t)from, begin_utc_us + (int64_t)to, p->attempt->accounts, micros);
}

/* What the first `us` of a line's `whole` cost; rounded on the cumulative, so pieces never add up to more or less. */
static int64_t part_of(int64_t micros, uint64_t us, uint64_t whole)
{
    uint64_t size = micros < 0 ? -(uint64_t)micros : (uint64_t)micros;
    int64_t part = money_round((money_wide)size * us, whole);
    return micros < 0 ? -part : part;
}

/* Cuts the line at every midnight UTC inside it. */
static int add_pieces(const struct posting *p, const struct charge *c, int64_t begin_utc_us, struct err *err)
{
    uint64_t from = 0;
    int64_t posted = 0;
    int r = 0;
    do {
        int64_t midnight = period_end(PERIOD_DAY, begin_utc_us + (int64_t)from);
        uint64_t to = c->run_us;
        if (midnight - begin_utc_us < (int64_t)to)
            to = (uint64_t)(midnight - begin_utc_us);
        int64_t upto = to == c->run_us ? c->micros : part_of(c->micros, to, c->run_us);
        r = add_row(p, c, begin_utc_us, from, to, upto - posted, err);
        posted = upto;
        from = to;
    } while (r >= 0 && from < c->run_us);
    return r;
}

static int add_line(const struct posting *p, const struct charge *c, struct err *err)
{
    int64_t begin, end;
    if (c->resource == NULL || __builtin_add_overflow(p->attempt->started_utc_us, c->from_run_us, &begin) ||
        __builtin_add_overflow(begin, c->run_us, &end) || c->micros > MONEY_MICROS_MAX || c->micros < -MONEY_MICROS_MAX)
        return err_set(err, -EPROTO, "a charge beyond all bounds");
    int r = c->run_us / (UINT64_C(86400) * 1000000) < PIECES_MAX ? add_pieces(p, c, begin, err)
                                                               : add_row(p, c, begin, 0, c->run_us, c->micros, err);
    if (r >= 0)
        r = book_run(p->b, SQL_SPEND_ADD, err, "tti", p->tenant, c->resource, c->micros);
    return r;
}

/* What the lines don't explain, so that rows and ledger agree whatever the scheduler wrote. */
static int add_adjustment(const struct posting *p, int64_t micros, int64_t at_utc_us, struct err *err)
{
    char resource[] = "adjustment";
    struct charge c = {.resource = resource, .micros = micros};
    int r = add_row(p, &c, at_utc_us, 0, 0, micros, err);
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
    for (size_t i = 0; i < charges->count && r >= 0; i++) {
        r = add_line(&p, &lines[i], err);
        if (r >= 0 && !money_add(explained, lines[i].micros, &explained))
            r = err_set(err, -EPROTO, "charges beyond all bounds");
    }
    if (r >= 0 && __builtin_sub_overflow(growth, explained, &rest))
        r = err_set(err, -EPROTO, "charges beyond all bounds");
    if (r >= 0 && rest != 0)
        r = add_adjustment(&p, rest, at_utc_us, err);
    if (r >= 0)
        r = book_known(book_run(b, SQL_JOB_SPENT, err, "ui", id.job, growth), err, "job", id.job);
    return r;
}
