#include "scheduler/core/apply.h"
#include "scheduler/core/core.h"
#include "scheduler/core/money.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/zeroed.h"
#include "scheduler/core/forecast.h"
#include "scheduler/core/plan.h"
#include "scheduler/core/reserve.h"
#include "scheduler/core/state.h"
#include "scheduler/core/windows.h"

const struct core_limits core_limits_default = {
    .jobs_max = 1000000,
    .finished_max = 10000,
    .slice_ms = 900000,
    .slice_min_ms = 1000,
    .silent_ms = 10000,
    .lease_patient_ms = 1800000,
    .lease_fast_ms = 10000,
    .kill_ms = 3000,
    .fence_ms = 3000,
    .grace_ms = 5000,
    .adjusted_max = 1000000,
    .checkpoint_ms = 60000,
    .pause_max_ms = 86400000,
    .suspend_max_ms = UINT64_C(7) * 86400000,
    .horizon_ms = UINT64_C(7) * 86400000,
    .reserve_max = 16,
};

/* ---- memory and texts ------------------------------------------------------------------------------- */

void *core_alloc(size_t size)
{
    void *p = zeroed(1, size);
    BUG(p == NULL);
    return p;
}

void *core_grow(void *old, size_t size)
{
    void *p = realloc(old, size);
    BUG(p == NULL);
    return p;
}

void *core_room(void *row, size_t count, size_t *size, size_t first, size_t each)
{
    if (count < *size)
        return row;
    *size = *size == 0 ? first : *size * 2;
    return core_grow(row, *size * each);
}

char *core_text(const char *text)
{
    if (text == NULL)
        return NULL;
    size_t len = strlen(text) + 1;
    return memcpy(core_grow(NULL, len), text, len);
}

static bool text_is(const void *object, const void *key)
{
    return strcmp(object, key) == 0;
}

const char *core_intern(struct core *c, const char *text)
{
    const char *known = text != NULL ? text : "";
    uint64_t hash = key_text(KEY_START, known);
    char *found = table_find(&c->texts, hash, known);
    if (found == NULL) {
        found = core_text(known);
        table_put(&c->texts, hash, found);
    }
    return found;
}

void core_copy_strs(const struct strs *from, struct strs *to)
{
    *to = (struct strs){0};
    if (from->count == 0)
        return;
    to->v = core_alloc(from->count * sizeof to->v[0]);
    to->count = from->count;
    for (size_t i = 0; i < from->count; i++)
        to->v[i] = core_text(from->v[i]);
}

void core_clear_strs(struct strs *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->v[i]);
    free(s->v);
    *s = (struct strs){0};
}

void core_copy_resources(const struct resources *from, struct resources *to)
{
    int rc = fields_copy(&resources_fields, from, to);
    BUG(rc < 0);
}

char *text_of(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = n < 0 ? NULL : malloc((size_t)n + 1);
    if (text == NULL)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}

int64_t core_utc(const struct core *c, struct core_now now)
{
    return MAX(now.utc_us, c->fact_utc_us);
}

uint64_t core_longest_us(const struct core *c, uint64_t limit_us)
{
    return limit_us != 0 ? limit_us + c->limits.grace_ms * 1000 : UINT64_MAX;
}

uint64_t core_slice_us(const struct core *c)
{
    return c->limits.slice_ms * 1000;
}

const char *job_account(uint64_t job, char out[JOB_ACCOUNT_MAX])
{
    snprintf(out, JOB_ACCOUNT_MAX, "job:%llu", (unsigned long long)job);
    return out;
}

/* ---- life ------------------------------------------------------------------------------------------- */

static bool limits_are_sound(const struct core_limits *l)
{
    return l->jobs_max > 0 && l->slice_ms > 0 && l->slice_min_ms > 0 && l->slice_min_ms <= l->slice_ms &&
           l->slice_ms <= JOB_TIME_LIMIT_MAX_MS && l->silent_ms > 0;
}

