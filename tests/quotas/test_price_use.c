/* price: charged by what was used. Random books, durations and heartbeats against a 128-bit oracle that keeps its own
 * sums; what a node doesn't count, forgets or counts backwards. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "quotas/price.h"
#include "tests/quotas/facts.h"
#include "tests/run.h"

__extension__ typedef unsigned __int128 wide;

enum { CPU, MEMORY, RESOURCES };
static const char *const names[RESOURCES] = {"cpu", "memory"};
static const wide units[RESOURCES] = {(wide)1000 * HOUR_US, ((wide)1 << 30) * HOUR_US};

static void list_clear(const struct fields *f, struct list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        fields_clear(f, (char *)l->v + i * f->size);
    }
    free(l->v);
    *l = (struct list){0};
}

/* ---- an attempt as the scheduler charges it ---------------------------------------------------------------- */

static char leaf[] = "acme/etl", team[] = "acme", root[] = "/";
static char *path_v[] = {leaf, team, root};
static const struct strs path = {path_v, 3};

struct world {
    struct list versions;
    struct price_book *book;
    struct resources held;
    struct meter meter;
    struct list marks, charges;
};

static void settle(struct world *w, const struct use_point *use, uint64_t to_us)
{
    struct list marks = {0};
    int64_t due = price_due(w->book, &w->meter, use, to_us), sum = 0;
    size_t before = w->charges.count;
    ck_assert_int_eq(price_charges(w->book, &w->meter, use, to_us, &w->charges), 0);
    for (size_t i = before; i < w->charges.count; i++) {
        sum += ((const struct charge *)w->charges.v)[i].micros;
    }
    ck_assert_int_eq(sum, due);
    ck_assert_int_eq(price_marks(w->book, &w->meter, use, to_us, &marks), 0);
    list_clear(&meter_mark_fields, &w->marks);
    w->marks = marks;
    w->meter.marks = &w->marks;
    w->meter.settled_us = to_us;
}

static void world_end(struct world *w)
{
    price_book_free(w->book);
    list_clear(&price_version_fields, &w->versions);
    list_clear(&charge_fields, &w->charges);
    list_clear(&meter_mark_fields, &w->marks);
}

static const char *const bys[] = {"request", "use", "greater"};

static void version_random(struct world *w, int64_t from, uint64_t *seed)
{
    struct price_version *v = list_add(&w->versions, sizeof *v);
    ck_assert_ptr_nonnull(v);
    v->version = (uint32_t)w->versions.count;
    v->from_utc_us = from;
    v->preemptible_percent = (uint32_t)random_below(seed, 101);
    for (int r = 0; r < RESOURCES; r++) {
        must(counts_set(&v->per_hour, names[r], random_below(seed, 100000000)));
        must(pairs_set(&v->by, names[r], bys[random_below(seed, 3)]));
    }
    if (random_below(seed, 2)) {
        struct price_class *big = list_add(&v->classes, sizeof *big);
        ck_assert_ptr_nonnull(big);
        set_text(&big->name, "big");
        must(counts_set(&big->per_hour, "cpu", random_below(seed, 100000000)));
    }
    if (random_below(seed, 2)) {
        must(counts_set(&v->discounts, random_below(seed, 2) ? "acme" : "/", random_below(seed, 100000001)));
    }
}

static void book_make(struct world *w)
{
    ck_assert_int_eq(price_book_new(&w->book, NULL), 0);
    ck_assert_int_eq(price_book_set(w->book, &w->versions, NULL), 0);
    w->meter.held = &w->held;
    w->meter.buyer.path = &path;
}

