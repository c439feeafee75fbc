#include "quotas/price.h"

#include <errno.h>
#include <string.h>

#define US_PER_HOUR UINT64_C(3600000000)

/* ---- stretches of run time --------------------------------------------------------------------------------- */

/* A stretch of run time under one version. */
struct segment {
    const struct price_version *version; /* NULL: before the first, free */
    uint64_t from_us, to_us;
};

static int64_t utc_of(const struct meter *meter, uint64_t run_us)
{
    int64_t utc_us;
    return __builtin_add_overflow(meter->started_utc_us, run_us, &utc_us) ? INT64_MAX : utc_us;
}

/* The one that holds run time from_us, from there on. */
static struct segment segment_at(const struct price_book *book, const struct meter *meter, uint64_t from_us)
{
    int64_t utc_us = utc_of(meter, from_us), next = price_book_next(book, utc_us);
    return (struct segment){
        .version = price_book_at(book, utc_us),
        .from_us = from_us,
        /* It begins after `started`, so the difference is positive and below 2^64. */
        .to_us = next == INT64_MAX ? UINT64_MAX : (uint64_t)next - (uint64_t)meter->started_utc_us,
    };
}

/* ---- amounts ----------------------------------------------------------------------------------------------- */

/* One resource as the meter sees it. */
struct metered {
    const char *name;
    uint64_t amount;
    money_wide unit; /* amount * us that cost the hourly price */
    bool has_use;    /* what was used since charging stopped is known: */
    uint64_t used;   /* on average */
};

static struct metered metered_of(const char *name, uint64_t amount)
{
    money_wide unit = US_PER_HOUR;
    if (strcmp(name, "cpu") == 0) {
        unit *= 1000;
    } else if (strcmp(name, "memory") == 0 || strcmp(name, "scratch") == 0) {
        unit *= 1 << 30;
    }
    return (struct metered){.name = name, .amount = amount, .unit = unit};
}

static bool metered_at(const struct resources *held, size_t index, struct metered *ret)
{
    switch (index) {
    case 0: *ret = metered_of("cpu", held->cpu_milli); return true;
    case 1: *ret = metered_of("memory", held->mem_bytes); return true;
    case 2: *ret = metered_of("scratch", held->scratch_bytes); return true;
    default: break;
    }
    index -= 3;
    if (index >= held->generic.count) {
        return false;
    }
    *ret = metered_of(held->generic.v[index].name, held->generic.v[index].value);
    return true;
}

static const struct meter_mark *mark_of(const struct meter *meter, const char *resource)
{
    const struct meter_mark *marks = meter->marks ? meter->marks->v : NULL;
    for (size_t i = 0; marks && i < meter->marks->count; i++) {
        if (marks[i].resource && strcmp(marks[i].resource, resource) == 0) {
            return &marks[i];
        }
    }
    return NULL;
}

/* Of the node's counter, in milli-core-us. Absent: it counts nothing, or more than has room. */
static struct measure counter_of(const struct use_point *use)
{
    bool counts = use && use->cpu_us > 0 && use->cpu_us < UINT64_MAX / 1000;
    return counts ? measure_of(use->cpu_us * 1000) : (struct measure){0};
}

/* How much of that counter is charged; absent: not known. At the start it was 0. */
static struct measure charged_of(const struct meter *meter)
{
    const struct meter_mark *mark = mark_of(meter, "cpu");
    if (mark) {
        return mark->used;
    }
    return meter->settled_us == 0 ? measure_of(0) : (struct measure){0};
}

static void metered_use(const struct meter *meter, const struct use_point *use, struct metered *m)
{
    if (!use || use->run_us <= meter->settled_us) {
        return;
    }
    if (strcmp(m->name, "memory") == 0) {
        m->has_use = use->mem_peak_bytes > 0;
        m->used = MIN(use->mem_peak_bytes, MEM_BYTES_MAX);
    } else if (strcmp(m->name, "cpu") == 0) {
        struct measure counter = counter_of(use), charged = charged_of(meter);
        m->has_use = is_measured(counter) && is_measured(charged) && measured(counter) >= measured(charged);
        if (m->has_use) {
            m->used = (measured(counter) - measured(charged)) / (use->run_us - meter->settled_us);
            m->used = MIN(m->used, CPU_MILLI_MAX);
        }
    }
}

/* What is charged under a version, and how. */
static uint64_t amount_under(const struct price_version *version, const struct metered *m, uint32_t *ret_by)
{
    *ret_by = version && m->has_use ? price_by(version, m->name) : PRICE_BY_REQUEST;
    if (*ret_by == PRICE_BY_USE) {
        return MIN(m->used, m->amount); /* a moment's burst beyond what was asked for comes with later lines */
    }
    return *ret_by == PRICE_BY_GREATER ? MAX(m->amount, m->used) : m->amount;
}

