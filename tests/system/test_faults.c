/*
 * A launch in which any one system call fails, or any one process is killed, in any of the four processes that make it.
 * Root. Afterwards: it was answered as done and ran whole, or it was answered as failed with step and cause and nothing
 * of it ran; nothing is left. FAULTS=all tries every call, else every STRIDE-th.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/system/driver.h"
#include "tests/system/faults.h"
#include "tests/system/suite.h"

#define STRIDE 4
#define BASES_MAX 8

static struct driver d;
static struct ended e;
static char program[1 << 20];
static size_t program_len;
static char bases[BASES_MAX][256]; /* of our groups, one in each hierarchy */
static int bases_count;
static pid_t zygote;
static struct {
    int warden_fds, zygote_fds, mounts;
} usual;

/* --- what is to be as it was ------------------------------------------------------------------------------------ */

static int entries_of(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    if (dir != NULL)
        closedir(dir);
    return n;
}

static int fds_of(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    return entries_of(path);
}

static int mounts_of(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)pid);
    FILE *f = fopen(path, "re");
    int n = 0;
    for (int c; f != NULL && (c = fgetc(f)) != EOF;)
        n += c == '\n';
    if (f != NULL)
        fclose(f);
    return n;
}

static pid_t child_of(pid_t pid)
{
    char path[64], text[32] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    (void)!read(fd, text, sizeof text - 1);
    return (pid_t)strtol(text, NULL, 10);
}

static void find_bases(void)
{
    char command[160];
    snprintf(command, sizeof command, "find /sys/fs/cgroup -type d -name 'reeve-%s' 2>/dev/null", d.cgroup);
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    bases_count = 0;
    for (char *line; bases_count < BASES_MAX && (line = fgets(bases[bases_count], sizeof bases[0], f)) != NULL;
         bases_count++)
        line[strcspn(line, "\n")] = '\0';
    pclose(f);
    ck_assert_int_gt(bases_count, 0);
}

static int groups_left(void)
{
    int n = 0;
    for (int i = 0; i < bases_count; i++) {
        DIR *dir = opendir(bases[i]);
        for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
            n += entry->d_type == DT_DIR && entry->d_name[0] == 'a';
        if (dir != NULL)
            closedir(dir);
    }
    return n;
}

static bool file_says(const char *group, const char *file, const char *want, bool *ret_found)
{
    char path[512], text[64] = "";
    snprintf(path, sizeof path, "%s/%s", group, file);
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    *ret_found = true;
    ssize_t n = read(fd, text, sizeof text - 1);
    text[n > 0 ? strcspn(text, "\n") : 0] = '\0';
    return strcmp(text, want) == 0;
}

/* Outside: while it runs, every limit is in place. */
static void check_limits(const struct fault *fault, const struct run *r)
{
    char bytes[32];
    snprintf(bytes, sizeof bytes, "%lu", (unsigned long)(r->spec.mem_bytes + r->spec.scratch_bytes));
    const struct {
        const char *file, *want;
    } rows[] = {{"memory.limit_in_bytes", bytes}, {"memory.max", bytes},
                {"memory.swap.max", "0"},         {"pids.max", "64"},
                {"cpu.cfs_quota_us", "100000"},   {"cpu.max", "100000 100000"}};
    bool memory = false, pids = false, cpu = false;
    for (int i = 0; i < bases_count; i++) {
        char pattern[300];
        glob_t found = {0};
        snprintf(pattern, sizeof pattern, "%s/a*", bases[i]);
        if (glob(pattern, 0, NULL, &found) == 0) {
            for (size_t k = 0; k < COUNT_OF(rows); k++)
                ck_assert_msg(file_says(found.gl_pathv[0], rows[k].file, rows[k].want,
                                        rows[k].file[0] == 'm'   ? &memory
                                        : rows[k].file[0] == 'p' ? &pids
                                                                 : &cpu),
                              "call %d (%ld): it runs, and %s is not %s", fault->n, fault->call, rows[k].file,
                              rows[k].want);
        }
        globfree(&found);
    }
    ck_assert_msg(memory && pids && cpu, "call %d (%ld): it runs without a group", fault->n, fault->call);
}

/* It answers first and closes its copies then, and nothing tells of that: looked at until it has, or never does. */
static void wait_zygote(void)
{
    struct pollfd nothing = {.fd = -1};
    for (int ms = 0; ms < 10000 && !faults_zygote_ended() && fds_of(zygote) != usual.zygote_fds; ms++)
        poll(&nothing, 1, 1);
}

static void note_usual(void)
{
    zygote = child_of(d.pid);
    ck_assert_int_gt(zygote, 0);
    find_bases();
    usual.warden_fds = fds_of(d.pid);
    usual.zygote_fds = fds_of(zygote);
    usual.mounts = mounts_of(zygote);
}

static void start_warden(enum fault_role role)
{
    driver_start_warden(&d);
    driver_ask(&d, OP_LIST, (struct attempt_id){0}); /* it answers: it is up */
    note_usual();
    faults_attach(role, d.pid, zygote);
}

