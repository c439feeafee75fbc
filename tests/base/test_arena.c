#include <check.h>
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/macros.h"
#include "tests/random.h"
#include "tests/run.h"

#define ROWS 8
#define STEPS 2000

static const char *numbered(int step, char out[16])
{
    snprintf(out, 16, "%d", step);
    return out;
}

/* Rows that grow in turn, texts between them, and now and then one that is longer than a block. */
START_TEST(no_piece_touches_another_until_all_go)
{
    uint64_t seed = random_seed("arena"), r = seed;
    struct arena a = {0};
    for (int round = 0; round < 5; round++) {
        uint64_t *rows[ROWS] = {0};
        size_t counts[ROWS] = {0};
        char *texts[STEPS] = {0}, *large = NULL;
        for (int step = 0; step < STEPS; step++) {
            size_t row = random_below(&r, ROWS);
            rows[row] = arena_grow(&a, rows[row], counts[row], sizeof rows[row][0]);
            rows[row][counts[row]] = counts[row] << 8 | row;
            counts[row]++;
            const char *text = numbered(step, (char[16]){0});
            texts[step] = arena_text(&a, text, strlen(text));
            if (step == STEPS / 2)
                large = memset(arena_take(&a, 1 << 20), 0x5a, 1 << 20);
        }
        for (size_t row = 0; row < ROWS; row++)
            for (size_t i = 0; i < counts[row]; i++)
                ck_assert_msg(rows[row][i] == (i << 8 | row), "REEVE_SEED=%" PRIu64, seed);
        for (int step = 0; step < STEPS; step++)
            ck_assert_str_eq(texts[step], numbered(step, (char[16]){0}));
        ck_assert(large[0] == 0x5a && memcmp(large, large + 1, (1 << 20) - 1) == 0);
        arena_reset(&a);
    }
    arena_fini(&a);
}
END_TEST

START_TEST(pieces_are_aligned_and_what_no_machine_has_is_refused)
{
    struct arena a = {0};
    for (size_t i = 1; i < 100; i++) {
        ck_assert_ptr_nonnull(arena_text(&a, "x", 1));
        ck_assert_uint_eq((uintptr_t)arena_take(&a, i) % _Alignof(max_align_t), 0);
    }
    ck_assert_ptr_null(arena_take(&a, SIZE_MAX - 8));
    ck_assert_ptr_null(arena_grow(&a, &a, (size_t)1 << 60, 64));
    ck_assert_str_eq(arena_text(&a, NULL, 0), "");
    arena_fini(&a);
}
END_TEST

START_TEST(without_an_arena_pieces_are_the_heap_s)
{
    int *row = NULL;
    for (int i = 0; i < 10; i++) {
        row = arena_grow(NULL, row, (size_t)i, sizeof row[0]);
        row[i] = i;
    }
    char *text = arena_text(NULL, "abc", 2);
    ck_assert_str_eq(text, "ab");
    ck_assert_int_eq(row[9], 9);
    free(text);
    free(row);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("base/arena");
    TCase *t = tcase_create("arena");
    tcase_add_test(t, no_piece_touches_another_until_all_go);
    tcase_add_test(t, pieces_are_aligned_and_what_no_machine_has_is_refused);
    tcase_add_test(t, without_an_arena_pieces_are_the_heap_s);
    suite_add_tcase(s, t);
    return run_suite(s);
}
