/*
 * What a sandbox's root is made of: images, overlays, volumes, private networks; and what hostile ones can't do.
 * Root. Each test has a warden of its own.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "isolation/idmap.h"
#include "isolation/landlock.h"
#include "tests/system/confine_rows.h"
#include "tests/system/driver.h"
#include "tests/system/suite.h"

#define OWNER 4321 /* of the writable volume, on disk */

static struct driver d;
static struct ended e;
#define OPTIONS_MAX 24
static const char *options[OPTIONS_MAX + 1];
static char paths[OPTIONS_MAX][256];
/* Where images and volumes lie: one folder for the whole run, with the image that every test's own is linked from, and
 * `base` in it, the test's. Where /tmp can't map ids, an ext4 disk is mounted there. */
static char home[64], base[80];
static bool has_disk;
static bool can_map; /* the file system of our folder can map ids: overlays and writable volumes work */

/* --- helpers ----------------------------------------------------------------------------------------------------- */

static int count_lines(const char *command)
{
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    char text[32] = "";
    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
    pclose(f);
    return atoi(text); /* lint: allow in tests */
}

/* Runs a line of shell in our folder; it must succeed. */
static void host(const char *line)
{
    char command[2048];
    snprintf(command, sizeof command, "cd %s && { %s; }", base, line);
    ck_assert_msg(system(command) == 0, "failed: %s", line); /* lint: allow in tests */
}

/* Where this file's scripts lie: the test runs from anywhere, out of a build tree in the tree. */
static const char *tests_folder(void)
{
    static char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
    path[MAX(n, 0)] = '\0';
    for (int up = 0; up < 4; up++)
        *strrchr(path, '/') = '\0';
    strncat(path, "/tests/system", sizeof path - strlen(path) - 1);
    return path;
}

