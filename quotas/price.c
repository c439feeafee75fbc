#include "quotas/price.h"

#include <errno.h>
#include <string.h>

#define US_PER_HOUR UINT64_C(3600000000)
#define BYTES_PER_GIB (UINT64_C(1) << 30)

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
    int64_t next;
    const struct price_version *version = price_book_at_until(book, utc_of(meter, from_us), &next);
    return (struct segment){
        .version = version,
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
    money_wide unit; /* amount * us, or bytes, that cost the book's price */
    bool has_use;    /* what was used since charging stopped is known: */
    uint64_t used;   /* on average */
};

#define CPU_UNIT ((money_wide)US_PER_HOUR * 1000)
#define GIB_UNIT ((money_wide)US_PER_HOUR * BYTES_PER_GIB)

static struct metered metered_of(const char *name, uint64_t amount)
{
    money_wide unit = US_PER_HOUR;
    if (strcmp(name, RESOURCE_IO) == 0) {
        unit = BYTES_PER_GIB;
    } else if (strcmp(name, "cpu") == 0) {
        unit = CPU_UNIT;
    } else if (strcmp(name, "memory") == 0 || strcmp(name, "scratch") == 0) {
        unit = GIB_UNIT;
    }
    return (struct metered){.name = name, .amount = amount, .unit = unit};
}

/* Generic ones are never called as the others are (resources.h). */
static bool metered_at(const struct resources *held, size_t index, struct metered *ret)
{
    size_t generic = index - 3;
    switch (index) {
    case 0: *ret = (struct metered){.name = "cpu", .amount = held->cpu_milli, .unit = CPU_UNIT}; return true;
    case 1: *ret = (struct metered){.name = "memory", .amount = held->mem_bytes, .unit = GIB_UNIT}; return true;
    case 2: *ret = (struct metered){.name = "scratch", .amount = held->scratch_bytes, .unit = GIB_UNIT}; return true;
    default: break;
    }
    if (generic >= held->generic.count) {
        return false;
    }
    *ret = (struct metered){
        .name = held->generic.v[generic].name, .amount = held->generic.v[generic].value, .unit = US_PER_HOUR};
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
        int64_t price = price_rate(s.version, meter->buyer, m->name).price;
        if (price != 0) {
            sum_add(sum, amount, price, MIN(s.to_us, to_us) - s.from_us);
        }
        if (s.to_us >= to_us) {
            break;
        }
    }
}

/* Where charging stands. Of I/O that was never charged there is no mark. */
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
    return total + price_io_due(book, meter, use);
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

/* ---- I/O --------------------------------------------------------------------------------------------------- */

static const struct metered io_metered = {.name = RESOURCE_IO, .unit = BYTES_PER_GIB};

struct measure price_io_charged(const struct meter *meter)
{
    const struct meter_mark *mark = mark_of(meter, RESOURCE_IO);
    if (mark) {
        return mark->used;
    }
    return meter->settled_us == 0 ? measure_of(0) : (struct measure){0};
}

/* Where no version prices I/O nothing of it is on record. */
static bool io_is_kept(const struct price_book *book, const struct meter *meter)
{
    return price_book_has_io(book) || mark_of(meter, RESOURCE_IO) != NULL;
}

/* The bytes of a stretch of run time, in parts of one price version each. */
struct io_walk {
    uint64_t bytes, from_us, to_us;
    struct segment part;  /* the present one: */
    uint64_t done, now;   /* bytes before it, bytes of it */
    bool begun;
};

/* What was counted since the last line; where that isn't known, what is counted now is where it begins. false: nobody
 * counts. */
static bool io_counted(const struct meter *meter, const struct use_point *use, struct io_walk *ret)
{
    if (!use || !is_measured(use->io_bytes) || measured(use->io_bytes) > LIMIT_IO_BYTES_MAX) {
        return false;
    }
    uint64_t count = measured(use->io_bytes);
    struct measure charged = price_io_charged(meter);
    *ret = (struct io_walk){.from_us = meter->settled_us, .to_us = MAX(use->run_us, meter->settled_us)};
    ret->bytes = is_measured(charged) && count > measured(charged) ? count - measured(charged) : 0;
    return true;
}

static bool io_next(const struct price_book *book, const struct meter *meter, struct io_walk *w)
{
    if (w->begun && w->part.to_us >= w->to_us) {
        return false;
    }
    w->part = segment_at(book, meter, w->begun ? w->part.to_us : w->from_us);
    w->begun = true;
    w->done += w->now;
    uint64_t upto = w->bytes;
    if (w->part.to_us < w->to_us) {
        upto = (uint64_t)((money_wide)w->bytes * (w->part.to_us - w->from_us) / (w->to_us - w->from_us));
    }
    w->now = upto - w->done;
    return true;
}