static void check_nothing_left(const struct fault *f)
{
    const char *who = fault_role_names[f->role];
    wait_zygote();
    ck_assert_msg(groups_left() == 0, "%s, call %d (%ld), error %d: a group is left", who, f->n, f->call, f->error);
    ck_assert_msg(fds_of(d.pid) == usual.warden_fds, "%s, call %d (%ld), error %d: the warden has %d fds, not %d", who,
                  f->n, f->call, f->error, fds_of(d.pid), usual.warden_fds);
    ck_assert_msg(fds_of(zygote) == usual.zygote_fds, "%s, call %d (%ld), error %d: the zygote has %d fds, not %d", who,
                  f->n, f->call, f->error, fds_of(zygote), usual.zygote_fds);
    ck_assert_msg(mounts_of(zygote) == usual.mounts, "%s, call %d (%ld), error %d: mounts are left", who, f->n, f->call,
                  f->error);
    ck_assert_msg(entries_of(d.dir) == 0, "%s, call %d (%ld), error %d: files are left", who, f->n, f->call, f->error);
}

/* --- one launch ------------------------------------------------------------------------------------------------- */

static bool wait_reply(struct op_reply *ret)
{
    if (!faults_wait_readable(d.sock))
        return false;
    ssize_t n = fd_recv_packet(d.sock, ret, sizeof *ret, NULL, NULL);
    return n == (ssize_t)sizeof *ret;
}

/* The next life finds what the last one left and takes it down, as an agent does. */
static void recover(enum fault_role role, struct task *task, const struct fault *f)
{
    int status;
    if (!faults_warden_ended(&status)) { /* it closed its socket and is on its way */
        kill(d.pid, SIGTERM);
        while (!faults_warden_ended(&status))
            (void)faults_wait_readable(-1);
    }
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) <= 1;
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && role == FAULT_WARDEN && f->error == 0;
    ck_assert_msg(clean || killed, "%s, call %d (%ld), error %d: the warden ended with status %#x",
                  fault_role_names[role], f->n, f->call, f->error, (unsigned)status);
    faults_detach();
    close_p(&d.sock);
    start_warden(role);
    for (enum op_status answer = OP_BUSY; answer == OP_BUSY || answer == OP_DONE;)
        answer = driver_ask(&d, OP_REMOVE, task->id).status;
    driver_drop(task);
}

static bool ran(void)
{
    return strstr(e.err, "ran\n") != NULL;
}

static void check_answer(const struct fault *f, const struct op_reply *reply)
{
    const char *who = fault_role_names[f->role];
    if (reply->status == OP_DONE)
        return;
    ck_assert_msg(reply->status == OP_FAILED || reply->status == OP_BAD_REQUEST || reply->status == OP_BUSY,
                  "%s, call %d (%ld), error %d: answered with %u", who, f->n, f->call, f->error, reply->status);
    ck_assert_msg(reply->step[0] != '\0' && strcmp(reply->step, "unknown") != 0 &&
                      strcmp(reply->step, "timeout") != 0 && reply->error != 0,
                  "%s, call %d (%ld), error %d: failed at '%s' because of %d", who, f->n, f->call, f->error,
                  reply->step, reply->error);
}

/* Answered as done: it ran, wholly confined; or it never got to its exec and says so like a shell, or was killed there.
 */
static void check_done(const struct fault *f)
{
    bool like_shell = e.record.cause == END_EXIT && (e.record.exit_code == 126 || e.record.exit_code == 127);
    bool killed =
        e.record.cause == END_SIGNAL && e.record.signal == SIGKILL && f->role == FAULT_PAYLOAD && f->error == 0;
    ck_assert_msg(e.out[0] == '\0', "%s, call %d (%ld), error %d: it ran half confined:\n%s", fault_role_names[f->role],
                  f->n, f->call, f->error, e.out);
    ck_assert_msg((ran() && e.record.cause == END_EXIT && e.record.exit_code == 0) ||
                      (!ran() && (like_shell || killed)),
                  "%s, call %d (%ld), error %d: cause %u exit %d signal %d\n%s", fault_role_names[f->role], f->n,
                  f->call, f->error, e.record.cause, e.record.exit_code, e.record.signal, e.err);
}

static void read_output(struct task *task)
{
    char *const into[] = {e.out, e.err};
    const char *const paths[] = {task->out_path, task->err_path};
    for (int i = 0; i < 2; i++) {
        CLEANUP(close_p) int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
        ssize_t n = fd_read_full(fd, into[i], DRIVER_OUTPUT_MAX - 1);
        into[i][n > 0 ? n : 0] = '\0';
    }
}

