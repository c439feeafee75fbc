/*
 * The books: how many short jobs a second they take (four entries each, batches of 1,000, fsynced), beside what the
 * scheduler can commit; and a month's cost by tenant over many charge rows, cold (the file out of the page cache) and
 * warm, with its floor: SQLite adding up one column of the same rows.
 * REEVE_BENCH_ROWS: how many rows there are at least; default 1,000,000.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io/fd.h"
#include "quotas/reports/report.h"
#include "tests/bench/measure.h"
#include "tests/quotas/facts.h"

#define JOBS 20000
#define BATCH 1000
#define RUNS 5
#define TENANTS 50
#define MONTH_DAYS 30

struct bench {
    char folder[64], database[96];
    struct book *book;
    uint64_t job;
    size_t in_batch;
};

static void check(int rc, const struct err *err)
{
    if (rc < 0) {
        fprintf(stderr, "bench_reports: %s\n", err_text(err));
        exit(EXIT_FAILURE);
    }
}

static void commit(struct bench *b)
{
    struct err err = {0};
    if (b->in_batch > 0)
        check(book_commit(b->book, &err), &err);
    b->in_batch = 0;
}

static void take(struct bench *b, struct fact *fact)
{
    struct buf bytes = {0};
    struct err err = {0};
    if (b->in_batch == 0)
        check(book_begin(b->book, &err), &err);
    fact_encode(fact, &bytes);
    check(book_apply(b->book, book_next(b->book), NULL, buf_text(&bytes), bytes.len, &err), &err);
    buf_fini(&bytes);
    fact_clear(fact);
    if (++b->in_batch == BATCH)
        commit(b);
}

static void add_charges(struct fact *end, uint64_t run_us)
{
    static const char *const resources[] = {"cpu", "memory", "scratch"};
    for (size_t i = 0; i < COUNT_OF(resources); i++) {
        struct charge *c = list_add(&end->ended.charges, sizeof *c);
        if (c == NULL)
            abort();
        *c = (struct charge){.amount = 1000, .run_us = run_us, .micros = 1000, .price_version = 1, .list_price = 40000,
                             .price = 40000};
        set_text(&c->resource, resources[i]);
    }
}

/* Submitted, placed, running, ended. */
static void take_job(struct bench *b, int64_t at, uint64_t run_us)
{
    struct attempt_id id = {++b->job, 0, 1};
    char tenant[32], user[32], key[32];
    struct fact submit = {.kind = FACT_JOB_SUBMITTED, .at_utc_us = at, .submitted = {.job = id.job, .uid = 1000}};
    snprintf(tenant, sizeof tenant, "t%" PRIu64 "/x%" PRIu64, id.job % 10, id.job % TENANTS);
    snprintf(user, sizeof user, "u%" PRIu64, id.job % 20);
    snprintf(key, sizeof key, "k%" PRIu64, id.job);
    set_text(&submit.submitted.tenant, tenant);
    set_text(&submit.submitted.user, user);
    set_text(&submit.submitted.key, key);
    set_text(&submit.submitted.spec.name, "crunch");
    must(pairs_set(&submit.submitted.spec.labels, "pipeline", user));
    struct fact placed = {.kind = FACT_ATTEMPT_PLACED, .at_utc_us = at, .placed = {.id = id, .hold_micros = 3000}};
    placed.placed.resources.cpu_milli = 1000;
    set_text(&placed.placed.node, "n1");
    must(strs_add(&placed.placed.accounts, "/@total"));
    struct fact running = {.kind = FACT_ATTEMPT_RUNNING, .at_utc_us = at, .running = {id, at}};
    struct fact end = fact_end(at + (int64_t)run_us, id, 3000, NEXT_FINAL, true);
    end.ended.record.run_us = run_us;
    add_charges(&end, run_us);
    take(b, &submit);
    take(b, &placed);
    take(b, &running);
    take(b, &end);
}

static int64_t number(const char *database, const char *sql)
{
    struct err err = {0};
    sqlite3 *db = NULL;
    int64_t value = 0;
    check(db_open(&db, database, DB_READER, &err), &err);
    check(db_number(db, sql, &value, &err), &err);
    db_close(db);
    return value;
}

static void forget_pages(const char *path)
{
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fdatasync(fd) < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
        abort();
}

static double summary_ms(struct bench *b, struct report *report)
{
    struct viewer all = {.all = true};
    struct params params = {0};
    struct problem problem = {0};
    struct answer answer = {0};
    struct ask ask = {.viewer = &all, .params = &params};
    struct buf out = {0};
    struct err err = {0};
    double from = now_us();
    if (params_parse("from=2026-11-23&to=2026-12-23&group_by=tenant&tz=Europe/Berlin", &params, &problem) < 0 ||
        ask_open(&ask, report, &problem) < 0)
        abort();
    db_limit(ask.db, ask.clock, 0); /* however long it takes */
    if (cost_answer(report, &ask, &answer, &problem) < 0) {
        fprintf(stderr, "bench_reports: %s\n", problem.detail);
        exit(EXIT_FAILURE);
    }
    while (answer.rows->next(answer.rows, &out, &err) == 1)
        continue;
    double ms = (now_us() - from) / 1e3;
    answer.rows->free(answer.rows);
    ask_fini(&ask);
    params_fini(&params);
    buf_fini(&out);
    (void)b;
    return ms;
}

static void archive(struct bench *b)
{
    double from = now_us();
    for (int i = 0; i < JOBS; i++)
        take_job(b, AT_NOVEMBER, UINT64_C(1000000));
    commit(b);
    printf("archive_jobs %.0f jobs/s\n", JOBS / ((now_us() - from) / 1e6));
}

static void summary(struct bench *b)
{
    struct report report = {.database = b->database, .book = b->book, .cell = "bench"};
    double warm[RUNS], floor_from;
    const char *asked = getenv("REEVE_BENCH_ROWS");
    int64_t wanted = asked != NULL ? strtoll(asked, NULL, 10) : 1000000, rows = 0;
    for (int64_t day = 0; rows < wanted; rows = number(b->database, "SELECT max(charge) FROM charges")) {
        for (int i = 0; i < 250; i++, day++)
            take_job(b, AT_NOVEMBER + day % MONTH_DAYS * DAY_US, (uint64_t)DAY_US);
        commit(b);
    }
    forget_pages(b->database);
    printf("month_rows %" PRId64 " rows\n", rows);
    printf("month_summary_cold %.0f ms\n", summary_ms(b, &report));
    for (int i = 0; i < RUNS; i++)
        warm[i] = summary_ms(b, &report);
    qsort(warm, RUNS, sizeof *warm, by_value);
    floor_from = now_us();
    (void)number(b->database, "SELECT sum(micros) FROM charges");
    printf("month_summary_warm %.0f ms\n", warm[RUNS / 2]);
    printf("month_summary_floor %.0f ms\n", (now_us() - floor_from) / 1e3);
}

int main(void)
{
    struct bench b = {.folder = "/var/tmp/reeve-bench-XXXXXX"};
    struct err err = {0};
    if (mkdtemp(b.folder) == NULL)
        abort();
    snprintf(b.database, sizeof b.database, "%s/reeve.sqlite", b.folder);
    check(book_open(&b.book, b.database, "bench", &err), &err);
    archive(&b);
    summary(&b);
    book_close(b.book);
    check(dir_remove(b.folder, &err), &err);
    return EXIT_SUCCESS;
}
