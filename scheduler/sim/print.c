#include "scheduler/sim/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define TENANTS_SHOWN 40
#define HOUR_US UINT64_C(3600000000)

const char *print_time(uint64_t us, char out[32])
{
    uint64_t s = us / 1000000;
    if (s < 60)
        snprintf(out, 32, "%" PRIu64 ".%" PRIu64 " s", s, us / 100000 % 10);
    else if (s < 3600)
        snprintf(out, 32, "%" PRIu64 " min %02" PRIu64 " s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, 32, "%" PRIu64 " h %02" PRIu64 " min", s / 3600, s / 60 % 60);
    else
        snprintf(out, 32, "%" PRIu64 " d %02" PRIu64 " h", s / 86400, s / 3600 % 24);
    return out;
}

const char *print_ppm(uint64_t ppm, char out[32])
{
    snprintf(out, 32, "%" PRIu64 ".%" PRIu64 " %%", ppm / 10000, ppm / 1000 % 10);
    return out;
}

const char *print_thousandths(uint64_t value, char out[32])
{
    snprintf(out, 32, "%" PRIu64 ".%02" PRIu64, value / 1000, value / 10 % 100);
    return out;
}

const char *print_money(int64_t micros, char out[32])
{
    bool small = micros != 0 && micros > -10000 && micros < 10000; /* less than a cent is something, too */
    int64_t amount = micros < 0 ? -micros : micros;
    if (small)
        snprintf(out, 32, "%s0.%06" PRId64, micros < 0 ? "-" : "", amount);
    else
        snprintf(out, 32, "%s%" PRId64 ".%02" PRId64, micros < 0 ? "-" : "", amount / 1000000, amount / 10000 % 100);
    return out;
}

struct sums {
    struct series wait_us, slowdown;
    uint64_t submitted, refused, started, succeeded, failed, over_limit, over_budget, preempted, waiting;
};

static void add_all(struct series *to, const struct series *from)
{
    for (size_t i = 0; i < from->count; i++)
        series_add(to, from->v[i]);
}

static struct sums sums_of(const struct measure_cell *m)
{
    struct sums s = {0};
    for (size_t i = 0; i < m->tenants_count; i++) {
        const struct tenant_measure *t = &m->tenants[i];
        add_all(&s.wait_us, &t->wait_us);
        add_all(&s.slowdown, &t->slowdown);
        s.submitted += t->submitted;
        s.refused += t->refused;
        s.started += t->started;
        s.succeeded += t->succeeded;
        s.failed += t->failed;
        s.over_limit += t->over_limit;
        s.over_budget += t->over_budget;
        s.preempted += t->preempted;
        s.waiting += t->waiting;
    }
    series_sort(&s.wait_us);
    series_sort(&s.slowdown);
    return s;
}

static void sums_fini(struct sums *s)
{
    free(s->wait_us.v);
    free(s->slowdown.v);
}

/* ---- the table ---- */
void print_end_line(struct buf *out)
{
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->len--;
    buf_add_str(out, "\n");
}

enum figure {
    FIGURE_TASKS, FIGURE_REFUSED, FIGURE_LEFT, FIGURE_TIME, FIGURE_USED, FIGURE_WAIT, FIGURE_WAIT95, FIGURE_SLOW,
    FIGURE_SLOW95, FIGURE_FAIR, FIGURE_SLOW_FAIR, FIGURE_SPEED_FAIR, FIGURE_COST, FIGURE_OVER_BUDGET,
    FIGURE_PREEMPTED,
    FIGURE_FACTS, FIGURE_SPEED, FIGURE_HASH, FIGURE_COUNT
};
static const char *const figure_names[FIGURE_COUNT] = {
    [FIGURE_TASKS] = "tasks started",
    [FIGURE_REFUSED] = "refused when submitted",
    [FIGURE_LEFT] = "waiting at the end",
    [FIGURE_TIME] = "simulated time",
    [FIGURE_USED] = "cores in use",
    [FIGURE_WAIT] = "wait, mean",
    [FIGURE_WAIT95] = "wait, 95 of 100 below",
    [FIGURE_SLOW] = "bounded slowdown, mean",
    [FIGURE_SLOW95] = "bounded slowdown, 95 of 100 below",
    [FIGURE_FAIR] = "fairness of use (Jain)",
    [FIGURE_SLOW_FAIR] = "fairness of slowdown (Jain)",
    [FIGURE_SPEED_FAIR] = "fairness of 1 / slowdown (Jain)",
    [FIGURE_COST] = "cost",
    [FIGURE_OVER_BUDGET] = "stopped: budget",
    [FIGURE_PREEMPTED] = "stopped for others",
    [FIGURE_FACTS] = "facts",
    [FIGURE_SPEED] = "decisions a second, this machine",
    [FIGURE_HASH] = "hash of all that happened",
};

static void figure(const struct history *h, const struct sums *s, enum figure which, char out[48])
{
    const struct measure_cell *m = h->measure;
    char text[32];
    switch (which) {
    case FIGURE_TASKS: snprintf(out, 48, "%" PRIu64, s->started); return;
    case FIGURE_REFUSED: snprintf(out, 48, "%" PRIu64, s->refused); return;
    case FIGURE_LEFT: snprintf(out, 48, "%" PRIu64, s->waiting); return;
    case FIGURE_TIME: snprintf(out, 48, "%s", print_time((uint64_t)h->totals.simulated_us, text)); return;
    case FIGURE_USED: snprintf(out, 48, "%s", print_ppm(m->used_ppm, text)); return;
    case FIGURE_WAIT: snprintf(out, 48, "%s", print_time(series_mean(&s->wait_us), text)); return;
    case FIGURE_WAIT95: snprintf(out, 48, "%s", print_time(series_at(&s->wait_us, 95), text)); return;
    case FIGURE_SLOW: print_thousandths(series_mean(&s->slowdown), out); return;
    case FIGURE_SLOW95: print_thousandths(series_at(&s->slowdown, 95), out); return;
    case FIGURE_FAIR: snprintf(out, 48, "%s", print_ppm(m->fair_ppm, text)); return;
    case FIGURE_SLOW_FAIR: snprintf(out, 48, "%s", print_ppm(m->slowdown_fair_ppm, text)); return;
    case FIGURE_SPEED_FAIR: snprintf(out, 48, "%s", print_ppm(m->speed_fair_ppm, text)); return;
    case FIGURE_COST:
        print_money(h->totals.cost_micros, text);
        snprintf(out, 48, "%s %s", text, h->currency);
        return;
    case FIGURE_OVER_BUDGET: snprintf(out, 48, "%" PRIu64, s->over_budget); return;
    case FIGURE_PREEMPTED: snprintf(out, 48, "%" PRIu64, s->preempted); return;
    case FIGURE_FACTS: snprintf(out, 48, "%" PRIu64, h->totals.facts); return;
    case FIGURE_SPEED:
        snprintf(out, 48, "%" PRIu64, h->totals.decisions * 1000000 / MAX(h->totals.decide_ns / 1000, 1));
        return;
    case FIGURE_HASH: snprintf(out, 48, "%016" PRIx64, h->totals.hash); return;
    case FIGURE_COUNT: break;
    }
    out[0] = '\0';
}

/* What a figure is compared by; 0: it isn't. */
static uint64_t value_of(const struct history *h, const struct sums *s, enum figure which)
{
    const struct measure_cell *m = h->measure;
    switch (which) {
    case FIGURE_USED: return m->used_ppm;
    case FIGURE_WAIT: return series_mean(&s->wait_us);
    case FIGURE_WAIT95: return series_at(&s->wait_us, 95);
    case FIGURE_SLOW: return series_mean(&s->slowdown);
    case FIGURE_SLOW95: return series_at(&s->slowdown, 95);
    case FIGURE_FAIR: return m->fair_ppm;
    case FIGURE_SLOW_FAIR: return m->slowdown_fair_ppm;
    case FIGURE_SPEED_FAIR: return m->speed_fair_ppm;
    case FIGURE_COST: return (uint64_t)MAX(h->totals.cost_micros, 0);
    case FIGURE_TASKS:
    case FIGURE_REFUSED:
    case FIGURE_LEFT:
    case FIGURE_TIME:
    case FIGURE_OVER_BUDGET:
    case FIGURE_PREEMPTED:
    case FIGURE_FACTS:
    case FIGURE_SPEED:
    case FIGURE_HASH:
    case FIGURE_COUNT: break;
    }
    return 0;
}

const char *print_difference(uint64_t first, uint64_t other, char out[32])
{
    out[0] = '\0';
    if (first == 0 || other == 0 || first == other)
        return out;
    uint64_t more = other > first ? other - first : first - other;
    uint64_t tenths = more > UINT64_MAX / 1000 ? more / first * 1000 : more * 1000 / first;
    snprintf(out, 32, "%c%" PRIu64 ".%" PRIu64 " %%", other > first ? '+' : '-', tenths / 10, tenths % 10);
    return out;
}

static void print_figures(const struct history *h, const struct sums *s, size_t count, struct buf *out)
{
    char text[48], change[32];
    buf_addf(out, "%-36s", "");
    for (size_t i = 0; i < count; i++)
        buf_addf(out, i == 0 ? " %20.20s" : " %20.20s %10s", h[i].name, "");
    print_end_line(out);
    for (size_t f = 0; f < FIGURE_COUNT; f++) {
        if (h[0].whatif && (f == FIGURE_FACTS || f == FIGURE_SPEED)) /* of the machine, and not for who decides */
            continue;
        buf_addf(out, "%-36s", figure_names[f]);
        for (size_t i = 0; i < count; i++) {
            figure(&h[i], &s[i], (enum figure)f, text);
            buf_addf(out, " %20s", text);
            if (i > 0)
                buf_addf(out, " %10s", print_difference(value_of(&h[0], &s[0], (enum figure)f),
                                                  value_of(&h[i], &s[i], (enum figure)f), change));
        }
        print_end_line(out);
    }
}

static void print_tenants(const struct history *h, struct buf *out)
{
    const struct measure_cell *m = h->measure;
    char wait[32], most[32], cost[32], slow[32], share[32];
    buf_addf(out, "\n%s\n%-20s %8s %7s %12s %12s %9s %12s %7s %12s\n", h->name, "tenant", "tasks", "weight", "wait",
             "longest", "slowdown", "core-hours", "share", "cost");
    for (size_t i = 0; i < MIN(m->tenants_count, (size_t)TENANTS_SHOWN); i++) {
        const struct tenant_measure *t = &m->tenants[i];
        print_thousandths(series_mean(&t->slowdown), slow);
        print_money(t->cost_micros, cost);
        buf_addf(out, "%-20.20s %8" PRIu64 " %7u %12s %12s %9s %12" PRIu64 " %7s %12s\n", t->path, t->started,
                 t->weight,
                 print_time(series_mean(&t->wait_us), wait), print_time(series_at(&t->wait_us, 100), most), slow,
                 t->core_us / HOUR_US, print_ppm(t->core_us / MAX(m->core_us / 1000000, 1), share), cost);
    }
    if (m->tenants_count > TENANTS_SHOWN)
        buf_addf(out, "... and %zu more (--json has all)\n", m->tenants_count - TENANTS_SHOWN);
}

void print_table(const struct history *h, size_t count, struct buf *out)
{
    struct sums *s = calloc(count, sizeof *s);
    if (s == NULL)
        abort();
    for (size_t i = 0; i < count; i++)
        s[i] = sums_of(h[i].measure);
    print_figures(h, s, count, out);
    if (count > 1)
        print_gains(h, count, out);
    for (size_t i = 0; i < count; i++) {
        print_tenants(&h[i], out);
        sums_fini(&s[i]);
    }
    print_notes(h, count, out);
    free(s);
}

/* ---- JSON ---- */
void print_json_text(const char *text, struct buf *out)
{
    buf_add_str(out, "\"");
    for (const char *c = text; *c != '\0'; c++) /* a file's name */
        buf_addf(out, (*c == '"' || *c == '\\') ? "\\%c" : (unsigned char)*c < 0x20 ? "?" : "%c", *c);
    buf_add_str(out, "\"");
}

static void json_series(struct buf *out, const char *name, const struct series *s)
{
    buf_addf(out, "\"%s\":{\"mean\":%" PRIu64 ",\"p50\":%" PRIu64 ",\"p95\":%" PRIu64 ",\"max\":%" PRIu64 "}", name,
             series_mean(s), series_at(s, 50), series_at(s, 95), series_at(s, 100));
}

static void json_tenant(struct buf *out, const struct tenant_measure *t)
{
    buf_addf(out, "{\"tenant\":\"%s\",\"weight\":%u,\"submitted\":%" PRIu64 ",\"refused\":%" PRIu64
             ",\"started\":%" PRIu64 ",\"succeeded\":%" PRIu64 ",\"failed\":%" PRIu64
             ",\"over_limit\":%" PRIu64 ",\"over_budget\":%" PRIu64
             ",\"preempted\":%" PRIu64 ",\"waiting\":%" PRIu64 ",", t->path, t->weight, t->submitted, t->refused,
             t->started, t->succeeded, t->failed, t->over_limit, t->over_budget, t->preempted, t->waiting);
    json_series(out, "wait_us", &t->wait_us);
    buf_add_str(out, ",");
    json_series(out, "slowdown_thousandths", &t->slowdown);
    buf_addf(out, ",\"core_us\":%" PRIu64 ",\"cost_micros\":%" PRId64 "}", t->core_us, t->cost_micros);
}

static void json_curve(struct buf *out, const char *name, const uint64_t *v, size_t count)
{
    buf_addf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++)
        buf_addf(out, "%s%" PRIu64, i > 0 ? "," : "", v[i]);
    buf_add_str(out, "]");
}

