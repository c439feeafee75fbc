/*
 * What the scheduler settles of I/O, as the reports hold it: whatever an attempt moves, whoever pays, however it ends,
 * each byte is charged once or has a reason not to be.
 */
#include "quotas/reports/io_days.h"
#include "quotas/reports/viewer.h"
#include "tests/quotas/reports/journal.h"
#include "tests/random.h"
#include "tests/scheduler/core/io_cell.h"

#define RUNS 60
#define SECONDS_MAX 60

static const uint32_t causes[] = {END_EXIT,       END_SIGNAL,      END_IO_BUDGET, END_IO_LIMIT,
                                  END_CANCELLED, END_KEEPER_LOST, END_NODE_LOST, END_BUDGET};

/* Its node tells all that it knows: a part was moved in memory, the kernel has counted the rest. */
static void end_of(uint32_t cause, uint64_t bytes, uint64_t uncounted)
{
    struct attempt_state state = {.id = {job, 0, epoch}, .ended = true};
    struct fact f;
    state.record = (struct exit_record){.cause = cause, .exit_code = cause == END_EXIT ? 0 : 1, .run_us = run_us};
    state.record.usage = (struct usage){.io_bytes = measure_of(bytes),
                                        .io_uncounted_bytes = measure_of(uncounted),
                                        .io_cached_bytes = measure_of(0),
                                        .read_bytes = measure_of(bytes - uncounted),
                                        .written_bytes = measure_of(0)};
    ck_assert_int_eq(core_check_ended(w.core, "n1", &state, w.now, &f), CORE_FACT);
    ck_assert_uint_eq(f.kind, FACT_ATTEMPT_ENDED);
    world_commit(&w, &f);
}

/* All facts so far, in a book of its own: what it says of bytes. */
static void look_into_books(const char *when)
{
    char path[160];
    struct viewer all = {.all = true};
    struct ask ask = {.viewer = &all};
    struct problem problem = {0};
    struct err err = {0};
    struct ledger_io_reply reply = {0};
    struct book *book = journal_book(journal_path(path));
    struct report report = {.database = path, .cell = "test", .book = book};
    ck_assert_int_eq(book_begin(book, &err), 0);
    for (size_t i = 0; i < w.journal.count; i++) {
        const struct bytes *b = &((const struct bytes *)w.journal.v)[i];
        ck_assert_msg(book_apply(book, i + 1, NULL, b->data, b->len, &err) == 0, "%s", err_text(&err));
    }
    ck_assert_int_eq(book_commit(book, &err), 0);
    ck_assert_int_eq(ask_open(&ask, &report, &problem), 0);
    ask.now_utc_us = w.now.utc_us;
    ck_assert_int_eq(io_days_read(&ask, (struct ledger_io_call){0}, &reply, &err), 0);
    const struct ledger_io_row *v = reply.rows.v;
    for (size_t i = 0; i < reply.rows.count; i++)
        ck_assert_msg(v[i].twice_bytes == 0 && v[i].lost_bytes <= 1 && ledger_io_verdict(&v[i]).agrees,
                      "%s: told %llu charged %llu off %llu free %llu twice %llu lost %llu", when,
                      (unsigned long long)v[i].told_bytes, (unsigned long long)v[i].charged_bytes,
                      (unsigned long long)v[i].written_off_bytes, (unsigned long long)v[i].free_bytes,
                      (unsigned long long)v[i].twice_bytes, (unsigned long long)v[i].lost_bytes);
    ck_assert_uint_eq(reply.differing, 0);
    fields_clear(&ledger_io_reply_fields, &reply);
    ask_fini(&ask);
    book_close(book);
}

static void run_one(uint64_t *seed)
{
    static const uint32_t rules[] = {PAID_END_STOP, PAID_END_PAUSE, PAID_END_CHECKPOINT};
    int64_t budgets[] = {-1, 20 * PER_SECOND, 1000 * PER_SECOND};
    open_world(PER_GIB, budgets[random_below(seed, 3)], rules[random_below(seed, 3)]);
    hello("n1", true);
    start(world_spec(1000, GIB));
    uint64_t seconds = 1 + random_below(seed, SECONDS_MAX), most = GIB >> random_below(seed, 8);
    for (uint64_t i = 0; i < seconds; i++)
        second(random_below(seed, most + 1));
    look_into_books("it runs");
    uint64_t beyond = random_below(seed, 2) == 0 ? 0 : random_below(seed, GIB); /* under way when it ended */
    end_of(causes[random_below(seed, COUNT_OF(causes))], moved + beyond, random_below(seed, moved + beyond + 1));
    look_into_books("it has ended");
    finish();
}

START_TEST(each_byte_is_charged_once_or_has_a_reason)
{
    uint64_t seed = random_seed("io_settled");
    for (int i = 0; i < RUNS / 10; i++)
        run_one(&seed);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quotas/reports/io_settled");
    TCase *t = tcase_create("io_settled");
    journal_top_make();
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, each_byte_is_charged_once_or_has_a_reason, 0, 10);
    suite_add_tcase(s, t);
    return journal_run(s);
}
