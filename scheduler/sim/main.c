/*
 * reeve-sim - the scheduler's core on histories that never were, and on those that were. `reeve whatif` runs it, too:
 * as `reeve-sim --whatif`.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "scheduler/sim/inputs.h"
#include "scheduler/sim/past.h"
#include "scheduler/sim/print.h"
#include "scheduler/sim/progress.h"

#define EVENTS_AT_ONCE 256
#define HISTORIES_MAX 4

/* One of the histories. */
struct variant {
    struct buf name;
    bool as_it_was;                /* the policy of the journal */
    const char *policy;            /* else: a file; NULL: all alike */
    const struct cluster *cluster; /* NULL: the nodes of the journal, as they were */
    enum sim_order order;
    struct run *run;
};
struct sim {
    const struct sim_options *o;
    struct workload w;
    struct cluster nodes, cluster; /* --nodes or what the log says; --cluster */
    struct variant v[HISTORIES_MAX];
    size_t count;
};

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

/* ---- which histories ---- */
static struct variant *variant_add(struct sim *s, const char *policy, bool as_it_was, const struct cluster *cluster)
{
    struct variant *v = &s->v[s->count++];
    *v = (struct variant){.policy = policy, .as_it_was = as_it_was, .cluster = cluster, .order = SIM_ORDER_REEVE};
    return v;
}

/* What is, and what is proposed: other policies, another cluster, or both. */
static int whatif_variants(struct sim *s, struct err *err)
{
    const struct sim_options *o = s->o;
    bool journal = s->w.past != NULL;
    const struct cluster *now = journal && o->nodes == NULL ? NULL : &s->nodes;
    const struct cluster *then = o->cluster != NULL ? &s->cluster : now;
    if (o->policies.count == 0 && o->cluster == NULL)
        return err_set(err, -EINVAL, "what would be different? --policy FILE, --cluster FILE, or both");
    if (o->policies.count >= HISTORIES_MAX)
        return err_set(err, -EINVAL, "at most %d policies stand beside what is", HISTORIES_MAX - 1);
    bool as_it_was = journal && o->against == NULL;
    struct variant *v = variant_add(s, o->against, as_it_was, now);
    buf_add_str(&v->name, as_it_was ? "as it was" : o->against != NULL ? last_part(o->against) : "all alike");
    for (size_t i = 0; i < MAX(o->policies.count, 1); i++) {
        bool other = o->policies.count > 0;
        v = variant_add(s, other ? o->policies.v[i] : o->against, !other && as_it_was, then);
        if (other)
            buf_add_str(&v->name, last_part(v->policy));
        if (o->cluster != NULL)
            buf_addf(&v->name, "%s%s", other ? ", " : "", last_part(o->cluster));
    }
    return 0;
}

/* Each policy with each order. */
static int sim_variants(struct sim *s, struct err *err)
{
    const struct sim_options *o = s->o;
    bool journal = s->w.past != NULL;
    size_t policies = MAX(o->policies.count, 1), orders = MAX(o->orders.count, 1);
    const struct cluster *cluster = o->cluster != NULL ? &s->cluster : journal && o->nodes == NULL ? NULL : &s->nodes;
    if (policies * orders > HISTORIES_MAX)
        return err_set(err, -EINVAL, "at most %d histories stand beside each other: policies times orders",
                       HISTORIES_MAX);
    for (size_t i = 0; i < policies * orders; i++) {
        const char *policy = o->policies.count > 0 ? o->policies.v[i / orders] : NULL;
        struct variant *v = variant_add(s, policy, journal && policy == NULL, cluster);
        const char *order = o->orders.count > 0 ? o->orders.v[i % orders] : NULL;
        if (order != NULL)
            v->order = (enum sim_order)names_find(&sim_order_names, order);
        if (journal && !order_knows_tenants(v->order))
            return err_set(err, -EINVAL, "--order %s knows no tenants, and a journal is about them: reeve or greedy",
                           order);
        if (policy != NULL && (order == NULL || policies > 1))
            buf_addf(&v->name, "%s%s", policy, order != NULL && orders > 1 ? ", " : "");
        if (order != NULL && (policies == 1 || orders > 1))
            buf_add_str(&v->name, order);
        if (v->name.len == 0)
            buf_add_str(&v->name, v->as_it_was ? "as it was" : "all alike");
    }
    return 0;
}

