#include "scheduler/sim/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "scheduler/sim/past.h"

#define SHOWN 8                           /* of either side */
#define SAME_US 100000                   /* waits that differ by less are alike */

/* A tenant in the first history and in another. */
struct gain {
    const struct tenant_measure *before, *after;
    int64_t started; /* more tasks of it */
    int64_t wait_us; /* less wait in the mean: > 0 gains */
};

static struct gain gain_of(const struct history *first, const struct history *other, size_t tenant)
{
    struct gain g = {.before = &first->measure->tenants[tenant], .after = &other->measure->tenants[tenant]};
    g.started = (int64_t)g.after->started - (int64_t)g.before->started;
    g.wait_us = (int64_t)series_mean(&g.before->wait_us) - (int64_t)series_mean(&g.after->wait_us);
    if (g.wait_us > -SAME_US && g.wait_us < SAME_US)
        g.wait_us = 0;
    return g;
}

/* Best first; ties by name. */
static int by_gain(const void *a, const void *b)
{
    const struct gain *x = a, *y = b;
    if (x->started != y->started)
        return x->started > y->started ? -1 : 1;
    if (x->wait_us != y->wait_us)
        return x->wait_us > y->wait_us ? -1 : 1;
    return strcmp(x->before->path, y->before->path);
}

static bool gains(const struct gain *g)
{
    return g->started > 0 || (g->started == 0 && g->wait_us > 0);
}

static bool loses(const struct gain *g)
{
    return g->started < 0 || (g->started == 0 && g->wait_us < 0);
}

/* All tenants; the caller frees the row. */
static struct gain *ranked(const struct history *first, const struct history *other, size_t *ret_count)
{
    size_t n = first->measure->tenants_count;
    struct gain *g = calloc(MAX(n, 1), sizeof *g);
    if (g == NULL)
        abort();
    for (size_t i = 0; i < n; i++)
        g[i] = gain_of(first, other, i);
    qsort(g, n, sizeof *g, by_gain);
    *ret_count = n;
    return g;
}

/* ---- for people ---- */
static void line(const struct gain *g, const char *what, struct buf *out)
{
    char tasks[32] = "", wait[32], before[32], change[32], slow[32], slow_before[32], cost[32], cost_before[32];
    uint64_t then = series_mean(&g->before->wait_us), now = series_mean(&g->after->wait_us);
    if (g->started != 0)
        snprintf(tasks, sizeof tasks, "%+" PRId64, g->started);
    buf_addf(out, "%-6s %-20.20s %7" PRIu64 " %6s %12s %12s %9s %8s %8s %10s %10s", what, g->after->path,
             g->after->started, tasks, print_time(then, before), print_time(now, wait),
             print_difference(then, now, change), print_thousandths(series_mean(&g->before->slowdown), slow_before),
             print_thousandths(series_mean(&g->after->slowdown), slow),
             print_money(g->before->cost_micros, cost_before), print_money(g->after->cost_micros, cost));
    print_end_line(out);
}

static void gains_of(const struct history *first, const struct history *other, struct buf *out)
{
    size_t n, winners = 0, losers = 0;
    struct gain *g = ranked(first, other, &n);
    while (winners < n && gains(&g[winners]))
        winners++;
    while (losers < n - winners && loses(&g[n - 1 - losers]))
        losers++;
    buf_addf(out, "\nWith %s instead of %s: %zu of %zu tenants gain, %zu lose\n", other->name, first->name, winners, n,
             losers);
    if (winners + losers > 0)
        buf_addf(out, "%-6s %-20s %7s %6s %12s %12s %9s %8s %8s %10s %10s\n", "", "tenant", "tasks", "more", "wait was",
                 "wait is", "change", "slowdown", "is", "cost was", "is");
    for (size_t i = 0; i < MIN(winners, (size_t)SHOWN); i++)
        line(&g[i], i == 0 ? "gains" : "", out);
    for (size_t i = 0; i < MIN(losers, (size_t)SHOWN); i++)
        line(&g[n - 1 - i], i == 0 ? "loses" : "", out);
    if (MAX(winners, losers) > SHOWN)
        buf_addf(out, "... and others (--json has all)\n");
    free(g);
}

void print_gains(const struct history *h, size_t count, struct buf *out)
{
    for (size_t i = 1; i < count; i++)
        gains_of(&h[0], &h[i], out);
}

static void past_notes(const struct history *h, size_t count, struct buf *out)
{
    const struct past *p = h[0].workload->past;
    char from[PARSE_TEXT_MAX], to[PARSE_TEXT_MAX], wait[32];
    buf_addf(out, "\nhistory: entries %" PRIu64 " to %" PRIu64 " of cell '%s', %s to %s", p->from_seq, p->to_seq,
             p->cell, format_time(p->begin_utc_us / 1000000 * 1000000, from),
             format_time(p->end_utc_us / 1000000 * 1000000, to));
    if (p->torn_bytes > 0)
        buf_addf(out, "; behind them %" PRIu64 " bytes that a crash left half written", p->torn_bytes);
    buf_addf(out, "\nas it really went: %" PRIu64 " tasks started, mean wait %s\n", p->really_started,
             print_time(p->really_wait_us / MAX(p->really_started, 1), wait));
    for (size_t i = 0; i < count; i++) {
        const struct run_totals *t = &h[i].totals;
        if (t->guessed > 0)
            buf_addf(out, "%s: of %" PRIu64 " tasks no end is known; each ran to its limit, or as long as others of "
                     "its tenant\n", h[i].name, t->guessed);
        if (t->not_again > 0)
            buf_addf(out, "%s: %" PRIu64 " things that people and nodes did had no place in it, like a cancel of what "
                     "is over%s\n", h[i].name, t->not_again,
                     t->policies_not_again > 0 ? "; some changes of the policy are among them" : "");
    }
}

void print_notes(const struct history *h, size_t count, struct buf *out)
{
    if (h[0].workload->left_out > 0)
        buf_addf(out, "\n%zu jobs of the log were left out: they never ran\n", h[0].workload->left_out);
    if (h[0].workload->past != NULL)
        past_notes(h, count, out);
}

/* ---- for programs ---- */
void print_json_gains(const struct history *h, size_t count, struct buf *out)
{
    buf_add_str(out, ",\"against_first\":[");
    for (size_t i = 1; i < count; i++) {
        size_t n;
        struct gain *g = ranked(&h[0], &h[i], &n);
        buf_add_str(out, i > 1 ? ",{\"policy\":" : "{\"policy\":");
        print_json_text(h[i].name, out);
        buf_add_str(out, ",\"tenants\":[");
        for (size_t k = 0; k < n; k++) {
            buf_addf(out, "%s{\"tenant\":\"%s\",\"result\":\"%s\",\"started_more\":%" PRId64, k > 0 ? "," : "",
                     g[k].after->path, gains(&g[k]) ? "gains" : loses(&g[k]) ? "loses" : "same", g[k].started);
            buf_addf(out, ",\"wait_us_less\":%" PRId64 ",\"cost_micros_more\":%" PRId64 "}",
                     (int64_t)series_mean(&g[k].before->wait_us) - (int64_t)series_mean(&g[k].after->wait_us),
                     g[k].after->cost_micros - g[k].before->cost_micros);
        }
        buf_add_str(out, "]}");
        free(g);
    }
    buf_add_str(out, "]");
}