static void world_random(struct world *w, uint64_t *seed)
{
    *w = (struct world){0};
    int64_t from = AT_NOVEMBER;
    size_t count = 1 + random_below(seed, 5);
    for (size_t i = 0; i < count; i++) {
        version_random(w, from, seed);
        from += 1 + (int64_t)random_below(seed, 2 * HOUR_US);
    }
    w->held.cpu_milli = 10 + random_below(seed, 64000);
    w->held.mem_bytes = 1 + (random_next(seed) >> 28);
    w->meter.started_utc_us = AT_NOVEMBER - (int64_t)HOUR_US + (int64_t)random_below(seed, 3 * HOUR_US);
    w->meter.buyer.price_class = random_below(seed, 2) ? "big" : NULL;
    w->meter.buyer.preemptible = random_below(seed, 2);
    book_make(w);
}

/* ---- the oracle -------------------------------------------------------------------------------------------- */

struct oracle {
    wide sum[RESOURCES]; /* cumulative, exact */
    bool known;          /* `charged` is */
    wide charged;        /* of the counter, in milli-core-us */
};

static wide half_even(wide n, wide d)
{
    wide low = n / d, twice = (n - low * d) * 2;
    return twice > d || (twice == d && low % 2 == 1) ? low + 1 : low;
}

static wide oracle_price(const struct world *w, const struct price_version *v, int r)
{
    wide list = counts_get(&v->per_hour, names[r]), off = 0;
    const struct price_class *big = v->classes.v;
    if (w->meter.buyer.price_class && v->classes.count && r == CPU) {
        list = big->per_hour.v[0].value;
    }
    if (v->discounts.count) {
        off = v->discounts.v[0].value;
    }
    wide percent = w->meter.buyer.preemptible && v->preemptible_percent ? v->preemptible_percent : 100;
    return half_even(list * (100000000 - off) * percent, (wide)100000000 * 100);
}

/* Walks the versions from the newest to the oldest. */
static void oracle_stretch(const struct world *w, struct oracle *o, int r, bool has_use, uint64_t used,
                           uint64_t from_us, uint64_t to_us)
{
    bool counts = has_use && r == CPU;
    int64_t begin = w->meter.started_utc_us + (int64_t)from_us, end = w->meter.started_utc_us + (int64_t)to_us;
    uint64_t held = r == CPU ? w->held.cpu_milli : w->held.mem_bytes;
    for (size_t i = w->versions.count; i-- > 0;) {
        const struct price_version *v = &((const struct price_version *)w->versions.v)[i];
        int64_t low = v->from_utc_us > begin ? v->from_utc_us : begin;
        if (low >= end) {
            continue;
        }
        const char *by = pairs_get(&v->by, names[r]);
        uint64_t amount = held;
        if (has_use && strcmp(by, "use") == 0) {
            amount = MIN(used, held);
            o->charged -= counts ? (wide)(used - amount) * (uint64_t)(end - low) : 0;
        } else if (has_use && strcmp(by, "greater") == 0 && used > held) {
            amount = used;
        }
        o->sum[r] += (wide)amount * (uint64_t)(end - low) * oracle_price(w, v, r);
        end = low;
    }
}

static void oracle_settle(const struct world *w, struct oracle *o, const struct use_point *use, uint64_t from_us,
                          uint64_t to_us)
{
    bool counts = use && use->cpu_us, ok = counts && o->known && (wide)use->cpu_us * 1000 >= o->charged;
    uint64_t average = ok ? (uint64_t)(((wide)use->cpu_us * 1000 - o->charged) / (use->run_us - from_us)) : 0;
    o->charged = ok ? o->charged + (wide)average * (to_us - from_us) : counts ? (wide)use->cpu_us * 1000 : 0;
    oracle_stretch(w, o, CPU, ok, average, from_us, to_us);
    oracle_stretch(w, o, MEMORY, use && use->mem_peak_bytes, use ? use->mem_peak_bytes : 0, from_us, to_us);
    o->known = counts;
}

/* What the node says next: mostly sound, sometimes nothing, sometimes less than before. */
static void beat_random(const struct world *w, struct use_point *node, uint64_t us, uint64_t *seed)
{
    node->run_us += us;
    node->cpu_us += (uint64_t)((wide)us * random_below(seed, w->held.cpu_milli * 11 / 10 + 1) / 1000);
    node->mem_peak_bytes = MAX(node->mem_peak_bytes, random_below(seed, w->held.mem_bytes * 2));
    if (random_below(seed, 20) == 0) {
        node->cpu_us = random_below(seed, node->cpu_us + 1);
    }
}

