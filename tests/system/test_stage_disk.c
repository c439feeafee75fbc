/*
 * Inputs and outputs on disks that are full, over a quota, or broken: what is said, and that nothing half stays. The
 * disks are real: small ones, quotas of ext4 or btrfs, and one of which a part is taken away. Root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/quota.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/system/stage_desk.h"
#include "tests/system/suite.h"

static const char out_is_empty[] = "[ -z \"$(ls -A out)\" ]";
static const struct stage_try bring_a[] = {{OUT, "/tmp/a", "/mnt/out/a", 0, NULL}};

/* ---- full, over a quota ---- */

static const char *const too_much[] = {
    "head -c 20000000 /dev/zero >/tmp/a",
    "mkdir /tmp/a; for i in $(seq 20); do head -c 1000000 /dev/zero >/tmp/a/$i; done",
};

static void is_too_much(const char *script, int error)
{
    launch(script, bring_a, 1);
    serve_all();
    ck_assert_uint_eq(e.record.cause, END_OUTPUTS);
    ck_assert_msg(report.why == STAGE_WHY_COPY && report.error == error, "%s: %s", stage_why_says(report.why),
                  strerror(report.error));
    ck_assert_msg(strncmp(report.path, "/tmp/a", 6) == 0, "%s", report.path);
    host(out_is_empty);
}

static void setup_small(void)
{
    setup_disk("8M");
}

START_TEST(a_full_disk_is_said_and_nothing_stays)
{
    is_too_much(too_much[_i], ENOSPC);
    host("head -c 3000000 /dev/zero >out/room && rm out/room"); /* it is all given back */
}
END_TEST

static bool has_quota;

static void setup_quotas(void)
{
    has_quota = setup_quota("64M");
}

static void teardown_quotas(void)
{
    if (has_quota)
        teardown();
}

/* 8 MiB for the volume's owner, or for all that is on the disk. */
static void set_quota(void)
{
    struct dqblk limit = {.dqb_bhardlimit = 8192, .dqb_bsoftlimit = 8192, .dqb_valid = QIF_BLIMITS}; /* KiB */
    char device[128], line[128];
    if (try("command -v btrfs >/dev/null && btrfs quota enable . 2>/dev/null")) {
        host("btrfs qgroup limit 8M 0/5 .");
        return;
    }
    snprintf(line, sizeof line, "findmnt -n -o SOURCE --mountpoint %s/disk", home);
    FILE *f = popen(line, "re"); /* lint: allow in tests */
    ck_assert(f != NULL && fgets(device, sizeof device, f) != NULL);
    pclose(f);
    device[strcspn(device, "\n")] = '\0';
    ck_assert_msg(quotactl(QCMD(Q_SETQUOTA, USRQUOTA), device, OWNER, (caddr_t)&limit) == 0, "%s: %s", device,
                  strerror(errno));
}

START_TEST(a_quota_is_said_and_nothing_stays)
{
    if (!has_quota) {
        puts("skip: this kernel has neither quotas of ext4 nor btrfs");
        return;
    }
    set_quota();
    is_too_much(too_much[_i], EDQUOT);
}
END_TEST

/* ---- broken ---- */

#define DISK_BYTES (UINT64_C(64) << 20)

static void setup_broken(void)
{
    setup_disk("64M");
}

/* What was taken away is there again, so that all can be taken down. */
static void teardown_broken(void)
{
    cut_disk(DISK_BYTES);
    teardown();
}

#define EXTENTS_MAX 512

/* Where a file of the base lies on the disk. */
static uint32_t extents_of(const char *file, int *ret_fd, struct fiemap_extent ret[EXTENTS_MAX])
{
    static union {
        struct fiemap map;
        char room[sizeof(struct fiemap) + EXTENTS_MAX * sizeof(struct fiemap_extent)];
    } all;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", base, file);
    *ret_fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_msg(*ret_fd >= 0, "%s: %s", path, strerror(errno));
    all.map = (struct fiemap){.fm_length = UINT64_MAX, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = EXTENTS_MAX};
    ck_assert_int_eq(ioctl(*ret_fd, FS_IOC_FIEMAP, &all.map), 0);
    ck_assert(all.map.fm_mapped_extents > 0 && all.map.fm_mapped_extents < EXTENTS_MAX);
    memcpy(ret, all.map.fm_extents, all.map.fm_mapped_extents * sizeof ret[0]);
    return all.map.fm_mapped_extents;
}

static uint64_t middle_of(const char *file)
{
    struct fiemap_extent at[EXTENTS_MAX];
    int fd;
    uint32_t last = extents_of(file, &fd, at) - 1;
    close(fd);
    return at[last].fe_physical + at[last].fe_length / 2 / 4096 * 4096;
}

