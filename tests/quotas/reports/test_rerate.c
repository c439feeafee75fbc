/* Re-rating: what lines cost by the book as it is now. What the scheduler charged is charged here by the same meter. */
#include "quotas/reports/rerate.h"

#include "quotas/price.h"
#include "quotas/reports/focus_lookup.h"
#include "tests/quotas/reports/journal.h"

#define S UINT64_C(1000000)
#define HOUR ((int64_t)HOUR_US)

static char tenant[] = "acme/etl", team[] = "acme", root[] = "/";
static char *path_v[] = {tenant, team, root};
static const struct strs path_of_tenant = {path_v, 3};
static struct resources held = {.cpu_milli = 700, .mem_bytes = 3 << 20};

/* ---- a book of prices, in the journal and as the scheduler has it -----------------------------------------------*/
static uint64_t policy_version;

static struct price_version *price_add(struct fact *f, int64_t from, uint64_t cpu, uint64_t memory, uint32_t version)
{
    struct price_version *v = list_add(&f->policy.prices, sizeof *v);
    ck_assert_ptr_nonnull(v);
    *v = (struct price_version){.version = version, .from_utc_us = from};
    must(counts_set(&v->per_hour, "cpu", cpu));
    must(counts_set(&v->per_hour, "memory", memory));
    return v;
}

static struct fact policy(int64_t at)
{
    struct fact f = {.kind = FACT_POLICY_SET, .at_utc_us = at};
    f.policy.version = ++policy_version;
    f.policy.set_prices = true;
    set_text(&f.policy.who, "root");
    return f;
}

static struct price_book *prices_of(const struct fact *f)
{
    struct price_book *prices = NULL;
    ck_assert_int_eq(price_book_new(&prices, NULL), 0);
    ck_assert_int_eq(price_book_set(prices, &f->policy.prices, NULL), 0);
    return prices;
}

static struct meter meter(void)
{
    return (struct meter){.held = &held, .started_utc_us = AT_NOVEMBER, .buyer = {.path = &path_of_tenant}};
}

static void marks_clear(struct list *marks)
{
    for (size_t i = 0; i < marks->count; i++)
        fields_clear(&meter_mark_fields, &((struct meter_mark *)marks->v)[i]);
    free(marks->v);
    *marks = (struct list){0};
}

/* One attempt of `count` slices of `slice_us`, charged by those prices. */
static int64_t moving_attempt(struct book *b, uint64_t job, const struct price_book *prices, size_t count,
                              uint64_t slice_us, uint64_t moves)
{
    struct attempt_id id = {job, 0, 1};
    struct meter m = meter();
    struct list marks = {0};
    int64_t spent = 0;
    journal_take(b, fact_job(job, tenant, "alice", "x", 1));
    journal_take(b, fact_placed_on(id, AT_NOVEMBER, (const char *const[]){"acme@2026-11", "/@total", NULL}));
    journal_take(b, fact_running_at(id, AT_NOVEMBER));
    for (size_t i = 1; i <= count; i++) {
        struct fact f = {.kind = FACT_HOLD_RENEWED, .at_utc_us = AT_NOVEMBER + (int64_t)(i * slice_us)};
        struct use_point use = {.run_us = i * slice_us, .io_bytes = measure_of(i * moves)};
        struct list next = {0};
        f.renewed.id = id;
        spent += price_due(prices, &m, &use, i * slice_us);
        ck_assert_int_eq(price_charges(prices, &m, &use, i * slice_us, &f.renewed.charges), 0);
        ck_assert_int_eq(price_marks(prices, &m, &use, i * slice_us, &next), 0);
        marks_clear(&marks);
        marks = next;
        m.marks = &marks;
        m.settled_us = f.renewed.settled_us = i * slice_us;
        f.renewed.spent_micros = spent;
        f.renewed.hold_micros = 1;
        f.renewed.paid_us = m.settled_us + 1;
        must(strs_add(&f.renewed.accounts, "acme@2026-11"));
        must(strs_add(&f.renewed.accounts, "/@total"));
        journal_take(b, f);
    }
    marks_clear(&marks);
    return spent;
}

