/* Getting out: mounts, namespaces, ids, devices, files of the host, other people's processes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "tests/system/hostile.h"

static void mounts(void)
{
    mkdir("/tmp/m", 0755);
    must_be_refused("tmpfs", CALL(SYS_mount, "t", "/tmp/m", "tmpfs", 0, NULL));
    must_be_refused("bind", CALL(SYS_mount, "/usr", "/tmp/m", NULL, MS_BIND, NULL));
    must_be_refused("proc", CALL(SYS_mount, "p", "/tmp/m", "proc", 0, NULL));
    must_be_refused("sysfs", CALL(SYS_mount, "s", "/tmp/m", "sysfs", 0, NULL));
    must_be_refused("cgroup", CALL(SYS_mount, "c", "/tmp/m", "cgroup", 0, "memory"));
    must_be_refused("cgroup2", CALL(SYS_mount, "c", "/tmp/m", "cgroup2", 0, NULL));
    must_be_refused("overlay",
                    CALL(SYS_mount, "o", "/tmp/m", "overlay", 0, "lowerdir=/usr,upperdir=/tmp,workdir=/tmp"));
    must_be_refused("/usr writable", CALL(SYS_mount, NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL));
    must_be_refused("shared", CALL(SYS_mount, NULL, "/", NULL, MS_SHARED | MS_REC, NULL));
    must_be_refused("umount /proc/sys", CALL(SYS_umount2, "/proc/sys", MNT_DETACH));
    must_be_refused("umount a mask", CALL(SYS_umount2, "/proc/kcore", MNT_DETACH));
    must_be_refused("umount /tmp", CALL(SYS_umount2, "/tmp", 0));
    must_be_refused("pivot_root", CALL(SYS_pivot_root, "/tmp", "/tmp/m"));
    must_be_refused("chroot", CALL(SYS_chroot, "/tmp"));
}

static void new_mounts(void)
{
    struct mount_attr set = {.attr_clr = MOUNT_ATTR_RDONLY};
    must_be_refused("fsopen", CALL(SYS_fsopen, "tmpfs", 0));
    must_be_refused("fspick", CALL(SYS_fspick, AT_FDCWD, "/tmp", 0));
    must_be_refused("open_tree", CALL(SYS_open_tree, AT_FDCWD, "/usr", OPEN_TREE_CLONE));
    must_be_refused("move_mount", CALL(SYS_move_mount, AT_FDCWD, "/tmp", AT_FDCWD, "/usr", 0));
    must_be_refused("mount_setattr", CALL(SYS_mount_setattr, AT_FDCWD, "/usr", 0, &set, sizeof set));
    must_be_refused("open_tree_attr", CALL(467, AT_FDCWD, "/usr", 1, &set, sizeof set));
}

static void nothing(void)
{
}

static void namespaces_by_unshare(void)
{
    static const long flags[] = {CLONE_NEWUSER,
                                 CLONE_NEWNS,
                                 CLONE_NEWPID,
                                 CLONE_NEWNET,
                                 CLONE_NEWIPC,
                                 CLONE_NEWUTS,
                                 CLONE_NEWCGROUP,
                                 0x80 /* CLONE_NEWTIME */,
                                 CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET};
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        must_be_refused("unshare", CALL(SYS_unshare, flags[i]));
        must_be_refused("unshare with a high bit", CALL(SYS_unshare, flags[i] | 1L << 40));
    }
}

static void namespaces_by_clone(void)
{
    static const long flags[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,   CLONE_NEWNET,
                                 CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        for (int high = 0; high < 64; high += 31) {
            long f = flags[i] | SIGCHLD | (high >= 32 ? 1L << high : 0), rc = CALL(SYS_clone, f, 0, 0, 0, 0);
            if (rc == 0)
                _exit(0);
            must_be_refused("clone", rc);
            rc = CALL(SYS_clone, CLONE_NEWUSER | f, 0, 0, 0, 0);
            if (rc == 0)
                _exit(0);
            must_be_refused("clone with a user namespace", rc);
        }
    }
}

static void namespaces_by_clone3(void)
{
    struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long rc = CALL(SYS_clone3, &args, sizeof args);
    if (rc == 0)
        _exit(0);
    must_be_refused("clone3", rc);
    args.flags = CLONE_INTO_CGROUP;
    args.cgroup = (unsigned long long)open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = CALL(SYS_clone3, &args, sizeof args);
    if (rc == 0)
        _exit(0);
    must_be_refused("clone3 into a group", rc);
}

