#include <check.h>

#include "policies/order.h"

#define ALL (UINT64_C(1) << ORDER_SHARE_BITS)

struct row {
    const char *fact;
    struct capacity used, total;
    uint32_t weight;
    uint64_t share;
};

static const struct row rows[] = {
    {"who uses nothing has no share", {.v = {0, 0}}, {.v = {100, 100}}, 1, 0},
    {"the share is that of the resource used most", {.v = {10, 50}}, {.v = {100, 100}}, 1, ALL / 2},
    {"twice the weight halves it", {.v = {10, 50}}, {.v = {100, 100}}, 2, ALL / 4},
    {"weight 0 is weight 1", {.v = {50, 0}}, {.v = {100, 100}}, 0, ALL / 2},
    {"a resource that the cell has no more is a whole share", {.v = {5, 0}}, {.v = {0, 100}}, 4, ALL},
    {"a cell of a million large nodes does not overflow",
     {.v = {UINT64_C(1) << 62, 0}},
     {.v = {UINT64_C(1) << 62, 1}},
     1,
     ALL},
};

START_TEST(dominant_shares)
{
    const struct row *r = &rows[_i];
    uint64_t share = order_share(&r->used, &r->total, r->weight);
    ck_assert_msg(share == r->share, "%s: %llu", r->fact, (unsigned long long)share);
}
END_TEST

/* The example of the DRF paper: 9 cpus, 18 GB; A wants <1,4>, B wants <3,1>: A gets 3 tasks, B 2. */
START_TEST(progressive_filling_gives_what_the_paper_says)
{
    struct capacity total = {.v = {9, 18}}, free = total, used[2] = {0},
                    want[2] = {{.v = {1, 4}}, {.v = {3, 1}}};
    int tasks[2] = {0};
    for (;;) {
        uint64_t a = order_share(&used[0], &total, 1), b = order_share(&used[1], &total, 1);
        int who = order_compare_tenants(a, "a", b, "b") < 0 ? 0 : 1;
        if (!capacity_fits(&want[who], &free))
            break;
        capacity_take(&free, &want[who]);
        capacity_add(&used[who], &want[who]);
        tasks[who]++;
    }
    ck_assert_int_eq(tasks[0], 3);
    ck_assert_int_eq(tasks[1], 2);
}
END_TEST

START_TEST(tasks_go_by_priority_then_age_then_index)
{
    struct order_rank first = {5, 9, 3};
    ck_assert_int_lt(order_compare_tasks(first, (struct order_rank){4, 1, 0}), 0);
    ck_assert_int_gt(order_compare_tasks(first, (struct order_rank){5, 8, 9}), 0);
    ck_assert_int_lt(order_compare_tasks(first, (struct order_rank){5, 9, 4}), 0);
    ck_assert_int_eq(order_compare_tasks(first, first), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("order");
    TCase *t = tcase_create("rows");
    tcase_add_loop_test(t, dominant_shares, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, progressive_filling_gives_what_the_paper_says);
    tcase_add_test(t, tasks_go_by_priority_then_age_then_index);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
