/*
 * GET /v1/ledger/check: do the reports say the same as the store, account by account, to the micro-unit?
 *
 * The store is ahead of the reports by what is not durable yet. So the check takes the entries up to the store's
 * present seq into the book inside a transaction, compares, and rolls it back. The accounts are not read in one step;
 * the comparison counts only when the seq was the same before and after.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotas/reports/escape.h"
#include "quotas/reports/report.h"

#define TRIES 5
#define AHEAD_MAX 20000 /* entries; more means that the follower is far behind: let it work first */

#define BATCH_MAX 1000

struct check {
    struct list accounts; /* struct store_account of the store at `seq`, by name */
    bool *seen;           /* of these: some charge names it */
    uint64_t seq, compared;
    int64_t total_micros;
    char where[300];      /* the first difference; "" = equal */
    int64_t store_micros, report_micros;
};

/* Accounts and the seq they belong to. 1 = read, 0 = the store moved meanwhile. */
static int read_store(struct store_sync *sync, struct check *check, struct err *err)
{
    struct store_status before = {0}, after = {0};
    int r = store_status(sync, &before, err);
    if (r == 0)
        r = store_accounts(sync, &check->accounts, err);
    if (r < 0)
        return r;
    r = store_status(sync, &after, err);
    if (r == 0 && before.seq == after.seq) {
        check->seq = after.seq;
        return 1;
    }
    store_accounts_clear(&check->accounts);
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

static void compare_account(struct check *check, char *name, int64_t report_micros)
{
    const struct store_account key = {.name = name}, *v = check->accounts.v;
    const struct store_account *found =
        check->accounts.count > 0 ? bsearch(&key, v, check->accounts.count, sizeof *v, by_name) : NULL;
    if (found != NULL) {
        check->seen[found - v] = true;
        check->compared++;
        differs(check, name, found->spent_micros, report_micros);
    } else if (strncmp(name, "job:", 4) != 0) { /* a job's account closes with the job */
        differs(check, name, 0, report_micros);
    }
}

/* What the charge rows say per account, and what the store has that no row names. */
static int compare_accounts(struct check *check, sqlite3 *db, struct err *err)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    int r = db_prepare(db, "SELECT m.account, sum(t.micros) FROM (SELECT accounts, sum(micros) AS micros FROM charges"
                           " GROUP BY accounts) t JOIN account_members m USING(accounts) GROUP BY m.account", &s, err);
    while (r == 0 && (r = db_step(s, err)) == 1) {
        CLEANUP(free_p) char *name = strdup(db_text(s, 0));
        r = name == NULL ? err_set(err, -ENOMEM, "no memory") : 0;
        if (r == 0)
            compare_account(check, name, sqlite3_column_int64(s, 1));
    }
    const struct store_account *v = check->accounts.v;
    for (size_t i = 0; i < check->accounts.count && r == 0; i++) {
        if (strcmp(v[i].name, "/@total") == 0)
            check->total_micros = v[i].spent_micros;
        if (!check->seen[i])
            differs(check, v[i].name, v[i].spent_micros, 0);
    }
    return r;
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

static int compare(struct report *report, struct store_sync *sync, struct check *check, bool *ret_broke,
                   struct err *err)
{
    check->seen = calloc(check->accounts.count + 1, sizeof *check->seen);
    if (check->seen == NULL)
        return err_set(err, -ENOMEM, "no memory");
    if (check->accounts.count > 1)
        qsort(check->accounts.v, check->accounts.count, sizeof(struct store_account), by_name);
    int r = book_begin(report->book, err);
    if (r < 0)
        return r;
    while (r == 0 && book_next(report->book) <= check->seq)
        r = follow_read(report->book, sync, check->seq, BATCH_MAX, ret_broke, err);
    if (r == 0)
        r = compare_accounts(check, book_db(report->book), err);
    if (r == 0)
        r = compare_sums(check, book_db(report->book), err);
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

static int unavailable(struct problem *problem, const char *why)
{
    problem->retry_after_s = 1;
    return problem_set(problem, 503, NULL, NULL, "no comparison now: %s", why);
}

int check_answer(struct report *report, struct ask *ask, struct answer *answer, struct problem *problem)
{
    static const char *const names[] = {NULL};
    struct check check = {0};
    struct store_sync *sync;
    struct err err = {0};
    bool broke = false;
    if (params_only(ask->params, names, problem) < 0)
        return -EINVAL;
    if (link_get(report->link, &sync, &err) < 0)
        return unavailable(problem, err_text(&err));
    int r = 0;
    for (int i = 0; i < TRIES && r == 0; i++)
        r = read_store(sync, &check, &err);
    if (r == 0)
        return unavailable(problem, "the ledger moved while it was read");
    broke = r < 0;
    if (r == 1 && check.seq < book_mark(report->book).cursor)
        r = err_set(&err, -EAGAIN, "the store is behind the reports");
    if (r == 1 && check.seq - book_mark(report->book).cursor > AHEAD_MAX)
        r = err_set(&err, -EAGAIN, "the reports are %" PRIu64 " entries behind",
                    check.seq - book_mark(report->book).cursor);
    if (r == 1)
        r = compare(report, sync, &check, &broke, &err);
    store_accounts_clear(&check.accounts);
    free(check.seen);
    if (r < 0 && broke)
        link_broke(report->link, &err);
    if (r < 0)
        return unavailable(problem, err_text(&err));
    write_check(&check, ask->currency, &answer->body);
    return 0;
}
