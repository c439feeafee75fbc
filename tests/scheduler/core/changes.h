/*
 * changes - a world in which the changes that `why` states are read and made, whole, or one unit less of one part. What
 * has no unit (a job ends, a person releases) is left out instead.
 */
#ifndef REEVE_TESTS_SCHEDULER_CORE_CHANGES_H
#define REEVE_TESTS_SCHEDULER_CORE_CHANGES_H

#include <stdlib.h>

#include "base/parse.h"
#include "tests/random.h"
#include "tests/scheduler/core/world.h"

#define NODES_FIRST 3
#define NODES_ALL 2000
#define LIVING_MAX 2000

struct sim_node {
    char name[16], rack[4];
    uint64_t cpu_milli, mem_bytes, gpu;
    uint32_t attempts; /* that it takes at once; 0: any number */
    bool silent;
};
struct sim {
    struct world w;
    uint64_t seed, random;
    struct sim_node nodes[NODES_ALL];
    size_t nodes_count;
    uint64_t living[LIVING_MAX]; /* jobs of which something runs */
    size_t living_count;
    uint64_t job;                /* the one that is asked about; another one when it was submitted anew */
    char tenant[16];
    struct job_spec spec;        /* as it was submitted */
};

static uint64_t draw(struct sim *s, uint64_t below)
{
    return random_next(&s->random) % below;
}

static void broken(const struct sim *s, const char *what, const char *text)
{
    fprintf(stderr, "REEVE_SEED=%" PRIu64 ": %s: %s\n", s->seed, what, text != NULL ? text : "nothing");
    abort();
}

/* ---- nodes, time -------------------------------------------------------------------------------------- */

static void list_attempts(struct sim *s, const char *node, struct list *to)
{
    for (size_t i = 0; i < s->living_count; i++)
        for (uint32_t task = 0; task < 16; task++) {
            struct attempt_id id = {s->living[i], task, 0};
            const char *at = world_node_of(&s->w, &id);
            if (at != NULL && strcmp(at, node) == 0)
                ((struct attempt_state *)list_add(to, sizeof(struct attempt_state)))->id = id;
        }
}

static void hello(struct sim *s, size_t i)
{
    const struct sim_node *n = &s->nodes[i];
    struct hello_call call = {.node = (char *)(uintptr_t)n->name, .boot_id = (char[]){"b"}};
    struct fact f;
    call.capacity.cpu_milli = n->cpu_milli;
    call.capacity.mem_bytes = n->mem_bytes;
    MUST(counts_set(&call.capacity.generic, "gpu", n->gpu) == 0 && pairs_set(&call.labels, "rack", n->rack) == 0);
    call.max_attempts = n->attempts;
    list_attempts(s, n->name, &call.attempts);
    MUST(core_check_hello(s->w.core, &call, s->w.now, &f, &s->w.refusal) == CORE_FACT);
    if (f.kind != FACT_NONE)
        world_commit(&s->w, &f);
    core_node_seen(s->w.core, n->name, s->w.now);
    call.node = call.boot_id = NULL;
    fields_clear(&hello_call_fields, &call);
}

static size_t node_add_like(struct sim *s, const char *rack, uint64_t cpu_milli, uint64_t mem_bytes, uint64_t gpu)
{
    struct sim_node *n = &s->nodes[s->nodes_count++];
    MUST(s->nodes_count <= NODES_ALL);
    *n = (struct sim_node){.cpu_milli = cpu_milli, .mem_bytes = mem_bytes, .gpu = gpu};
    snprintf(n->name, sizeof n->name, "n%zu", s->nodes_count);
    snprintf(n->rack, sizeof n->rack, "%s", rack);
    hello(s, s->nodes_count - 1);
    return s->nodes_count - 1;
}

static struct sim_node *node_called(struct sim *s, const char *name)
{
    for (size_t i = 0; i < s->nodes_count; i++)
        if (strcmp(s->nodes[i].name, name) == 0)
            return &s->nodes[i];
    broken(s, "no node", name);
    return NULL;
}

