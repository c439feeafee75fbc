/* The book: each entry exactly once, money exact per account, whatever dies. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "quotas/billing.h"
#include "tests/quotas/random_ops.h"
#include "tests/quotas/reports/journal.h"

#define OPERATIONS 3000
#define KILL_OPERATIONS 1500
#define KILLS_MAX 100

/* ---- random journals --------------------------------------------------------------------------------------- */
struct entry {
    struct buf bytes;
    bool refused;
};
struct random_journal {
    struct ledger *ledger;
    struct ops_world world;
    struct entry *v; /* v[0] is seq 1 */
    size_t count;
    struct billing_month open; /* the billing month that isn't closed yet */
};

/* What the fact spends, as lines: two resources, one of them now and then left out (the book must notice). */
static void add_lines(struct random_journal *j, struct fact *f)
{
    bool renewed = f->kind == FACT_HOLD_RENEWED;
    struct list *charges = renewed ? &f->renewed.charges : &f->ended.charges;
    struct ops_attempt *a = ops_find_attempt(&j->world, renewed ? f->renewed.id : f->ended.id);
    int64_t growth = (renewed ? f->renewed.spent_micros : f->ended.spent_micros) - a->spent;
    int64_t memory = growth > 0 ? (int64_t)random_below(&j->world.seed, (uint64_t)growth + 1) : 0;
    uint64_t run_us = random_below(&j->world.seed, 3 * (uint64_t)DAY_US);
    add_charge(charges, "memory", 0, run_us, memory);
    if (random_below(&j->world.seed, 10) > 0)
        add_charge(charges, "cpu", 0, run_us, growth - memory);
}

static void add_entry(struct random_journal *j, const struct fact *f, bool refused)
{
    struct entry *e = &j->v[j->count++];
    fact_encode(f, &e->bytes);
    e->refused = refused;
}

/* Closes the month soon after its end: what comes later about it is a correction. */
static void maybe_close(struct random_journal *j)
{
    if (j->open.to_utc_us == 0)
        j->open = billing_month_at(NULL, j->world.at);
    if (j->world.at < j->open.to_utc_us)
        return;
    struct fact f = {.kind = FACT_PERIOD_CLOSED, .at_utc_us = j->world.at};
    f.period_closed = (struct fact_period_closed){NULL, j->open.from_utc_us, j->open.to_utc_us};
    set_text(&f.period_closed.period, j->open.name);
    add_entry(j, &f, false);
    fact_clear(&f);
    j->open = billing_month_at(NULL, j->open.to_utc_us);
}

static void random_journal_make(struct random_journal *j, uint64_t seed, size_t operations)
{
    *j = (struct random_journal){.world = {.seed = seed, .at = AT_NOVEMBER, .next_job = 1, .jobs_only = true}};
    j->v = calloc(3 * operations, sizeof *j->v);
    must(ledger_new(&j->ledger, NULL));
    for (size_t i = 0; i < operations; i++) {
        struct fact f = ops_next(&j->world, j->ledger);
        bool fair = ops_is_fair(&j->world, &f) && f.kind != FACT_ATTEMPT_RUNNING;
        bool fits = fair && ledger_check(j->ledger, &f, NULL) == LEDGER_FITS;
        if (fits && (f.kind == FACT_HOLD_RENEWED || f.kind == FACT_ATTEMPT_ENDED))
            add_lines(j, &f);
        if (fits) {
            ledger_apply(j->ledger, &f);
            ops_admitted(&j->world, &f);
        }
        if (fair)
            add_entry(j, &f, !fits);
        if (fits && f.kind == FACT_ATTEMPT_PLACED) {
            struct fact running = fact_running_at(f.placed.id, j->world.at);
            add_entry(j, &running, false);
        }
        maybe_close(j);
        fact_clear(&f);
    }
}

static void random_journal_fini(struct random_journal *j)
{
    for (size_t i = 0; i < j->count; i++)
        buf_fini(&j->v[i].bytes);
    free(j->v);
    fact_clear(&j->world.waiting);
    ledger_free(j->ledger);
}

