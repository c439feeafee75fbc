#include "scheduler/sim/run_inner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NEVER_SILENT_MS (UINT64_C(1) << 40) /* agents of this world are always there */
#define LATEST_US (INT64_C(400) * 86400 * 1000000) /* after the last submission nothing is waited for longer */

static const struct field nodes_rows[] = {
    FIELD_ROW(sim_nodes, 1, "name", FIELD_STR, name, .max = 40, .help = "what the nodes' names begin with"),
    FIELD_ROW(sim_nodes, 2, "count", FIELD_U32, count, .flags = FIELD_REQUIRED, .min = 1, .max = 100000,
              .help = "how many are alike"),
    FIELD_ROW(sim_nodes, 3, "capacity", FIELD_STRUCT, capacity, .of = &resources_fields, .flags = FIELD_REQUIRED),
    FIELD_ROW(sim_nodes, 4, "labels", FIELD_PAIRS, labels),
    FIELD_ROW(sim_nodes, 5, "max_attempts", FIELD_U32, max_attempts, .max = NODE_ATTEMPTS_MAX,
              .help = "that each of them takes at once; absent: any number"),
};
static const struct fields nodes_fields = FIELDS_TABLE("nodes", sim_nodes, nodes_rows);
static const struct field cluster_rows[] = {
    FIELD_ROW(cluster, 1, "nodes", FIELD_LIST, nodes, .of = &nodes_fields, .flags = FIELD_REQUIRED, .max = 1024),
};
const struct fields cluster_fields = FIELDS_TABLE("cluster", cluster, cluster_rows);

