#include <string.h>

#include "quotas/money.h"
#include "scheduler/core/money.h"
#include "scheduler/core/plan.h"

static int64_t times(int64_t micros, uint64_t count)
{
    money_wide product = (money_wide)(uint64_t)micros * count;
    return product > (money_wide)MONEY_MICROS_MAX ? MONEY_MICROS_MAX : (int64_t)product;
}

static const struct price_version *version_at(const struct core *c, size_t i)
{
    return &((const struct price_version *)price_book_versions(c->prices)->v)[i];
}

/* The first version that counts from an instant on. */
static size_t first_version(const struct core *c, int64_t utc_us)
{
    const struct price_version *now = price_book_at(c->prices, utc_us);
    return now != NULL ? (size_t)(now - version_at(c, 0)) : 0;
}

static bool has_classes(const struct core *c)
{
    const struct list *versions = price_book_versions(c->prices);
    for (size_t i = 0; i < versions->count; i++)
        if (version_at(c, i)->classes.count > 0)
            return true;
    return false;
}

/* What of the spec is priced. */
static struct shape shape_of(const struct tenant *t, const struct job_spec *spec)
{
    return (struct shape){.tenant = (struct tenant *)(uintptr_t)t,
                          .resources = spec->resources,
                          .limit_us = spec->time_limit_ms * 1000,
                          .io_limit_bytes = spec->limits.io_bytes,
                          .preemptible = spec->preemptible};
}

/* The class of the node that it would go to; NULL without one. */
static const char *likely_class(const struct core *c, const struct tenant *t, const struct job_spec *spec)
{
    if (!has_classes(c))
        return NULL;
    struct shape s = shape_as_if(c, t, spec);
    const char *name = node_price_class(likely_node(c, &s));
    shape_as_if_clear(&s);
    return name;
}

/* ---- starting now, or a little later ---------------------------------------------------------------- */

static void ask_start(const struct core *c, struct meter meter, int64_t start_utc_us, uint64_t run_us, int64_t *most)
{
    meter.started_utc_us = start_utc_us;
    *most = MAX(*most, price_cost(c->prices, meter, run_us));
}

/* The most that starting at any instant of the window can cost. Between the instants where the begin or the end of the
 * run meets a change of price the cost is a line, so it is the most at one of them. */
static int64_t dearest_start(const struct core *c, struct meter meter, int64_t until_utc_us, uint64_t run_us)
{
    int64_t from_utc_us = meter.started_utc_us, next_utc_us = price_book_next(c->prices, from_utc_us), most = 0;
    const struct list *versions = price_book_versions(c->prices);
    ask_start(c, meter, from_utc_us, run_us, &most);
    if (next_utc_us == INT64_MAX)
        return most; /* no price will be another */
    ask_start(c, meter, until_utc_us, run_us, &most);
    for (size_t i = first_version(c, from_utc_us); i < versions->count; i++) {
        int64_t begin = version_at(c, i)->from_utc_us, end;
        if (begin > from_utc_us && begin < until_utc_us)
            ask_start(c, meter, begin, run_us, &most);
        if (!__builtin_sub_overflow(begin, run_us, &end) && end > from_utc_us && end < until_utc_us)
            ask_start(c, meter, end, run_us, &most);
    }
    return most;
}

/* ---- whatever comes --------------------------------------------------------------------------------- */

static void raise_to(const struct price_version *v, struct buyer buyer, const char *resource, struct counts *most)
{
    uint64_t price = (uint64_t)price_rate(v, buyer, resource).price;
    int rc = price > counts_get(most, resource) ? counts_set(most, resource, price) : 0;
    BUG(rc < 0);
}

/* The dearest price that the book knows from now on, on nodes of any class. */
static void raise_by_version(const struct price_version *v, struct buyer buyer, const char *resource,
                             struct counts *most)
{
    buyer.price_class = NULL;
    raise_to(v, buyer, resource, most);
    for (size_t i = 0; i < v->classes.count; i++) {
        buyer.price_class = ((const struct price_class *)v->classes.v)[i].name;
        raise_to(v, buyer, resource, most);
    }
}

static void dearest_prices(const struct core *c, const struct shape *s, int64_t utc_us, struct price_version *ret)
{
    struct counts *most = &ret->per_hour;
    static const char *const fixed[] = {"cpu", "memory", "scratch"};
    struct buyer buyer = shape_meter(s, NULL, utc_us).buyer;
    const struct list *versions = price_book_versions(c->prices);
    for (size_t i = first_version(c, utc_us); i < versions->count; i++) {
        raise_by_version(version_at(c, i), buyer, RESOURCE_IO, &ret->per_gib);
        for (size_t k = 0; k < COUNT_OF(fixed); k++)
            raise_by_version(version_at(c, i), buyer, fixed[k], most);
        for (size_t k = 0; k < s->resources.generic.count; k++)
            raise_by_version(version_at(c, i), buyer, s->resources.generic.v[k].name, most);
    }
}

/* What there is now is what there will be, everywhere: so it is with most books. */
static bool has_one_price(const struct core *c, int64_t utc_us)
{
    bool now = price_book_at(c->prices, utc_us) != NULL;
    return now && price_book_next(c->prices, utc_us) == INT64_MAX && !has_classes(c);
}