static int apply_entry(struct book *book, const struct random_journal *j, uint64_t seq, struct err *err)
{
    const struct entry *e = &j->v[seq - 1];
    return book_apply(book, seq, e->refused ? "budget" : NULL, buf_text(&e->bytes), e->bytes.len, err);
}

/* Entries from..to in one transaction. No assertions: the child that is to be killed calls it too, and half a message
 * in Check's pipe would end the whole program. */
static int apply_batch(struct book *book, const struct random_journal *j, uint64_t from, uint64_t to, struct err *err)
{
    int r = book_begin(book, err);
    for (uint64_t seq = from; seq <= to && r == 0; seq++)
        r = apply_entry(book, j, seq, err);
    return r == 0 ? book_commit(book, err) : r;
}

static int apply_rest(struct book *book, struct random_journal *j, struct err *err)
{
    int r = 0;
    while (r == 0 && book_next(book) <= j->count) {
        uint64_t last = book_next(book) + random_below(&j->world.seed, 200);
        r = apply_batch(book, j, book_next(book), MIN(last, (uint64_t)j->count), err);
    }
    return r;
}

static void apply_all(struct book *book, struct random_journal *j)
{
    struct err err = {0};
    ck_assert_msg(apply_rest(book, j, &err) == 0, "%s", err_text(&err));
}

static bool same_account(const struct account_view *view, void *arg)
{
    struct book *book = arg;
    CLEANUP(db_finalize_p) sqlite3_stmt *s = NULL;
    struct err err = {0};
    if (view->resource != NULL)
        return true; /* hours of something: no charge has rows of them */
    ck_assert_int_eq(db_prepare(book_db(book), "SELECT coalesce(sum(c.micros), 0) FROM charges c JOIN account_members m"
                                               " USING(accounts) WHERE m.account = ?1", &s, &err), 0);
    ck_assert_int_eq(db_bind(s, "t", view->name), 0);
    ck_assert_int_eq(db_step(s, &err), 1);
    ck_assert_msg(sqlite3_column_int64(s, 0) == view->spent_micros, "%s: rows %lld, ledger %" PRId64, view->name,
                  (long long)sqlite3_column_int64(s, 0), view->spent_micros);
    return true;
}

START_TEST(rows_add_up_to_the_ledger_account_by_account)
{
    struct random_journal j;
    char path[160];
    random_journal_make(&j, random_seed("rows_add_up"), OPERATIONS);
    struct book *book = journal_book(journal_path(path));
    apply_all(book, &j);
    ledger_each_account(j.ledger, same_account, book);
    struct account_view total;
    ck_assert(ledger_account(j.ledger, "/@total", &total));
    ck_assert_int_gt(total.spent_micros, 0);
    static const char *const sums[] = {"SELECT sum(micros) FROM charges", "SELECT sum(spent_micros) FROM jobs",
                                       "SELECT sum(spent_micros) FROM attempts", "SELECT sum(micros) FROM spend"};
    for (size_t i = 0; i < COUNT_OF(sums); i++)
        ck_assert_int_eq(journal_number(book_db(book), sums[i]), total.spent_micros);
    ck_assert_int_gt(journal_number(book_db(book), "SELECT adjusted FROM meta"), 0);
    ck_assert_int_eq(journal_number(book_db(book), "SELECT count(*) FROM jobs WHERE live < 0 OR done > tasks"), 0);
    /* No line was ever added to a closed month; what is late says so. */
    ck_assert_int_eq(journal_number(book_db(book), "SELECT count(*) FROM charges JOIN billing_periods p USING(billing)"
                                                   " WHERE seq > closed_seq"), 0);
    ck_assert_int_eq(journal_number(book_db(book), "SELECT count(*) FROM charges c JOIN billing_periods p"
                                                   " USING(billing) WHERE (c.from_utc_us < p.from_utc_us) <>"
                                                   " correction"), 0);
    ck_assert_int_gt(journal_number(book_db(book), "SELECT count(closed_seq) FROM billing_periods"), 0);
    book_close(book);
    random_journal_fini(&j);
}
END_TEST