static int64_t attempt(struct book *b, uint64_t job, const struct price_book *prices, size_t count, uint64_t slice_us)
{
    return moving_attempt(b, job, prices, count, slice_us, 0);
}

/* ---- asking -----------------------------------------------------------------------------------------------------*/
static struct rerate_reply ask_for(struct book *b, struct rerate_call call)
{
    struct ask ask = {.db = book_db(b), .currency = "EUR"};
    struct rerate_reply reply = {0};
    struct err err = {0};
    ck_assert_msg(rerate_lines(&ask, &call, &reply, &err) == 0, "%s", err_text(&err));
    return reply;
}

/* Posts every difference, as `reeve ledger rerate` does. Returns their sum. */
static int64_t post_all(struct book *b, int64_t from, int64_t to, size_t *ret_lines)
{
    struct rerate_call call = {from, to, {0}};
    int64_t sum = 0;
    *ret_lines = 0;
    for (bool more = true; more;) {
        struct rerate_reply reply = ask_for(b, call);
        const struct rerate_line *lines = reply.lines.v;
        for (size_t i = 0; i < reply.lines.count; i++) {
            struct fact f = {.kind = FACT_LEDGER_ADJUSTED, .at_utc_us = AT_NOVEMBER + DAY_US};
            char key[64];
            snprintf(key, sizeof key, "rerate:%llu.%u:%u", (unsigned long long)lines[i].seq, lines[i].line,
                     lines[i].price_version);
            f.adjusted = (struct fact_adjusted){.micros = lines[i].micros - lines[i].charged_micros,
                                                .kind = ADJUST_RERATE,
                                                .from_utc_us = lines[i].from_utc_us,
                                                .to_utc_us = lines[i].to_utc_us,
                                                .job = lines[i].job,
                                                .about_seq = lines[i].seq,
                                                .about_line = lines[i].line,
                                                .price_version = lines[i].price_version,
                                                .list_price = lines[i].list_price,
                                                .price = lines[i].price};
            set_text(&f.adjusted.key, key);
            set_text(&f.adjusted.tenant, lines[i].tenant);
            set_text(&f.adjusted.resource, lines[i].resource);
            must(strs_add(&f.adjusted.accounts, "/@total"));
            sum += f.adjusted.micros;
            journal_take(b, f);
        }
        *ret_lines += reply.lines.count;
        more = reply.more;
        call.after = reply.next;
        fields_clear(&rerate_reply_fields, &reply);
    }
    return sum;
}

static int64_t charged(struct book *b)
{
    return journal_number(book_db(b), "SELECT sum(micros) FROM charges");
}

#define ALWAYS_FROM (AT_NOVEMBER - DAY_US)
#define ALWAYS_TO (AT_NOVEMBER + 30 * DAY_US)

/* ---- cases ------------------------------------------------------------------------------------------------------*/
START_TEST(by_its_own_book_nothing_differs)
{
    char file[160];
    size_t lines;
    struct book *b = journal_book(journal_path(file));
    struct fact f = policy(AT_NOVEMBER - 1);
    (void)price_add(&f, 0, 12345, 678, 1);
    (void)price_add(&f, AT_NOVEMBER + HOUR / 3, 54321, 77, 2);
    struct price_book *prices = prices_of(&f);
    journal_take(b, f);
    (void)attempt(b, 1, prices, 200, 17 * S + 3);
    ck_assert_int_eq(post_all(b, ALWAYS_FROM, ALWAYS_TO, &lines), 0);
    ck_assert_uint_eq(lines, 0);
    price_book_free(prices);
    book_close(b);
}
END_TEST

