/* The books' bytes beside the kernel's: by attempt, node and day; what differs is seen, and where. */
#include <stdlib.h>
#include <string.h>

#include "base/io/log.h"
#include "quotas/reports/io_days.h"
#include "quotas/reports/viewer.h"
#include "tests/quotas/reports/asking.h"

#define M UINT64_C(1000000)
#define PRICE ((int64_t)1 << 30) /* of a GiB: a byte costs a micro-unit */
#define NOON (AT_NOVEMBER - AT_NOVEMBER % DAY_US + DAY_US / 2)

static struct book *book;
static struct report report;
static char path[160];
static uint64_t jobs;
static struct ledger_io_reply reply;

/* What its node said in the end, and what it was charged. */
struct moved {
    uint64_t kernel, told, uncounted, cached;
    uint64_t charged;
    int64_t off_micros;
    bool unpriced, old, unmetered; /* it had no price; an agent that says no parts; a node that counts nothing */
};

static void add_version(struct policy_change *p, int64_t from_utc_us, int64_t price)
{
    struct price_version *v = list_add(&p->prices, sizeof *v);
    v->version = (uint32_t)p->prices.count;
    v->from_utc_us = from_utc_us;
    must(price > 0 ? counts_set(&v->per_gib, RESOURCE_IO, (uint64_t)price) : 0);
}

/* A third version: what a GiB costs from then on; -1: there is none. */
static void set_prices(uint32_t version, int64_t from_utc_us, int64_t price)
{
    struct fact f = {.kind = FACT_POLICY_SET, .at_utc_us = NOON - DAY_US};
    f.policy = (struct policy_change){.version = version, .set_prices = true};
    add_version(&f.policy, NOON - 10 * DAY_US, PRICE);
    add_version(&f.policy, NOON - 9 * DAY_US, 0);
    if (price >= 0)
        add_version(&f.policy, from_utc_us, price);
    journal_take(book, f);
}

static void setup(void)
{
    book = journal_book(journal_path(path));
    report = (struct report){.database = path, .cell = "test", .book = book};
    set_prices(1, 0, -1);
}

static void teardown(void)
{
    fields_clear(&ledger_io_reply_fields, &reply);
    book_close(book);
}

static void add_io(struct list *charges, uint64_t from_us, uint64_t bytes)
{
    if (bytes == 0)
        return;
    add_charge(charges, RESOURCE_IO, from_us, 1000, (int64_t)bytes);
    struct charge *c = &((struct charge *)charges->v)[charges->count - 1];
    c->amount = bytes;
    c->by = PRICE_BY_USE;
    c->list_price = c->price = PRICE;
}

static struct attempt_id begin(int64_t at, bool unpriced)
{
    struct attempt_id id = {++jobs, 0, 1};
    struct fact placed = fact_placed_on(id, at, (const char *const[]){"/@total", NULL});
    placed.placed.price_version = unpriced ? 2 : 1;
    journal_take(book, fact_job(id.job, "acme", "alice", "x", 1));
    journal_take(book, placed);
    journal_take(book, fact_running_at(id, at));
    return id;
}

/* charged_before: of m->charged, by a renewal. */
static void end(struct attempt_id id, int64_t at, const struct moved *m, uint64_t charged_before)
{
    struct fact f = fact_end(at, id, (int64_t)m->charged, NEXT_FINAL, true);
    struct usage *u = &f.ended.record.usage;
    set_text(&f.ended.node, "n1");
    f.ended.record.run_us = 2000;
    f.ended.written_off_micros = m->off_micros;
    add_io(&f.ended.charges, 1000, m->charged - charged_before);
    if (!m->unmetered) {
        u->read_bytes = measure_of(m->kernel);
        u->written_bytes = measure_of(0);
        u->io_bytes = measure_of(m->told);
        u->io_uncounted_bytes = m->old ? (struct measure){0} : measure_of(m->uncounted);
        u->io_cached_bytes = m->old ? (struct measure){0} : measure_of(m->cached);
    }
    journal_take(book, f);
}

static void ended(int64_t at, const struct moved *m)
{
    end(begin(at - 2000, m->unpriced), at, m, 0);
}

/* A renewal: what its node had counted, and what was charged of it. */
static void renewed(struct attempt_id id, int64_t at, uint64_t counted, uint64_t charged)
{
    struct fact f = {.kind = FACT_HOLD_RENEWED, .at_utc_us = at};
    f.renewed = (struct fact_renewed){.id = id, .spent_micros = (int64_t)charged, .settled_us = 1000, .paid_us = 9000};
    must(strs_add(&f.renewed.accounts, "/@total"));
    add_io(&f.renewed.charges, 0, charged);
    struct meter_mark *mark = list_add(&f.renewed.marks, sizeof *mark);
    set_text(&mark->resource, RESOURCE_IO);
    mark->used = measure_of(counted);
    journal_take(book, f);
}

