/*
 * What the options of `submit`, `run` and `confine` put into a job (job_request.h has their tables).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/io/fd.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/job_request.h"

static struct job_spec *spec_of(void *into)
{
    return &((struct job_request *)into)->call.spec;
}

static int replace_text(char **field, const char *value, struct err *err)
{
    return str_set(field, value) < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int set_name(void *into, const char *value, struct err *err)
{
    return replace_text(&spec_of(into)->name, value, err);
}

static int set_tenant(void *into, const char *value, struct err *err)
{
    int rc = strcmp(value, TENANT_ROOT) == 0 ? 0 : parse_tenant_path(value, err);
    return rc < 0 ? rc : replace_text(&((struct job_request *)into)->call.tenant, value, err);
}

static int set_key(void *into, const char *value, struct err *err)
{
    if (value[0] == '\0' || strlen(value) > JOB_KEY_MAX)
        return err_set(err, -EINVAL, "a key has 1 to %d characters", JOB_KEY_MAX);
    return replace_text(&((struct job_request *)into)->call.key, value, err);
}

static int set_cwd(void *into, const char *value, struct err *err)
{
    return replace_text(&spec_of(into)->cwd, value, err);
}

static int set_cpu(void *into, const char *value, struct err *err)
{
    return parse_cpu(value, &spec_of(into)->resources.cpu_milli, err);
}

static int set_memory(void *into, const char *value, struct err *err)
{
    return parse_size(value, &spec_of(into)->resources.mem_bytes, err);
}

static int set_scratch(void *into, const char *value, struct err *err)
{
    return parse_size(value, &spec_of(into)->resources.scratch_bytes, err);
}

static int set_time(void *into, const char *value, struct err *err)
{
    return parse_duration(value, &spec_of(into)->time_limit_ms, err);
}

static int set_log_max(void *into, const char *value, struct err *err)
{
    return parse_size(value, &spec_of(into)->log_max_bytes, err);
}

static int set_budget(void *into, const char *value, struct err *err)
{
    return parse_money(value, &spec_of(into)->budget_micros, err);
}

static int set_where(void *into, const char *value, struct err *err)
{
    return str_set(&spec_of(into)->where, value) < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int set_priority(void *into, const char *value, struct err *err)
{
    int64_t priority = 0;
    int rc = parse_i64(value, -1000, 1000, &priority, err);
    if (rc == 0)
        spec_of(into)->priority = (int32_t)priority;
    return rc;
}

static int set_count(struct counts *counts, const char *name, const char *number, struct err *err)
{
    uint64_t value = 0;
    int rc = parse_name(name, RESOURCE_NAME_MAX, err);
    if (rc == 0)
        rc = parse_u64(number, 1, GENERIC_MAX, &value, err);
    if (rc == 0 && counts_set(counts, name, value) < 0)
        rc = err_set(err, -ENOMEM, "out of memory");
    return rc;
}

static int set_gpu(void *into, const char *value, struct err *err)
{
    return set_count(&spec_of(into)->resources.generic, "gpu", value, err);
}

/* Cuts NAME=VALUE; `name` gets a copy. */
static int cut_pair(const char *text, char *name, size_t size, const char **ret_value, struct err *err)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return err_set(err, -EINVAL, "'%s' is not of the form NAME=VALUE", text);
    if ((size_t)(equals - text) >= size)
        return err_set(err, -EINVAL, "the name in '%.40s...' is too long", text);
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = '\0';
    *ret_value = equals + 1;
    return 0;
}

static int set_generic(void *into, const char *value, struct err *err)
{
    char name[FIELD_KEY_MAX + 1];
    const char *number;
    int rc = cut_pair(value, name, sizeof name, &number, err);
    return rc < 0 ? rc : set_count(&spec_of(into)->resources.generic, name, number, err);
}

static int set_pair(struct pairs *pairs, const char *text, struct err *err)
{
    char name[FIELD_KEY_MAX + 1];
    const char *value;
    int rc = cut_pair(text, name, sizeof name, &value, err);
    if (rc == 0 && pairs_set(pairs, name, value) < 0)
        rc = err_set(err, -ENOMEM, "out of memory");
    return rc;
}

