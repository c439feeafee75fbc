/* Whole families of calls, and what /proc would let a root do: the machine, its clock, its kernel. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/macros.h"
#include "tests/system/hostile.h"

static void machine(void)
{
    must_be_refused("reboot: no ctrl-alt-del", CALL(SYS_reboot, 0xfee1dead, 672274793, 0, NULL));
    must_be_refused("swapon", CALL(SYS_swapon, "/tmp/swap", 0));
    must_be_refused("swapoff", CALL(SYS_swapoff, "/tmp/swap"));
    must_be_refused("kexec_load", CALL(SYS_kexec_load, 0, 0, NULL, 0));
    must_be_refused("init_module", CALL(SYS_init_module, "x", 1, ""));
    must_be_refused("finit_module", CALL(SYS_finit_module, 0, "", 0));
    must_be_refused("delete_module", CALL(SYS_delete_module, "no-such-module", O_NONBLOCK));
    must_be_refused("acct", CALL(SYS_acct, "/tmp/none"));
    must_be_refused("quotactl", CALL(SYS_quotactl, 0x800007 << 8, "/dev/none", 0, NULL));
    must_be_refused("vhangup", CALL(SYS_vhangup, 0));
#ifdef SYS_iopl
    must_be_refused("iopl", CALL(SYS_iopl, 3));
    must_be_refused("ioperm", CALL(SYS_ioperm, 0x80, 1, 1));
#endif
}

static void clocks(void)
{
    struct timeval tv = {.tv_sec = 1};
    struct timespec ts = {.tv_sec = 1};
    struct timex set = {.modes = ADJ_SETOFFSET, .time = {.tv_sec = 1}}, tick = {.modes = ADJ_TICK, .tick = 9000};
    must_be_refused("settimeofday", CALL(SYS_settimeofday, &tv, NULL));
    must_be_refused("clock_settime", CALL(SYS_clock_settime, CLOCK_REALTIME, &ts));
    must_be_refused("adjtimex", CALL(SYS_adjtimex, &set));
    must_be_refused("adjtimex's tick", CALL(SYS_adjtimex, &tick));
    must_be_refused("clock_adjtime", CALL(SYS_clock_adjtime, CLOCK_REALTIME, &set));
}

static void programs_for_the_kernel(void)
{
    static char attr[128];
    must_be_refused("bpf map", CALL(SYS_bpf, 0, attr, sizeof attr));
    must_be_refused("bpf program", CALL(SYS_bpf, 5, attr, sizeof attr));
    must_be_refused("userfaultfd", CALL(SYS_userfaultfd, 1)); /* user mode only: the one that needs no privilege */
    must_be_refused("io_uring_setup", CALL(SYS_io_uring_setup, 8, attr));
    must_be_refused("io_uring_enter", CALL(SYS_io_uring_enter, 0, 1, 0, 0, NULL, 0));
    must_be_refused("io_uring_register", CALL(SYS_io_uring_register, 0, 0, NULL, 0));
    must_be_refused("modify_ldt", CALL(SYS_modify_ldt, 0, attr, sizeof attr));
    must_be_refused("vmsplice", CALL(SYS_vmsplice, 1, attr, 0, 0));
    must_be_refused("migrate_pages", CALL(SYS_migrate_pages, 1, 0, NULL, NULL));
    must_be_refused("move_pages", CALL(SYS_move_pages, 1, 0, NULL, NULL, NULL, 0));
    must_be_refused("mbind", CALL(SYS_mbind, NULL, 0, 0, NULL, 0, 0));
}

static bool is_one_of_ours(int family)
{
    return family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
}

static void socket_families(void)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_RDM, SOCK_PACKET};
    for (int family = 0; family < 64; family++) {
        for (size_t t = 0; t < COUNT_OF(types) && !is_one_of_ours(family); t++) {
            for (int high = 31; high < 64; high++) {
                long number = family | (high > 31 ? (long)(1UL << high) : 0);
                must_be_refused("socket", CALL(SYS_socket, number, types[t] | SOCK_CLOEXEC, 0));
                if (high < 34)
                    must_be_refused("socketpair", CALL(SYS_socketpair, number, types[t], 0, &(int[2]){0}));
            }
        }
    }
}

