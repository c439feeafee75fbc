/* The only user of libcgroup: mounts, statistics. One thread: its tables are process-wide. */
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

/* --- what the kernel counted ------------------------------------------------------------------------------------ */

#define LEAF CG_CONTROLLERS /* instead of a controller: the group on the cgroup2 mount, whatever is enabled there */
#define LINE_MAX_BYTES 512

enum row_kind {
    ROW_NUMBER, /* the file is a number */
    ROW_KEY,    /* "key 12" */
    ROW_WORD,   /* "8:0 key 12": the sum over all devices */
    ROW_ASSIGN, /* "8:0 key=12 …": the sum over all devices */
    ROW_SOME,   /* "some … key=12" */
};

static const struct usage_row {
    size_t field;
    unsigned controller;
    bool v2;
    const char *file;
    enum row_kind kind;
    const char *key;
    uint64_t times, divide; /* to our unit; times 0 = 1 */
} usage_rows[] = {
#define ROW(field_, ...) {offsetof(struct usage, field_), __VA_ARGS__}
    /* Of several rows for a field the first that can be read counts. Rows of one file follow each other: it is read
     * once. */
    ROW(cpu_us, LEAF, true, "cpu.stat", ROW_KEY, "usage_usec", 0, 1),
    ROW(cpu_user_us, LEAF, true, "cpu.stat", ROW_KEY, "user_usec", 0, 1),
    ROW(cpu_system_us, LEAF, true, "cpu.stat", ROW_KEY, "system_usec", 0, 1),
    ROW(throttled_us, LEAF, true, "cpu.stat", ROW_KEY, "throttled_usec", 0, 1),
    ROW(cpu_us, CG_CPUACCT, false, "cpuacct.usage", ROW_NUMBER, NULL, 0, 1000),
    ROW(cpu_user_us, CG_CPUACCT, false, "cpuacct.stat", ROW_KEY, "user", 10000, 1),
    ROW(cpu_system_us, CG_CPUACCT, false, "cpuacct.stat", ROW_KEY, "system", 10000, 1),
    ROW(throttled_us, CG_CPU, false, "cpu.stat", ROW_KEY, "throttled_time", 0, 1000),
    ROW(mem_peak_bytes, CG_MEMORY, false, "memory.max_usage_in_bytes", ROW_NUMBER, NULL, 0, 1),
    ROW(mem_peak_bytes, CG_MEMORY, true, "memory.peak", ROW_NUMBER, NULL, 0, 1), /* since 5.19 */
    ROW(mem_peak_bytes, CG_MEMORY, true, "memory.current", ROW_NUMBER, NULL, 0, 1),
    ROW(oom_kills, CG_MEMORY, false, "memory.oom_control", ROW_KEY, "oom_kill", 0, 1),
    ROW(oom_kills, CG_MEMORY, true, "memory.events", ROW_KEY, "oom_kill", 0, 1),
    ROW(pids_peak, CG_PIDS, false, "pids.peak", ROW_NUMBER, NULL, 0, 1), /* since 6.11 */
    ROW(pids_peak, CG_PIDS, true, "pids.peak", ROW_NUMBER, NULL, 0, 1),
    ROW(read_bytes, CG_IO, false, "blkio.throttle.io_service_bytes", ROW_WORD, "Read", 0, 1),
    ROW(written_bytes, CG_IO, false, "blkio.throttle.io_service_bytes", ROW_WORD, "Write", 0, 1),
    ROW(read_ops, CG_IO, false, "blkio.throttle.io_serviced", ROW_WORD, "Read", 0, 1),
    ROW(write_ops, CG_IO, false, "blkio.throttle.io_serviced", ROW_WORD, "Write", 0, 1),
    ROW(read_bytes, CG_IO, true, "io.stat", ROW_ASSIGN, "rbytes=", 0, 1),
    ROW(written_bytes, CG_IO, true, "io.stat", ROW_ASSIGN, "wbytes=", 0, 1),
    ROW(read_ops, CG_IO, true, "io.stat", ROW_ASSIGN, "rios=", 0, 1),
    ROW(write_ops, CG_IO, true, "io.stat", ROW_ASSIGN, "wios=", 0, 1),
    ROW(cpu_wait_us, LEAF, true, "cpu.pressure", ROW_SOME, "total=", 0, 1),
    ROW(memory_wait_us, LEAF, true, "memory.pressure", ROW_SOME, "total=", 0, 1),
    ROW(io_wait_us, LEAF, true, "io.pressure", ROW_SOME, "total=", 0, 1),
#undef ROW
};

static bool take_number(const char *digits, uint64_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(digits, &end, 10);
    if (end == digits || errno != 0)
        return false;
    *ret = value;
    return true;
}