static bool home_can_map_ids(void)
{
    static const struct idmap_row row = {OWNER, 100000, 1};
    int mount = open_tree(AT_FDCWD, home, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    int rc = mount < 0 ? mount : idmap_mount(mount, &row, 1, &row, 1);
    close(mount);
    return rc == 0;
}

/* `before`, our folder, `after`; NULL: only the first. */
static void add_option(const char *name, const char *before, const char *after)
{
    size_t at = 0;
    while (options[at] != NULL)
        at++;
    ck_assert_uint_lt(at + 1, OPTIONS_MAX);
    snprintf(paths[at + 1], sizeof paths[0], "%s%s%s", before, after != NULL ? base : "", after != NULL ? after : "");
    options[at] = name;
    options[at + 1] = paths[at + 1];
}

static void prepare(void)
{
    driver_prepare(&d, options);
    char line[1024];
    snprintf(line, sizeof line,
             "umask 022 && mkdir images ro rw out && cp -al ../image images/plain && chown %d:%d rw && "
             "echo reference > ro/file && echo other > out/keep && mkdir images/empty",
             OWNER, OWNER);
    snprintf(base, sizeof base, "%s/reeve-test-%d", home, (int)getpid());
    ck_assert_int_eq(mkdir(base, 0755), 0);
    host(line);
    can_map = home_can_map_ids();
    add_option("--images", "", "/images");
    add_option("--volume", "ref=", "/ro:ro");
    add_option("--volume", "data=", can_map ? "/rw" : "/rw:ro");
    add_option("--volume", "noexec=", can_map ? "/rw:noexec" : "/rw:ro:noexec");
}

static void setup(void)
{
    prepare();
    driver_start_warden(&d);
}

/* With a bridge, in a network of this test's own. */
static void setup_network(void)
{
    ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
    prepare();
    host("ip link set lo up && ip link add jobs0 type bridge && ip addr add 10.213.0.1/24 dev jobs0 && ip link set "
        "jobs0 up");
    add_option("--private-net", "jobs0=10.213.0.1/24:route", NULL);
    driver_start_warden(&d);
}

/* By the name of our folder: seen from outside of the warden's mounts, the path before it may be cut. */
static int loops_of_ours(void)
{
    char command[256];
    snprintf(command, sizeof command, "cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -c %s",
             strrchr(base, '/') + 1);
    return count_lines(command);
}

/* The kernel lets go of a device when the last copy of its mount has gone, a moment later. */
static void wait_for_no_loops(void)
{
    for (int i = 0; i < 200 && loops_of_ours() > 0; i++)
        poll(NULL, 0, 50);
    ck_assert_int_eq(loops_of_ours(), 0);
}

static void teardown(void)
{
    driver_fini(&d); /* fails to remove the folder when something is mounted there */
    ck_assert_msg(driver_groups_gone(&d), "a cgroup is left");
    ck_assert_msg(access(d.dir, F_OK) < 0, "the warden's folder is left");
    struct err err = {0};
    ck_assert_msg(dir_remove(base, &err) == 0, "%s", err.text); /* a mount in it would be in the way */
    wait_for_no_loops();
}

static struct run in_image(const char *image, uint32_t mode, const char *const *argv)
{
    struct run r = driver_run(&d, argv);
    snprintf(r.spec.root.image, sizeof r.spec.root.image, "%s", image);
    r.spec.root.mode = mode;
    return r;
}

static void add_volume(struct run *r, const char *name, const char *path, bool writable)
{
    struct root_volume *v = &r->spec.root.volumes[r->spec.root.volumes_count++];
    snprintf(v->name, sizeof v->name, "%s", name);
    snprintf(v->path, sizeof v->path, "%s", path);
    v->writable = writable;
}

static void expect(const struct run *r, const char *out)
{
    driver_do(&d, r, &e);
    ck_assert_msg(strcmp(e.out, out) == 0 && e.record.cause == END_EXIT, "printed\n%s\nnot\n%s\nstderr: %s", e.out, out,
                  e.err);
}

static void expect_failure(const struct run *r, const char *step, int error)
{
    struct task t;
    enum op_status status = driver_launch(&d, r, &t);
    ck_assert_msg(status == OP_FAILED && strcmp(t.launch.step, step) == 0 && t.launch.error == error,
                  "status %u step %s: %s, not %s: %s", status, t.launch.step, strerror(t.launch.error), step,
                  strerror(error));
    driver_drop(&t);
    ck_assert_uint_eq(driver_ask(&d, OP_READ, r->spec.id).status, OP_GONE);
}

/* --- images ------------------------------------------------------------------------------------------------------ */

static const struct look_row {
    const char *sentence, *program, *out;
} looks[] = {
    {"its files are there, the host's are not", "cat /etc/issue; ls /usr /etc/passwd 2>/dev/null; true",
     "of the image\n"},
    {"it can't be written", "for f in / /etc /bin /data /mnt /dev /sys; do (: > $f/x) 2>/dev/null && echo $f; "
        "done; true", ""},
    {"what is root's alone in it stays unread", "cat /etc/shadow 2>/dev/null || echo denied", "denied\n"},
    {"scratch and shared memory are as anywhere", "echo a > /tmp/a; echo b > /dev/shm/b; cat /tmp/a /dev/shm/b",
     "a\nb\n"},
    {"the devices are ours", "cd /dev; stat -c '%n %t:%T' null zero full random urandom",
     "null 1:3\nzero 1:5\nfull 1:7\nrandom 1:8\nurandom 1:9\n"},
    {"the hosts file is ours", "grep -c job-1 /etc/hosts", "1\n"},
    {"it is a job as any other", "id -u; grep -c '^Cap.*:.0000000000000000$' /proc/self/status; ls /sys | wc -l",
     "1000\n5\n0\n"},
    {"secrets of the kernel are masked here too", "cat /proc/keys /proc/timer_list 2>/dev/null | wc -c", "0\n"},
    {"no mount leads out of it", "ls -d /.. /../work /t /n 2>/dev/null", "/..\n"},
};

START_TEST(test_image_row)
{
    struct run r = in_image("plain", ROOT_READ_ONLY, shell(looks[_i].program));
    expect(&r, looks[_i].out);
}
END_TEST

START_TEST(test_a_squashfs_is_mounted_once_and_gone_when_unused)
{
    host("mksquashfs images/plain images/plain.sqfs -quiet -no-progress >/dev/null");
    struct run r = in_image("plain.sqfs", ROOT_READ_ONLY, shell("while :; do :; done"));
    struct task t;
    ck_assert_uint_eq(driver_launch(&d, &r, &t), OP_DONE);
    ck_assert_int_eq(loops_of_ours(), 1);
    struct run second = in_image("plain.sqfs", ROOT_READ_ONLY, shell("cat /etc/issue"));
    expect(&second, "of the image\n");
    ck_assert_int_eq(loops_of_ours(), 1);
    ck_assert_uint_eq(driver_remove(&d, t.id).status, OP_DONE);
    driver_drop(&t);
    wait_for_no_loops();
}
END_TEST

START_TEST(test_a_killed_warden_leaves_no_loop_device)
{
    host("mksquashfs images/plain images/plain.sqfs -quiet -no-progress >/dev/null");
    struct run r = in_image("plain.sqfs", ROOT_READ_ONLY, shell("while :; do :; done"));
    struct task t;
    ck_assert_uint_eq(driver_launch(&d, &r, &t), OP_DONE);
    driver_kill_warden(&d);
    driver_start_warden(&d);
    ck_assert_int_eq(loops_of_ours(), 1); /* the job lives on */
    ck_assert_uint_eq(driver_remove(&d, t.id).status, OP_DONE);
    driver_drop(&t);
}
END_TEST

static const struct bad_image {
    const char *sentence, *make, *image;
    int error;
} bad_images[] = {
    {"an image that isn't there", "true", "absent", ENOENT},
    {"/dev a link to /etc", "cp -a images/plain images/bad && rm -d images/bad/dev && ln -s /etc "
        "images/bad/dev", "bad", ENOTDIR},
    {"/dev a link inside the image",
     "cp -a images/plain images/bad && rm -d images/bad/dev && ln -s data images/bad/dev", "bad", ENOTDIR},
    {"/proc a link", "cp -a images/plain images/bad && rm -d images/bad/proc && ln -s /tmp "
        "images/bad/proc", "bad", ENOTDIR},
    {"/sys a file", "cp -a images/plain images/bad && rm -d images/bad/sys && touch images/bad/sys", "bad", ENOTDIR},
    {"/tmp missing", "cp -a images/plain images/bad && rm -d images/bad/tmp", "bad", ENOENT},
    {"an empty folder", "true", "empty", ENOENT},
    {"a link to an image", "ln -s plain images/bad", "bad", ELOOP},
    {"a link out of the folder", "ln -s / images/bad", "bad", ELOOP},
    {"garbage instead of squashfs", "head -c 100000 /dev/urandom > images/bad", "bad", EINVAL},
    {"a file that is too short", "head -c 5000 /dev/zero > images/bad", "bad", EINVAL},
    {"a fifo", "mkfifo images/bad", "bad", EINVAL},
    {"a folder that others may write", "cp -a images/plain images/bad && chmod 777 images/bad", "bad", EPERM},
    {"a folder that somebody else owns", "cp -a images/plain images/bad && chown 1000 images/bad", "bad", EPERM},
};

START_TEST(test_bad_image)
{
    const struct bad_image *row = &bad_images[_i];
    host(row->make);
    struct run r = in_image(row->image, ROOT_READ_ONLY, shell("echo ran"));
    struct task t;
    enum op_status status = driver_launch(&d, &r, &t);
    ck_assert_msg(status == OP_FAILED && strcmp(t.launch.step, "image") == 0 && t.launch.error == row->error,
                  "%s: status %u step %s: %s", row->sentence, status, t.launch.step, strerror(t.launch.error));
    driver_drop(&t);
}
END_TEST

/* CVE-2025-31133: a mask taken from the image would show what its link names. */
START_TEST(test_masks_are_never_the_images_own)
{
    host("ln -s /proc/sysrq-trigger images/plain/dev/null; mkdir images/plain/dev/shm");
    struct run r = in_image("plain", ROOT_READ_ONLY, shell("stat -c %t:%T /dev/null; cat /proc/timer_list | wc -c"));
    expect(&r, "1:3\n0\n");
}
END_TEST

/* An image may bring a link where our files would go: it is left as it is, and nothing is put where it leads. */
START_TEST(test_links_in_the_place_of_files_are_left_alone)
{
    host("ln -sf ../data/hosts images/plain/etc/hosts; echo mine > images/plain/data/hosts; ln -sf /out "
         "images/plain/etc/resolv.conf");
    struct run r = in_image("plain", ROOT_READ_ONLY, shell("cat /etc/hosts; readlink /etc/resolv.conf"));
    expect(&r, "mine\n/out\n");
}
END_TEST

/* --- overlay ----------------------------------------------------------------------------------------------------- */

static const struct look_row overlays[] = {
    {"everything can be written", "echo mine > /etc/issue && rm /bin/ls && mkdir /new /etc/new && mv /data /data2 && "
                                  "echo x > /new/x && chmod 700 /etc && cat /etc/issue /new/x; id -u",
     "mine\nx\n1000\n"},
    {"a folder can be made again where one was removed",
     "rm -r /var 2>/dev/null || { echo 0; echo new; exit; }; mkdir /var && ls /var | wc -l; echo new > /var/new; "
     "cat /var/new", /* a tmpfs before Linux 6.6 can't note that a folder hides one below it: removing it fails */
     "0\nnew\n"},
    {"the image's root is the job", "cat /etc/shadow; stat -c %u /etc/shadow", "secret\n1000\n"},
    {"it ends with the scratch", "head -c 33554432 /dev/zero > /data/f 2>/dev/null; stat -c %s /data/f; (echo x > "
        "/tmp/f) 2>/dev/null; "
                                 "stat -c %s /tmp/f", "16777216\n0\n"},
    {"its inodes are the scratch's",
     "i=0; while true > /data/$i; do i=$((i+1)); done 2>/dev/null; [ $i -le 1000 ] && [ $i -gt 300 ] && i=bounded; "
     "echo $i; (true > /tmp/x) 2>/dev/null || echo full",
     "bounded\nfull\n"},
    {"what is ours can't be written", "for f in /dev /sys /proc /proc/sys/kernel; do (: > $f/x) 2>/dev/null && "
        "echo $f; done; "
                                      "mv /proc /p 2>/dev/null || echo kept", "kept\n"},
    {"the layers themselves are nowhere", "ls -d /u /l /tmp/upper /tmp/work 2>/dev/null; ls -A /tmp | wc -l", "0\n"},
    {"no device is made", "cp -a /dev/null /data/null 2>/dev/null; [ -c /data/null ] || echo none", "none\n"},
};

START_TEST(test_overlay_row)
{
    struct run r = in_image("plain", ROOT_OVERLAY, shell(overlays[_i].program));
    if (!can_map) {
        expect_failure(&r, "image", EOPNOTSUPP);
        printf("skipped: this file system can't map ids; refused by name\n");
        return;
    }
    expect(&r, overlays[_i].out);
    r = in_image("plain", ROOT_READ_ONLY, shell("cat /etc/issue; ls -d /new /data /data2 2>/dev/null; true"));
    expect(&r, "of the image\n/data\n"); /* and the next job sees nothing of it */
}
END_TEST

START_TEST(test_overlay_on_squashfs)
{
    host("mksquashfs images/plain images/plain.sqfs -quiet -no-progress >/dev/null");
    struct run r = in_image("plain.sqfs", ROOT_OVERLAY, shell("echo mine > /etc/issue; cat /etc/issue"));
    struct task t;
    if (driver_launch(&d, &r, &t) == OP_DONE) {
        driver_end(&d, &t, &e);
        ck_assert_str_eq(e.out, "mine\n");
        return;
    }
    ck_assert_str_eq(t.launch.step, "image"); /* a kernel before 6.2: by name, and nothing is left of it */
    ck_assert_int_eq(t.launch.error, EOPNOTSUPP);
    driver_drop(&t);
    wait_for_no_loops();
}
END_TEST

/* --- volumes ----------------------------------------------------------------------------------------------------- */

START_TEST(test_a_volume_is_where_it_was_asked_for)
{
    struct run r = driver_run(&d, shell("cat /mnt/ref/file; (: > /mnt/ref/x) 2>/dev/null || echo ro; (: > /mnt/x) "
                                        "2>/dev/null || echo ro; cat /tmp/deep/er/file"));
    add_volume(&r, "ref", "/mnt/ref", false);
    add_volume(&r, "ref", "/tmp/deep/er", false);
    expect(&r, "reference\nro\nro\nreference\n");
    r = in_image("plain", ROOT_READ_ONLY, shell("cat /data/file"));
    add_volume(&r, "ref", "/data", false);
    expect(&r, "reference\n");
}
END_TEST

START_TEST(test_what_a_job_writes_belongs_to_the_volumes_owner)
{
    struct run r = driver_run(&d, shell("echo kept > /mnt/data/f && mkdir /mnt/data/d && stat -c %u:%g /mnt/data/f && "
                                        "chmod 6755 /mnt/data/f; mv /mnt/data/f /mnt/data/d/f && cat /mnt/data/d/f"));
    add_volume(&r, "data", "/mnt/data", true);
    if (!can_map) {
        expect_failure(&r, "volume", EROFS);
        return;
    }
    expect(&r, "1000:1000\nkept\n");
    struct stat st;
    char path[256];
    snprintf(path, sizeof path, "%s/rw/d/f", base);
    ck_assert(stat(path, &st) == 0 && st.st_uid == OWNER && st.st_gid == OWNER);
}
END_TEST

START_TEST(test_a_volume_gives_nothing_but_its_files)
{
    if (!can_map)
        return;
    host("cp /bin/id rw/id && chmod 6755 rw/id && mknod rw/zero c 1 5 && chmod 666 rw/zero && echo private > rw/p "
        "&& chmod 600 rw/p "
         "&& ln -s / rw/root && ln -s ../out/keep rw/out");
    struct run r = driver_run(&d, shell("/mnt/data/id -u; /mnt/n/id -u 2>/dev/null || echo noexec; head -c1 "
        "/mnt/data/zero 2>/dev/null "
                                        "|| echo nodev; cat /mnt/data/p 2>/dev/null || echo private; ls "
                                        "/mnt/data/root/work "
                                        "2>/dev/null; cat /mnt/data/out 2>/dev/null; ls -d /mnt/data/../../work "
                                        "2>/dev/null; (echo x > /mnt/data/p) 2>/dev/null || "
                                        "echo denied"));
    add_volume(&r, "data", "/mnt/data", true);
    add_volume(&r, "noexec", "/mnt/n", false);
    expect(&r, "1000\nnoexec\nnodev\nprivate\ndenied\n");
}
END_TEST

static const struct bad_volume {
    const char *sentence, *make, *image, *name, *path;
    bool writable;
    int error;
    const char *step;
} bad_volumes[] = {
    {"a name nobody gave", "true", "plain", "nothing", "/data", false, ENOENT, "volume"},
    {"writing what is for reading", "true", "plain", "ref", "/data", true, EROFS, "volume"},
    {"a place that is a link out", "ln -s /etc images/plain/link", "plain", "ref", "/link", false, ENOTDIR, "place"},
    {"a place behind a link", "ln -s / images/plain/link", "plain", "ref", "/link/data", false, ENOTDIR, "place"},
    {"a place behind a link inside", "ln -s data images/plain/link; mkdir "
        "images/plain/data/x", "plain", "ref", "/link/x",
     false, ENOTDIR, "place"},
    {"a place that is a file", "true", "plain", "ref", "/etc/issue", false, ENOTDIR, "place"},
    {"a place that would have to be made", "true", "plain", "ref", "/absent", false, EROFS, "place"},
    {"a place in the node's own root", "true", "", "ref", "/absent", false, EROFS, "place"},
};

START_TEST(test_bad_volume)
{
    const struct bad_volume *row = &bad_volumes[_i];
    host(row->make);
    struct run r = in_image(row->image, ROOT_READ_ONLY, shell("echo ran"));
    add_volume(&r, row->name, row->path, row->writable);
    struct task t;
    enum op_status status = driver_launch(&d, &r, &t);
    ck_assert_msg(status == OP_FAILED && strcmp(t.launch.step, row->step) == 0 && t.launch.error == row->error,
                  "%s: status %u step %s: %s", row->sentence, status, t.launch.step, strerror(t.launch.error));
    driver_drop(&t);
}
END_TEST

START_TEST(test_an_overlay_makes_room_for_a_volume)
{
    if (!can_map)
        return;
    host("ln -s /etc images/plain/link");
    struct run r = in_image("plain", ROOT_OVERLAY, shell("cat /opt/new/file"));
    add_volume(&r, "ref", "/opt/new", false);
    expect(&r, "reference\n");
    r = in_image("plain", ROOT_OVERLAY, shell("echo ran"));
    add_volume(&r, "ref", "/link/new", false);
    expect_failure(&r, "place", ENOTDIR);
    host("test ! -e images/plain/opt && test ! -e /etc/new");
}
END_TEST

/* --- races ------------------------------------------------------------------------------------------------------- */

static atomic_bool racing;

/* Whoever owns an image or a volume swaps folders for links to `out` and back, as fast as it can. One at a time: on a
 * slow machine a launch would otherwise never meet a moment in which none is a link. */
static void *swap(void *arg)
{
    (void)arg;
    int dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    static const char *const pairs[][2] = {
        {"images/plain/dev", "images/plain/dev.l"},   {"images/plain/proc", "images/plain/proc.l"},
        {"images/plain/tmp", "images/plain/tmp.l"},   {"images/plain/data", "images/plain/data.l"},
        {"images/plain/sys", "images/plain/sys.l"},   {"images/plain/etc", "out/etc"},
    };
    for (size_t i = 0; atomic_load(&racing); i++)
        (void)!renameat2(dir, pairs[i / 2 % COUNT_OF(pairs)][0], dir, pairs[i / 2 % COUNT_OF(pairs)][1],
                         RENAME_EXCHANGE);
    close(dir);
    return NULL;
}

START_TEST(test_renames_during_launches_move_no_mount)
{
    host("for f in dev proc tmp data sys; do ln -s $PWD/out images/plain/$f.l; done; mkdir out/etc; touch "
        "out/etc/hosts; "
         "find out ro rw | sort > before");
    int mounts = count_lines("wc -l < /proc/self/mountinfo"), started = 0, refused = 0;
    pthread_t thread;
    atomic_store(&racing, true);
    ck_assert_int_eq(pthread_create(&thread, NULL, swap, NULL), 0);
    for (int i = 0; i < (can_map ? 300 : 60); i++) { /* where it can't, it is user-mode-linux, and slow */
        struct run r = in_image("plain", can_map && i % 2 == 0 ? ROOT_OVERLAY : ROOT_READ_ONLY,
                                shell("echo x > /tmp/x; echo x > /dev/shm/x"));
        add_volume(&r, "ref", "/data", false);
        struct task t;
        if (driver_launch(&d, &r, &t) == OP_DONE) {
            driver_end(&d, &t, &e);
            started++;
        } else {
            ck_assert_uint_eq(t.launch.status, OP_FAILED);
            driver_drop(&t);
            refused++;
        }
    }
    atomic_store(&racing, false);
    pthread_join(thread, NULL);
    ck_assert_int_eq(count_lines("wc -l < /proc/self/mountinfo"), mounts);
    host("find out ro rw | grep -v '^out/etc' | sort > after; grep -v '^out/etc' before | cmp - after");
    host("test \"$(cat out/keep)\" = other");
    ck_assert_msg(started > 0 && refused > 0, "%d started, %d refused: that was no race", started, refused);
}
END_TEST

/* --- Landlock ---------------------------------------------------------------------------------------------------- */

START_TEST(test_landlock_keeps_a_host_networks_sockets_away)
{
    if (landlock_abi() < 6) {
        printf("skipped: this kernel's Landlock (ABI %d) knows no scopes\n", landlock_abi());
        return;
    }
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "reeve-test-%d", (int)getpid());
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(sock, (struct sockaddr *)&name, (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)n)), 0);
    ck_assert_int_eq(listen(sock, 4), 0);
    char text[256];
    snprintf(text, sizeof text, "import socket,errno\ns=socket.socket(socket.AF_UNIX)\n"
                                "print(errno.errorcode.get(s.connect_ex('\\0%s')))", name.sun_path + 1);
    struct run r = driver_run(&d, python(text));
    r.spec.network = NET_HOST;
    expect(&r, "EPERM\n");
    close(sock);
}
END_TEST

