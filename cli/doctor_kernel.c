/* Checks of doctor: what a sandbox is made of. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/landlock.h>
#include <linux/loop.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "cli/doctor.h"

static void read_sysctl(const char *path, char out[32])
{
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, 31);
    out[MAX(n, 0)] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

/* CAP_SYS_ADMIN, tried: only who has it may make a mount. */
void doctor_root(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    CLEANUP(close_p) int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (geteuid() != 0)
        finding_bad(f, c, "run it with sudo: the warden runs as root, and so must these checks", "user %d, not root",
                    (int)geteuid());
    else if (fs < 0 && errno == EPERM)
        finding_bad(f, c, "in a container: one with CAP_SYS_ADMIN, or a machine of its own",
                    "root without CAP_SYS_ADMIN");
    else
        finding_ok(f, "root, and may administer the system");
}

/* ---- namespaces ------------------------------------------------------------------------------------------- */

static const struct kind_row {
    int flag;
    const char *name;
} kinds[KIND_COUNT] = {
    [KIND_USER] = {CLONE_NEWUSER, "user"},       [KIND_PID] = {CLONE_NEWPID, "pid"}, [KIND_MNT] = {CLONE_NEWNS, "mnt"},
    [KIND_IPC] = {CLONE_NEWIPC, "ipc"},          [KIND_UTS] = {CLONE_NEWUTS, "uts"}, [KIND_NET] = {CLONE_NEWNET, "net"},
    [KIND_CGROUP] = {CLONE_NEWCGROUP, "cgroup"},
};

static void say_no_namespace(const struct kind_row *row, int error, const struct doctor_check *c, struct finding *f)
{
    char path[64], most[32], userns[32], armor[32], fix[200];
    snprintf(path, sizeof path, "/proc/sys/user/max_%s_namespaces", row->name);
    read_sysctl(path, most);
    read_sysctl("/proc/sys/kernel/unprivileged_userns_clone", userns);
    read_sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", armor);
    if (error == EINVAL)
        snprintf(fix, sizeof fix, "a kernel with %s namespaces", row->name);
    else if (strcmp(most, "0") == 0 || error == ENOSPC)
        snprintf(fix, sizeof fix, "sysctl -w user.max_%s_namespaces=65536 (it is %s)", row->name, most);
    else if (row->flag == CLONE_NEWUSER && strcmp(armor, "1") == 0)
        snprintf(fix, sizeof fix, "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run as root");
    else if (row->flag == CLONE_NEWUSER && strcmp(userns, "0") == 0)
        snprintf(fix, sizeof fix, "sysctl -w kernel.unprivileged_userns_clone=1, or run as root");
    else
        snprintf(fix, sizeof fix, "run as root, outside a container or in one with CAP_SYS_ADMIN");
    finding_bad(f, c, fix, "no %s namespace: %s", row->name, strerror(error));
}

void doctor_namespace(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    const struct kind_row *row = &kinds[c->which];
    if (unshare(row->flag) < 0) { /* lint: allow in a check's child */
        say_no_namespace(row, errno, c, f);
        return;
    }
    /* A pid namespace is made by the first process in it. */
    pid_t pid = row->flag == CLONE_NEWPID ? fork() : getpid();
    if (pid == 0)
        _exit(getpid() == 1 ? 0 : 1);
    int status = 0;
    if (pid != getpid() && (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0))
        finding_bad(f, c, "look at pids.max of this group, and kernel.pid_max", "no process in a pid namespace");
    else
        finding_ok(f, "made one");
}

#define FIRST_ID 1879048192u /* as reeve-warden's --uid-base */
#define IDS 65536u

