/* Which bytes of a long log are kept: the rule against its promises, and reading a log end to end through it. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/core/log_hole.h"
#include "base/macros.h"
#include "tests/run.h"

static uint64_t state;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void seed(void)
{
    const char *given = getenv("SEED");
    state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * UINT64_C(2654435761) + 1;
    printf("seed %" PRIu64 "\n", state);
}

static const struct {
    const char *fact;
    uint64_t size, cap, start, end;
} rows[] = {
    {"an empty log has no hole", 0, 16 << 20, 8 << 20, 8 << 20},
    {"a log of exactly the cap has no hole", 16 << 20, 16 << 20, 8 << 20, 8 << 20},
    {"one byte more still drops nothing: the hole grows in steps", (16 << 20) + 1, 16 << 20, 8 << 20, 8 << 20},
    {"a step more drops one step", 17 << 20, 16 << 20, 8 << 20, 9 << 20},
    {"a gigabyte keeps 8 MiB at each end", 1 << 30, 16 << 20, 8 << 20, (1 << 30) - (8 << 20)},
    {"the smallest cap works in blocks", 64 << 10, 16 << 10, 8 << 10, 56 << 10},
};

START_TEST(the_hole_lies_where_the_rule_says)
{
    struct log_hole hole = log_hole(rows[_i].size, rows[_i].cap);
    ck_assert_msg(hole.start == rows[_i].start && hole.end == rows[_i].end, "%s: %" PRIu64 "..%" PRIu64, rows[_i].fact,
                  hole.start, hole.end);
}
END_TEST

START_TEST(the_room_on_disk_is_bounded_and_both_halves_are_kept)
{
    seed();
    for (int i = 0; i < 200000; i++) {
        uint64_t cap = log_cap(next() % ((uint64_t)64 << 20));
        uint64_t size = next() % ((uint64_t)1 << (10 + next() % 40));
        struct log_hole hole = log_hole(size, cap);
        uint64_t kept = size - (hole.end - hole.start);
        ck_assert(hole.start <= hole.end && (hole.start == hole.end || hole.end <= size));
        ck_assert(hole.start % LOG_BLOCK == 0 && hole.end % LOG_BLOCK == 0);
        ck_assert(kept <= cap + cap / 8 + 2 * LOG_BLOCK);
        if (hole.end > hole.start)
            ck_assert(size - hole.end >= cap / 2 && hole.start + LOG_BLOCK > cap / 2);
        else
            ck_assert(size <= cap + cap / 8 + 2 * LOG_BLOCK);
    }
}
END_TEST

START_TEST(the_hole_only_grows)
{
    seed();
    for (int i = 0; i < 1000; i++) {
        uint64_t cap = log_cap(next() % ((uint64_t)4 << 20)), size = 0;
        struct log_hole before = log_hole(0, cap);
        for (int k = 0; k < 200; k++) {
            size += next() % (256 << 10);
            struct log_hole now = log_hole(size, cap);
            ck_assert(now.start == before.start && now.end >= before.end);
            before = now;
        }
    }
}
END_TEST

START_TEST(a_reader_gets_every_kept_byte_once_and_counts_every_dropped_one)
{
    seed();
    for (int i = 0; i < 2000; i++) {
        uint64_t cap = log_cap(next() % (1 << 20)), size = next() % (8 << 20), offset = 0, got = 0, dropped = 0;
        for (;;) {
            struct log_window w = log_window(size, cap, offset, 1 + next() % (256 << 10));
            ck_assert(w.offset == offset + w.dropped);
            got += w.len;
            dropped += w.dropped;
            offset = w.offset + w.len;
            if (w.len == 0)
                break;
        }
        struct log_hole hole = log_hole(size, cap);
        ck_assert_uint_eq(got + dropped, size);
        ck_assert_uint_eq(dropped, hole.end - hole.start);
    }
}
END_TEST

START_TEST(an_offset_beyond_the_end_reads_nothing)
{
    struct log_window w = log_window(10, LOG_CAP_DEFAULT, 11, 100);
    ck_assert(w.len == 0 && w.offset == 11 && w.dropped == 0);
    w = log_window(UINT64_C(1) << 40, LOG_CAP_MIN, UINT64_MAX, UINT64_MAX);
    ck_assert(w.len == 0 && w.dropped == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log_hole");
    TCase *c = tcase_create("log_hole");
    tcase_add_loop_test(c, the_hole_lies_where_the_rule_says, 0, (int)COUNT_OF(rows));
    tcase_add_test(c, the_room_on_disk_is_bounded_and_both_halves_are_kept);
    tcase_add_test(c, the_hole_only_grows);
    tcase_add_test(c, a_reader_gets_every_kept_byte_once_and_counts_every_dropped_one);
    tcase_add_test(c, an_offset_beyond_the_end_reads_nothing);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