static void raw_packets(void)
{
    static const int protocols[] = {1, 6, 17, 58, 255};
    for (size_t i = 0; i < COUNT_OF(protocols); i++) {
        must_be_refused("raw", CALL(SYS_socket, AF_INET, SOCK_RAW, protocols[i]));
        long rc = CALL(SYS_socket, AF_INET6, SOCK_RAW, protocols[i]);
        must_be_refused("raw v6", rc == -EAFNOSUPPORT ? -EPERM : rc);
    }
}

static void netlink_protocols(void)
{
    for (long protocol = 1; protocol < 32; protocol++) {
        must_be_refused("netlink", CALL(SYS_socket, AF_NETLINK, SOCK_RAW, protocol));
        must_be_refused("netlink, high bit", CALL(SYS_socket, AF_NETLINK, SOCK_RAW, protocol | 1L << 32));
    }
}

/* NETLINK_ROUTE is there to ask; changing is another matter. */
static void network_settings(void)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg link;
    } down = {{sizeof down, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0}, {.ifi_index = 1, .ifi_change = IFF_UP}};
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[256];
    } answer = {0};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (send(fd, &down, sizeof down, 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0)
        got("netlink did not answer: nothing was tried");
    must_be_refused("lo down", answer.error.error);
    struct ifreq lo = {.ifr_name = "lo"};
    int in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    must_be_refused("lo down by ioctl", CALL(SYS_ioctl, in, SIOCSIFFLAGS, &lo));
    lo.ifr_mtu = 100;
    must_be_refused("mtu", CALL(SYS_ioctl, in, SIOCSIFMTU, &lo));
    if (CALL(SYS_ioctl, in, 0x89a0, "br0") >= 0)
        got("a bridge");
}

static void terminals(void)
{
    static const char *const paths[] = {"/dev/tty",      "/dev/tty0",  "/dev/tty1", "/dev/console", "/dev/ptmx",
                                        "/dev/pts/ptmx", "/dev/pts/0", "/dev/vcs",  "/dev/ttyS0"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        if (open(paths[i], O_RDWR | O_NOCTTY | O_CLOEXEC) >= 0)
            got("opened %s", paths[i]);
    }
    for (int high = 31; high < 64; high++) {
        long bit = high > 31 ? (long)(1UL << high) : 0;
        for (int fd = 0; fd < 3; fd++) {
            must_be_refused("TIOCSTI", CALL(SYS_ioctl, fd, 0x5412 | bit, "x"));
            must_be_refused("TIOCLINUX", CALL(SYS_ioctl, fd, 0x541c | bit, "\2"));
        }
    }
}

static void personalities(void)
{
    static const long flags[] = {READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE, MMAP_PAGE_ZERO, ADDR_COMPAT_LAYOUT, 0x40000 | 8};
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        must_be_refused("personality", CALL(SYS_personality, flags[i]));
        must_be_refused("personality, high bit", CALL(SYS_personality, flags[i] | 1L << 33));
    }
    if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == NULL)
        got("mapped page 0");
}

static void own_past(void)
{
    must_be_refused("PR_SET_MM", CALL(SYS_prctl, PR_SET_MM, PR_SET_MM_START_BRK, 4096, 0, 0));
    must_be_refused("exe link", CALL(SYS_prctl, PR_SET_MM, PR_SET_MM_EXE_FILE, 0, 0, 0));
    if (CALL(SYS_prctl, PR_SET_DUMPABLE, 2, 0, 0, 0) >= 0)
        got("dumpable as root");
}

/* What is covered is our own null device. */
static bool is_null(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

/* Everything below /proc that isn't a process's own: not one file of it may be opened for writing. */
static void walk(const char *path, int depth, int *tried)
{
    DIR *dir = depth > 0 ? opendir(path) : NULL;
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        char below[512];
        bool top = strcmp(path, "/proc") == 0;
        if (e->d_name[0] == '.' || (top && (e->d_type == DT_LNK || (e->d_name[0] >= '0' && e->d_name[0] <= '9'))) ||
            snprintf(below, sizeof below, "%s/%s", path, e->d_name) >= (int)sizeof below)
            continue;
        if (e->d_type == DT_DIR) {
            walk(below, depth - 1, tried);
        } else if (e->d_type == DT_REG) {
            int fd = open(below, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
            *tried += 1;
            if (fd >= 0 && !is_null(fd))
                got("%s can be written", below);
            if (fd >= 0)
                close(fd);
        }
    }
    if (dir != NULL)
        closedir(dir);
}

static void kernel_settings(void)
{
    int tried = 0;
    walk("/proc", 8, &tried);
    if (tried < 100)
        got("only %d files of /proc were there: nothing was tried", tried);
}

static void write_each(const char *const *paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int fd = open(paths[i], O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && !is_null(fd) && write(fd, "x", 1) > 0)
            got("wrote %s", paths[i]);
        if (fd >= 0)
            close(fd);
        if (chmod(paths[i], 0666) == 0)
            got("changed the mode of %s", paths[i]);
    }
}