static void drain(struct sim *s, const char *node, bool drains)
{
    struct drain_call call = {.node = (char *)(uintptr_t)node, .drain = drains, .reason = (char[]){"disk"}};
    struct fact f;
    MUST(core_check_drain(s->w.core, &call, "root", s->w.now, &f, &s->w.refusal) == CORE_FACT);
    if (f.kind != FACT_NONE)
        world_commit(&s->w, &f);
}

static void turn(struct sim *s)
{
    for (int i = 0; i < 3; i++) /* accounts open in one, holds in the next */
        (void)world_decide(&s->w);
}

/* In short steps: who is silent stays so. */
static void pass(struct sim *s, int64_t us)
{
    for (int64_t step; us > 0; us -= step) {
        step = MIN(us, 5 * SECOND);
        world_pass(&s->w, step);
        for (size_t i = 0; i < s->nodes_count; i++)
            if (!s->nodes[i].silent)
                core_node_seen(s->w.core, s->nodes[i].name, s->w.now);
        if (us > step)
            turn(s);
    }
}

/* ---- jobs --------------------------------------------------------------------------------------------- */

static uint64_t placed(struct sim *s)
{
    struct core_stats stats;
    core_stats(s->w.core, &stats);
    return stats.placed_total;
}

/* Everything of it that was placed begins to run. */
static void begin_running(struct sim *s, uint64_t job)
{
    bool any = false;
    for (uint32_t task = 0; task < 16; task++) {
        struct attempt_id id = {job, task, 0};
        if (world_node_of(&s->w, &id) == NULL)
            continue;
        (void)world_run(&s->w, job, task);
        any = true;
    }
    for (size_t i = 0; i < s->living_count; i++)
        if (s->living[i] == job) {
            s->living[i] = any ? job : s->living[--s->living_count];
            return;
        }
    if (any)
        s->living[s->living_count++] = job;
    MUST(s->living_count < LIVING_MAX);
}

/* The first task of it that lives, from one on; on a node (NULL: any). */
static uint32_t first_live(struct sim *s, uint64_t job, uint32_t from, const char *node)
{
    for (uint32_t task = from; task < 16; task++) {
        struct attempt_id id = {job, task, 0};
        const char *at = world_node_of(&s->w, &id);
        if (at != NULL && (node == NULL || strcmp(at, node) == 0))
            return task;
    }
    return UINT32_MAX;
}

static void end_task(struct sim *s, uint64_t job, uint32_t task, int32_t code)
{
    MUST(world_end(&s->w, job, task, END_EXIT, code, (uint64_t)SECOND));
    begin_running(s, job);
}

static void end_all(struct sim *s, uint64_t job, int32_t code)
{
    for (uint32_t task; (task = first_live(s, job, 0, NULL)) != UINT32_MAX;)
        end_task(s, job, task, code);
}

/* Nothing of it waits any more; what runs of it stays, or goes as well. */
static void cancel(struct sim *s, uint64_t job, bool all)
{
    static struct fact facts[64];
    struct cancel_reply reply = {0};
    size_t count;
    for (uint32_t task = 0; task < 16; task++) {
        struct attempt_id id = {job, task, 0};
        const struct job_call call = {.job = job, .has_task = true, .task = task};
        if (!all && world_node_of(&s->w, &id) != NULL)
            continue;
        fields_clear(&refusal_fields, &s->w.refusal);
        if (core_check_cancel(s->w.core, &call, "ann", s->w.now, facts, COUNT_OF(facts), &count, &reply,
                              &s->w.refusal) == CORE_FACT)
            for (size_t i = 0; i < count; i++)
                world_commit(&s->w, &facts[i]);
    }
    for (uint32_t task; all && (task = first_live(s, job, 0, NULL)) != UINT32_MAX;)
        MUST(world_end(&s->w, job, task, END_CANCELLED, 0, (uint64_t)SECOND));
    begin_running(s, job);
}