/* ---- costs ------------------------------------------------------------------------------------------------- */

/* A product beyond 128 bits is worth at least 2^128 / 2^62 micro-units, far above MONEY_MICROS_MAX, where money_round()
 * would have saturated too. */
static int64_t sum_round(const struct price_sum *sum, const struct metered *m)
{
    if (sum->parts == 0 && !sum->beyond) {
        return 0; /* most resources have no price */
    }
    return sum->beyond ? MONEY_MICROS_MAX : money_round(sum->parts, m->unit);
}

static void sum_add(struct price_sum *sum, uint64_t amount, int64_t price, uint64_t us)
{
    money_wide product = (money_wide)amount * (uint64_t)price;
    sum->beyond = sum->beyond || __builtin_mul_overflow(product, (money_wide)us, &product) ||
                  __builtin_add_overflow(sum->parts, product, &sum->parts);
}

static void sum_stretch(const struct price_book *book, const struct meter *meter, const struct metered *m,
                        uint64_t from_us, uint64_t to_us, struct price_sum *sum)
{
    if (from_us >= to_us) {
        return;
    }
    struct segment s = segment_at(book, meter, from_us);
    for (; s.from_us < to_us; s = segment_at(book, meter, s.to_us)) {
        uint32_t by;
        uint64_t amount = amount_under(s.version, m, &by);
        sum_add(sum, amount, price_rate(s.version, meter->buyer, m->name).price, MIN(s.to_us, to_us) - s.from_us);
        if (s.to_us >= to_us) {
            break;
        }
    }
}

/* Where charging stands. */
static struct price_sum sum_settled(const struct price_book *book, const struct meter *meter, const struct metered *m)
{
    struct price_sum sum = {0};
    struct metered by_request = {.name = m->name, .amount = m->amount, .unit = m->unit};
    const struct meter_mark *mark = mark_of(meter, m->name);
    if (!mark) {
        sum_stretch(book, meter, &by_request, 0, meter->settled_us, &sum);
    } else if (mark->micros >= MONEY_MICROS_MAX) {
        sum.beyond = true;
    } else {
        sum.parts = (money_wide)(uint64_t)mark->micros * m->unit + (uint64_t)mark->rest;
    }
    return sum;
}

int64_t price_cost(const struct price_book *book, struct meter meter, uint64_t run_us)
{
    int64_t total = 0;
    struct metered m;
    meter.settled_us = 0;
    meter.marks = NULL;
    /* At most 3 + RESOURCE_GENERIC_MAX terms of at most 2^52: no overflow. */
    for (size_t i = 0; metered_at(meter.held, i, &m); i++) {
        struct price_sum sum = {0};
        if (m.amount > 0) {
            sum_stretch(book, &meter, &m, 0, run_us, &sum);
        }
        total += sum_round(&sum, &m);
    }
    return total;
}

int64_t price_due(const struct price_book *book, const struct meter *meter, const struct use_point *use,
                  uint64_t to_us)
{
    int64_t total = 0;
    struct metered m;
    for (size_t i = 0; metered_at(meter->held, i, &m); i++) {
        metered_use(meter, use, &m);
        if (m.amount > 0 || m.has_use) {
            struct price_sum sum = sum_settled(book, meter, &m);
            int64_t before = sum_round(&sum, &m);
            sum_stretch(book, meter, &m, meter->settled_us, to_us, &sum);
            total += sum_round(&sum, &m) - before;
        }
    }
    return total;
}

/* ---- for how long ------------------------------------------------------------------------------------------ */

/* Within one segment what each resource costs grows evenly, but for its rounding. */
struct slopes {
    struct slope {
        struct metered m;
        struct price_sum sum; /* at the segment's begin */
        uint64_t amount;
        int64_t price;
    } v[3 + RESOURCE_GENERIC_MAX];
    size_t count;
};

static void slopes_begin(const struct price_book *book, const struct meter *meter, const struct use_point *use,
                         struct slopes *ret)
{
    struct slope s = {0};
    ret->count = 0;
    for (size_t i = 0; metered_at(meter->held, i, &s.m); i++) {
        metered_use(meter, use, &s.m);
        if (s.m.amount > 0 || s.m.has_use) {
            s.sum = sum_settled(book, meter, &s.m);
            ret->v[ret->count++] = s;
        }
    }
}