static void programs_that_the_kernel_starts(void)
{
    static const char *const paths[] = {
        "/proc/sys/kernel/core_pattern",       "/proc/sys/kernel/modprobe",           "/proc/sys/kernel/hotplug",
        "/proc/sys/kernel/poweroff_cmd",       "/proc/sys/fs/binfmt_misc/register",   "/sys/kernel/uevent_helper",
        "/sys/fs/cgroup/memory/release_agent", "/proc/sys/kernel/usermodehelper/bset"};
    write_each(paths, COUNT_OF(paths));
}

static void dangerous_files(void)
{
    static const char *const paths[] = {"/proc/sysrq-trigger",
                                        "/proc/kcore",
                                        "/proc/mtrr",
                                        "/proc/self/loginuid",
                                        "/proc/self/uid_map",
                                        "/proc/self/gid_map",
                                        "/proc/self/setgroups",
                                        "/proc/self/projid_map",
                                        "/proc/1/oom_score_adj",
                                        "/proc/irq/0/smp_affinity",
                                        "/proc/acpi/wakeup",
                                        "/proc/bus/pci/00/00.0",
                                        "/proc/1/timens_offsets",
                                        "/proc/self/timens_offsets",
                                        "/proc/sys/vm/drop_caches",
                                        "/proc/sys/user/max_user_namespaces",
                                        "/proc/sys/kernel/ns_last_pid"};
    write_each(paths, COUNT_OF(paths));
    /* Where the warden may not set a floor (it lacks CAP_SYS_RESOURCE), the kernel's is 0. */
    int floor = getenv("KEEPER_PROTECTED") != NULL ? 500 : 0;
    for (int score = -1000; score < floor; score += 50) {
        char text[16];
        int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC), n = snprintf(text, sizeof text, "%d", score);
        if (fd >= 0 && write(fd, text, (size_t)n) > 0)
            got("score %d", score);
        close(fd);
    }
}

/* CVE-2019-5736: the program that starts jobs, reached by the link to one's own. */
static void programs_written_back(void)
{
    static const char *const paths[] = {"/proc/self/exe",  "/proc/1/exe", "/proc/self/root/usr/bin/env",
                                        "/usr/bin/env",    "/bin/sh",     "/lib64/ld-linux-x86-64.so.2",
                                        "/etc/passwd",     "/etc/hosts",  "/etc/ld.so.cache",
                                        "/etc/resolv.conf"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        if (i > 0 && open(paths[i], O_WRONLY | O_CLOEXEC) >= 0)
            got("opened %s", paths[i]);
        if (i > 0 && truncate(paths[i], 0) == 0)
            got("emptied %s", paths[i]);
    }
    int self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    char again[32];
    snprintf(again, sizeof again, "/proc/self/fd/%d", self);
    for (int i = 0; i < 1000; i++) {
        if (open(again, O_WRONLY | O_TRUNC | O_CLOEXEC) >= 0)
            got("opened its own program for writing while it runs");
    }
}

static void link_games(void)
{
    static const char *const targets[] = {"/proc/1/root/etc/shadow",
                                          "/proc/self/root/../etc/shadow",
                                          "/../etc/shadow",
                                          "/proc/self/cwd/../../../root",
                                          "/proc/1/cwd",
                                          "/dev/../../work",
                                          "/proc/self/task/1/root"};
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        unlink("/tmp/l");
        if (symlink(targets[i], "/tmp/l") == 0 && open("/tmp/l", O_RDONLY | O_CLOEXEC) >= 0)
            got("%s leads somewhere", targets[i]);
    }
    if (link("/usr/bin/env", "/tmp/hard") == 0 || link("/etc/passwd", "/tmp/hard") == 0 ||
        rename("/usr/bin/env", "/tmp/env") == 0 || rename("/etc/hosts", "/tmp/hosts") == 0 || unlink("/etc/hosts") == 0)
        got("linked or moved a file that isn't its own");
    int fd = open("/usr/bin/env", O_RDONLY | O_CLOEXEC);
    if (CALL(SYS_linkat, fd, "", AT_FDCWD, "/tmp/hard", AT_EMPTY_PATH) >= 0)
        got("linked by fd");
    if (chmod("/usr", 0777) == 0 || chmod("/", 0777) == 0 || utimensat(AT_FDCWD, "/etc/passwd", NULL, 0) == 0 ||
        setpriority(PRIO_PGRP, 1, 1) == 0)
        got("changed what isn't its own");
}

