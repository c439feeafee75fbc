/* The roster against a plain list: random adds and removes, handles that outlive what they named, bounds. */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/core/roster.h"
#include "tests/run.h"

#define MODEL_MAX 200

static uint64_t state;

static uint32_t next(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 11) % below;
}

static struct attempt_id random_id(void)
{
    return (struct attempt_id){.job = 1 + next(8), .task = next(6), .epoch = 1 + next(5)};
}

struct known {
    struct attempt_id id;
    roster_id handle;
};
static struct known model[MODEL_MAX];
static size_t count;

static size_t model_find(struct attempt_id id)
{
    size_t i = 0;
    while (i < count && !attempt_id_equal(model[i].id, id))
        i++;
    return i;
}

static uint32_t model_newest(uint64_t job, uint32_t task)
{
    uint32_t epoch = 0;
    for (size_t i = 0; i < count; i++)
        if (model[i].id.job == job && model[i].id.task == task && model[i].id.epoch > epoch)
            epoch = model[i].id.epoch;
    return epoch;
}

static void add_one(struct roster *r, struct attempt_id id)
{
    roster_id handle = 0;
    int rc = roster_add(r, id, &model, &handle);
    if (model_find(id) < count) {
        ck_assert_int_eq(rc, -EEXIST);
    } else if (count == MODEL_MAX) {
        ck_assert_int_eq(rc, -ENOSPC);
    } else {
        ck_assert(rc == 0 && handle != 0);
        model[count++] = (struct known){id, handle};
    }
}

static void remove_one(struct roster *r, struct attempt_id id)
{
    size_t at = model_find(id);
    struct roster_row *row = roster_find(r, id);
    ck_assert((row != NULL) == (at < count));
    if (row == NULL)
        return;
    roster_id handle = row->handle;
    ck_assert(handle == model[at].handle);
    roster_remove(r, handle);
    model[at] = model[--count];
    ck_assert(roster_get(r, handle) == NULL);
    roster_remove(r, handle);
}

static void compare(struct roster *r)
{
    size_t seen = 0;
    roster_id at = 0;
    for (struct roster_row *row; (row = roster_next(r, at)) != NULL; at = row->handle, seen++)
        ck_assert(model_find(row->id) < count);
    ck_assert_uint_eq(seen, count);
    ck_assert_uint_eq(roster_count(r), count);
}

START_TEST(it_holds_what_a_plain_list_holds)
{
    const char *given = getenv("SEED");
    state = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * UINT64_C(2654435761) + 1;
    printf("seed %" PRIu64 "\n", state);
    struct roster *r;
    ck_assert_int_eq(roster_new(&r, MODEL_MAX), 0);
    for (int i = 0; i < 20000; i++) {
        struct attempt_id id = random_id();
        if (next(3) > 0)
            add_one(r, id);
        else
            remove_one(r, id);
        id = random_id();
        struct roster_row *newest = roster_newest(r, id.job, id.task);
        ck_assert((newest == NULL ? 0 : newest->id.epoch) == model_newest(id.job, id.task));
        if (i % 100 == 0)
            compare(r);
    }
    roster_free(r);
}
END_TEST

START_TEST(a_full_roster_says_so)
{
    struct roster *r;
    roster_id handle;
    ck_assert_int_eq(roster_new(&r, 3), 0);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_int_eq(roster_add(r, (struct attempt_id){1, i, 1}, NULL, &handle), 0);
    ck_assert_int_eq(roster_add(r, (struct attempt_id){1, 3, 1}, NULL, &handle), -ENOSPC);
    roster_remove(r, handle);
    ck_assert_int_eq(roster_add(r, (struct attempt_id){1, 3, 1}, NULL, &handle), 0);
    roster_free(r);
}
END_TEST

START_TEST(foreign_handles_find_nothing)
{
    struct roster *r;
    ck_assert_int_eq(roster_new(&r, 3), 0);
    ck_assert(roster_get(r, 0) == NULL && roster_get(r, 1) == NULL && roster_get(r, UINT64_MAX) == NULL);
    ck_assert(roster_next(r, UINT32_MAX) == NULL);
    roster_free(r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("roster");
    TCase *c = tcase_create("roster");
    tcase_add_test(c, it_holds_what_a_plain_list_holds);
    tcase_add_test(c, a_full_roster_says_so);
    tcase_add_test(c, foreign_handles_find_nothing);
    suite_add_tcase(suite, c);
    return run_suite(suite);
}