static void sum_io(const struct price_book *book, const struct meter *meter, struct io_walk w, struct price_sum *sum)
{
    while (io_next(book, meter, &w)) {
        sum_add(sum, w.now, price_rate(w.part.version, meter->buyer, RESOURCE_IO).price, 1);
    }
}

int64_t price_io_due(const struct price_book *book, const struct meter *meter, const struct use_point *use)
{
    struct io_walk w;
    if (!io_counted(meter, use, &w) || w.bytes == 0) {
        return 0;
    }
    struct price_sum sum = sum_settled(book, meter, &io_metered);
    int64_t before = sum_round(&sum, &io_metered);
    sum_io(book, meter, w, &sum);
    return sum_round(&sum, &io_metered) - before;
}

int64_t price_io_dearest(const struct price_book *book, const struct meter *meter, uint64_t until_us)
{
    int64_t utc_us = utc_of(meter, meter->settled_us), until_utc_us = utc_of(meter, until_us);
    int64_t most = price_rate(price_book_at(book, utc_us), meter->buyer, RESOURCE_IO).price;
    while (price_book_has_io(book) && (utc_us = price_book_next(book, utc_us)) < until_utc_us) {
        most = MAX(most, price_rate(price_book_at(book, utc_us), meter->buyer, RESOURCE_IO).price);
    }
    return most;
}

int64_t price_io_hold(const struct price_book *book, const struct meter *meter, uint64_t bytes, uint64_t until_us)
{
    uint64_t charged = measured(price_io_charged(meter));
    if (bytes <= charged) {
        return 0;
    }
    struct price_sum sum = sum_settled(book, meter, &io_metered);
    int64_t before = sum_round(&sum, &io_metered);
    sum_add(&sum, bytes - charged, price_io_dearest(book, meter, until_us), 1);
    return sum_round(&sum, &io_metered) - before;
}

uint64_t price_io_bytes(const struct price_book *book, const struct meter *meter, int64_t micros, uint64_t max_bytes,
                        uint64_t until_us)
{
    uint64_t fits = MIN(measured(price_io_charged(meter)), max_bytes), exceeds = max_bytes;
    if (micros < 0 || price_io_hold(book, meter, max_bytes, until_us) <= micros) {
        return micros < 0 ? fits : max_bytes;
    }
    while (exceeds - fits > 1) {
        uint64_t middle = fits + (exceeds - fits) / 2;
        if (price_io_hold(book, meter, middle, until_us) <= micros) {
            fits = middle;
        } else {
            exceeds = middle;
        }
    }
    return fits;
}

struct measure price_io_within(const struct price_book *book, const struct meter *meter, const struct use_point *use,
                               int64_t micros)
{
    struct use_point some = *use;
    if (!is_measured(use->io_bytes) || price_io_due(book, meter, use) <= micros) {
        return use->io_bytes;
    }
    uint64_t fits = measured(price_io_charged(meter)), exceeds = measured(use->io_bytes);
    while (exceeds - fits > 1) {
        some.io_bytes = measure_of(fits + (exceeds - fits) / 2);
        if (price_io_due(book, meter, &some) <= micros) {
            fits = measured(some.io_bytes);
        } else {
            exceeds = measured(some.io_bytes);
        }
    }
    /* A byte more may lie in another part of the time, at another price: it isn't quite non-decreasing. */
    for (some.io_bytes = measure_of(fits); fits > 0 && price_io_due(book, meter, &some) > micros;) {
        some.io_bytes = measure_of(--fits);
    }
    return some.io_bytes;
}

/* ---- lines and marks --------------------------------------------------------------------------------------- */

/* Appends one that says what it was charged for: amount, micros and by are its last words. */
static int line_put(const struct meter *meter, const char *resource, const struct segment *s, uint64_t to_us,
                    struct charge last, struct list *ret)
{
    struct unit_price rate = price_rate(s->version, meter->buyer, resource);
    struct charge *line = list_add(ret, sizeof *line);
    if (!line) {
        return -ENOMEM;
    }
    *line = (struct charge){
        .amount = last.amount,
        .run_us = to_us - s->from_us,
        .from_run_us = s->from_us,
        .micros = last.micros,
        .price_version = s->version ? s->version->version : 0,
        .list_price = rate.list,
        .price = rate.price,
        .preemptible = meter->buyer.preemptible,
        .by = last.by,
    };
    int rc = str_set(&line->resource, resource);
    return rc < 0 ? rc : str_set(&line->price_class, meter->buyer.price_class);
}

