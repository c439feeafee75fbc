/* price: I/O, a quantity. What a node counted is charged once, whatever it says later; what is held covers what can be
 * charged; lines come to the same when they are rated again. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "quotas/price.h"
#include "tests/quotas/facts.h"
#include "tests/run.h"

__extension__ typedef unsigned __int128 wide;

#define GIB (UINT64_C(1) << 30)
#define S UINT64_C(1000000)
#define PRICE 1000 /* micro-units per GiB */

static void list_clear(const struct fields *f, struct list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        fields_clear(f, (char *)l->v + i * f->size);
    }
    free(l->v);
    *l = (struct list){0};
}

/* ---- an attempt as the scheduler charges it ---------------------------------------------------------------- */

struct world {
    struct list versions;
    struct price_book *book;
    struct resources held;
    struct meter meter;
    struct list marks, charges;
};

/* One more version, from so long after the attempt's start on; below zero: nothing about I/O. */
static void version_add(struct world *w, int64_t after_us, int64_t price)
{
    struct price_version *v = list_add(&w->versions, sizeof *v);
    ck_assert_ptr_nonnull(v);
    *v = (struct price_version){.version = (uint32_t)w->versions.count, .from_utc_us = AT_NOVEMBER + after_us};
    must(counts_set(&v->per_hour, "cpu", 3600000)); /* one micro-unit per milli-core-second */
    if (price >= 0) {
        must(counts_set(&v->per_gib, RESOURCE_IO, (uint64_t)price));
    }
}

static void world_begin(struct world *w)
{
    must(price_book_new(&w->book, NULL));
    must(price_book_set(w->book, &w->versions, NULL));
    w->meter.held = &w->held;
    w->meter.started_utc_us = AT_NOVEMBER;
}

static void world_end(struct world *w)
{
    price_book_free(w->book);
    list_clear(&price_version_fields, &w->versions);
    list_clear(&charge_fields, &w->charges);
    list_clear(&meter_mark_fields, &w->marks);
}

/* What it came to. */
static int64_t settle(struct world *w, const struct use_point *use, uint64_t to_us)
{
    struct list marks = {0};
    int64_t due = price_due(w->book, &w->meter, use, to_us), sum = 0;
    size_t before = w->charges.count;
    must(price_charges(w->book, &w->meter, use, to_us, &w->charges));
    for (size_t i = before; i < w->charges.count; i++) {
        sum += ((const struct charge *)w->charges.v)[i].micros;
    }
    ck_assert_int_eq(sum, due);
    must(price_marks(w->book, &w->meter, use, to_us, &marks));
    list_clear(&meter_mark_fields, &w->marks);
    w->marks = marks;
    w->meter.marks = &w->marks;
    w->meter.settled_us = to_us;
    return due;
}

static uint64_t bytes_of(const struct world *w)
{
    uint64_t bytes = 0;
    const struct charge *lines = w->charges.v;
    for (size_t i = 0; i < w->charges.count; i++) {
        bytes += strcmp(lines[i].resource, RESOURCE_IO) == 0 ? lines[i].amount : 0;
    }
    return bytes;
}

/* All its lines of I/O under a book; `same`: each must come to what it says. */
static int64_t again(const struct world *w, const struct price_book *book, bool same)
{
    struct price_sum sum = {0};
    int64_t total = 0;
    const struct charge *lines = w->charges.v;
    for (size_t i = 0; i < w->charges.count; i++) {
        uint32_t version;
        if (strcmp(lines[i].resource, RESOURCE_IO) != 0) {
            continue;
        }
        int64_t from_utc_us = w->meter.started_utc_us + (int64_t)lines[i].from_run_us;
        int64_t micros = price_again(book, w->meter.buyer, &lines[i], from_utc_us, &sum, &version);
        if (same) {
            ck_assert_int_eq(micros, lines[i].micros);
            ck_assert_uint_eq(version, lines[i].price_version);
        }
        total += micros;
    }
    return total;
}

/* ---- one counter at one price ------------------------------------------------------------------------------ */

