/*
 * GET /v1/ledger/check: do the reports say the same as the store, account by account, to the micro-unit?
 *
 * The store is ahead of the reports by what is not durable yet, and goes on meanwhile. So its accounts are read part by
 * part, each with the seq at which it was so; the check takes the entries up to each part's seq into the book inside a
 * transaction, compares there, and rolls it all back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotas/reports/escape.h"
#include "quotas/reports/report.h"

#define AHEAD_MAX 20000 /* entries; more means that the follower is far behind: let it work first */

#define BATCH_MAX 1000

struct check {
    struct store_names names; /* of all accounts, at names.seq */
    struct list parts;        /* struct store_part */
    uint64_t seq, compared;   /* seq: of the last part */
    int64_t total_micros;
    char where[300];      /* the first difference; "" = equal */
    int64_t store_micros, report_micros;
};

static int read_store(struct store_sync *sync, struct check *check, struct err *err)
{
    int r = store_names(sync, &check->names, err);
    if (r < 0)
        return r;
    struct store_names accounts = {.seq = check->names.seq, .accounts = check->names.accounts};
    r = store_parts(sync, &accounts, &check->parts, err);
    const struct store_part *p = check->parts.v;
    check->seq = check->parts.count > 0 ? p[check->parts.count - 1].seq : check->names.seq;
    return r;
}

static void differs(struct check *check, const char *where, int64_t store_micros, int64_t report_micros)
{
    if (check->where[0] != '\0' || store_micros == report_micros)
        return;
    snprintf(check->where, sizeof check->where, "%s", where);
    check->store_micros = store_micros;
    check->report_micros = report_micros;
}

