/* price_book: what an hour costs whom: class, discount, preemptible rate, one rounding; what a book refuses. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "quotas/price_book.h"
#include "tests/quotas/facts.h"
#include "tests/run.h"

static char leaf[] = "acme/etl", team[] = "acme", root[] = "/", lab_name[] = "labs";
static char *etl_path[] = {leaf, team, root}, *labs_path[] = {lab_name, root};
static const struct strs etl = {etl_path, 3}, lab = {labs_path, 2};

static struct price_class *class_add(struct price_version *v, const char *name)
{
    struct price_class *c = list_add(&v->classes, sizeof *c);
    ck_assert_ptr_nonnull(c);
    set_text(&c->name, name);
    return c;
}

/* 0.04 a core, on big nodes 0.08, old ones are free; acme has 10 percent off, its etl 0, all others 50. */
static void make(struct price_version *v)
{
    *v = (struct price_version){.version = 1, .preemptible_percent = 30};
    must(counts_set(&v->per_hour, "cpu", 40000));
    must(counts_set(&v->per_hour, "memory", 5000));
    must(counts_set(&class_add(v, "big")->per_hour, "cpu", 80000));
    must(counts_set(&class_add(v, "old")->per_hour, "cpu", 0));
    must(counts_set(&v->discounts, "/", 50000000));
    must(counts_set(&v->discounts, "acme", 10000000));
    must(counts_set(&v->discounts, "acme/etl", 0));
}

static const struct {
    const char *what;
    const struct strs *path;
    const char *price_class;
    bool preemptible;
    const char *resource;
    int64_t list, price;
} rows[] = {
    {"the nearest discount holds, also when it is none", &etl, NULL, false, "cpu", 40000, 40000},
    {"who is named nowhere has the root's", &lab, NULL, false, "cpu", 40000, 20000},
    {"without a path there is no discount", NULL, NULL, false, "cpu", 40000, 40000},
    {"a class has its own price", &lab, "big", false, "cpu", 80000, 40000},
    {"what a class doesn't name costs as elsewhere", &etl, "big", false, "memory", 5000, 5000},
    {"a price of 0 in a class is a price", &etl, "old", false, "cpu", 0, 0},
    {"a class that the book doesn't know costs as none", &etl, "new", false, "cpu", 40000, 40000},
    {"the preemptible rate comes on top of the discount", &lab, "big", true, "cpu", 80000, 12000},
    {"what has no price is free", &lab, "big", true, "gpu", 0, 0},
};

START_TEST(rates)
{
    struct price_version v;
    make(&v);
    struct buyer buyer = {rows[_i].path, rows[_i].price_class, rows[_i].preemptible};
    struct unit_price rate = price_rate(&v, buyer, rows[_i].resource);
    ck_assert_msg(rate.list == rows[_i].list && rate.price == rows[_i].price, "%s: %lld, %lld", rows[_i].what,
                  (long long)rate.list, (long long)rate.price);
    fields_clear(&price_version_fields, &v);
}
END_TEST

static const struct {
    uint64_t list, discount;
    uint32_t percent;
    int64_t price;
} roundings[] = {
    {1, 50000000, 0, 0},       {3, 50000000, 0, 2},       {5, 50000000, 0, 2},   {1, 49999999, 0, 1},
    {1, 50000001, 0, 0},       {7, 100000000, 0, 0},      {10, 0, 25, 2},        {10, 0, 35, 4},
    {2, 50000000, 50, 0},      {6, 50000000, 50, 2},      {10000000000, 1, 100, 9999999900},
    {10000000000, 99999999, 1, 1}, /* one rounding: 100 micro-units after the discount, 1 after the rate */
};

START_TEST(a_price_is_rounded_once_half_to_even)
{
    struct price_version v = {.version = 1, .preemptible_percent = roundings[_i].percent};
    must(counts_set(&v.per_hour, "cpu", roundings[_i].list));
    must(counts_set(&v.discounts, "/", roundings[_i].discount));
    struct unit_price rate = price_rate(&v, (struct buyer){&lab, NULL, true}, "cpu");
    ck_assert_int_eq(rate.price, roundings[_i].price);
    fields_clear(&price_version_fields, &v);
}
END_TEST

static void too_dear(struct price_version *v)
{
    must(counts_set(&v->per_hour, "cpu", (uint64_t)PRICE_MICROS_MAX + 1));
}
static void too_dear_a_class(struct price_version *v)
{
    must(counts_set(&class_add(v, "big")->per_hour, "cpu", UINT64_MAX));
}
static void more_than_all_off(struct price_version *v)
{
    must(counts_set(&v->discounts, "acme", PRICE_DISCOUNT_MAX + 1));
}
static void more_than_the_price(struct price_version *v)
{
    v->preemptible_percent = 101;
}
static void by_luck(struct price_version *v)
{
    must(pairs_set(&v->by, "cpu", "luck"));
}
static void (*const spoilers[])(struct price_version *v) = {too_dear, too_dear_a_class, more_than_all_off,
                                                            more_than_the_price, by_luck};

START_TEST(a_book_refuses_what_it_can_not_keep_exact)
{
    struct list versions = {0};
    struct err err = {0};
    struct price_book *book = NULL;
    struct price_version *v = list_add(&versions, sizeof *v);
    ck_assert_ptr_nonnull(v);
    make(v);
    ck_assert_int_eq(price_book_new(&book, NULL), 0);
    ck_assert_int_eq(price_book_set(book, &versions, &err), 0);
    spoilers[_i](v);
    ck_assert_int_eq(price_book_set(book, &versions, &err), -EINVAL);
    ck_assert_uint_eq(price_book_at(book, 0)->per_hour.v[0].value, 40000); /* untouched */
    price_book_free(book);
    fields_clear(&price_version_fields, v);
    free(versions.v);
}
END_TEST

START_TEST(the_next_version_is_known_ahead)
{
    struct list versions = {0};
    struct price_book *book = NULL;
    for (int i = 1; i <= 2; i++) {
        struct price_version *v = list_add(&versions, sizeof *v);
        ck_assert_ptr_nonnull(v);
        *v = (struct price_version){.version = (uint32_t)i, .from_utc_us = i * 100};
    }
    ck_assert_int_eq(price_book_new(&book, NULL), 0);
    ck_assert_int_eq(price_book_next(book, 5), INT64_MAX);
    ck_assert_int_eq(price_book_set(book, &versions, NULL), 0);
    ck_assert_int_eq(price_book_next(book, INT64_MIN), 100);
    ck_assert_int_eq(price_book_next(book, 99), 100);
    ck_assert_int_eq(price_book_next(book, 100), 200);
    ck_assert_int_eq(price_book_next(book, 200), INT64_MAX);
    ck_assert(!price_book_measures(book));
    must(pairs_set(&((struct price_version *)versions.v)[1].by, "cpu", "greater"));
    ck_assert_int_eq(price_book_set(book, &versions, NULL), 0);
    ck_assert(price_book_measures(book));
    price_book_free(book);
    fields_clear(&price_version_fields, &((struct price_version *)versions.v)[1]);
    free(versions.v);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quotas/price_book");
    TCase *t = tcase_create("price_book");
    tcase_add_loop_test(t, rates, 0, (int)COUNT_OF(rows));
    tcase_add_loop_test(t, a_price_is_rounded_once_half_to_even, 0, (int)COUNT_OF(roundings));
    tcase_add_loop_test(t, a_book_refuses_what_it_can_not_keep_exact, 0, (int)COUNT_OF(spoilers));
    tcase_add_test(t, the_next_version_is_known_ahead);
    suite_add_tcase(s, t);
    return run_suite(s);
}
