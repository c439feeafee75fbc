/* The follower against a real Redis: durable entries only, gaps and other journals never skipped, the ledger check. */
#include <errno.h>
#include <inttypes.h>

#include "base/io/clock.h"
#include "tests/quotas/reports/journal.h"
#include "tests/quotas/store/redis_server.h"

struct world {
    char path[160];
    struct redis_server redis;
    struct store_sync *s;
    struct loop *loop;
    struct link link;
    struct report report;
    uint64_t seq, archived;
};

static void on_archived(void *arg, uint64_t seq)
{
    ((struct world *)arg)->archived = seq;
}

static void reports_open(struct world *w)
{
    struct err err = {0};
    w->link = (struct link){.url = w->redis.url, .cell = "test"};
    w->report = (struct report){.database = w->path, .cell = "test", .link = &w->link, .book = journal_book(w->path)};
    ck_assert_int_eq(follow_new(&w->report.follow, w->loop, w->report.book, &w->link, on_archived, w, &err), 0);
}

static void reports_close(struct world *w)
{
    follow_free(w->report.follow);
    book_close(w->report.book);
    link_fini(&w->link);
    store_accounts_clear(&w->report.budgets.accounts);
}

/* As if an entry long ago had opened it: the tests count entries. */
static void open_total(struct world *w)
{
    char command[512];
    snprintf(command, sizeof command,
             "redis-cli -s %s EVAL \"redis.call('HSET', KEYS[1], 'a:/@total', struct.pack('<i8i8i8i8i8', -1, 0, 0, 0,"
             " 9007199254740991)) redis.call('SADD', KEYS[2], '/@total')\" 2 'reeve3:{test}:c' 'reeve3:{test}:as'"
             " > /dev/null",
             w->redis.socket);
    ck_assert_int_eq(system(command), 0); /* lint: allow no hiredis here */
}

static void store_fresh(struct world *w)
{
    struct err err = {0};
    ck_assert_msg(store_sync_open(&w->s, w->redis.url, "test", &err) == 0, "%s", err_text(&err));
    ck_assert_msg(store_load_library(w->s, &err) == 0, "%s", err_text(&err));
    ck_assert_msg(store_take_term(w->s, "w", 1, &err) == 0, "%s", err_text(&err));
    open_total(w);
}

static struct world *world_make(void)
{
    static struct world w;
    journal_path(w.path);
    w.redis = redis_start(false);
    must(loop_new(&w.loop, NULL));
    store_fresh(&w);
    reports_open(&w);
    return &w;
}

static void world_end(struct world *w)
{
    reports_close(w);
    loop_free(w->loop);
    store_sync_close(w->s);
    redis_stop(&w->redis);
}

/* Writes the fact as the next entry; store_replay() says durable = what is written. */
static void write_as(struct world *w, uint64_t seq, struct fact fact)
{
    struct err err = {0};
    struct buf bytes = {0};
    fact_encode(&fact, &bytes);
    struct store_entry e = {seq, (const uint8_t *)bytes.data, bytes.len, &fact};
    const char *refusal = NULL;
    int r = store_replay(w->s, "w", 1, &e, &refusal, 1, &err);
    ck_assert_msg(r == 0, "%s", err_text(&err));
    buf_fini(&bytes);
    fact_clear(&fact);
}

static void write_next(struct world *w, struct fact fact)
{
    write_as(w, ++w->seq, fact);
}

/* The number of a field of the cell's hash, as a scheduler would set it. */
static void set_field(struct world *w, const char *field, uint64_t value)
{
    char command[512];
    snprintf(command, sizeof command, "redis-cli -s %s HSET 'reeve3:{test}:c' %s %" PRIu64 " > /dev/null",
             w->redis.socket, field, value);
    ck_assert_int_eq(system(command), 0); /* lint: allow no hiredis here */
}

static struct follow_view poll_now(struct world *w)
{
    /* follow_now() leaves out a round that is younger than 2 ms; a second one within that time isn't wanted here. */
    for (uint64_t until = clock_boot_us() + 3000; clock_boot_us() < until;) {
    }
    follow_now(w->report.follow);
    return follow_view(w->report.follow);
}

static void a_job(struct world *w, uint64_t job, int64_t micros)
{
    struct attempt_id id = {job, 0, 1};
    write_next(w, fact_job(job, "acme", "alice", "x", 1));
    struct fact placed = fact_placed_on(id, AT_NOVEMBER, (const char *const[]){"/@total", NULL});
    placed.placed.hold_micros = micros;
    must(strs_add(&placed.placed.path, "acme"));
    must(strs_add(&placed.placed.path, "/"));
    write_next(w, placed);
    struct fact end = fact_end(AT_NOVEMBER, id, micros, NEXT_FINAL, true);
    add_charge(&end.ended.charges, "cpu", 0, 10, micros);
    write_next(w, end);
}