#define COUNTED(bytes) {(bytes) + 1}
static const struct {
    const char *what;
    struct {
        uint64_t run_us;
        struct measure io_bytes;
    } beats[4]; /* until run_us 0 */
    int64_t micros[4];
    uint64_t bytes; /* billed, in the end */
    size_t lines;   /* about I/O */
} rows[] = {
    {"a GiB is what the book says", {{S, COUNTED(GIB)}}, {PRICE}, GIB, 1},
    {"nothing moved: no line", {{S, COUNTED(0)}}, {0}, 0, 0},
    {"nobody counts: a line of nothing says so", {{S, {0}}, {2 * S, {0}}}, {0, 0}, 0, 2},
    {"what was counted once is paid once", {{S, COUNTED(GIB)}, {2 * S, COUNTED(GIB)}}, {PRICE, 0}, GIB, 1},
    {"the same report twice bills nothing twice", {{S, COUNTED(GIB)}, {S, COUNTED(GIB)}, {S, COUNTED(GIB)}},
     {PRICE, 0, 0}, GIB, 1},
    {"a byte is rounded with all before it: half of a micro-unit to even",
     {{S, COUNTED(GIB / PRICE / 2)}, {2 * S, COUNTED(GIB / PRICE + 1)}}, {0, 1}, GIB / PRICE + 1, 2},
    {"a counter that goes back adds nothing until it is where it was",
     {{S, COUNTED(2 * GIB)}, {2 * S, COUNTED(GIB)}, {3 * S, COUNTED(3 * GIB)}}, {2 * PRICE, 0, PRICE}, 3 * GIB, 2},
    {"a lost report comes with the next one", {{S, COUNTED(GIB)}, {2 * S, {0}}, {3 * S, COUNTED(4 * GIB)}},
     {PRICE, 0, 3 * PRICE}, 4 * GIB, 3},
    {"counting that begins late tells of all", {{S, {0}}, {2 * S, COUNTED(GIB)}}, {0, PRICE}, GIB, 2},
    {"a counter that jumps beyond what anybody moves is none",
     {{S, COUNTED(GIB)}, {2 * S, COUNTED(UINT64_C(1) << 60)}, {3 * S, COUNTED(2 * GIB)}}, {PRICE, 0, PRICE},
     2 * GIB, 3},
    {"bytes without time cost what they cost", {{S, COUNTED(0)}, {S, COUNTED(GIB)}}, {0, PRICE}, GIB, 1},
};

START_TEST(counters)
{
    struct world w = {0};
    size_t lines = 0;
    version_add(&w, 0, PRICE);
    world_begin(&w);
    for (size_t i = 0; i < COUNT_OF(rows[_i].beats) && rows[_i].beats[i].run_us > 0; i++) {
        struct use_point use = {.run_us = rows[_i].beats[i].run_us, .io_bytes = rows[_i].beats[i].io_bytes};
        int64_t micros = settle(&w, &use, use.run_us);
        ck_assert_msg(micros == rows[_i].micros[i], "%s: beat %zu costs %lld", rows[_i].what, i, (long long)micros);
    }
    for (size_t i = 0; i < w.charges.count; i++) {
        lines += strcmp(((const struct charge *)w.charges.v)[i].resource, RESOURCE_IO) == 0;
    }
    ck_assert_msg(bytes_of(&w) == rows[_i].bytes && lines == rows[_i].lines, "%s: %llu bytes in %zu lines",
                  rows[_i].what, (unsigned long long)bytes_of(&w), lines);
    (void)again(&w, w.book, true);
    world_end(&w);
}
END_TEST

START_TEST(without_a_price_anywhere_nothing_is_on_record)
{
    struct world w = {0};
    struct use_point use = {.run_us = S, .io_bytes = measure_of(GIB)};
    version_add(&w, 0, -1);
    world_begin(&w);
    ck_assert(!price_book_has_io(w.book) && !price_book_measures(w.book));
    ck_assert_int_eq(settle(&w, &use, S), 0);
    ck_assert_uint_eq(w.charges.count + w.marks.count, 0);
    world_end(&w);
}
END_TEST

/* Before it was priced nobody kept count of what is charged: what was moved by then is nobody's bill. */
START_TEST(a_book_that_learns_to_price_io_bills_what_comes_after)
{
    struct world w = {0};
    struct use_point use = {.run_us = S, .io_bytes = measure_of(GIB)};
    version_add(&w, 0, -1);
    world_begin(&w);
    (void)settle(&w, &use, S);
    version_add(&w, 1, PRICE);
    must(price_book_set(w.book, &w.versions, NULL));
    use = (struct use_point){.run_us = 2 * S, .io_bytes = measure_of(5 * GIB)};
    ck_assert_int_eq(settle(&w, &use, 2 * S), 0);
    use = (struct use_point){.run_us = 3 * S, .io_bytes = measure_of(7 * GIB)};
    ck_assert_int_eq(settle(&w, &use, 3 * S), 2 * PRICE);
    world_end(&w);
}
END_TEST