static int set_label(void *into, const char *value, struct err *err)
{
    return set_pair(&spec_of(into)->labels, value, err);
}

/* "--env HOME=/tmp", or "--env HOME" for the value that it has here. */
static int set_env(void *into, const char *value, struct err *err)
{
    if (strchr(value, '=') != NULL)
        return set_pair(&spec_of(into)->env, value, err);
    const char *here = getenv(value);
    if (here == NULL)
        return err_set(err, -EINVAL, "the variable '%s' is not set here; write %s=VALUE", value, value);
    return pairs_set(&spec_of(into)->env, value, here) < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int range_number(const char *from, size_t len, uint64_t least, uint64_t most, uint32_t *ret)
{
    char text[24];
    uint64_t value = 0;
    if (len >= sizeof text)
        return -EINVAL;
    memcpy(text, from, len);
    text[len] = '\0';
    int rc = parse_u64(text, least, most, &value, NULL);
    if (rc == 0)
        *ret = (uint32_t)value;
    return rc;
}

static int set_array(void *into, const char *value, struct err *err)
{
    struct job_array array = {.present = true};
    size_t dash = strcspn(value, "-"), end = strcspn(value, "%");
    bool good = dash < end && range_number(value, dash, 0, UINT32_MAX - 1, &array.first) == 0 &&
                range_number(value + dash + 1, end - dash - 1, 0, UINT32_MAX - 1, &array.last) == 0;
    if (good && value[end] == '%')
        good = range_number(value + end + 1, strlen(value + end + 1), 1, JOB_TASKS_MAX, &array.max_running) == 0;
    if (!good || array.last < array.first)
        return err_set(err, -EINVAL, "'%s' is not a range of tasks; write 1-365, or 1-365%%50 for 50 at a time", value);
    spec_of(into)->array = array;
    return 0;
}

static int set_enum(uint32_t *field, const struct names *names, const char *value, struct err *err)
{
    int found = names_find(names, value);
    if (found >= 0) {
        *field = (uint32_t)found;
        return 0;
    }
    struct buf allowed = {0};
    names_list(names, &allowed);
    (void)err_set(err, -EINVAL, "'%s' is none of: %s", value, buf_text(&allowed));
    buf_fini(&allowed);
    return -EINVAL;
}

/* "812", "812.17", or a job's key. */
static int read_after(const char *text, struct job_after *a, struct err *err)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || (text[digits] != '\0' && text[digits] != '.')) {
        if (text[0] == '\0' || strlen(text) > JOB_KEY_MAX)
            return err_set(err, -EINVAL, "a job's number, or its key, comes first");
        return replace_text(&a->key, text, err);
    }
    uint64_t task = 0;
    int rc = text[digits] == '.' ? parse_u64(text + digits + 1, 0, UINT32_MAX - 1, &task, err) : 0;
    if (rc == 0 && text[digits] == '.')
        a->task = measure_of(task);
    char job[24];
    snprintf(job, sizeof job, "%.*s", (int)MIN(digits, sizeof job - 1), text);
    return rc < 0 ? rc : parse_u64(job, 1, UINT64_MAX, &a->job, err);
}

/* "812", "812.17:failure", "812:end:same" */
static int set_after(void *into, const char *value, struct err *err)
{
    struct list *to = &spec_of(into)->after;
    char text[JOB_KEY_MAX + 32], *rest = text;
    if (strlen(value) >= sizeof text)
        return err_set(err, -EINVAL, "'%.40s...' is too long", value);
    if (to->count >= JOB_AFTER_MAX)
        return err_set(err, -EINVAL, "at most %d jobs to wait for", JOB_AFTER_MAX);
    memcpy(text, value, strlen(value) + 1);
    struct job_after a = {0};
    const char *who = strsep(&rest, ":");
    for (char *word; (word = strsep(&rest, ":")) != NULL;) {
        int tasks = names_find(&after_tasks_names, word);
        if (tasks >= 0)
            a.tasks = (uint32_t)tasks;
        else if (names_find(&after_on_names, word) >= 0)
            a.on = (uint32_t)names_find(&after_on_names, word);
        else
            return err_set(err, -EINVAL, "'%s': after JOB come :success, :end or :failure, and :same", word);
    }
    int rc = read_after(who, &a, err);
    struct job_after *added = rc == 0 ? list_add(to, sizeof *added) : NULL;
    if (rc == 0 && added == NULL)
        rc = err_set(err, -ENOMEM, "out of memory");
    if (rc == 0)
        *added = a;
    else
        free(a.key);
    return rc;
}

