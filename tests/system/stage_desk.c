#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/system/stage_desk.h"
#include "tests/system/suite.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

struct driver d;
struct ended e;
struct task task;
struct granter g = {.sock = -1};
struct stage_report report;
char home[32], base[64];
static char in_option[96], out_option[96];
static const char *options[] = {"--volume", in_option, "--volume", out_option, NULL};

/* A line of shell where the volumes `in` and `out` are. */
bool try(const char *line)
{
    char command[4096];
    snprintf(command, sizeof command, "cd %s && { %s; }", base, line);
    return system(command) == 0; /* lint: allow in tests */
}

/* It must succeed. */
void host(const char *line)
{
    ck_assert_msg(try(line), "failed: %s", line);
}

static void setup_in(const char *folder)
{
    snprintf(base, sizeof base, "%.32s/t-XXXXXX", folder);
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(in_option, sizeof in_option, "in=%s/in:ro", base);
    snprintf(out_option, sizeof out_option, "out=%s/out", base);
    host("mkdir in out && chown 4321:4321 in out && chmod 755 .");
    driver_init_with(&d, options);
}

static int disk_file = -1; /* what the disk is made of; it has no name */

/* In a mount namespace of the test's own: whatever becomes of it, the disk goes with it. */
static bool mount_disk(const char *size, const char *make, const char *mounted)
{
    char line[512], path[96];
    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    snprintf(base, sizeof base, "%s", home);
    snprintf(line, sizeof line, "mkdir -p disk && truncate -s %s disk.file && %s disk.file >/dev/null && "
             "mount -o %s disk.file disk 2>/dev/null", size, make, mounted);
    bool good = try(line);
    snprintf(path, sizeof path, "%s/disk.file", base);
    disk_file = open(path, O_RDWR | O_CLOEXEC);
    host("rm -f disk.file && chmod 755 disk");
    return good;
}

static void setup_on_disk(void)
{
    char disk[40];
    snprintf(disk, sizeof disk, "%.32s/disk", home);
    setup_in(disk);
}

void setup_disk(const char *size)
{
    ck_assert(mount_disk(size, "mkfs.ext4 -q -F -O ^has_journal", "loop"));
    setup_on_disk();
}

bool setup_quota(const char *size)
{
    if (!mount_disk(size, "mkfs.ext4 -q -F -O quota", "loop,usrquota") &&
        !mount_disk("128M", "mkfs.btrfs -q -m single -d single", "loop"))
        return false;
    setup_on_disk();
    return true;
}

void cut_disk(uint64_t bytes)
{
    struct stat st;
    char path[64];
    host("sync -f . 2>/dev/null || true"); /* what failed before fails here, too */
    ck_assert_int_eq(stat(base, &st), 0);
    snprintf(path, sizeof path, "/dev/loop%u", minor(st.st_dev));
    CLEANUP(close_p) int device = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_msg(device >= 0, "%s: %s", path, strerror(errno));
    ck_assert_int_eq(ftruncate(disk_file, (off_t)bytes), 0);
    ck_assert_int_eq(ioctl(device, LOOP_SET_CAPACITY), 0);
}

/* Where the file system of /var/tmp can't map ids there may be a loop device. */
static bool is_disk(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC ||
                                      fs.f_type == XFS_SUPER_MAGIC);
}

void setup(void)
{
    if (is_disk(home))
        setup_in(home);
    else
        setup_disk("200M");
}

void teardown(void)
{
    driver_fini(&d);
    ck_assert_msg(driver_groups_gone(&d), "a cgroup is left");
    host("chmod -R u+rwx . && rm -rf in out");
    ck_assert_int_eq(rmdir(base), 0);
}

struct run run_of(const char *script, const struct stage_try *stages, size_t count)
{
    static const char *argv[4] = {"/bin/sh", "-c", NULL, NULL};
    argv[2] = script;
    struct run r = driver_run(&d, argv);
    r.spec.root.volumes_count = 2;
    r.spec.root.volumes[0] = (struct root_volume){.name = "in", .path = "/mnt/in"};
    r.spec.root.volumes[1] = (struct root_volume){.name = "out", .path = "/mnt/out", .writable = 1};
    r.spec.scratch_bytes = (uint64_t)64 << 20;
    r.spec.scratch_inodes = 5000;
    for (size_t i = 0; i < count; i++)
        r.spec.stages |= (stages[i].flags & STAGE_OUT) != 0 ? STAGE_OUTPUTS : STAGE_INPUTS;
    r.stages = stages;
    r.stages_count = count;
    return r;
}

void launch(const char *script, const struct stage_try *stages, size_t count)
{
    struct run r = run_of(script, stages, count);
    ck_assert_msg(driver_launch(&d, &r, &task) == OP_DONE, "%s: %s", task.launch.step, strerror(task.launch.error));
}

static void look(void)
{
    ck_assert_msg(driver_stage(&task, &report), "no sound report");
}

void finish(void)
{
    close_p(&g.sock);
    driver_end(&d, &task, &e);
    look();
}

void serve_all(void)
{
    g.totals = (struct mover_totals){{0}, {0}};
    if (granter_take(&g, &task)) /* else it has ended without */
        granter_serve(&g, UINT32_MAX / 2);
    finish();
}

void begin(const char *prepare, const char *script, const struct stage_try *tries, size_t count, unsigned grants)
{
    host(prepare);
    launch(script, tries, count);
    g.totals = (struct mover_totals){{0}, {0}};
    ck_assert(granter_take(&g, &task));
    granter_serve(&g, grants);
}

void serve_rest(void)
{
    close_p(&g.sock);
    if (granter_take(&g, &task))
        granter_serve(&g, UINT32_MAX / 2);
    finish();
}

const struct stage_try bring_d[1] = {{IN, "/mnt/in/d", "/tmp/d", 0, NULL}};
const char many[] = "mkdir -p in/d/e && for i in 1 2 3 4 5 6; do head -c 400000 /dev/zero >in/d/e/$i; done";

int stage_desk_run(Suite *s)
{
    if (suite_under_uml()) {
        puts("skip: user-mode-linux has no disk whose ids can be mapped, so no volume that a job may write");
        return 0;
    }
    strcpy(home, "/var/tmp/reeve-stage-XXXXXX"); /* lint: allow it fits */
    if (mkdtemp(home) == NULL || chmod(home, 0755) < 0)
        return 1;
    int code = run_suite(s);
    snprintf(base, sizeof base, "%s", home);
    return try("chmod -R u+rwx . && rm -rf *") && rmdir(home) == 0 ? code : 1;
}
