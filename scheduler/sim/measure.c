#include "scheduler/sim/measure.h"

#include <errno.h>

#define PPM UINT64_C(1000000)
__extension__ typedef unsigned __int128 wide; /* gcc and clang */

int measure_init(struct measure_cell *m, size_t tenants, int64_t end_us)
{
    *m = (struct measure_cell){.tenants_count = tenants};
    m->stretch_us = MAX(end_us / MEASURE_STRETCHES, 1);
    m->tenants = calloc(MAX(tenants, 1), sizeof m->tenants[0]);
    return m->tenants == NULL ? -ENOMEM : 0;
}

void measure_fini(struct measure_cell *m)
{
    for (size_t i = 0; i < m->tenants_count; i++) {
        free(m->tenants[i].wait_us.v);
        free(m->tenants[i].slowdown.v);
    }
    free(m->tenants);
    *m = (struct measure_cell){0};
}

static void book(struct measure_cell *m, struct tenant_measure *t, int64_t now_us)
{
    bool there = t->waiting + t->running > 0;
    while (t->since_us < now_us) {
        size_t i = (size_t)(t->since_us / m->stretch_us);
        int64_t until = MIN(now_us, (int64_t)(i + 1) * m->stretch_us);
        uint64_t core_us = (uint64_t)(until - t->since_us) * t->cpu_milli / 1000;
        t->stretch[i] += core_us;
        t->core_us += core_us;
        t->there[i] |= there;
        t->since_us = until;
        m->waiting[i] += until % m->stretch_us == 0 ? t->waiting : 0;
    }
}

static void book_room(struct measure_cell *m, int64_t now_us)
{
    while (m->room_since_us < now_us) {
        size_t i = (size_t)(m->room_since_us / m->stretch_us);
        int64_t until = MIN(now_us, (int64_t)(i + 1) * m->stretch_us);
        m->room[i] += (uint64_t)((wide)(uint64_t)(until - m->room_since_us) * m->cpu_milli / 1000);
        m->room_since_us = until;
    }
}

/* Two stretches become one, everywhere. */
static void fold(struct measure_cell *m)
{
    int64_t full_us = m->stretch_us * MEASURE_STRETCHES;
    book_room(m, full_us);
    for (size_t i = 0; i < m->tenants_count; i++) {
        struct tenant_measure *t = &m->tenants[i];
        book(m, t, full_us);
        for (size_t k = 0; k < MEASURE_STRETCHES; k++) {
            bool old = 2 * k + 1 < MEASURE_STRETCHES;
            t->stretch[k] = old ? t->stretch[2 * k] + t->stretch[2 * k + 1] : 0;
            t->there[k] = old && (t->there[2 * k] || t->there[2 * k + 1]);
        }
    }
    for (size_t k = 0; k < MEASURE_STRETCHES; k++)
        m->room[k] = 2 * k + 1 < MEASURE_STRETCHES ? m->room[2 * k] + m->room[2 * k + 1] : 0;
    for (size_t k = 0; k < MEASURE_STRETCHES; k++)
        m->waiting[k] = 2 * k + 1 < MEASURE_STRETCHES ? m->waiting[2 * k + 1] : 0;
    m->stretch_us *= 2;
}

static void stretch_to(struct measure_cell *m, int64_t now_us)
{
    while (now_us > m->stretch_us * MEASURE_STRETCHES)
        fold(m);
}

void measure_touch(struct measure_cell *m, struct tenant_measure *t, int64_t now_us)
{
    stretch_to(m, now_us);
    book(m, t, now_us);
}

void measure_room(struct measure_cell *m, uint64_t cpu_milli, int64_t now_us)
{
    stretch_to(m, now_us);
    book_room(m, now_us);
    m->cpu_milli = cpu_milli;
}

void measure_wait(struct tenant_measure *t, uint64_t wait_us, uint64_t run_us)
{
    uint64_t slowdown = (uint64_t)((wide)(wait_us + run_us) * 1000 / MAX(run_us, (uint64_t)MEASURE_LEAST_RUN_US));
    series_add(&t->wait_us, wait_us);
    series_add(&t->slowdown, MAX(slowdown, 1000));
}