static int set_unmet(void *into, const char *value, struct err *err)
{
    return set_enum(&spec_of(into)->if_unmet, &if_unmet_names, value, err);
}

static int set_instant(char **field, const char *value, struct err *err)
{
    int64_t instant;
    int rc = job_spec_instant(value, 0, &instant, err);
    return rc < 0 ? rc : replace_text(field, value, err);
}

static int set_start_by(void *into, const char *value, struct err *err)
{
    return set_instant(&spec_of(into)->start_by, value, err);
}

static int set_finish_by(void *into, const char *value, struct err *err)
{
    return set_instant(&spec_of(into)->finish_by, value, err);
}

static struct job_retry *retry_of(void *into)
{
    struct job_retry *retry = &spec_of(into)->retry;
    retry->present = true;
    return retry;
}

/* A list, its items apart by commas; whether they mean something is asked with the whole job. */
static int add_items(struct strs *to, const char *value, struct err *err)
{
    CLEANUP(free_p) char *text = strdup(value);
    if (text == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    for (char *rest = text, *item; (item = strsep(&rest, ",")) != NULL;) {
        if (item[0] == '\0')
            return err_set(err, -EINVAL, "'%.40s' has an empty item", value);
        if (strs_add(to, item) < 0)
            return err_set(err, -ENOMEM, "out of memory");
    }
    return 0;
}

static int set_retry_on(void *into, const char *value, struct err *err)
{
    return add_items(&retry_of(into)->on, value, err);
}

static int set_retry_codes(void *into, const char *value, struct err *err)
{
    return add_items(&retry_of(into)->exit_codes, value, err);
}

static int set_retry_not_codes(void *into, const char *value, struct err *err)
{
    return add_items(&retry_of(into)->not_exit_codes, value, err);
}

static int set_retry_pause(void *into, const char *value, struct err *err)
{
    return parse_duration(value, &retry_of(into)->pause_ms, err);
}

static int set_retry_pause_max(void *into, const char *value, struct err *err)
{
    return parse_duration(value, &retry_of(into)->pause_max_ms, err);
}

static int set_network(void *into, const char *value, struct err *err)
{
    return set_enum(&spec_of(into)->network, &net_mode_names, value, err);
}

static int set_image(void *into, const char *value, struct err *err)
{
    int rc = mount_name_check(value, err);
    return rc < 0 ? rc : replace_text(&spec_of(into)->image, value, err);
}

static int set_root(void *into, const char *value, struct err *err)
{
    return set_enum(&spec_of(into)->root, &root_mode_names, value, err);
}

/* NAME[=PATH][:rw] */
static int set_volume(void *into, const char *value, struct err *err)
{
    struct list *l = &spec_of(into)->volumes;
    size_t len = strlen(value), name_len;
    bool writable = len > 3 && strcmp(value + len - 3, ":rw") == 0;
    len -= writable ? 3 : 0;
    const char *equals = memchr(value, '=', len);
    name_len = equals != NULL ? (size_t)(equals - value) : len;
    if (l->count == JOB_VOLUMES_MAX)
        return err_set(err, -EINVAL, "at most %d volumes", JOB_VOLUMES_MAX);
    struct job_volume *v = realloc(l->v, (l->count + 1) * sizeof *v);
    if (v == NULL)
        return err_set(err, -ENOMEM, "out of memory");
    l->v = v;
    v += l->count++;
    *v = (struct job_volume){.name = strndup(value, name_len), .writable = writable};
    if (equals != NULL)
        v->path = strndup(equals + 1, len - name_len - 1);
    if (v->name == NULL || (equals != NULL && v->path == NULL))
        return err_set(err, -ENOMEM, "out of memory");
    return mount_name_check(v->name, err);
}

/* FROM[:TO], cut at the first ':'; how it goes on is asked with the whole job. */
static int add_stage(struct list *to, const char *value, bool needs_to, struct err *err)
{
    const char *colon = strchr(value, ':');
    size_t len = colon != NULL ? (size_t)(colon - value) : strlen(value);
    if (len == 0 || (colon != NULL && colon[1] == '\0'))
        return err_set(err, -EINVAL, "'%.40s' has an empty path", value);
    if (colon == NULL && needs_to)
        return err_set(err, -EINVAL, "'%.40s' doesn't say where to; write FROM:TO", value);
    if (to->count >= JOB_STAGES_MAX)
        return err_set(err, -EINVAL, "at most %d of them", JOB_STAGES_MAX);
    struct job_stage s = {.from = strndup(value, len), .to = colon != NULL ? strdup(colon + 1) : NULL};
    struct job_stage *added = s.from == NULL || (colon != NULL && s.to == NULL) ? NULL : list_add(to, sizeof s);
    if (added == NULL) {
        free(s.from);
        free(s.to);
        return err_set(err, -ENOMEM, "out of memory");
    }
    *added = s;
    return 0;
}

static int set_input(void *into, const char *value, struct err *err)
{
    return add_stage(&spec_of(into)->inputs, value, false, err);
}

static int set_output(void *into, const char *value, struct err *err)
{
    return add_stage(&spec_of(into)->outputs, value, true, err);
}

static int set_placement(void *into, const char *value, struct err *err)
{
    return set_enum(&spec_of(into)->placement, &placement_names, value, err);
}

static int set_lease(void *into, const char *value, struct err *err)
{
    return set_enum(&spec_of(into)->lease, &lease_class_names, value, err);
}

static int set_node_loss(void *into, const char *value, struct err *err)
{
    return set_enum(&spec_of(into)->on_node_loss, &node_loss_names, value, err);
}

/* A path or NAME.json is a file with a profile. */
static int set_seccomp(void *into, const char *value, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};
    if (seccomp_name_is_valid(value))
        return replace_text(&spec_of(into)->seccomp, value, err);
    if (strchr(value, '/') == NULL && strstr(value, ".json") == NULL)
        return err_set(err, -EINVAL, "'%s' is neither a profile's name nor a file's (NAME.json)", value);
    int rc = file_read(value, JOB_SECCOMP_MAX, &text, err);
    return rc < 0 ? rc : replace_text(&spec_of(into)->seccomp, buf_text(&text), err);
}

