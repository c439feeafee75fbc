#include "quotas/ledger_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *ledger_job_account(uint64_t job, char out[LEDGER_JOB_ACCOUNT_MAX])
{
    char digits[20]; /* asked at the end of every job: snprintf takes ten times as long */
    size_t count = 0, len = sizeof "job:" - 1;
    memcpy(out, "job:", len);
    do {
        digits[count++] = (char)('0' + job % 10);
        job /= 10;
    } while (job > 0);
    while (count > 0) {
        out[len++] = digits[--count];
    }
    out[len] = '\0';
    return out;
}

const char *ledger_budget_account(const char *path, const char *budget, const char *period,
                                  char out[LEDGER_ACCOUNT_MAX])
{
    bool named = budget && budget[0];
    if (strlen(path) >= LEDGER_TENANT_MAX || (named && strlen(budget) >= LEDGER_BUDGET_MAX)) {
        return NULL;
    }
    snprintf(out, LEDGER_ACCOUNT_MAX, "%s%s%s@%s", path, named ? "#" : "", named ? budget : "", period);
    return out;
}

static const char *cut(const char *from, const char *to, char *out, size_t size)
{
    if (to <= from || (size_t)(to - from) >= size) {
        return NULL;
    }
    memcpy(out, from, (size_t)(to - from));
    out[to - from] = '\0';
    return out;
}

const char *ledger_account_period(const char *name)
{
    const char *mark = strrchr(name, '@');
    return mark ? mark + 1 : NULL;
}

const char *ledger_account_tenant(const char *name, char out[LEDGER_TENANT_MAX])
{
    const char *mark = strrchr(name, '@'), *hash = strchr(name, '#');
    return mark ? cut(name, hash && hash < mark ? hash : mark, out, LEDGER_TENANT_MAX) : NULL;
}

const char *ledger_account_budget(const char *name, char out[LEDGER_BUDGET_MAX])
{
    const char *mark = strrchr(name, '@'), *hash = strchr(name, '#');
    return mark && hash && hash < mark ? cut(hash + 1, mark, out, LEDGER_BUDGET_MAX) : NULL;
}

const char *ledger_parent_path(const char *path, char out[LEDGER_TENANT_MAX])
{
    const char *slash = strrchr(path, '/');
    if (strcmp(path, TENANT_ROOT) == 0) {
        return NULL;
    }
    if (!slash || slash == path || (size_t)(slash - path) >= LEDGER_TENANT_MAX) {
        return TENANT_ROOT;
    }
    memcpy(out, path, (size_t)(slash - path));
    out[slash - path] = '\0';
    return out;
}

bool ledger_account_is_below(const char *account, const char *top)
{
    size_t len = strlen(top);
    return strncmp(account, top, len) == 0 && account[len] != '\0' && strchr("/@#", account[len]) != NULL;
}

char *ledger_moved_name(const char *name, const char *from, const char *to)
{
    const char *rest = name + strlen(from);
    size_t len = strlen(to), more = strlen(rest) + 1;
    char *moved = malloc(len + more);
    if (moved) {
        memcpy(moved, to, len);
        memcpy(moved + len, rest, more);
    }
    return moved;
}

const struct budget_rule *ledger_rule_budget(const struct tenant_rule *rule, size_t *at)
{
    const struct budget_rule *further = rule->budgets.v;
    if (*at == 0) {
        ++*at;
        if (rule->budget.present) {
            return &rule->budget;
        }
    }
    return *at <= rule->budgets.count ? &further[(*at)++ - 1] : NULL;
}

bool ledger_budget_is_total(const struct budget_rule *budget)
{
    return budget->present && budget->period == PERIOD_TOTAL && !budget->resource;
}

static const char *const fixed_names[LEDGER_FIXED_RESOURCES] = {"cpu", "memory", "scratch"};

/* In the order of fixed_names. */
static uint64_t fixed_amount(const struct resources *r, size_t index)
{
    return index == 0 ? r->cpu_milli : index == 1 ? r->mem_bytes : r->scratch_bytes;
}

const char *ledger_resource(const struct resources *r, size_t index, uint64_t *ret_amount)
{
    if (index < LEDGER_FIXED_RESOURCES) {
        *ret_amount = fixed_amount(r, index);
        return fixed_names[index];
    }
    index -= LEDGER_FIXED_RESOURCES;
    if (index >= r->generic.count) {
        return NULL;
    }
    *ret_amount = r->generic.v[index].value;
    return r->generic.v[index].name;
}

uint64_t ledger_resource_get(const struct resources *r, size_t index, const char *name)
{
    return index < LEDGER_FIXED_RESOURCES ? fixed_amount(r, index) : counts_get(&r->generic, name);
}

int64_t ledger_bound(const struct resource_bounds *b, size_t index, const char *name)
{
    const struct measure fixed[LEDGER_FIXED_RESOURCES] = {b->cpu_milli, b->mem_bytes, b->scratch_bytes};
    if (index < LEDGER_FIXED_RESOURCES) {
        return is_measured(fixed[index]) ? (int64_t)MIN(measured(fixed[index]), (uint64_t)LEDGER_COUNT_MAX) : -1;
    }
    for (size_t i = 0; i < b->generic.count; i++) {
        if (strcmp(b->generic.v[i].name, name) == 0) {
            return (int64_t)MIN(b->generic.v[i].value, (uint64_t)LEDGER_COUNT_MAX);
        }
    }
    return -1;
}