START_TEST(differences_come_to_what_the_other_book_says_and_come_once)
{
    char file[160];
    size_t lines;
    struct book *b = journal_book(journal_path(file));
    struct fact f = policy(AT_NOVEMBER - 1);
    (void)price_add(&f, 0, 12345, 678, 1);
    struct price_book *before = prices_of(&f);
    journal_take(b, f);
    (void)attempt(b, 1, before, 300, 17 * S + 3);
    (void)attempt(b, 2, before, 1, 3600 * S);
    f = policy(AT_NOVEMBER + DAY_US);
    struct price_version *v = price_add(&f, 0, 23456, 678, 2); /* memory stays */
    must(counts_set(&v->discounts, "acme", 12500000));
    must(counts_set(&v->discounts, "acme/etl", 2500000));
    struct price_book *after = prices_of(&f);
    journal_take(b, f);
    int64_t want = price_cost(after, meter(), 300 * (17 * S + 3)) + price_cost(after, meter(), 3600 * S);
    int64_t old = charged(b);
    ck_assert_int_eq(post_all(b, ALWAYS_FROM, ALWAYS_TO, &lines), want - old);
    ck_assert_uint_ge(lines, 301); /* cpu of every slice; memory where its own rounding moved */
    ck_assert_int_eq(charged(b), want);
    ck_assert_int_eq(post_all(b, ALWAYS_FROM, ALWAYS_TO, &lines), 0); /* twice is once */
    ck_assert_uint_eq(lines, 0);
    f = policy(AT_NOVEMBER + 2 * DAY_US); /* and back again */
    (void)price_add(&f, 0, 12345, 678, 3);
    journal_take(b, f);
    (void)post_all(b, ALWAYS_FROM, ALWAYS_TO, &lines);
    ck_assert_int_eq(charged(b), old);
    price_book_free(before);
    price_book_free(after);
    book_close(b);
}
END_TEST

START_TEST(only_lines_that_begin_in_the_time_asked_for)
{
    char file[160];
    size_t lines;
    struct book *b = journal_book(journal_path(file));
    struct fact f = policy(AT_NOVEMBER - 1);
    (void)price_add(&f, 0, 1000000, 0, 1);
    struct price_book *prices = prices_of(&f);
    journal_take(b, f);
    (void)attempt(b, 1, prices, 10, 60 * S);
    f = policy(AT_NOVEMBER + DAY_US);
    (void)price_add(&f, 0, 2000000, 0, 2);
    journal_take(b, f);
    (void)post_all(b, AT_NOVEMBER + (int64_t)(120 * S), AT_NOVEMBER + (int64_t)(300 * S), &lines);
    ck_assert_uint_eq(lines, 3);
    (void)post_all(b, AT_NOVEMBER + (int64_t)(300 * S), AT_NOVEMBER + (int64_t)(300 * S), &lines);
    ck_assert_uint_eq(lines, 0);
    (void)post_all(b, INT64_MIN, INT64_MAX, &lines);
    ck_assert_uint_eq(lines, 7);
    price_book_free(prices);
    book_close(b);
}
END_TEST

START_TEST(more_than_an_answer_holds_comes_in_several)
{
    char file[160];
    size_t lines;
    struct book *b = journal_book(journal_path(file));
    struct fact f = policy(AT_NOVEMBER - 1);
    (void)price_add(&f, 0, 100000000, 0, 1);
    struct price_book *prices = prices_of(&f);
    journal_take(b, f);
    (void)attempt(b, 1, prices, RERATE_LINES_MAX + 100, S);
    (void)attempt(b, 2, prices, 50, S);
    f = policy(AT_NOVEMBER + DAY_US);
    (void)price_add(&f, 0, 200000000, 0, 2);
    journal_take(b, f);
    struct rerate_reply reply = ask_for(b, (struct rerate_call){ALWAYS_FROM, ALWAYS_TO, {0}});
    ck_assert_uint_eq(reply.lines.count, RERATE_LINES_MAX);
    ck_assert(reply.more);
    fields_clear(&rerate_reply_fields, &reply);
    (void)post_all(b, ALWAYS_FROM, ALWAYS_TO, &lines);
    ck_assert_uint_eq(lines, RERATE_LINES_MAX + 150);
    price_book_free(prices);
    book_close(b);
}
END_TEST

