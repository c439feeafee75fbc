/*
 * The mover of a sandbox, with this program as its agent: what it copies, what it refuses, and what becomes of a copy
 * when agents die, lie, or say nothing. Root.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/system/driver.h"
#include "tests/system/granter.h"
#include "tests/system/suite.h"

#define PROGRAM_MAX (1 << 20)

static struct driver d;
static struct ended e;
static struct task task;
static char program[PROGRAM_MAX];
static size_t program_len;

static struct granter g = {.sock = -1};

static void load_program(void)
{
    char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
    ck_assert_int_gt(n, 0);
    path[n] = '\0';
    snprintf(strrchr(path, '/'), 32, "/transfer_program");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd_read_full(fd, program, sizeof program);
    ck_assert_int_gt(n, 0);
    program_len = (size_t)n;
    close(fd);
}

static void setup(void)
{
    driver_init(&d);
    load_program();
}

static void teardown(void)
{
    driver_fini(&d);
    ck_assert_msg(driver_groups_gone(&d), "a cgroup is left");
}

static void launch(const char *mode, bool with_mover)
{
    const char *const argv[] = {"transfer_program", mode, NULL};
    struct run r = driver_run(&d, argv);
    r.script = program;
    r.script_len = program_len;
    r.spec.mover = with_mover;
    r.spec.scratch_bytes = (uint64_t)256 << 20;
    r.spec.mem_bytes = (uint64_t)128 << 20;
    ck_assert_msg(driver_launch(&d, &r, &task) == OP_DONE, "%s", task.launch.step);
}

static void finish(const char *out)
{
    close_p(&g.sock);
    driver_end(&d, &task, &e);
    ck_assert_msg(strcmp(e.out, out) == 0, "printed\n%s\nnot\n%s\nstderr: %s", e.out, out, e.err);
    ck_assert_msg(e.record.cause == END_EXIT && e.record.exit_code == 0, "cause %u exit %d signal %d: %s",
                  e.record.cause, e.record.exit_code, e.record.signal, e.err);
    ck_assert_uint_eq(e.record.stray_procs, 0); /* the mover is none of the job's */
}

static const char copied[] = "plain 0 5000000 \nsame 1\nsparse 0 16777216 \nsame 1 thin 1\nover 0 16777216 \nsame 1\n"
                             "empty 0 0 \n";

START_TEST(files_are_copied_and_holes_stay_holes)
{
    launch("copy", true);
    ck_assert(granter_take(&g, &task));
    granter_serve(&g, UINT32_MAX / 2);
    ck_assert_uint_eq(g.grants, g.dones);
    ck_assert_uint_eq(g.moved, g.totals.bytes[MOVER_READ] + g.totals.bytes[MOVER_WRITE]);
    ck_assert_uint_ge(g.totals.bytes[MOVER_READ], 5000000 + 2 * 4096);
    ck_assert_uint_lt(g.totals.bytes[MOVER_READ], 5000000 + (1 << 20)); /* not the holes */
    ck_assert_uint_eq(g.by_path[MOVER_PATH_MEMORY], g.moved); /* its files lie in its scratch */
    finish(copied);
}
END_TEST

START_TEST(what_is_no_plain_file_is_refused_with_a_sentence)
{
    launch("refuse", true);
    ck_assert(granter_take(&g, &task));
    granter_serve(&g, UINT32_MAX / 2);
    finish("proc -95 0 its file system is none of ext4, xfs, btrfs, tmpfs and overlay\n"
           "folder -22 0 only regular files are copied: no pipes, sockets, folders or devices\n"
           "fifo -22 0 only regular files are copied: no pipes, sockets, folders or devices\n"
           "device -22 0 only regular files are copied: no pipes, sockets, folders or devices\n"
           "append -22 0 the second file is open for appending: there is no place to write to\n"
           "readonly -9 0 the second file is not open for writing\n"
           "path -9 0 the first file is not open for reading\n"
           "itself -22 0 both are the same file, and the places overlap\n"
           "junk 3 this is not a request that the mover knows\n"
           "offset -22\n"
           "unlink 1\n"
           "after 0 100000 \n");
}
END_TEST

START_TEST(many_at_once_wait_and_the_vanished_hold_nobody)
{
    launch("many", true);
    ck_assert(granter_take(&g, &task));
    granter_serve(&g, UINT32_MAX / 2);
    finish("done 8\n");
}
END_TEST

/* Killed after any number of grants, answered or not: the next goes on, nothing is lost and nothing told twice. */
START_TEST(an_agent_that_dies_costs_a_copy_nothing)
{
    launch("copy", true);
    for (unsigned life = 0; life < 6; life++) {
        ck_assert(granter_take(&g, &task));
        granter_serve(&g, life + 1);
        close_p(&g.sock);
    }
    ck_assert(granter_take(&g, &task));
    granter_serve(&g, UINT32_MAX / 2);
    ck_assert_uint_ge(g.totals.bytes[MOVER_READ], 5000000 + 2 * 4096);
    /* The untold are in the totals. */
    ck_assert_uint_le(g.moved, g.totals.bytes[MOVER_READ] + g.totals.bytes[MOVER_WRITE]);
    finish(copied);
}
END_TEST