START_TEST(the_same_batch_again_changes_nothing)
{
    struct random_journal j;
    struct buf before = {0}, after = {0};
    char path[160];
    random_journal_make(&j, random_seed("same_batch"), 300);
    struct book *book = journal_book(journal_path(path));
    apply_all(book, &j);
    journal_dump(book_db(book), &before);
    struct err err = {0};
    ck_assert_int_eq(apply_batch(book, &j, 1, j.count, &err), 0);
    journal_dump(book_db(book), &after);
    ck_assert_str_eq(buf_text(&before), buf_text(&after));
    book_close(book);
    buf_fini(&before);
    buf_fini(&after);
    random_journal_fini(&j);
}
END_TEST

/* ---- kill -9 ----------------------------------------------------------------------------------------------- */
static void die_within(uint64_t us)
{
    struct sigevent kill_us = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    timer_t timer;
    struct itimerspec when = {.it_value = {.tv_nsec = (long)us * 1000}};
    if (timer_create(CLOCK_MONOTONIC, &kill_us, &timer) < 0 || timer_settime(timer, 0, &when, NULL) < 0)
        _exit(99);
}

static _Noreturn void child(const char *path, struct random_journal *j, uint64_t us)
{
    struct book *book = NULL;
    struct err err = {0};
    if (us > 0)
        die_within(us);
    if (book_open(&book, path, "test", &err) < 0)
        _exit(98);
    j->world.seed ^= us;
    _exit(apply_rest(book, j, &err) == 0 ? 0 : 97);
}

START_TEST(killed_in_the_middle_of_batches_it_goes_on_where_it_was)
{
    struct random_journal j;
    struct buf straight = {0}, torn = {0};
    char path[160], other[160];
    uint64_t seed = random_seed("kill");
    random_journal_make(&j, seed, KILL_OPERATIONS);
    struct book *book = journal_book(journal_path(path));
    apply_all(book, &j);
    journal_dump(book_db(book), &straight);
    book_close(book);
    journal_path(other);
    int kills = 0, status = 1;
    while (status != 0) {
        /* Longer each time: the first ones die while the file is made, the last ones finish; the very last has time. */
        uint64_t us = kills < KILLS_MAX ? 200 + random_below(&seed, 1000 + 500 * (uint64_t)kills) : 0;
        pid_t pid = fork();
        if (pid == 0)
            child(other, &j, us);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL), "status %x",
                      (unsigned)status);
        kills += status != 0;
    }
    ck_assert_int_gt(kills, 3);
    book = journal_book(other);
    ck_assert_uint_eq(book_mark(book).cursor, j.count);
    journal_dump(book_db(book), &torn);
    ck_assert(strcmp(buf_text(&straight), buf_text(&torn)) == 0);
    book_close(book);
    buf_fini(&straight);
    buf_fini(&torn);
    random_journal_fini(&j);
}
END_TEST

/* ---- what is refused leaves no trace ------------------------------------------------------------------------ */
static struct fact gap_fact(void)
{
    return fact_job(2, "acme", "alice", "x", 1);
}
static struct fact known_job(void)
{
    return fact_job(1, "acme", "alice", "x", 1);
}
static struct fact end_of_nobody(void)
{
    return fact_end(AT_NOVEMBER, (struct attempt_id){1, 0, 7}, 5, NEXT_FINAL, true);
}
static struct fact second_end(void)
{
    return fact_end(AT_NOVEMBER, (struct attempt_id){1, 0, 1}, 5, NEXT_FINAL, true);
}
static struct fact place_of_no_job(void)
{
    return fact_placed_on((struct attempt_id){9, 0, 1}, AT_NOVEMBER, (const char *const[]){"/@total", NULL});
}
static struct fact endless_charge(void)
{
    struct fact f = {.kind = FACT_HOLD_RENEWED, .renewed = {.id = {1, 0, 2}, .spent_micros = 5}};
    add_charge(&f.renewed.charges, "cpu", UINT64_MAX, 1, 5);
    return f;
}
static struct fact huge_charge(void)
{
    struct fact f = {.kind = FACT_HOLD_RENEWED, .renewed = {.id = {1, 0, 2}, .spent_micros = 5}};
    add_charge(&f.renewed.charges, "cpu", 0, 1, INT64_MAX);
    return f;
}
static struct fact snapshot_in_journal(void)
{
    return (struct fact){.kind = FACT_SNAPSHOT_CELL};
}

