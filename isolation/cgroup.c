/* The only user of libcgroup: mounts, limits, statistics. One thread: its tables are process-wide. */
#include "isolation/cgroup.h"

#include <errno.h>
#include <inttypes.h>
#include <libcgroup.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

int cg_lib_init(struct err *err)
{
    static bool ready; /* a second cgroup_init() would forget the first one's tables without freeing them */
    int rc = ready ? 0 : cgroup_init();
    ready = ready || rc == 0;
    return rc == 0 ? 0 : err_set(err, -ENODEV, "cgroups: no hierarchy is mounted (%s)", cgroup_strerror(rc));
}

bool cg_lib_mount_of(const char *controller, char out[CG_PATH_MAX])
{
    char *mount = NULL;
    if (cgroup_get_subsys_mount_point(controller, &mount) != 0)
        return false;
    int n = snprintf(out, CG_PATH_MAX, "%s", mount);
    free(mount);
    return n > 0 && n < CG_PATH_MAX;
}

static void free_group(struct cgroup **group)
{
    cgroup_free(group);
}

int cg_lib_write(const char *controller, const char *path, const struct cg_value *values, int count, struct err *err)
{
    CLEANUP(free_group) struct cgroup *group = cgroup_new_cgroup(path);
    struct cgroup_controller *c = group != NULL ? cgroup_add_controller(group, controller) : NULL;
    if (c == NULL)
        return err_set(err, -ENOMEM, "cgroups: cannot describe %s %s", controller, path);
    for (int i = 0; i < count; i++) {
        int rc = cgroup_add_value_string(c, values[i].file, values[i].text);
        if (rc != 0)
            return err_set(err, -ENOMEM, "cgroups: cannot describe %s: %s", values[i].file, cgroup_strerror(rc));
    }
    int rc = cgroup_modify_cgroup(group);
    if (rc != 0) /* it keeps the errno of its last system call only in one case; the read-back names the limit */
        return err_set(err, rc == ECGOTHER && cgroup_get_last_errno() > 0 ? -cgroup_get_last_errno() : -EIO,
                       "cgroups: cannot limit %s in %s: %s", controller, path, cgroup_strerror(rc));
    return 0;
}

static bool take_number(const char *text, const char *key, uint64_t *ret)
{
    size_t len = key != NULL ? strlen(key) : 0;
    if (len > 0 && (strncmp(text, key, len) != 0 || text[len] != ' '))
        return false;
    const char *digits = len > 0 ? text + len + 1 : text;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(digits, &end, 10);
    if (end == digits || errno != 0)
        return false;
    *ret = value;
    return true;
}

bool cg_lib_read(const char *controller, const char *path, const char *file, const char *key, uint64_t *ret)
{
    char line[128], name[64];
    void *handle = NULL;
    bool found = false;
    snprintf(name, sizeof name, "%s", file); /* the library's argument is not const */
    int rc = cgroup_read_value_begin(controller, path, name, &handle, line, sizeof line);
    while (rc == 0 && !(found = take_number(line, key, ret)))
        rc = cgroup_read_value_next(&handle, line, sizeof line);
    if (handle != NULL)
        cgroup_read_value_end(&handle);
    return found;
}

/* --- what the kernel counted ------------------------------------------------------------------------------------ */

static const struct usage_row {
    size_t field;
    enum cg_controller controller;
    bool v2;
    const char *file, *key;
    uint64_t divide; /* to our unit */
} usage_rows[] = {
    /* Of several rows for a field the first that can be read counts. */
    {offsetof(struct usage, cpu_us), CG_CPUACCT, false, "cpuacct.usage", NULL, 1000},
    {offsetof(struct usage, cpu_us), CG_CPU, true, "cpu.stat", "usage_usec", 1},
    {offsetof(struct usage, throttled_us), CG_CPU, false, "cpu.stat", "throttled_time", 1000},
    {offsetof(struct usage, throttled_us), CG_CPU, true, "cpu.stat", "throttled_usec", 1},
    {offsetof(struct usage, mem_peak_bytes), CG_MEMORY, false, "memory.max_usage_in_bytes", NULL, 1},
    {offsetof(struct usage, mem_peak_bytes), CG_MEMORY, true, "memory.peak", NULL, 1}, /* since 5.19 */
    {offsetof(struct usage, mem_peak_bytes), CG_MEMORY, true, "memory.current", NULL, 1},
    {offsetof(struct usage, oom_kills), CG_MEMORY, false, "memory.oom_control", "oom_kill", 1},
    {offsetof(struct usage, oom_kills), CG_MEMORY, true, "memory.events", "oom_kill", 1},
    {offsetof(struct usage, pids_peak), CG_PIDS, false, "pids.peak", NULL, 1}, /* since 6.11 */
    {offsetof(struct usage, pids_peak), CG_PIDS, true, "pids.peak", NULL, 1},
    {offsetof(struct usage, pids_peak), CG_PIDS, false, "pids.current", NULL, 1},
    {offsetof(struct usage, pids_peak), CG_PIDS, true, "pids.current", NULL, 1},
};

void cg_usage(const struct cg *cg, const char *group, struct usage *ret)
{
    bool have[sizeof *ret / sizeof(uint64_t)] = {0};
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < COUNT_OF(usage_rows); i++) {
        const struct usage_row *row = &usage_rows[i];
        int at = cg->of[row->controller];
        if (at < 0 || cg->at[at].v2 != row->v2 || have[row->field / sizeof(uint64_t)])
            continue;
        char path[2 * CG_PATH_MAX];
        uint64_t value;
        snprintf(path, sizeof path, "%s/%s", cg->at[at].path, group);
        if (!cg_lib_read(cg_controller_names[row->controller], path, row->file, row->key, &value))
            continue;
        have[row->field / sizeof(uint64_t)] = true;
        value /= row->divide;
        memcpy((char *)ret + row->field, &value, sizeof value);
    }
}