static void policy(struct world *w)
{
    struct fact f = fact_policy(AT_NOVEMBER);
    set_text(&f.policy.currency, "EUR");
    fact_tenant(&f, "acme");
    write_next(w, f);
}

static void check_ledger(struct world *w, const char *says)
{
    struct viewer all = {.all = true};
    struct params none = {0};
    struct problem problem = {0};
    struct answer answer = {0};
    struct ask ask = {.viewer = &all, .params = &none};
    ck_assert_int_eq(ask_open(&ask, &w->report, &problem), 0);
    if (check_answer(&w->report, &ask, &answer, &problem) < 0)
        buf_addf(&answer.body, "%d %s", problem.status, problem.detail);
    ck_assert_msg(strstr(buf_text(&answer.body), says) != NULL, "%s", buf_text(&answer.body));
    buf_fini(&answer.body);
    ask_fini(&ask);
}

START_TEST(what_is_durable_is_archived_and_the_ledger_agrees)
{
    struct world *w = world_make();
    ck_assert_uint_eq(poll_now(w).state, FOLLOW_OK);
    policy(w);
    a_job(w, 1, 700);
    set_field(w, "durable", 2);
    struct follow_view view = poll_now(w);
    ck_assert_uint_eq(view.mark.cursor, 2);
    ck_assert_uint_eq(w->archived, 2);
    check_ledger(w, "\"equal\":true,\"as_of\":4,\"accounts\":1,\"total\":\"0.000700\"");
    ck_assert_uint_eq(book_mark(w->report.book).cursor, 2); /* the check looked ahead and forgot it */
    set_field(w, "durable", 4);
    ck_assert_uint_eq(poll_now(w).mark.cursor, 4);
    check_ledger(w, "\"equal\":true");
    world_end(w);
}
END_TEST

static struct fact budget_opened(const char *account)
{
    struct fact f = {.kind = FACT_BUDGET_OPENED, .at_utc_us = AT_NOVEMBER};
    f.budget_opened = (struct fact_budget_opened){.limit_micros = 100000, .to_utc_us = AT_NOVEMBER};
    set_text(&f.budget_opened.account, account);
    set_text(&f.budget_opened.tenant, "acme");
    return f;
}

static struct fact account_closed(const char *account, int64_t spent)
{
    struct fact f = {.kind = FACT_ACCOUNTS_CLOSED, .at_utc_us = AT_NOVEMBER};
    struct closed_account *c = list_add(&f.accounts_closed.accounts, sizeof *c);
    ck_assert_ptr_nonnull(c);
    c->spent_micros = spent;
    set_text(&c->account, account);
    return f;
}

static struct fact credited(const char *tenant, const char *key, const char *account)
{
    struct fact f = {.kind = FACT_LEDGER_ADJUSTED, .at_utc_us = AT_NOVEMBER, .adjusted = {.micros = -500}};
    set_text(&f.adjusted.tenant, tenant);
    set_text(&f.adjusted.key, key);
    must(strs_add(&f.adjusted.accounts, account));
    must(strs_add(&f.adjusted.accounts, "/@total"));
    return f;
}

static int64_t charged_to(struct world *w, const char *account)
{
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT sum(micros) FROM charges JOIN account_members m USING(accounts)"
                              " WHERE m.account = '%s'", account);
    return journal_number(book_db(w->report.book), sql);
}