/* What this line adds to the row's number. False: nothing. */
static bool take_line(const struct usage_row *row, const char *line, uint64_t *ret)
{
    if (row->kind == ROW_NUMBER)
        return take_number(line, ret);
    size_t len = strlen(row->key);
    if (row->kind == ROW_KEY)
        return strncmp(line, row->key, len) == 0 && line[len] == ' ' && take_number(line + len + 1, ret);
    if (row->kind == ROW_SOME && strncmp(line, "some ", 5) != 0)
        return false;
    const char *space = strchr(line, ' ');
    if (row->kind == ROW_WORD)
        return space != NULL && strncmp(space + 1, row->key, len) == 0 && space[len + 1] == ' ' &&
               take_number(space + len + 2, ret);
    const char *found = space != NULL ? strstr(space, row->key) : NULL; /* "rbytes=": no other key ends like one */
    return found != NULL && found[-1] == ' ' && take_number(found + len, ret);
}

struct sum {
    uint64_t value;
    bool known;
};

/* Devices that were never used have no line: a file that can be read has counted 0 of them. */
static bool counts_from_zero(const struct usage_row *row)
{
    return row->kind == ROW_WORD || row->kind == ROW_ASSIGN;
}

static void add_line(const struct usage_row *rows, size_t count, const char *line, struct sum *sums)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        if (!take_line(&rows[i], line, &value))
            continue;
        sums[i].value += value;
        sums[i].known = true;
    }
}

/* The cgroup2 group without controllers, which the library doesn't know. */
static void read_leaf(const struct cg *cg, const char *group, const struct usage_row *rows, size_t count,
                      struct sum *sums)
{
    char text[1024];
    if (cg->leaf < 0 || cg_file_read(cg->at[cg->leaf].base, group, rows->file, text, sizeof text) < 0)
        return;
    for (char *line = text, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        add_line(rows, count, line, sums);
    }
}

static void read_by_library(const struct cg_hierarchy *h, const char *group, const struct usage_row *rows, size_t count,
                            struct sum *sums)
{
    char path[2 * CG_PATH_MAX], line[LINE_MAX_BYTES], name[64], controller[16];
    void *handle = NULL;
    snprintf(path, sizeof path, "%s/%s", h->path, group);
    snprintf(name, sizeof name, "%s", rows->file); /* the library's arguments are not const */
    snprintf(controller, sizeof controller, "%s", cg_controller_name((enum cg_controller)rows->controller, h->v2));
    int rc = cgroup_read_value_begin(controller, path, name, &handle, line, sizeof line);
    for (size_t i = 0; i < count && (rc == 0 || rc == ECGEOF); i++)
        sums[i].known = counts_from_zero(&rows[i]);
    for (; rc == 0; rc = cgroup_read_value_next(&handle, line, sizeof line))
        add_line(rows, count, line, sums);
    if (handle != NULL)
        cgroup_read_value_end(&handle);
}

static bool is_plain(size_t field)
{
    return field == offsetof(struct usage, cpu_us) || field == offsetof(struct usage, mem_peak_bytes);
}

static void keep(struct usage *ret, const struct usage_row *row, const struct sum *sum)
{
    uint64_t *field = (uint64_t *)(void *)((char *)ret + row->field);
    _Static_assert(sizeof(struct measure) == sizeof(uint64_t), "a measure is one number");
    if (!sum->known || *field != 0)
        return;
    uint64_t value = sum->value * MAX(row->times, UINT64_C(1)) / row->divide;
    *field = is_plain(row->field) ? value : measure_of(value).plus_one;
}

static bool is_same_file(const struct usage_row *a, const struct usage_row *b)
{
    return a->controller == b->controller && a->v2 == b->v2 && strcmp(a->file, b->file) == 0;
}

#define ROWS_OF_A_FILE_MAX 4

/* Rows of `controller`, or all: CG_CONTROLLERS. */
static void read_usage(const struct cg *cg, const char *group, unsigned controller, struct usage *ret)
{
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0, count; i < COUNT_OF(usage_rows); i += count) {
        const struct usage_row *rows = &usage_rows[i];
        struct sum sums[ROWS_OF_A_FILE_MAX] = {{0, false}};
        for (count = 1; i + count < COUNT_OF(usage_rows) && is_same_file(&rows[count], rows);)
            count++;
        assert(count <= ROWS_OF_A_FILE_MAX);
        if (controller != CG_CONTROLLERS && rows->controller != controller)
            continue;
        if (rows->controller == LEAF)
            read_leaf(cg, group, rows, count, sums);
        else if (cg->of[rows->controller] >= 0 && cg->at[cg->of[rows->controller]].v2 == rows->v2)
            read_by_library(&cg->at[cg->of[rows->controller]], group, rows, count, sums);
        for (size_t k = 0; k < count; k++)
            keep(ret, &rows[k], &sums[k]);
    }
}

void cg_usage(const struct cg *cg, const char *group, struct usage *ret)
{
    read_usage(cg, group, CG_CONTROLLERS, ret);
}

void cg_io_usage(const struct cg *cg, const char *group, struct usage *ret)
{
    read_usage(cg, group, CG_IO, ret);
}