START_TEST(without_a_book_everything_was_free_and_is)
{
    char file[160];
    size_t lines;
    struct book *b = journal_book(journal_path(file));
    struct fact f = {.kind = FACT_POLICY_SET};
    struct price_book *prices = prices_of(&f);
    (void)attempt(b, 1, prices, 3, S);
    ck_assert_int_eq(post_all(b, ALWAYS_FROM, ALWAYS_TO, &lines), 0);
    ck_assert_uint_eq(lines, 0);
    price_book_free(prices);
    book_close(b);
}
END_TEST

/* Slices of 40 minutes: their rows are cut at each quarter of an hour, bytes and all. */
START_TEST(moved_bytes_are_kept_to_the_byte_and_rated_again)
{
    char file[160];
    size_t lines;
    const uint64_t gib = UINT64_C(1) << 30, moves = 3 * gib + 1234567, all = 5 * moves;
    struct book *b = journal_book(journal_path(file));
    struct fact f = policy(AT_NOVEMBER - 1);
    must(counts_set(&price_add(&f, 0, 12345, 678, 1)->per_gib, "io", 2000));
    must(counts_set(&price_add(&f, AT_NOVEMBER + HOUR, 12345, 678, 2)->per_gib, "io", 5000));
    struct price_book *before = prices_of(&f);
    journal_take(b, f);
    int64_t spent = moving_attempt(b, 1, before, 5, 2400 * S, moves);
    ck_assert_int_eq(charged(b), spent);
    ck_assert_int_eq(journal_number(book_db(b), "SELECT sum(amount) FROM charges WHERE resource = 'io'"), (int64_t)all);
    ck_assert_int_gt(journal_number(book_db(b), "SELECT count(*) FROM charges WHERE resource = 'io'"), 12);
    int64_t billionths = journal_number(book_db(b), "SELECT sum(quantity) FROM charges WHERE resource = 'io'");
    int64_t exact = money_round((money_wide)all * 1000000000, gib);
    ck_assert_int_le(llabs(billionths - exact), 6); /* a line's rounding each */
    ck_assert_str_eq(focus_unit("io"), "GiB");
    ck_assert_int_eq(post_all(b, ALWAYS_FROM, ALWAYS_TO, &lines), 0); /* by its own book */
    f = policy(AT_NOVEMBER + DAY_US);
    must(counts_set(&price_add(&f, 0, 12345, 678, 3)->per_gib, "io", 7000));
    journal_take(b, f);
    (void)post_all(b, ALWAYS_FROM, ALWAYS_TO, &lines);
    int64_t io = journal_number(book_db(b), "SELECT sum(micros) FROM charges WHERE resource = 'io'");
    ck_assert_int_eq(io, (int64_t)((all * 7000 + gib / 2) / gib));
    ck_assert_int_eq(post_all(b, ALWAYS_FROM, ALWAYS_TO, &lines), 0); /* twice is once */
    ck_assert_uint_eq(lines, 0);
    price_book_free(before);
    book_close(b);
}
END_TEST

int main(void)
{
    journal_top_make();
    Suite *s = suite_create("quotas/reports: rerate");
    TCase *t = tcase_create("rerate");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, by_its_own_book_nothing_differs);
    tcase_add_test(t, differences_come_to_what_the_other_book_says_and_come_once);
    tcase_add_test(t, only_lines_that_begin_in_the_time_asked_for);
    tcase_add_test(t, more_than_an_answer_holds_comes_in_several);
    tcase_add_test(t, moved_bytes_are_kept_to_the_byte_and_rated_again);
    tcase_add_test(t, without_a_book_everything_was_free_and_is);
    suite_add_tcase(s, t);
    int failed = journal_run(s);
    journal_top_remove();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
