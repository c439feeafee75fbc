#include "quotas/reports/book.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/io/fd.h"
#include "quotas/reports/book_rows.h"
#include "quotas/reports/schema.h"

/* Facts that leave no row: they are about terms and drained or closed nodes, not about jobs and money. */
static int nothing(struct book *b, uint64_t seq, const struct fact *fact, struct err *err)
{
    (void)b, (void)seq, (void)fact, (void)err;
    return 0;
}

static book_fn *const handlers[FACT_KIND_COUNT] = {
    [FACT_TERM_TAKEN] = nothing,
    [FACT_POLICY_SET] = book_policy_set,
    [FACT_TENANT_MOVED] = book_tenant_moved,
    [FACT_JOB_SUBMITTED] = book_job_submitted,
    [FACT_TASKS_CANCELLED] = book_tasks_cancelled,
    [FACT_TASK_HELD] = book_task_held,
    [FACT_TASK_RELEASED] = book_task_released,
    [FACT_ATTEMPT_PLACED] = book_attempt_placed,
    [FACT_GANG_PLACED] = book_attempt_placed,
    [FACT_ATTEMPT_RUNNING] = book_attempt_running,
    [FACT_HOLD_RENEWED] = book_hold_renewed,
    [FACT_ATTEMPT_STOPPING] = book_attempt_stopping,
    [FACT_ATTEMPT_UNREACHABLE] = book_attempt_unreachable,
    [FACT_ATTEMPT_REACHED] = book_attempt_reached,
    [FACT_ATTEMPT_ENDED] = book_attempt_ended,
    [FACT_NODE_JOINED] = book_node_joined,
    [FACT_NODE_LOST] = book_node_lost,
    [FACT_NODE_DRAINED] = nothing,
    [FACT_BUDGET_OPENED] = nothing,
    [FACT_BUDGET_CROSSED] = nothing, /* but an event */
    [FACT_LEDGER_ADJUSTED] = book_ledger_adjusted,
    [FACT_PERIOD_CLOSED] = book_period_closed,
    [FACT_ACCOUNTS_CLOSED] = book_accounts_closed,
    [FACT_POLICY_PROPOSED] = nothing, /* not in force */
    [FACT_POLICY_DROPPED] = nothing,
    [FACT_JOB_CHANGED] = nothing, /* it has run, or not */
    [FACT_ATTEMPT_SUSPENDED] = nothing, /* its charges say how long it ran */
    [FACT_WINDOW_SET] = nothing,
    [FACT_NODE_QUARANTINED] = nothing,
    [FACT_WINDOW_DROPPED] = nothing,
};

/* SQLite would let two writers take turns; their cursors would not. */
static int take_lock(struct book *b, const char *path, struct err *err)
{
    char lock[4200];
    int n = snprintf(lock, sizeof lock, "%s.lock", path);
    if (n < 0 || (size_t)n >= sizeof lock)
        return err_set(err, -ENAMETOOLONG, "%s: path too long", path);
    b->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (b->lock < 0)
        return err_set(err, -errno, "open '%s': %s", lock, strerror(errno));
    if (flock(b->lock, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, -EBUSY, "%s: another reeve-reportd writes it", path);
    return 0;
}

static int load_mark(struct book *b, struct err *err)
{
    sqlite3_stmt *s = b->sql[SQL_META_LOAD];
    int r = db_step(s, err);
    if (r <= 0)
        return r < 0 ? r : err_set(err, -EBADMSG, "its meta row is missing");
    b->mark =
        (struct book_mark){.cursor = (uint64_t)sqlite3_column_int64(s, 0), .at_utc_us = sqlite3_column_int64(s, 2)};
    if (sqlite3_column_bytes(s, 1) == SHA256_BYTES)
        memcpy(b->mark.digest, sqlite3_column_blob(s, 1), SHA256_BYTES);
    sqlite3_reset(s);
    b->committed = b->mark;
    return 0;
}

static int open_tables(struct book *b, const char *path, const char *cell, struct err *err)
{
    mode_t old = umask(0077); /* the history is nobody else's */
    int r = db_open(&b->db, path, DB_WRITER, err);
    umask(old);
    if (r == 0)
        r = schema_prepare(b->db, cell, err);
    for (size_t i = 0; i < BOOK_SQL_COUNT && r == 0; i++)
        r = db_prepare(b->db, book_sql_text[i], &b->sql[i], err);
    if (r == 0)
        r = load_mark(b, err);
    if (r == 0)
        r = book_billing_load(b, err);
    return r < 0 ? err_wrap(err, r, "%s", path) : 0;
}

int book_open(struct book **ret, const char *path, const char *cell, struct err *err)
{
    struct book *b = calloc(1, sizeof *b);
    if (b == NULL)
        return err_set(err, -ENOMEM, "no memory");
    b->lock = -1;
    snprintf(b->cell, sizeof b->cell, "%s", cell);
    int r = take_lock(b, path, err);
    if (r == 0)
        r = open_tables(b, path, cell, err);
    if (r < 0) {
        book_close(b);
        return r;
    }
    *ret = b;
    return 0;
}

void book_close(struct book *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < BOOK_SQL_COUNT; i++)
        sqlite3_finalize(b->sql[i]);
    db_close(b->db);
    close_p(&b->lock);
    buf_fini(&b->scratch);
    book_billing_fini(b);
    free(b);
}