START_TEST(test_landlock_lets_ordinary_work_pass)
{
    struct run r = driver_run(
        &d, python("import os,threading,tempfile,socket\n"
                   "os.makedirs('/tmp/a/b'); open('/tmp/a/f','w').write('x'); os.rename('/tmp/a/f','/tmp/a/b/f'); "
                   "os.link('/tmp/a/b/f','/tmp/g')\n"
                   "os.truncate('/tmp/g',0); os.symlink('g','/tmp/l'); os.mkfifo('/tmp/p'); "
                   "s=socket.socket(socket.AF_UNIX); s.bind('/tmp/s')\n"
                   "open('/proc/self/comm','w').write('renamed'); open('/dev/null','w').write('x'); "
                   "open('/dev/stdout','w').write('out\\n')\n"
                   "f=os.memfd_create('m'); os.write(f,open('/bin/true','rb').read()); "
                   "print(os.spawnv(os.P_WAIT,'/proc/self/fd/%d'%f,['m']))\n"
                   "open('/tmp/run','wb').write(open('/bin/true','rb').read()); os.chmod('/tmp/run',0o755); "
                   "print(os.system('/tmp/run'))\n"
                   "os.kill(os.getpid(),0); print(open('/proc/self/comm').read())"));
    driver_do(&d, &r, &e);
    ck_assert_msg(strcmp(e.out, "out\n0\n0\nrenamed\n\n") == 0, "%s%s", e.out, e.err);
}
END_TEST

