#include "base/job_spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/features.h"
#include "base/parse.h"

#define CPU_DEFAULT_MILLI 1000
#define MEM_DEFAULT_BYTES ((uint64_t)256 << 20)
#define MEM_MIN_BYTES ((uint64_t)4 << 20)
#define SCRATCH_DEFAULT_BYTES ((uint64_t)64 << 20)
#define CPU_MIN_MILLI 10
#define DEADLINE_TEXT_MAX 40

static const char *const lease_names[] = {[LEASE_PATIENT] = "patient", [LEASE_FAST] = "fast"};
static const char *const loss_names[] = {
    [NODE_LOSS_RERUN] = "rerun", [NODE_LOSS_HOLD] = "hold", [NODE_LOSS_FAIL] = "fail"};
static const char *const net_names[] = {[NET_NONE] = "none", [NET_HOST] = "host", [NET_PRIVATE] = "private"};
static const char *const order_names[] = {[PLACEMENT_PACK] = "pack", [PLACEMENT_SPREAD] = "spread"};
static const char *const root_names[] = {[ROOT_READ_ONLY] = "read_only", [ROOT_OVERLAY] = "overlay"};
/* Behind AFTER_ON_COUNT other words for the same, which job_spec_complete() replaces. */
static const char *const on_names[] = {[AFTER_SUCCESS] = "success", [AFTER_END] = "end", [AFTER_FAILURE] = "failure",
                                       "afterok", "afterany", "afternotok", "afterfail"};
static const uint32_t on_meant[] = {AFTER_SUCCESS, AFTER_END, AFTER_FAILURE,
                                    AFTER_SUCCESS, AFTER_END, AFTER_FAILURE, AFTER_FAILURE};
static const char *const after_task_names[] = {[AFTER_ALL] = "all", [AFTER_SAME] = "same"};
static const char *const unmet_names[] = {[UNMET_CANCEL] = "cancel", [UNMET_KEEP] = "keep"};
_Static_assert(COUNT_OF(on_names) == COUNT_OF(on_meant), "a meaning for each word");
_Static_assert(COUNT_OF(after_task_names) == AFTER_TASKS_COUNT, "a name for each way to wait for tasks");
_Static_assert(COUNT_OF(unmet_names) == IF_UNMET_COUNT, "a name for each end of what can't start");
_Static_assert(COUNT_OF(lease_names) == LEASE_CLASS_COUNT, "a name for each lease class");
_Static_assert(COUNT_OF(loss_names) == NODE_LOSS_COUNT, "a name for each answer to a node's loss");
_Static_assert(COUNT_OF(net_names) == NET_MODE_COUNT, "a name for each network mode");
_Static_assert(COUNT_OF(order_names) == PLACEMENT_COUNT, "a name for each way to place");
_Static_assert(COUNT_OF(root_names) == ROOT_MODE_COUNT, "a name for each kind of root");
const struct names lease_class_names = {lease_names, COUNT_OF(lease_names)};
const struct names node_loss_names = {loss_names, COUNT_OF(loss_names)};
const struct names net_mode_names = {net_names, COUNT_OF(net_names)};
const struct names root_mode_names = {root_names, COUNT_OF(root_names)};
const struct names placement_names = {order_names, COUNT_OF(order_names)};
const struct names after_on_names = {on_names, COUNT_OF(on_names)};
const struct names after_tasks_names = {after_task_names, COUNT_OF(after_task_names)};
const struct names if_unmet_names = {unmet_names, COUNT_OF(unmet_names)};

static const struct field array_rows[] = {
    FIELD_ROW(job_array, 1, "present", FIELD_BOOL, present, .flags = FIELD_HIDDEN),
    FIELD_ROW(job_array, 2, "first", FIELD_U32, first, .flags = FIELD_ALWAYS, .max = UINT32_MAX - 1,
              .help = "index of the first task"),
    FIELD_ROW(job_array, 3, "last", FIELD_U32, last, .flags = FIELD_REQUIRED | FIELD_ALWAYS,
              .max = UINT32_MAX - 1, .help = "index of the last task"),
    FIELD_ROW(job_array, 4, "max_running", FIELD_U32, max_running, .max = JOB_TASKS_MAX,
              .help = "tasks at a time; 0 = as many as fit"),
};
static const struct fields array_fields = FIELDS_TABLE("array", job_array, array_rows);