static const struct ledger_io_row *look(int64_t at)
{
    struct viewer all = {.all = true};
    struct ask ask = {.viewer = &all};
    struct problem problem = {0};
    struct err err = {0};
    fields_clear(&ledger_io_reply_fields, &reply);
    ck_assert_int_eq(ask_open(&ask, &report, &problem), 0);
    ask.now_utc_us = at;
    ck_assert_msg(io_days_read(&ask, (struct ledger_io_call){0}, &reply, &err) == 0, "%s", err_text(&err));
    ask_fini(&ask);
    return reply.rows.v;
}

/* ---- one attempt ---- */

static const struct row {
    const char *sentence;
    struct moved m;
    struct ledger_io_row is;
    bool differs;
} rows[] = {
    {"each byte once", {.kernel = 10 * M, .told = 10 * M, .charged = 10 * M}, {.charged_bytes = 10 * M}, false},
    {"beside them what was moved in memory, and logs",
     {.kernel = 10 * M, .told = 14 * M, .uncounted = 4 * M, .charged = 14 * M}, {.charged_bytes = 14 * M}, false},
    {"through the page cache, and never seen by a disk",
     {.kernel = 0, .told = 10 * M, .cached = 10 * M, .charged = 10 * M}, {.charged_bytes = 10 * M}, false},
    {"each byte twice", {.kernel = 10 * M, .told = 10 * M, .charged = 20 * M},
     {.charged_bytes = 20 * M, .twice_bytes = 10 * M}, true},
    {"half of them", {.kernel = 10 * M, .told = 10 * M, .charged = 5 * M},
     {.charged_bytes = 5 * M, .lost_bytes = 5 * M}, true},
    {"half of them, the platform pays the rest",
     {.kernel = 10 * M, .told = 10 * M, .charged = 5 * M, .off_micros = 5 * (int64_t)M},
     {.charged_bytes = 5 * M, .written_off_bytes = 5 * M}, false},
    {"half of them, and less was written off than that costs",
     {.kernel = 10 * M, .told = 10 * M, .charged = 5 * M, .off_micros = 2 * (int64_t)M},
     {.charged_bytes = 5 * M, .written_off_bytes = 2 * M + 1, .lost_bytes = 3 * M - 1}, true},
    {"nothing of it: its node failed", {.kernel = 10 * M, .told = 10 * M, .off_micros = 1},
     {.written_off_bytes = 10 * M}, false},
    {"nothing of it, and nobody says why", {.kernel = 10 * M, .told = 10 * M}, {.lost_bytes = 10 * M}, true},
    {"nothing of it: it has no price", {.kernel = 10 * M, .told = 10 * M, .unpriced = true},
     {.free_bytes = 10 * M}, false},
    {"more than its node told of what the kernel counted", {.kernel = 20 * M, .told = 10 * M, .charged = 10 * M},
     {.charged_bytes = 10 * M}, true},
    {"two in a hundred more", {.kernel = 100 * M, .told = 100 * M, .charged = 102 * M},
     {.charged_bytes = 102 * M, .twice_bytes = 2 * M}, false},
    {"a little more than that", {.kernel = 100 * M, .told = 100 * M, .charged = 102 * M + 1},
     {.charged_bytes = 102 * M + 1, .twice_bytes = 2 * M + 1}, true},
    {"by an agent that says no parts", {.kernel = 10 * M, .told = 10 * M, .charged = 10 * M, .old = true},
     {.unknown_attempts = 1, .unknown_bytes = 10 * M}, false},
    {"of a node that was lost with its count", {.charged = 10 * M, .unmetered = true},
     {.unknown_attempts = 1, .unknown_bytes = 10 * M}, false},
};

