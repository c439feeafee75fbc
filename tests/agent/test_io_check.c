/* The standing check: sums up what was told, keeps it across agents, closes days, and says what the command says. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/fairio/account.h"
#include "agent/io_check.h"
#include "base/io/fd.h"
#include "base/io/json.h"
#include "tests/run.h"
#include "tests/scratch.h"

#define NOON INT64_C(1795694400000000)
#define M UINT64_C(1000000)

static struct scratch scratch;
static struct loop *loop;
static struct fair *fair;
static struct io_checker *checker, *killed;
static struct fair *killed_fair; /* an agent's that had no time to say anything */
static struct io_check file;

static void begin(void)
{
    struct err err = {0};
    ck_assert_int_eq(fair_new(&fair, loop, NULL, &err), 0);
    ck_assert_int_eq(io_checker_new(&checker, loop, fair, &err), 0);
}

static void end(void)
{
    io_checker_free(TAKE_PTR(killed));
    fair_free(TAKE_PTR(killed_fair));
    io_checker_free(checker);
    fair_free(fair);
}

static void setup(void)
{
    struct err err = {0};
    scratch = scratch_new();
    ck_assert_int_eq(chdir(scratch.dir), 0);
    ck_assert_int_eq(mkdir("node", 0700), 0);
    ck_assert_int_eq(loop_new(&loop, &err), 0);
    begin();
}

static void teardown(void)
{
    end();
    loop_free(loop);
    ck_assert_int_eq(chdir("/"), 0);
    scratch_remove(&scratch);
}

static void told(uint64_t kernel, uint64_t billed)
{
    struct io_sums *b = arbiter_books(fair_arbiter(fair));
    b->kernel_read_bytes += kernel;
    b->billed_bytes += billed;
}

static void read_file(void)
{
    struct buf text = {0};
    struct err err = {0};
    file = (struct io_check){0};
    ck_assert_msg(file_read(IO_CHECK_PATH, 65536, &text, &err) == 0, "%s", err.text);
    ck_assert_msg(json_read(&io_check_fields, buf_text(&text), text.len, JSON_LENIENT, &file, &err) == 0, "%s",
                  err.text);
    buf_fini(&text);
}

static int command(void)
{
    char name[] = "io-check", option[] = "--dir", dir[] = ".";
    char *argv[] = {name, option, dir, NULL};
    return io_check_command(3, argv);
}

START_TEST(what_is_told_is_summed_up_across_agents)
{
    io_checker_look(checker, NOON);
    told(10 * M, 11 * M);
    io_checker_look(checker, NOON + 1);
    io_checker_look(checker, NOON + 2);
    killed = checker;
    killed_fair = fair;
    begin(); /* another's books begin at nothing */
    told(5 * M, 4 * M);
    io_checker_look(checker, NOON + 3);
    read_file();
    ck_assert_int_eq(file.now.from_utc_us, NOON);
    ck_assert_uint_eq(file.now.sums.kernel_read_bytes, 15 * M);
    ck_assert_uint_eq(file.now.sums.billed_bytes, 15 * M);
    ck_assert_int_eq(command(), 0);
}
END_TEST

START_TEST(its_tables_are_sound)
{
    struct err err = {0};
    ck_assert_msg(fields_check_table(&io_check_fields, &err) == 0, "%s", err.text);
}
END_TEST

START_TEST(a_day_is_closed_and_stays_to_be_seen)
{
    io_checker_look(checker, NOON);
    told(100 * M, 200 * M); /* each byte twice */
    io_checker_look(checker, NOON + 1);
    ck_assert_int_eq(command(), 1);
    io_checker_look(checker, NOON + IO_CHECK_WINDOW_US);
    told(100 * M, 100 * M);
    io_checker_look(checker, NOON + IO_CHECK_WINDOW_US + 1);
    read_file();
    ck_assert_int_eq(file.before.to_utc_us, NOON + IO_CHECK_WINDOW_US);
    ck_assert_uint_eq(file.before.sums.billed_bytes, 200 * M);
    ck_assert_uint_eq(file.now.sums.billed_bytes, 100 * M);
    ck_assert_int_eq(command(), 1); /* until it has been seen for a day */
    io_checker_look(checker, NOON + 2 * IO_CHECK_WINDOW_US);
    ck_assert_int_eq(command(), 0);
}
END_TEST

START_TEST(a_clock_that_goes_back_ends_the_day)
{
    io_checker_look(checker, NOON);
    told(M, M);
    io_checker_look(checker, NOON - 1);
    read_file();
    ck_assert_int_eq(file.now.from_utc_us, NOON - 1);
    ck_assert_uint_eq(file.before.sums.billed_bytes, M);
}
END_TEST

START_TEST(a_torn_file_begins_anew_and_none_is_said_so)
{
    end();
    ck_assert_int_eq(file_replace(IO_CHECK_PATH, "{\"now\"", 6, 0600), 0);
    ck_assert_int_eq(command(), 2);
    begin();
    io_checker_look(checker, NOON);
    ck_assert_int_eq(command(), 0);
    ck_assert_int_eq(unlink(IO_CHECK_PATH), 0);
    ck_assert_int_eq(command(), 2);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/io_check");
    TCase *t = tcase_create("io_check");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_is_told_is_summed_up_across_agents);
    tcase_add_test(t, its_tables_are_sound);
    tcase_add_test(t, a_day_is_closed_and_stays_to_be_seen);
    tcase_add_test(t, a_clock_that_goes_back_ends_the_day);
    tcase_add_test(t, a_torn_file_begins_anew_and_none_is_said_so);
    suite_add_tcase(s, t);
    return run_suite(s);
}