START_TEST(random_heartbeats_cost_what_the_oracle_says)
{
    uint64_t seed = random_seed("price use");
    for (int i = 0; i < 1500; i++) {
        struct world w;
        struct oracle o = {.known = true};
        struct use_point node = {0};
        world_random(&w, &seed);
        for (size_t beats = 1 + random_below(&seed, 40); beats > 0; beats--) {
            beat_random(&w, &node, 1 + random_below(&seed, HOUR_US / 4), &seed);
            uint64_t kind = random_below(&seed, 10);
            struct use_point said = node;
            if (kind == 0) {
                said.cpu_us = said.mem_peak_bytes = 0;
            }
            const struct use_point *use = kind == 1 ? NULL : &said;
            /* now and then a little less is settled than is known */
            uint64_t from = w.meter.settled_us, to = node.run_us - (kind == 2 ? (node.run_us - from) / 3 : 0);
            oracle_settle(&w, &o, use, from, to);
            settle(&w, use, to);
        }
        int64_t cost[RESOURCES] = {0};
        for (size_t k = 0; k < w.charges.count; k++) {
            const struct charge *c = &((const struct charge *)w.charges.v)[k];
            for (int r = 0; r < RESOURCES; r++) {
                cost[r] += strcmp(c->resource, names[r]) == 0 ? c->micros : 0;
            }
        }
        for (int r = 0; r < RESOURCES; r++) {
            ck_assert_int_eq(cost[r], (int64_t)half_even(o.sum[r], units[r]));
        }
        world_end(&w);
    }
}
END_TEST

/* The same as price_due_time(), by looking in the middle again and again. */
static uint64_t halved(const struct world *w, const struct use_point *use, int64_t micros, uint64_t max_us)
{
    uint64_t fits = w->meter.settled_us, exceeds = max_us;
    if (micros < 0 || max_us <= fits) {
        return fits;
    }
    if (price_due(w->book, &w->meter, use, max_us) <= micros) {
        return max_us;
    }
    while (exceeds - fits > 1) {
        uint64_t middle = fits + (exceeds - fits) / 2;
        *(price_due(w->book, &w->meter, use, middle) <= micros ? &fits : &exceeds) = middle;
    }
    return fits;
}

START_TEST(how_long_money_lasts_is_exact)
{
    uint64_t seed = random_seed("price time");
    for (int i = 0; i < 1500; i++) {
        struct world w;
        struct use_point node = {0};
        world_random(&w, &seed);
        if (i % 8 == 0) { /* and where sums are beyond all bounds */
            w.held.cpu_milli = CPU_MILLI_MAX;
            w.held.mem_bytes = MEM_BYTES_MAX;
        }
        for (int beat = 0; beat < 6; beat++) {
            node.run_us += 1 + random_below(&seed, i % 8 == 0 ? UINT64_C(1) << 52 : HOUR_US);
            node.cpu_us += random_below(&seed, HOUR_US);
            node.mem_peak_bytes = random_below(&seed, w.held.mem_bytes + 1);
            const struct use_point *use = random_below(&seed, 2) ? &node : NULL;
            int64_t due = price_due(w.book, &w.meter, use, node.run_us);
            int64_t asked[] = {-1, 0, 1, due - 1, due, (int64_t)random_below(&seed, (uint64_t)due + 2)};
            for (size_t k = 0; k < COUNT_OF(asked); k++) {
                ck_assert_uint_eq(price_due_time(w.book, &w.meter, use, asked[k], node.run_us),
                                  halved(&w, use, asked[k], node.run_us));
            }
            settle(&w, use, w.meter.settled_us + random_below(&seed, node.run_us - w.meter.settled_us + 1));
        }
        world_end(&w);
    }
}
END_TEST

