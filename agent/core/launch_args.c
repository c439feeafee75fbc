#include "agent/core/launch_args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "isolation/spec/stage.h"

uint64_t lease_class_us(uint32_t lease_class)
{
    return lease_class == LEASE_FAST ? LEASE_FAST_US : LEASE_PATIENT_US;
}

/* Index of a device among the node's; -1: it has none of that name. */
static int device_at(const struct node_abilities *able, const char *name)
{
    for (uint32_t i = 0; i < able->devices_count && i < NODE_DEVICES_MAX; i++)
        if (strncmp(able->devices[i], name, NODE_DEVICE_NAME_MAX) == 0)
            return (int)i;
    return -1;
}

void launch_io_limits(const struct job_limits *job, struct sandbox_limits *limits)
{
    limits->io_read_bps = job->io.read_bps;
    limits->io_write_bps = job->io.write_bps;
    limits->io_read_ops = job->io.read_ops;
    limits->io_write_ops = job->io.write_ops;
    limits->io_weight = job->io.weight;
}

static int fill_limits(const struct job_spec *job, const struct node_abilities *able, struct sandbox_limits *ret,
                       struct err *err)
{
    const struct job_limits *l = &job->limits;
    uint64_t lacks = job_limits_need(l) & ~able->features;
    for (uint32_t f = 0; f < FEATURE_COUNT; f++)
        if ((lacks & FEATURE_BIT(f)) != 0)
            return err_set(err, -EOPNOTSUPP, "limits.%s: this node can't enforce it",
                           names_get(&node_feature_names, f));
    ret->mem_high_bytes = l->mem_high_bytes;
    ret->mem_min_bytes = l->mem_min_bytes;
    ret->swap_bytes = l->swap_bytes;
    ret->huge_bytes[HUGE_2M] = l->huge_2m_bytes;
    ret->huge_bytes[HUGE_1G] = l->huge_1g_bytes;
    launch_io_limits(l, ret);
    ret->pinned_cpus = l->pin_cpus ? (uint32_t)(job->resources.cpu_milli / 1000) : 0;
    for (size_t i = 0; i < l->devices.count; i++) {
        int at = device_at(able, l->devices.v[i]);
        if (at < 0)
            return err_set(err, -EOPNOTSUPP, "limits.devices: this node has no '%s'", l->devices.v[i]);
        ret->devices |= 1u << at;
    }
    return 0;
}

static int fill_filter(const struct job_spec *job, const struct node_abilities *able, struct filter_spec *ret,
                       struct err *err)
{
    const char *name = job_spec_seccomp(job);
    if (name == NULL)
        return 0;
    if (strcmp(name, SECCOMP_INLINE) == 0 || strcmp(name, SECCOMP_TRACE) == 0) {
        ret->kind = strcmp(name, SECCOMP_TRACE) == 0 ? FILTER_TRACE : FILTER_GIVEN;
        return 0;
    }
    for (uint32_t i = 0; i < able->profiles_count && i < NODE_PROFILES_MAX; i++) {
        if (strncmp(able->profiles[i], name, sizeof able->profiles[i]) == 0) {
            snprintf(ret->name, sizeof ret->name, "%s", name);
            return 0;
        }
    }
    return err_set(err, -EOPNOTSUPP, "seccomp: this node has no profile '%.*s'", FILTER_NAME_MAX, name);
}

/* The check that follows says what is too long, or too many. */
static void fill_root(const struct job_spec *job, struct root_spec *ret)
{
    const struct job_volume *v = job->volumes.v;
    snprintf(ret->image, sizeof ret->image, "%s", job->image != NULL ? job->image : "");
    ret->mode = job->root;
    ret->volumes_count = (uint32_t)MIN(job->volumes.count, (size_t)JOB_VOLUMES_MAX);
    for (uint32_t i = 0; i < ret->volumes_count; i++) {
        struct root_volume *to = &ret->volumes[i];
        snprintf(to->name, sizeof to->name, "%s", v[i].name);
        snprintf(to->path, sizeof to->path, "%s", v[i].path != NULL ? v[i].path : "");
        to->writable = v[i].writable;
    }
}