int core_new(struct core **ret, const struct core_limits *limits, struct err *err)
{
    if (!limits_are_sound(limits))
        return err_set(err, -EINVAL,
                       "limits: a slice is at least slice_min and at most a year; no limit may be 0");
    struct core *c = calloc(1, sizeof *c);
    if (c == NULL)
        return err_set(err, -ENOMEM, "core: out of memory");
    c->limits = *limits;
    c->texts.is = text_is;
    c->next_job = c->next_job_handed = c->next_proposal = c->room = 1;
    c->blocked_until_utc_us = INT64_MAX;
    int rc = ledger_new(&c->ledger, err);
    if (rc == 0)
        rc = price_book_new(&c->prices, err);
    if (rc == 0)
        rc = str_set(&c->currency, CURRENCY_DEFAULT);
    c->hours = core_alloc(sizeof(struct hours *));
    if (rc < 0) {
        free(c->hours);
        ledger_free(c->ledger);
        price_book_free(c->prices);
        free(c);
        return rc;
    }
    c->fade.half_life_us = FADE_HALF_LIFE_DEFAULT_MS * 1000;
    tenant_add(c, TENANT_ROOT);
    forecast_init(c);
    c->plan_rows = core_alloc(sizeof *c->plan_rows);
    reserve_init(c);
    *ret = c;
    return 0;
}

static void forget_tenant(void *arg, struct tenant *t)
{
    (void)arg;
    tenant_free(t);
}

void core_free(struct core *c)
{
    if (c == NULL)
        return;
    jobs_fini(c);
    pools_fini(c);
    windows_fini(c);
    nodes_fini(c);
    reserve_fini(c);
    forecast_fini(c);
    plan_rows_fini(c);
    proposals_fini(c);
    tenants_each(c, forget_tenant, NULL);
    ledger_free(c->ledger);
    price_book_free(c->prices);
    hours_fini(c);
    core_offer_zones(c, &(struct list){0});
    fields_clear(&billing_rule_fields, &c->billing);
    fields_clear(&zone_table_fields, &c->billing_zone);
    for (size_t i = 0; i < c->texts.size; i++)
        free(c->texts.slots[i].object);
    table_fini(&c->texts);
    table_fini(&c->tenants);
    table_fini(&c->nodes_by_name);
    table_fini(&c->keys);
    table_fini(&c->asks);
    table_fini(&c->shapes);
    table_fini(&c->demands_by_need);
    free(c->demands);
    free(c->inner);
    free(c->gangs_over);
    heap_fini(&c->timers);
    core_clear_strs(&c->admins);
    core_clear_strs(&c->adjusting);
    capacity_names_fini(&c->names);
    buf_fini(&c->ask_bytes);
    free(c->currency);
    free(c);
}

const struct ledger *core_ledger(const struct core *c)
{
    return c->ledger;
}

const char *core_currency(const struct core *c)
{
    return c->currency;
}

static uint64_t nodes_closed(const struct core *c)
{
    uint64_t closed = 0;
    for (size_t i = 0; i < c->nodes_count && c->windows_count > 0; i++)
        closed += windows_close_utc_us(c->nodes[i]) <= c->turn_utc_us;
    return closed;
}

void core_stats(const struct core *c, struct core_stats *ret)
{
    struct tenant_view root = {0};
    (void)ledger_tenant(c->ledger, TENANT_ROOT, c->fact_utc_us, &root);
    *ret = (struct core_stats){
        .jobs = c->unfinished,
        .finished = c->finished,
        .queued = root.queued - MIN(root.queued, c->count[TASK_HELD]), /* the ledger's queue holds both */
        .starting = c->count[TASK_STARTING],
        .running = c->count[TASK_RUNNING],
        .unreachable = c->count[TASK_UNREACHABLE],
        .held = c->count[TASK_HELD],
        .suspended = c->suspended_live,
        .nodes = c->nodes_count,
        .nodes_quarantined = c->nodes_quarantined,
        .quarantines_total = c->quarantines_total,
        .nodes_closed = nodes_closed(c),
        .windows = c->windows_count,
        .submitted_total = c->submitted_total,
        .placed_total = c->placed_total,
        .ended_total = c->ended_total,
        .renewed_total = c->renewed_total,
        .stale_total = c->stale_total,
        .refused_total = c->refused_total,
        .decisions_total = c->decisions_total,
        .written_off_micros = c->written_off_micros,
        .seq = c->seq,
        .term = c->term,
    };
}