static void slopes_turn(struct slopes *s, const struct meter *meter, const struct price_version *version)
{
    uint32_t by;
    for (size_t i = 0; i < s->count; i++) {
        s->v[i].amount = amount_under(version, &s->v[i].m, &by);
        s->v[i].price = price_rate(version, meter->buyer, s->v[i].m.name).price;
    }
}

static void slopes_go(struct slopes *s, uint64_t us)
{
    for (size_t i = 0; i < s->count; i++) {
        sum_add(&s->v[i].sum, s->v[i].amount, s->v[i].price, us);
    }
}

/* Cumulative, so long after the segment's begin. */
static int64_t slopes_cost(const struct slopes *s, uint64_t us)
{
    int64_t total = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct price_sum sum = s->v[i].sum;
        sum_add(&sum, s->v[i].amount, s->v[i].price, us);
        total += sum_round(&sum, &s->v[i].m);
    }
    return total;
}

/* The longest time after the segment's begin that costs <= micros, below most_us, which costs more. A straight line
 * through both ends leads there but for roundings, of half a micro-unit a resource at either end and in between; what
 * lies that near is halved until nothing is between. Where it isn't that near (a sum is beyond all bounds), all is. */
static uint64_t slopes_time(const struct slopes *s, int64_t micros, uint64_t most_us)
{
    uint64_t fits = 0, exceeds = most_us;
    int64_t begin = slopes_cost(s, 0), all = slopes_cost(s, most_us) - begin;
    money_wide guess = (money_wide)(uint64_t)(micros - begin) * most_us / (uint64_t)all;
    money_wide near = (money_wide)(2 * s->count + 1) * most_us / (uint64_t)all + 1;
    if (guess > near && slopes_cost(s, (uint64_t)(guess - near)) <= micros) {
        fits = (uint64_t)(guess - near);
    }
    if (guess + near < most_us && slopes_cost(s, (uint64_t)(guess + near)) > micros) {
        exceeds = (uint64_t)(guess + near);
    }
    while (exceeds - fits > 1) {
        uint64_t middle = fits + (exceeds - fits) / 2;
        if (slopes_cost(s, middle) <= micros) {
            fits = middle;
        } else {
            exceeds = middle;
        }
    }
    return fits;
}

uint64_t price_due_time(const struct price_book *book, const struct meter *meter, const struct use_point *use,
                        int64_t micros, uint64_t max_us)
{
    uint64_t from_us = meter->settled_us;
    int64_t at_once = price_due(book, meter, use, from_us); /* what no time changes */
    if (max_us <= from_us || at_once > micros) {
        return from_us;
    }
    if (price_due(book, meter, use, max_us) <= micros) {
        return max_us;
    }
    struct slopes s;
    slopes_begin(book, meter, use, &s);
    int64_t most = slopes_cost(&s, 0) + micros - at_once;
    for (;;) { /* it ends below max_us, which costs more */
        struct segment part = segment_at(book, meter, from_us);
        uint64_t us = MIN(part.to_us, max_us) - from_us;
        slopes_turn(&s, meter, part.version);
        if (slopes_cost(&s, us) > most) {
            return from_us + slopes_time(&s, most, us);
        }
        BUG(part.to_us >= max_us);
        slopes_go(&s, us);
        from_us = part.to_us;
    }
}

uint64_t price_time_for(const struct price_book *book, struct meter meter, int64_t micros, uint64_t max_us)
{
    meter.settled_us = 0;
    meter.marks = NULL;
    return price_due_time(book, &meter, NULL, micros, max_us);
}

/* ---- lines and marks --------------------------------------------------------------------------------------- */

static int line_add(const struct meter *meter, const struct metered *m, const struct segment *s, uint64_t to_us,
                    struct price_sum *sum, struct list *ret)
{
    uint32_t by;
    uint64_t amount = amount_under(s->version, m, &by);
    struct hourly rate = price_rate(s->version, meter->buyer, m->name);
    int64_t before = sum_round(sum, m);
    sum_add(sum, amount, rate.price, to_us - s->from_us);
    if (amount == 0 && by == PRICE_BY_REQUEST) {
        return 0;
    }
    struct charge *line = list_add(ret, sizeof *line);
    if (!line) {
        return -ENOMEM;
    }
    *line = (struct charge){
        .amount = amount,
        .run_us = to_us - s->from_us,
        .from_run_us = s->from_us,
        .micros = sum_round(sum, m) - before,
        .price_version = s->version ? s->version->version : 0,
        .list_price = rate.list,
        .price = rate.price,
        .preemptible = meter->buyer.preemptible,
        .by = by,
    };
    int rc = str_set(&line->resource, m->name);
    return rc < 0 ? rc : str_set(&line->price_class, meter->buyer.price_class);
}

