#include "scheduler/sim/inputs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/io/fd.h"
#include "base/io/yaml.h"
#include "base/io/zone.h"
#include "base/parse.h"
#include "scheduler/sim/past.h"

#define FILE_LIMIT ((size_t)1 << 30)
#define MEMORY_PER_CORE ((uint64_t)4 << 30)
#define JOBS_DEFAULT 10000

/* ---- the workload ---- */
/* "7d", before the journal's end; or an instant. */
static int read_since(const char *text, struct past_source *s, struct err *err)
{
    struct err why = {0};
    s->since_utc_us = INT64_MIN;
    if (text == NULL || parse_time(text, &s->since_utc_us, &why) == 0)
        return 0;
    uint64_t ms;
    if (parse_duration(text, &ms, &why) < 0 || ms == 0 || ms > (uint64_t)INT64_MAX / 2000)
        return err_set(err, -EINVAL, "--since: '%s' is neither a time before the journal's end, like 7d or 12h, nor an "
                       "instant like 2026-11-20T00:00:00Z", text);
    s->before_end_us = (int64_t)ms * 1000;
    return 0;
}

static int read_journal(const struct sim_options *o, struct workload *ret, struct err *err)
{
    struct past_source source = {.journal = o->journal, .archive = o->archive};
    int rc = read_since(o->since, &source, err);
    return rc == 0 ? past_read(&source, ret, err) : rc;
}

static int sources_check(const struct sim_options *o, struct err *err)
{
    const char *given[] = {o->journal, o->swf, o->events, o->jobs != 0 ? "" : NULL};
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(given); i++)
        count += given[i] != NULL;
    if (count > 1)
        return err_set(err, -EINVAL, "--journal, --swf, --events, --jobs: one of them is the history");
    if (o->whatif && count == 0)
        return err_set(err, -EINVAL, "which history? --journal DIR, where reeved keeps its journal or a system's "
                       "folder (reeve up --dir DIR); or a log: --swf FILE, --events FILE; or generated load: --jobs N");
    if (o->journal == NULL && (o->archive != NULL || o->since != NULL))
        return err_set(err, -EINVAL, "--archive and --since are about a journal: add --journal DIR");
    return 0;
}

int inputs_workload(const struct sim_options *o, struct workload *ret, struct err *err)
{
    int by = names_find(&tenant_by_names, o->tenant_by);
    int rc = sources_check(o, err);
    if (rc < 0)
        return rc;
    if (by < 0)
        return err_set(err, -EINVAL, "--tenant-by: '%s' is none of user, group, queue", o->tenant_by);
    if (o->journal != NULL)
        return read_journal(o, ret, err);
    const char *path = o->swf != NULL ? o->swf : o->events;
    if (path == NULL) {
        struct load_options load = {.seed = o->seed, .jobs = o->jobs != 0 ? o->jobs : JOBS_DEFAULT,
                                    .tenants = o->tenants, .per_hour = o->per_hour,
                                    .mean_run_s = o->mean_run_ms / 1000, .cores_max = o->cores_max};
        return workload_load(&load, ret, err);
    }
    struct buf text = {.max = FILE_LIMIT};
    rc = file_read(path, FILE_LIMIT, &text, err);
    if (rc == 0)
        rc = (o->swf != NULL ? workload_swf : workload_events)(buf_text(&text), text.len, (enum tenant_by)by, ret, err);
    buf_fini(&text);
    if (rc == 0 && ret->count == 0) {
        workload_fini(ret);
        return err_set(err, -EINVAL, "%s: no job in it ever ran", path);
    }
    return rc < 0 ? err_wrap(err, rc, "%s", path) : 0;
}

/* ---- the cluster ---- */
/* "120x2" */
static int read_nodes(const char *text, uint64_t fallback_cores, struct cluster *ret, struct err *err)
{
    unsigned long long count = 16, cores = 16;
    int used = 0;
    if (text == NULL && fallback_cores > 0) {
        count = 1;
        cores = fallback_cores;
    } else if (text != NULL && (sscanf(text, "%llux%llu%n", &count, &cores, &used) != 2 || text[used] != '\0' ||
                                count < 1 || count > 100000 || cores < 1 || cores > 1000000)) {
        return err_set(err, -EINVAL, "--nodes: '%s' is not a count and cores, like 120x2", text);
    }
    struct sim_nodes *n = list_add(&ret->nodes, sizeof *n);
    if (n == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    n->count = (uint32_t)count;
    n->capacity = (struct resources){.cpu_milli = cores * 1000, .mem_bytes = cores * MEMORY_PER_CORE};
    return 0;
}

int inputs_nodes(const struct sim_options *o, const struct workload *w, struct cluster *ret, struct err *err)
{
    return read_nodes(o->nodes, w->processors, ret, err);
}

static int read_file(const struct fields *f, const char *path, void *object, struct err *err)
{
    struct buf text = {0};
    int rc = file_read(path, YAML_FILE_MAX, &text, err);
    if (rc == 0)
        rc = yaml_read(f, path, buf_text(&text), text.len, object, err);
    buf_fini(&text);
    return rc;
}

int inputs_cluster(const char *path, struct cluster *ret, struct err *err)
{
    return read_file(&cluster_fields, path, ret, err);
}

/* ---- policies ---- */
/* Without a file: all tenants alike, with the prices of the manual's example. */
static int plain_policy(const struct workload *w, struct policy_file *ret, struct err *err)
{
    struct price_version *v = list_add(&ret->prices, sizeof *v);
    if (v == NULL || counts_set(&v->per_hour, "cpu", 40000) < 0 || counts_set(&v->per_hour, "memory", 5000) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < w->tenants.count; i++) {
        struct tenant_rule *rule = list_add(&ret->tenants, sizeof *rule);
        if (rule == NULL || str_set(&rule->path, w->tenants.v[i]) < 0)
            return err_set(err, -ENOMEM, "out of memory");
    }
    return policy_file_check(ret, err);
}

int inputs_policy(const struct workload *w, const char *path, struct policy_file *ret, struct err *err)
{
    if (path == NULL)
        return plain_policy(w, ret, err);
    int rc = read_file(&policy_file_fields, path, ret, err);
    if (rc == 0 && (rc = policy_file_check(ret, err)) < 0)
        rc = err_wrap(err, rc, "%s", path);
    return rc;
}

int inputs_zones(const struct policy_file *policy, struct list *ret, struct err *err)
{
    struct strs names = {0};
    int rc = policy_zones(policy, &names) < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        struct zone_table *z = list_add(ret, sizeof *z);
        rc = z == NULL ? err_set(err, -ENOMEM, "out of memory") : zone_read(names.v[i], z, err);
        ret->count -= z != NULL && rc < 0;
    }
    for (size_t i = 0; i < names.count; i++)
        free(names.v[i]);
    free(names.v);
    return rc;
}

void inputs_zones_clear(struct list *zones)
{
    for (size_t i = 0; i < zones->count; i++)
        fields_clear(&zone_table_fields, &((struct zone_table *)zones->v)[i]);
    free(zones->v);
    *zones = (struct list){0};
}