uint64_t jain_ppm(const uint64_t *x, size_t n)
{
    uint64_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = MAX(most, x[i]);
    if (most == 0)
        return PPM;
    uint64_t shift = 0; /* 32 bits each: squares of a million of them fit */
    while ((most >> shift) > UINT32_MAX)
        shift++;
    wide sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i] >> shift;
        squares += (wide)(x[i] >> shift) * (x[i] >> shift);
    }
    /* sum <= 2^16 * 2^32: the product stays below 2^117. */
    return (uint64_t)(sum * sum * PPM / ((wide)n * squares));
}

static int rising(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

void series_sort(struct series *s)
{
    if (s->count > 1)
        qsort(s->v, s->count, sizeof s->v[0], rising);
}

/* Mean of 1 / slowdown, in millionths. */
static uint64_t speed_of(const struct series *slowdown)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < slowdown->count; i++)
        sum += PPM * 1000 / slowdown->v[i];
    return sum / MAX(slowdown->count, 1);
}

static uint64_t fair_over(const struct measure_cell *m, uint64_t (*of)(const struct series *slowdown), uint64_t *x)
{
    size_t n = 0;
    for (size_t t = 0; t < m->tenants_count; t++)
        if (m->tenants[t].slowdown.count > 0)
            x[n++] = of(&m->tenants[t].slowdown);
    return jain_ppm(x, n);
}

static void stretch_end(struct measure_cell *m, size_t i, uint64_t *x)
{
    size_t n = 0;
    uint64_t core_us = 0;
    for (size_t t = 0; t < m->tenants_count; t++) {
        const struct tenant_measure *tenant = &m->tenants[t];
        core_us += tenant->stretch[i];
        if (tenant->there[i])
            x[n++] = tenant->stretch[i] / MAX(tenant->weight, 1);
    }
    m->stretch_fair_ppm[i] = jain_ppm(x, n);
    m->stretch_used_ppm[i] = m->room[i] == 0 ? 0 : (uint64_t)((wide)core_us * PPM / m->room[i]);
}

void measure_end(struct measure_cell *m, int64_t now_us)
{
    uint64_t *x = calloc(MAX(m->tenants_count, 1), sizeof *x);
    if (x == NULL)
        abort();
    uint64_t busy = 0, fair = 0, room = 0;
    measure_room(m, m->cpu_milli, now_us);
    for (size_t t = 0; t < m->tenants_count; t++) {
        struct tenant_measure *tenant = &m->tenants[t];
        measure_touch(m, tenant, now_us);
        series_sort(&tenant->wait_us);
        series_sort(&tenant->slowdown);
        m->core_us += tenant->core_us;
    }
    m->slowdown_fair_ppm = fair_over(m, series_mean, x);
    m->speed_fair_ppm = fair_over(m, speed_of, x);
    m->stretches = (size_t)((now_us + m->stretch_us - 1) / m->stretch_us);
    for (size_t i = 0; i < m->stretches; i++) {
        stretch_end(m, i, x);
        room += m->room[i];
        bool any = false;
        for (size_t t = 0; t < m->tenants_count && !any; t++)
            any = m->tenants[t].there[i];
        busy += any;
        fair += any ? m->stretch_fair_ppm[i] : 0;
    }
    m->fair_ppm = busy == 0 ? PPM : fair / busy;
    m->used_ppm = room == 0 ? 0 : (uint64_t)((wide)m->core_us * PPM / room);
    m->end_us = now_us;
    free(x);
}

void series_add(struct series *s, uint64_t value)
{
    if (s->count == s->size) {
        s->size = s->size == 0 ? 64 : s->size * 2;
        s->v = realloc(s->v, s->size * sizeof s->v[0]);
        if (s->v == NULL)
            abort();
    }
    s->v[s->count++] = value;
}

uint64_t series_mean(const struct series *s)
{
    wide sum = 0;
    for (size_t i = 0; i < s->count; i++)
        sum += s->v[i];
    return s->count == 0 ? 0 : (uint64_t)(sum / s->count);
}

uint64_t series_at(const struct series *s, uint32_t percent)
{
    return s->count == 0 ? 0 : s->v[(s->count - 1) * percent / 100];
}
