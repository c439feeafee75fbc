/* When two meters of the same bytes agree, and when they don't. */
#include <check.h>

#include "base/io_meters.h"
#include "tests/run.h"

#define M UINT64_C(1000000)

static const struct row {
    const char *sentence;
    struct io_sums sums;
    bool agrees;
    int64_t off;
} rows[] = {
    {"nothing agrees with nothing", {0}, true, 0},
    {"the same", {.kernel_read_bytes = 60 * M, .kernel_written_bytes = 40 * M, .billed_bytes = 100 * M}, true, 0},
    {"beside what the kernel can't have counted",
     {.kernel_read_bytes = 100 * M, .billed_bytes = 180 * M, .memory_bytes = 50 * M, .log_bytes = 30 * M}, true, 0},
    {"two in a hundred more", {.kernel_read_bytes = 100 * M, .billed_bytes = 102 * M}, true, 2 * (int64_t)M},
    {"a little more than that", {.kernel_read_bytes = 100 * M, .billed_bytes = 102 * M + 1}, false, 2 * (int64_t)M + 1},
    {"two in a hundred less", {.kernel_read_bytes = 100 * M, .billed_bytes = 98 * M}, true, -2 * (int64_t)M},
    {"a little less than that", {.kernel_read_bytes = 100 * M, .billed_bytes = 98 * M - 1}, false, -2 * (int64_t)M - 1},
    {"all of it twice", {.kernel_written_bytes = 100 * M, .billed_bytes = 200 * M}, false, 100 * (int64_t)M},
    {"through the page cache, and seen", {.kernel_written_bytes = 100 * M, .billed_bytes = 100 * M,
                                          .cached_bytes = 50 * M}, true, 0},
    {"through the page cache, and not seen", {.kernel_written_bytes = 50 * M, .billed_bytes = 100 * M,
                                              .cached_bytes = 50 * M}, true, 0},
    {"but no more than went there", {.kernel_written_bytes = 40 * M, .billed_bytes = 100 * M, .cached_bytes = 50 * M},
     false, 10 * (int64_t)M},
    {"a few bytes are no verdict", {.billed_bytes = IO_METERS_SLACK}, true, (int64_t)IO_METERS_SLACK},
    {"more than a few are", {.billed_bytes = IO_METERS_SLACK + 1}, false, (int64_t)IO_METERS_SLACK + 1},
    {"parts that are more than the whole", {.billed_bytes = M, .memory_bytes = 2 * M}, true, 0},
};

START_TEST(both_meters_agree_or_they_do_not)
{
    const struct row *r = &rows[_i];
    struct io_verdict v = io_verdict(&r->sums);
    ck_assert_msg(v.agrees == r->agrees && v.off_bytes == r->off, "%s: %d, %lld", r->sentence, v.agrees,
                  (long long)v.off_bytes);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/io_meters");
    TCase *t = tcase_create("io_meters");
    tcase_add_loop_test(t, both_meters_agree_or_they_do_not, 0, (int)COUNT_OF(rows));
    suite_add_tcase(s, t);
    return run_suite(s);
}