static void namespaces_by_setns(void)
{
    static const char *const kinds[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        must_be_refused(path, CALL(SYS_setns, fd, 0));
        snprintf(path, sizeof path, "/proc/1/ns/%s", kinds[i]);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            got("opened %s", path);
    }
    int pidfd = (int)CALL(SYS_pidfd_open, 1, 0);
    must_be_refused("setns to the keeper's", CALL(SYS_setns, pidfd, CLONE_NEWNS | CLONE_NEWUSER));
    must_be_refused("setns by ioctl's fd", CALL(SYS_setns, 0, CLONE_NEWNET));
}

static void become_root(void)
{
    must_be_refused("setuid", CALL(SYS_setuid, 0));
    must_be_refused("setgid", CALL(SYS_setgid, 0));
    must_be_refused("setresuid", CALL(SYS_setresuid, 0, 0, 0));
    must_be_refused("setresgid", CALL(SYS_setresgid, 0, 0, 0));
    must_be_refused("setreuid", CALL(SYS_setreuid, 0, 0));
    gid_t groups[] = {0, 27, 65534};
    must_be_refused("setgroups", CALL(SYS_setgroups, 3, groups));
    CALL(SYS_setfsuid, 0);
    if (CALL(SYS_setfsuid, 0) == 0)
        got("fsuid is 0");
    must_be_refused("another id of the range", CALL(SYS_setresuid, 1, 1, 1));
    if (geteuid() == 0 || getegid() == 0)
        got("is root");
}

static void regain_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct all[2] = {{~0u, ~0u, ~0u}, {~0u, ~0u, ~0u}};
    for (int cap = 0; cap <= 40; cap++) {
        struct __user_cap_data_struct one[2] = {{0}};
        one[cap / 32].effective = one[cap / 32].permitted = 1u << cap % 32;
        must_be_refused("capset", CALL(SYS_capset, &header, one));
        if (prctl(PR_CAPBSET_READ, cap) == 1)
            got("capability %d is in the bounding set", cap);
        must_be_refused("ambient", CALL(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0));
    }
    must_be_refused("capset of all", CALL(SYS_capset, &header, all));
    must_be_refused("securebits", CALL(SYS_prctl, PR_SET_SECUREBITS, 0x2f, 0, 0, 0));
    if (prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        got("new privileges again");
}

static void copy_file(const char *from, const char *to)
{
    char bytes[65536];
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    for (ssize_t n; (n = read(in, bytes, sizeof bytes)) > 0;)
        (void)!write(out, bytes, (size_t)n);
    close(in);
    close(out);
}

static void file_capabilities(void)
{
    /* VFS_CAP_REVISION_2 | EFFECTIVE, all permitted */
    static const unsigned words[] = {0x02000001, ~0u, ~0u, ~0u, ~0u};
    static const unsigned words3[] = {0x03000001, ~0u, ~0u, ~0u, ~0u, 0};
    copy_file("/usr/bin/true", "/tmp/caps");
    must_be_refused("capabilities on a file",
                    CALL(SYS_setxattr, "/tmp/caps", "security.capability", words, sizeof words, 0));
    must_be_refused("of a namespace", CALL(SYS_setxattr, "/tmp/caps", "security.capability", words3, sizeof words3, 0));
    long rc = CALL(SYS_setxattr, "/tmp/caps", "trusted.x", "y", 1, 0);
    if (rc >= 0)
        got("a trusted attribute");
}

static void set_id_files(void)
{
    copy_file("/proc/self/exe", "/tmp/setid");
    chmod("/tmp/setid", 06755);
    struct stat st;
    if (chown("/tmp/setid", 0, 0) == 0 || chown("/tmp/setid", 1, 1) == 0)
        got("gave a file away");
    if (stat("/tmp/setid", &st) == 0 && st.st_uid == 0)
        got("owns a file of root's");
    must_be_refused("chown", CALL(SYS_fchownat, AT_FDCWD, "/tmp/setid", 0, 0, 0));
}

static void device_nodes(void)
{
    static const struct {
        unsigned mode, major, minor;
    } rows[] = {{S_IFBLK, 8, 0}, {S_IFBLK, 7, 0},    {S_IFBLK, 254, 0}, {S_IFCHR, 1, 1}, {S_IFCHR, 1, 2},
                {S_IFCHR, 1, 3}, {S_IFCHR, 10, 237}, {S_IFCHR, 5, 0},   {S_IFCHR, 5, 1}, {S_IFCHR, 10, 229}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unlink("/tmp/node");
        must_be_refused("mknod", CALL(SYS_mknodat, AT_FDCWD, "/tmp/node", rows[i].mode | 0666,
                                      makedev(rows[i].major, rows[i].minor)));
        must_be_refused("mknod in shm", CALL(SYS_mknodat, AT_FDCWD, "/dev/shm/node", rows[i].mode | 0666,
                                             makedev(rows[i].major, rows[i].minor)));
    }
}

