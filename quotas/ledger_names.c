#include "quotas/ledger_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *ledger_job_account(uint64_t job, char out[LEDGER_JOB_ACCOUNT_MAX])
{
    snprintf(out, LEDGER_JOB_ACCOUNT_MAX, "job:%" PRIu64, job);
    return out;
}

const char *ledger_tenant_account(const char *path, uint32_t period, int64_t utc_us, char out[LEDGER_ACCOUNT_MAX])
{
    char when[PERIOD_NAME_MAX];
    if (strlen(path) >= LEDGER_TENANT_MAX) {
        return NULL;
    }
    snprintf(out, LEDGER_ACCOUNT_MAX, "%s@%s", path, period_name(period, utc_us, when));
    return out;
}

const char *ledger_account_tenant(const char *name, char out[LEDGER_TENANT_MAX])
{
    const char *mark = strrchr(name, '@');
    if (!mark || mark == name || (size_t)(mark - name) >= LEDGER_TENANT_MAX) {
        return NULL;
    }
    memcpy(out, name, (size_t)(mark - name));
    out[mark - name] = '\0';
    return out;
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

int ledger_path_compare(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    /* End of text first, then '/', then everything else. */
    int left = *a == '/' ? 1 : *a ? (unsigned char)*a + 1 : 0;
    int right = *b == '/' ? 1 : *b ? (unsigned char)*b + 1 : 0;
    return left - right;
}

bool ledger_is_below(const char *path, const char *top)
{
    size_t len = strlen(top);
    return strcmp(top, TENANT_ROOT) == 0 || (strncmp(path, top, len) == 0 && (path[len] == '\0' || path[len] == '/'));
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

size_t ledger_path_depth(const char *path)
{
    if (strcmp(path, TENANT_ROOT) == 0) {
        return 0;
    }
    size_t depth = 1;
    for (; *path; path++) {
        depth += *path == '/';
    }
    return depth;
}

bool ledger_budget_is_total(const struct budget_rule *budget)
{
    return budget->present && budget->period == PERIOD_TOTAL;
}

static const char *const fixed_names[LEDGER_FIXED_RESOURCES] = {"cpu", "memory", "scratch"};

const char *ledger_resource(const struct resources *r, size_t index, uint64_t *ret_amount)
{
    const uint64_t fixed[LEDGER_FIXED_RESOURCES] = {r->cpu_milli, r->mem_bytes, r->scratch_bytes};
    if (index < LEDGER_FIXED_RESOURCES) {
        *ret_amount = fixed[index];
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
    const uint64_t fixed[LEDGER_FIXED_RESOURCES] = {r->cpu_milli, r->mem_bytes, r->scratch_bytes};
    return index < LEDGER_FIXED_RESOURCES ? fixed[index] : counts_get(&r->generic, name);
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
