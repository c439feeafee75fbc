#include <check.h>

#include "policies/order.h"
#include "tests/run.h"

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
    struct order_weights weights;
    for (size_t i = 0; i < CAPACITY_DIMS; i++)
        weights.v[i] = r->weight;
    uint64_t share = order_share(&r->used, &r->total, &weights, 0);
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
        struct order_claim a = {.first = order_share(&used[0], &total, &order_unweighted, 0), .path = "a"};
        struct order_claim b = {.first = order_share(&used[1], &total, &order_unweighted, 0), .path = "b"};
        int who = order_compare_claims(&a, &b) < 0 ? 0 : 1;
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

START_TEST(a_resource_has_its_own_weight_and_spent_ones_do_not_count)
{
    struct capacity total = {.v = {100, 100, 8}}, used = {.v = {20, 10, 8}};
    struct order_weights gpus = {.v = {1, 1, 8}};
    ck_assert_uint_eq(order_share(&used, &total, &order_unweighted, 0), ALL);
    ck_assert_uint_eq(order_share(&used, &total, &gpus, 0), ALL / 5);
    ck_assert_uint_eq(order_share(&used, &total, &order_unweighted, 1 << 2), ALL / 5);
    ck_assert_uint_eq(order_share(&used, &total, &order_unweighted, 7), 0);
}
END_TEST

START_TEST(guarantees_first_then_share_then_past_then_path)
{
    struct order_claim a = {true, 9, 9, "z"}, b = {false, 1, 1, "a"}, c = {false, 1, 2, "a"}, d = {false, 1, 2, "b"};
    const struct order_claim *sorted[] = {&a, &b, &c, &d};
    for (size_t i = 0; i < COUNT_OF(sorted); i++)
        for (size_t k = 0; k < COUNT_OF(sorted); k++) {
            int order = order_compare_claims(sorted[i], sorted[k]);
            ck_assert_int_eq(order < 0 ? -1 : order > 0, i < k ? -1 : i > k);
        }
}
END_TEST

START_TEST(tasks_go_by_priority_then_age_then_index)
{
    struct order_rank first = {order_urgency(5, 100, 0), 9, 3};
    ck_assert_int_lt(order_compare_tasks(first, (struct order_rank){order_urgency(4, 1, 0), 1, 0}), 0);
    ck_assert_int_gt(order_compare_tasks(first, (struct order_rank){order_urgency(5, 999, 0), 8, 9}), 0);
    ck_assert_int_lt(order_compare_tasks(first, (struct order_rank){order_urgency(5, 0, 0), 9, 4}), 0);
    ck_assert_int_eq(order_compare_tasks(first, first), 0);
}
END_TEST

/* An hour of waiting is worth a point: five points more are five hours. */
START_TEST(waiting_is_worth_priority)
{
    const int64_t hour = INT64_C(3600000000);
    int64_t high = order_urgency(5, 10 * hour, (uint64_t)hour);
    ck_assert_int_lt(order_urgency(0, 5 * hour - 1, (uint64_t)hour), high);
    ck_assert_int_gt(order_urgency(0, 5 * hour + 1, (uint64_t)hour), high);
    /* The extremes of both don't wrap. */
    ck_assert_int_lt(order_urgency(1000, 0, UINT64_C(366) * 24 * (uint64_t)hour),
                     order_urgency(-1000, INT64_C(4102444800000000), UINT64_C(366) * 24 * (uint64_t)hour));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("order");
    TCase *t = tcase_create("rows");
    tcase_add_loop_test(t, dominant_shares, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, progressive_filling_gives_what_the_paper_says);
    tcase_add_test(t, a_resource_has_its_own_weight_and_spent_ones_do_not_count);
    tcase_add_test(t, guarantees_first_then_share_then_past_then_path);
    tcase_add_test(t, waiting_is_worth_priority);
    tcase_add_test(t, tasks_go_by_priority_then_age_then_index);
    suite_add_tcase(s, t);
    return run_suite(s);
}
