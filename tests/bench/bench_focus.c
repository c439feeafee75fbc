/*
 * A month of a million charge lines as FOCUS rows, in each format. Floor: the same lines read from SQLite, all of their
 * columns and nothing else.
 */
#include <errno.h>

#include "tests/bench/measure.h"
#include "tests/quotas/reports/focus_books.h"

#define ROWS 1000000
#define RUNS 3

/* CPU time: one thread that waits for nothing, and neighbours that take the cores don't count. */
static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must_do(bool done, const char *what)
{
    if (!done) {
        fprintf(stderr, "bench_focus: %s failed\n", what);
        exit(EXIT_FAILURE);
    }
}

/* Three lines at a time of one attempt after the other, as renewals post them: more attempts than an export keeps. */
static void spread(struct book *b)
{
    struct err err = {0};
    must_do(db_exec(book_db(b),
                    "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)"
                    " INSERT INTO jobs SELECT i, tenant, uid, user, name, 'k' || i, labels, spec,"
                    " submitted_utc_us, ended_utc_us, tasks, live, held, done, failed, exit_code, spent_micros"
                    " FROM n JOIN jobs ON job = 1;"
                    "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)"
                    " INSERT INTO attempts(job, task, epoch, state, node, resources, accounts, placed_utc_us,"
                    " hold_micros, paid_us, price_version, cpu_milli, mem_bytes) SELECT i, 0, 1, state, node,"
                    " resources, accounts, placed_utc_us, 0, 0, 1, 0, 0 FROM n JOIN attempts ON attempt = 1;"
                    "UPDATE charges SET attempt = 1 + charge / 3 % 30000", &err) == 0, err_text(&err));
}

/* Nine kinds of line. */
static void fill(const char *path)
{
    struct book *b = NULL;
    struct err err = {0};
    must_do(book_open(&b, path, "bench", &err) == 0, "open");
    journal_take(b, books_policy(NULL, NULL));
    for (uint64_t job = 1; job <= 9; job++) {
        struct list lines = {0};
        struct attempt_id id = books_job(b, job, job % 2 ? "acme/etl" : "beta", "nightly", NOVEMBER + 2 * DAY);
        add_priced(&lines, job % 3 ? "cpu" : "memory", 2500, 0, 14 * (uint64_t)MINUTE, 40000, 38000);
        books_renew(b, id, NOVEMBER + 2 * DAY + HOUR, 0, lines);
    }
    books_multiply(b, ROWS);
    spread(b);
    book_close(b);
}

/* Microseconds for the whole month; *ret_bytes what came out. */
static double export(const char *path, const char *query, double *ret_bytes)
{
    const struct viewer all = {.all = true, .scopes = SCOPE_COST};
    struct report report = {.database = path, .cell = "bench"};
    struct params params = {0};
    struct problem problem = {0};
    struct answer answer = {0};
    struct err err = {0};
    struct buf out = {0};
    struct ask ask = {.viewer = &all, .params = &params};
    double begin = cpu_us();
    must_do(params_parse(query, &params, &problem) == 0 && ask_open(&ask, &report, &problem) == 0 &&
                focus_answer(&report, &ask, &answer, &problem) == 0, "ask");
    int r = 1;
    for (*ret_bytes = 0; r == 1;) { /* as http_reply does, in chunks */
        buf_reset(&out);
        while (r == 1 && out.len < 32768)
            r = answer.rows->next(answer.rows, &out, &err);
        *ret_bytes += (double)out.len;
    }
    must_do(r == 0, "rows");
    answer.rows->free(answer.rows);
    buf_fini(&out);
    params_fini(&params);
    ask_fini(&ask);
    return cpu_us() - begin;
}

static double scan(const char *path)
{
    sqlite3 *db;
    struct err err = {0};
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    double begin = cpu_us();
    int64_t sum = 0;
    must_do(db_open(&db, path, DB_READER, &err) == 0 &&
                db_prepare(db, "SELECT * FROM charges ORDER BY charge", &s, &err) == 0, "prepare");
    while (db_step(s, &err) == 1)
        for (int i = 0; i < sqlite3_column_count(s); i++)
            sum += sqlite3_column_type(s, i) == SQLITE_TEXT ? sqlite3_column_text(s, i)[0] : sqlite3_column_int64(s, i);
    must_do(sum != 0, "scan");
    sqlite3_finalize(s);
    s = NULL;
    db_close(db);
    return cpu_us() - begin;
}

static double median(double *v)
{
    qsort(v, RUNS, sizeof *v, by_value);
    return v[RUNS / 2];
}

/* The books are made by the tests' helpers, which want a test around them. */
START_TEST(bench)
{
    static const char *const formats[] = {"csv", "json", "ndjson"};
    char path[160], query[100];
    double times[COUNT_OF(formats)][RUNS], floor_times[RUNS], bytes[COUNT_OF(formats)];
    snprintf(path, sizeof path, "%s/reeve.sqlite", journal_top);
    fill(path);
    for (int run = 0; run < RUNS; run++) {
        floor_times[run] = scan(path);
        for (size_t i = 0; i < COUNT_OF(formats); i++) {
            snprintf(query, sizeof query, "billing_period=2026-11&format=%s", formats[i]);
            times[i][run] = export(path, query, &bytes[i]);
        }
    }
    printf("focus.floor_scan %.0f rows/s of CPU time\n", ROWS / median(floor_times) * 1e6);
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        printf("focus.%s %.0f rows/s of CPU time, %.0f bytes a row\n", formats[i], ROWS / median(times[i]) * 1e6,
               bytes[i] / ROWS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bench");
    TCase *tc = tcase_create("bench");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, bench);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    journal_top_make();
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    journal_top_remove();
    return failed == 0 ? 0 : 1;
}