/* s->spec, by s->tenant. false: refused. */
static bool submit(struct sim *s)
{
    struct job_spec copy;
    MUST(fields_copy(&job_spec_fields, &s->spec, &copy) == 0);
    return world_try_submit(&s->w, s->tenant, NULL, &copy, &s->job) == CORE_FACT;
}

/* ---- parts of a change -------------------------------------------------------------------------------- */

static struct tenant_rule *rule_of(struct policy_file *p, const char *path)
{
    for (size_t i = 0; i < p->tenants.count; i++)
        if (strcmp(((struct tenant_rule *)p->tenants.v)[i].path, path) == 0)
            return &((struct tenant_rule *)p->tenants.v)[i];
    return world_rule(p, path); /* the root has none as long as nothing is said of it */
}

static bool is_bytes(const char *resource)
{
    return strcmp(resource, "memory") == 0 || strcmp(resource, "scratch") == 0;
}

static uint64_t amount_of(struct sim *s, const char *resource, const char *text, bool less)
{
    struct err err = {0};
    uint64_t value = 0;
    int rc = strcmp(resource, "cpu") == 0 ? parse_cpu(text, &value, &err)
             : is_bytes(resource)         ? parse_size(text, &value, &err)
                                          : (value = strtoull(text, NULL, 10), 0);
    if (rc < 0 || value == 0)
        broken(s, "no amount", text);
    return value - less;
}

static void grow(struct resources *r, const char *resource, uint64_t by)
{
    if (strcmp(resource, "cpu") == 0)
        r->cpu_milli += by;
    else if (strcmp(resource, "memory") == 0)
        r->mem_bytes += by;
    else
        MUST(counts_set(&r->generic, resource, counts_get(&r->generic, resource) + by) == 0);
}

static bool make_quota(struct sim *s, struct policy_file *p, const char *part, bool less)
{
    char what[64], path[64], by[64];
    if (sscanf(part, "quota %63s of %63s grows by %63s", what, path, by) != 3 || part[5] != ' ')
        return false;
    struct quota_rule *q = &rule_of(p, path)->quota;
    if (strcmp(what, "running") == 0)
        q->max_running += amount_of(s, what, by, less);
    else
        grow(&q->max, what, amount_of(s, what, by, less));
    return true;
}

static bool make_borrow(struct sim *s, struct policy_file *p, const char *part, bool less)
{
    char what[64], path[64], by[64];
    if (sscanf(part, "quota.borrow.%63s of %63s grows by %63s", what, path, by) != 3)
        return false;
    struct measure *m = &rule_of(p, path)->quota.borrow.cpu_milli;
    MUST(strcmp(what, "cpu") == 0);
    *m = measure_of(measured(*m) + amount_of(s, what, by, less));
    return true;
}

static bool make_guarantee(struct sim *s, struct policy_file *p, const char *part, bool less)
{
    char what[64], path[64], by[64];
    if (sscanf(part, "%63s guaranteed to %63s grows by %63s", what, path, by) != 3)
        return false;
    grow(&rule_of(p, path)->quota.guaranteed, what, amount_of(s, what, by, less));
    return true;
}

static bool make_rate(struct sim *s, struct policy_file *p, const char *part, bool less)
{
    char path[64];
    unsigned by;
    (void)s;
    if (sscanf(part, "quota.starts_per_minute of %63s grows by %u", path, &by) != 2)
        return false;
    rule_of(p, path)->quota.starts_per_minute += by - less;
    return true;
}

/* "budget acme grows by 2.50", "budget acme#gpus grows by 0.25 gpu-hours" */
static bool make_budget(struct sim *s, struct policy_file *p, const char *part, bool less)
{
    char path[64], by[64];
    int64_t micros;
    struct err err = {0};
    if (sscanf(part, "budget %63s grows by %63s", path, by) != 2 || strcmp(path, "job") == 0)
        return false;
    if (parse_money(by, &micros, &err) < 0 || micros <= 0)
        broken(s, "no money", part);
    char *name = strchr(path, '#');
    if (name != NULL)
        *name++ = '\0';
    struct tenant_rule *rule = rule_of(p, path);
    struct budget_rule *b = &rule->budget, *more = rule->budgets.v;
    for (size_t i = 0; name != NULL && i < rule->budgets.count; i++)
        b = strcmp(more[i].name, name) == 0 ? &more[i] : b;
    b->limit_micros += micros - less;
    return true;
}