#define CALL(name_, letter_, value_, set_, help_) \
    {.name = (name_), .letter = (letter_), .kind = OPTION_CALL, .value = (value_), .set = (set_), .help = (help_)}
static const struct option_row sandbox_option_rows[] = {
    CALL("cpu", 'c', "N", set_cpu, "cores of each task: 2, 0.5, 250m"),
    CALL("memory", 'm', "SIZE", set_memory, "memory of each task: 4Gi"),
    CALL("scratch", 0, "SIZE", set_scratch, "private disk space of each task, at /tmp"),
    CALL("time", 't', "DURATION", set_time, "run time after which a task is stopped: 30m"),
    CALL("env", 'e', "NAME[=VALUE]", set_env, "a variable of the job's environment; may be repeated"),
    CALL("cwd", 0, "PATH", set_cwd, "working directory inside the sandbox (default /tmp)"),
    CALL("network", 0, "none|host|private", set_network, "host and private only where policy allows it"),
    CALL("image", 0, "NAME", set_image, "the image that is its root; default: the node's own programs"),
    CALL("root", 0, "read_only|overlay", set_root, "overlay: everything in the image can be written, on the scratch"),
    CALL("volume", 0, "NAME[=PATH][:rw]", set_volume, "a folder of the node, at /mnt/NAME or PATH; may be repeated"),
    CALL("seccomp", 0, "NAME|FILE", set_seccomp, "system call profile: a name or a file, where policy allows it"),
};
const struct option_set sandbox_options = OPTION_SET(sandbox_option_rows);