/* ---- running them ---- */
static int simulate(struct sim *s, struct variant *v, struct err *err)
{
    struct policy_file policy = {0};
    struct list zones = {0};
    struct sim_progress progress = {.on = !s->o->quiet && isatty(STDERR_FILENO)};
    struct run_setup setup = {.workload = &s->w, .cluster = v->cluster, .policy = v->as_it_was ? NULL : &policy,
                              .order = v->order, .limits = core_limits_default, .zones = &zones};
    int rc = v->as_it_was ? 0 : inputs_policy(&s->w, v->policy, &policy, err);
    if (rc == 0)
        rc = inputs_zones(&policy, &zones, err);
    if (rc == 0 && (rc = run_new(&v->run, &setup, err)) < 0 && v->policy != NULL)
        rc = err_wrap(err, rc, "%s", v->policy);
    fields_clear(&policy_file_fields, &policy);
    if (rc == 0) {
        do
            sim_progress_show(&progress, buf_text(&v->name), run_progress_ppm(v->run));
        while (run_some(v->run, EVENTS_AT_ONCE));
        sim_progress_end(&progress);
    }
    inputs_zones_clear(&zones);
    return rc;
}

static int print(const struct sim *s, const struct history *h, struct err *err)
{
    struct buf text = {0};
    (s->o->json ? print_json : print_table)(h, s->count, &text);
    bool said = !text.failed && fwrite(text.data, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
    int rc = said ? 0 : err_set(err, -EIO, "standard output: can't be written");
    buf_reset(&text);
    if (rc == 0 && s->o->html != NULL) {
        print_html(h, s->count, &text);
        rc = text.failed ? err_set(err, -ENOMEM, "out of memory")
                         : file_write_durable(s->o->html, text.data, text.len, 0644, err);
    }
    buf_fini(&text);
    return rc;
}

static int read_inputs(struct sim *s, struct err *err)
{
    const struct sim_options *o = s->o;
    struct sim_progress progress = {.on = !o->quiet && o->journal != NULL && isatty(STDERR_FILENO)};
    if (!o->whatif && o->cluster != NULL && o->nodes != NULL)
        return err_set(err, -EINVAL, "--cluster and --nodes: one of them");
    if (!o->whatif && o->against != NULL)
        return err_set(err, -EINVAL, "--against says what is, for --whatif");
    if (o->whatif && o->orders.count > 0)
        return err_set(err, -EINVAL, "--order: --whatif compares policies, each in Reeve's own order");
    sim_progress_show(&progress, "reading the journal", 0);
    int rc = inputs_workload(o, &s->w, err);
    sim_progress_end(&progress);
    if (rc == 0)
        rc = inputs_nodes(o, &s->w, &s->nodes, err);
    if (rc == 0 && o->cluster != NULL)
        rc = inputs_cluster(o->cluster, &s->cluster, err);
    return rc;
}

static int simulate_all(struct sim *s, struct err *err)
{
    struct history h[HISTORIES_MAX];
    int rc = s->o->whatif ? whatif_variants(s, err) : sim_variants(s, err);
    for (size_t i = 0; rc == 0 && i < s->count; i++)
        rc = simulate(s, &s->v[i], err);
    for (size_t i = 0; rc == 0 && i < s->count; i++)
        h[i] = (struct history){buf_text(&s->v[i].name), run_measure(s->v[i].run), run_totals(s->v[i].run),
                                run_currency(s->v[i].run), &s->w, s->o->whatif};
    return rc == 0 ? print(s, h, err) : rc;
}

static int run(const struct sim_options *o)
{
    struct sim s = {.o = o};
    struct err err = {0};
    int rc = read_inputs(&s, &err);
    if (rc == 0)
        rc = simulate_all(&s, &err);
    if (rc < 0)
        fprintf(stderr, "%s: %s\n", o->whatif ? whatif_options.program : sim_options.program, err_text(&err));
    for (size_t i = 0; i < s.count; i++) {
        run_free(s.v[i].run);
        buf_fini(&s.v[i].name);
    }
    fields_clear(&cluster_fields, &s.nodes);
    fields_clear(&cluster_fields, &s.cluster);
    workload_fini(&s.w);
    return rc == 0 ? 0 : rc == -EINVAL || rc == -ENOENT || rc == -ENODATA ? 2 : 1;
}

int main(int argc, char **argv)
{
    bool whatif = argc > 1 && strcmp(argv[1], "--whatif") == 0; /* first of all: with its own --help */
    struct sim_options o = {.whatif = whatif};
    int code = options_read(whatif ? &whatif_options : &sim_options, &o, argc - whatif, argv + whatif);
    if (code != OPTIONS_GO)
        return code;
    bool told = o.journal != NULL || o.swf != NULL || o.events != NULL || o.jobs != 0;
    if (o.whatif && !told)
        o.journal = getenv("REEVE_DIR"); /* as every command of reeve has it; NULL: which history? */
    return run(&o);
}