static const struct field volume_rows[] = {
    FIELD_ROW(job_volume, 1, "name", FIELD_STR, name, .flags = FIELD_REQUIRED, .max = MOUNT_NAME_MAX,
              .help = "as the node names it"),
    FIELD_ROW(job_volume, 2, "path", FIELD_STR, path, .max = VOLUME_PATH_MAX,
              .help = "folder inside the sandbox; default /mnt/NAME"),
    FIELD_ROW(job_volume, 3, "writable", FIELD_BOOL, writable, .help = "default: read-only"),
};
static const struct fields volume_fields = FIELDS_TABLE("volume", job_volume, volume_rows);

static const struct field after_rows[] = {
    FIELD_ROW(job_after, 1, "job", FIELD_U64, job, .help = "its number"),
    FIELD_ROW(job_after, 2, "key", FIELD_STR, key, .max = JOB_KEY_MAX, .help = "or its key, of the same tenant"),
    FIELD_ROW(job_after, 3, "on", FIELD_ENUM, on, .of = &after_on_names,
              .help = "success (default), end, or failure"),
    FIELD_ROW(job_after, 4, "tasks", FIELD_ENUM, tasks, .of = &after_tasks_names,
              .help = "all of its tasks (default), or same: each task waits for the one of its index"),
    FIELD_ROW(job_after, 5, "task", FIELD_MEASURE, task, .help = "only this one of its tasks"),
};
static const struct fields after_fields = FIELDS_TABLE("after", job_after, after_rows);