static const struct lie_row {
    const char *sentence;
    struct mover_message m; /* beside what a grant of the first want would be */
    size_t size;            /* 0: as it should be */
} lies[] = {
    {"a grant of what nobody wants", {.want = MOVER_WANTS - 1, .bytes = 4096}, 0},
    {"a want that can't be", {.want = MOVER_WANTS, .bytes = 4096}, 0},
    {"more than was wanted", {.bytes = MOVER_WANT_BYTES + 1}, 0},
    {"nothing", {.bytes = 0}, 0},
    {"behind what is next", {.offset = 4096, .bytes = 4096}, 0},
    {"an offset that overflows", {.offset = UINT64_MAX, .bytes = 4096}, 0},
    {"half a message", {.bytes = 4096}, 8},
    {"a message too long", {.bytes = 4096}, sizeof(struct mover_message) + 8},
};

START_TEST(an_agent_that_lies_is_left_and_the_next_one_goes_on)
{
    const struct lie_row *row = &lies[_i];
    struct {
        struct mover_message m;
        char more[16];
    } say = {.m = row->m};
    struct mover_message m;
    launch("copy", true);
    ck_assert(granter_take(&g, &task));
    ck_assert(granter_hear(&g, &m));
    ck_assert_uint_eq(m.op, MOVER_WANT);
    say.m.version = MOVER_VERSION;
    say.m.op = MOVER_GRANT;
    ck_assert_int_eq(fd_send_packet(g.sock, &say, row->size > 0 ? row->size : sizeof say.m, NULL, 0), 0);
    while (granter_hear(&g, &m)) /* its other wants; then the end */
        ck_assert_msg(m.op == MOVER_WANT, "%s", row->sentence);
    close_p(&g.sock);
    ck_assert(granter_take(&g, &task));
    granter_serve(&g, UINT32_MAX / 2);
    finish(copied);
}
END_TEST

START_TEST(a_job_can_neither_see_it_nor_take_it_over)
{
    launch("look", true);
    ck_assert(granter_take(&g, &task));
    granter_serve(&g, UINT32_MAX / 2);
    finish("seen 0 taken 0\ncopies or is gone 1\n");
}
END_TEST

START_TEST(it_has_no_privilege_and_its_death_is_the_copys)
{
    static const char *const has[] = {"CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
                                      "CapBnd:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n"};
    struct mover_message m;
    char status[4096] = "";
    launch("lose", true);
    ck_assert(granter_take(&g, &task));
    ck_assert(granter_hear(&g, &m));
    ck_assert_uint_eq(m.op, MOVER_WANT);
    pid_t pid = driver_find(&d, "reeve-mover", status);
    ck_assert_int_gt(pid, 0);
    for (size_t i = 0; i < COUNT_OF(has); i++)
        ck_assert_msg(strstr(status, has[i]) != NULL, "%s is not in\n%s", has[i], status);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    while (granter_hear(&g, &m))
        continue;
    close_p(&g.sock);
    ck_assert(!granter_take(&g, &task) || !granter_hear(&g, &m)); /* the keeper may not have heard of it yet */
    finish("gone 1 the mover is gone\nconnect -111\n");
}
END_TEST

/* ---- a file system that hangs ---- */

static char frozen_dir[64], frozen_volume[128], loop_device[64];
static int guard = -1;
static pid_t guard_pid;

static bool run_program(const char *const argv[], char *out, size_t size)
{
    int ends[2], status = -1;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(ends[1]);
    ssize_t n = fd_read_full(ends[0], out, size - 1);
    out[MAX(n, 0)] = '\0';
    out[strcspn(out, "\n")] = '\0';
    close(ends[0]);
    waitpid(pid, &status, 0);
    return status == 0;
}

static void thaw(void)
{
    CLEANUP(close_p) int fd = open(frozen_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)!ioctl(fd, FITHAW, 0);
}

/* Whatever becomes of the test: the file system is thawed and taken down once the pipe ends. */
static void start_guard(void)
{
    int ends[2];
    char byte, text[64];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    guard_pid = fork();
    if (guard_pid != 0) {
        close(ends[0]);
        guard = ends[1];
        return;
    }
    close(ends[1]);
    setpgid(0, 0); /* Check kills a group that runs late */
    while (read(ends[0], &byte, 1) > 0)
        continue;
    thaw();
    umount2(frozen_dir, MNT_DETACH);
    const char *const detach[] = {"losetup", "--detach", loop_device, NULL};
    run_program(detach, text, sizeof text);
    _exit(rmdir(frozen_dir) < 0);
}

