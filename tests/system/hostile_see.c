/* Seeing what isn't theirs: other processes, the host, its devices, its names. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/macros.h"
#include "tests/system/hostile.h"

static bool can_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void open_each(const char *const *paths, size_t count, int flags)
{
    for (size_t i = 0; i < count; i++) {
        if (can_open(paths[i], flags))
            got("opened %s", paths[i]);
    }
}
#define OPEN_EACH(flags, ...)                                                                                          \
    do {                                                                                                               \
        static const char *const paths[] = {__VA_ARGS__};                                                              \
        open_each(paths, COUNT_OF(paths), flags);                                                                      \
    } while (0)

static void keeper_files(void)
{
    OPEN_EACH(O_RDONLY, "/proc/1/mem", "/proc/1/maps", "/proc/1/environ", "/proc/1/cmdline", "/proc/1/exe",
              "/proc/1/fd", "/proc/1/fdinfo", "/proc/1/root/etc/passwd", "/proc/1/cwd/.", "/proc/1/ns/mnt",
              "/proc/1/ns/user", "/proc/1/auxv", "/proc/1/stack", "/proc/1/syscall", "/proc/1/task/1/mem",
              "/proc/1/map_files", "/proc/1/status", "/proc/1/stat", "/proc/1/mountinfo");
}

static void other_pids(void)
{
    for (pid_t pid = 1; pid < 70000; pid++) {
        if (pid == getpid())
            continue;
        int rc = kill(pid, 0) < 0 ? errno : 0;
        if (rc != ESRCH && !(pid == 1 && rc == EPERM))
            got("process %d answers: %s", (int)pid, strerror(rc));
    }
}

/* Of a hidden process even whether it is there can't be told by its folder. */
static void hidden_names(void)
{
    for (int pid = 1; pid < 20000; pid++) {
        char path[32];
        snprintf(path, sizeof path, "/proc/%d", pid);
        struct stat st;
        if (pid != getpid() && stat(path, &st) == 0)
            got("%s is there", path);
    }
}

static void kernel_memory(void)
{
    OPEN_EACH(O_RDONLY, "/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/proc/kmsg", "/dev/sda", "/dev/vda",
              "/dev/nvme0n1", "/dev/loop0", "/dev/loop-control", "/dev/fuse", "/dev/net/tun", "/dev/kvm",
              "/dev/userfaultfd", "/dev/vhost-vsock", "/dev/uinput", "/dev/snapshot", "/dev/autofs",
              "/dev/btrfs-control");
    char bytes[16];
    int fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, bytes, sizeof bytes) > 0)
        got("read /proc/kcore");
}

static void kernel_addresses(void)
{
    static const char *const paths[] = {"/proc/kallsyms",   "/proc/modules",    "/proc/iomem",
                                        "/proc/self/stack", "/proc/timer_list", "/proc/sched_debug"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        char line[256];
        FILE *f = fopen(paths[i], "re");
        while (f != NULL && fgets(line, sizeof line, f) != NULL) {
            if (strstr(line, "ffff8") != NULL || strstr(line, "ffffffff8") != NULL)
                got("%s tells %s", paths[i], line);
        }
        if (f != NULL)
            fclose(f);
    }
}

static void kernel_log(void)
{
    static char text[4096];
    must_be_refused("read the log", CALL(SYS_syslog, 3, text, sizeof text));
    must_be_refused("its size", CALL(SYS_syslog, 10));
    must_be_refused("clear it", CALL(SYS_syslog, 5));
}

/* Where the node's own root lies in its file system: what comes before "/usr" in the line of that mount. */
static size_t root_prefix(void)
{
    char line[1024], root[512], point[512];
    size_t len = 0;
    FILE *f = fopen("/proc/self/mountinfo", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "%*s %*s %*s %511s %511s", root, point) == 2 && strcmp(point, "/usr") == 0 &&
            strlen(root) >= strlen("/usr"))
            len = strlen(root) - strlen("/usr");
    }
    if (f != NULL)
        fclose(f);
    return len;
}