/* --- private networks -------------------------------------------------------------------------------------------- */

START_TEST(test_private_without_a_network_is_a_loopback)
{
    struct run r = driver_run(&d, python("import socket\nprint([n for _,n in socket.if_nameindex()])"));
    r.spec.network = NET_PRIVATE;
    expect(&r, "['lo']\n");
}
END_TEST

START_TEST(test_jobs_reach_the_bridge_but_not_each_other)
{
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(4000), .sin_addr = {htonl(0x0ad50001)}};
    ck_assert(bind(sock, (struct sockaddr *)&name, sizeof name) == 0 && listen(sock, 4) == 0);
    struct run a = driver_run(&d, python("import socket,time\ns=socket.create_server(('0.0.0.0',5000)); "
        "print('up',flush=True)\n"
                                         "time.sleep(60)"));
    a.spec.network = NET_PRIVATE;
    struct task t;
    char byte;
    ck_assert_uint_eq(driver_launch(&d, &a, &t), OP_DONE);
    ck_assert(driver_link(&t, NULL) && read(t.out, &byte, 1) == 1);
    struct run b = driver_run(
        &d, python("import socket,errno\nsocket.create_connection(('10.213.0.1',4000),5); print('bridge')\n"
                   "s=socket.socket(); s.settimeout(1.5)\n"
                   "try: s.connect(('10.213.0.2',5000)); print('neighbour')\n"
                   "except OSError: print('alone')\n"
                   "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.connect(('192.0.2.1',9)); "
                   "print(s.getsockname()[0])"));
    b.spec.network = NET_PRIVATE;
    expect(&b, "bridge\nalone\n10.213.0.3\n");
    int up = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in job = {.sin_family = AF_INET, .sin_port = htons(5000), .sin_addr = {htonl(0x0ad50002)}};
    ck_assert_msg(connect(up, (struct sockaddr *)&job, sizeof job) == 0, "the bridge does not reach the job");
    close(up);
    close(sock);
    ck_assert_int_eq(count_lines("ip -o link | grep -c rv"), 1); /* a's; b's is gone */
    ck_assert_uint_eq(driver_remove(&d, t.id).status, OP_DONE);
    driver_drop(&t);
    ck_assert_int_eq(count_lines("ip -o link | grep -c rv"), 0);
}
END_TEST