static void json_history(struct buf *out, const struct history *h)
{
    const struct measure_cell *m = h->measure;
    struct sums s = sums_of(m);
    buf_add_str(out, "{\"policy\":");
    print_json_text(h->name, out);
    buf_addf(out, ",\"currency\":\"%s\",\"simulated_us\":%" PRId64 ",\"left_out\":%zu,\"submitted\":%" PRIu64
             ",\"refused\":%" PRIu64 ",\"started\":%" PRIu64 ",\"waiting\":%" PRIu64 ",\"used_ppm\":%" PRIu64
             ",\"fair_ppm\":%" PRIu64 ",\"slowdown_fair_ppm\":%" PRIu64 ",\"speed_fair_ppm\":%" PRIu64 ",",
             h->currency, h->totals.simulated_us, h->workload->left_out, s.submitted, s.refused, s.started, s.waiting,
             m->used_ppm, m->fair_ppm,
             m->slowdown_fair_ppm, m->speed_fair_ppm);
    json_series(out, "wait_us", &s.wait_us);
    buf_add_str(out, ",");
    json_series(out, "slowdown_thousandths", &s.slowdown);
    buf_addf(out, ",\"cost_micros\":%" PRId64 ",\"written_off_micros\":%" PRId64 ",\"facts\":%" PRIu64
             ",\"placed\":%" PRIu64 ",\"renewed\":%" PRIu64 ",\"decisions\":%" PRIu64
             ",\"preempted\":%" PRIu64 ",\"guessed\":%" PRIu64 ",\"not_again\":%" PRIu64
             ",\"hash\":\"%016" PRIx64 "\"",
             h->totals.cost_micros, h->totals.written_off_micros, h->totals.facts, h->totals.placed, h->totals.renewed,
             h->totals.decisions, s.preempted, h->totals.guessed, h->totals.not_again, h->totals.hash);
    if (!h->whatif)
        buf_addf(out, ",\"decide_ns\":%" PRIu64, h->totals.decide_ns);
    json_curve(out, "curve_used_ppm", m->stretch_used_ppm, m->stretches);
    json_curve(out, "curve_fair_ppm", m->stretch_fair_ppm, m->stretches);
    json_curve(out, "curve_waiting", m->waiting, m->stretches);
    buf_addf(out, ",\"curve_step_us\":%" PRId64, m->stretch_us);
    buf_add_str(out, ",\"tenants\":[");
    for (size_t i = 0; i < m->tenants_count; i++) {
        buf_add_str(out, i > 0 ? "," : "");
        json_tenant(out, &m->tenants[i]);
    }
    buf_add_str(out, "]}");
    sums_fini(&s);
}

void print_json(const struct history *h, size_t count, struct buf *out)
{
    buf_add_str(out, "{\"schema\":\"reeve-sim/1\",\"histories\":[");
    for (size_t i = 0; i < count; i++) {
        buf_add_str(out, i > 0 ? "," : "");
        json_history(out, &h[i]);
    }
    buf_add_str(out, "]");
    if (count > 1)
        print_json_gains(h, count, out);
    buf_add_str(out, "}\n");
}