static int write_map(pid_t pid, const char *name)
{
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    snprintf(text, sizeof text, "0 %u %u", FIRST_ID, IDS);
    CLEANUP(close_p) int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* A child of ours waits in a fresh user namespace, as a sandbox does, until its ids are there. */
void doctor_idmap(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    int up[2], down[2], status = 1;
    char byte = 'x';
    if (pipe2(up, O_CLOEXEC) < 0 || pipe2(down, O_CLOEXEC) < 0) {
        finding_bad(f, c, "free some file descriptors", "pipe: %s", strerror(errno));
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        bool made = unshare(CLONE_NEWUSER) == 0; /* lint: allow in a check's child */
        bool told = write(up[1], made ? "y" : "n", 1) == 1 && read(down[0], &byte, 1) == 1;
        _exit(told && setresuid(1000, 1000, 1000) == 0 && getuid() == 1000 ? 0 : 1);
    }
    int rc = pid > 0 && read(up[0], &byte, 1) == 1 && byte == 'y' ? 0 : -EPERM;
    rc = rc < 0 ? rc : write_map(pid, "uid_map");
    rc = rc < 0 ? rc : write_map(pid, "gid_map");
    (void)!write(down[1], "g", 1);
    if (pid > 0)
        waitpid(pid, &status, 0);
    if (rc < 0 || status != 0)
        finding_bad(f, c, "run as root of the machine, or give this container the range 1879048192..2147418111",
                    "%u ids from %u can't be mapped: %s", IDS, FIRST_ID, strerror(rc < 0 ? -rc : EPERM));
    else
        finding_ok(f, "%u ids from %u mapped, and taken", IDS, FIRST_ID);
}

/* ---- mounts ----------------------------------------------------------------------------------------------- */

static int new_fs(const char *type, const char *const (*options)[2], unsigned flags)
{
    CLEANUP(close_p) int fs = fsopen(type, FSOPEN_CLOEXEC);
    if (fs < 0)
        return -errno;
    for (size_t i = 0; options != NULL && options[i][0] != NULL; i++)
        if (fsconfig(fs, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0) < 0)
            return -errno;
    if ((flags & MOUNT_ATTR_RDONLY) != 0 && fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0)
        return -errno;
    int fd = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -1 : fsmount(fs, FSMOUNT_CLOEXEC, flags);
    return fd < 0 ? -errno : fd;
}

/* A tmpfs over /tmp, in a mount namespace of our own. Before Linux 6.15 only what is mounted can be copied. */
static int take_tmp(void)
{
    struct mount_attr own = {.propagation = MS_PRIVATE};
    CLEANUP(close_p) int fd = new_fs("tmpfs", NULL, MOUNT_ATTR_NODEV);
    if (fd < 0)
        return fd;
    if (unshare(CLONE_NEWNS) < 0 || /* lint: allow in a check's child */
        mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &own, sizeof own) < 0 ||
        move_mount(fd, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return -errno;
    int taken = fd;
    fd = -1;
    return taken;
}

void doctor_mounts(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    static const char fix[] = "Linux 5.12 or newer, and CAP_SYS_ADMIN";
    CLEANUP(close_p) int fd = take_tmp();
    CLEANUP(close_p) int copy = fd < 0 ? -1 : open_tree(AT_FDCWD, "/tmp", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct mount_attr set = {.attr_set = MOUNT_ATTR_RDONLY};
    if (fd < 0)
        finding_bad(f, c, fix, "a file system of our own: %s", strerror(-fd));
    else if (copy < 0 || mount_setattr(copy, "", AT_EMPTY_PATH, &set, sizeof set) < 0)
        finding_bad(f, c, fix, "a read-only copy of a mount: %s", strerror(errno));
    else if (mkdirat(copy, "x", 0700) == 0 || errno != EROFS || mkdirat(fd, "x", 0700) < 0)
        finding_bad(f, c, fix, "a read-only copy can be written to, or its origin can't");
    else
        finding_ok(f, "a read-only copy of a mount that only a descriptor knows");
}

void doctor_overlay(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    CLEANUP(close_p) int base = take_tmp();
    static const char *const options[][2] = {
        {"lowerdir", "/tmp/lower"}, {"upperdir", "/tmp/upper"}, {"workdir", "/tmp/work"}, {NULL, NULL}};
    bool made = base >= 0 && mkdirat(base, "lower", 0700) == 0 && mkdirat(base, "upper", 0700) == 0 &&
                mkdirat(base, "work", 0700) == 0;
    CLEANUP(close_p) int fd = made ? new_fs("overlay", options, 0) : base < 0 ? base : -errno;
    if (fd < 0 || mkdirat(fd, "x", 0700) < 0)
        finding_bad(f, c, "modprobe overlay; without it jobs get no writable root", "%s",
                    strerror(fd < 0 ? -fd : errno));
    else
        finding_ok(f, "made one, and written to it");
}

/* An image of one empty folder, as mksquashfs(1) writes it. */
static const unsigned char image[] = {
    0x68, 0x73, 0x71, 0x73, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x01, 0x00, 0x11, 0x00, 0x4b, 0x02, 0x01, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x90, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x88, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x60, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x82, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x82, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x20, 0x80, 0x01, 0x00, 0xed, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00,
    0x02, 0x00, 0x00, 0x00, 0x04, 0x80, 0x00, 0x00, 0x00, 0x00, 0x82, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};

/* A loop device over `file`, which lets go of it when the last descriptor closes; its path. */
static int take_loop(int file, char path[32])
{
    CLEANUP(close_p) int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0)
        return -errno;
    snprintf(path, 32, "/dev/loop%d", number);
    int loop = open(path, O_RDWR | O_CLOEXEC);
    struct loop_config config = {.fd = (uint32_t)file, .info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_READ_ONLY};
    if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &config) == 0)
        return loop;
    int rc = -errno;
    close_p(&loop);
    return rc;
}

