/* What is direct of what the kernel counted, given what was moved by grants. */
#include <check.h>

#include "agent/fairio/direct.h"
#include "tests/run.h"

#define READS(o, b) {.ops = {[IO_READ] = (o)}, .bytes = {[IO_READ] = (b)}}

static const struct row {
    const char *sentence;
    struct io_meter kernel[3], moved[3]; /* three looks, the first one the beginning */
    uint64_t ops, bytes;                 /* direct at the last */
} rows[] = {
    {"all of it when nothing was granted", {READS(5, 500), READS(5, 500), READS(7, 900)}, {READS(0, 0)}, 2, 400},
    {"nothing when all was granted", {READS(0, 0), READS(2, 200), READS(3, 300)},
     {READS(0, 0), READS(2, 200), READS(3, 300)}, 0, 0},
    {"the rest when some was", {READS(0, 0), READS(0, 0), READS(10, 1000)}, {READS(0, 0), READS(0, 0), READS(4, 600)},
     6, 400},
    {"what never touched the disk takes nothing away", {READS(0, 0), READS(0, 0), READS(1, 100)},
     {READS(0, 0), READS(0, 0), READS(50, 5000)}, 0, 0},
    {"nor does it later", {READS(0, 0), READS(1, 100), READS(3, 400)}, {READS(0, 0), READS(50, 5000), READS(50, 5000)},
     2, 300},
    {"a count that goes back begins again", {READS(9, 900), READS(9, 900), READS(2, 200)}, {READS(0, 0)}, 2, 200},
};

START_TEST(direct_is_what_the_kernel_counted_and_nobody_granted)
{
    const struct row *r = &rows[_i];
    struct io_direct d = {0};
    struct io_books books = {0};
    struct io_meter got = direct_since(&d, &r->kernel[0], &r->moved[0], &books);
    ck_assert_msg(got.ops[IO_READ] == 0 && got.bytes[IO_READ] == 0, "%s: the first look says something", r->sentence);
    ck_assert_uint_eq(books.kernel.bytes[IO_READ], 0); /* another life's */
    struct io_meter first = direct_since(&d, &r->kernel[1], &r->moved[1], &books);
    got = direct_since(&d, &r->kernel[2], &r->moved[2], &books);
    ck_assert_msg(books.charged.bytes[IO_READ] >= books.kernel.bytes[IO_READ] &&
                      books.charged.ops[IO_READ] >= books.kernel.ops[IO_READ],
                  "%s: something is charged to nobody", r->sentence);
    uint64_t moved = r->moved[2].bytes[IO_READ] - r->moved[0].bytes[IO_READ];
    ck_assert_msg(books.charged.bytes[IO_READ] == moved + first.bytes[IO_READ] + got.bytes[IO_READ],
                  "%s: something is charged twice", r->sentence);
    ck_assert_msg(got.ops[IO_READ] == r->ops && got.bytes[IO_READ] == r->bytes, "%s", r->sentence);
    ck_assert_uint_eq(got.bytes[IO_WRITE], 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/fairio/direct");
    TCase *t = tcase_create("direct");
    tcase_add_loop_test(t, direct_is_what_the_kernel_counted_and_nobody_granted, 0, (int)COUNT_OF(rows));
    suite_add_tcase(s, t);
    return run_suite(s);
}