/* Whatever of the filler lies behind `from` is free. */
static void free_behind(uint64_t from)
{
    struct fiemap_extent at[EXTENTS_MAX];
    int fd;
    uint32_t count = extents_of("in/filler", &fd, at);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t skip = at[i].fe_physical < from ? from - at[i].fe_physical : 0;
        if (skip < at[i].fe_length)
            ck_assert_int_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(at[i].fe_logical + skip),
                                       (off_t)(at[i].fe_length - skip)), 0);
    }
    close(fd);
}

/* What is no whole block is read through the page cache, where it would still lie. */
#define NOT_CACHED " && sync in/a && dd if=in/a iflag=nocache count=0 status=none"

static const struct broken_row {
    const char *says, *prepare, *from, *path;
    uint32_t flags;
} broken[] = {
    {"a file that can't be read to its end", "true", "/mnt/in/a", "/mnt/in/a", 0},
    {"whose digest is wanted", "true", "/mnt/in/a", "/mnt/in/a", STAGE_HASHED},
    {"one in a folder", "mkdir in/d && echo 1 >in/d/1 && ln in/a in/d/a", "/mnt/in/d", "/mnt/in/d/a", 0},
    {"its last bytes", "truncate -s 50001 in/a" NOT_CACHED, "/mnt/in/a", "/mnt/in/a", 0},
    {"their digest", "truncate -s 50001 in/a" NOT_CACHED, "/mnt/in/a", "/mnt/in/a", STAGE_HASHED},
};

START_TEST(what_cannot_be_read_is_said_and_the_command_never_runs)
{
    const struct broken_row *row = &broken[_i];
    const struct stage_try tries[] = {{IN | row->flags, row->from, "/tmp/x", 0, NULL}};
    host("head -c 6000000 /dev/zero | tr '\\0' x >in/a");
    host(row->prepare);
    cut_disk(middle_of("in/a"));
    launch("echo ran", tries, 1);
    serve_all();
    ck_assert_msg(e.record.cause == END_INPUTS, "%s: cause %u", row->says, e.record.cause);
    ck_assert_msg(report.why == STAGE_WHY_COPY && report.error == EIO, "%s: %s: %s", row->says,
                  stage_why_says(report.why), strerror(report.error));
    ck_assert_str_eq(report.path, row->path);
    ck_assert_str_eq(e.out, "");
    ck_assert_uint_eq(report.results[0].done, 0);
}
END_TEST

/* All that is free lies where nothing is any more: the filler has the rest. */
static const char *const made[] = {
    "head -c 3000000 /dev/zero | tr '\\0' x >/tmp/a",
    "echo 1 >/tmp/a",
    "mkdir /tmp/a; echo 1 >/tmp/a/1; head -c 3000000 /dev/zero | tr '\\0' x >/tmp/a/2",
};

START_TEST(what_cannot_be_written_is_said_and_nothing_stays)
{
    const uint64_t cut = DISK_BYTES * 5 / 8;
    host("head -c 1G /dev/zero >in/filler 2>/dev/null || true");
    free_behind(cut);
    cut_disk(cut);
    launch(made[_i], bring_a, 1);
    serve_all();
    ck_assert_msg(e.record.cause == END_OUTPUTS, "cause %u", e.record.cause);
    bool said = report.why == STAGE_WHY_COPY || report.why == STAGE_WHY_SYNC;
    ck_assert_msg(said && report.error == EIO, "%s: %s", stage_why_says(report.why), strerror(report.error));
    const char *about = report.why == STAGE_WHY_COPY ? "/tmp/a" : "/mnt/out/a"; /* or synced there */
    ck_assert_msg(strncmp(report.path, about, strlen(about)) == 0, "%s", report.path);
    host(out_is_empty);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        puts("skip: needs root");
        return 0;
    }
    Suite *s = suite_create("stage_disk");
    TCase *full = tcase_create("full"), *quota = tcase_create("quota"), *worn = tcase_create("broken");
    tcase_set_timeout(full, 120);
    tcase_set_timeout(quota, 120);
    tcase_set_timeout(worn, 120);
    tcase_add_checked_fixture(full, setup_small, teardown);
    tcase_add_loop_test(full, a_full_disk_is_said_and_nothing_stays, 0, (int)COUNT_OF(too_much));
    tcase_add_checked_fixture(quota, setup_quotas, teardown_quotas);
    tcase_add_loop_test(quota, a_quota_is_said_and_nothing_stays, 0, (int)COUNT_OF(too_much));
    tcase_add_checked_fixture(worn, setup_broken, teardown_broken);
    tcase_add_loop_test(worn, what_cannot_be_read_is_said_and_the_command_never_runs, 0, (int)COUNT_OF(broken));
    tcase_add_loop_test(worn, what_cannot_be_written_is_said_and_nothing_stays, 0, (int)COUNT_OF(made));
    suite_add_tcase(s, full);
    suite_add_tcase(s, quota);
    suite_add_tcase(s, worn);
    return stage_desk_run(s);
}