START_TEST(an_attempt_is_held_against_the_kernel)
{
    const struct row *r = &rows[_i];
    struct ledger_io_row want = r->is;
    ended(NOON, &r->m);
    const struct ledger_io_row *is = look(NOON);
    want.node = (char *)(uintptr_t)"n1";
    want.day_utc_us = NOON - DAY_US / 2;
    if (want.unknown_attempts == 0) {
        want.attempts = 1;
        want.kernel_bytes = r->m.kernel;
        want.told_bytes = r->m.told;
        want.uncounted_bytes = r->m.uncounted;
        want.cached_bytes = r->m.cached;
    }
    ck_assert_uint_eq(reply.rows.count, 1);
    ck_assert_msg(fields_equal(&ledger_io_row_fields, is, &want),
                  "%s: charged %llu off %llu free %llu twice %llu lost %llu", r->sentence,
                  (unsigned long long)is->charged_bytes, (unsigned long long)is->written_off_bytes,
                  (unsigned long long)is->free_bytes, (unsigned long long)is->twice_bytes,
                  (unsigned long long)is->lost_bytes);
    ck_assert_msg(reply.differing == r->differs, "%s: %d", r->sentence, (int)reply.differing);
}
END_TEST

/* Five of ten are charged, by a renewal; the rest costs a tenth by then, and the platform pays it. */
START_TEST(what_was_written_off_at_a_lower_price_is_not_lost)
{
    static const struct moved m = {.kernel = 10 * M, .told = 10 * M, .charged = 5 * M, .off_micros = M / 2};
    const int64_t from[] = {NOON - 1000, NOON - 2500, NOON + 1};
    set_prices(2, from[_i], PRICE / 10);
    struct attempt_id id = begin(NOON - 2000, false);
    renewed(id, NOON - 1500, 5 * M, 5 * M);
    end(id, NOON, &m, 5 * M);
    const struct ledger_io_row *is = look(NOON);
    ck_assert_uint_eq(is->charged_bytes, 5 * M);
    ck_assert_uint_eq(is->lost_bytes, _i == 0 ? 0 : 5 * M - M / 2 - 1); /* else it was no price of this attempt's */
    ck_assert_uint_eq(is->written_off_bytes + is->lost_bytes, 5 * M);
}
END_TEST

/* ---- many ---- */

static const struct moved once = {.kernel = 10 * M, .told = 10 * M, .charged = 10 * M};
static const struct moved twice = {.kernel = 10 * M, .told = 10 * M, .charged = 20 * M};
static const struct moved lost = {.kernel = 10 * M, .told = 10 * M};

START_TEST(what_moves_nothing_is_in_no_sum)
{
    ended(NOON, &(struct moved){.unmetered = true});
    (void)look(NOON);
    ck_assert_uint_eq(reply.compared, 0);
}
END_TEST

START_TEST(one_that_pays_twice_does_not_make_up_for_one_that_pays_nothing)
{
    ended(NOON, &twice);
    ended(NOON + 1, &lost);
    const struct ledger_io_row *is = look(NOON);
    ck_assert_uint_eq(is->attempts, 2);
    ck_assert_uint_eq(is->told_bytes, is->charged_bytes);
    ck_assert_uint_eq(reply.differing, 1);
}
END_TEST

START_TEST(a_day_is_one_and_older_ones_are_asked_for)
{
    int64_t midnight = NOON + DAY_US / 2;
    ended(midnight - 1, &twice);
    ended(midnight, &once);
    const struct ledger_io_row *is = look(midnight + 1);
    ck_assert_uint_eq(reply.rows.count, 2);
    ck_assert_int_eq(is[0].day_utc_us, midnight - DAY_US); /* what differs comes first */
    ck_assert_uint_eq(is[0].twice_bytes, 10 * M);
    ck_assert_int_eq(is[1].day_utc_us, midnight);
    (void)look(midnight + DAY_US);
    ck_assert_uint_eq(reply.rows.count, 1);
    ck_assert_uint_eq(reply.differing, 0);
}
END_TEST

START_TEST(what_still_runs_is_held_against_the_count_it_was_charged_up_to)
{
    struct attempt_id id = begin(NOON, false);
    renewed(id, NOON + 1, 10 * M, 10 * M);
    const struct ledger_io_row *is = look(NOON);
    ck_assert_uint_eq(reply.rows.count, 1);
    ck_assert_int_eq(is->day_utc_us, 0);
    ck_assert_uint_eq(is->told_bytes, 10 * M);
    ck_assert_uint_eq(is->charged_bytes, 10 * M);
    ck_assert_uint_eq(reply.differing, 0);
    end(id, NOON + 2, &(struct moved){.kernel = 15 * M, .told = 15 * M, .charged = 15 * M}, 10 * M);
    is = look(NOON);
    ck_assert_uint_eq(reply.rows.count, 1);
    ck_assert_uint_eq(is->charged_bytes, 15 * M);
    id = begin(NOON + 3, false);
    renewed(id, NOON + 4, 10 * M, 20 * M); /* lines that say more than was counted by then */
    is = look(NOON);
    ck_assert_uint_eq(is->twice_bytes, 10 * M);
    ck_assert_uint_eq(reply.differing, 1);
}
END_TEST