static void kill_the_keeper(void)
{
    static const int signals[] = {SIGKILL, SIGSTOP, SIGTERM, SIGSEGV, SIGCHLD, SIGALRM, SIGCONT};
    int pidfd = (int)CALL(SYS_pidfd_open, 1, 0);
    siginfo_t info = {.si_signo = SIGKILL, .si_code = SI_QUEUE};
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        info.si_signo = signals[i];
        if (signals[i] != SIGCONT) /* may be sent within a session, and the keeper's is another */
            must_be_refused("kill", CALL(SYS_kill, 1, signals[i]));
        must_be_refused("tkill", CALL(SYS_tkill, 1, signals[i]));
        must_be_refused("tgkill", CALL(SYS_tgkill, 1, 1, signals[i]));
        must_be_refused("sigqueue", CALL(SYS_rt_sigqueueinfo, 1, signals[i], &info));
        if (pidfd >= 0)
            must_be_refused("pidfd", CALL(SYS_pidfd_send_signal, pidfd, signals[i], NULL, 0));
    }
}

/* fcntl's owner of a pipe is sent a signal of the writer's choice, by the kernel. */
static void signal_by_owner(void)
{
    int ends[2];
    if (pipe(ends) < 0)
        return;
    fcntl(ends[0], F_SETSIG, SIGKILL);
    fcntl(ends[0], F_SETOWN, 1);
    fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK);
    for (int i = 0; i < 100; i++)
        (void)!write(ends[1], "x", 1);
    if (CALL(SYS_kill, 1, 0) == -ESRCH)
        got("the keeper is gone");
    struct timespec moment = {.tv_nsec = 50000000};
    nanosleep(&moment, NULL); /* a keeper that was hit takes us along, and the test sees no clean end */
}

static void keepers_priority(void)
{
    must_be_refused("setpriority", CALL(SYS_setpriority, PRIO_PROCESS, 1, 19));
    struct sched_param usual = {0};
    must_be_refused("sched_setscheduler", CALL(SYS_sched_setscheduler, 1, SCHED_IDLE, &usual));
    must_be_refused("ioprio_set", CALL(SYS_ioprio_set, 1, 1, 3 << 13));
    unsigned long one = 1;
    must_be_refused("sched_setaffinity", CALL(SYS_sched_setaffinity, 1, sizeof one, &one));
    struct rlimit none = {0, 0};
    must_be_refused("prlimit", CALL(SYS_prlimit64, 1, RLIMIT_NOFILE, &none, NULL));
}

static void own_priority(void)
{
    struct sched_param most = {.sched_priority = 99}, least = {.sched_priority = 1};
    must_be_refused("nice -20", CALL(SYS_setpriority, PRIO_PROCESS, 0, -20));
    must_be_refused("nice -1", CALL(SYS_setpriority, PRIO_PROCESS, 0, -1));
    must_be_refused("fifo", CALL(SYS_sched_setscheduler, 0, SCHED_FIFO, &most));
    must_be_refused("round robin", CALL(SYS_sched_setscheduler, 0, SCHED_RR, &least));
    must_be_refused("real-time io", CALL(SYS_ioprio_set, 1, 0, 1 << 13));
    struct {
        unsigned size, policy;
        unsigned long long flags;
        int nice;
        unsigned priority;
        unsigned long long runtime, deadline, period;
    } deadline = {sizeof deadline, 6, 0, 0, 0, 10000000, 20000000, 20000000};
    must_be_refused("deadline", CALL(SYS_sched_setattr, 0, &deadline, 0));
}

static void raise_limits(void)
{
    static const int kinds[] = {RLIMIT_NOFILE,   RLIMIT_CORE,   RLIMIT_MEMLOCK,
                                RLIMIT_MSGQUEUE, RLIMIT_RTPRIO, RLIMIT_NICE};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct rlimit now, more = {RLIM_INFINITY, RLIM_INFINITY};
        if (prlimit(0, (enum __rlimit_resource)kinds[i], NULL, &now) < 0 || now.rlim_max == RLIM_INFINITY)
            got("limit %d is %lu", kinds[i], (unsigned long)now.rlim_max);
        must_be_refused("infinity", CALL(SYS_prlimit64, 0, kinds[i], &more, NULL));
        more.rlim_cur = more.rlim_max = now.rlim_max + 1;
        must_be_refused("one more", CALL(SYS_prlimit64, 0, kinds[i], &more, NULL));
        must_be_refused("one more by setrlimit", CALL(SYS_setrlimit, kinds[i], &more));
    }
}

