/* What this machine can enforce: each feature is asked of a group that nobody lives in, as a launch would. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/log.h"
#include "isolation/cgroup.h"

#define PROBE_GROUP ".probe" /* the '.' keeps it out of cg_list() */
#define PROBE_MEM ((uint64_t)64 << 20)

static bool read_number(const char *path, uint64_t *ret)
{
    char text[32];
    if (cg_file_read(AT_FDCWD, "/", path, text, sizeof text) <= 0 || text[0] < '0' || text[0] > '9')
        return false;
    *ret = strtoull(text, NULL, 10);
    return true;
}

/* --- block devices ----------------------------------------------------------------------------------------------- */

/* Limits apply to whole disks: a partition's is its parent's. False: no block device is behind it. */
static bool whole_disk(dev_t dev, dev_t *ret)
{
    char path[64], text[32];
    struct stat st;
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major(dev), minor(dev));
    if (stat(path, &st) < 0)
        return false;
    snprintf(path, sizeof path, "sys/dev/block/%u:%u/partition", major(dev), minor(dev));
    uint64_t number;
    bool partition = read_number(path, &number);
    snprintf(path, sizeof path, "sys/dev/block/%u:%u/%sdev", major(dev), minor(dev), partition ? "../" : "");
    unsigned first, second;
    char colon, end;
    if (cg_file_read(AT_FDCWD, "/", path, text, sizeof text) <= 0 ||
        sscanf(text, "%u%c%u%c", &first, &colon, &second, &end) != 3 || colon != ':')
        return false;
    *ret = makedev(first, second);
    return true;
}

static void add_io_device(struct cg *cg, dev_t dev)
{
    dev_t disk;
    if (!whole_disk(dev, &disk) || cg->io_count == CG_IO_DEVICES_MAX)
        return;
    for (int i = 0; i < cg->io_count; i++) {
        if (cg->io[i] == disk)
            return;
    }
    cg->io[cg->io_count++] = disk;
}

static bool uses_bfq(dev_t disk)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "sys/dev/block/%u:%u/queue/scheduler", major(disk), minor(disk));
    return cg_file_read(AT_FDCWD, "/", path, text, sizeof text) > 0 && strstr(text, "[bfq]") != NULL;
}

/* v2's cost model: "8:0 enable=1 …" in the root's file. */
static bool uses_cost_model(const struct cg *cg, dev_t disk)
{
    char path[CG_PATH_MAX + 16], text[4096], line[48];
    snprintf(path, sizeof path, "%s/io.cost.qos", cg->at[cg->of[CG_IO]].mount);
    snprintf(line, sizeof line, "%u:%u enable=1", major(disk), minor(disk));
    return cg->at[cg->of[CG_IO]].v2 && cg_file_read(AT_FDCWD, "/", path + 1, text, sizeof text) > 0 &&
           strstr(text, line) != NULL;
}

/* A weight that can be written is a weight that nothing looks at, unless the device's scheduler does. */
static const char *weight_problem(struct cg *cg)
{
    bool bfq = true, cost = true;
    for (int i = 0; i < cg->io_count; i++) {
        bfq = bfq && uses_bfq(cg->io[i]);
        cost = cost && uses_cost_model(cg, cg->io[i]);
    }
    cg->weight_by_bfq = bfq;
    return bfq || cost ? NULL : "neither the bfq scheduler nor the io cost model is switched on for its devices";
}

/* --- what lies beside the values --------------------------------------------------------------------------------- */

bool cg_has_huge_pages(enum huge_size size)
{
    static const char *const folders[HUGE_SIZES] = {"sys/kernel/mm/hugepages/hugepages-2048kB",
                                                    "sys/kernel/mm/hugepages/hugepages-1048576kB"};
    char path[96];
    uint64_t pool = 0, more = 0;
    snprintf(path, sizeof path, "%s/nr_hugepages", folders[size]);
    bool known = read_number(path, &pool);
    snprintf(path, sizeof path, "%s/nr_overcommit_hugepages", folders[size]);
    return known && read_number(path, &more) && (pool > 0 || more > 0);
}

/* The least that any group between the root and the base guarantees. */
static uint64_t guarantee_above(const struct cg *cg)
{
    const struct cg_hierarchy *h = &cg->at[cg->of[CG_MEMORY]];
    char path[CG_PATH_MAX], full[2 * CG_PATH_MAX], text[32];
    uint64_t least = UINT64_MAX;
    snprintf(path, sizeof path, "%s", h->path);
    for (char *slash; (slash = strrchr(path, '/')) != NULL;) {
        *slash = '\0';
        snprintf(full, sizeof full, "%s/%s", h->mount, path);
        if (cg_file_read(AT_FDCWD, full, "memory.min", text, sizeof text) < 0)
            return 0;
        if (strcmp(text, "max") != 0)
            least = MIN(least, strtoull(text, NULL, 10));
    }
    return least;
}