static const struct {
    const char *what;
    struct fact (*make)(void);
    uint64_t skip;
    int code;
} refused[] = {
    {"an entry after a missing one", gap_fact, 1, -ERANGE},
    {"a job that is there already", known_job, 0, -EPROTO},
    {"the end of an attempt that nobody placed", end_of_nobody, 0, -EPROTO},
    {"the second end of an attempt", second_end, 0, -EPROTO},
    {"a placement of a job that nobody submitted", place_of_no_job, 0, -EPROTO},
    {"a charge beyond the end of time", endless_charge, 0, -EPROTO},
    {"a charge beyond all money", huge_charge, 0, -EPROTO},
    {"a snapshot's fact", snapshot_in_journal, 0, -EPROTO},
};

START_TEST(a_contradiction_is_refused_and_leaves_no_trace)
{
    struct buf before = {0}, after = {0};
    struct err err = {0};
    char path[160];
    struct book *book = journal_book(journal_path(path));
    journal_job(book, 1, "acme", "alice", "x", AT_NOVEMBER, 1000000, 5);
    journal_take(book,
                 fact_placed_on((struct attempt_id){1, 0, 2}, AT_NOVEMBER, (const char *const[]){"/@total", NULL}));
    journal_dump(book_db(book), &before);
    struct fact fact = refused[_i].make();
    ck_assert_int_eq(book_begin(book, &err), 0);
    int r = journal_apply(book, book_next(book) + refused[_i].skip, &fact, &err);
    ck_assert_msg(r == refused[_i].code, "%s: %d %s", refused[_i].what, r, err_text(&err));
    book_rollback(book);
    journal_dump(book_db(book), &after);
    ck_assert_str_eq(buf_text(&before), buf_text(&after));
    fact_clear(&fact);
    journal_take(book, fact_job(3, "acme", "alice", "goes on", 1));
    book_close(book);
    buf_fini(&before);
    buf_fini(&after);
}
END_TEST

START_TEST(bytes_that_are_no_fact_are_refused)
{
    static const uint8_t unknown[] = {0x7f, 0x00}, cut[] = {0x83};
    struct err err = {0};
    char path[160];
    struct book *book = journal_book(journal_path(path));
    ck_assert_int_eq(book_begin(book, &err), 0);
    ck_assert_int_eq(book_apply(book, 1, NULL, unknown, sizeof unknown, &err), -EPROTONOSUPPORT);
    ck_assert_int_eq(book_apply(book, 1, "", cut, sizeof cut, &err), -EBADMSG);
    ck_assert_int_eq(book_apply(book, 1, NULL, "", 0, &err), -EBADMSG);
    ck_assert_int_eq(book_apply(book, 1, "budget", cut, sizeof cut, &err), 0); /* refused: nobody reads it */
    book_close(book);
}
END_TEST

/* ---- money in time ------------------------------------------------------------------------------------------ */
static const struct {
    const char *what;
    int64_t begin;
    uint64_t run_us;
    int64_t micros;
    int64_t days[4];
} cuts[] = {
    {"within a day", AT_NOVEMBER, 3600000000, 7, {7}},
    {"an hour on each side", AT_NOVEMBER + DAY_US - 3600000000, 7200000000, 7, {4, 3}}, /* 3.5 is 4, half to even */
    {"three days", AT_NOVEMBER + DAY_US / 2, 2 * (uint64_t)DAY_US, 1000001, {250000, 500001, 250000}},
    {"a refund", AT_NOVEMBER + DAY_US - 3600000000, 7200000000, -7, {-4, -3}},
    {"begins at midnight", AT_NOVEMBER + DAY_US, 5, 7, {0, 7}},
    {"ends at midnight", AT_NOVEMBER + DAY_US - 5, 5, 7, {7}},
    {"took no time", AT_NOVEMBER, 0, 7, {7}},
};