static int64_t only_cost(const struct core *c, const struct shape *s, int64_t utc_us, uint64_t run_us)
{
    struct meter meter = shape_meter(s, NULL, utc_us);
    if (s->io_limit_bytes == 0 && price_io_dearest(c->prices, &meter, run_us) > 0)
        return -1;
    return price_cost(c->prices, meter, run_us) + price_io_hold(c->prices, &meter, s->io_limit_bytes, run_us);
}

/* One attempt of that length, whenever and wherever it runs. -1: its I/O has a price and no bound. */
static int64_t dearest(const struct core *c, const struct shape *s, int64_t utc_us, uint64_t run_us)
{
    struct price_version version = {.version = 1, .from_utc_us = INT64_MIN};
    struct price_book *book;
    if (has_one_price(c, utc_us))
        return only_cost(c, s, utc_us, run_us);
    dearest_prices(c, s, utc_us, &version);
    int rc = price_book_new(&book, NULL);
    BUG(rc < 0);
    rc = price_book_set(book, &(struct list){.v = &version, .count = 1}, NULL);
    BUG(rc < 0);
    struct meter meter = {.held = &s->resources, .started_utc_us = utc_us};
    int64_t micros = price_cost(book, meter, run_us) + price_io_hold(book, &meter, s->io_limit_bytes, run_us);
    if (version.per_gib.count > 0 && s->io_limit_bytes == 0)
        micros = -1;
    price_book_free(book);
    fields_clear(&price_version_fields, &version);
    return micros;
}

/* The least that it starts with. */
static int64_t least_io(const struct core *c, const struct shape *s, const struct meter *meter, uint64_t run_us)
{
    struct io_offer offer = io_offer(c, s, NULL, meter, run_us, (struct io_stand){0});
    return io_hold(c, meter, offer.least, run_us);
}

static int64_t least_cost(const struct core *c, const struct shape *s, const char *class, int64_t utc_us,
                          uint64_t run_us)
{
    struct meter meter = shape_meter(s, class, utc_us);
    return price_cost(c->prices, meter, run_us) + least_io(c, s, &meter, run_us);
}

/* ---- the questions ---------------------------------------------------------------------------------- */

int64_t quote_least(const struct core *c, const struct tenant *t, const struct job_spec *spec, int64_t utc_us,
                    uint64_t run_us)
{
    struct shape s = shape_of(t, spec);
    const struct list *versions = price_book_versions(c->prices);
    int64_t least = least_cost(c, &s, NULL, utc_us, run_us);
    for (size_t i = first_version(c, utc_us); i < versions->count; i++) {
        const struct list *classes = &version_at(c, i)->classes;
        for (size_t k = 0; k < classes->count; k++) {
            const char *name = ((const struct price_class *)classes->v)[k].name;
            least = MIN(least, least_cost(c, &s, name, utc_us, run_us));
        }
    }
    return least;
}

int64_t quote_of(const struct core *c, const struct tenant *t, const struct job_spec *spec, int64_t utc_us)
{
    struct shape s = shape_of(t, spec);
    uint64_t run_us = s.limit_us != 0 ? s.limit_us : core_slice_us(c);
    struct meter meter = shape_meter(&s, likely_class(c, t, spec), utc_us);
    int64_t each = dearest_start(c, meter, utc_us + QUOTE_VALID_US, run_us) +
                   price_io_hold(c->prices, &meter, s.io_limit_bytes, (uint64_t)QUOTE_VALID_US + run_us);
    int64_t expected = times(each, job_spec_tasks(spec));
    return spec->budget_micros > 0 ? MIN(expected, spec->budget_micros) : expected;
}

int64_t quote_max(const struct core *c, const struct tenant *t, const struct job_spec *spec, int64_t utc_us)
{
    struct shape s = shape_of(t, spec);
    if (s.limit_us == 0)
        return spec->budget_micros > 0 ? spec->budget_micros : -1;
    int64_t longest = dearest(c, &s, utc_us, core_longest_us(c, s.limit_us));
    if (longest < 0)
        return spec->budget_micros > 0 ? spec->budget_micros : -1;
    int64_t most = times(times(longest, job_spec_tasks(spec)), (uint64_t)spec->retries + 1);
    return spec->budget_micros > 0 ? MIN(most, spec->budget_micros) : most;
}

void quote_fill(const struct core *c, const struct tenant *t, const char *path, const struct job_spec *spec,
                int64_t utc_us, struct submit_reply *quote)
{
    *quote = (struct submit_reply){.tenant = core_text(path),
                                   .tasks = job_spec_tasks(spec),
                                   .currency = core_text(c->currency),
                                   .quote_until_utc_us = utc_us + QUOTE_VALID_US};
    quote->quote_micros = quote_of(c, t, spec, utc_us);
    quote->quote_max_micros = quote_max(c, t, spec, utc_us);
    struct shape s = shape_of(t, spec);
    struct meter meter = shape_meter(&s, likely_class(c, t, spec), utc_us);
    quote->io_price_micros = price_rate(price_book_at(c->prices, utc_us), meter.buyer, RESOURCE_IO).price;
    if (quote->io_price_micros > 0)
        quote->io_allowance_bytes =
            io_at_a_time(c, &s, &meter, spec->budget_micros, MIN(core_longest_us(c, s.limit_us), core_slice_us(c)));
}