START_TEST(a_price_change_cuts_the_bytes_by_the_time_on_both_sides)
{
    struct world w = {0};
    struct use_point use = {.run_us = 4 * S, .io_bytes = measure_of(4 * GIB)};
    version_add(&w, 0, PRICE);
    version_add(&w, 3 * (int64_t)S, 10 * PRICE);
    world_begin(&w);
    ck_assert_int_eq(price_io_hold(w.book, &w.meter, 4 * GIB, 4 * S), 40 * PRICE); /* it may all come after it */
    ck_assert_int_eq(price_io_hold(w.book, &w.meter, 4 * GIB, 3 * S), 4 * PRICE);
    ck_assert_int_eq(settle(&w, &use, 4 * S), 13 * PRICE);
    ck_assert_uint_eq(w.charges.count, 2);
    ck_assert_uint_eq(((const struct charge *)w.charges.v)[0].amount, 3 * GIB);
    ck_assert_uint_eq(((const struct charge *)w.charges.v)[1].price_version, 2);
    (void)again(&w, w.book, true);
    world_end(&w);
}
END_TEST

START_TEST(what_a_hold_buys_is_exact)
{
    struct world w = {0};
    version_add(&w, 0, 7);
    world_begin(&w);
    for (int64_t micros = 0; micros < 50; micros++) {
        uint64_t bytes = price_io_bytes(w.book, &w.meter, micros, 100 * GIB, S);
        ck_assert_int_le(price_io_hold(w.book, &w.meter, bytes, S), micros);
        ck_assert_int_gt(price_io_hold(w.book, &w.meter, bytes + 1, S), micros);
    }
    ck_assert_uint_eq(price_io_bytes(w.book, &w.meter, 1000, 2 * GIB, S), 2 * GIB);
    ck_assert_uint_eq(price_io_bytes(w.book, &w.meter, -1, 2 * GIB, S), 0);
    world_end(&w);
}
END_TEST

/* ---- anything ---------------------------------------------------------------------------------------------- */

static int64_t half_even(wide n, wide d)
{
    wide low = n / d, twice = (n - low * d) * 2;
    return (int64_t)(twice > d || (twice == d && low % 2 == 1) ? low + 1 : low);
}

static void world_random(struct world *w, uint64_t *seed)
{
    int64_t after_us = 0;
    size_t count = 1 + random_below(seed, 4);
    for (size_t i = 0; i < count; i++) {
        version_add(w, after_us, random_below(seed, 5) == 0 ? 0 : (int64_t)random_below(seed, 10000000));
        after_us += 1 + (int64_t)random_below(seed, 100 * S);
    }
    world_begin(w);
}

/* Its own sums: bytes by the segments of each line, at the price in force at the line's begin; the cost of all of them
 * is rounded once. */
START_TEST(lines_add_up_whatever_is_reported)
{
    uint64_t seed = random_seed("price io");
    for (int n = 0; n < 2000; n++) {
        struct world w = {0}, other = {0};
        uint64_t highest = 0, run_us = 0;
        wide exact = 0;
        int64_t total = 0;
        world_random(&w, &seed);
        for (int beat = 0; beat < 12; beat++) {
            run_us += random_below(&seed, 30 * S);
            struct use_point use = {.run_us = run_us};
            if (random_below(&seed, 4) > 0) {
                use.io_bytes = measure_of(random_below(&seed, highest + 10 * GIB));
                highest = MAX(highest, measured(use.io_bytes));
            }
            int64_t held = price_io_hold(w.book, &w.meter, MAX(highest, measured(price_io_charged(&w.meter))), run_us);
            int64_t io = price_io_due(w.book, &w.meter, &use);
            ck_assert_int_le(io, held); /* never above what a hold for it would be */
            total += io;
            (void)settle(&w, &use, run_us);
        }
        ck_assert_uint_eq(bytes_of(&w), highest); /* each byte once */
        const struct charge *lines = w.charges.v;
        for (size_t i = 0; i < w.charges.count; i++) {
            const struct price_version *v =
                price_book_at(w.book, w.meter.started_utc_us + (int64_t)lines[i].from_run_us);
            if (strcmp(lines[i].resource, RESOURCE_IO) == 0) {
                exact += (wide)lines[i].amount * counts_get(&v->per_gib, RESOURCE_IO);
            }
        }
        ck_assert_int_eq(total, half_even(exact, GIB));
        ck_assert_int_eq(again(&w, w.book, true), total);
        world_random(&other, &seed); /* another book: the whole of it is rounded once, too */
        (void)again(&w, other.book, false);
        world_end(&w);
        world_end(&other);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("io");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, counters, 0, COUNT_OF(rows));
    tcase_add_test(t, without_a_price_anywhere_nothing_is_on_record);
    tcase_add_test(t, a_book_that_learns_to_price_io_bills_what_comes_after);
    tcase_add_test(t, a_price_change_cuts_the_bytes_by_the_time_on_both_sides);
    tcase_add_test(t, what_a_hold_buys_is_exact);
    tcase_add_test(t, lines_add_up_whatever_is_reported);
    Suite *s = suite_create("quotas/price_io");
    suite_add_tcase(s, t);
    return run_suite(s);
}
