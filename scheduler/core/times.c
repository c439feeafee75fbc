#include <string.h>

#include "scheduler/core/money.h"

/*
 * Budgets of a resource's time: what an attempt holds and spends there is its price under a book in which an hour of
 * that resource costs 1 and everything else nothing, so time is counted, cut and rounded as money is.
 */
#define HOUR_MICROS 1000000

struct hours {
    struct hours *next;
    char *resource;
    struct price_book *book;
};

static struct price_book *new_book(const char *resource)
{
    struct price_book *book;
    struct err err = {0};
    struct price_version v = {.version = 1, .from_utc_us = INT64_MIN};
    struct list one = {&v, 1};
    int rc = counts_set(&v.per_hour, resource, HOUR_MICROS);
    BUG(rc < 0);
    rc = price_book_new(&book, &err);
    BUG(rc < 0);
    rc = price_book_set(book, &one, &err);
    BUG(rc < 0);
    fields_clear(&price_version_fields, &v);
    return book;
}

/* A few for ever: there are no more than resources. */
static const struct price_book *hours_of(const struct core *c, const char *resource)
{
    for (const struct hours *h = *c->hours; h != NULL; h = h->next)
        if (strcmp(h->resource, resource) == 0)
            return h->book;
    struct hours *h = core_alloc(sizeof *h);
    *h = (struct hours){.next = *c->hours, .resource = core_text(resource), .book = new_book(resource)};
    *c->hours = h;
    return h->book;
}

void hours_fini(struct core *c)
{
    for (struct hours *h; c->hours != NULL && (h = *c->hours) != NULL;) {
        *c->hours = h->next;
        price_book_free(h->book);
        free(h->resource);
        free(h);
    }
    free(c->hours);
}

bool times_ask(const struct resources *r, const char *resource)
{
    uint64_t amount;
    const char *name;
    for (size_t i = 0; (name = ledger_resource(r, i, &amount)) != NULL; i++)
        if (amount > 0 && strcmp(name, resource) == 0)
            return true;
    return false;
}

int64_t time_of(const struct core *c, const char *resource, const struct resources *held, uint64_t run_us)
{
    return price_cost(hours_of(c, resource), (struct meter){.held = held}, run_us);
}

uint64_t time_lasts(const struct core *c, const char *resource, const struct resources *held, uint64_t settled_us,
                    int64_t micros, uint64_t max_us)
{
    int64_t settled = time_of(c, resource, held, settled_us);
    return price_time_for(hours_of(c, resource), (struct meter){.held = held}, settled + micros, max_us);
}

/* Of an account that something is held on: it is open. */
static const char *resource_of(const struct core *c, const char *account)
{
    struct account_view view;
    bool open = ledger_account(c->ledger, account, &view);
    BUG(!open || view.resource == NULL);
    return view.resource;
}

/* ---- lists of struct time_hold ---------------------------------------------------------------------- */

static void add(struct list *to, const char *account, int64_t spent, int64_t hold)
{
    struct time_hold *t = list_add(to, sizeof *t);
    BUG(t == NULL);
    *t = (struct time_hold){core_text(account), spent, hold};
}

void times_clear(struct list *times)
{
    for (size_t i = 0; i < times->count; i++)
        free(((struct time_hold *)times->v)[i].account);
    free(times->v);
    *times = (struct list){0};
}

void times_copy(const struct list *from, struct list *to)
{
    const struct time_hold *v = from->v;
    *to = (struct list){0};
    for (size_t i = 0; i < from->count; i++)
        add(to, v[i].account, v[i].spent, v[i].hold);
}

static int64_t settled_on(const struct list *settled, const char *account)
{
    const struct time_hold *v = settled->v;
    for (size_t i = 0; i < settled->count; i++)
        if (strcmp(v[i].account, account) == 0)
            return v[i].spent;
    return 0;
}

void times_hold(const struct core *c, struct tenant *t, const struct resources *held, struct stretch s,
                const struct list *settled, struct list *ret)
{
    times_clear(ret);
    (void)tenant_accounts(c, t, s.utc_us);
    const struct tenant_time *v = t->times.v;
    for (size_t i = 0; i < t->times.count; i++)
        if (times_ask(held, v[i].resource))
            add(ret, v[i].account, settled_on(settled, v[i].account),
                time_of(c, v[i].resource, held, s.to_us) - time_of(c, v[i].resource, held, s.from_us));
}

void times_settle(const struct core *c, const struct task *t, uint64_t until_us, struct list *ret)
{
    const struct time_hold *v = t->times.v;
    const struct resources *held = &t->job->shape->resources;
    for (size_t i = 0; i < t->times.count; i++) {
        const char *resource = resource_of(c, v[i].account);
        int64_t more = time_of(c, resource, held, until_us) - time_of(c, resource, held, t->settled_us);
        add(ret, v[i].account, v[i].spent + more, 0);
    }
}

uint64_t times_last(const struct core *c, const struct task *t, uint64_t run_us)
{
    const struct time_hold *v = t->times.v;
    const struct resources *held = &t->job->shape->resources;
    for (size_t i = 0; i < t->times.count; i++) {
        const char *resource = resource_of(c, v[i].account);
        int64_t paid = time_of(c, resource, held, t->settled_us) + v[i].hold;
        if (time_of(c, resource, held, run_us) > paid)
            run_us = MAX(time_lasts(c, resource, held, t->settled_us, v[i].hold, run_us), t->settled_us);
    }
    return run_us;
}
