/* Groups on whatever this machine has. Root; leaves nothing. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/log.h"
#include "isolation/attempts.h"
#include "isolation/cgroup.h"
#include "tests/run.h"

static struct cg cg;
static char name[32];
static const struct sandbox_spec spec = {
    .cpu_milli = 1500, .mem_bytes = (64 << 20) + 1, .scratch_bytes = 1 << 20, .pids_max = 33};

static const struct cg_equipment equipment;

static void setup(void)
{
    struct err err = {0};
    snprintf(name, sizeof name, "unit%d", (int)getpid());
    ck_assert_msg(cg_open(&cg, name, false, &err) == 0, "%s", err.text);
    ck_assert_msg(cg_equip(&cg, &equipment, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    for (int i = 0; i < cg.count; i++) {
        char base[2 * CG_PATH_MAX];
        snprintf(base, sizeof base, "%s/%s", cg.at[i].mount, cg.at[i].path);
        ck_assert_int_eq(access(base, F_OK), 0);
    }
    struct cg copy = cg;
    cg_close(&cg, true);
    for (int i = 0; i < copy.count; i++) {
        char base[2 * CG_PATH_MAX];
        snprintf(base, sizeof base, "%s/%s", copy.at[i].mount, copy.at[i].path);
        ck_assert_int_eq(access(base, F_OK), -1);
    }
}

static _Noreturn void sleep_on(void)
{
    for (;;)
        pause();
}

static pid_t sleeper(void)
{
    pid_t pid = fork();
    if (pid == 0)
        sleep_on();
    return pid;
}

/* One that gave up every right and then goes through the doors that it holds: as a keeper does. */
static pid_t sleeper_in(const struct cg *where, const char *group)
{
    int doors[CG_HIERARCHIES_MAX], inside[2];
    int count = cg_doors(where, group, 0, doors);
    ck_assert_int_ge(count, 0);
    ck_assert_int_eq(pipe2(inside, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        bool in = setresgid(12345, 12345, 12345) == 0 && setresuid(12345, 12345, 12345) == 0;
        for (int i = 0; i < count; i++)
            in = in && write(doors[i], "0", 1) == 1;
        if (in && write(inside[1], "y", 1) == 1)
            sleep_on();
        _exit(1);
    }
    char byte = 'n';
    close(inside[1]);
    ck_assert(read(inside[0], &byte, 1) == 1 && byte == 'y');
    close(inside[0]);
    for (int i = 0; i < count; i++)
        close(doors[i]);
    return pid;
}

/* All of it, the leaf too: what the zygote's clone3 does for real. */
static pid_t sleeper_in_all(const char *group)
{
    pid_t pid = sleeper_in(&cg, group);
    char text[16];
    snprintf(text, sizeof text, "%d", (int)pid);
    if (cg.leaf >= 0)
        ck_assert_int_eq(cg_file_write(cg.at[cg.leaf].base, group, "cgroup.procs", text), 0);
    return pid;
}

static int proc_of(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

START_TEST(test_a_group_is_in_all_hierarchies_or_in_none)
{
    struct err err = {0};
    ck_assert_int_eq(cg_make(&cg, "a1.0.1.s0", 0, &err), 0);
    ck_assert(cg_is_whole(&cg, "a1.0.1.s0"));
    ck_assert_int_eq(cg_make(&cg, "a1.0.1.s0", 0, &err), -EEXIST);
    ck_assert(cg_is_whole(&cg, "a1.0.1.s0"));
    ck_assert_int_eq(cg_remove(&cg, "a1.0.1.s0"), 0);
    ck_assert(!cg_is_whole(&cg, "a1.0.1.s0"));
    ck_assert_int_eq(cg_remove(&cg, "a1.0.1.s0"), 0);
    /* one of them taken: the others are given back */
    int last = cg.count - 1;
    ck_assert_int_eq(mkdirat(cg.at[last].base, "a2.0.1.s0", 0755), 0);
    ck_assert_int_eq(cg_make(&cg, "a2.0.1.s0", 0, &err), -EEXIST);
    ck_assert(last == 0 || faccessat(cg.at[0].base, "a2.0.1.s0", F_OK, 0) < 0);
    ck_assert_int_eq(cg_remove(&cg, "a2.0.1.s0"), 0);
}
END_TEST

START_TEST(test_limits_read_back_as_asked)
{
    struct err err = {0};
    struct cg_value values[CG_VALUES_MAX];
    ck_assert_int_eq(cg_make(&cg, "a1.0.1.s0", 0, &err), 0);
    ck_assert_msg(cg_limit(&cg, "a1.0.1.s0", &spec, NULL, &err) == 0, "%s", err.text);
    int count = cg_values(&cg, &spec, values);
    for (int i = 0; i < count; i++) {
        char is[64];
        ssize_t n = cg_file_read(cg.at[cg.of[values[i].controller]].base, "a1.0.1.s0", values[i].file, is, sizeof is);
        if (n == -ENOENT && values[i].if_present)
            continue;
        ck_assert_msg(n > 0 && strcmp(is, values[i].text) == 0, "%s", values[i].file);
    }
    ck_assert_int_eq(cg_remove(&cg, "a1.0.1.s0"), 0);
}
END_TEST

/* What limits of reads and writes become while an attempt runs. Pure: no such device need be there. */
static const struct io_value_row {
    const char *says;
    bool v2;
    enum node_feature feature;
    struct sandbox_limits limits;
    const char *file, *text;
    enum cg_match match;
} io_values[] = {
    {"a limit", false, FEATURE_IO_READ_BPS, {.io_read_bps = 5}, "blkio.throttle.read_bps_device", "8:0 5", CG_LINE},
    {"none any more", false, FEATURE_IO_READ_BPS, {0}, "blkio.throttle.write_iops_device", "8:0 0", CG_NO_LINE},
    {"one of four", true, FEATURE_IO_READ_BPS, {.io_write_ops = 7}, "io.max",
     "8:0 rbps=max wbps=max riops=max wiops=7", CG_LINE},
    {"none of four", true, FEATURE_IO_READ_BPS, {0}, "io.max", "8:0 rbps=max wbps=max riops=max wiops=max",
     CG_NO_LINE},
    {"a weight", true, FEATURE_IO_WEIGHT, {.io_weight = 9}, "io.weight", "default 9", CG_LINE},
    {"the usual one again", false, FEATURE_IO_WEIGHT, {0}, "blkio.bfq.weight", "100", CG_WHOLE},
};

START_TEST(test_limits_of_reads_and_writes_follow)
{
    const struct io_value_row *row = &io_values[_i];
    struct cg node = {.count = 1, .at = {{.v2 = row->v2}}, .io = {makedev(8, 0)}, .io_count = 1,
                      .able.features = FEATURE_BIT(row->feature)};
    struct cg_value values[CG_VALUES_MAX];
    int count = cg_io_values(&node, &row->limits, values), found = -1;
    for (int i = 0; i < count; i++)
        if (strcmp(values[i].file, row->file) == 0)
            found = i;
    ck_assert_msg(found >= 0, "%s: no %s", row->says, row->file);
    ck_assert_str_eq(values[found].text, row->text);
    ck_assert_int_eq(values[found].match, row->match);
    node.able.features = 0;
    ck_assert_int_eq(cg_io_values(&node, &row->limits, values), 0); /* who can't limit isn't asked to */
}
END_TEST

START_TEST(test_members_are_known_killed_and_gone)
{
    struct err err = {0};
    ck_assert_int_eq(cg_make(&cg, "a1.0.1.s0", 0, &err), 0);
    ck_assert(cg_is_empty(&cg, "a1.0.1.s0", -1));
    int self = proc_of(getpid());
    ck_assert_int_eq(cg_check_member(&cg, "a1.0.1.s0", 0, self), -EXDEV);
    close(self);
    pid_t pid = sleeper_in_all("a1.0.1.s0");
    int proc = proc_of(pid);
    ck_assert_int_eq(cg_check_member(&cg, "a1.0.1.s0", 0, proc), 0);
    ck_assert_int_eq(cg_check_member(&cg, "a1.0.1.s1", 0, proc), -EXDEV);
    ck_assert_int_eq(cg_check_member(&cg, "1.0.1.s0", 0, proc), -EXDEV);
    ck_assert(!cg_is_empty(&cg, "a1.0.1.s0", -1));
    ck_assert_int_lt(cg_remove(&cg, "a1.0.1.s0"), 0); /* never while something is in it */
    ck_assert(cg_is_whole(&cg, "a1.0.1.s0"));
    ck_assert_int_eq(cg_check_member(&cg, "a1.0.1.s0", 0, proc), 0);
    ck_assert_int_eq(cg_kill(&cg, "a1.0.1.s0"), 0);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert(cg_is_empty(&cg, "a1.0.1.s0", -1));
    ck_assert_int_eq(cg_remove(&cg, "a1.0.1.s0"), 0);
    close(proc);
}
END_TEST

START_TEST(test_without_a_cgroup2_mount_members_are_killed_one_by_one)
{
    struct err err = {0};
    if (cg.at[0].v2)
        return; /* pure v2: there is always one */
    int leaf = cg.leaf;
    ck_assert_int_eq(cg_make(&cg, "a1.0.1.s0", 0, &err), 0);
    pid_t pid = sleeper_in_all("a1.0.1.s0");
    struct cg blind = cg;
    blind.leaf = -1;
    blind.count = leaf >= 0 ? cg.count - 1 : cg.count; /* the leaf is the last one found */
    ck_assert(!cg_is_empty(&blind, "a1.0.1.s0", -1));
    ck_assert_int_eq(cg_kill(&blind, "a1.0.1.s0"), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert(cg_is_empty(&blind, "a1.0.1.s0", -1));
    ck_assert_int_eq(cg_remove(&cg, "a1.0.1.s0"), 0);
}
END_TEST

START_TEST(test_usage_counts_the_group)
{
    struct err err = {0};
    struct usage usage;
    ck_assert_int_eq(cg_make(&cg, "a1.0.1.s0", 0, &err), 0);
    pid_t pid = sleeper_in_all("a1.0.1.s0");
    cg_usage(&cg, "a1.0.1.s0", &usage);
    ck_assert(!is_measured(usage.pids_peak) || measured(usage.pids_peak) == 1); /* since 6.11 */
    ck_assert(is_measured(usage.oom_kills) && measured(usage.oom_kills) == 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(cg_remove(&cg, "a1.0.1.s0"), 0);
    cg_usage(&cg, "a1.0.1.s0", &usage); /* of nothing: nothing */
    ck_assert(!is_measured(usage.pids_peak) && !is_measured(usage.oom_kills) && !is_measured(usage.read_bytes));
}
END_TEST

START_TEST(test_one_name_serves_one_warden)
{
    struct cg second;
    struct err err = {0};
    ck_assert_int_eq(cg_open(&second, name, false, &err), -EBUSY);
    ck_assert_ptr_nonnull(strstr(err.text, name));
}
END_TEST

/* Started again from elsewhere: what lives on is found. */
START_TEST(test_an_earlier_place_is_found_again)
{
    struct err err = {0};
    struct cg again;
    char dir[2 * CG_PATH_MAX], procs[2 * CG_PATH_MAX + 16], pid[16];
    const struct cg_hierarchy *h = &cg.at[cg.of[CG_PIDS]];
    if (h->v2)
        return; /* a group with children and controllers may not have processes */
    ck_assert_int_eq(cg_make(&cg, "a1.0.1.s0", 0, &err), 0);
    snprintf(dir, sizeof dir, "%s/elsewhere%d", h->mount, (int)getpid());
    snprintf(procs, sizeof procs, "%s/cgroup.procs", dir);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    ck_assert_int_eq(mkdir(dir, 0755), 0);
    FILE *f = fopen(procs, "we");
    ck_assert(f != NULL && fputs(pid, f) >= 0 && fclose(f) == 0);
    int lock = cg.at[0].base;
    cg.at[0].base = openat(lock, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* the first life's lock goes with it */
    close(lock);
    ck_assert_msg(cg_open(&again, name, false, &err) == 0, "%s", err.text);
    ck_assert(cg_is_whole(&again, "a1.0.1.s0"));
    ck_assert_str_eq(again.at[again.of[CG_PIDS]].path, h->path);
    cg_close(&again, false);
    ck_assert_int_eq(cg_remove(&cg, "a1.0.1.s0"), 0);
    snprintf(procs, sizeof procs, "%s/cgroup.procs", h->mount);
    f = fopen(procs, "we");
    ck_assert(f != NULL && fputs(pid, f) >= 0 && fclose(f) == 0 && rmdir(dir) == 0);
}
END_TEST

/* --- our own group, and nothing above it ------------------------------------------------------------------------- */

static void move(const char *mount, const char *group, pid_t pid)
{
    char path[2 * CG_PATH_MAX], text[16];
    snprintf(path, sizeof path, "%s%s", mount, group);
    snprintf(text, sizeof text, "%d", (int)pid);
    ck_assert_msg(cg_file_write(AT_FDCWD, path, "cgroup.procs", text) == 0, "%s", path);
}

static void make_unit(const char *mount, char group[32], bool with_controllers)
{
    char path[2 * CG_PATH_MAX];
    snprintf(group, 32, "/unit%d", (int)getpid());
    if (with_controllers)
        ck_assert_int_eq(cg_file_write(AT_FDCWD, mount, "cgroup.subtree_control", "+cpu +memory +pids +io"), 0);
    snprintf(path, sizeof path, "%s%s", mount, group);
    ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void drop_unit(const char *mount, const char *group)
{
    char path[3 * CG_PATH_MAX];
    move(mount, "", getpid());
    snprintf(path, sizeof path, "%s%s/reeve-%s-own.warden", mount, group, name);
    (void)!rmdir(path);
    snprintf(path, sizeof path, "%s%s", mount, group);
    ck_assert_msg(rmdir(path) == 0, "%s: %s", path, strerror(errno));
}

START_TEST(test_groups_are_made_below_our_own_only)
{
    const struct cg_hierarchy *h = &cg.at[cg.of[CG_PIDS]];
    struct err err = {0};
    struct cg own;
    char group[32], other[64], want[128], procs[256], path[2 * CG_PATH_MAX];
    snprintf(other, sizeof other, "%s-own", name);
    make_unit(h->mount, group, h->v2);
    move(h->mount, group, getpid());
    ck_assert_msg(cg_open(&own, other, false, &err) == 0, "%s", err.text);
    snprintf(want, sizeof want, "%s/reeve-%s", group + 1, other);
    ck_assert_str_eq(own.at[own.of[CG_PIDS]].path, want);
    if (h->v2) { /* it stepped aside: a group with children that are limited has no processes */
        snprintf(path, sizeof path, "%s%s", h->mount, group);
        ck_assert_int_eq(cg_file_read(AT_FDCWD, path, "cgroup.procs", procs, sizeof procs), 0);
    }
    cg_close(&own, true);
    drop_unit(h->mount, group);
}
END_TEST

START_TEST(test_a_shared_group_is_refused_unless_the_root_will_do)
{
    const struct cg_hierarchy *h = &cg.at[cg.of[CG_PIDS]];
    struct err err = {0};
    struct cg own;
    char group[32], other[64];
    if (!h->v2)
        return; /* v1 lets processes and groups live side by side */
    snprintf(other, sizeof other, "%s-own", name);
    make_unit(h->mount, group, true);
    pid_t pid = sleeper();
    move(h->mount, group, getpid());
    move(h->mount, group, pid);
    ck_assert_int_eq(cg_open(&own, other, false, &err), -EBUSY);
    ck_assert_ptr_nonnull(strstr(err.text, "other processes share"));
    ck_assert_ptr_nonnull(strstr(err.text, group));
    move(h->mount, group, getpid()); /* out of the leaf it had tried */
    ck_assert_int_eq(cg_open(&own, other, true, &err), 0);
    ck_assert_ptr_null(strchr(own.at[own.of[CG_PIDS]].path, '/'));
    cg_close(&own, true);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    drop_unit(h->mount, group);
}
END_TEST

START_TEST(test_what_was_not_delegated_is_named)
{
    const struct cg_hierarchy *h = &cg.at[cg.of[CG_PIDS]];
    struct err err = {0};
    struct cg own;
    char group[32], inner[64], path[2 * CG_PATH_MAX];
    if (!h->v2)
        return;
    make_unit(h->mount, group, true);
    snprintf(inner, sizeof inner, "%s/inner", group);
    snprintf(path, sizeof path, "%s%s", h->mount, inner);
    ck_assert_int_eq(mkdir(path, 0755), 0); /* its parent hands nothing on */
    move(h->mount, inner, getpid());
    ck_assert_int_eq(cg_open(&own, "undelegated", false, &err), -ENODEV);
    bool named = strstr(err.text, "is not given to") != NULL && strstr(err.text, "Delegate=yes") != NULL;
    ck_assert_msg(named, "%s", err.text);
    move(h->mount, "", getpid());
    ck_assert_int_eq(rmdir(path), 0);
    drop_unit(h->mount, group);
}
END_TEST

/* --- what a cgroup2 mount does elsewhere ------------------------------------------------------------------------- */

/* The same hierarchies as on a host without one: the controller's own group is opened by hand. */
static struct cg without_cgroup2(enum cg_controller c)
{
    struct cg blind = cg;
    char mount[CG_PATH_MAX], path[2 * CG_PATH_MAX];
    blind.leaf = blind.of[c] = -1;
    if (cg.at[0].v2 || !cg_lib_mount_of(cg_controller_name(c, false), mount))
        return blind;
    struct cg_hierarchy *h = &blind.at[blind.count];
    *h = (struct cg_hierarchy){.controllers = 1u << c};
    snprintf(h->mount, sizeof h->mount, "%s", mount);
    snprintf(h->path, sizeof h->path, "reeve-%s", name);
    snprintf(path, sizeof path, "%s/%s", h->mount, h->path);
    ck_assert_int_eq(mkdir(path, 0755), 0);
    h->base = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(h->base, 0);
    blind.of[c] = blind.count;
    return blind;
}

static void drop_hierarchy(struct cg *blind, enum cg_controller c)
{
    char path[2 * CG_PATH_MAX];
    struct cg_hierarchy *h = &blind->at[blind->of[c]];
    close(h->base);
    snprintf(path, sizeof path, "%s/%s", h->mount, h->path);
    ck_assert_int_eq(rmdir(path), 0);
}

START_TEST(test_without_a_cgroup2_mount_devices_are_a_list)
{
    struct err err = {0};
    char text[512];
    struct cg blind = without_cgroup2(CG_DEVICES);
    if (blind.of[CG_DEVICES] < 0)
        return;
    int base = blind.at[blind.of[CG_DEVICES]].base;
    blind.able.devices_count = 2;
    blind.devices[0] = (struct node_device){.mode = S_IFCHR, .major = 10, .minor = 229};
    blind.devices[1] = (struct node_device){.mode = S_IFBLK, .major = 254, .minor = 0};
    ck_assert_msg(cg_devices_limit(&blind, ".", UINT32_MAX, &err) == 0, "%s", err.text);
    ck_assert_int_gt(cg_file_read(base, ".", "devices.list", text, sizeof text), 0);
    ck_assert_str_eq(text, "c 1:3 rw\nc 1:5 rw\nc 1:7 rw\nc 1:8 rw\nc 1:9 rw\nc 10:229 rw\nb 254:0 rw");
    ck_assert_int_eq(mkdirat(base, "a1.0.1.s0", 0755), 0); /* a new group has what the base has */
    ck_assert_int_eq(cg_devices_limit(&blind, "a1.0.1.s0", 2, &err), 0);
    ck_assert_int_gt(cg_file_read(base, "a1.0.1.s0", "devices.list", text, sizeof text), 0);
    ck_assert_str_eq(text, "c 1:3 rw\nc 1:5 rw\nc 1:7 rw\nc 1:8 rw\nc 1:9 rw\nb 254:0 rw");
    blind.able.devices_count = 1; /* a later life with fewer: the living lose it too */
    ck_assert_int_eq(cg_devices_limit(&blind, ".", UINT32_MAX, &err), 0);
    ck_assert_int_gt(cg_file_read(base, "a1.0.1.s0", "devices.list", text, sizeof text), 0);
    ck_assert_str_eq(text, "c 1:3 rw\nc 1:5 rw\nc 1:7 rw\nc 1:8 rw\nc 1:9 rw");
    ck_assert_int_eq(unlinkat(base, "a1.0.1.s0", AT_REMOVEDIR), 0);
    drop_hierarchy(&blind, CG_DEVICES);
}
END_TEST

START_TEST(test_without_a_cgroup2_mount_the_freezer_freezes_and_its_group_can_be_killed)
{
    struct err err = {0};
    struct cg blind = without_cgroup2(CG_FREEZER);
    if (blind.of[CG_FREEZER] < 0)
        return;
    blind.count++;
    for (int i = 0; i < blind.count; i++) /* the group on the cgroup2 mount isn't there for it */
        if (i == cg.leaf)
            blind.at[i].on_demand = true;
    ck_assert_msg(cg_make(&blind, "a1.0.1.s0", 0, &err) == 0, "%s", err.text);
    pid_t pid = sleeper_in(&blind, "a1.0.1.s0");
    int rc;
    while ((rc = cg_freeze(&blind, "a1.0.1.s0", true)) == 0)
        continue;
    ck_assert_int_eq(rc, 1);
    ck_assert_int_eq(cg_freeze(&blind, "a1.0.1.s0", false), 1);
    while ((rc = cg_freeze(&blind, "a1.0.1.s0", true)) == 0)
        continue;
    ck_assert_int_eq(cg_kill(&blind, "a1.0.1.s0"), 0); /* thawed too, or it would not die */
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(cg_remove(&blind, "a1.0.1.s0"), 0);
    drop_hierarchy(&blind, CG_FREEZER);
}
END_TEST

/* What a group on v2 is told when cores are taken and given back, with somebody living in it. */
START_TEST(test_a_populated_group_follows_what_is_shared)
{
    struct err err = {0};
    struct cg_cpus all, none = {{0}};
    if (cg.of[CG_CPUSET] < 0)
        return;
    ck_assert_msg(cg_share_cpus(&cg, &none, &err) == 0, "%s", err.text);
    all = cg.shared;
    ck_assert(cg_cpus_any(&all) && !cg.sharing);
    ck_assert_int_eq(cg_make(&cg, "a1.0.1.s0", 0, &err), 0);
    pid_t pid = sleeper_in_all("a1.0.1.s0");
    int proc = proc_of(pid);
    ck_assert_int_eq(cg_check_member(&cg, "a1.0.1.s0", 0, proc), 0);
    cg.sharing = true; /* all of them are left: the smallest machine has one */
    ck_assert_msg(cg_share_with(&cg, "a1.0.1.s0", &err) == 0, "%s", err.text);
    cg.sharing = false;
    ck_assert_msg(cg_share_with(&cg, "a1.0.1.s0", &err) == 0, "%s", err.text);
    ck_assert_msg(cg_share_cpus(&cg, &all, &err) == 0, "%s", err.text);
    ck_assert_msg(!cg.sharing && memcmp(&cg.shared, &all, sizeof all) == 0, "nothing is left, so all is shared");
    struct cg_cpus pinned;
    uint64_t guarantee;
    cg_recall(&cg, "a1.0.1.s0", &pinned, &guarantee);
    ck_assert_msg(!cg_cpus_any(&pinned), "who shares is not pinned");
    close(proc);
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(cg_remove(&cg, "a1.0.1.s0"), 0);
}
END_TEST

static const struct set_row {
    const char *text, *again; /* again NULL: not a set */
} sets[] = {
    {"0", "0"},       {"0-3", "0-3"},   {"0,1,2", "0-2"}, {"5,0-1", "0-1,5"}, {"1023", "1023"}, {"", ""},
    {"1024", NULL},   {"3-1", NULL},    {"1-", NULL},     {"a", NULL},        {"1,,2", NULL},   {"-1", NULL},
    {"1 2", NULL},    {"99999999999999999999", NULL},
};

START_TEST(test_processor_sets)
{
    struct cg_cpus set;
    char text[64];
    ck_assert_msg(cg_cpus_parse(sets[_i].text, &set) == (sets[_i].again != NULL), "'%s'", sets[_i].text);
    if (sets[_i].again == NULL)
        return;
    ck_assert(cg_cpus_format(&set, text, sizeof text));
    ck_assert_str_eq(text, sets[_i].again);
}
END_TEST

static const struct path_row {
    const char *sentence, *controller, *path;
} paths[] = {
    {"a controller alone in its hierarchy", "memory", "/a/b"},
    {"one of two mounted together", "cpuacct", "/c"},
    {"no controller: v2", NULL, "/u"},
    {"a name that only begins like one", "cp", NULL},
    {"a named hierarchy is no controller", "systemd", NULL},
};

START_TEST(test_path_in)
{
    static const char text[] = "12:memory:/a/b\n5:cpu,cpuacct:/c\n1:name=systemd:/s\n0::/u\n";
    char path[CG_PATH_MAX];
    bool found = cg_path_in(text, paths[_i].controller, path);
    ck_assert_msg(found == (paths[_i].path != NULL), "%s", paths[_i].sentence);
    if (found)
        ck_assert_str_eq(path, paths[_i].path);
}
END_TEST

static const struct group_row {
    const char *name;
    bool ok;
} groups[] = {
    {"a812.17.1.s5", true},
    {"a18446744073709551615.4294967295.4294967295.s4095", true},
    {"a0.0.1.s0", true},
    {"a1.0.0.s0", false},
    {"a1.0.1.s4096", false},
    {"a01.0.1.s0", false},
    {"a1.0.1.s", false},
    {"a1.0.1", false},
    {"a18446744073709551616.0.1.s0", false},
    {"a1.4294967296.1.s0", false},
    {"b1.0.1.s0", false},
    {"a1.0.1.s0x", false},
    {"", false},
    {"a-1.0.1.s0", false},
    {"a1.0.1.s0/..", false},
};

START_TEST(test_group_name)
{
    struct attempt_id id;
    uint32_t slot;
    ck_assert_msg(attempt_group_parse(groups[_i].name, &id, &slot) == groups[_i].ok, "'%s'", groups[_i].name);
}
END_TEST

START_TEST(test_slots_are_not_shared)
{
    static struct attempts a;
    a.slots = 3;
    struct attempt *adopted = attempts_adopt(&a, "a7.0.1.s1");
    ck_assert_ptr_nonnull(adopted);
    ck_assert_ptr_null(attempts_adopt(&a, "a8.0.1.s1")); /* the slot is taken */
    ck_assert_ptr_null(attempts_adopt(&a, "a7.0.1.s2")); /* the id is */
    struct attempt *first = attempts_add(&a, (struct attempt_id){9, 0, 1}),
                   *second = attempts_add(&a, (struct attempt_id){9, 0, 2});
    ck_assert_uint_eq(attempts_slot(&a, first), 0);
    ck_assert_uint_eq(attempts_slot(&a, second), 2);
    ck_assert_ptr_null(attempts_add(&a, (struct attempt_id){9, 0, 3}));
    ck_assert_ptr_eq(attempts_find(&a, (struct attempt_id){7, 0, 1}), adopted);
    attempts_drop(&a, adopted);
    ck_assert_ptr_null(attempts_find(&a, (struct attempt_id){7, 0, 1}));
    ck_assert_str_eq(attempts_add(&a, (struct attempt_id){9, 0, 3})->group, "a9.0.3.s1");
}
END_TEST

int main(void)
{
    log_init("test_cgroup", LOG_WARN);
    Suite *s = suite_create("isolation/cgroup");
    TCase *pure = tcase_create("names"), *t = tcase_create("groups");
    tcase_add_loop_test(pure, test_path_in, 0, (int)COUNT_OF(paths));
    tcase_add_loop_test(pure, test_group_name, 0, (int)COUNT_OF(groups));
    tcase_add_test(pure, test_slots_are_not_shared);
    tcase_add_loop_test(pure, test_limits_of_reads_and_writes_follow, 0, (int)COUNT_OF(io_values));
    tcase_add_loop_test(pure, test_processor_sets, 0, (int)COUNT_OF(sets));
    suite_add_tcase(s, pure);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_a_group_is_in_all_hierarchies_or_in_none);
    tcase_add_test(t, test_limits_read_back_as_asked);
    tcase_add_test(t, test_members_are_known_killed_and_gone);
    tcase_add_test(t, test_without_a_cgroup2_mount_members_are_killed_one_by_one);
    tcase_add_test(t, test_usage_counts_the_group);
    tcase_add_test(t, test_one_name_serves_one_warden);
    tcase_add_test(t, test_an_earlier_place_is_found_again);
    tcase_add_test(t, test_groups_are_made_below_our_own_only);
    tcase_add_test(t, test_a_shared_group_is_refused_unless_the_root_will_do);
    tcase_add_test(t, test_what_was_not_delegated_is_named);
    tcase_add_test(t, test_without_a_cgroup2_mount_devices_are_a_list);
    tcase_add_test(t, test_a_populated_group_follows_what_is_shared);
    tcase_add_test(t, test_without_a_cgroup2_mount_the_freezer_freezes_and_its_group_can_be_killed);
    if (geteuid() == 0)
        suite_add_tcase(s, t);
    else
        printf("skipped: groups need root\n");
    return run_suite(s);
}