/* What was charged stays in the books, and the check knows what stood on an account when it was closed. */
START_TEST(accounts_that_were_closed_are_history)
{
    struct world *w = world_make();
    policy(w);
    write_next(w, budget_opened("acme@2026-10"));
    write_next(w, credited("acme", "k", "acme@2026-10"));
    set_field(w, "durable", w->seq);
    poll_now(w);
    check_ledger(w, "\"equal\":true,\"as_of\":3,\"accounts\":2,");
    write_next(w, account_closed("acme@2026-10", -500));
    check_ledger(w, "\"equal\":true,\"as_of\":4,\"accounts\":1,");
    set_field(w, "durable", w->seq);
    poll_now(w);
    check_ledger(w, "\"equal\":true,\"as_of\":4,\"accounts\":1,");
    ck_assert_int_eq(charged_to(w, "acme@2026-10"), -500);
    /* Another account comes to bear its name: each keeps what it had. */
    struct fact more = fact_policy(AT_NOVEMBER);
    fact_tenant(&more, "beta");
    write_next(w, more);
    write_next(w, budget_opened("beta@2026-10"));
    write_next(w, credited("beta", "k", "beta@2026-10"));
    struct fact gone = fact_policy(AT_NOVEMBER);
    must(strs_add(&gone.policy.removed, "acme"));
    write_next(w, gone);
    struct fact moved = {.kind = FACT_TENANT_MOVED, .at_utc_us = AT_NOVEMBER};
    set_text(&moved.tenant_moved.from, "beta");
    set_text(&moved.tenant_moved.to, "acme");
    set_text(&moved.tenant_moved.who, "root");
    must(strs_add(&moved.tenant_moved.tenants, "beta"));
    must(pairs_set(&moved.tenant_moved.accounts, "beta@2026-10", "acme@2026-10"));
    write_next(w, moved);
    set_field(w, "durable", w->seq);
    ck_assert_uint_eq(poll_now(w).state, FOLLOW_OK);
    check_ledger(w, "\"equal\":true,\"as_of\":9,\"accounts\":2,");
    ck_assert_int_eq(charged_to(w, "acme@2026-10"), -500);
    ck_assert_int_eq(charged_to(w, "acme@2026-10~4"), -500);
    ck_assert_int_eq(db_exec(book_db(w->report.book), "UPDATE closed_accounts SET spent_micros = -499", NULL), 0);
    check_ledger(w, "\"difference\":{\"account\":\"acme@2026-10~4\",\"store_micros\":0,\"report_micros\":-1}");
    world_end(w);
}
END_TEST

START_TEST(the_check_names_the_first_difference)
{
    struct world *w = world_make();
    struct err err = {0};
    policy(w);
    a_job(w, 1, 700);
    set_field(w, "durable", w->seq);
    poll_now(w);
    ck_assert_int_eq(db_exec(book_db(w->report.book), "UPDATE charges SET micros = micros + 1", &err), 0);
    check_ledger(w, "\"equal\":false");
    check_ledger(w, "\"difference\":{\"account\":\"/@total\",\"store_micros\":700,\"report_micros\":701}");
    /* A line that no month's export would show. */
    ck_assert_int_eq(db_exec(book_db(w->report.book), "UPDATE charges SET micros = 700, billing = -1", &err), 0);
    check_ledger(w, "\"difference\":{\"account\":\"BilledCost of all months\",\"store_micros\":700,"
                    "\"report_micros\":0}");
    world_end(w);
}
END_TEST

/* Somebody writes all the time: each part is compared where it was read. */
START_TEST(the_check_needs_no_stillness)
{
    struct world *w = world_make();
    policy(w);
    a_job(w, 1, 700);
    pid_t writer = fork();
    ck_assert_int_ge(writer, 0);
    if (writer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (store_sync_open(&w->s, w->redis.url, "test", NULL) < 0)
            _exit(1);
        for (uint64_t job = 2; job < 4000; job++) /* fewer entries than the check goes ahead of the follower */
            a_job(w, job, 700 + (int64_t)job);
        _exit(0);
    }
    int status = -1, checks = 0;
    do
        check_ledger(w, "\"equal\":true");
    while (++checks > 0 && waitpid(writer, &status, WNOHANG) == 0);
    ck_assert_int_eq(status, 0);
    ck_assert_int_gt(checks, 1); /* it did write meanwhile */
    check_ledger(w, "\"as_of\":11998,"); /* the policy, and three entries a job: all of them now */
    world_end(w);
}
END_TEST

START_TEST(a_gap_is_never_skipped)
{
    struct world *w = world_make();
    struct err err = {0};
    policy(w);
    a_job(w, 1, 700);
    a_job(w, 2, 70);
    set_field(w, "durable", 2);
    ck_assert_uint_eq(poll_now(w).mark.cursor, 2);
    ck_assert_int_eq(store_trim(w->s, 5, &err), 0);
    set_field(w, "durable", w->seq);
    struct follow_view view = poll_now(w);
    ck_assert_uint_eq(view.state, FOLLOW_GAP);
    ck_assert_uint_eq(view.mark.cursor, 2);
    ck_assert_msg(strstr(view.text, "3 to 4") != NULL, "%s", view.text);
    reports_close(w); /* nor by starting again */
    reports_open(w);
    ck_assert_uint_eq(poll_now(w).state, FOLLOW_GAP);
    world_end(w);
}
END_TEST

START_TEST(trimmed_behind_the_cursor_is_fine)
{
    struct world *w = world_make();
    struct err err = {0};
    policy(w);
    a_job(w, 1, 700);
    set_field(w, "durable", w->seq);
    ck_assert_uint_eq(poll_now(w).mark.cursor, w->seq);
    ck_assert_int_eq(store_trim(w->s, w->seq + 1, &err), 0);
    ck_assert_uint_eq(poll_now(w).state, FOLLOW_OK);
    a_job(w, 2, 70);
    set_field(w, "durable", w->seq);
    ck_assert_uint_eq(poll_now(w).mark.cursor, w->seq);
    world_end(w);
}
END_TEST

