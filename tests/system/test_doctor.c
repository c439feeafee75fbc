/*
 * `reeve doctor` on a machine that lacks something: each check is made to fail in namespaces, limits and filters of the
 * test's own, and the program is run in there. Root.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "tests/system/suite.h"

#define NEED(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "spoil: %s: %s\n", #condition, strerror(errno));                                           \
            _exit(99);                                                                                                 \
        }                                                                                                              \
    } while (0)

static char program[512], said[65536];

static void find_program(void)
{
    char self[400];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[MAX(n, 0)] = '\0';
    for (int up = 0; up < 3; up++)
        *strrchr(self, '/') = '\0';
    snprintf(program, sizeof program, "%s/reeve", self);
}

/* ---- how to spoil a machine: each in the process that becomes `reeve doctor` -------------------------------- */

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    NEED(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void own_mounts(void)
{
    NEED(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

static void nothing(const char *arg)
{
    (void)arg;
}

static void other_user(const char *arg)
{
    (void)arg;
    NEED(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
}

static void without_admin(const char *arg)
{
    (void)arg;
    NEED(prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN) == 0);
}

static void without_cgroups(const char *arg)
{
    (void)arg;
    own_mounts();
    NEED(umount2("/sys/fs/cgroup", MNT_DETACH) == 0);
}

static void fixed_cgroups(const char *arg)
{
    (void)arg;
    own_mounts();
    struct mount_attr set = {.attr_set = MOUNT_ATTR_RDONLY};
    NEED(mount_setattr(AT_FDCWD, "/sys/fs/cgroup", AT_RECURSIVE, &set, sizeof set) == 0);
}

/* Root of a user namespace that has only one id. */
static void own_userns(const char *arg)
{
    (void)arg;
    NEED(unshare(CLONE_NEWUSER) == 0);
    write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", "0 0 1");
    write_file("/proc/self/gid_map", "0 0 1");
}

static void without_namespaces(const char *kind)
{
    char path[64];
    own_userns(NULL);
    snprintf(path, sizeof path, "/proc/sys/user/max_%s_namespaces", kind);
    write_file(path, "0");
}

static void deny(uint32_t number, uint32_t answer)
{
    struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = COUNT_OF(insns), .filter = insns};
    NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0);
}

static const struct denial {
    const char *name;
    uint32_t number, answer;
} denials[] = {
    {"seccomp", SYS_seccomp, ENOSYS},
    {"landlock", SYS_landlock_create_ruleset, EOPNOTSUPP},
    {"io_uring", SYS_io_uring_setup, EPERM},
    {"io_uring_enter", SYS_io_uring_enter, ENOSYS},
    {"mount_setattr", SYS_mount_setattr, ENOSYS},
    {"adjtimex", SYS_clock_adjtime, EPERM},
    {"fallocate", SYS_fallocate, EOPNOTSUPP},
    {"fsopen", SYS_fsopen, ENODEV},
    {"bpf", SYS_bpf, EPERM},
};

static void without_call(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(denials); i++)
        if (strcmp(denials[i].name, name) == 0)
            deny(denials[i].number, denials[i].answer);
}

static void over_srv(const char *type)
{
    own_mounts();
    NEED(mount("spoil", "/srv", type, 0, strcmp(type, "tmpfs") == 0 ? "size=1m" : NULL) == 0);
}

static void without_holes(const char *arg)
{
    over_srv("tmpfs");
    without_call(arg);
}

static void without_bpf(const char *arg)
{
    without_cgroups(arg);
    without_call("bpf");
}

static void few_files(const char *arg)
{
    (void)arg;
    const struct rlimit few = {512, 512};
    NEED(setrlimit(RLIMIT_NOFILE, &few) == 0);
}

static void little_locked(const char *arg)
{
    (void)arg;
    const struct rlimit little = {65536, 65536};
    NEED(setrlimit(RLIMIT_MEMLOCK, &little) == 0);
}

static void read_only_srv(const char *type)
{
    own_mounts();
    NEED(mount("spoil", "/srv", type, MS_RDONLY, NULL) == 0);
}