static int line_add(const struct meter *meter, const struct metered *m, const struct segment *s, uint64_t to_us,
                    struct price_sum *sum, struct list *ret)
{
    struct charge line = {0};
    line.amount = amount_under(s->version, m, &line.by);
    int64_t before = sum_round(sum, m);
    sum_add(sum, line.amount, price_rate(s->version, meter->buyer, m->name).price, to_us - s->from_us);
    line.micros = sum_round(sum, m) - before;
    return line.amount == 0 && line.by == PRICE_BY_REQUEST ? 0 : line_put(meter, m->name, s, to_us, line, ret);
}

/* Nothing moved, nothing said; where it is priced and nobody counts, a line of nothing by request. */
static int io_lines_add(const struct price_book *book, const struct meter *meter, const struct use_point *use,
                        uint64_t to_us, struct list *ret)
{
    struct io_walk w;
    struct segment s = segment_at(book, meter, meter->settled_us);
    int rc = 0;
    if (!io_counted(meter, use, &w)) {
        bool said = to_us == meter->settled_us || price_rate(s.version, meter->buyer, RESOURCE_IO).price == 0;
        return said ? 0 : line_put(meter, RESOURCE_IO, &s, MIN(s.to_us, to_us), (struct charge){0}, ret);
    }
    struct price_sum sum = sum_settled(book, meter, &io_metered);
    while (rc == 0 && w.bytes > 0 && io_next(book, meter, &w)) {
        struct charge line = {.amount = w.now, .by = PRICE_BY_USE};
        int64_t before = sum_round(&sum, &io_metered);
        sum_add(&sum, w.now, price_rate(w.part.version, meter->buyer, RESOURCE_IO).price, 1);
        line.micros = sum_round(&sum, &io_metered) - before;
        rc = w.now > 0 ? line_put(meter, RESOURCE_IO, &w.part, MIN(w.part.to_us, w.to_us), line, ret) : 0;
    }
    return rc;
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
    rc = rc == 0 && io_is_kept(book, meter) ? io_lines_add(book, meter, use, to_us, ret) : rc;
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

static int mark_put(const struct metered *m, const struct price_sum *sum, struct measure used, struct list *ret)
{
    struct meter_mark *mark = list_add(ret, sizeof *mark);
    if (!mark) {
        return -ENOMEM;
    }
    money_wide whole = sum->parts / m->unit;
    if (sum->beyond || whole >= (money_wide)MONEY_MICROS_MAX) {
        mark->micros = MONEY_MICROS_MAX;
    } else {
        mark->micros = (int64_t)whole;
        mark->rest = (int64_t)(sum->parts % m->unit);
    }
    mark->used = used;
    return str_set(&mark->resource, m->name);
}

static int mark_add(const struct price_book *book, const struct meter *meter, const struct use_point *use,
                    const struct metered *m, uint64_t to_us, struct list *ret)
{
    struct price_sum sum = sum_settled(book, meter, m);
    sum_stretch(book, meter, m, meter->settled_us, to_us, &sum);
    bool cpu = strcmp(m->name, "cpu") == 0;
    return mark_put(m, &sum, cpu ? charged_at(book, meter, use, m, to_us) : (struct measure){0}, ret);
}

/* What nobody counted now may yet be told: what is charged stays where it was. */
static int io_mark_add(const struct price_book *book, const struct meter *meter, const struct use_point *use,
                       struct list *ret)
{
    struct io_walk w;
    struct measure charged = price_io_charged(meter);
    struct price_sum sum = sum_settled(book, meter, &io_metered);
    if (io_counted(meter, use, &w)) {
        charged = measure_of(is_measured(charged) ? measured(charged) + w.bytes : measured(use->io_bytes));
        sum_io(book, meter, w, &sum);
    }
    return mark_put(&io_metered, &sum, charged, ret);
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
    rc = rc == 0 && io_is_kept(book, meter) ? io_mark_add(book, meter, use, ret) : rc;
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
    if (strcmp(line->resource, RESOURCE_IO) == 0) {
        sum_io(book, &meter, (struct io_walk){.bytes = line->amount, .to_us = line->run_us}, sum);
    } else {
        sum_stretch(book, &meter, &m, 0, line->run_us, sum);
    }
    const struct price_version *last = price_book_at(book, utc_of(&meter, line->run_us > 0 ? line->run_us - 1 : 0));
    *ret_version = last ? last->version : 0;
    return sum_round(sum, &m) - before;
}