static const char *problem_beside(struct cg *cg, enum node_feature feature)
{
    bool io = feature >= FEATURE_IO_READ_BPS && feature <= FEATURE_IO_WEIGHT;
    if (io && cg->io_count == 0)
        return "the node's folder lies on no block device, and none was named with --io-device";
    if (feature == FEATURE_IO_WEIGHT)
        return weight_problem(cg);
    if ((feature == FEATURE_HUGE_2M && !cg_has_huge_pages(HUGE_2M)) ||
        (feature == FEATURE_HUGE_1G && !cg_has_huge_pages(HUGE_1G)))
        return "the node has set no such pages aside";
    bool v1_memory = !cg->at[cg->of[CG_MEMORY]].v2;
    if ((feature == FEATURE_MEMORY_HIGH || feature == FEATURE_MEMORY_MIN) && v1_memory)
        return "cgroup v1 has no such limit";
    if (feature == FEATURE_MEMORY_MIN && cg->guarantee_max == 0)
        return "the groups above the warden's guarantee nothing (systemd: MemoryMin=)";
    return NULL;
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

static struct sandbox_spec spec_with(enum node_feature feature)
{
    /* Little: on v1 no group may have more than the one above it. */
    struct sandbox_spec spec = {.cpu_milli = 10, .mem_bytes = PROBE_MEM, .pids_max = 16};
    struct sandbox_limits *l = &spec.limits;
    uint64_t *const numbers[FEATURE_WARDEN_COUNT] = {
        [FEATURE_MEMORY_HIGH] = &l->mem_high_bytes, [FEATURE_MEMORY_MIN] = &l->mem_min_bytes,
        [FEATURE_SWAP] = &l->swap_bytes,            [FEATURE_HUGE_2M] = &l->huge_bytes[HUGE_2M],
        [FEATURE_HUGE_1G] = &l->huge_bytes[HUGE_1G], [FEATURE_IO_READ_BPS] = &l->io_read_bps,
        [FEATURE_IO_WRITE_BPS] = &l->io_write_bps,  [FEATURE_IO_READ_OPS] = &l->io_read_ops,
        [FEATURE_IO_WRITE_OPS] = &l->io_write_ops,
    };
    if (feature == FEATURE_PIN_CPUS)
        l->pinned_cpus = 1;
    else if (feature == FEATURE_IO_WEIGHT)
        l->io_weight = 50;
    else if (feature < FEATURE_WARDEN_COUNT)
        *numbers[feature] = (uint64_t)1 << 30; /* a multiple of every page */
    if (feature == FEATURE_MEMORY_HIGH || feature == FEATURE_MEMORY_MIN)
        *numbers[feature] = PROBE_MEM / 2;
    return spec;
}

/* FEATURE_COUNT: what every job is given. */
static int try_feature(struct cg *cg, enum node_feature feature, struct err *err)
{
    struct sandbox_spec spec = spec_with(feature);
    struct cg_cpus cpus;
    bool pinned = feature == FEATURE_PIN_CPUS;
    int rc = pinned ? cg_pick_cpus(cg, &(struct cg_cpus){{0}}, 1, &cpus) : 0;
    if (rc < 0)
        return err_set(err, rc, "there is no controller 'cpuset'");
    unsigned parts = cg_parts(cg, &spec);
    rc = cg_make(cg, PROBE_GROUP, parts, err);
    rc = rc < 0 ? rc : cg_limit(cg, PROBE_GROUP, &spec, pinned ? &cpus : NULL, err);
    return cg_remove(cg, PROBE_GROUP) < 0 && rc == 0 ? err_set(err, -EBUSY, "cgroups: the probe won't go") : rc;
}

/* An empty group has the numbers, though nothing is held back in it; without the controller it has none. */
static bool counts_io(struct cg *cg)
{
    struct sandbox_spec spec = spec_with(FEATURE_COUNT);
    struct usage usage = {0};
    struct err err = {0};
    int rc = cg_make(cg, PROBE_GROUP, cg_parts(cg, &spec), &err);
    if (rc == 0)
        cg_io_usage(cg, PROBE_GROUP, &usage);
    return cg_remove(cg, PROBE_GROUP) == 0 && is_measured(usage.read_bytes) && is_measured(usage.written_bytes);
}

static void find_features(struct cg *cg)
{
    for (enum node_feature f = 0; f < FEATURE_WARDEN_COUNT; f++) {
        struct err err = {0};
        const char *problem = problem_beside(cg, f);
        if (problem == NULL && try_feature(cg, f, &err) < 0)
            problem = err.text;
        if (problem == NULL)
            cg->able.features |= FEATURE_BIT(f);
        else
            log_line(LOG_INFO, "feature.missing", "feature=%s why=%s", names_get(&node_feature_names, f),
                     log_quote(problem));
    }
    if (counts_io(cg))
        cg->able.features |= FEATURE_BIT(FEATURE_IO_BYTES);
    else
        log_line(LOG_INFO, "feature.missing", "feature=%s why=%s", names_get(&node_feature_names, FEATURE_IO_BYTES),
                 log_quote("nothing counts what groups read and write: there is no controller io (blkio)"));
}

/* --- the base ---------------------------------------------------------------------------------------------------- */

static int copy_v1_cpuset(const struct cg *cg, const char *file, struct err *err)
{
    const struct cg_hierarchy *h = &cg->at[cg->of[CG_CPUSET]];
    char full[2 * CG_PATH_MAX], text[4096];
    ssize_t n = cg_file_read(h->base, ".", file, text, sizeof text);
    if (n > 0)
        return 0; /* an earlier life's */
    snprintf(full, sizeof full, "%s/%s/..", h->mount, h->path);
    n = n < 0 ? n : cg_file_read(AT_FDCWD, full, file, text, sizeof text);
    int rc = n < 0 ? (int)n : cg_file_write(h->base, ".", file, text);
    return rc < 0 ? err_set(err, rc, "cgroups: %s: %s", file, strerror(-rc)) : 0;
}

/* Pages that a job didn't ask for are not to be had where there are any. Where there are none now, none of ours will
 * have one that is set aside later. */
static int close_huge_pages(const struct cg *cg, struct err *err)
{
    static const char *const files[HUGE_SIZES][2] = {
        {"hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max"}, {"hugetlb.1GB.limit_in_bytes", "hugetlb.1GB.max"}};
    bool v2 = cg->at[cg->of[CG_HUGETLB]].v2;
    for (enum huge_size i = 0; i < HUGE_SIZES; i++) {
        struct cg_value v = {.controller = CG_HUGETLB, .text = "0", .if_present = true};
        bool any = cg_has_huge_pages(i);
        if (any)
            snprintf(v.text, sizeof v.text, v2 ? "max" : "-1");
        snprintf(v.file, sizeof v.file, "%s", files[i][v2]);
        int rc = any && !v2 ? cg_file_write(cg->at[cg->of[CG_HUGETLB]].base, ".", v.file, v.text)
                            : cg_file_set(cg, ".", &v, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int check_swap(const struct cg *cg, struct err *err)
{
    const struct cg_hierarchy *h = &cg->at[cg->of[CG_MEMORY]];
    struct sysinfo info;
    bool limited = faccessat(h->base, h->v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes", F_OK, 0) == 0;
    if (limited || sysinfo(&info) < 0 || info.totalswap == 0)
        return 0;
    return err_set(err, -ENODEV, "cgroups: this machine swaps and can't limit it; boot it with swapaccount=1, or "
                                 "switch its swap off");
}

int cg_equip(struct cg *cg, const struct cg_equipment *with, struct err *err)
{
    cg->no_devices = -1;
    cg->able = (struct node_abilities){0};
    for (int i = 0; i < with->devices_count; i++) {
        cg->devices[i] = with->devices[i];
        memcpy(cg->able.devices[i], with->devices[i].name, NODE_DEVICE_NAME_MAX);
        cg->able.devices_count++;
    }
    for (int i = 0; i < with->io_count && cg->of[CG_IO] >= 0; i++)
        add_io_device(cg, with->io[i]);
    int rc = check_swap(cg, err);
    if (rc == 0 && cg->of[CG_HUGETLB] >= 0)
        rc = close_huge_pages(cg, err);
    if (rc == 0 && cg->of[CG_CPUSET] >= 0 && !cg->at[cg->of[CG_CPUSET]].v2) {
        rc = copy_v1_cpuset(cg, "cpuset.mems", err);
        rc = rc < 0 ? rc : copy_v1_cpuset(cg, "cpuset.cpus", err);
    }
    if (rc == 0)
        rc = cg_share_open(cg, err);
    if (rc == 0)
        rc = cg_devices_limit(cg, ".", UINT32_MAX, err);
    if (rc == 0 && cg_remove(cg, PROBE_GROUP) < 0)
        rc = err_set(err, -EBUSY, "cgroups: the probe of an earlier life won't go");
    rc = rc < 0 ? rc : try_feature(cg, FEATURE_COUNT, err);
    if (rc < 0)
        return rc;
    cg->guarantee_max = cg->at[cg->of[CG_MEMORY]].v2 ? guarantee_above(cg) : 0;
    find_features(cg);
    return 0;
}
