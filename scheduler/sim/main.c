/*
 * reeve-sim - the scheduler's core on histories that never were.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/yaml.h"
#include "scheduler/sim/options.h"
#include "scheduler/sim/print.h"
#include "scheduler/sim/progress.h"

#define FILE_LIMIT ((size_t)1 << 30)
#define MEMORY_PER_CORE ((uint64_t)4 << 30)
#define EVENTS_AT_ONCE 256
#define HISTORIES_MAX 4

static int read_workload(const struct sim_options *o, struct workload *ret, struct err *err)
{
    int by = names_find(&tenant_by_names, o->tenant_by);
    if (o->swf != NULL && o->events != NULL)
        return err_set(err, -EINVAL, "--swf and --events: one of them");
    if (by < 0)
        return err_set(err, -EINVAL, "--tenant-by: '%s' is none of user, group, queue", o->tenant_by);
    const char *path = o->swf != NULL ? o->swf : o->events;
    if (path == NULL) {
        struct load_options load = {.seed = o->seed, .jobs = o->jobs, .tenants = o->tenants, .per_hour = o->per_hour,
                                    .mean_run_s = o->mean_run_ms / 1000, .cores_max = o->cores_max};
        return workload_load(&load, ret, err);
    }
    struct buf text = {.max = FILE_LIMIT};
    int rc = file_read(path, FILE_LIMIT, &text, err);
    if (rc == 0)
        rc = (o->swf != NULL ? workload_swf : workload_events)(buf_text(&text), text.len, (enum tenant_by)by, ret, err);
    buf_fini(&text);
    if (rc == 0 && ret->count == 0) {
        workload_fini(ret);
        return err_set(err, -EINVAL, "%s: no job in it ever ran", path);
    }
    return rc < 0 ? err_wrap(err, rc, "%s", path) : 0;
}

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

static int read_file(const struct fields *f, const char *path, void *object, struct err *err)
{
    struct buf text = {0};
    int rc = file_read(path, YAML_FILE_MAX, &text, err);
    if (rc == 0)
        rc = yaml_read(f, path, buf_text(&text), text.len, object, err);
    buf_fini(&text);
    return rc;
}

static int read_cluster(const struct sim_options *o, const struct workload *w, struct cluster *ret, struct err *err)
{
    if (o->cluster != NULL && o->nodes != NULL)
        return err_set(err, -EINVAL, "--cluster and --nodes: one of them");
    return o->cluster != NULL ? read_file(&cluster_fields, o->cluster, ret, err)
                              : read_nodes(o->nodes, w->processors, ret, err);
}

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

static int read_policy(const struct workload *w, const char *path, struct policy_file *ret, struct err *err)
{
    if (path == NULL)
        return plain_policy(w, ret, err);
    int rc = read_file(&policy_file_fields, path, ret, err);
    if (rc == 0 && (rc = policy_file_check(ret, err)) < 0)
        rc = err_wrap(err, rc, "%s", path);
    return rc;
}

/* One of the histories: with which policy (NULL: all alike), in which order. */
struct variant {
    const char *policy;
    enum sim_order order;
};

static const char *name_of(const struct sim_options *o, struct variant v, struct buf *out)
{
    const char *order = names_get(&sim_order_names, v.order);
    if (v.policy == NULL || o->policies.count <= 1)
        return o->orders.count > 0 ? order : v.policy != NULL ? v.policy : "all alike";
    if (o->orders.count <= 1)
        return v.policy;
    buf_addf(out, "%s, %s", v.policy, order);
    return buf_text(out);
}

static int simulate(const struct sim_options *o, const struct workload *w, const struct cluster *cluster,
                    struct variant v, struct run **ret, struct err *err)
{
    struct policy_file policy = {0};
    struct run_setup setup = {w, cluster, &policy, v.order, core_limits_default};
    struct sim_progress progress = {.on = !o->quiet && isatty(STDERR_FILENO)};
    int rc = read_policy(w, v.policy, &policy, err);
    if (rc == 0)
        rc = run_new(ret, &setup, err);
    fields_clear(&policy_file_fields, &policy);
    if (rc < 0)
        return rc;
    do
        sim_progress_show(&progress, v.policy != NULL ? v.policy : names_get(&sim_order_names, v.order),
                          run_progress_ppm(*ret));
    while (run_some(*ret, EVENTS_AT_ONCE));
    sim_progress_end(&progress);
    return 0;
}

static int print(const struct sim_options *o, const struct history *h, size_t count, struct err *err)
{
    struct buf text = {0};
    (o->json ? print_json : print_table)(h, count, &text);
    bool said = !text.failed && fwrite(text.data, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
    int rc = said ? 0 : err_set(err, -EIO, "standard output: can't be written");
    buf_reset(&text);
    if (rc == 0 && o->html != NULL) {
        print_html(h, count, &text);
        rc = text.failed ? err_set(err, -ENOMEM, "out of memory")
                         : file_write_durable(o->html, text.data, text.len, 0644, err);
    }
    buf_fini(&text);
    return rc;
}

static int simulate_all(const struct sim_options *o, const struct workload *w, const struct cluster *cluster,
                        struct err *err)
{
    struct run *runs[HISTORIES_MAX] = {NULL};
    struct history h[HISTORIES_MAX];
    struct buf names[HISTORIES_MAX] = {{0}};
    size_t policies = MAX(o->policies.count, 1), orders = MAX(o->orders.count, 1), count = policies * orders;
    if (count > HISTORIES_MAX)
        return err_set(err, -EINVAL, "at most %d histories stand beside each other: policies times orders",
                       HISTORIES_MAX);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct variant v = {o->policies.count > 0 ? o->policies.v[i / orders] : NULL, SIM_ORDER_REEVE};
        if (o->orders.count > 0)
            v.order = (enum sim_order)names_find(&sim_order_names, o->orders.v[i % orders]);
        rc = simulate(o, w, cluster, v, &runs[i], err);
        if (rc == 0)
            h[i] = (struct history){name_of(o, v, &names[i]), run_measure(runs[i]), run_totals(runs[i]),
                                    run_currency(runs[i]), w->left_out};
    }
    if (rc == 0)
        rc = print(o, h, count, err);
    for (size_t i = 0; i < count; i++) {
        run_free(runs[i]);
        buf_fini(&names[i]);
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct sim_options o = {0};
    struct workload w = {0};
    struct cluster cluster = {0};
    struct err err = {0};
    int code = options_read(&sim_options, &o, argc, argv);
    if (code != OPTIONS_GO)
        return code;
    int rc = read_workload(&o, &w, &err);
    if (rc == 0)
        rc = read_cluster(&o, &w, &cluster, &err);
    if (rc == 0)
        rc = simulate_all(&o, &w, &cluster, &err);
    if (rc < 0)
        fprintf(stderr, "reeve-sim: %s\n", err_text(&err));
    fields_clear(&cluster_fields, &cluster);
    workload_fini(&w);
    return rc == 0 ? 0 : rc == -EINVAL || rc == -ENOENT ? 2 : 1;
}