static const struct option_row job_option_rows[] = {
    CALL("gpu", 0, "N", set_gpu, "the same as --generic gpu=N"),
    CALL("generic", 0, "NAME=N", set_generic, "another resource that nodes offer; may be repeated"),
    CALL("budget", 0, "MONEY", set_budget, "what the whole job may cost: 12.50"),
    CALL("if-unmet", 0, "cancel|keep", set_unmet, "what becomes of tasks whose --after can't be met any more"),
    CALL("after", 0, "JOB[.TASK][:ON]", set_after,
         "start after another job (or its key): :success, :end, :failure; :same task by task; may be repeated"),
    {.name = "hold", .kind = OPTION_FLAG, .offset = offsetof(struct job_request, call.spec.hold),
     .help = "start nothing of it until it is released"},
    CALL("start-by", 0, "TIME", set_start_by, "cancel what has not started by then: 2h, 2026-11-24T06:00:00Z"),
    CALL("finish-by", 0, "TIME", set_finish_by, "start nothing that may not end by then, and stop what runs then"),
    CALL("array", 'a', "FIRST-LAST[%N]", set_array, "many tasks, at most N at a time; each sees REEVE_TASK"),
    {.name = "retries", .kind = OPTION_U32, .value = "N", .offset = offsetof(struct job_request, call.spec.retries),
     .max = JOB_RETRIES_MAX, .help = "further attempts after failures of the job's own making"},
    CALL("retry-on", 0, "CAUSE,...", set_retry_on,
         "only after these: exit, signal, out_of_memory, inputs, outputs, time_limit"),
    CALL("retry-exit-codes", 0, "CODE,...", set_retry_codes, "of exits only these: 75,100-110"),
    CALL("retry-not-exit-codes", 0, "CODE,...", set_retry_not_codes, "of exits all but these"),
    CALL("retry-pause", 0, "DURATION", set_retry_pause, "before the first retry, doubled with each (default 1s)"),
    CALL("retry-pause-max", 0, "DURATION", set_retry_pause_max, "and at most so long (default 1m)"),
    CALL("input", 0, "FROM[:TO]", set_input,
         "a file or folder of a volume that is there before the command; may be repeated"),
    CALL("output", 0, "FROM:TO", set_output,
         "a file or folder that appears in a writable volume after it; may be repeated"),
    CALL("priority", 'p', "N", set_priority, "among the tenant's own jobs, -1000 to 1000"),
    CALL("name", 'n', "NAME", set_name, "name of the job, for people"),
    CALL("tenant", 0, "PATH", set_tenant, "who pays: acme/etl (default: your first tenant)"),
    CALL("where", 'w', "CONDITION", set_where, "nodes by their labels: 'zone == eu && mem_gen >= 4'"),
    CALL("label", 'l', "NAME=VALUE", set_label, "for reports; may be repeated"),
    CALL("placement", 0, "pack|spread", set_placement, "on the fullest node with room, or on the emptiest"),
    CALL("lease", 0, "patient|fast", set_lease, "fast: restarted elsewhere within seconds of a silent node"),
    CALL("on-node-loss", 0, "rerun|hold|fail", set_node_loss, "what happens when the node is lost"),
    CALL("log-max", 0, "SIZE", set_log_max, "bytes kept of stdout and of stderr (default 16Mi)"),
    CALL("key", 0, "KEY", set_key, "idempotency key: the same key never makes a second job"),
    {.name = "dry-run", .kind = OPTION_FLAG, .offset = offsetof(struct job_request, call.dry_run),
     .help = "only check and quote; nothing is queued"},
};
const struct option_set submit_options = {
    .rows = job_option_rows, .count = COUNT_OF(job_option_rows), .also = &sandbox_options};
const struct option_set run_options = {
    .rows = job_option_rows, .count = COUNT_OF(job_option_rows), .also = &sandbox_options, .stop_at_word = true};