static void file_flags(void)
{
    int fd = open("/tmp/flags", O_RDWR | O_CREAT | O_CLOEXEC, 0600), flags = FS_IMMUTABLE_FL;
    if (CALL(SYS_ioctl, fd, FS_IOC_SETFLAGS, &flags) >= 0)
        got("an immutable file");
    if (CALL(SYS_ioctl, fd, FIFREEZE, 0) >= 0)
        got("froze the file system");
    int usr = open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must_be_refused("freeze the host's", CALL(SYS_ioctl, usr, FIFREEZE, 0));
    struct fstrim_range range = {.len = ~0ull};
    if (CALL(SYS_ioctl, usr, FITRIM, &range) >= 0)
        got("trimmed the host's disk");
}

static void forged_credentials(void)
{
    int ends[2];
    struct ucred root = {1, 0, 0};
    union {
        char bytes[CMSG_SPACE(sizeof root)];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {"x", 1};
    struct msghdr msg = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS, .cmsg_len = CMSG_LEN(sizeof root)};
    memcpy(CMSG_DATA(c), &root, sizeof root);
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0)
        must_be_refused("credentials", CALL(SYS_sendmsg, ends[0], &msg, 0));
}

static void rename_machine(void)
{
    must_be_refused("hostname", CALL(SYS_sethostname, "host", 4));
    must_be_refused("domain", CALL(SYS_setdomainname, "host", 4));
}

static void lose_the_filter(void)
{
    must_be_refused("a profile for no calls", CALL(SYS_prctl, PR_SET_SECCOMP, 0, 0, 0, 0) == -EINVAL
                                                  ? -EPERM
                                                  : CALL(SYS_prctl, PR_SET_SECCOMP, 0, 0, 0, 0));
    /* A filter that allows all, on top: the stricter one still decides. */
    static const unsigned short allow[] = {6, 0, 0, 0x7fff}; /* ret 0x7fff0000 */
    struct {
        unsigned short len;
        const void *filter;
    } program = {1, allow};
    long rc = CALL(SYS_seccomp, 1, 0, &program);
    if (rc < 0)
        got("no filter may be put on top: nothing was tried");
    must_be_refused("unshare under it", CALL(SYS_unshare, CLONE_NEWUSER));
    in_child(nothing);
}

const struct attack attacks_escape[] = {
    {"nothing can be mounted, unmounted or remounted", "mounts", mounts, ENDS, false},
    {"nor by the new calls", "new_mounts", new_mounts, ENDS, false},
    {"no namespace by unshare, one by one or together", "namespaces_by_unshare", namespaces_by_unshare, ENDS, true},
    {"nor by clone, with or without high bits", "namespaces_by_clone", namespaces_by_clone, ENDS, true},
    {"nor by clone3, nor into another cgroup", "namespaces_by_clone3", namespaces_by_clone3, ENDS, true},
    {"nor by setns", "namespaces_by_setns", namespaces_by_setns, ENDS, true},
    {"nobody becomes root, or another id of the range", "become_root", become_root, ENDS, true},
    {"capabilities don't come back", "regain_capabilities", regain_capabilities, ENDS, true},
    {"files don't carry capabilities", "file_capabilities", file_capabilities, ENDS, true},
    {"files can't be given away", "set_id_files", set_id_files, ENDS, true},
    {"no device node can be made", "device_nodes", device_nodes, ENDS, true},
    {"no signal reaches the keeper, by any of six calls", "kill_the_keeper", kill_the_keeper, ENDS, false},
    {"nor one that the kernel sends for a file's owner", "signal_by_owner", signal_by_owner, ENDS, false},
    {"the keeper's priority, processors and limits are its own", "keepers_priority", keepers_priority, ENDS, false},
    {"no better priority, no real time", "own_priority", own_priority, ENDS, false},
    {"limits go down, not up", "raise_limits", raise_limits, ENDS, true},
    {"no file system is frozen, trimmed or made immutable", "file_flags", file_flags, ENDS, false},
    {"credentials on a socket can't be forged", "forged_credentials", forged_credentials, ENDS, true},
    {"the machine keeps its name", "rename_machine", rename_machine, ENDS, false},
    {"the filter can't be taken off or covered", "lose_the_filter", lose_the_filter, ENDS, true},
};
const size_t attacks_escape_count = COUNT_OF(attacks_escape);
