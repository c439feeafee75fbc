/*
 * Hostile programs under a real warden and keeper: none gets away with anything. Root.
 * One warden for all rows; each row is a job of its own. A row that works outside is also run there, as root: a
 * program that couldn't succeed would prove nothing.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/system/driver.h"
#include "tests/system/hostile.h"

#define HOST_KEY 0x52455655
#define FIRST_JOB 1000

static struct driver d;
static struct ended e;
static char program[1 << 20]; /* the attacker's file: given to jobs as their script */
static size_t program_len;
static char program_path[512];

static const struct attack *all[128];
static int count;

static void take(const struct attack *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        all[count++] = &rows[i];
}

static void load_program(void)
{
    ssize_t n = readlink("/proc/self/exe", program_path, sizeof program_path - 1);
    ck_assert_int_gt(n, 0);
    program_path[n] = '\0';
    char *slash = strrchr(program_path, '/');
    snprintf(slash, sizeof program_path - (size_t)(slash - program_path), "/hostile_program");
    CLEANUP(close_p) int fd = open(program_path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd_read_full(fd, program, sizeof program);
    ck_assert_msg(len > 0 && len < (ssize_t)sizeof program - 4096, "%s: %zd bytes", program_path, len);
    program_len = (size_t)len;
}

/* What a job must not find: IPC objects, a queue, an abstract socket, files, all open to everybody. */
static int host_socket = -1;

static void make_host_objects(void)
{
    shmget(HOST_KEY, 4096, IPC_CREAT | 0666);
    semget(HOST_KEY, 1, IPC_CREAT | 0666);
    msgget(HOST_KEY, IPC_CREAT | 0666);
    umask(0);
    mqd_t q = mq_open("/reeve-hostile", O_CREAT | O_RDWR, 0666, NULL);
    ck_assert_int_ge(q, 0);
    mq_close(q);
    static const char *const paths[] = {"/dev/shm/reeve-hostile", "/tmp/reeve-hostile"};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        close(open(paths[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    umask(022);
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0reeve-hostile"};
    host_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(host_socket, (struct sockaddr *)&name, sizeof name.sun_family + 14), 0);
    ck_assert_int_eq(listen(host_socket, 4), 0);
}

static void remove_host_objects(void)
{
    shmctl(shmget(HOST_KEY, 0, 0), IPC_RMID, NULL);
    semctl(semget(HOST_KEY, 0, 0), 0, IPC_RMID);
    msgctl(msgget(HOST_KEY, 0), IPC_RMID, NULL);
    mq_unlink("/reeve-hostile");
    unlink("/dev/shm/reeve-hostile");
    unlink("/tmp/reeve-hostile");
    close_p(&host_socket);
}

static void setup(void)
{
    load_program();
    make_host_objects();
    driver_init(&d);
}

static void teardown(void)
{
    driver_fini(&d);
    remove_host_objects();
    ck_assert_msg(driver_groups_gone(&d), "a cgroup is left");
}

static bool has_cap(int cap)
{
    char text[4096] = "";
    CLEANUP(close_p) int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ck_assert_int_gt(fd_read_full(fd, text, sizeof text - 1), 0);
    const char *line = strstr(text, "CapEff:\t");
    return line != NULL && (strtoull(line + 8, NULL, 16) >> cap & 1) != 0;
}

static struct run attack_run(const struct attack *row, int number)
{
    static const char *argv[] = {"attack", NULL, NULL};
    argv[1] = row->name;
    struct run r = driver_run(&d, argv);
    r.spec.id.job = FIRST_JOB + (uint64_t)number; /* each test is a process of its own */
    static const char *const protected_env[] = {"KEEPER_PROTECTED=1", NULL};
    r.env = has_cap(24 /* CAP_SYS_RESOURCE */) ? protected_env : NULL;
    r.script = program;
    r.script_len = program_len;
    return r;
}

static bool ended_as(enum attack_end end)
{
    bool oom = e.record.cause == END_OOM, well = e.record.cause == END_EXIT && e.record.exit_code == 0;
    int sig = e.record.cause == END_SIGNAL ? e.record.signal : 0;
    switch (end) {
    case ENDS: return well;
    case ENDS_SIGSYS: return sig == SIGSYS;
    case ENDS_SIGKILL: return sig == SIGKILL;
    case ENDS_OOM: return oom;
    case ENDS_BOUNDED: return well || oom;
    }
    return false;
}

START_TEST(test_nobody_gets_away_with_anything)
{
    struct run r = attack_run(all[_i], _i);
    driver_do(&d, &r, &e);
    ck_assert_msg(e.out[0] == '\0', "%s (%s), but:\n%s", all[_i]->sentence, all[_i]->name, e.out);
    ck_assert_msg(ended_as(all[_i]->end), "%s (%s): cause %u exit %d signal %d\n%s", all[_i]->sentence, all[_i]->name,
                  e.record.cause, e.record.exit_code, e.record.signal, e.err);
    ck_assert_uint_le(e.usage.mem_peak_bytes, r.spec.mem_bytes + r.spec.scratch_bytes);
}
END_TEST

/* In a mount namespace whose /tmp and /dev/shm are its own; a folder of the test's is still visible through both. */
static void become_outsider(const char *name, int out)
{
    dup2(out, 1);
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        (strcmp(name, "host_ipc") == 0 || mount("t", "/tmp", "tmpfs", 0, NULL) == 0)) {
        CLEANUP(close_p) int self = memfd_sealed("attack", program, program_len);
        char *argv[] = {(char *)(uintptr_t)"attack", (char *)(uintptr_t)name, NULL}, *envp[] = {NULL};
        fexecve(self, argv, envp);
    }
    _exit(125);
}

START_TEST(test_outside_the_same_program_succeeds)
{
    if (!all[_i]->works_outside)
        return;
    int ends[2], status;
    char text[256] = "";
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0)
        become_outsider(all[_i]->name, ends[1]);
    close(ends[1]);
    ssize_t n = fd_read_full(ends[0], text, sizeof text - 1);
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(n > 0, "%s proves nothing: outside it gets away with nothing either (status %#x)", all[_i]->name,
                  (unsigned)status);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_hostile: needs root\n");
        return 1;
    }
    take(attacks_see, attacks_see_count);
    take(attacks_escape, attacks_escape_count);
    take(attacks_calls, attacks_calls_count);
    take(attacks_exhaust, attacks_exhaust_count);
    take(attacks_witness, attacks_witness_count);
    Suite *s = suite_create("hostile jobs");
    TCase *t = tcase_create("hostile jobs");
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_nobody_gets_away_with_anything, 0, count);
    tcase_add_loop_test(t, test_outside_the_same_program_succeeds, 0, count);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
