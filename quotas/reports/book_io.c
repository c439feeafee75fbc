/* Bytes: what an attempt was charged for beside what its node counted, into the sums of the day on which it ended. */
#include <string.h>

#include "base/ledger_io.h"
#include "quotas/money.h"
#include "quotas/reports/book_rows.h"

#define GIB (UINT64_C(1) << 30)
#define BYTES_MAX ((uint64_t)INT64_MAX >> 16) /* of one attempt: sums of a day stay within what SQLite adds */

static uint64_t bytes_of(struct measure m)
{
    return MIN(measured(m), BYTES_MAX);
}

int book_io_settled(struct book *b, int64_t attempt, const struct list *marks, struct err *err)
{
    const struct meter_mark *v = marks->v;
    for (size_t i = 0; i < marks->count; i++)
        if (v[i].resource != NULL && strcmp(v[i].resource, RESOURCE_IO) == 0 && is_measured(v[i].used))
            return MIN(book_run(b, SQL_ATTEMPT_IO, err, "iu", attempt, bytes_of(v[i].used)), 0);
    return 0;
}

/* What was charged of its bytes. */
struct charged {
    uint64_t bytes;
    int64_t price; /* the least, of a GiB */
    bool any;      /* line */
    bool priced;   /* when it was placed */
    bool changed;  /* since it began there are prices that no line of it has: any may have been lower */
};

static int find_charged(struct book *b, int64_t attempt, int64_t at_utc_us, struct charged *ret, struct err *err)
{
    sqlite3_stmt *s = b->sql[SQL_IO_CHARGED];
    int r = db_bind(s, "ii", attempt, at_utc_us);
    if (r == 0)
        r = db_step(s, err);
    if (r == 1)
        *ret = (struct charged){.bytes = MIN((uint64_t)sqlite3_column_int64(s, 0), BYTES_MAX),
                                .price = sqlite3_column_int64(s, 1),
                                .any = sqlite3_column_int64(s, 2) > 0,
                                .priced = sqlite3_column_int64(s, 3) > 0,
                                .changed = sqlite3_column_int64(s, 4) > 0};
    sqlite3_reset(s);
    return MIN(r, 0);
}

/* How many bytes the money accounts for that nobody paid; rounded up by a micro-unit. */
static uint64_t written_off(const struct charged *c, int64_t micros)
{
    if (micros <= 0)
        return 0;
    if (!c->any || c->price <= 0 || c->changed) /* nothing was charged at what the rest costs, whatever that is */
        return BYTES_MAX;
    return (uint64_t)MIN(((money_wide)micros + 1) * GIB / (uint64_t)c->price, (money_wide)BYTES_MAX);
}

static void fill(const struct charged *c, const struct fact_ended *e, struct ledger_io_row *ret)
{
    const struct usage *u = &e->record.usage;
    ret->attempts = 1;
    ret->kernel_bytes = bytes_of(u->read_bytes) + bytes_of(u->written_bytes);
    ret->told_bytes = bytes_of(u->io_bytes);
    ret->uncounted_bytes = bytes_of(u->io_uncounted_bytes);
    ret->cached_bytes = bytes_of(u->io_cached_bytes);
    ret->charged_bytes = c->bytes;
    ret->twice_bytes = LESS(c->bytes, ret->told_bytes);
    uint64_t unpaid = LESS(ret->told_bytes, c->bytes);
    ret->free_bytes = !c->priced || (c->any && c->price == 0) ? unpaid : 0;
    unpaid -= ret->free_bytes;
    ret->written_off_bytes = MIN(unpaid, written_off(c, e->written_off_micros));
    ret->lost_bytes = unpaid - ret->written_off_bytes;
}

/* A node from before it told the parts of its count can't be held against the kernel. */
static bool is_counted(const struct usage *u)
{
    return is_measured(u->io_bytes) && is_measured(u->io_uncounted_bytes) && is_measured(u->io_cached_bytes) &&
           is_measured(u->read_bytes) && is_measured(u->written_bytes);
}

int book_io_ended(struct book *b, int64_t attempt, const struct fact *fact, struct err *err)
{
    const struct fact_ended *e = &fact->ended;
    struct ledger_io_row row = {0};
    struct charged c = {0};
    int r = find_charged(b, attempt, fact->at_utc_us, &c, err);
    if (r == 0 && is_measured(e->record.usage.io_bytes))
        r = MIN(book_run(b, SQL_ATTEMPT_IO, err, "iu", attempt, bytes_of(e->record.usage.io_bytes)), 0);
    if (is_counted(&e->record.usage))
        fill(&c, e, &row);
    else if (c.bytes > 0)
        row = (struct ledger_io_row){.unknown_attempts = 1, .unknown_bytes = c.bytes};
    if (r < 0 || row.attempts + row.unknown_attempts == 0)
        return r;
    row.day_utc_us = zone_day_begin(NULL, zone_day(NULL, fact->at_utc_us));
    return MIN(book_run(b, SQL_IO_DAY_ADD, err, "ituuuuuuuuuuuu", row.day_utc_us, e->node != NULL ? e->node : "",
                        row.attempts, row.kernel_bytes, row.told_bytes, row.uncounted_bytes, row.cached_bytes,
                        row.charged_bytes, row.written_off_bytes, row.free_bytes, row.twice_bytes, row.lost_bytes,
                        row.unknown_attempts, row.unknown_bytes), 0);
}
