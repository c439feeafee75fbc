/*
 * journal - entries made by hand and a book to put them into, for the tests of the reports.
 * A test program makes one folder (journal_top) in the process that runs the tests: a failed test leaves nothing.
 */
#ifndef REEVE_TESTS_QUOTAS_REPORTS_JOURNAL_H
#define REEVE_TESTS_QUOTAS_REPORTS_JOURNAL_H

#include <check.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "quotas/reports/book.h"
#include "quotas/reports/report.h"
#include "tests/quotas/facts.h"

static char journal_top[64];

static inline void journal_top_make(void)
{
    snprintf(journal_top, sizeof journal_top, "/tmp/reeve-reports-XXXXXX");
    if (mkdtemp(journal_top) == NULL)
        abort(); /* outside a test Check has no assertions */
}

static inline void journal_top_remove(void)
{
    must(dir_remove(journal_top, NULL));
}

/* A path for a new database in a folder of its own. */
static inline const char *journal_path(char out[160])
{
    char folder[96];
    snprintf(folder, sizeof folder, "%s/XXXXXX", journal_top);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(out, 160, "%s/reeve.sqlite", folder);
    return out;
}

static inline struct book *journal_book(const char *path)
{
    struct book *book = NULL;
    struct err err = {0};
    ck_assert_msg(book_open(&book, path, "test", &err) == 0, "%s", err_text(&err));
    return book;
}

/* Into the transaction that is open. */
static inline int journal_apply(struct book *book, uint64_t seq, const struct fact *fact, struct err *err)
{
    struct buf bytes = {0};
    fact_encode(fact, &bytes);
    int r = book_apply(book, seq, NULL, buf_text(&bytes), bytes.len, err);
    buf_fini(&bytes);
    return r;
}

/* One fact, one transaction; clears the fact. */
static inline void journal_take(struct book *book, struct fact fact)
{
    struct err err = {0};
    ck_assert_msg(book_begin(book, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(journal_apply(book, book_next(book), &fact, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(book_commit(book, &err) == 0, "%s", err_text(&err));
    fact_clear(&fact);
}

static inline void add_charge(struct list *charges, const char *resource, uint64_t from_us, uint64_t run_us,
                              int64_t micros)
{
    struct charge *c = list_add(charges, sizeof *c);
    ck_assert_ptr_nonnull(c);
    set_text(&c->resource, resource);
    *c = (struct charge){.resource = c->resource, .amount = 1000, .run_us = run_us, .from_run_us = from_us,
                         .micros = micros, .price_version = 1};
}

static inline struct fact fact_job(uint64_t job, const char *tenant, const char *user, const char *name, uint32_t tasks)
{
    struct fact f = {.kind = FACT_JOB_SUBMITTED, .at_utc_us = AT_NOVEMBER};
    struct fact_submitted *s = &f.submitted;
    char key[32];
    snprintf(key, sizeof key, "k%llu", (unsigned long long)job);
    s->job = job;
    s->uid = 1000;
    set_text(&s->tenant, tenant);
    set_text(&s->user, user);
    set_text(&s->key, key);
    set_text(&s->spec.name, name);
    must(strs_add(&s->spec.command, "true"));
    s->spec.resources.cpu_milli = 1000;
    if (tasks > 1)
        s->spec.array = (struct job_array){.present = true, .last = tasks - 1};
    CLEANUP(free_p) char *at = strdup(tenant);
    for (char *slash = at; slash != NULL;) {
        must(strs_add(&s->path, at));
        slash = strrchr(at, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    must(strs_add(&s->path, TENANT_ROOT));
    return f;
}

static inline struct fact fact_placed_on(struct attempt_id id, int64_t at, const char *const *accounts)
{
    struct fact f = {.kind = FACT_ATTEMPT_PLACED, .at_utc_us = at};
    f.placed.id = id;
    f.placed.hold_micros = 1000;
    f.placed.resources.cpu_milli = 1000;
    set_text(&f.placed.node, "n1");
    for (size_t i = 0; accounts[i] != NULL; i++)
        must(strs_add(&f.placed.accounts, accounts[i]));
    return f;
}

static inline struct fact fact_running_at(struct attempt_id id, int64_t at)
{
    return (struct fact){.kind = FACT_ATTEMPT_RUNNING, .at_utc_us = at, .running = {id, at}};
}

/* One job with one attempt that ran from `at` for run_us and cost micros of cpu. */
static inline void journal_job(struct book *book, uint64_t job, const char *tenant, const char *user, const char *name,
                               int64_t at, uint64_t run_us, int64_t micros)
{
    struct attempt_id id = {job, 0, 1};
    journal_take(book, fact_job(job, tenant, user, name, 1));
    journal_take(book, fact_placed_on(id, at, (const char *const[]){"/@total", NULL}));
    journal_take(book, fact_running_at(id, at));
    struct fact end = fact_end(at + (int64_t)run_us, id, micros, NEXT_FINAL, true);
    end.ended.record.run_us = run_us;
    add_charge(&end.ended.charges, "cpu", 0, run_us, micros);
    journal_take(book, end);
}

/* All rows of all tables as one text: equal texts, equal books. */
static inline void journal_dump(sqlite3 *db, struct buf *out)
{
    CLEANUP(db_finalize_p) sqlite3_stmt *tables = NULL;
    struct err err = {0};
    ck_assert_int_eq(db_prepare(db, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1", &tables, &err),
                     0);
    while (db_step(tables, &err) == 1) {
        CLEANUP(db_finalize_p) sqlite3_stmt *rows = NULL;
        char sql[128];
        snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1, 2", db_text(tables, 0));
        buf_addf(out, "%s\n", db_text(tables, 0));
        if (strcmp(db_text(tables, 0), "meta") == 0 || strcmp(db_text(tables, 0), "admins") == 0)
            snprintf(sql, sizeof sql, "SELECT * FROM %s ORDER BY 1", db_text(tables, 0));
        ck_assert_msg(db_prepare(db, sql, &rows, &err) == 0, "%s", err_text(&err));
        while (db_step(rows, &err) == 1) {
            for (int i = 0; i < sqlite3_column_count(rows); i++) {
                const uint8_t *bytes = sqlite3_column_blob(rows, i);
                for (int k = 0; k < sqlite3_column_bytes(rows, i); k++)
                    buf_addf(out, "%02x", bytes[k]);
                buf_add_str(out, "|");
            }
            buf_add_str(out, "\n");
        }
    }
    ck_assert(!out->failed);
}

static inline int64_t journal_number(sqlite3 *db, const char *sql)
{
    int64_t number = 0;
    struct err err = {0};
    ck_assert_msg(db_number(db, sql, &number, &err) == 0, "%s: %s", sql, err_text(&err));
    return number;
}

static inline int journal_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    journal_top_remove();
    return failed == 0 ? 0 : 1;
}

#endif