static void host_mounts(void)
{
    char line[1024];
    size_t prefix = root_prefix();
    FILE *f = fopen("/proc/self/mountinfo", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        int root = 0;
        if (sscanf(line, "%*s %*s %*s %n", &root) == 0 && strlen(line + root) > prefix && line[root + 1] != ' ')
            memset(line + root, ' ', prefix);
        if (strstr(line, "/work/") != NULL || strstr(line, "/root") != NULL || strstr(line, "/home") != NULL ||
            strstr(line, " - cgroup") != NULL || strstr(line, " - sysfs") != NULL || strstr(line, "reeve") != NULL)
            got("%s", line);
    }
    if (f == NULL)
        got("no mountinfo: nothing was tried");
    else
        fclose(f);
}

static void host_sockets(void)
{
    char line[512];
    static const char *const tables[] = {"/proc/net/unix",   "/proc/net/tcp",     "/proc/net/udp", "/proc/net/raw",
                                         "/proc/net/packet", "/proc/net/netlink", "/proc/net/arp"};
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        FILE *f = fopen(tables[i], "re");
        while (f != NULL && fgets(line, sizeof line, f) != NULL) {
            if (strstr(line, "sl ") == NULL && strstr(line, "Num ") == NULL && strstr(line, "sk ") == NULL &&
                strstr(line, "IP address") == NULL && strcmp(tables[i], "/proc/net/netlink") != 0 &&
                strcmp(tables[i], "/proc/net/unix") != 0)
                got("%s: %s", tables[i], line);
            if (strstr(line, "reeve") != NULL || strstr(line, "/run/") != NULL || strstr(line, "dbus") != NULL)
                got("%s: %s", tables[i], line);
        }
        if (f != NULL)
            fclose(f);
    }
}

/* The test made these on the host, open to everybody: hostile_host_objects. */
static void host_ipc(void)
{
    if (shmget(0x52455655, 1, 0) >= 0)
        got("found the host's shared memory");
    if (CALL(SYS_semget, 0x52455655, 1, 0) >= 0)
        got("found the host's semaphores");
    if (CALL(SYS_msgget, 0x52455655, 0) >= 0)
        got("found the host's message queue");
    if (CALL(SYS_mq_open, "reeve-hostile", O_RDONLY) >= 0)
        got("found the host's POSIX queue");
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0reeve-hostile"};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&name, sizeof name.sun_family + 14) == 0)
        got("talked to the host's abstract socket");
    if (can_open("/dev/shm/reeve-hostile", O_RDONLY) || can_open("/tmp/reeve-hostile", O_RDONLY))
        got("found the host's file");
}

static void cgroup_files(void)
{
    OPEN_EACH(O_RDONLY, "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs",
              "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/release_agent",
              "/sys/kernel/uevent_helper", "/sys/kernel/debug", "/sys/kernel/security", "/sys/firmware", "/sys/module",
              "/sys/class/net/lo/address");
    char line[256];
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        const char *path = strrchr(line, ':');
        if (path == NULL || strcmp(path, ":/\n") != 0)
            got("own group is %s", line);
    }
    if (f != NULL)
        fclose(f);
}

static void other_memory(void)
{
    char bytes[8] = "";
    struct iovec here = {bytes, sizeof bytes}, there = {bytes, sizeof bytes};
    must_be_refused("process_vm_readv of itself", CALL(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 0));
    must_be_refused("process_vm_readv of the keeper", CALL(SYS_process_vm_readv, 1, &here, 1, &there, 1, 0));
    must_be_refused("process_vm_writev", CALL(SYS_process_vm_writev, getpid(), &here, 1, &there, 1, 0));
    must_be_refused("process_madvise", CALL(SYS_process_madvise, 0, &there, 1, 20, 0));
    must_be_refused("kcmp", CALL(SYS_kcmp, getpid(), 1, 0, 0, 0));
    int pidfd = (int)CALL(SYS_pidfd_open, getpid(), 0);
    must_be_refused("pidfd_getfd", CALL(SYS_pidfd_getfd, pidfd, 0, 0));
    must_be_refused("ptrace", CALL(SYS_ptrace, 16, 1, 0, 0));
    must_be_refused("traceme", CALL(SYS_ptrace, 0, 0, 0, 0));
    OPEN_EACH(O_RDWR, "/proc/1/mem", "/proc/1/clear_refs", "/proc/1/attr/current");
}