static bool make_room(struct sim *s, const char *part, bool less)
{
    char what[64], node[64], by[64];
    if (sscanf(part, "%63s free on %63s grows by %63s", what, node, by) != 3)
        return false;
    struct sim_node *n = node_called(s, node);
    uint64_t amount = amount_of(s, what, by, less);
    n->cpu_milli += strcmp(what, "cpu") == 0 ? amount : 0;
    n->mem_bytes += strcmp(what, "memory") == 0 ? amount : 0;
    n->gpu += strcmp(what, "gpu") == 0 ? amount : 0;
    n->attempts += strcmp(what, "attempts") == 0 ? (uint32_t)amount : 0;
    hello(s, (size_t)(n - s->nodes));
    return true;
}

/* For so many tasks, as many on a node as may be there. */
static bool make_gang_room(struct sim *s, const char *part, bool less)
{
    unsigned tasks, cap = 0;
    char cpu[64], mem[64], rack[16] = "r1";
    const char *where = strstr(part, " where rack = "), *most = strstr(part, ", at most "),
               *each = strstr(part, "each ");
    if (sscanf(part, "room for %u more of its tasks", &tasks) != 1)
        return false;
    unsigned gpu = 0;
    if (each == NULL || (sscanf(each, "each with %63s cpu and %u gpu and %63s memory", cpu, &gpu, mem) != 3 &&
                         sscanf(each, "each with %63s cpu and %63s memory", cpu, mem) != 2))
        broken(s, "no room", part);
    if (where != NULL)
        (void)sscanf(where, " where rack = %15[^,]", rack);
    if (most != NULL)
        (void)sscanf(most, ", at most %u on a node", &cap);
    uint64_t cpu_milli = amount_of(s, "cpu", cpu, false), mem_bytes = amount_of(s, "memory", mem, false);
    tasks -= less;
    for (unsigned here; tasks > 0; tasks -= here) {
        here = cap != 0 ? MIN(tasks, cap) : tasks;
        (void)node_add_like(s, rack, here * cpu_milli, here * mem_bytes, here * gpu);
    }
    return true;
}

static bool make_node(struct sim *s, const char *part, bool less)
{
    char cpu[64], mem[64];
    unsigned gpu = 0;
    if (sscanf(part, "a node joins with %63s cpu and %u gpu and %63s memory", cpu, &gpu, mem) != 3 &&
        sscanf(part, "a node joins with %63s cpu and %63s memory", cpu, mem) != 2)
        return false;
    if (!less)
        (void)node_add_like(s, "r1", amount_of(s, "cpu", cpu, false), amount_of(s, "memory", mem, false), gpu);
    return true;
}

static bool make_end(struct sim *s, const char *part, bool less)
{
    unsigned long long job;
    char how[16] = "", node[16], tail;
    unsigned task, count = 1;
    if (sscanf(part, "a task of job %llu on %15s end%c", &job, node, &tail) == 3) {
        if (!less)
            end_task(s, job, first_live(s, job, 0, node), 0);
    } else if (sscanf(part, "a task of job %llu end%c", &job, &tail) == 2 ||
               sscanf(part, "%u task%*[s] of job %llu end", &count, &job) == 2 ||
               sscanf(part, "%u task of job %llu end%c", &count, &job, &tail) == 3) {
        for (count -= less; count > 0; count--)
            end_task(s, job, first_live(s, job, 0, NULL), 0);
    } else if (sscanf(part, "what still runs of tasks %u to %*u of job %llu ends", &task, &job) == 2) {
        if (!less)
            end_all(s, job, 0);
    } else if (sscanf(part, "task %llu.%u %15s", &job, &task, how) == 3) {
        if (!less)
            end_task(s, job, task, strcmp(how, "fails") == 0);
    } else if (sscanf(part, "job %llu %15s", &job, how) == 2) {
        if (!less)
            end_all(s, job, strcmp(how, "fails") == 0);
    } else {
        return false;
    }
    return true;
}