static int by_name(const void *a, const void *b)
{
    const struct store_account *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static bool is_jobs(const char *account)
{
    return strncmp(account, "job:", 4) == 0;
}

/* What the charge rows say, account by account, less what stood on accounts that were closed since. */
static int each_account(sqlite3 *db, void (*fn)(struct check *check, void *arg, const char *name, int64_t micros),
                        struct check *check, void *arg, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(db, "SELECT account, sum(micros) FROM (SELECT m.account, t.micros FROM (SELECT accounts,"
                           " sum(micros) AS micros FROM charges GROUP BY accounts) t JOIN account_members m"
                           " USING(accounts) UNION ALL SELECT account, -spent_micros FROM closed_accounts"
                           " WHERE resource IS NULL) GROUP BY account", &s, err);
    while (r == 0 && (r = db_step(s, err)) == 1) {
        CLEANUP(free_p) char *name = strdup(db_text(s, 0));
        r = name == NULL ? err_set(err, -ENOMEM, "no memory") : 0;
        if (r == 0)
            fn(check, arg, name, sqlite3_column_int64(s, 1));
    }
    return r;
}

/* A job's account closes with the job. */
static void is_known(struct check *check, void *arg, const char *name, int64_t micros)
{
    const struct strs *names = arg;
    if (!is_jobs(name) &&
        (names->count == 0 || bsearch(&name, names->v, names->count, sizeof names->v[0], by_text) == NULL))
        differs(check, name, 0, micros);
}

struct part {
    const struct list *accounts; /* struct store_account, by name */
    bool *seen;
};

static void is_equal(struct check *check, void *arg, const char *name, int64_t micros)
{
    struct part *p = arg;
    const struct store_account key = {.name = (char *)(uintptr_t)name}, *v = p->accounts->v;
    const struct store_account *found = bsearch(&key, v, p->accounts->count, sizeof *v, by_name);
    if (found == NULL)
        return; /* another part's */
    p->seen[found - v] = true;
    check->compared++;
    differs(check, name, found->spent_micros, micros);
}

/* Our own running sums against the rows they stand for. */
static int compare_sums(struct check *check, sqlite3 *db, struct err *err)
{
    static const struct {
        const char *what, *sql;
    } sums[] = {{"sum over jobs", "SELECT coalesce(sum(spent_micros), 0) FROM jobs"},
                {"sum over attempts", "SELECT coalesce(sum(spent_micros), 0) FROM attempts"},
                {"sum for metrics", "SELECT coalesce(sum(micros), 0) - (SELECT coalesce(sum(micros), 0) FROM charges"
                                    " WHERE attempt IS NULL OR kind = 'rerate') FROM spend"}};
    int64_t rows, sum;
    int r = db_number(db, "SELECT coalesce(sum(micros), 0) FROM charges", &rows, err);
    if (r == 0)
        differs(check, "sum over charges", check->total_micros, rows);
    if (r == 0)
        r = db_number(db, "SELECT coalesce(sum(micros), 0) FROM hours", &sum, err);
    if (r == 0)
        differs(check, "sum over hours", rows, sum);
    /* As the exports of all months together would have it. */
    if (r == 0)
        r = db_number(db, "SELECT coalesce(sum(micros), 0) FROM billing_periods JOIN charges USING (billing)", &sum,
                      err);
    if (r == 0)
        differs(check, "BilledCost of all months", rows, sum);
    /* What persons posted, and re-rating, is no attempt's. */
    if (r == 0)
        r = db_number(db, "SELECT coalesce(sum(micros), 0) FROM charges WHERE attempt IS NOT NULL AND kind <> 'rerate'",
                      &rows, err);
    for (size_t i = 0; i < COUNT_OF(sums) && r == 0; i++) {
        r = db_number(db, sums[i].sql, &sum, err);
        if (r == 0)
            differs(check, sums[i].what, rows, sum);
    }
    return r;
}

/* The book stands where the part was read. */
static int compare_part(struct check *check, const struct store_part *part, sqlite3 *db, struct err *err)
{
    struct part p = {.accounts = &part->accounts, .seen = calloc(part->accounts.count + 1, sizeof *p.seen)};
    if (p.seen == NULL)
        return err_set(err, -ENOMEM, "no memory");
    const struct store_account *v = part->accounts.v;
    bool has_total = false;
    int r = part->accounts.count == 0 ? 0 : each_account(db, is_equal, check, &p, err);
    for (size_t i = 0; r == 0 && i < part->accounts.count; i++) {
        if (strcmp(v[i].name, "/@total") == 0) {
            check->total_micros = v[i].spent_micros;
            has_total = true;
        }
        if (!p.seen[i] && v[i].resource == NULL) /* time is no money: no charge names its account */
            differs(check, v[i].name, v[i].spent_micros, 0);
    }
    if (r == 0 && has_total)
        r = compare_sums(check, db, err);
    free(p.seen);
    return r;
}

static int book_advance(struct report *report, struct store_sync *sync, uint64_t seq, bool *ret_broke, struct err *err)
{
    int r = 0;
    while (r == 0 && book_next(report->book) <= seq)
        r = follow_read(report->book, sync, seq, BATCH_MAX, ret_broke, err);
    return r;
}

static int compare(struct report *report, struct store_sync *sync, struct check *check, bool *ret_broke,
                   struct err *err)
{
    const struct store_part *p = check->parts.v;
    sqlite3 *db = book_db(report->book);
    int r = book_begin(report->book, err);
    if (r < 0)
        return r;
    r = book_advance(report, sync, check->names.seq, ret_broke, err);
    if (r == 0)
        r = each_account(db, is_known, check, &check->names.accounts, err);
    if (r == 0 && check->parts.count == 0)
        r = compare_sums(check, db, err);
    for (size_t i = 0; r == 0 && i < check->parts.count; i++) {
        r = book_advance(report, sync, p[i].seq, ret_broke, err);
        if (r == 0)
            r = compare_part(check, &p[i], db, err);
    }
    book_rollback(report->book);
    return r;
}

static void write_check(const struct check *check, const char *currency, struct buf *out)
{
    buf_addf(out, "{\"schema\":\"reeve-ledger-check/1\",\"equal\":%s,\"as_of\":%" PRIu64 ",\"accounts\":%" PRIu64
                  ",\"total\":\"", check->where[0] == '\0' ? "true" : "false", check->seq, check->compared);
    money_text(out, check->total_micros);
    buf_addf(out, "\",\"total_micros\":%" PRId64 ",\"currency\":", check->total_micros);
    json_text(out, currency);
    if (check->where[0] == '\0') {
        buf_add_str(out, ",\"difference\":null}\n");
        return;
    }
    buf_add_str(out, ",\"difference\":{\"account\":");
    json_text(out, check->where);
    buf_addf(out, ",\"store_micros\":%" PRId64 ",\"report_micros\":%" PRId64 "}}\n", check->store_micros,
             check->report_micros);
}

/* Negative: there is no comparison now. */
static int check_run(struct report *report, struct check *check, struct err *err)
{
    struct store_sync *sync;
    int r = link_get(report->link, &sync, err);
    if (r < 0)
        return r;
    r = read_store(sync, check, err);
    bool broke = r < 0;
    uint64_t cursor = book_mark(report->book).cursor;
    if (r == 0 && check->names.seq < cursor)
        r = err_set(err, -EAGAIN, "the store is behind the reports");
    else if (r == 0 && check->seq - cursor > AHEAD_MAX)
        r = err_set(err, -EAGAIN, "the reports are %" PRIu64 " entries behind", check->seq - cursor);
    else if (r == 0)
        r = compare(report, sync, check, &broke, err);
    if (r < 0 && broke)
        link_broke(report->link, err);
    return r;
}

static void check_fini(struct check *check)
{
    store_names_clear(&check->names);
    store_parts_clear(&check->parts);
}

int check_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    static const char *const names[] = {NULL};
    struct check check = {0};
    struct err err = {0};
    if (params_only(ask->params, names, problem) < 0)
        return -EINVAL;
    int r = check_run(report, &check, &err);
    if (r == 0)
        write_check(&check, ask->currency, &answer->body);
    check_fini(&check);
    if (r == 0)
        return 0;
    problem->retry_after_s = 1;
    return problem_set(problem, 503, NULL, NULL, "no comparison now: %s", err_text(&err));
}

int check_books(struct report *report, const struct ask *ask, struct check_reply *ret, struct err *err)
{
    struct check check = {0};
    struct check_reply reply = {0};
    CLEANUP(buf_fini) struct buf text = {0};
    int r = check_run(report, &check, err);
    if (r == 0 && check.where[0] != '\0') {
        buf_addf(&text, "%s: Redis has spent ", check.where);
        money_text(&text, check.store_micros);
        buf_add_str(&text, ", the reports have ");
        money_text(&text, check.report_micros);
    }
    if (r == 0) {
        reply = (struct check_reply){.seq = check.seq, .accounts = check.compared, .total_micros = check.total_micros};
        r = str_set(&reply.currency, ask->currency);
        if (r == 0 && text.len > 0)
            r = str_set(&reply.difference, buf_text(&text));
        if (r < 0)
            err_set(err, r, "out of memory");
    }
    check_fini(&check);
    if (r < 0)
        fields_clear(&check_reply_fields, &reply);
    else
        *ret = reply;
    return r;
}