int launch_sandbox(const struct run_call *order, uint64_t lease_us, const struct node_abilities *able,
                   struct sandbox_spec *ret, struct err *err)
{
    const struct resources *r = &order->spec.resources;
    uint64_t scratch = r->scratch_bytes == 0 ? LAUNCH_SCRATCH_DEFAULT : r->scratch_bytes;
    struct sandbox_spec spec;
    memset(&spec, 0, sizeof spec); /* padding too: it leaves this process */
    spec.id = order->id;
    spec.term = order->term;
    spec.cpu_milli = r->cpu_milli;
    spec.mem_bytes = r->mem_bytes;
    spec.scratch_bytes = scratch;
    spec.scratch_inodes = MIN(MAX(scratch / 4096, LAUNCH_INODES_MIN), LAUNCH_INODES_MAX);
    spec.pids_max = order->spec.limits.processes > 0 ? order->spec.limits.processes : LIMIT_PROCESSES_DEFAULT;
    spec.network = order->spec.network;
    spec.time_limit_us = order->spec.time_limit_ms * 1000;
    spec.paid_us = order->paid_us;
    spec.pauses_at_paid_end = order->at_paid_end == PAID_END_PAUSE;
    spec.lease_us = lease_us;
    spec.grace_us = LAUNCH_GRACE_US;
    snprintf(spec.hostname, sizeof spec.hostname, "job-%" PRIu64, order->id.job);
    spec.mover = order->spec.transfer;
    spec.stages = order->spec.inputs.count > 0 ? STAGE_INPUTS : 0;
    spec.stages |= order->spec.outputs.count > 0 ? STAGE_OUTPUTS : 0;
    fill_root(&order->spec, &spec.root);
    int rc = fill_limits(&order->spec, able, &spec.limits, err);
    rc = rc < 0 ? rc : fill_filter(&order->spec, able, &spec.filter, err);
    rc = rc < 0 ? rc : sandbox_spec_check(&spec, err);
    if (rc < 0)
        return rc;
    *ret = spec;
    return 0;
}

static void put_u32(struct buf *out, size_t value)
{
    uint32_t v = (uint32_t)value;
    buf_add(out, &v, sizeof v);
}

static void put_text(struct buf *out, const char *text)
{
    buf_add(out, text, strlen(text) + 1);
}

static void put_end(struct buf *out)
{
    buf_add(out, "", 1);
}

/* Gives how many. */
static size_t put_own_env(struct buf *out, const struct run_call *order)
{
    char id[ATTEMPT_ID_TEXT_MAX];
    buf_addf(out, "REEVE_JOB=%" PRIu64, order->id.job);
    put_end(out);
    buf_addf(out, "REEVE_TASK=%" PRIu32, order->id.task);
    put_end(out);
    buf_addf(out, "REEVE_ATTEMPT=%s", attempt_id_format(order->id, id));
    put_end(out);
    buf_addf(out, "REEVE_FENCE=%" PRIu64 ".%" PRIu32, order->term, order->id.epoch);
    put_end(out);
    buf_addf(out, "REEVE_TENANT=%s", order->tenant == NULL ? "" : order->tenant);
    put_end(out);
    if (order->gang != 0) {
        buf_addf(out, "REEVE_GANG=%" PRIu32, order->gang);
        put_end(out);
    }
    return order->gang != 0 ? 6 : 5;
}

static bool is_own(const char *key)
{
    static const char *const own[] = {"REEVE_JOB",   "REEVE_TASK",   "REEVE_ATTEMPT",
                                      "REEVE_FENCE", "REEVE_TENANT", "REEVE_GANG"};
    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (strcmp(own[i], key) == 0)
            return true;
    return false;
}

