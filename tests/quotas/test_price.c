/* price: what resources cost over time, against a 128-bit oracle; slices add up; paid time is exact. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "quotas/price.h"
#include "tests/quotas/facts.h"
#include "tests/run.h"

__extension__ typedef unsigned __int128 wide;

static struct meter meter_of(const struct resources *held, int64_t started_utc_us)
{
    return (struct meter){.held = held, .started_utc_us = started_utc_us};
}

static struct price_version *version_add(struct list *versions, int64_t from, uint64_t cpu, uint64_t memory,
                                         uint64_t gpu)
{
    struct price_version *v = list_add(versions, sizeof *v);
    ck_assert_ptr_nonnull(v);
    v->version = (uint32_t)versions->count;
    v->from_utc_us = from;
    must(counts_set(&v->per_hour, "cpu", cpu));
    must(counts_set(&v->per_hour, "memory", memory));
    must(counts_set(&v->per_hour, "gpu", gpu));
    return v;
}

static void versions_clear(struct list *versions)
{
    for (size_t i = 0; i < versions->count; i++) {
        fields_clear(&price_version_fields, &((struct price_version *)versions->v)[i]);
    }
    free(versions->v);
    *versions = (struct list){0};
}

static void charges_clear(struct list *charges)
{
    for (size_t i = 0; i < charges->count; i++) {
        fields_clear(&charge_fields, &((struct charge *)charges->v)[i]);
    }
    free(charges->v);
    *charges = (struct list){0};
}

static struct price_book *book_of(const struct list *versions)
{
    struct price_book *book = NULL;
    ck_assert_int_eq(price_book_new(&book, NULL), 0);
    ck_assert_int_eq(price_book_set(book, versions, NULL), 0);
    return book;
}

/* One version from long ago: 0.04 per core-hour, 0.005 per GiB-hour, 2.50 per gpu-hour. */
static struct price_book *flat_book(void)
{
    struct list versions = {0};
    version_add(&versions, 0, 40000, 5000, 2500000);
    struct price_book *book = book_of(&versions);
    versions_clear(&versions);
    return book;
}

static const struct {
    const char *what;
    struct resources held;
    uint64_t gpus, run_us;
    int64_t want;
} rows[] = {
    {"a core for an hour costs its price", {.cpu_milli = 1000}, 0, HOUR_US, 40000},
    {"half a core for two hours costs the same", {.cpu_milli = 500}, 0, 2 * HOUR_US, 40000},
    {"a GiB for an hour costs its price", {.mem_bytes = 1 << 30}, 0, HOUR_US, 5000},
    {"everything together is the sum", {.cpu_milli = 2000, .mem_bytes = (uint64_t)4 << 30}, 1, HOUR_US, 2600000},
    {"what has no price is free", {.scratch_bytes = (uint64_t)100 << 30}, 0, 1000 * HOUR_US, 0},
    {"no time costs nothing", {.cpu_milli = 64000}, 8, 0, 0},
    {"10 s of a core are rounded once", {.cpu_milli = 1000}, 0, 10000000, 111},
    {"a time beyond all bounds saturates", {.mem_bytes = MEM_BYTES_MAX}, 0, UINT64_MAX, MONEY_MICROS_MAX},
};

START_TEST(costs)
{
    struct resources held = rows[_i].held;
    if (rows[_i].gpus) {
        must(counts_set(&held.generic, "gpu", rows[_i].gpus));
    }
    struct price_book *book = flat_book();
    int64_t cost = price_cost(book, meter_of(&held, AT_NOVEMBER), rows[_i].run_us);
    ck_assert_msg(cost == rows[_i].want, "%s: %lld", rows[_i].what, (long long)cost);
    price_book_free(book);
    fields_clear(&resources_fields, &held);
}
END_TEST