START_TEST(what_uses_no_more_than_it_asked_for_never_costs_more_than_by_request)
{
    uint64_t seed = random_seed("price bound");
    for (int i = 0; i < 1500; i++) {
        struct world w;
        struct use_point node = {0};
        world_random(&w, &seed);
        bool exceeds = false;
        for (size_t k = 0; k < w.versions.count; k++) {
            const struct price_version *v = &((const struct price_version *)w.versions.v)[k];
            exceeds = exceeds || strcmp(pairs_get(&v->by, "cpu"), "greater") == 0;
        }
        for (int beat = 0; beat < 20; beat++) {
            uint64_t us = 1 + random_below(&seed, HOUR_US / 4);
            node.run_us += us;
            node.cpu_us += (uint64_t)((wide)us * random_below(&seed, w.held.cpu_milli + 1) / 1000);
            node.mem_peak_bytes = random_below(&seed, w.held.mem_bytes + 1);
            int64_t bound = price_due(w.book, &w.meter, NULL, node.run_us);
            int64_t due = price_due(w.book, &w.meter, &node, node.run_us);
            ck_assert(exceeds || due <= bound); /* what is greater has no bound but the hold */
            int64_t micros = (int64_t)random_below(&seed, (uint64_t)due + 2);
            uint64_t to = price_due_time(w.book, &w.meter, &node, micros, node.run_us);
            ck_assert_int_le(price_due(w.book, &w.meter, &node, to), micros);
            ck_assert(to == node.run_us || price_due(w.book, &w.meter, &node, to + 1) > micros);
            settle(&w, &node, node.run_us);
        }
        world_end(&w);
    }
}
END_TEST

/* ---- once more --------------------------------------------------------------------------------------------- */

static int64_t again(const struct world *w, const struct price_book *book, int r, bool check)
{
    struct price_sum sum = {0};
    int64_t total = 0;
    for (size_t i = 0; i < w->charges.count; i++) {
        const struct charge *c = &((const struct charge *)w->charges.v)[i];
        uint32_t version;
        if (strcmp(c->resource, names[r]) == 0) {
            int64_t from = w->meter.started_utc_us + (int64_t)c->from_run_us;
            int64_t micros = price_again(book, w->meter.buyer, c, from, &sum, &version);
            ck_assert(!check || micros == c->micros);
            ck_assert(!check || version == c->price_version);
            total += micros;
        }
    }
    return total;
}

START_TEST(lines_re_rated_by_their_own_book_say_the_same_and_by_another_what_the_whole_costs)
{
    uint64_t seed = random_seed("price again");
    for (int i = 0; i < 500; i++) {
        struct world w;
        struct use_point node = {0};
        world_random(&w, &seed);
        for (size_t beats = 1 + random_below(&seed, 20); beats > 0; beats--) {
            beat_random(&w, &node, 1 + random_below(&seed, HOUR_US / 4), &seed);
            settle(&w, &node, node.run_us);
        }
        struct world other; /* its book */
        world_random(&other, &seed);
        for (int r = 0; r < RESOURCES; r++) {
            (void)again(&w, w.book, r, true);
            wide sum = 0;
            for (size_t k = 0; k < w.charges.count; k++) {
                const struct charge *c = &((const struct charge *)w.charges.v)[k];
                for (uint64_t at = 0; strcmp(c->resource, names[r]) == 0 && at < c->run_us;) {
                    int64_t utc = w.meter.started_utc_us + (int64_t)(c->from_run_us + at);
                    int64_t next = price_book_next(other.book, utc);
                    uint64_t us = MIN(c->run_us - at, next == INT64_MAX ? UINT64_MAX : (uint64_t)(next - utc));
                    struct unit_price rate = price_rate(price_book_at(other.book, utc), w.meter.buyer, names[r]);
                    sum += (wide)c->amount * us * (uint64_t)rate.price;
                    at += us;
                }
            }
            ck_assert_int_eq(again(&w, other.book, r, false), (int64_t)half_even(sum, units[r]));
        }
        world_end(&w);
        world_end(&other);
    }
}
END_TEST