START_TEST(a_charge_is_cut_at_midnight_and_adds_up)
{
    char path[160], sql[200];
    struct book *book = journal_book(journal_path(path));
    journal_job(book, 1, "acme", "alice", "x", cuts[_i].begin, cuts[_i].run_us, cuts[_i].micros);
    for (int day = 0; day < 4; day++) {
        snprintf(sql, sizeof sql,
                 "SELECT coalesce(sum(micros), 0) FROM charges WHERE from_utc_us >= %lld AND from_utc_us < %lld",
                 (long long)(AT_NOVEMBER + day * DAY_US), (long long)(AT_NOVEMBER + (day + 1) * DAY_US));
        ck_assert_msg(journal_number(book_db(book), sql) == cuts[_i].days[day], "%s, day %d: %lld", cuts[_i].what, day,
                      (long long)journal_number(book_db(book), sql));
    }
    ck_assert_int_eq(journal_number(book_db(book), "SELECT sum(micros) FROM charges"), cuts[_i].micros);
    ck_assert_int_eq(journal_number(book_db(book), "SELECT sum(run_us) FROM charges"), (int64_t)cuts[_i].run_us);
    book_close(book);
}
END_TEST

START_TEST(what_a_slice_cost_is_posted_where_it_was_held)
{
    struct attempt_id id = {1, 0, 1};
    char path[160];
    struct book *book = journal_book(journal_path(path));
    journal_take(book, fact_job(1, "acme", "alice", "x", 1));
    journal_take(book, fact_placed_on(id, AT_NOVEMBER, (const char *const[]){"acme@2026-11", "/@total", NULL}));
    struct fact renew = {.kind = FACT_HOLD_RENEWED, .renewed = {.id = id, .spent_micros = 30, .hold_micros = 10}};
    must(strs_add(&renew.renewed.accounts, "acme@2026-12"));
    must(strs_add(&renew.renewed.accounts, "/@total"));
    add_charge(&renew.renewed.charges, "cpu", 0, 10, 30);
    journal_take(book, renew);
    journal_take(book, fact_end(AT_NOVEMBER, id, 34, NEXT_FINAL, true));
    static const char sum[] =
        "SELECT sum(micros) FROM charges JOIN account_members USING(accounts) WHERE account = '%s'";
    static const struct { const char *account; int64_t micros; } want[] = {
        {"acme@2026-11", 30}, {"acme@2026-12", 4}, {"/@total", 34}};
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        char sql[256];
        snprintf(sql, sizeof sql, sum, want[i].account);
        ck_assert_int_eq(journal_number(book_db(book), sql), want[i].micros);
    }
    ck_assert_int_eq(journal_number(book_db(book), "SELECT micros FROM charges WHERE resource = 'adjustment'"), 4);
    book_close(book);
}
END_TEST

/* ---- whose file --------------------------------------------------------------------------------------------- */
START_TEST(only_one_at_a_time_and_only_ours)
{
    struct book *book, *other = NULL;
    struct err err = {0};
    char path[160];
    book = journal_book(journal_path(path));
    ck_assert_int_eq(book_open(&other, path, "test", &err), -EBUSY);
    book_close(book);
    ck_assert_int_eq(book_open(&other, path, "elsewhere", &err), -EXDEV);
    sqlite3 *db = NULL;
    ck_assert_int_eq(db_open(&db, path, DB_WRITER, &err), 0);
    ck_assert_int_eq(db_exec(db, "PRAGMA user_version=99", &err), 0);
    db_close(db);
    ck_assert_int_eq(book_open(&other, path, "test", &err), -EPROTONOSUPPORT);
    ck_assert_ptr_nonnull(strstr(err_text(&err), "99"));
}
END_TEST

/* From before accounts were closed, and from before bytes were summed up. */
#define BACK_TO_3 "DROP TABLE io_days; ALTER TABLE prices RENAME COLUMN micros TO micros_per_hour;" \
    "ALTER TABLE attempts DROP COLUMN io_bytes; ALTER TABLE attempts DROP COLUMN io_charged; PRAGMA user_version=3;"
