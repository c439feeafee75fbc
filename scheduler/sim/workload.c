#include "scheduler/sim/workload.h"

#include <errno.h>
#include <string.h>

#include "scheduler/sim/past.h"

static const char *const by_names[] = {
    [TENANT_BY_USER] = "user", [TENANT_BY_GROUP] = "group", [TENANT_BY_QUEUE] = "queue"};
const struct names tenant_by_names = {by_names, COUNT_OF(by_names)};

void workload_fini(struct workload *w)
{
    for (size_t i = 0; i < w->tenants.count; i++)
        free(w->tenants.v[i]);
    free(w->tenants.v);
    free(w->jobs);
    past_free(w->past);
    *w = (struct workload){0};
}

struct sim_job *workload_add(struct workload *w)
{
    if (w->count == w->size) {
        size_t size = w->size == 0 ? 1024 : w->size * 2;
        struct sim_job *jobs = realloc(w->jobs, size * sizeof *jobs);
        if (jobs == NULL)
            return NULL;
        w->jobs = jobs;
        w->size = size;
    }
    struct sim_job *j = &w->jobs[w->count++];
    *j = (struct sim_job){.tasks = 1};
    return j;
}

int workload_tenant(struct workload *w, const char *path, uint32_t *ret)
{
    for (size_t i = w->tenants.count; i-- > 0;) /* the last one comes again */
        if (strcmp(w->tenants.v[i], path) == 0) {
            *ret = (uint32_t)i;
            return 0;
        }
    *ret = (uint32_t)w->tenants.count;
    return strs_add(&w->tenants, path);
}

static void merge(const struct sim_job *from, struct sim_job *to, size_t begin, size_t middle, size_t end)
{
    size_t a = begin, b = middle;
    for (size_t i = begin; i < end; i++)
        to[i] = a < middle && (b >= end || from[a].submit_us <= from[b].submit_us) ? from[a++] : from[b++];
}

/* Stable: what came together stays in the order of the file. */
void workload_sort(struct workload *w)
{
    struct sim_job *other = malloc(MAX(w->count, 1) * sizeof *other);
    if (other == NULL)
        abort();
    for (size_t width = 1; width < w->count; width *= 2) {
        for (size_t i = 0; i < w->count; i += 2 * width)
            merge(w->jobs, other, i, MIN(i + width, w->count), MIN(i + 2 * width, w->count));
        struct sim_job *old = w->jobs;
        w->jobs = other;
        other = old;
    }
    free(other);
    w->size = w->count;
}