/* 2^50 bytes at 2^33 an hour for 2^63 us: a product that would wrap to nothing. */
START_TEST(a_product_beyond_128_bits_saturates)
{
    struct list versions = {0}, charges = {0};
    version_add(&versions, 0, 0, UINT64_C(1) << 33, 0);
    struct price_book *book = book_of(&versions);
    struct resources held = {.mem_bytes = MEM_BYTES_MAX};
    struct meter meter = meter_of(&held, AT_NOVEMBER);
    ck_assert_int_eq(price_cost(book, meter, UINT64_C(1) << 63), MONEY_MICROS_MAX);
    ck_assert_int_eq(price_charges(book, &meter, NULL, UINT64_C(1) << 63, &charges), 0);
    ck_assert_uint_eq(charges.count, 1);
    ck_assert_int_eq(((const struct charge *)charges.v)->micros, MONEY_MICROS_MAX);
    charges_clear(&charges);
    price_book_free(book);
    versions_clear(&versions);
}
END_TEST

START_TEST(telescoped_slices_charge_what_the_whole_costs)
{
    struct list versions = {0};
    version_add(&versions, 0, 10000, 0, 0); /* 0.01 per core-hour: a slice of 10 s is 27.8 micro-units */
    struct price_book *book = book_of(&versions);
    struct resources held = {.cpu_milli = 1000};
    struct meter meter = meter_of(&held, AT_NOVEMBER);
    int64_t sum = 0;
    for (uint64_t t = 0; t < HOUR_US; t += 10000000) {
        sum += price_cost(book, meter, t + 10000000) - price_cost(book, meter, t);
    }
    ck_assert_int_eq(sum, 10000);
    price_book_free(book);
    versions_clear(&versions);
}
END_TEST

START_TEST(each_instant_is_paid_at_the_price_of_that_instant)
{
    struct list versions = {0}, charges = {0};
    version_add(&versions, AT_NOVEMBER, 40000, 0, 0);
    version_add(&versions, AT_NOVEMBER + (int64_t)HOUR_US, 60000, 0, 0);
    struct price_book *book = book_of(&versions);
    struct resources held = {.cpu_milli = 1000, .scratch_bytes = 1};
    /* the first hour lies before the first price */
    struct meter meter = meter_of(&held, AT_NOVEMBER - (int64_t)HOUR_US);
    ck_assert_int_eq(price_cost(book, meter, HOUR_US), 0);
    ck_assert_int_eq(price_cost(book, meter, 2 * HOUR_US), 40000);
    ck_assert_int_eq(price_cost(book, meter, 3 * HOUR_US), 100000);
    ck_assert_ptr_null(price_book_at(book, AT_NOVEMBER - 1));
    ck_assert_uint_eq(price_book_at(book, AT_NOVEMBER)->version, 1);
    ck_assert_uint_eq(price_book_at(book, AT_NOVEMBER + (int64_t)HOUR_US)->version, 2);
    ck_assert_int_eq(price_charges(book, &meter, NULL, 3 * HOUR_US, &charges), 0);
    ck_assert_uint_eq(charges.count, 6);
    const struct charge *c = charges.v;
    ck_assert_str_eq(c[0].resource, "cpu");
    ck_assert_str_eq(c[3].resource, "scratch");
    ck_assert_uint_eq(c[0].price_version, 0);
    ck_assert_uint_eq(c[1].price_version, 1);
    ck_assert_uint_eq(c[2].price_version, 2);
    ck_assert_uint_eq(c[2].from_run_us, 2 * HOUR_US);
    ck_assert_uint_eq(c[2].run_us, HOUR_US);
    ck_assert_int_eq(c[2].micros, 60000);
    ck_assert_int_eq(c[5].micros, 0); /* held without a price: on record, for nothing */
    charges_clear(&charges);
    price_book_free(book);
    versions_clear(&versions);
}
END_TEST