/* Charged at each renewal from the beginning on. */
START_TEST(a_mark_that_stands_still_is_seen_when_it_ends)
{
    struct attempt_id id = begin(NOON, false);
    renewed(id, NOON + 1, 10 * M, 10 * M);
    end(id, NOON + 2, &(struct moved){.kernel = 15 * M, .told = 15 * M, .charged = 25 * M}, 10 * M);
    ck_assert_uint_eq(look(NOON)->twice_bytes, 10 * M);
    ck_assert_uint_eq(reply.differing, 1);
}
END_TEST

/* What was under way when all its time was settled comes with a line of no time. */
START_TEST(bytes_of_no_time_are_on_the_books)
{
    struct attempt_id id = begin(NOON, false);
    struct fact f = fact_end(NOON, id, 10 * (int64_t)M, NEXT_FINAL, true);
    struct usage *u = &f.ended.record.usage;
    set_text(&f.ended.node, "n1");
    add_io(&f.ended.charges, 0, 10 * M);
    ((struct charge *)f.ended.charges.v)[0].run_us = 0;
    u->read_bytes = u->io_bytes = measure_of(10 * M);
    u->written_bytes = u->io_uncounted_bytes = u->io_cached_bytes = measure_of(0);
    journal_take(book, f);
    ck_assert_uint_eq(look(NOON)->charged_bytes, 10 * M);
    ck_assert_uint_eq(reply.differing, 0);
    ck_assert_int_gt(journal_number(book_db(book), "SELECT quantity FROM charges"), 0);
}
END_TEST

START_TEST(the_log_hears_of_it_once_and_of_each_day)
{
    struct loop *loop = NULL;
    struct io_watch *w = NULL;
    struct err err = {0};
    must(loop_new(&loop, &err));
    must(io_watch_new(&w, loop, &report, &err));
    ended(NOON, &once);
    ck_assert_uint_eq(io_watch_look(w, NOON), 0);
    ended(NOON + 1, &twice);
    ck_assert_uint_eq(io_watch_look(w, NOON + 1), 1);
    ck_assert_uint_eq(io_watch_look(w, NOON + 2), 0);
    ck_assert_uint_eq(io_watch_look(w, NOON + DAY_US), 0); /* the same, seen from the next day */
    ended(NOON + DAY_US, &twice);
    ck_assert_uint_eq(io_watch_look(w, NOON + DAY_US + 1), 1);
    io_watch_free(w);
    loop_free(loop);
}
END_TEST

START_TEST(prometheus_hears_of_the_worst_of_a_node)
{
    struct viewer all = {.all = true};
    struct ask ask = {.viewer = &all};
    struct problem problem = {0};
    struct err err = {0};
    struct buf out = {0};
    ended(NOON, &once);
    ended(NOON - DAY_US, &twice);
    ck_assert_int_eq(ask_open(&ask, &report, &problem), 0);
    ask.now_utc_us = NOON;
    ck_assert_int_eq(io_days_metrics(&ask, &out, &err), 0);
    ask_fini(&ask);
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "\nreeve_ledger_io_agrees{node=\"n1\"} 0\n"));
    ck_assert_ptr_nonnull(strstr(buf_text(&out), "\nreeve_ledger_io_off_ratio{node=\"n1\"} 1\n"));
    ck_assert_ptr_null(strstr(buf_text(&out), "agrees{node=\"n1\"} 1"));
    buf_fini(&out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quotas/reports/io_days");
    TCase *t = tcase_create("io_days");
    journal_top_make();
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, what_was_written_off_at_a_lower_price_is_not_lost, 0, 3);
    tcase_add_loop_test(t, an_attempt_is_held_against_the_kernel, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, what_moves_nothing_is_in_no_sum);
    tcase_add_test(t, one_that_pays_twice_does_not_make_up_for_one_that_pays_nothing);
    tcase_add_test(t, a_day_is_one_and_older_ones_are_asked_for);
    tcase_add_test(t, what_still_runs_is_held_against_the_count_it_was_charged_up_to);
    tcase_add_test(t, a_mark_that_stands_still_is_seen_when_it_ends);
    tcase_add_test(t, bytes_of_no_time_are_on_the_books);
    tcase_add_test(t, the_log_hears_of_it_once_and_of_each_day);
    tcase_add_test(t, prometheus_hears_of_the_worst_of_a_node);
    suite_add_tcase(s, t);
    return journal_run(s);
}