#define BACK_TO_2 BACK_TO_3 "DROP TABLE closed_accounts; PRAGMA user_version=2"
START_TEST(a_file_of_an_older_version_is_brought_up)
{
    struct book *book;
    struct err err = {0};
    char path[160];
    book = journal_book(journal_path(path));
    journal_job(book, 1, "acme", "alice", "x", AT_NOVEMBER, 1000000, 5);
    struct attempt_id runs = {2, 0, 1};
    struct fact renewed = {.kind = FACT_HOLD_RENEWED, .at_utc_us = AT_NOVEMBER + 1};
    renewed.renewed = (struct fact_renewed){.id = runs, .spent_micros = 5, .settled_us = 1000000};
    must(strs_add(&renewed.renewed.accounts, "/@total"));
    add_charge(&renewed.renewed.charges, RESOURCE_IO, 0, 1000000, 5);
    journal_take(book, fact_job(2, "acme", "alice", "y", 1));
    journal_take(book, fact_placed_on(runs, AT_NOVEMBER, (const char *const[]){"/@total", NULL}));
    journal_take(book, renewed);
    ck_assert_int_eq(journal_number(book_db(book), "SELECT sum(io_charged) FROM attempts"), 1000);
    ck_assert_msg(db_exec(book_db(book), _i == 2 ? BACK_TO_2 : BACK_TO_3, &err) == 0, "%s", err_text(&err));
    book_close(book);
    ck_assert_msg(book_open(&book, path, "test", &err) == 0, "%s", err_text(&err));
    ck_assert_int_eq(journal_number(book_db(book), "PRAGMA user_version"), 4);
    ck_assert_int_eq(journal_number(book_db(book), "SELECT count(*) FROM io_days"), 0);
    ck_assert_int_eq(journal_number(book_db(book), "SELECT count(io_bytes) FROM attempts"), 0);
    ck_assert_int_eq(journal_number(book_db(book), "SELECT sum(io_charged) FROM attempts"), 1000);
    ck_assert_int_eq(journal_number(book_db(book), "SELECT count(micros) FROM prices"), 0);
    ck_assert_int_eq(journal_number(book_db(book), "SELECT count(*) FROM closed_accounts"), 0);
    ck_assert_int_eq(journal_number(book_db(book), "SELECT count(*) FROM jobs"), 2);
    book_close(book);
    /* One that is older still is refused, and another cell's is left alone. */
    sqlite3 *db = NULL;
    ck_assert_int_eq(db_open(&db, path, DB_WRITER, &err), 0);
    ck_assert_int_eq(db_exec(db, BACK_TO_2, &err), 0);
    ck_assert_int_eq(book_open(&book, path, "elsewhere", &err), -EXDEV);
    ck_assert_int_eq(journal_number(db, "PRAGMA user_version"), 2);
    ck_assert_int_eq(db_exec(db, "PRAGMA user_version=1", &err), 0);
    db_close(db);
    ck_assert_int_eq(book_open(&book, path, "test", &err), -EPROTONOSUPPORT);
}
END_TEST

START_TEST(a_file_that_is_no_database_is_refused)
{
    struct book *book = NULL;
    struct err err = {0};
    char path[160];
    static const char text[] =
        "dear diary, these are five hundred bytes of something else .................................";
    must(file_write_durable(journal_path(path), text, sizeof text, 0600, &err));
    ck_assert_int_eq(book_open(&book, path, "test", &err), -EUCLEAN);
}
END_TEST

int main(void)
{
    journal_top_make();
    Suite *suite = suite_create("book");
    TCase *tc = tcase_create("book");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, rows_add_up_to_the_ledger_account_by_account);
    tcase_add_test(tc, the_same_batch_again_changes_nothing);
    tcase_add_test(tc, killed_in_the_middle_of_batches_it_goes_on_where_it_was);
    tcase_add_loop_test(tc, a_contradiction_is_refused_and_leaves_no_trace, 0, (int)COUNT_OF(refused));
    tcase_add_test(tc, bytes_that_are_no_fact_are_refused);
    tcase_add_loop_test(tc, a_charge_is_cut_at_midnight_and_adds_up, 0, (int)COUNT_OF(cuts));
    tcase_add_test(tc, what_a_slice_cost_is_posted_where_it_was_held);
    tcase_add_test(tc, only_one_at_a_time_and_only_ours);
    tcase_add_loop_test(tc, a_file_of_an_older_version_is_brought_up, 2, 4);
    tcase_add_test(tc, a_file_that_is_no_database_is_refused);
    suite_add_tcase(suite, tc);
    return journal_run(suite);
}