static const struct field rows[] = {
    FIELD_ROW(job_spec, 1, "name", FIELD_STR, name, .max = JOB_NAME_MAX,
              .help = "for people; default: the command's last path part"),
    FIELD_ROW(job_spec, 2, "command", FIELD_STRS, command, .flags = FIELD_ESCAPED, .max = JOB_ARGS_MAX,
              .help = "program and arguments: [python3, crunch.py]; one text is run by /bin/sh -c"),
    FIELD_ROW(job_spec, 3, "script", FIELD_STR, script, .flags = FIELD_ESCAPED, .max = JOB_SCRIPT_MAX,
              .help = "text of a script, instead of a command or before its arguments"),
    FIELD_ROW(job_spec, 4, "env", FIELD_PAIRS, env, .flags = FIELD_ESCAPED, .max = JOB_ENV_MAX,
              .help = "environment: {NAME: value}"),
    FIELD_ROW(job_spec, 5, "cwd", FIELD_STR, cwd, .max = 4095,
              .help = "working directory inside the sandbox; default /tmp"),
    FIELD_ROW(job_spec, 6, "resources", FIELD_STRUCT, resources, .of = &resources_fields,
              .help = "what each task holds while it runs; default {cpu: 1, memory: 256Mi, scratch: 64Mi}"),
    FIELD_ROW(job_spec, 7, "time_limit", FIELD_DURATION, time_limit_ms, .max = JOB_TIME_LIMIT_MAX_MS,
              .help = "run time after which a task is stopped: 30m; default none"),
    FIELD_ROW(job_spec, 8, "priority", FIELD_I32, priority, .max = 1000,
              .help = "among the tenant's own jobs, -1000 to 1000, higher first"),
    FIELD_ROW(job_spec, 9, "labels", FIELD_PAIRS, labels, .max = JOB_LABELS_MAX,
              .help = "for reports: {pipeline: nightly}"),
    FIELD_ROW(job_spec, 10, "array", FIELD_STRUCT, array, .of = &array_fields,
              .help = "many tasks: {first: 1, last: 365, max_running: 50}; each sees REEVE_TASK"),
    FIELD_ROW(job_spec, 11, "retries", FIELD_U32, retries, .max = JOB_RETRIES_MAX,
              .help = "further attempts after failures of the job's own making"),
    FIELD_ROW(job_spec, 12, "budget", FIELD_MONEY, budget_micros, .max = MONEY_MAX_OF_A_JOB,
              .help = "what the whole job may cost, all tasks and attempts; default: no limit of its own"),
    FIELD_ROW(job_spec, 13, "lease", FIELD_ENUM, lease, .of = &lease_class_names,
              .help = "patient: outlives 30 min without a scheduler; fast: restarted elsewhere within seconds"),
    FIELD_ROW(job_spec, 14, "on_node_loss", FIELD_ENUM, on_node_loss, .of = &node_loss_names,
              .help = "rerun, hold (ask a person) or fail"),
    FIELD_ROW(job_spec, 15, "network", FIELD_ENUM, network, .of = &net_mode_names,
              .help = "none: loopback only; where policy allows it: host, or private, the node's network for jobs"),
    FIELD_ROW(job_spec, 16, "log_max", FIELD_SIZE, log_max_bytes, .max = (uint64_t)1 << 40,
              .help = "bytes kept of stdout and of stderr, first and last half; default 16Mi"),
    FIELD_ROW(job_spec, 20, "limits", FIELD_STRUCT, limits, .of = &job_limits_fields,
              .help = "beyond the resources: {swap: 1Gi, pin_cpus: true, io: {write_bps: 10Mi}}"),
    FIELD_ROW(job_spec, 30, "seccomp", FIELD_STR, seccomp, .flags = FIELD_ESCAPED, .max = JOB_SECCOMP_MAX,
              .help = "name of a system call profile, or the text of one (OCI JSON), where policy allows it"),
    FIELD_ROW(job_spec, 40, "image", FIELD_STR, image, .max = MOUNT_NAME_MAX,
              .help = "name of the image that is its root; default: the node's own programs"),
    FIELD_ROW(job_spec, 41, "root", FIELD_ENUM, root, .of = &root_mode_names,
              .help = "read_only, or overlay: everything in the image can be written, on the scratch"),
    FIELD_ROW(job_spec, 42, "volumes", FIELD_LIST, volumes, .of = &volume_fields, .max = JOB_VOLUMES_MAX,
              .help = "folders of the node: [{name: reference, path: /data, writable: false}]"),
    FIELD_ROW(job_spec, 43, "transfer", FIELD_BOOL, transfer,
              .help = "may have files copied for it at its tenant's share of the disk: `reeve cp` inside"),
    FIELD_ROW(job_spec, 44, "inputs", FIELD_LIST, inputs, .of = &job_input_fields, .max = JOB_STAGES_MAX,
              .help = "brought in before the command starts: [{from: /mnt/reference/genome.fa, to: genome.fa}]"),
    FIELD_ROW(job_spec, 45, "outputs", FIELD_LIST, outputs, .of = &job_output_fields, .max = JOB_STAGES_MAX,
              .help = "brought out when it has ended: [{from: out, to: /mnt/results/run-7}]"),
    FIELD_ROW(job_spec, 60, "preemptible", FIELD_BOOL, preemptible,
              .help = "may be stopped when others need its place, and runs again; paid at the book's rate for that"),
    FIELD_ROW(job_spec, 70, "after", FIELD_LIST, after, .of = &after_fields, .max = JOB_AFTER_MAX,
              .help = "jobs that it starts after: [{job: 812, on: success}]"),
    FIELD_ROW(job_spec, 71, "if_unmet", FIELD_ENUM, if_unmet, .of = &if_unmet_names,
              .help = "what becomes of tasks whose after can't be met any more: cancel or keep"),
    FIELD_ROW(job_spec, 72, "start_by", FIELD_STR, start_by, .max = DEADLINE_TEXT_MAX,
              .help = "tasks that have not started by then are cancelled: 2h, or 2026-11-24T06:00:00Z"),
    FIELD_ROW(job_spec, 73, "finish_by", FIELD_STR, finish_by, .max = DEADLINE_TEXT_MAX,
              .help = "no task starts that may not end by then, and what runs then is stopped"),
    FIELD_ROW(job_spec, 74, "hold", FIELD_BOOL, hold, .help = "nothing of it starts until somebody releases it"),
    FIELD_ROW(job_spec, 80, "where", FIELD_STR, where, .flags = FIELD_ESCAPED, .max = WHERE_TEXT_MAX,
              .help = "which nodes will do, by their labels: zone == eu && disk in (ssd, nvme) && mem_gen >= 4"),
    FIELD_ROW(job_spec, 81, "placement", FIELD_ENUM, placement, .of = &placement_names,
              .help = "pack: the fullest node with room, so that large tasks find empty ones; spread: the emptiest"),
    FIELD_ROW(job_spec, 82, "gang", FIELD_U32, gang, .max = JOB_GANG_MAX,
              .help = "so many tasks of the array start together or not at all: the first so many, the next, ..."),
    FIELD_ROW(job_spec, 83, "per_node", FIELD_U32, per_node, .max = JOB_TASKS_MAX,
              .help = "at most so many of its tasks on one node; 0 = as many as fit"),
    FIELD_ROW(job_spec, 84, "within", FIELD_STR, within, .max = JOB_LABEL_MAX,
              .help = "a label of nodes, like rack: a gang starts on nodes with one value of it"),
    FIELD_ROW(job_spec, 85, "within_or_any", FIELD_BOOL, within_or_any,
              .help = "or anywhere, as long as no such group of nodes has room for all of it"),
    FIELD_ROW(job_spec, 86, "gang_min", FIELD_U32, gang_min, .max = JOB_GANG_MAX,
              .help = "a gang begins with as many as can start now, but no fewer; the others are left out"),
    FIELD_ROW(job_spec, 87, "spread", FIELD_STR, spread, .max = JOB_LABEL_MAX,
              .help = "a label of nodes, like zone: a task starts where the fewest of the array's are, by its values"),
    FIELD_ROW(job_spec, 90, "retry", FIELD_STRUCT, retry, .of = &job_retry_fields,
              .help = "which failures `retries` are for, and when: {on: [exit], exit_codes: [75], pause: 10s}"),
};
const struct fields job_spec_fields = FIELDS_TABLE("job", job_spec, rows);