static volatile bool racing = true;

static void *swap_names(void *unused)
{
    while (racing)
        CALL(SYS_renameat2, AT_FDCWD, "/tmp/race/a", AT_FDCWD, "/tmp/race/b", 2 /* exchange */);
    return unused;
}

/* A folder and a link to the root take turns at one name while ".." is walked through it. */
static void path_races(void)
{
    pthread_t thread;
    mkdir("/tmp/race", 0755);
    mkdir("/tmp/race/a", 0755);
    if (symlink("/proc/1/root", "/tmp/race/b") < 0 || pthread_create(&thread, NULL, swap_names, NULL) != 0)
        got("nothing was tried");
    for (int i = 0; i < 20000; i++) {
        int fd = open(i % 2 == 0 ? "/tmp/race/a/etc/shadow" : "/tmp/race/a/../../../../work", O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            got("round %d got out", i);
    }
    racing = false;
    pthread_join(thread, NULL);
}

static void folder_moved_away(void)
{
    mkdir("/tmp/deep", 0755);
    mkdir("/tmp/deep/er", 0755);
    int inside = open("/tmp/deep/er", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rename("/tmp/deep/er", "/tmp/er");
    for (int i = 0; i < 64; i++) {
        int up = openat(inside, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (up < 0)
            break;
        close(inside);
        inside = up;
    }
    if (faccessat(inside, "work", F_OK, 0) == 0 || faccessat(inside, "etc/shadow", F_OK, 0) == 0 ||
        faccessat(inside, "t", F_OK, 0) == 0)
        got("\"..\" led out of the root");
}

static void x32(void)
{
    syscall(0x40000000 + SYS_getpid);
    got("x32 answered");
}

const struct attack attacks_calls[] = {
    {"reboot, swap, kexec, modules, accounting, ports: closed", "machine", machine, ENDS, false},
    {"no clock can be set", "clocks", clocks, ENDS, false},
    {"bpf, userfaultfd, io_uring, ldt, other people's pages: closed", "programs_for_the_kernel",
     programs_for_the_kernel, ENDS, false},
    {"60 socket families don't exist, with or without high bits", "socket_families", socket_families, ENDS, false},
    {"no raw packets", "raw_packets", raw_packets, ENDS, true},
    {"netlink is for routes alone", "netlink_protocols", netlink_protocols, ENDS, true},
    {"and for asking, not for changing", "network_settings", network_settings, ENDS, false},
    {"no terminal, and nothing typed into one", "terminals", terminals, ENDS, false},
    {"memory layouts that help exploits are refused", "personalities", personalities, ENDS, true},
    {"a process can't rewrite what it is", "own_past", own_past, ENDS, false},
    {"not one file of /proc but its own can be written", "kernel_settings", kernel_settings, ENDS, false},
    {"no program that the kernel would start can be named", "programs_that_the_kernel_starts",
     programs_that_the_kernel_starts, ENDS, false},
    {"no file that changes the machine or its own standing", "dangerous_files", dangerous_files, ENDS, false},
    {"no program can be written back (CVE-2019-5736)", "programs_written_back", programs_written_back, ENDS, false},
    {"links lead nowhere, nothing of the host can be linked or moved", "link_games", link_games, ENDS, false},
    {"20,000 races for a name win nothing", "path_races", path_races, ENDS, false},
    {"a folder moved away under a process is no way out", "folder_moved_away", folder_moved_away, ENDS, false},
#ifdef __x86_64__
    {"an x32 call kills", "x32", x32, ENDS_SIGSYS, false},
#endif
};
const size_t attacks_calls_count = COUNT_OF(attacks_calls);