static bool run(const char *first, const char *rest)
{
    char command[1024];
    snprintf(command, sizeof command, "home=%s; %s%s", home, first, rest);
    return system(command) == 0; /* lint: allow in tests */
}

static bool make_home(void)
{
    snprintf(home, sizeof home, "/tmp/reeve-root-%d", (int)getpid());
    if (mkdir(home, 0755) < 0)
        return false;
    if (!home_can_map_ids())
        has_disk = run("truncate -s 400M $home.disk && mkfs.ext4 -q $home.disk && mount -o loop $home.disk $home", "");
    return run(tests_folder(), "/make_image.sh $home/image");
}

static void remove_home(void)
{
    struct err err = {0};
    if (has_disk)
        has_disk = !run("umount $home && rm $home.disk", "");
    if (dir_remove(home, &err) < 0)
        fprintf(stderr, "test_root: %s\n", err.text);
}

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_root: needs root\n");
        return 1;
    }
    if (!make_home()) {
        fprintf(stderr, "test_root: cannot make an image in %s\n", home);
        remove_home();
        return 1;
    }
    Suite *s = suite_create("root");
    TCase *t = tcase_create("root");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, test_image_row, 0, (int)COUNT_OF(looks));
    tcase_add_loop_test(t, test_bad_image, 0, (int)COUNT_OF(bad_images));
    tcase_add_loop_test(t, test_overlay_row, 0, (int)COUNT_OF(overlays));
    tcase_add_loop_test(t, test_bad_volume, 0, (int)COUNT_OF(bad_volumes));
    const TTest *const tests[] = {
        test_a_squashfs_is_mounted_once_and_gone_when_unused,
        test_a_killed_warden_leaves_no_loop_device,
        test_masks_are_never_the_images_own,
        test_links_in_the_place_of_files_are_left_alone,
        test_overlay_on_squashfs,
        test_a_volume_is_where_it_was_asked_for,
        test_what_a_job_writes_belongs_to_the_volumes_owner,
        test_a_volume_gives_nothing_but_its_files,
        test_an_overlay_makes_room_for_a_volume,
        test_renames_during_launches_move_no_mount,
        test_landlock_keeps_a_host_networks_sockets_away,
        test_landlock_lets_ordinary_work_pass,
    };
    for (size_t i = 0; i < COUNT_OF(tests); i++)
        tcase_add_test(t, tests[i]);
    tcase_add_test(t, test_private_without_a_network_is_a_loopback);
    suite_add_tcase(s, t);
    TCase *n = tcase_create("network");
    tcase_add_checked_fixture(n, setup_network, teardown);
    tcase_set_timeout(n, 300);
    tcase_add_test(n, test_jobs_reach_the_bridge_but_not_each_other);
    suite_add_tcase(s, n);
    int code = run_suite(s);
    remove_home();
    return code;
}
