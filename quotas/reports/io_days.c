#include "quotas/reports/io_days.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/clock.h"
#include "base/io/log.h"
#include "base/parse.h"
#include "base/zone.h"
#include "quotas/reports/escape.h"

#define DAY_US INT64_C(86400000000)

static int64_t day_of(int64_t utc_us)
{
    return zone_day_begin(NULL, zone_day(NULL, utc_us));
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

#define DAYS                                                                                                     \
    "SELECT node, day_utc_us, attempts, kernel_bytes, told_bytes, uncounted_bytes, cached_bytes, charged_bytes,"   \
    " written_off_bytes, free_bytes, twice_bytes, lost_bytes, unknown_attempts, unknown_bytes FROM io_days"        \
    " WHERE day_utc_us >= ?1 AND day_utc_us < ?2 ORDER BY day_utc_us, node"
/* What each that runs was charged, beside the count that this is up to. */
#define RUNNING                                                                                                  \
    "SELECT node, 0, count(*), 0, sum(io_bytes), 0, 0, sum(io_charged), 0, 0, sum(max(io_charged - io_bytes, 0)),"  \
    " 0, 0, 0 FROM attempts WHERE ended_utc_us IS NULL AND io_bytes IS NOT NULL GROUP BY node ORDER BY node"

static int add_row(sqlite3_stmt *s, struct ledger_io_reply *ret)
{
    struct ledger_io_row *row = list_add(&ret->rows, sizeof *row);
    if (row == NULL || str_set(&row->node, db_text(s, 0)) < 0)
        return -ENOMEM;
    uint64_t *const bytes[] = {&row->attempts, &row->kernel_bytes, &row->told_bytes, &row->uncounted_bytes,
                               &row->cached_bytes, &row->charged_bytes, &row->written_off_bytes, &row->free_bytes,
                               &row->twice_bytes, &row->lost_bytes, &row->unknown_attempts, &row->unknown_bytes};
    row->day_utc_us = sqlite3_column_int64(s, 1);
    for (size_t i = 0; i < COUNT_OF(bytes); i++)
        *bytes[i] = (uint64_t)sqlite3_column_int64(s, (int)i + 2);
    ret->compared++;
    ret->differing += !ledger_io_verdict(row).agrees;
    return 0;
}

static int add_rows(const struct ask *ask, const char *sql, const char *shape, struct ledger_io_call call,
                    struct ledger_io_reply *ret, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(ask->db, sql, &s, err);
    if (r == 0)
        r = db_bind(s, shape, call.from_utc_us, call.to_utc_us);
    while (r == 0 && (r = db_step(s, err)) == 1)
        r = add_row(s, ret) < 0 ? err_set(err, -ENOMEM, "no memory") : 0;
    return r;
}

static int gather(const struct ask *ask, struct ledger_io_call call, struct ledger_io_reply *ret, struct err *err)
{
    if (call.from_utc_us == 0 && call.to_utc_us == 0)
        call = (struct ledger_io_call){day_of(ask->now_utc_us) - DAY_US, INT64_MAX};
    int r = add_rows(ask, DAYS, "ii", call, ret, err);
    return r < 0 ? r : add_rows(ask, RUNNING, "", call, ret, err);
}

/* Those that differ first. */
static int by_verdict(const void *a, const void *b)
{
    const struct ledger_io_row *x = a, *y = b;
    int agrees[] = {ledger_io_verdict(x).agrees, ledger_io_verdict(y).agrees};
    uint64_t days[] = {(uint64_t)x->day_utc_us - 1, (uint64_t)y->day_utc_us - 1}; /* none: the last */
    if (agrees[0] != agrees[1])
        return agrees[0] - agrees[1];
    return days[0] != days[1] ? (days[0] > days[1]) - (days[0] < days[1]) : strcmp(x->node, y->node);
}

static int by_node(const void *a, const void *b)
{
    const struct ledger_io_row *x = a, *y = b;
    int order = strcmp(x->node, y->node);
    return order != 0 ? order : by_verdict(a, b);
}

static void sort(struct ledger_io_reply *reply, int (*order)(const void *a, const void *b))
{
    if (reply->rows.count > 1)
        qsort(reply->rows.v, reply->rows.count, sizeof(struct ledger_io_row), order);
}

int io_days_read(const struct ask *ask, struct ledger_io_call call, struct ledger_io_reply *ret, struct err *err)
{
    int r = gather(ask, call, ret, err);
    struct ledger_io_row *v = ret->rows.v;
    if (r == 0)
        sort(ret, by_verdict);
    while (ret->rows.count > LEDGER_IO_ROWS_MAX)
        fields_clear(&ledger_io_row_fields, &v[--ret->rows.count]);
    return r;
}

/* ---- metrics ---------------------------------------------------------------------------------------------------- */

int io_days_metrics(const struct ask *ask, struct buf *out, struct err *err)
{
    static const char *const heads[] = {
        "# HELP reeve_ledger_io_agrees 1: what was charged of a node's I/O today and yesterday is what the kernel"
        " counted.\n# TYPE reeve_ledger_io_agrees gauge\n",
        "# HELP reeve_ledger_io_off_ratio How far apart, of the kernel's count; above 0: more was charged.\n"
        "# TYPE reeve_ledger_io_off_ratio gauge\n"};
    struct ledger_io_reply reply = {0};
    int r = gather(ask, (struct ledger_io_call){0}, &reply, err);
    sort(&reply, by_node);
    const struct ledger_io_row *v = reply.rows.v;
    for (size_t m = 0; r == 0 && m < COUNT_OF(heads); m++) {
        buf_add_str(out, heads[m]);
        for (size_t i = 0; i < reply.rows.count; i++) {
            struct io_verdict verdict = ledger_io_verdict(&v[i]);
            if (i > 0 && strcmp(v[i].node, v[i - 1].node) == 0)
                continue; /* the first of a node is its worst */
            buf_add_str(out, m == 0 ? "reeve_ledger_io_agrees{node=" : "reeve_ledger_io_off_ratio{node=");
            label_text(out, v[i].node);
            if (m == 0)
                buf_addf(out, "} %d\n", verdict.agrees);
            else
                buf_addf(out, "} %.9g\n", verdict.off_percent / 100);
        }
    }
    fields_clear(&ledger_io_reply_fields, &reply);
    return r;
}

/* ---- by itself -------------------------------------------------------------------------------------------------- */

#define LOOK_MS 60000

struct io_watch {
    const struct report *report;
    struct timer *timer;
    int64_t day_utc_us;             /* at the last look */
    struct ledger_io_reply differs; /* the log knows */
};

static bool is_known(const struct io_watch *w, const struct ledger_io_row *row)
{
    const struct ledger_io_row *v = w->differs.rows.v;
    bool known = false;
    for (size_t i = 0; i < w->differs.rows.count && !known; i++)
        known = v[i].day_utc_us == row->day_utc_us && strcmp(v[i].node, row->node) == 0 &&
                !ledger_io_verdict(&v[i]).agrees;
    return known;
}

static void say(const struct ledger_io_row *row)
{
    char day[PARSE_TEXT_MAX];
    struct io_verdict v = ledger_io_verdict(row);
    log_line(LOG_WARN, "ledger.io",
             "verdict=differs node=%s day=%s kernel_bytes=%" PRIu64 " billed_bytes=%" PRIu64 " off_percent=%.2f"
             " charged_bytes=%" PRIu64 " written_off_bytes=%" PRIu64 " twice_bytes=%" PRIu64 " lost_bytes=%" PRIu64,
             log_quote(row->node), row->day_utc_us != 0 ? format_second(row->day_utc_us, day) : "running",
             v.kernel_bytes, v.disk_bytes, v.off_percent, row->charged_bytes, row->written_off_bytes, row->twice_bytes,
             row->lost_bytes);
}

static void say_day(const struct ledger_io_reply *reply, int64_t day_utc_us)
{
    const struct ledger_io_row *v = reply->rows.v;
    uint64_t nodes = 0, differing = 0, kernel = 0, charged = 0;
    char day[PARSE_TEXT_MAX];
    for (size_t i = 0; i < reply->rows.count; i++) {
        if (v[i].day_utc_us != day_utc_us)
            continue;
        nodes++;
        differing += !ledger_io_verdict(&v[i]).agrees;
        kernel += v[i].kernel_bytes;
        charged += v[i].charged_bytes;
    }
    log_line(differing > 0 ? LOG_WARN : LOG_INFO, "ledger.io",
             "verdict=%s when=day day=%s nodes=%" PRIu64 " differing=%" PRIu64 " kernel_bytes=%" PRIu64
             " charged_bytes=%" PRIu64, differing > 0 ? "differs" : "agrees", format_second(day_utc_us, day), nodes,
             differing, kernel, charged);
}

size_t io_watch_look(struct io_watch *w, int64_t utc_us)
{
    struct ask ask = {0};
    struct problem problem = {0};
    struct err err = {0};
    struct ledger_io_reply reply = {0};
    size_t said = 0;
    int r = ask_open(&ask, w->report, &problem);
    ask.now_utc_us = utc_us;
    if (r == 0)
        r = gather(&ask, (struct ledger_io_call){0}, &reply, &err);
    ask_fini(&ask);
    if (r < 0) { /* the next look may go well; queries say what is wrong with the file */
        fields_clear(&ledger_io_reply_fields, &reply);
        return 0;
    }
    const struct ledger_io_row *v = reply.rows.v;
    for (size_t i = 0; i < reply.rows.count; i++) {
        if (ledger_io_verdict(&v[i]).agrees || is_known(w, &v[i]))
            continue;
        say(&v[i]);
        said++;
    }
    if (w->day_utc_us != 0 && day_of(utc_us) > w->day_utc_us)
        say_day(&reply, day_of(utc_us) - DAY_US);
    w->day_utc_us = day_of(utc_us);
    fields_clear(&ledger_io_reply_fields, &w->differs);
    w->differs = reply;
    return said;
}

static void on_timer(void *arg)
{
    struct io_watch *w = arg;
    io_watch_look(w, clock_utc_us());
    timer_set_ms(w->timer, LOOK_MS);
}

int io_watch_new(struct io_watch **ret, struct loop *loop, const struct report *report, struct err *err)
{
    struct io_watch *w = calloc(1, sizeof *w);
    if (w == NULL || timer_new(&w->timer, loop, on_timer, w) < 0) {
        free(w);
        return err_set(err, -ENOMEM, "no memory");
    }
    w->report = report;
    timer_set_ms(w->timer, LOOK_MS);
    *ret = w;
    return 0;
}

void io_watch_free(struct io_watch *w)
{
    if (w == NULL)
        return;
    timer_free(w->timer);
    fields_clear(&ledger_io_reply_fields, &w->differs);
    free(w);
}