static int check_env(const struct job_spec *spec, struct err *err)
{
    for (size_t i = 0; i < spec->env.count; i++) {
        const char *name = spec->env.v[i].key;
        if (name[0] == '\0' || strchr(name, '=') != NULL)
            return err_set(err, -EINVAL, "env.%s: a variable's name is not empty and has no '='", name);
        if (strncmp(name, "REEVE_", 6) == 0)
            return err_set(err, -EINVAL, "env.%s: names beginning with REEVE_ are set by Reeve itself", name);
    }
    return 0;
}

bool seccomp_name_is_valid(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return len > 0 && len <= SECCOMP_NAME_LEN_MAX && text[len] == '\0' && text[0] != '-';
}

static bool is_profile_text(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '{';
}

const char *job_spec_seccomp(const struct job_spec *spec)
{
    if (spec->seccomp == NULL || spec->seccomp[0] == '\0' || strcmp(spec->seccomp, SECCOMP_DEFAULT) == 0)
        return NULL;
    return is_profile_text(spec->seccomp) ? SECCOMP_INLINE : spec->seccomp;
}

static int check_seccomp(const struct job_spec *spec, struct err *err)
{
    const char *name = job_spec_seccomp(spec);
    if (name == NULL || is_profile_text(spec->seccomp))
        return 0;
    if (!seccomp_name_is_valid(name))
        return err_set(err, -EINVAL,
                       "seccomp: '%.40s' is neither a profile's name (a-z, 0-9, '-') nor the text of one, which begins "
                       "with '{'",
                       name);
    if (strcmp(name, SECCOMP_INLINE) == 0 || strcmp(name, "floor") == 0)
        return err_set(err, -EINVAL, "seccomp: '%s' is no profile that a job can have", name);
    return 0;
}

/* As everybody writes it, so that equal conditions are one text. */
static int complete_where(struct job_spec *spec, struct err *err)
{
    struct where parsed;
    if (spec->where != NULL && spec->where[0] == '\0')
        return str_set(&spec->where, NULL);
    if (spec->where == NULL)
        return 0;
    int rc = where_parse(spec->where, &parsed, err);
    if (rc < 0)
        return err_wrap(err, rc, "where");
    struct buf text = {.max = WHERE_TEXT_MAX};
    where_format(&parsed, &text);
    if (text.failed)
        rc = err_set(err, -EINVAL, "where: longer than %d characters, with a space around each sign", WHERE_TEXT_MAX);
    else if (str_set(&spec->where, buf_text(&text)) < 0)
        rc = err_set(err, -ENOMEM, "where: out of memory");
    buf_fini(&text);
    return rc;
}

static int check_array(const struct job_array *array, struct err *err)
{
    if (!array->present)
        return 0;
    if (array->last < array->first)
        return err_set(err, -EINVAL, "array.last: %u is before array.first %u", array->last, array->first);
    if (array->last - array->first >= JOB_TASKS_MAX)
        return err_set(err, -EINVAL, "array: at most %d tasks in one job", JOB_TASKS_MAX);
    return 0;
}

#define LABEL_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:+@"