/* ---- nodes ---- */
static struct node_room *room_of(struct run *r, const char *name)
{
    size_t low = 0, high = r->rooms_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(r->rooms[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < r->rooms_count && strcmp(r->rooms[low].name, name) == 0)
        return &r->rooms[low];
    struct node_room *rooms = realloc(r->rooms, (r->rooms_count + 1) * sizeof *rooms);
    char *copy = strdup(name);
    if (rooms == NULL || copy == NULL)
        abort();
    memmove(&rooms[low + 1], &rooms[low], (r->rooms_count - low) * sizeof *rooms);
    rooms[low] = (struct node_room){copy, 0};
    r->rooms = rooms;
    r->rooms_count++;
    return &rooms[low];
}

void run_node_has(struct run *r, const char *name, uint64_t cpu_milli)
{
    struct node_room *room = room_of(r, name);
    measure_room(&r->measure, r->measure.cpu_milli - room->cpu_milli + cpu_milli, r->now_us);
    room->cpu_milli = cpu_milli;
}

int run_hello(struct run *r, const struct fact_node *node, struct list attempts, struct err *err)
{
    struct refusal refusal = {0};
    struct fact f = {0};
    const struct hello_call call = {.node = node->node, .boot_id = node->boot_id, .version = node->version,
                                    .capacity = node->capacity, .labels = node->labels, .features = node->features,
                                    .max_attempts = node->max_attempts, .attempts = attempts};
    int answer = core_check_hello(r->core, &call, run_now(r), &f, &refusal);
    if (answer != CORE_FACT)
        (void)err_set(err, -EINVAL, "node %s: %s", node->node, refusal.message != NULL ? refusal.message : "refused");
    if (!run_answer(r, answer, &f, &refusal))
        return -EINVAL;
    core_node_seen(r->core, node->node, run_now(r));
    run_node_has(r, node->node, node->capacity.cpu_milli);
    return 0;
}

/* What they can enforce, any node of the past could; nothing is said of it in a cluster file. */
int run_join_cluster(struct run *r, const struct cluster *cluster, struct err *err)
{
    uint32_t number = 0;
    for (size_t i = 0; i < cluster->nodes.count; i++) {
        const struct sim_nodes *n = &((const struct sim_nodes *)cluster->nodes.v)[i];
        for (uint32_t k = 0; k < n->count; k++) {
            char name[64];
            snprintf(name, sizeof name, "%s-%05u", n->name != NULL ? n->name : "node", ++number);
            struct fact_node node = {.node = name, .boot_id = name, .capacity = n->capacity, .labels = n->labels,
                                     .max_attempts = n->max_attempts};
            if (r->past != NULL)
                node.features = r->past->features;
            int rc = run_hello(r, &node, (struct list){0}, err);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

/* ---- policy ---- */
/* A raise waits for a second person; here there is one. */
static int approve(struct run *r, uint64_t proposal, struct err *err)
{
    const struct approve_call call = {proposal};
    struct apply_reply reply = {0};
    struct refusal refusal = {0};
    struct fact f = {0};
    int answer = core_check_approve(r->core, &call, "second", 1, run_now(r), &f, &reply, &refusal);
    if (answer != CORE_FACT)
        (void)err_set(err, -EINVAL, "policy: %s", refusal.message != NULL ? refusal.message : "refused");
    fields_clear(&apply_reply_fields, &reply);
    return run_answer(r, answer, &f, &refusal) ? 0 : -EINVAL;
}

int run_set_policy(struct run *r, struct policy_file *policy, struct err *err)
{
    struct apply_call call = {.policy = *policy, .past_prices = r->past != NULL};
    struct apply_reply reply = {0};
    struct refusal refusal = {0};
    struct fact f = {0};
    *policy = (struct policy_file){0};
    if (r->zones != NULL)
        core_offer_zones(r->core, r->zones);
    call.policy.two_persons = false; /* who may agree to what is no part of a simulation */
    int answer = core_check_policy(r->core, &call, "root", 0, run_now(r), &f, &reply, &refusal);
    if (answer != CORE_FACT)
        (void)err_set(err, -EINVAL, "policy: %s", refusal.message != NULL ? refusal.message : "refused");
    uint64_t proposal = reply.proposal;
    fields_clear(&apply_reply_fields, &reply);
    fields_clear(&apply_call_fields, &call);
    if (!run_answer(r, answer, &f, &refusal))
        return -EINVAL;
    return proposal != 0 ? approve(r, proposal, err) : 0;
}

/* ---- birth ---- */
static int name_tenants(struct run *r, struct err *err)
{
    for (size_t i = 0; i < r->measure.tenants_count; i++) {
        const char *path = r->workload->tenants.v[i];
        struct tenant_view view;
        r->measure.tenants[i].path = path;
        r->measure.tenants[i].weight = 1;
        if (!order_knows_tenants(r->order) || r->past != NULL)
            continue;
        if (!ledger_tenant(core_ledger(r->core), path, run_now(r).utc_us, &view))
            return err_set(err, -ENOENT, "the workload has a tenant '%s' that the policy doesn't have", path);
        r->measure.tenants[i].weight = MAX(view.rule->weight, 1);
    }
    return 0;
}

/* Of a past, tenants may come and go: what they weigh in the end. */
void run_weigh(struct run *r)
{
    struct tenant_view view;
    for (size_t i = 0; r->past != NULL && i < r->measure.tenants_count; i++)
        if (ledger_tenant(core_ledger(r->core), r->measure.tenants[i].path, run_now(r).utc_us, &view))
            r->measure.tenants[i].weight = MAX(view.rule->weight, 1);
}

static int64_t last_us(const struct run *r)
{
    if (r->past != NULL)
        return r->past->events_count > 0 ? r->past->events[r->past->events_count - 1].at_us : 0;
    return r->workload->count > 0 ? r->workload->jobs[r->workload->count - 1].submit_us : 0;
}

static int rows(struct run *r, struct err *err)
{
    const struct workload *w = r->workload;
    r->buckets_count = 65536;
    r->jobs_count = w->count + (r->past != NULL ? r->past->next_job : 1);
    r->buckets = calloc(r->buckets_count, sizeof r->buckets[0]);
    r->jobs = calloc(r->jobs_count, sizeof r->jobs[0]);
    bool whole = r->buckets != NULL && r->jobs != NULL && measure_init(&r->measure, w->tenants.count, last_us(r)) == 0;
    if (r->past != NULL) {
        r->numbers = calloc(w->count, sizeof r->numbers[0]);
        r->told_used = calloc(MAX(r->past->told_count, 1), 1);
        whole = whole && r->numbers != NULL && r->told_used != NULL;
    }
    return whole ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int begin(struct run *r, struct policy_file *policy, struct err *err)
{
    if (r->past != NULL)
        return run_past_begin(r, r->as_it_was ? NULL : policy, err);
    int rc = run_set_policy(r, policy, err);
    return rc == 0 ? run_join_cluster(r, r->cluster, err) : rc;
}

int run_new(struct run **ret, const struct run_setup *setup, struct err *err)
{
    const struct workload *w = setup->workload;
    struct core_limits always = setup->limits;
    struct run *r = calloc(1, sizeof *r);
    if (r == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    always.silent_ms = NEVER_SILENT_MS;
    always.jobs_max = MAX(always.jobs_max, w->count + 1);
    r->workload = w;
    r->past = w->past;
    r->cluster = setup->cluster;
    r->as_it_was = setup->policy == NULL;
    r->zones = r->as_it_was && r->past != NULL ? &r->past->zones : setup->zones;
    r->order = setup->order;
    r->on_fact = setup->on_fact;
    r->arg = setup->arg;
    r->begin_utc_us = r->past != NULL ? r->past->begin_utc_us : SIM_BEGIN_UTC_US;
    r->latest_us = last_us(r) + LATEST_US;
    r->totals.hash = UINT64_C(0xcbf29ce484222325);
    r->wake_boot_us = r->past != NULL ? RUN_BOOT_BEGIN_US : UINT64_MAX; /* who waits there already may start */
    BUG(r->past == NULL && (r->as_it_was || r->cluster == NULL));
    int rc = rows(r, err);
    if (rc == 0)
        rc = order_apply(r->order, &always, setup->policy, err);
    if (rc == 0)
        rc = core_new(&r->core, &always, err);
    if (rc == 0)
        rc = begin(r, setup->policy, err);
    if (rc == 0)
        rc = name_tenants(r, err);
    if (rc < 0) {
        run_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void run_free(struct run *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; r->buckets != NULL && i < r->buckets_count; i++)
        for (struct live *l = r->buckets[i], *next; l != NULL; l = next) {
            next = l->next;
            free(l);
        }
    heap_fini(&r->ends);
    measure_fini(&r->measure);
    core_free(r->core);
    buf_fini(&r->bytes);
    free(r->buckets);
    for (size_t i = 0; i < r->rooms_count; i++)
        free(r->rooms[i].name);
    free(r->rooms);
    free(r->windows.v);
    free(r->jobs);
    free(r->numbers);
    free(r->told_used);
    free(r);
}