START_TEST(a_book_refuses_what_it_can_not_keep_exact)
{
    struct list versions = {0};
    struct err err = {0};
    struct price_book *book = flat_book();
    version_add(&versions, 100, 1, 1, 1);
    struct price_version *second = version_add(&versions, 100, 1, 1, 1);
    ck_assert_int_eq(price_book_set(book, &versions, &err), -EINVAL);
    second->from_utc_us = 99;
    ck_assert_int_eq(price_book_set(book, &versions, &err), -EINVAL);
    second->from_utc_us = 101;
    must(counts_set(&second->per_hour, "cpu", (uint64_t)PRICE_MICROS_MAX + 1));
    ck_assert_int_eq(price_book_set(book, &versions, &err), -EINVAL);
    ck_assert_uint_eq(price_book_versions(book)->count, 1); /* untouched */
    price_book_free(book);
    versions_clear(&versions);
}
END_TEST

/* ---- random books and meters ----------------------------------------------------------------------------------- */

struct world {
    struct list versions;
    struct price_book *book;
    struct resources held;
    struct meter meter;
    uint64_t span_us; /* run times of interest */
};

static void world_make(struct world *w, uint64_t *seed)
{
    *w = (struct world){0};
    int64_t from = AT_NOVEMBER;
    size_t count = random_below(seed, 5);
    for (size_t i = 0; i < count; i++) {
        from += 1 + (int64_t)random_below(seed, 20 * HOUR_US);
        version_add(&w->versions, from, random_below(seed, 100000000), random_below(seed, 100000),
                    random_below(seed, 1000000000));
    }
    w->book = book_of(&w->versions);
    w->held.cpu_milli = random_below(seed, 200000);
    w->held.mem_bytes = random_next(seed) >> (14 + random_below(seed, 30));
    w->held.scratch_bytes = random_below(seed, 2);
    must(counts_set(&w->held.generic, "gpu", 1 + random_below(seed, 8)));
    must(counts_set(&w->held.generic, "licence", 1));
    w->meter = meter_of(&w->held, AT_NOVEMBER + (int64_t)random_below(seed, 40 * HOUR_US));
    w->span_us = 1 + random_below(seed, 60 * HOUR_US);
}

static void world_end(struct world *w)
{
    price_book_free(w->book);
    versions_clear(&w->versions);
    fields_clear(&resources_fields, &w->held);
}

/* Oracle: walks the versions from the newest to the oldest and asks for the overlap of two intervals. */
static int64_t oracle_resource(const struct world *w, const char *name, uint64_t amount, wide unit, uint64_t run_us)
{
    int64_t until = w->meter.started_utc_us + (int64_t)run_us;
    wide sum = 0;
    for (size_t i = w->versions.count; i-- > 0;) {
        const struct price_version *v = &((const struct price_version *)w->versions.v)[i];
        int64_t from = v->from_utc_us > w->meter.started_utc_us ? v->from_utc_us : w->meter.started_utc_us;
        if (from < until) {
            sum += (wide)amount * (wide)(until - from) * counts_get(&v->per_hour, name);
            until = from;
        }
    }
    wide low = sum / unit, twice = (sum - low * unit) * 2;
    return (int64_t)(twice > unit || (twice == unit && low % 2 == 1) ? low + 1 : low);
}

static int64_t oracle(const struct world *w, uint64_t run_us)
{
    return oracle_resource(w, "cpu", w->held.cpu_milli, (wide)1000 * HOUR_US, run_us) +
           oracle_resource(w, "memory", w->held.mem_bytes, ((wide)1 << 30) * HOUR_US, run_us) +
           oracle_resource(w, "gpu", counts_get(&w->held.generic, "gpu"), HOUR_US, run_us);
}

START_TEST(cost_agrees_with_the_oracle)
{
    uint64_t seed = random_seed("price cost");
    for (int i = 0; i < 3000; i++) {
        struct world w;
        world_make(&w, &seed);
        for (int k = 0; k < 10; k++) {
            uint64_t run_us = random_below(&seed, w.span_us);
            ck_assert_int_eq(price_cost(w.book, w.meter, run_us), oracle(&w, run_us));
        }
        world_end(&w);
    }
}
END_TEST