static int check_label(const char *key, const char *label, struct err *err)
{
    if (label != NULL && (label[0] == '\0' || label[strspn(label, LABEL_CHARS)] != '\0'))
        return err_set(err, -EINVAL, "%s: '%s' is no label: letters, digits and ._-/:+@", key, label);
    return 0;
}

static int check_spread(const struct job_spec *spec, struct err *err)
{
    if (spec->spread != NULL && !spec->array.present)
        return err_set(err, -EINVAL, "spread: it is of the tasks of an array, and this job is none");
    if (spec->spread != NULL && spec->within != NULL)
        return err_set(err, -EINVAL, "spread: a gang that is within one %s isn't spread, too", spec->within);
    return check_label("spread", spec->spread, err);
}

static int check_gang(const struct job_spec *spec, struct err *err)
{
    const struct job_array *array = &spec->array;
    if (spec->gang == 0 && spec->within != NULL)
        return err_set(err, -EINVAL, "within: it is of tasks that start together, and there is no gang");
    if (spec->within == NULL && spec->within_or_any)
        return err_set(err, -EINVAL, "within_or_any: within what?");
    if (check_label("within", spec->within, err) < 0)
        return -EINVAL;
    if (spec->gang_min != 0 && spec->gang == 0)
        return err_set(err, -EINVAL, "gang_min: it is of tasks that start together; say how many do at most with gang");
    if (spec->gang_min > spec->gang)
        return err_set(err, -EINVAL, "gang_min: at most as many as start together, and gang is %u", spec->gang);
    if (spec->gang == 0)
        return 0;
    if (!array->present)
        return err_set(err, -EINVAL, "gang: tasks of an array start together, and this job is none");
    if (job_spec_tasks(spec) % spec->gang != 0)
        return err_set(err, -EINVAL, "gang: %u tasks don't make whole gangs of %u", job_spec_tasks(spec), spec->gang);
    uint32_t least = job_spec_gang_min(spec);
    if (array->max_running != 0 && array->max_running < least)
        return err_set(err, -EINVAL, "array.max_running: a gang of %u needs as many at a time", least);
    return 0;
}

static int complete_after(struct job_spec *spec, struct err *err)
{
    struct job_after *v = spec->after.v;
    for (size_t i = 0; i < spec->after.count; i++) {
        if ((v[i].job == 0) == (v[i].key == NULL))
            return err_set(err, -EINVAL, "after[%zu]: name a job by its number or by its key", i);
        if (v[i].tasks == AFTER_SAME && !spec->array.present)
            return err_set(err, -EINVAL, "after[%zu].tasks: same is for arrays, this job is none", i);
        if (v[i].tasks == AFTER_SAME && is_measured(v[i].task))
            return err_set(err, -EINVAL, "after[%zu].task: one task or each the same, not both", i);
        if (is_measured(v[i].task) && measured(v[i].task) >= UINT32_MAX)
            return err_set(err, -EINVAL, "after[%zu].task: no task has that number", i);
        v[i].on = on_meant[v[i].on];
    }
    return 0;
}

int job_spec_instant(const char *text, int64_t submitted_utc_us, int64_t *ret_utc_us, struct err *err)
{
    uint64_t ms;
    int64_t utc_us;
    if (text == NULL)
        return 0;
    if (parse_duration(text, &ms, NULL) == 0 && ms <= JOB_TIME_LIMIT_MAX_MS)
        *ret_utc_us = submitted_utc_us + (int64_t)ms * 1000;
    else if (parse_time(text, &utc_us, NULL) == 0)
        *ret_utc_us = utc_us;
    else
        return err_set(err, -EINVAL, "'%s' is neither a duration up to a year, 2h30m, nor a time, 2026-11-24T06:00:00Z",
                       text);
    return 0;
}

static int check_deadlines(const struct job_spec *spec, struct err *err)
{
    int64_t instant;
    if (job_spec_instant(spec->start_by, 0, &instant, err) < 0)
        return err_wrap(err, -EINVAL, "start_by");
    if (job_spec_instant(spec->finish_by, 0, &instant, err) < 0)
        return err_wrap(err, -EINVAL, "finish_by");
    return 0;
}