struct book_mark book_mark(const struct book *b)
{
    return b->committed;
}

uint64_t book_next(const struct book *b)
{
    return b->mark.cursor + 1;
}

sqlite3 *book_db(struct book *b)
{
    return b->db;
}

int book_run(struct book *b, enum book_sql which, struct err *err, const char *shape, ...)
{
    va_list args;
    va_start(args, shape);
    int r = db_bind_list(b->sql[which], shape, args);
    va_end(args);
    if (r < 0)
        return err_set(err, r, "sqlite: bind failed");
    r = db_run(b->sql[which], err);
    return r < 0 ? r : sqlite3_changes(b->db);
}

int book_known(int changed, struct err *err, const char *what, uint64_t id)
{
    if (changed < 0)
        return changed;
    return changed > 0 ? 0 : err_set(err, -EPROTO, "%s %llu is not known", what, (unsigned long long)id);
}

int book_begin(struct book *b, struct err *err)
{
    BUG(b->begun);
    int r = db_exec(b->db, "BEGIN IMMEDIATE", err);
    b->begun = r == 0;
    if (r == 0 && b->stale)
        r = book_billing_load(b, err);
    if (r == 0)
        b->stale = false;
    else
        book_rollback(b);
    return r;
}

static int apply_fact(struct book *b, uint64_t seq, const void *bytes, size_t len, struct err *err)
{
    struct fact fact = {0};
    int r = fact_decode(bytes, len, &fact, err);
    if (r < 0)
        return r;
    if (handlers[fact.kind] == NULL)
        r = err_set(err, -EPROTO, "%s has no place in a journal", names_get(&fact_names, fact.kind));
    else
        r = book_billing_begin(b, fact.at_utc_us, err);
    if (r == 0)
        r = handlers[fact.kind](b, seq, &fact, err);
    if (r >= 0)
        r = book_event(b, seq, &fact, err);
    if (r < 0)
        err_wrap(err, r, "%s", names_get(&fact_names, fact.kind));
    b->mark.at_utc_us = fact.at_utc_us;
    fact_clear(&fact);
    return MIN(r, 0);
}

int book_apply(struct book *b, uint64_t seq, const char *refusal, const void *bytes, size_t len, struct err *err)
{
    BUG(!b->begun);
    if (seq <= b->mark.cursor)
        return 0;
    if (seq != b->mark.cursor + 1)
        return err_set(err, -ERANGE, "entry %llu follows %llu", (unsigned long long)seq,
                       (unsigned long long)b->mark.cursor);
    bool is_refused = refusal != NULL && refusal[0] != '\0';
    int r = is_refused ? book_run(b, SQL_META_COUNT, err, "ii", INT64_C(1), INT64_C(0))
                       : apply_fact(b, seq, bytes, len, err);
    if (r < 0)
        return err_wrap(err, r, "entry %llu", (unsigned long long)seq);
    b->mark.cursor = seq;
    book_digest(refusal, bytes, len, b->mark.digest);
    return 0;
}

int book_commit(struct book *b, struct err *err)
{
    BUG(!b->begun);
    int r = book_billing_save(b, err);
    if (r == 0)
        r = book_run(b, SQL_META_SAVE, err, "ubi", b->mark.cursor, b->mark.digest, (size_t)SHA256_BYTES,
                     b->mark.at_utc_us);
    if (r >= 0)
        r = db_exec(b->db, "COMMIT", err);
    if (r < 0) {
        book_rollback(b);
        return r;
    }
    b->begun = false;
    b->committed = b->mark;
    return 0;
}

void book_rollback(struct book *b)
{
    /* SQLite itself may have rolled back (disk full): then there is nothing left to do. */
    if (b->begun && sqlite3_get_autocommit(b->db) == 0)
        sqlite3_exec(b->db, "ROLLBACK", NULL, NULL, NULL);
    b->begun = false;
    b->mark = b->committed;
    b->stale = true;
}

void book_digest(const char *refusal, const void *bytes, size_t len, uint8_t out[SHA256_BYTES])
{
    const char *code = refusal != NULL ? refusal : "";
    const struct sha256_part parts[] = {{code, strlen(code) + 1}, {bytes, len}};
    sha256(parts, COUNT_OF(parts), out);
}