/* ---- one job at one price ---------------------------------------------------------------------------------- */

/* 3.60 per core-hour: one micro-unit per milli-core-second. */
static void world_flat(struct world *w, const char *by)
{
    *w = (struct world){.held = {.cpu_milli = 2000, .mem_bytes = 1 << 30}};
    struct price_version *v = list_add(&w->versions, sizeof *v);
    ck_assert_ptr_nonnull(v);
    *v = (struct price_version){.version = 1};
    must(counts_set(&v->per_hour, "cpu", 3600000));
    must(pairs_set(&v->by, "cpu", by));
    w->meter.started_utc_us = AT_NOVEMBER;
    book_make(w);
}

#define S UINT64_C(1000000)
#define NO_LINE UINT32_MAX

static const struct charge *cpu_line(const struct world *w, size_t index)
{
    const struct charge *lines = w->charges.v;
    for (size_t i = 0; i < w->charges.count; i++) {
        if (strcmp(lines[i].resource, "cpu") == 0 && index-- == 0) {
            return &lines[i];
        }
    }
    ck_abort_msg("no such line");
}

#define BEAT(run, cpu) {.run_us = (run), .cpu_us = (cpu)}
static const struct {
    const char *what, *by;
    struct use_point beats[4]; /* until run_us 0; cpu_us UINT64_MAX: nothing is known by then */
    uint32_t line_by[4];
    int64_t micros[4];
} rows[] = {
    {"half of it used: half of it paid", "use", {BEAT(10 * S, 10 * S)}, {PRICE_BY_USE}, {10000}},
    {"idle costs nothing but its line", "use", {BEAT(10 * S, 1)}, {PRICE_BY_USE}, {0}},
    {"no moment costs more than what was asked for: a burst comes later", "use",
     {BEAT(10 * S, 21 * S), BEAT(20 * S, 31 * S)}, {PRICE_BY_USE, PRICE_BY_USE}, {20000, 11000}},
    {"what is greater: the request", "greater", {BEAT(10 * S, 10 * S)}, {PRICE_BY_GREATER}, {20000}},
    {"what is greater: the use", "greater", {BEAT(10 * S, 21 * S)}, {PRICE_BY_GREATER}, {21000}},
    {"by request whatever was used", "request", {BEAT(10 * S, 1 * S)}, {PRICE_BY_REQUEST}, {20000}},
    {"a beat is lost: the next one brings it", "use", {BEAT(30 * S, 6 * S)}, {PRICE_BY_USE}, {6000}},
    {"nothing is settled: what is charged stays known", "use",
     {BEAT(10 * S, 10 * S), BEAT(10 * S, UINT64_MAX), BEAT(20 * S, 15 * S)}, {PRICE_BY_USE, NO_LINE, PRICE_BY_USE},
     {10000, 0, 5000}},
    {"nothing is counted: by request", "use", {BEAT(10 * S, 0), BEAT(20 * S, 0)}, {PRICE_BY_REQUEST, PRICE_BY_REQUEST},
     {20000, 20000}},
    {"counting begins late: by request until then", "use", {BEAT(10 * S, 0), BEAT(20 * S, 5 * S), BEAT(30 * S, 6 * S)},
     {PRICE_BY_REQUEST, PRICE_BY_REQUEST, PRICE_BY_USE}, {20000, 20000, 1000}},
    {"the counter goes back: by request until it is known again", "use",
     {BEAT(10 * S, 10 * S), BEAT(20 * S, 3 * S), BEAT(30 * S, 5 * S)}, {PRICE_BY_USE, PRICE_BY_REQUEST, PRICE_BY_USE},
     {10000, 20000, 2000}},
    {"nothing known for a while: by request, and nothing of it twice", "use",
     {BEAT(10 * S, 10 * S), BEAT(20 * S, UINT64_MAX), BEAT(30 * S, 50 * S), BEAT(40 * S, 51 * S)},
     {PRICE_BY_USE, PRICE_BY_REQUEST, PRICE_BY_REQUEST, PRICE_BY_USE}, {10000, 20000, 20000, 1000}},
    {"a counter beyond all bounds is none", "use", {BEAT(10 * S, UINT64_MAX / 1000)}, {PRICE_BY_REQUEST}, {20000}},
};

