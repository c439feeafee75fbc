/* Not an attack: a job that looks whether it is confined in every way that it can see, and says what is missing. */
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/macros.h"
#include "tests/system/hostile.h"

static void need(bool holds, const char *what)
{
    if (!holds)
        got("missing: %s", what);
}

static void status_lines(void)
{
    static const struct {
        const char *line;
        unsigned long long value;
        int base;
    } rows[] = {{"CapInh:", 0, 16}, {"CapPrm:", 0, 16},     {"CapEff:", 0, 16},  {"CapBnd:", 0, 16},
                {"CapAmb:", 0, 16}, {"NoNewPrivs:", 1, 10}, {"Seccomp:", 2, 10}, {"SigBlk:", 0, 16},
                {"SigIgn:", 0, 16}, {"Threads:", 1, 10}};
    static char text[8192];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    need(fd >= 0 && read(fd, text, sizeof text - 1) > 0, "/proc/self/status");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *at = strstr(text, rows[i].line);
        need(at != NULL && strtoull(at + strlen(rows[i].line), NULL, rows[i].base) == rows[i].value, rows[i].line);
    }
    const char *filters = strstr(text, "Seccomp_filters:");
    need(filters == NULL || strtoul(filters + 16, NULL, 10) == 3, "three filters: the zygote's, the floor, the job's");
    close(fd);
}

static void ids_and_files(void)
{
    gid_t groups[8];
    need(getuid() == 1000 && geteuid() == 1000 && getgid() == 1000 && getegid() == 1000, "the job's ids");
    need(getgroups(8, groups) == 0, "no groups");
    need(getpid() == 2 && getppid() == 1 && getsid(0) == getpid(), "process 2 in its own session");
    for (int fd = 3; fd < 1024; fd++)
        need(fcntl(fd, F_GETFD) < 0, "no file but 0, 1, 2");
    need(umask(0) == 022, "umask");
    char here[64];
    need(getcwd(here, sizeof here) != NULL && strcmp(here, "/tmp") == 0, "its folder");
}

static void limits(void)
{
    static const struct {
        int kind;
        rlim_t soft, hard;
    } rows[] = {{RLIMIT_CORE, 1, 1},
                {RLIMIT_NOFILE, 1024, 65536},
                {RLIMIT_MEMLOCK, 8 << 20, 8 << 20},
                {RLIMIT_MSGQUEUE, 819200, 819200},
                {RLIMIT_RTPRIO, 0, 0},
                {RLIMIT_NICE, 0, 0}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct rlimit now;
        need(prlimit(0, (enum __rlimit_resource)rows[i].kind, NULL, &now) == 0 && now.rlim_cur <= rows[i].soft &&
                 now.rlim_max <= rows[i].hard,
             "a limit");
    }
}

static void file_systems(void)
{
    struct statvfs st;
    need(statvfs("/", &st) == 0 && (st.f_flag & ST_RDONLY) != 0, "a read-only root");
    need(statvfs("/usr", &st) == 0 &&
             (st.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV)) == (ST_RDONLY | ST_NOSUID | ST_NODEV),
         "a read-only /usr");
    need(statvfs("/tmp", &st) == 0 && st.f_blocks * st.f_frsize == (16 << 20) + 4096 && st.f_files <= 1002 &&
             (st.f_flag & (ST_NOSUID | ST_NODEV)) == (ST_NOSUID | ST_NODEV),
         "a scratch of its size");
    need(statvfs("/dev/shm", &st) == 0 && st.f_blocks * st.f_frsize == 64 << 20, "shared memory of its size");
    static const char *const read_only[] = {"/proc/sys", "/proc/fs", "/proc/irq", "/proc/bus"};
    for (size_t i = 0; i < COUNT_OF(read_only); i++)
        need(access(read_only[i], F_OK) < 0 || (statvfs(read_only[i], &st) == 0 && (st.f_flag & ST_RDONLY) != 0),
             read_only[i]);
    static const char *const masked[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/kallsyms",
                                         "/proc/interrupts"};
    for (size_t i = 0; i < COUNT_OF(masked); i++) {
        struct stat node;
        need(stat(masked[i], &node) < 0 || S_ISCHR(node.st_mode), masked[i]);
    }
    need(access("/proc/1", F_OK) < 0, "hidden processes");
    need(access("/t", F_OK) < 0 && access("/n", F_OK) < 0 && access("/etc/shadow", F_OK) < 0, "nothing of the host");
    need(access("/etc/hosts", R_OK) == 0, "its names");
}

static unsigned long number_in(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    close(fd);
    return n > 0 ? strtoul(text, NULL, 10) : ~0ul;
}

static void namespaces(void)
{
    static const char *const kinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/sys/user/max_%s_namespaces", kinds[i]);
        need(number_in(path) == 0, path);
    }
    need(number_in("/proc/self/oom_score_adj") == 500, "the score of a job");
    struct utsname name;
    need(uname(&name) == 0 && strcmp(name.nodename, "job-1") == 0, "its host name");
    struct ifreq lo = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    need(ioctl(fd, SIOCGIFFLAGS, &lo) == 0 && (lo.ifr_flags & IFF_UP) != 0, "lo");
    struct if_nameindex *all = if_nameindex();
    need(all != NULL && all[0].if_index != 0 && all[1].if_index == 0, "no other interface");
    close(fd);
    char line[256];
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        const char *path = strrchr(line, ':');
        need(path != NULL && strcmp(path, ":/\n") == 0, "a group of its own");
    }
}

static void witness(void)
{
    fputs("ran\n", stderr);
    ids_and_files();
    status_lines();
    limits();
    file_systems();
    namespaces();
}

const struct attack attacks_witness[] = {
    {"a job finds itself confined in every way", "witness", witness, ENDS, true},
};
const size_t attacks_witness_count = COUNT_OF(attacks_witness);