static size_t put_env(struct buf *out, const struct pairs *env)
{
    size_t count = 0;
    for (size_t i = 0; i < env->count; i++) {
        if (is_own(env->v[i].key))
            continue;
        buf_add_str(out, env->v[i].key);
        buf_add_str(out, "=");
        put_text(out, env->v[i].value == NULL ? "" : env->v[i].value);
        count++;
    }
    return count;
}

static uint32_t stage_flags(const struct job_stage *s, bool out)
{
    uint32_t flags = (out ? STAGE_OUT : 0) | (s->when == STAGE_ALWAYS ? STAGE_IF_FAILED : 0);
    if (s->sha256 != NULL)
        flags |= STAGE_HASHED | (strcmp(s->sha256, STAGE_DIGEST_WORD) != 0 ? STAGE_HASH_KNOWN : 0);
    return flags;
}

static int put_stage(struct buf *out, const struct job_stage *s, struct attempt_id id, struct stage_item item,
                     struct err *err)
{
    char path[STAGE_PATH_MAX + 1];
    const char *const ends[] = {s->from, s->to};
    item.max_bytes = s->max_bytes;
    bool known = (item.flags & STAGE_HASH_KNOWN) != 0;
    if (known && hex_get(s->sha256, strlen(s->sha256), item.digest, sizeof item.digest) < 0)
        return err_set(err, -EINVAL, "sha256: not 64 digits");
    buf_add(out, &item, sizeof item);
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        int rc = ends[i] == NULL ? -EINVAL : stage_path_fill(ends[i], id.job, id.task, path);
        if (rc < 0)
            return err_set(err, rc, "a path is missing or too long");
        put_text(out, path);
    }
    return 0;
}

static int put_stages(struct buf *out, const struct run_call *order, struct err *err)
{
    const struct list *both[] = {&order->spec.inputs, &order->spec.outputs};
    for (size_t k = 0; k < COUNT_OF(both); k++) {
        const struct job_stage *v = both[k]->v;
        for (uint32_t i = 0; i < both[k]->count; i++) {
            struct stage_item item;
            memset(&item, 0, sizeof item); /* padding too: it leaves this process */
            item.flags = stage_flags(&v[i], k == 1);
            item.index = i;
            int rc = put_stage(out, &v[i], order->id, item, err);
            if (rc < 0)
                return err_wrap(err, rc, "%s[%" PRIu32 "]", k == 1 ? "outputs" : "inputs", i);
        }
    }
    return 0;
}

int launch_args(const struct run_call *order, struct buf *out, struct err *err)
{
    const struct job_spec *spec = &order->spec;
    CLEANUP(buf_fini) struct buf env = {0};
    size_t env_count = put_env(&env, &spec->env);
    env_count += put_own_env(&env, order);
    size_t script_len = spec->script == NULL ? 0 : strlen(spec->script);
    if (spec->command.count == 0 && script_len == 0)
        return err_set(err, -EINVAL, "command: nothing to run");

    put_u32(out, ARGS_MAGIC);
    put_u32(out, MAX(spec->command.count, (size_t)1));
    put_u32(out, env_count);
    put_u32(out, script_len);
    put_u32(out, spec->inputs.count + spec->outputs.count);
    for (size_t i = 0; i < spec->command.count; i++)
        put_text(out, spec->command.v[i]);
    if (spec->command.count == 0)
        put_text(out, "script"); /* its place: argv[0] becomes the script's path */
    buf_add(out, buf_text(&env), env.len);
    put_text(out, spec->cwd == NULL ? "/tmp" : spec->cwd);
    if (script_len > 0)
        buf_add(out, spec->script, script_len);
    int rc = put_stages(out, order, err);
    if (rc < 0)
        return rc;
    if (out->failed || env.failed)
        return err_set(err, -ENOMEM, "command: out of memory");
    if (out->len > ARGS_BYTES_MAX)
        return err_set(err, -E2BIG, "command: %zu bytes with its environment and script; at most %u", out->len,
                       ARGS_BYTES_MAX);
    return 0;
}