/* Somebody who answers with `text`, once. */
static void a_store_that_says(const char *text)
{
    over_srv("tmpfs");
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/srv/redis/redis.sock"};
    NEED(mkdir("/srv/redis", 0755) == 0);
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    NEED(listening >= 0 && bind(listening, (struct sockaddr *)&name, sizeof name) == 0 && listen(listening, 1) == 0);
    pid_t pid = fork();
    NEED(pid >= 0);
    if (pid != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char line[16];
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    NEED(fd >= 0 && read(fd, line, sizeof line) == 6 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    _exit(0);
}

static void no_store(const char *arg)
{
    over_srv("tmpfs");
    NEED(mkdir("/srv/redis", 0755) == 0);
    int fd = open("/srv/redis/redis.sock", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    NEED(fd >= 0);
    (void)arg;
}

/* reeve beside a reeved of another version. */
static void mixed_programs(const char *arg)
{
    (void)arg;
    over_srv("tmpfs");
    NEED(mount("spoil", "/srv", "tmpfs", 0, "size=64m") == 0);
    char command[1200];
    snprintf(command, sizeof command,
             "cp '%s' /srv/reeve && printf '#!/bin/sh\\necho reeved 9.9.9\\n' > /srv/reeved && chmod 755 /srv/reeved",
             program);
    NEED(system(command) == 0); /* lint: allow in tests */
    snprintf(program, sizeof program, "/srv/reeve");
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

#define INFO(policy, aof)                                                                                              \
    "redis_version:7.0.15\r\nloading:0\r\naof_enabled:" aof "\r\nmaxmemory_policy:" policy "\r\nrole:master\r\n"
static const struct spoil_row {
    const char *check;
    void (*spoil)(const char *arg);
    const char *arg;
    const char *status;
    const char *found, *fix; /* parts; fix NULL: none is given */
} rows[] = {
    {"root", other_user, "", "fail", "not root", "sudo"},
    {"root", without_admin, "", "fail", "without CAP_SYS_ADMIN", "CAP_SYS_ADMIN"},
    {"cgroup", without_cgroups, "", "fail", "no cgroups are mounted", "mount -t cgroup2"},
    {"cgroup.delegation", without_cgroups, "", "fail", "no hierarchy", "mount -t cgroup2"},
    {"cgroup.delegation", fixed_cgroups, "", "fail", "Read-only file system", "Delegate=yes"},
    {"cgroup.cpu", without_cgroups, "", "fail", "mounted neither", "mount -t cgroup2"},
    {"cgroup.cpu", fixed_cgroups, "", "fail", "Read-only file system", "cgroup.delegation"},
    {"cgroup.cpuacct", without_cgroups, "", "fail", "mounted neither", "mount -t cgroup2"},
    {"cgroup.memory", without_cgroups, "", "fail", "mounted neither", "mount -t cgroup2"},
    {"cgroup.memory", fixed_cgroups, "", "fail", "Read-only file system", "cgroup.delegation"},
    {"cgroup.swap", without_cgroups, "", "warn", "mounted neither", "mount -t cgroup2"},
    {"cgroup.pids", without_cgroups, "", "fail", "mounted neither", "mount -t cgroup2"},
    {"cgroup.cpuset", without_cgroups, "", "warn", "mounted neither", "mount -t cgroup2"},
    {"cgroup.io", without_cgroups, "", "warn", "mounted neither", "mount -t cgroup2"},
    {"io.weight", over_srv, "tmpfs", "warn", "no block device", "on a disk"},
    {"cgroup.hugetlb", without_cgroups, "", "warn", "mounted neither", "mount -t cgroup2"},
    {"cgroup.freeze", without_cgroups, "", "warn", "mounted neither", "mount -t cgroup2"},
    {"cgroup.devices", without_bpf, "", "warn", "device program", "CONFIG_CGROUP_BPF"},
    {"cgroup.kill", without_cgroups, "", "warn", "no v2 group", "mount -t cgroup2"},
    {"namespace.user", without_namespaces, "user", "fail", "No space left", "user.max_user_namespaces"},
    {"namespace.pid", without_namespaces, "pid", "fail", "No space left", "user.max_pid_namespaces"},
    {"namespace.mnt", without_namespaces, "mnt", "fail", "No space left", "user.max_mnt_namespaces"},
    {"namespace.ipc", without_namespaces, "ipc", "fail", "No space left", "user.max_ipc_namespaces"},
    {"namespace.uts", without_namespaces, "uts", "fail", "No space left", "user.max_uts_namespaces"},
    {"namespace.net", without_namespaces, "net", "fail", "No space left", "user.max_net_namespaces"},
    {"namespace.cgroup", without_namespaces, "cgroup", "fail", "No space left", "user.max_cgroup_namespaces"},
    {"namespace.net", other_user, "", "fail", "not permitted", "run as root"},
    {"idmap", own_userns, "", "fail", "can't be mapped", "range"},
    {"mounts", own_userns, "", "fail", "of our own", "CAP_SYS_ADMIN"},
    {"mounts", without_call, "mount_setattr", "fail", "not implemented", "5.12"},
    {"overlay", without_call, "fsopen", "warn", "No such device", "modprobe overlay"},
    {"squashfs", own_userns, "", "warn", "", "modprobe"},
    {"squashfs", without_call, "fsopen", "warn", "No such", "modprobe"},
    {"seccomp", without_call, "seccomp", "fail", "no filter", "CONFIG_SECCOMP_FILTER"},
    {"landlock", without_call, "landlock", "warn", "not supported", "lsm=landlock"},
    {"io_uring", without_call, "io_uring", "fail", "not permitted", "CONFIG_IO_URING"},
    {"io_uring", without_call, "io_uring_enter", "fail", "not implemented", "CONFIG_IO_URING"},
    {"oom_score", other_user, "", "warn", "out-of-memory killer", "CAP_SYS_RESOURCE"},
    {"nofile", few_files, "", "warn", "at most 512", "LimitNOFILE"},
    {"memlock", little_locked, "", "warn", "can't be locked", "LimitMEMLOCK"},
    {"clock", without_call, "adjtimex", "ok", "can't be seen", NULL},
    {"disk", over_srv, "ramfs", "fail", "can't have holes", "ext4"},
    {"disk", without_holes, "fallocate", "fail", "can't have holes", "ext4"},
    {"disk", read_only_srv, "tmpfs", "fail", "Read-only file system", "--dir"},
    {"space", over_srv, "tmpfs", "warn", "left", "make room"},
    {"redis", over_srv, "tmpfs", "ok", "not looked at", NULL},
    {"redis", no_store, "", "fail", "refused", "--redis"},
    {"redis", a_store_that_says, "$75\r\n" INFO("noeviction", "1"), "ok", "7.0.15", NULL},
    {"redis", a_store_that_says, "$75\r\n" INFO("noeviction", "0"), "fail", "append-only", "appendonly yes"},
    {"redis", a_store_that_says, "-NOAUTH Authentication required.\r\n", "fail", "NOAUTH", "password"},
    {"redis", a_store_that_says, "$99999\r\nredis_version:7", "fail", "reset", "--redis"},
    {"programs", mixed_programs, "", "fail", "9.9.9", "one release"},
    {"launch", own_userns, "", "fail", "", "--explain"},
    {"launch", without_cgroups, "", "fail", "mounted", "--explain"},
};

/* What `reeve doctor` prints in a machine spoilt like that; its exit code. */
static int look(const char *check, void (*spoil)(const char *arg), const char *arg)
{
    int ends[2], status;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int self = strcmp(arg, "") == 0 && spoil == other_user ? open(program, O_PATH | O_CLOEXEC) : -1;
        spoil(arg);
        dup2(ends[1], 1);
        const char *const argv[] = {"reeve", "doctor", "--json", "--dir", check[0] != '\0' ? "/srv" : "/tmp",
                                    check[0] != '\0' ? "--only" : NULL, check, NULL};
        execveat(self >= 0 ? self : AT_FDCWD, self >= 0 ? "" : program, (char *const *)(uintptr_t)argv, environ,
                 self >= 0 ? AT_EMPTY_PATH : 0);
        _exit(98);
    }
    close(ends[1]);
    ssize_t n = fd_read_full(ends[0], said, sizeof said - 1);
    said[MAX(n, 0)] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(what_is_missing_is_found_and_a_way_is_named)
{
    const struct spoil_row *row = &rows[_i];
    int code = look(row->check, row->spoil, row->arg);
    char status[64];
    snprintf(status, sizeof status, "\"status\":\"%s\"", row->status);
    const char *fix = strstr(said, "\"fix\":\"");
    ck_assert_msg(strstr(said, status) != NULL && strstr(said, row->found) != NULL, "%s: %d %s", row->check, code,
                  said);
    ck_assert_msg(row->fix == NULL ? fix == NULL : fix != NULL && strstr(fix, row->fix) != NULL, "%s: %s", row->check,
                  said);
    ck_assert_msg(code == (strcmp(row->status, "fail") == 0 ? 1 : 0), "%s: exit %d", row->check, code);
}
END_TEST

START_TEST(a_machine_that_runs_these_tests_is_fit)
{
    int code = look("", nothing, "");
    ck_assert_msg(code == 0 && strstr(said, "\"fit\":true") != NULL, "exit %d: %s", code, said);
}
END_TEST

/* Whose root lies on a disk; user-mode-linux has its files from the host. */
START_TEST(what_weighs_on_a_disk_is_said)
{
    int code = look("io.weight", without_cgroups, "");
    ck_assert_msg(code == 0 && strstr(said, "nothing weighs what jobs") != NULL && strstr(said, "io.cost.qos") != NULL,
                  "exit %d: %s", code, said);
}
END_TEST

START_TEST(nothing_is_left)
{
    static const char command[] = "find /sys/fs/cgroup -name 'reeve-doctor-*' 2>/dev/null; ls -A /srv | grep reeve";
    FILE *f = popen(command, "re"); /* lint: allow in tests */
    ck_assert_ptr_nonnull(f);
    bool any = fgetc(f) != EOF;
    pclose(f);
    ck_assert(!any);
}
END_TEST

int main(void)
{
    if (geteuid() != 0) {
        fprintf(stderr, "test_doctor: needs root\n");
        return 1;
    }
    find_program();
    TCase *t = tcase_create("doctor");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, what_is_missing_is_found_and_a_way_is_named, 0, (int)COUNT_OF(rows));
    tcase_add_test(t, a_machine_that_runs_these_tests_is_fit);
    if (!suite_under_uml())
        tcase_add_test(t, what_weighs_on_a_disk_is_said);
    tcase_add_test(t, nothing_is_left);
    Suite *s = suite_create("reeve doctor");
    suite_add_tcase(s, t);
    return run_suite(s);
}
