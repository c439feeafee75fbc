/* Keys as they come: whatever of them differs, they are spread over a table, so that a search stays short. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/core/table.h"
#include "tests/run.h"

#define KEYS 24576  /* a table of 32,768 as full as it gets */
#define RUN_MAX 800 /* by chance 280 or so; of keys that all begin at one place, 24,576 */

struct key {
    uint64_t hash;
    char text[64];
};

static bool is_key(const void *object, const void *key)
{
    return strcmp(((const struct key *)object)->text, key) == 0;
}

static uint64_t hash_of_text(const char *text, unsigned i)
{
    (void)i;
    return key_text(KEY_START, text);
}

static uint64_t hash_behind_a_tenant(const char *text, unsigned i)
{
    (void)i;
    return key_text(key_text(KEY_START, "org1/team1/t1"), text);
}

static uint64_t hash_of_bytes(const char *text, unsigned i)
{
    (void)text;
    return key_u64(KEY_START, (uint64_t)i << 30); /* GiB */
}

static uint64_t hash_of_cores(const char *text, unsigned i)
{
    (void)text;
    return key_u64(key_u64(KEY_START, 1000 * i), 0);
}

static const struct {
    const char *before;
    int digits;
    const char *after;
    uint64_t (*hash)(const char *text, unsigned i);
} rows[] = {
    {"n", 5, "", hash_of_text},
    {"", 0, "", hash_of_text},
    {"node-", 0, "", hash_of_text},
    {"rack-17.room-3.node-", 5, "", hash_of_text},
    {"n", 5, ".cell-1.example", hash_of_text},
    {"1f8b6a52-7d0c-4c7e-9a40-", 12, "", hash_behind_a_tenant},
    {"1f8b6a52-", 12, "-7d0c-4c7e-9a40", hash_behind_a_tenant},
    {"", 0, " GiB", hash_of_bytes},
    {"", 0, " cores", hash_of_cores},
};

/* The longest way from a place in use to the next free one: no search is longer. */
static size_t longest_run(const struct table *t)
{
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < 2 * t->size; i++) {
        run = t->slots[i & (t->size - 1)].object != NULL ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

START_TEST(keys_that_differ_anywhere_are_spread)
{
    struct key *keys = calloc(KEYS, sizeof *keys);
    struct table t = {.is = is_key};
    ck_assert_ptr_nonnull(keys);
    for (unsigned i = 0; i < KEYS; i++) {
        snprintf(keys[i].text, sizeof keys[i].text, "%s%0*u%s", rows[_i].before, rows[_i].digits, i, rows[_i].after);
        keys[i].hash = rows[_i].hash(keys[i].text, i);
        table_put(&t, keys[i].hash, &keys[i]);
    }
    ck_assert_msg(longest_run(&t) <= RUN_MAX, "like '%s': %zu in a row", keys[0].text, longest_run(&t));
    for (unsigned i = 0; i < KEYS; i++)
        ck_assert_ptr_eq(table_find(&t, keys[i].hash, keys[i].text), &keys[i]);
    for (unsigned i = 0; i < KEYS; i += 2)
        table_remove(&t, keys[i].hash, &keys[i]);
    for (unsigned i = 0; i < KEYS; i++)
        ck_assert_ptr_eq(table_find(&t, keys[i].hash, keys[i].text), i % 2 == 0 ? NULL : &keys[i]);
    table_fini(&t);
    free(keys);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("table");
    TCase *tc = tcase_create("spread");
    tcase_add_loop_test(tc, keys_that_differ_anywhere_are_spread, 0, (int)(sizeof rows / sizeof rows[0]));
    suite_add_tcase(s, tc);
    return run_suite(s);
}