START_TEST(random_slices_add_up_to_the_whole)
{
    uint64_t seed = random_seed("price slices");
    for (int i = 0; i < 1000; i++) {
        struct world w;
        world_make(&w, &seed);
        struct list charges = {0};
        uint64_t at = 0;
        while (at < w.span_us) {
            uint64_t next = at + 1 + random_below(&seed, w.span_us / 4 + 1);
            next = MIN(next, w.span_us);
            size_t before = charges.count;
            int64_t slice = 0;
            w.meter.settled_us = at;
            ck_assert_int_eq(price_charges(w.book, &w.meter, NULL, next, &charges), 0);
            for (size_t k = before; k < charges.count; k++) {
                slice += ((const struct charge *)charges.v)[k].micros;
                ck_assert_int_ge(((const struct charge *)charges.v)[k].micros, 0);
            }
            ck_assert_int_eq(slice, price_cost(w.book, w.meter, next) - price_cost(w.book, w.meter, at));
            ck_assert_int_eq(slice, price_due(w.book, &w.meter, NULL, next));
            at = next;
        }
        int64_t sum = 0;
        uint64_t covered = 0;
        for (size_t k = 0; k < charges.count; k++) {
            const struct charge *c = &((const struct charge *)charges.v)[k];
            sum += c->micros;
            covered += strcmp(c->resource, "gpu") == 0 ? c->run_us : 0;
        }
        ck_assert_int_eq(sum, oracle(&w, w.span_us));
        ck_assert_uint_eq(covered, w.span_us);
        charges_clear(&charges);
        world_end(&w);
    }
}
END_TEST

START_TEST(paid_time_is_exact)
{
    uint64_t seed = random_seed("price time");
    for (int i = 0; i < 2000; i++) {
        struct world w;
        world_make(&w, &seed);
        int64_t whole = price_cost(w.book, w.meter, w.span_us);
        int64_t micros = whole > 0 ? (int64_t)random_below(&seed, (uint64_t)whole * 5 / 4 + 1) : 5;
        uint64_t t = price_time_for(w.book, w.meter, micros, w.span_us);
        ck_assert_uint_le(t, w.span_us);
        ck_assert_int_le(price_cost(w.book, w.meter, t), micros);
        ck_assert(t == w.span_us || price_cost(w.book, w.meter, t + 1) > micros);
        world_end(&w);
    }
}
END_TEST

START_TEST(nothing_buys_only_what_is_free)
{
    struct price_book *book = flat_book();
    struct resources cpu = {.cpu_milli = 1000}, nothing = {0};
    ck_assert_uint_eq(price_time_for(book, meter_of(&nothing, AT_NOVEMBER), 0, UINT64_MAX), UINT64_MAX);
    ck_assert_uint_eq(price_time_for(book, meter_of(&cpu, AT_NOVEMBER), -1, HOUR_US), 0);
    /* half a micro-unit rounds to even, to nothing: 45 ms of a core at 0.04 an hour */
    ck_assert_uint_eq(price_time_for(book, meter_of(&cpu, AT_NOVEMBER), 0, HOUR_US), 45000);
    price_book_free(book);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quotas/price");
    TCase *t = tcase_create("price");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, costs, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, a_product_beyond_128_bits_saturates);
    tcase_add_test(t, telescoped_slices_charge_what_the_whole_costs);
    tcase_add_test(t, each_instant_is_paid_at_the_price_of_that_instant);
    tcase_add_test(t, a_book_refuses_what_it_can_not_keep_exact);
    tcase_add_test(t, cost_agrees_with_the_oracle);
    tcase_add_test(t, random_slices_add_up_to_the_whole);
    tcase_add_test(t, paid_time_is_exact);
    tcase_add_test(t, nothing_buys_only_what_is_free);
    suite_add_tcase(s, t);
    return run_suite(s);
}
