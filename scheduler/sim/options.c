#include "scheduler/sim/options.h"

#include <errno.h>

#include "base/macros.h"
#include "scheduler/sim/orders.h"

#define PLACE(member) .offset = offsetof(struct sim_options, member)

static int add_policy(void *object, const char *value, struct err *err)
{
    struct sim_options *o = object;
    if (o->policies.count == 4)
        return err_set(err, -EINVAL, "at most 4 policies stand beside each other");
    return strs_add(&o->policies, value) < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int add_order(void *object, const char *value, struct err *err)
{
    struct sim_options *o = object;
    if (names_find(&sim_order_names, value) < 0)
        return err_set(err, -EINVAL, "'%s' is none of reeve, easy, fcfs, greedy", value);
    if (o->orders.count == 4)
        return err_set(err, -EINVAL, "at most 4 orders stand beside each other");
    return strs_add(&o->orders, value) < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
}

#define SIM_ONLY 2 /* rows */
static const struct option_row rows[] = {
    {.name = "order", .value = "reeve|easy|fcfs|greedy", .kind = OPTION_CALL, .set = add_order, .repeated = true,
     .help = "who goes first and who may pass: Reeve's own order (the default), EASY backfill, first come first "
             "served, or Reeve's without promises; given again, the histories stand beside each other"},
    {.name = "whatif", .kind = OPTION_FLAG, PLACE(whatif),
     .help = "as `reeve whatif`: what is, and beside it what --policy and --cluster propose"},
    {.name = "against", .value = "FILE", .kind = OPTION_PATH, PLACE(against),
     .help = "what is, is this policy; default: the journal's own, as it was"},
    {.name = "journal", .value = "DIR|FILE", .kind = OPTION_PATH, PLACE(journal),
     .help = "what really happened: reeved's journal, a system's folder, or one segment"},
    {.name = "archive", .value = "DIR", .kind = OPTION_PATH, PLACE(archive),
     .help = "where older segments are; default: `archive` beside the journal"},
    {.name = "since", .value = "TIME", .kind = OPTION_TEXT, PLACE(since),
     .help = "only the newest of the journal: 7d before its end, or from 2026-11-20T00:00:00Z on"},
    {.name = "swf", .value = "FILE", .kind = OPTION_PATH, PLACE(swf),
     .help = "jobs from a log in the Standard Workload Format"},
    {.name = "events", .value = "FILE", .kind = OPTION_PATH, PLACE(events),
     .help = "jobs from an event list of the Slurm simulator"},
    {.name = "tenant-by", .value = "user|group|queue", .kind = OPTION_TEXT, PLACE(tenant_by), .fallback = "user",
     .help = "whose name is the tenant in --swf and --events"},
    {.name = "jobs", .value = "N", .kind = OPTION_U64, PLACE(jobs), .min = 1, .max = 10000000,
     .help = "generated load, without a history: so many jobs; reeve-sim's default: 10000"},
    {.name = "tenants", .value = "N", .kind = OPTION_U64, PLACE(tenants), .min = 1, .max = 10000, .fallback = "10",
     .help = "of so many tenants, t0, t1, ..."},
    {.name = "per-hour", .value = "N", .kind = OPTION_U64, PLACE(per_hour), .min = 1, .max = 100000000,
     .fallback = "3600", .help = "so many of them an hour"},
    {.name = "run-time", .value = "TIME", .kind = OPTION_DURATION, PLACE(mean_run_ms), .min = 1000,
     .max = UINT64_C(30) * 86400000, .fallback = "2m", .help = "that run for so long, in the mean"},
    {.name = "cores-max", .value = "N", .kind = OPTION_U32, PLACE(cores_max), .min = 1, .max = 65536, .fallback = "8",
     .help = "on so many cores at most"},
    {.name = "seed", .value = "N", .kind = OPTION_U64, PLACE(seed), .max = UINT64_C(1) << 62, .fallback = "1",
     .help = "another seed is another load of the same kind"},
    {.name = "nodes", .value = "COUNTxCORES", .kind = OPTION_TEXT, PLACE(nodes),
     .help = "the cluster: 120x2, with 4 GiB for each core; default: as it was, or what the log says, or 16x16"},
    {.name = "cluster", .value = "FILE", .kind = OPTION_PATH, PLACE(cluster),
     .help = "the cluster from a file: nodes: [{count, capacity: {cpu, memory, ...}}]"},
    {.name = "policy", .value = "FILE", .kind = OPTION_CALL, .set = add_policy, .repeated = true,
     .help = "tenants and prices, reeve-tenants(5); given again, the histories stand beside each other"},
    {.name = "json", .kind = OPTION_FLAG, PLACE(json), .help = "JSON instead of the table"},
    {.name = "html", .value = "FILE", .kind = OPTION_PATH, PLACE(html),
     .help = "also a page with plots that needs nothing else"},
    {.name = "quiet", .kind = OPTION_FLAG, PLACE(quiet), .help = "no progress on the terminal"},
};

const struct option_table sim_options = {
    .program = "reeve-sim",
    .about = "The scheduler's own core on real history, on a log of jobs or on generated load: who would have waited "
             "how long.",
    .rows = rows,
    .count = COUNT_OF(rows),
};
const struct option_table whatif_options = {
    .program = "reeve whatif",
    .about = "What another policy, or other machines, would have made of the same history: waits, shares, cost, who\n"
             "gains and who loses. It simulates with the scheduler's own core; nothing outside of it is touched.\n\n"
             "HISTORY is one of --journal, --swf, --events, --jobs; without, the journal of $REEVE_DIR (reeve --dir).\n"
             "  last week with another policy       reeve whatif --since 7d --policy new.yaml\n"
             "  with twice the machines, as a page  reeve whatif --cluster more.yaml --html whatif.html\n"
             "  two policies on somebody's log      reeve whatif --swf log.swf --against now.yaml --policy new.yaml\n"
             "\nexample: reeve whatif --policy tenants.yaml",
    .rows = rows + SIM_ONLY,
    .count = COUNT_OF(rows) - SIM_ONLY,
};