/* False: the warden is gone. */
static bool launch(struct fault *f, struct run *r, struct task *task)
{
    struct op_reply reply = {0};
    memset(&e, 0, sizeof e);
    driver_launch_begin(&d, r, task);
    bool answered = wait_reply(&reply);
    if (answered && f->role == FAULT_ZYGOTE)
        wait_zygote(); /* these calls count too */
    if (f->role != FAULT_WARDEN)
        faults_disarm();
    if (!answered)
        return false;
    check_answer(f, &reply);
    if (reply.status !=
        OP_DONE) { /* the release itself is the keeper's last step but one: what ran then was killed at once */
        read_output(task);
        ck_assert_msg(!ran(), "%s, call %d (%ld), error %d: answered as failed at '%s', and it ran",
                      fault_role_names[f->role], f->n, f->call, f->error, reply.step);
        return true;
    }
    check_limits(f, r);
    bool is_mute = f->role == FAULT_KEEPER && f->error == 0 && f->happened; /* killed right behind its answer */
    if (!is_mute) {
        driver_drain(task, &e);
        check_done(f);
    }
    struct op_request request = {.version = OPS_VERSION, .kind = OP_REMOVE, .tag = 77, .id = task->id};
    if (fd_send_packet(d.sock, &request, sizeof request, NULL, 0) < 0 || !wait_reply(&reply))
        return false;
    ck_assert_msg(reply.status == OP_DONE, "call %d (%ld), error %d: the removal was answered with %u", f->n, f->call,
                  f->error, reply.status);
    return true;
}

static void try_one(struct fault *f)
{
    static const char *const argv[] = {"witness", "witness", NULL};
    struct run r = driver_run(&d, argv);
    struct task task;
    r.script = program;
    r.script_len = program_len;
    if (getenv("REEVE_TEST_LOG") != NULL)
        fprintf(stderr, "%s: call %d, error %d\n", fault_role_names[f->role], f->n, f->error);
    faults_arm(f);
    bool alive = launch(f, &r, &task);
    faults_disarm();
    if (alive && f->happened) { /* it may be about to end, and is when its zygote has */
        struct op_request list = {.version = OPS_VERSION, .kind = OP_LIST, .tag = 78};
        struct op_reply reply;
        alive = fd_send_packet(d.sock, &list, sizeof list, NULL, 0) == 0 && wait_reply(&reply);
    }
    if (alive && !faults_zygote_ended())
        driver_drop(&task);
    else
        recover(f->role, &task, f);
    check_nothing_left(f);
}

static void start_untraced(void)
{
    driver_start_warden(&d);
    driver_ask(&d, OP_LIST, (struct attempt_id){0});
}

static void try_all(enum fault_role role, bool kills)
{
    const char *only = getenv("FAULT_ROLE");
    if (only != NULL && strcmp(only, fault_role_names[role]) != 0) {
        start_untraced();
        return;
    }
    static const int errors[] = {EIO, ENOMEM, EMFILE, EPERM};
    int stride = getenv("FAULTS") != NULL && strcmp(getenv("FAULTS"), "all") == 0 ? 1 : STRIDE, tried = 0;
    start_warden(role);
    struct fault f = {.happened = true};
    for (int n = kills ? 1 + stride / 2 : 1; f.happened; n += stride, tried++) {
        f = (struct fault){.role = role, .n = n, .error = kills ? 0 : errors[(n / stride) % (int)COUNT_OF(errors)]};
        try_one(&f);
    }
    faults_detach();
    ck_assert_int_gt(tried, 1);
    printf("%s: %d places to %s\n", fault_role_names[role], tried - 1, kills ? "be killed at" : "fail at");
    fflush(stdout);
}

static void setup(void)
{
    char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    ck_assert_int_gt(n, 0);
    path[n] = '\0';
    snprintf(strrchr(path, '/'), 32, "/hostile_program");
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd_read_full(fd, program, sizeof program);
    ck_assert_int_gt(len, 0);
    program_len = (size_t)len;
    driver_init(&d);
    driver_ask(&d, OP_LIST, (struct attempt_id){0}); /* up: no child of its start holds its lock any more */
    driver_kill_warden(&d);                          /* each test starts its own */
}

static void teardown(void)
{
    driver_fini(&d);
    ck_assert_msg(driver_groups_gone(&d), "a cgroup is left");
}

START_TEST(test_any_call_fails)
{
    if (faults_possible()) {
        try_all((enum fault_role)_i, false);
        return;
    }
    printf("skipped: needs x86-64, and a kernel that tells a traced call's way in from its way out\n");
    start_untraced();
}
END_TEST

START_TEST(test_any_process_is_killed)
{
    if (faults_possible()) {
        try_all((enum fault_role)_i, true);
        return;
    }
    printf("skipped: needs x86-64, and a kernel that tells a traced call's way in from its way out\n");
    start_untraced();
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_faults: needs root\n");
        return 1;
    }
    Suite *s = suite_create("faults");
    TCase *t = tcase_create("faults");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 600);
    tcase_add_loop_test(t, test_any_call_fails, 0, FAULT_ROLES);
    tcase_add_loop_test(t, test_any_process_is_killed, 0, FAULT_ROLES);
    suite_add_tcase(s, t);
    return run_suite(s);
}