static int check_resources(const struct resources *r, struct err *err)
{
    if (r->cpu_milli < CPU_MIN_MILLI)
        return err_set(err, -EINVAL, "resources.cpu: at least 0.01");
    if (r->mem_bytes < MEM_MIN_BYTES)
        return err_set(err, -EINVAL, "resources.memory: at least 4Mi");
    for (size_t i = 0; i < r->generic.count; i++) {
        const struct count *c = &r->generic.v[i];
        struct err inner = {0};
        if (parse_name(c->name, RESOURCE_NAME_MAX, &inner) < 0)
            return err_set(err, -EINVAL, "resources.generic: %s", err_text(&inner));
        if (strcmp(c->name, "cpu") == 0 || strcmp(c->name, "memory") == 0 || strcmp(c->name, "scratch") == 0)
            return err_set(err, -EINVAL, "resources.generic.%s: write it as resources.%s", c->name, c->name);
        if (strcmp(c->name, RESOURCE_IO) == 0)
            return err_set(err, -EINVAL, "resources.generic.io: is the name of moved bytes; see limits.io_bytes");
        if (c->value == 0 || c->value > GENERIC_MAX)
            return err_set(err, -EINVAL, "resources.generic.%s: from 1 to %llu", c->name,
                           (unsigned long long)GENERIC_MAX);
    }
    return 0;
}