static bool make_release(struct sim *s, const char *part, bool less)
{
    struct fact f;
    if (strcmp(part, "somebody releases it") != 0)
        return false;
    if (!less) {
        MUST(core_check_release(s->w.core, &(struct job_call){.job = s->job}, "ann", s->w.now, &f, &s->w.refusal) ==
             CORE_FACT);
        world_commit(&s->w, &f);
        s->spec.hold = false; /* also of what is submitted in its place */
    }
    return true;
}

static void set_suspended(struct sim *s, bool suspend)
{
    struct suspend_call call = {.job = s->job, .reason = (char[]){"lunch"}};
    struct suspend_reply reply = {0};
    static struct fact facts[64];
    size_t count;
    MUST(core_check_suspend(s->w.core, &call, suspend, "ann", s->w.now, facts, COUNT_OF(facts), &count, &reply,
                            &s->w.refusal) == CORE_FACT);
    for (size_t i = 0; i < count; i++)
        world_commit(&s->w, &facts[i]);
}

static bool make_resume(struct sim *s, const char *part, bool less)
{
    if (strcmp(part, "somebody resumes it") != 0)
        return false;
    if (!less)
        set_suspended(s, false);
    return true;
}

static bool make_undrain(struct sim *s, const char *part, bool less)
{
    char node[16], twice[8] = "";
    int found = sscanf(part, "an admin takes %*15s back: reeve undrain %15[^,], %7s", node, twice);
    if (found < 1)
        return false;
    for (int times = twice[0] != '\0' ? 2 : 1; times > less; times--)
        drain(s, node, false);
    return true;
}

static bool make_heard(struct sim *s, const char *part, bool less)
{
    char node[16];
    if (sscanf(part, "%15s is heard of again", node) != 1 || strstr(part, "heard of again") == NULL)
        return false;
    if (!less) {
        node_called(s, node)->silent = false;
        core_node_seen(s->w.core, node, s->w.now);
    }
    return true;
}

static bool make_window(struct sim *s, const char *part, bool less)
{
    struct window_drop_call call = {0};
    unsigned long long window;
    struct fact f;
    if (sscanf(part, "window %llu ends", &window) != 1)
        return false;
    call.window = window;
    if (!less) {
        MUST(core_check_window_drop(s->w.core, &call, "root", s->w.now, &f, &s->w.refusal) == CORE_FACT);
        world_commit(&s->w, &f);
    }
    return true;
}

static void lift_rates(struct sim *s)
{
    struct policy_reply now = {0};
    MUST(core_policy(s->w.core, &now) == 0);
    for (size_t i = 0; i < now.policy.tenants.count; i++)
        ((struct tenant_rule *)now.policy.tenants.v)[i].quota.submits_per_minute = 0;
    MUST(world_apply(&s->w, &now.policy) == CORE_FACT);
    fields_clear(&policy_reply_fields, &now);
}

/* One unit more, that is; it is submitted anew. */
static bool make_limit(struct sim *s, const char *part, bool less)
{
    char text[64];
    struct err err = {0};
    if (sscanf(part, "time_limit <= %63s", text) != 1)
        return false;
    if (parse_duration(text, &s->spec.time_limit_ms, &err) < 0)
        broken(s, "no limit", part);
    s->spec.time_limit_ms += !less ? 0 : s->spec.time_limit_ms >= 600000 ? 60000 : 1000;
    cancel(s, s->job, true);
    if (!submit(s) && strcmp(s->w.refusal.code, "rate") == 0)
        lift_rates(s); /* while it waited the window would come nearer */
    if (s->job == 0 && !submit(s))
        broken(s, "with another time limit it is refused", s->w.refusal.message);
    return true;
}