void doctor_squashfs(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    CLEANUP(close_p) int file = memfd_create("image", MFD_CLOEXEC);
    char path[32] = "";
    if (file < 0 || fd_write_all(file, image, sizeof image) < 0 || ftruncate(file, 4096) < 0) {
        finding_bad(f, c, "free some memory", "memfd: %s", strerror(errno));
        return;
    }
    CLEANUP(close_p) int loop = take_loop(file, path);
    const char *const options[][2] = {{"source", path}, {NULL, NULL}};
    CLEANUP(close_p) int fd = loop < 0 ? -1 : new_fs("squashfs", options, MOUNT_ATTR_RDONLY);
    struct stat st;
    if (loop < 0)
        finding_bad(f, c, "modprobe loop; without it images must be folders", "no loop device: %s", strerror(-loop));
    else if (fd < 0 || fstatat(fd, "", &st, AT_EMPTY_PATH) < 0)
        finding_bad(f, c, "modprobe squashfs; without it images must be folders", "%s", strerror(fd < 0 ? -fd : errno));
    else
        finding_ok(f, "mounted an image through a loop device");
}

/* ---- filters ---------------------------------------------------------------------------------------------- */

#define ANSWER 99 /* an errno that the call itself never gives */

void doctor_seccomp(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ANSWER),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = COUNT_OF(insns), .filter = insns};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        finding_bad(f, c, "a kernel with CONFIG_SECCOMP_FILTER", "no filter can be set: %s", strerror(errno));
    else if (syscall(SYS_getppid) != -1 || errno != ANSWER)
        finding_bad(f, c, "report this kernel: filters must be obeyed", "a filter was set and is not obeyed");
    else
        finding_ok(f, "a filter was set, and obeyed");
}

void doctor_landlock(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    static const char fix[] =
        "Linux 5.13 or newer with lsm=landlock,... on its command line; without it one wall is missing";
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 0) {
        finding_bad(f, c, fix, "%s", strerror(errno));
        return;
    }
    struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE};
    CLEANUP(close_p) int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (rules < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        finding_bad(f, c, fix, "ABI %ld, but: %s", abi, strerror(errno));
    else if (open("/proc/self/status", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
        finding_bad(f, c, "report this kernel: rules must be obeyed", "ABI %ld, but not obeyed", abi);
    else
        finding_ok(f, "ABI %ld, and obeyed", abi);
}

/* ---- io_uring --------------------------------------------------------------------------------------------- */

/* One request that does nothing, there and back. */
static int ring_turn(int ring, const struct io_uring_params *p)
{
    size_t sq_size = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
    char *sq = mmap(NULL, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
    struct io_uring_sqe *sqes = mmap(NULL, p->sq_entries * sizeof *sqes, PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
    if (sq == MAP_FAILED || sqes == MAP_FAILED)
        return -errno;
    sqes[0] = (struct io_uring_sqe){.opcode = IORING_OP_NOP, .user_data = 1};
    ((uint32_t *)(void *)(sq + p->sq_off.array))[0] = 0;
    __atomic_store_n((uint32_t *)(void *)(sq + p->sq_off.tail), 1, __ATOMIC_RELEASE);
    long n = syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
    return n == 1 ? 0 : n < 0 ? -errno : -EIO;
}

void doctor_io_uring(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    struct io_uring_params params = {0};
    char disabled[32];
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0) { /* as the agent: without privileges */
        finding_bad(f, c, "let root change its user", "setresuid: %s", strerror(errno));
        return;
    }
    CLEANUP(close_p) int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
    int rc = ring < 0 ? -errno : ring_turn(ring, &params);
    read_sysctl("/proc/sys/kernel/io_uring_disabled", disabled);
    if (rc < 0 && disabled[0] > '0')
        finding_bad(f, c,
                    "sysctl -w kernel.io_uring_disabled=0 (jobs can't reach io_uring in any case), or =1 with "
                    "kernel.io_uring_group set to the agent's group",
                    "kernel.io_uring_disabled is %s", disabled);
    else if (rc < 0)
        finding_bad(f, c, "Linux 5.15 or newer with CONFIG_IO_URING; in a container: a seccomp profile that allows it",
                    "%s", strerror(-rc));
    else
        finding_ok(f, "a request went there and back, without privileges");
}

void doctor_oom_score(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    CLEANUP(close_p) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "-1000", 5) < 0)
        finding_bad(f, c, "give the warden CAP_SYS_RESOURCE; without it a keeper may die with its job's memory",
                    "a keeper can't be kept from the out-of-memory killer: %s", strerror(errno));
    else
        finding_ok(f, "a keeper can be kept from the out-of-memory killer");
}