static int complete_volume(struct job_volume *v, struct err *err)
{
    int rc = mount_name_check(v->name, err);
    if (rc < 0 || v->path != NULL)
        return rc < 0 ? rc : volume_path_check(v->path, err);
    char path[sizeof VOLUME_PATH_DEFAULT + MOUNT_NAME_MAX];
    snprintf(path, sizeof path, "%s%s", VOLUME_PATH_DEFAULT, v->name);
    return str_set(&v->path, path) < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int complete_root(struct job_spec *spec, struct err *err)
{
    if (spec->image != NULL && mount_name_check(spec->image, err) < 0)
        return err_wrap(err, -EINVAL, "image");
    if (spec->root == ROOT_OVERLAY && spec->image == NULL)
        return err_set(err, -EINVAL, "root: an overlay needs an image");
    struct job_volume *v = spec->volumes.v;
    for (size_t i = 0; i < spec->volumes.count; i++) {
        int rc = complete_volume(&v[i], err);
        if (rc < 0)
            return err_wrap(err, rc, "volumes[%zu]", i);
        for (size_t k = 0; k < i; k++)
            if (volume_paths_nest(v[k].path, v[i].path))
                return err_set(err, -EINVAL, "volumes[%zu].path: '%s' and '%s' lie one inside the other", i,
                               v[k].path, v[i].path);
    }
    return 0;
}

/* One text is a shell line, as people write it in files: "python3 a.py | gzip". */
static int complete_command(struct job_spec *spec, struct err *err)
{
    if (spec->command.count == 0 && spec->script == NULL)
        return err_set(err, -EINVAL, "command: a job needs a command or a script");
    for (size_t i = 0; i < spec->command.count; i++)
        if (strlen(spec->command.v[i]) > JOB_ARG_BYTES_MAX)
            return err_set(err, -EINVAL, "command: word %zu is longer than %d bytes", i + 1, JOB_ARG_BYTES_MAX);
    if (spec->command.count == 0)
        return 0;
    if (spec->command.v[0][0] == '\0')
        return err_set(err, -EINVAL, "command: the program's name is empty");
    if (spec->script != NULL || spec->command.count != 1 || strpbrk(spec->command.v[0], " \t|&;<>$`\"'*?") == NULL)
        return 0;
    struct strs shell = {0};
    if (strs_add(&shell, "/bin/sh") < 0 || strs_add(&shell, "-c") < 0 || strs_add(&shell, spec->command.v[0]) < 0)
        return err_set(err, -ENOMEM, "command: out of memory");
    free(spec->command.v[0]);
    free(spec->command.v);
    spec->command = shell;
    return 0;
}

static int complete_name(struct job_spec *spec, struct err *err)
{
    if (spec->name == NULL) {
        const char *text = "script";
        if (spec->script == NULL && spec->command.count > 0) {
            const char *program = spec->command.v[0];
            const char *slash = strrchr(program, '/');
            text = slash != NULL && slash[1] != '\0' ? slash + 1 : program;
        }
        char name[JOB_NAME_MAX + 1];
        size_t n = 0;
        for (; text[n] != '\0' && n < JOB_NAME_MAX; n++)
            name[n] = text[n] > ' ' && text[n] < 0x7f ? text[n] : '_';
        name[n] = '\0';
        if (str_set(&spec->name, name) < 0)
            return err_set(err, -ENOMEM, "name: out of memory");
    }
    return 0;
}

int job_spec_complete(struct job_spec *spec, struct err *err)
{
    struct resources *r = &spec->resources;
    if (r->cpu_milli == 0)
        r->cpu_milli = CPU_DEFAULT_MILLI;
    if (r->mem_bytes == 0)
        r->mem_bytes = MEM_DEFAULT_BYTES;
    if (r->scratch_bytes == 0)
        r->scratch_bytes = SCRATCH_DEFAULT_BYTES;
    if (spec->cwd == NULL && str_set(&spec->cwd, "/tmp") < 0)
        return err_set(err, -ENOMEM, "cwd: out of memory");
    if (spec->cwd[0] != '/')
        return err_set(err, -EINVAL, "cwd: '%s' is not an absolute path", spec->cwd);
    if (spec->priority < -JOB_PRIORITY_MAX || spec->priority > JOB_PRIORITY_MAX)
        return err_set(err, -EINVAL, "priority: %d is outside -1000 to 1000", spec->priority);
    if (spec->budget_micros < 0)
        return err_set(err, -EINVAL, "budget: a budget is not negative");
    int r0 = check_resources(r, err);
    if (r0 == 0)
        r0 = job_limits_check(&spec->limits, r, err);
    if (r0 == 0)
        r0 = check_array(&spec->array, err);
    if (r0 == 0)
        r0 = check_gang(spec, err);
    if (r0 == 0)
        r0 = check_spread(spec, err);
    if (r0 == 0)
        r0 = job_retry_check(&spec->retry, spec->retries, err);
    if (r0 == 0)
        r0 = complete_after(spec, err);
    if (r0 == 0)
        r0 = check_deadlines(spec, err);
    if (r0 == 0)
        r0 = check_env(spec, err);
    if (r0 == 0)
        r0 = check_seccomp(spec, err);
    if (r0 == 0)
        r0 = complete_root(spec, err);
    if (r0 == 0)
        r0 = job_stages_complete(spec, err);
    if (r0 == 0)
        r0 = complete_where(spec, err);
    if (r0 == 0)
        r0 = complete_command(spec, err);
    if (r0 == 0)
        r0 = complete_name(spec, err);
    return r0;
}

static int add_feature(struct strs *ret, const char *kind, const char *name, const char *mark)
{
    char text[FEATURE_NAME_MAX + 1];
    snprintf(text, sizeof text, "%s%.*s%s", kind, MOUNT_NAME_MAX, name, mark);
    return strs_add(ret, text);
}

int job_spec_features(const struct job_spec *spec, struct strs *ret)
{
    int rc = job_limits_features(&spec->limits, ret);
    if (rc == 0 && spec->image != NULL)
        rc = add_feature(ret, FEATURE_IMAGE, spec->image, "");
    if (rc == 0 && spec->root == ROOT_OVERLAY)
        rc = strs_add(ret, FEATURE_OVERLAY);
    if (rc == 0 && spec->transfer)
        rc = strs_add(ret, FEATURE_TRANSFER);
    const struct job_volume *v = spec->volumes.v;
    for (size_t i = 0; i < spec->volumes.count && rc == 0; i++)
        rc = add_feature(ret, FEATURE_VOLUME, v[i].name, v[i].writable ? FEATURE_WRITABLE : "");
    if (rc == 0 && spec->inputs.count + spec->outputs.count > 0)
        rc = strs_add(ret, FEATURE_STAGING);
    const char *profile = job_spec_seccomp(spec);
    bool everywhere = profile == NULL || strcmp(profile, SECCOMP_INLINE) == 0 || strcmp(profile, SECCOMP_TRACE) == 0;
    return rc == 0 && !everywhere ? add_feature(ret, FEATURE_SECCOMP, profile, "") : rc;
}

uint32_t job_spec_tasks(const struct job_spec *spec)
{
    return spec->array.present ? spec->array.last - spec->array.first + 1 : 1;
}

uint32_t job_spec_gang(const struct job_spec *spec)
{
    return spec->array.present ? spec->gang : 0;
}

uint32_t job_spec_gang_min(const struct job_spec *spec)
{
    return spec->gang_min != 0 ? MIN(spec->gang_min, job_spec_gang(spec)) : job_spec_gang(spec);
}