static bool make_time(struct sim *s, const char *part, bool less)
{
    int64_t utc_us;
    struct err err = {0};
    if (strncmp(part, "it is ", 6) != 0)
        return false;
    if (parse_time(part + 6, &utc_us, &err) < 0)
        broken(s, "no time", part);
    pass(s, utc_us - less * SECOND - s->w.now.utc_us);
    return true;
}

/* ---- a change ----------------------------------------------------------------------------------------- */

static struct part_kind {
    const char *name;
    bool (*rule)(struct sim *s, struct policy_file *p, const char *part, bool less);
    bool (*make)(struct sim *s, const char *part, bool less);
    uint64_t made, lessened;
} part_kinds[] = {
    {.name = "quota", .rule = make_quota},
    {.name = "borrow", .rule = make_borrow},
    {.name = "guarantee", .rule = make_guarantee},
    {.name = "rate", .rule = make_rate},
    {.name = "budget", .rule = make_budget},
    {.name = "room", .make = make_room},
    {.name = "room for a gang", .make = make_gang_room},
    {.name = "window", .make = make_window},
    {.name = "limit", .make = make_limit},
    {.name = "undrain", .make = make_undrain},
    {.name = "heard", .make = make_heard},
    {.name = "end", .make = make_end},
    {.name = "release", .make = make_release},
    {.name = "resume", .make = make_resume},
    {.name = "node", .make = make_node},
    {.name = "time", .make = make_time},
};

#define PARTS_MAX 32
/* Cuts it; gives how many. */
static size_t parts_of(char *change, const char *parts[PARTS_MAX])
{
    static const char joint[] = ", and ";
    size_t count = 0;
    for (char *part = change, *next; part != NULL && count < PARTS_MAX; part = next) {
        next = strstr(part, joint);
        if (next != NULL) {
            *next = '\0';
            next += sizeof joint - 1;
        }
        parts[count++] = part;
    }
    return count;
}

static struct part_kind *kind_of(struct sim *s, struct policy_file *p, const char *part, bool less)
{
    for (size_t i = 0; i < COUNT_OF(part_kinds); i++) {
        struct part_kind *k = &part_kinds[i];
        if (k->rule != NULL ? p != NULL && k->rule(s, p, part, less) : p == NULL && k->make(s, part, less))
            return k;
    }
    return NULL;
}

/* less: of this part one unit; SIZE_MAX: all of all. Policies first, time last, as they are said. */
static void change_make(struct sim *s, const char *text, size_t less)
{
    char *copy = strdup(text);
    const char *parts[PARTS_MAX];
    size_t count = parts_of(copy, parts);
    bool policy = false, made[PARTS_MAX] = {false};
    struct policy_reply now = {0};
    MUST(core_policy(s->w.core, &now) == 0);
    for (size_t i = 0; i < count; i++) {
        struct part_kind *k = kind_of(s, &now.policy, parts[i], i == less);
        made[i] = k != NULL;
        policy |= made[i];
        if (k != NULL)
            ++*(i == less ? &k->lessened : &k->made);
    }
    if (policy && world_apply(&s->w, &now.policy) != CORE_FACT)
        broken(s, "policy", s->w.refusal.message);
    fields_clear(&policy_reply_fields, &now);
    for (size_t i = 0; i < 2 * count; i++) {
        size_t at = i % count;
        bool anew = strncmp(parts[at], "time_limit", 10) == 0; /* first: what is released is the new job */
        if (made[at] || anew != (i < count))
            continue;
        struct part_kind *k = kind_of(s, NULL, parts[at], at == less);
        if (k == NULL)
            broken(s, "can't be made", parts[at]);
        ++*(at == less ? &k->lessened : &k->made);
    }
    free(copy);
}

static size_t change_parts(const char *text)
{
    char *copy = strdup(text);
    const char *parts[PARTS_MAX];
    size_t count = parts_of(copy, parts);
    free(copy);
    return count;
}

#endif