START_TEST(a_store_that_is_behind_is_waited_for)
{
    struct world *w = world_make();
    struct err err = {0};
    policy(w);
    a_job(w, 1, 700);
    set_field(w, "durable", w->seq);
    ck_assert_uint_eq(poll_now(w).mark.cursor, w->seq);
    ck_assert_int_eq(store_wipe(w->s, &err), 0);
    store_sync_close(w->s);
    store_fresh(w);
    ck_assert_uint_eq(poll_now(w).state, FOLLOW_BEHIND);
    uint64_t seq = w->seq;
    w->seq = 0;
    policy(w); /* the same entries again, as a repair from the file writes them */
    a_job(w, 1, 700);
    ck_assert_uint_eq(w->seq, seq);
    set_field(w, "durable", seq);
    ck_assert_uint_eq(poll_now(w).state, FOLLOW_OK);
    a_job(w, 2, 70);
    set_field(w, "durable", w->seq);
    ck_assert_uint_eq(poll_now(w).mark.cursor, w->seq);
    world_end(w);
}
END_TEST

START_TEST(another_journal_is_not_taken_for_ours)
{
    struct world *w = world_make();
    struct err err = {0};
    policy(w);
    a_job(w, 1, 700);
    set_field(w, "durable", w->seq);
    ck_assert_uint_eq(poll_now(w).mark.cursor, 4);
    ck_assert_int_eq(store_wipe(w->s, &err), 0);
    store_sync_close(w->s);
    store_fresh(w);
    ck_assert_uint_eq(poll_now(w).state, FOLLOW_BEHIND);
    w->seq = 0;
    policy(w);
    a_job(w, 1, 999); /* another history of the same length, and longer */
    a_job(w, 2, 70);
    set_field(w, "durable", w->seq);
    struct follow_view view = poll_now(w);
    ck_assert_uint_eq(view.state, FOLLOW_OTHER_JOURNAL);
    ck_assert_uint_eq(view.mark.cursor, 4);
    reports_close(w);
    reports_open(w);
    ck_assert_uint_eq(poll_now(w).state, FOLLOW_OTHER_JOURNAL);
    world_end(w);
}
END_TEST

START_TEST(an_entry_that_contradicts_the_books_stops_it)
{
    struct world *w = world_make();
    policy(w);
    a_job(w, 1, 700);
    write_next(w, fact_job(1, "acme", "mallory", "again", 1));
    set_field(w, "durable", w->seq);
    struct follow_view view = poll_now(w);
    ck_assert_msg(view.state == FOLLOW_UNREADABLE, "%s", view.text);
    ck_assert_uint_eq(view.mark.cursor, 0); /* the whole batch is left: nothing half-read */
    world_end(w);
}
END_TEST

START_TEST(a_store_that_is_away_leaves_the_last_figures_marked_stale)
{
    struct world *w = world_make();
    policy(w);
    a_job(w, 1, 700);
    set_field(w, "durable", w->seq);
    poll_now(w);
    budgets_refresh(&w->report, 0);
    ck_assert(!w->report.budgets.stale);
    redis_kill(&w->redis);
    ck_assert_uint_eq(poll_now(w).state, FOLLOW_STORE_DOWN);
    budgets_refresh(&w->report, 0);
    ck_assert(w->report.budgets.stale);
    ck_assert_uint_eq(w->report.budgets.accounts.count, 1);
    check_ledger(w, "503 no comparison now");
    world_end(w);
}
END_TEST

int main(void)
{
    journal_top_make();
    test_top_make();
    Suite *suite = suite_create("follow");
    TCase *tc = tcase_create("follow");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, what_is_durable_is_archived_and_the_ledger_agrees);
    tcase_add_test(tc, accounts_that_were_closed_are_history);
    tcase_add_test(tc, the_check_names_the_first_difference);
    tcase_add_test(tc, the_check_needs_no_stillness);
    tcase_add_test(tc, a_gap_is_never_skipped);
    tcase_add_test(tc, trimmed_behind_the_cursor_is_fine);
    tcase_add_test(tc, a_store_that_is_behind_is_waited_for);
    tcase_add_test(tc, another_journal_is_not_taken_for_ours);
    tcase_add_test(tc, an_entry_that_contradicts_the_books_stops_it);
    tcase_add_test(tc, a_store_that_is_away_leaves_the_last_figures_marked_stale);
    suite_add_tcase(suite, tc);
    int failed = journal_run(suite);
    test_top_remove();
    return failed;
}