START_TEST(beats)
{
    struct world w;
    size_t none = 0;
    world_flat(&w, rows[_i].by);
    for (size_t i = 0; i < COUNT_OF(rows[_i].beats) && rows[_i].beats[i].run_us; i++) {
        const struct use_point *use = &rows[_i].beats[i];
        settle(&w, use->cpu_us == UINT64_MAX ? NULL : use, use->run_us);
        if (rows[_i].line_by[i] == NO_LINE) {
            none++;
            continue;
        }
        const struct charge *line = cpu_line(&w, i - none);
        ck_assert_msg(line->by == rows[_i].line_by[i] && line->micros == rows[_i].micros[i], "%s: line %zu: %s, %lld",
                      rows[_i].what, i, names_get(&price_by_names, line->by), (long long)line->micros);
        ck_assert_int_eq((int64_t)(line->amount * line->run_us / S), line->micros); /* quantity times price */
    }
    world_end(&w);
}
END_TEST

START_TEST(what_is_rounded_off_one_line_comes_with_the_next)
{
    uint64_t seed = random_seed("price carry");
    for (int i = 0; i < 300; i++) {
        struct world w;
        struct use_point node = {0};
        world_flat(&w, "use");
        wide quantity = 0;
        uint64_t longest_us = 0; /* a rest may not fit into a short line, which is cut at what is held: it stays then */
        for (int beat = 0; beat < 50; beat++) {
            uint64_t us = 1 + random_below(&seed, 20 * S);
            longest_us = MAX(longest_us, us);
            node.run_us += us;
            node.cpu_us += 1 + random_below(&seed, us);
            settle(&w, &node, node.run_us);
        }
        for (size_t k = 0; k < 50; k++) {
            quantity += (wide)cpu_line(&w, k)->amount * cpu_line(&w, k)->run_us;
        }
        ck_assert(quantity <= (wide)node.cpu_us * 1000);
        ck_assert((wide)node.cpu_us * 1000 - quantity < longest_us);
        world_end(&w);
    }
}
END_TEST

START_TEST(amounts_beyond_all_bounds_saturate)
{
    struct world w;
    world_flat(&w, "greater");
    w.held = (struct resources){.cpu_milli = CPU_MILLI_MAX, .mem_bytes = MEM_BYTES_MAX};
    must(counts_set(&((struct price_version *)w.versions.v)->per_hour, "memory", (uint64_t)PRICE_MICROS_MAX));
    ck_assert_int_eq(price_book_set(w.book, &w.versions, NULL), 0);
    struct use_point node = {UINT64_MAX, UINT64_MAX / 1000 - 1, UINT64_MAX, {0}};
    ck_assert_int_eq(price_due(w.book, &w.meter, &node, UINT64_MAX), 2 * MONEY_MICROS_MAX);
    settle(&w, &node, UINT64_MAX / 2);
    ck_assert_int_eq(price_due(w.book, &w.meter, &node, UINT64_MAX), 0); /* saturated is saturated */
    world_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("quotas/price: use");
    TCase *t = tcase_create("use");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, random_heartbeats_cost_what_the_oracle_says);
    tcase_add_test(t, how_long_money_lasts_is_exact);
    tcase_add_test(t, what_uses_no_more_than_it_asked_for_never_costs_more_than_by_request);
    tcase_add_test(t, lines_re_rated_by_their_own_book_say_the_same_and_by_another_what_the_whole_costs);
    tcase_add_loop_test(t, beats, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, what_is_rounded_off_one_line_comes_with_the_next);
    tcase_add_test(t, amounts_beyond_all_bounds_saturate);
    suite_add_tcase(s, t);
    return run_suite(s);
}