static void setup_frozen(void)
{
    static const char *options[] = {"--volume", frozen_volume, NULL};
    char file[80], text[256];
    strcpy(frozen_dir, "/var/tmp/reeve-frozen-XXXXXX"); /* lint: allow it fits */
    ck_assert_ptr_nonnull(mkdtemp(frozen_dir));
    snprintf(file, sizeof file, "%s.disk", frozen_dir);
    snprintf(frozen_volume, sizeof frozen_volume, "slow=%s", frozen_dir);
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert(fd >= 0 && ftruncate(fd, 64 << 20) == 0);
    close(fd);
    const char *const attach[] = {"losetup", "--find", "--show", file, NULL};
    const char *const make[] = {"mkfs.ext4", "-q", loop_device, NULL};
    bool attached = run_program(attach, loop_device, sizeof loop_device);
    unlink(file); /* the loop device holds it */
    ck_assert(attached);
    start_guard();
    ck_assert(run_program(make, text, sizeof text));
    ck_assert_int_eq(mount(loop_device, frozen_dir, "ext4", 0, NULL), 0);
    ck_assert_int_eq(chown(frozen_dir, 4321, 4321), 0);
    driver_init_with(&d, options);
    load_program();
}

static void teardown_frozen(void)
{
    int status;
    thaw();
    driver_fini(&d);
    close_p(&guard);
    ck_assert_int_eq(waitpid(guard_pid, &status, 0), guard_pid);
    ck_assert_msg(status == 0, "%s is left", frozen_dir);
}

static char state_of(pid_t pid)
{
    char path[64];
    CLEANUP(buf_fini) struct buf text = {0};
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    const char *at = file_read(path, 4096, &text, NULL) < 0 ? NULL : strrchr(buf_text(&text), ')');
    return at == NULL ? '?' : at[2];
}

START_TEST(a_file_system_that_hangs_costs_its_own_job_alone)
{
    struct mover_message m;
    char status[4096];
    const char *const argv[] = {"transfer_program", "slow", NULL};
    struct run r = driver_run(&d, argv);
    r.script = program;
    r.script_len = program_len;
    r.spec.mover = 1;
    r.spec.root.volumes_count = 1;
    r.spec.root.volumes[0] = (struct root_volume){.name = "slow", .path = "/mnt/slow", .writable = 1};
    ck_assert_msg(driver_launch(&d, &r, &task) == OP_DONE, "%s", task.launch.step);
    ck_assert(granter_take(&g, &task));
    while (granter_hear(&g, &m) && !(m.op == MOVER_WANT && m.dir == MOVER_WRITE))
        if (m.op == MOVER_WANT)
            granter_grant(&g, m.want, 0, m.bytes);
    pid_t hung = driver_find(&d, "reeve-mover", status);
    int fd = open(frozen_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(ioctl(fd, FIFREEZE, 0), 0);
    close(fd);
    granter_grant(&g, m.want, 0, m.bytes);
    while (state_of(hung) != 'D') /* there is no other way to hear of it */
        sched_yield();

    struct task first = task;
    int first_mover = g.sock;
    launch("copy", true); /* beside it another copies as ever */
    ck_assert(granter_take(&g, &task));
    g.totals = (struct mover_totals){{0}, {0}};
    granter_serve(&g, UINT32_MAX / 2);
    finish(copied);
    ck_assert_int_eq(state_of(hung), 'D');

    thaw();
    task = first;
    g.sock = first_mover;
    g.totals = (struct mover_totals){{0}, {0}};
    granter_serve(&g, UINT32_MAX / 2);
    finish("slow 0 100000 \nsame 1\n");
}
END_TEST

START_TEST(a_job_that_did_not_ask_has_none)
{
    launch("none", false);
    driver_end(&d, &task, &e);
    ck_assert_str_eq(e.out, "connect -2\n");
}
END_TEST

START_TEST(a_request_for_two_is_refused)
{
    const char *const argv[] = {"/bin/true", NULL};
    struct run r = driver_run(&d, argv);
    r.spec.mover = 2;
    ck_assert_int_eq(driver_launch(&d, &r, &task), OP_BAD_REQUEST);
    driver_drop(&task);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        puts("skip: needs root");
        return 0;
    }
    Suite *s = suite_create("mover");
    TCase *t = tcase_create("mover");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, files_are_copied_and_holes_stay_holes);
    tcase_add_test(t, what_is_no_plain_file_is_refused_with_a_sentence);
    tcase_add_test(t, many_at_once_wait_and_the_vanished_hold_nobody);
    tcase_add_test(t, an_agent_that_dies_costs_a_copy_nothing);
    tcase_add_loop_test(t, an_agent_that_lies_is_left_and_the_next_one_goes_on, 0, (int)COUNT_OF(lies));
    tcase_add_test(t, a_job_can_neither_see_it_nor_take_it_over);
    tcase_add_test(t, it_has_no_privilege_and_its_death_is_the_copys);
    tcase_add_test(t, a_job_that_did_not_ask_has_none);
    tcase_add_test(t, a_request_for_two_is_refused);
    suite_add_tcase(s, t);
    TCase *hangs = tcase_create("hangs");
    tcase_set_timeout(hangs, 120);
    tcase_add_checked_fixture(hangs, setup_frozen, teardown_frozen);
    if (suite_under_uml())
        puts("skip: user-mode-linux has no loop device that freezes");
    else
        tcase_add_test(hangs, a_file_system_that_hangs_costs_its_own_job_alone);
    suite_add_tcase(s, hangs);
    return run_suite(s);
}