static int lines_add(const struct price_book *book, const struct meter *meter, const struct metered *m, uint64_t to_us,
                     struct list *ret)
{
    struct price_sum sum = sum_settled(book, meter, m);
    struct segment s = segment_at(book, meter, meter->settled_us);
    int rc = 0;
    while (rc == 0 && s.from_us < to_us) {
        rc = line_add(meter, m, &s, MIN(s.to_us, to_us), &sum, ret);
        if (s.to_us >= to_us) {
            break;
        }
        s = segment_at(book, meter, s.to_us);
    }
    return rc;
}

int price_charges(const struct price_book *book, const struct meter *meter, const struct use_point *use, uint64_t to_us,
                  struct list *ret)
{
    size_t before = ret->count;
    struct metered m;
    int rc = 0;
    for (size_t i = 0; rc == 0 && metered_at(meter->held, i, &m); i++) {
        metered_use(meter, use, &m);
        rc = lines_add(book, meter, &m, to_us, ret);
    }
    while (rc < 0 && ret->count > before) {
        fields_clear(&charge_fields, &((struct charge *)ret->v)[--ret->count]);
    }
    return rc;
}

/* How much of the node's counter is charged once to_us is: where it is charged by use, what the lines say, so that the
 * rest comes with the next ones. Where it can't be told, what the counter stands at now is taken as charged: that time
 * was charged by request, and nothing of it comes twice. */
static struct measure charged_at(const struct price_book *book, const struct meter *meter, const struct use_point *use,
                                 const struct metered *m, uint64_t to_us)
{
    if (to_us <= meter->settled_us) {
        return charged_of(meter);
    }
    if (!m->has_use) {
        return counter_of(use);
    }
    uint64_t charged = measured(charged_of(meter)); /* grows to no more than the counter */
    struct segment s = segment_at(book, meter, meter->settled_us);
    for (; s.from_us < to_us; s = segment_at(book, meter, s.to_us)) {
        uint32_t by;
        uint64_t amount = amount_under(s.version, m, &by);
        charged += (by == PRICE_BY_USE ? amount : m->used) * (MIN(s.to_us, to_us) - s.from_us);
        if (s.to_us >= to_us) {
            break;
        }
    }
    return measure_of(charged);
}

static int mark_add(const struct price_book *book, const struct meter *meter, const struct use_point *use,
                    const struct metered *m, uint64_t to_us, struct list *ret)
{
    struct meter_mark *mark = list_add(ret, sizeof *mark);
    if (!mark) {
        return -ENOMEM;
    }
    struct price_sum sum = sum_settled(book, meter, m);
    sum_stretch(book, meter, m, meter->settled_us, to_us, &sum);
    money_wide whole = sum.parts / m->unit;
    if (sum.beyond || whole >= (money_wide)MONEY_MICROS_MAX) {
        mark->micros = MONEY_MICROS_MAX;
    } else {
        mark->micros = (int64_t)whole;
        mark->rest = (int64_t)(sum.parts % m->unit);
    }
    if (strcmp(m->name, "cpu") == 0) {
        mark->used = charged_at(book, meter, use, m, to_us);
    }
    return str_set(&mark->resource, m->name);
}

int price_marks(const struct price_book *book, const struct meter *meter, const struct use_point *use, uint64_t to_us,
                struct list *ret)
{
    struct metered m;
    int rc = 0;
    bool stands = meter->marks && meter->marks->count > 0;
    if (!price_book_measures(book) && !stands) {
        return 0;
    }
    for (size_t i = 0; rc == 0 && metered_at(meter->held, i, &m); i++) {
        if (strcmp(m.name, "cpu") == 0 || strcmp(m.name, "memory") == 0) {
            metered_use(meter, use, &m);
            rc = mark_add(book, meter, use, &m, to_us, ret);
        }
    }
    while (rc < 0 && ret->count > 0) {
        fields_clear(&meter_mark_fields, &((struct meter_mark *)ret->v)[--ret->count]);
    }
    return rc;
}

/* ---- once more --------------------------------------------------------------------------------------------- */

int64_t price_again(const struct price_book *book, struct buyer buyer, const struct charge *line, int64_t from_utc_us,
                    struct price_sum *sum, uint32_t *ret_version)
{
    struct meter meter = {.started_utc_us = from_utc_us, .buyer = buyer};
    struct metered m = metered_of(line->resource, line->amount);
    int64_t before = sum_round(sum, &m);
    sum_stretch(book, &meter, &m, 0, line->run_us, sum);
    const struct price_version *last = price_book_at(book, utc_of(&meter, line->run_us > 0 ? line->run_us - 1 : 0));
    *ret_version = last ? last->version : 0;
    return sum_round(sum, &m) - before;
}