static void handles(void)
{
    struct {
        unsigned bytes;
        int type;
        unsigned char handle[128];
    } h = {.bytes = 8, .type = 1, .handle = {2}};
    int mount_id;
    must_be_refused("name_to_handle_at", CALL(SYS_name_to_handle_at, AT_FDCWD, "/usr", &h, &mount_id, 0));
    int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    h.bytes = 8;
    must_be_refused("open_by_handle_at", CALL(SYS_open_by_handle_at, dir, &h, O_RDONLY));
}

static void watches(void)
{
    must_be_refused("fanotify", CALL(SYS_fanotify_init, 0, O_RDONLY));
    must_be_refused("perf", CALL(SYS_perf_event_open, "\1\0\0\0\160\0\0\0", 0, -1, -1, 0));
    must_be_refused("lookup_dcookie", CALL(SYS_lookup_dcookie, 0, 0, 0));
    must_be_refused("lsm list", CALL(461, 0, 0, 0));
    must_be_refused("listmount", CALL(458, 0, 0, 0, 0));
}

static void keys(void)
{
    must_be_refused("own session keyring", CALL(SYS_keyctl, 0, -3, 0));
    must_be_refused("a new one", CALL(SYS_keyctl, 1, "x"));
    must_be_refused("the user's", CALL(SYS_keyctl, 6, -4, 0));
    must_be_refused("add_key", CALL(SYS_add_key, "user", "x", "y", 1, -3));
    must_be_refused("request_key", CALL(SYS_request_key, "user", "x", "", -3));
    static char text[256];
    int fd = open("/proc/keys", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, text, sizeof text) > 0)
        got("/proc/keys: %s", text);
}

static void descriptor_cwd(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        char path[64], here[4096];
        static const char *const forms[] = {"/proc/self/fd/%d", "/proc/self/fd/%d/..", "/dev/fd/%d/../../.."};
        for (size_t i = 0; i < COUNT_OF(forms); i++) {
            snprintf(path, sizeof path,
                     i == 0   ? "/proc/self/fd/%d"
                     : i == 1 ? "/proc/self/fd/%d/.."
                              : "/dev/fd/%d/../../..",
                     fd);
            if (chdir(path) == 0)
                got("%s is a folder: %s", path, getcwd(here, sizeof here) != NULL ? here : "?");
        }
        (void)forms;
    }
}

static void pipe_ends(void)
{
    char bytes[16];
    for (int fd = 0; fd <= 2; fd++) {
        char path[32];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int in = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd > 0 && in >= 0 && read(in, bytes, sizeof bytes) > 0)
            got("read what was written to %d", fd);
        if (in >= 0)
            close(in);
    }
}

const struct attack attacks_see[] = {
    {"nothing of the keeper can be opened", "keeper_files", keeper_files, ENDS, true},
    {"no other process answers to a signal", "other_pids", other_pids, ENDS, true},
    {"no other process has a folder, not even to stat", "hidden_names", hidden_names, ENDS, true},
    {"kernel memory, disks and raw devices are not there", "kernel_memory", kernel_memory, ENDS, true},
    {"no address of the kernel is told", "kernel_addresses", kernel_addresses, ENDS, false},
    {"the kernel's log is closed", "kernel_log", kernel_log, ENDS, false},
    {"mounts tell nothing of the host's folders", "host_mounts", host_mounts, ENDS, true},
    {"no socket of the host is listed", "host_sockets", host_sockets, ENDS, false},
    {"no IPC object, abstract socket, queue or file of the host is found", "host_ipc", host_ipc, ENDS, true},
    {"no cgroup file, and a group without a name", "cgroup_files", cgroup_files, ENDS, true},
    {"no process may look into another, or itself from outside", "other_memory", other_memory, ENDS, false},
    {"files can't be opened past their path", "handles", handles, ENDS, true},
    {"nothing watches the machine", "watches", watches, ENDS, true},
    {"keyrings are closed", "keys", keys, ENDS, true},
    {"no open file is a way to a folder (CVE-2024-21626)", "descriptor_cwd", descriptor_cwd, ENDS, false},
    {"output pipes have no other end inside", "pipe_ends", pipe_ends, ENDS, false},
};
const size_t attacks_see_count = COUNT_OF(attacks_see);
