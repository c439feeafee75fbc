#include "isolation/seccomp_calls.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

/* One letter for each argument: l = 64 bits (or a pointer), i = 32, h = 16. Sorted by name. */
struct call_row {
    const char *name, *widths;
};
static const struct call_row rows[] = {
    {"accept", "ill"}, {"accept4", "illi"}, {"access", "li"}, {"acct", "l"}, {"add_key", "lllli"}, {"adjtimex", "l"},
    {"alarm", "i"}, {"arch_prctl", "il"}, {"bind", "ili"}, {"bpf", "ili"}, {"brk", "l"}, {"cachestat", "illi"},
    {"capget", "ll"}, {"capset", "ll"}, {"chdir", "l"}, {"chmod", "lh"}, {"chown", "lii"}, {"chroot", "l"},
    {"clock_adjtime", "il"}, {"clock_getres", "il"}, {"clock_gettime", "il"}, {"clock_nanosleep", "iill"},
    {"clock_settime", "il"}, {"clone", "illll"}, {"clone3", "ll"}, {"close", "i"}, {"close_range", "iii"},
    {"connect", "ili"}, {"copy_file_range", "ililli"}, {"creat", "lh"}, {"delete_module", "li"}, {"dup", "i"},
    {"dup2", "ii"}, {"dup3", "iii"}, {"epoll_create", "i"}, {"epoll_create1", "i"}, {"epoll_ctl", "iiil"},
    {"epoll_pwait", "iliill"}, {"epoll_pwait2", "ililll"}, {"epoll_wait", "ilii"}, {"eventfd", "i"},
    {"eventfd2", "ii"}, {"execve", "lll"}, {"execveat", "illli"}, {"exit", "i"}, {"exit_group", "i"},
    {"faccessat", "ili"}, {"faccessat2", "ilii"}, {"fadvise64", "illi"}, {"fallocate", "iill"},
    {"fanotify_init", "ii"}, {"fanotify_mark", "iilil"}, {"fchdir", "i"}, {"fchmod", "ih"}, {"fchmodat", "ilh"},
    {"fchmodat2", "ilhi"}, {"fchown", "iii"}, {"fchownat", "iliii"}, {"fcntl", "iil"}, {"fdatasync", "i"},
    {"fgetxattr", "illl"}, {"file_getattr", "illli"}, {"file_setattr", "illli"}, {"finit_module", "ili"},
    {"flistxattr", "ill"}, {"flock", "ii"}, {"fremovexattr", "il"}, {"fsconfig", "iilli"}, {"fsetxattr", "illli"},
    {"fsmount", "iii"}, {"fsopen", "li"}, {"fspick", "ili"}, {"fstat", "il"}, {"fstatfs", "il"}, {"fsync", "i"},
    {"ftruncate", "il"}, {"futex", "liilli"}, {"futex_requeue", "liii"}, {"futex_wait", "lllili"},
    {"futex_waitv", "liili"}, {"futex_wake", "llii"}, {"futimesat", "ill"}, {"get_mempolicy", "lllll"},
    {"get_robust_list", "ill"}, {"get_thread_area", "l"}, {"getcpu", "lll"}, {"getcwd", "ll"}, {"getdents", "ili"},
    {"getdents64", "ili"}, {"getgroups", "il"}, {"getitimer", "il"}, {"getpeername", "ill"}, {"getpgid", "i"},
    {"getpriority", "ii"}, {"getrandom", "lli"}, {"getresgid", "lll"}, {"getresuid", "lll"}, {"getrlimit", "il"},
    {"getrusage", "il"}, {"getsid", "i"}, {"getsockname", "ill"}, {"getsockopt", "iiill"}, {"gettimeofday", "ll"},
    {"getxattr", "llll"}, {"getxattrat", "ililll"}, {"init_module", "lll"}, {"inotify_add_watch", "ili"},
    {"inotify_init1", "i"}, {"inotify_rm_watch", "ii"}, {"io_cancel", "lll"}, {"io_destroy", "l"},
    {"io_getevents", "lllll"}, {"io_pgetevents", "llllll"}, {"io_setup", "il"}, {"io_submit", "lll"},
    {"io_uring_enter", "iiiill"}, {"io_uring_register", "iili"}, {"io_uring_setup", "il"}, {"ioctl", "iil"},
    {"ioperm", "lli"}, {"iopl", "i"}, {"ioprio_get", "ii"}, {"ioprio_set", "iii"}, {"kcmp", "iiill"},
    {"kexec_file_load", "iilll"}, {"kexec_load", "llll"}, {"keyctl", "illll"}, {"kill", "ii"},
    {"landlock_add_rule", "iili"}, {"landlock_create_ruleset", "lli"}, {"landlock_restrict_self", "ii"},
    {"lchown", "lii"}, {"lgetxattr", "llll"}, {"link", "ll"}, {"linkat", "ilili"}, {"listen", "ii"},
    {"listmount", "llli"}, {"listxattr", "lll"}, {"listxattrat", "ilill"}, {"llistxattr", "lll"},
    {"lookup_dcookie", "lll"}, {"lremovexattr", "ll"}, {"lseek", "ili"}, {"lsetxattr", "lllli"},
    {"lsm_get_self_attr", "illi"}, {"lsm_list_modules", "lli"}, {"lsm_set_self_attr", "ilii"}, {"lstat", "ll"},
    {"madvise", "lli"}, {"map_shadow_stack", "lli"}, {"mbind", "llllli"}, {"membarrier", "iii"},
    {"memfd_create", "li"}, {"memfd_secret", "i"}, {"migrate_pages", "illl"}, {"mincore", "lll"}, {"mkdir", "lh"},
    {"mkdirat", "ilh"}, {"mknod", "lhi"}, {"mknodat", "ilhi"}, {"mlock", "ll"}, {"mlock2", "lli"}, {"mlockall", "i"},
    {"mmap", "llllll"}, {"modify_ldt", "ill"}, {"mount", "lllll"}, {"mount_setattr", "ilill"},
    {"move_mount", "ilili"}, {"move_pages", "illlli"}, {"mprotect", "lll"}, {"mq_getsetattr", "ill"},
    {"mq_notify", "il"}, {"mq_open", "lihl"}, {"mq_timedreceive", "illll"}, {"mq_timedsend", "illil"},
    {"mq_unlink", "l"}, {"mremap", "lllll"}, {"mseal", "lll"}, {"msgctl", "iil"}, {"msgget", "ii"},
    {"msgrcv", "illli"}, {"msgsnd", "illi"}, {"msync", "lli"}, {"munlock", "ll"}, {"munmap", "ll"},
    {"name_to_handle_at", "illli"}, {"nanosleep", "ll"}, {"newfstatat", "illi"}, {"open", "lih"},
    {"open_by_handle_at", "ili"}, {"open_tree", "ili"}, {"open_tree_attr", "ilill"}, {"openat", "ilih"},
    {"openat2", "illl"}, {"perf_event_open", "liiil"}, {"personality", "i"}, {"pidfd_getfd", "iii"},
    {"pidfd_open", "ii"}, {"pidfd_send_signal", "iili"}, {"pipe", "l"}, {"pipe2", "li"}, {"pivot_root", "ll"},
    {"pkey_alloc", "ll"}, {"pkey_free", "i"}, {"pkey_mprotect", "llli"}, {"poll", "lii"}, {"ppoll", "lilll"},
    {"prctl", "illll"}, {"pread64", "illl"}, {"preadv", "lllll"}, {"preadv2", "llllli"}, {"prlimit64", "iill"},
    {"process_madvise", "illii"}, {"process_mrelease", "ii"}, {"process_vm_readv", "illlll"},
    {"process_vm_writev", "illlll"}, {"pselect6", "illlll"}, {"ptrace", "llll"}, {"pwrite64", "illl"},
    {"pwritev", "lllll"}, {"pwritev2", "llllli"}, {"quotactl", "ilil"}, {"quotactl_fd", "iiil"}, {"read", "ill"},
    {"readahead", "ill"}, {"readlink", "lli"}, {"readlinkat", "illi"}, {"readv", "lll"}, {"reboot", "iiil"},
    {"recvfrom", "illill"}, {"recvmmsg", "iliil"}, {"recvmsg", "ili"}, {"remap_file_pages", "lllll"},
    {"removexattr", "ll"}, {"removexattrat", "ilil"}, {"rename", "ll"}, {"renameat", "ilil"}, {"renameat2", "ilili"},
    {"request_key", "llli"}, {"rmdir", "l"}, {"rseq", "liii"}, {"rt_sigaction", "illl"}, {"rt_sigpending", "ll"},
    {"rt_sigprocmask", "illl"}, {"rt_sigqueueinfo", "iil"}, {"rt_sigsuspend", "ll"}, {"rt_sigtimedwait", "llll"},
    {"rt_tgsigqueueinfo", "iiil"}, {"sched_get_priority_max", "i"}, {"sched_get_priority_min", "i"},
    {"sched_getaffinity", "iil"}, {"sched_getattr", "ilii"}, {"sched_getparam", "il"}, {"sched_getscheduler", "i"},
    {"sched_rr_get_interval", "il"}, {"sched_setaffinity", "iil"}, {"sched_setattr", "ili"}, {"sched_setparam", "il"},
    {"sched_setscheduler", "iil"}, {"seccomp", "iil"}, {"select", "illll"}, {"semctl", "iiil"}, {"semget", "iii"},
    {"semop", "ili"}, {"semtimedop", "ilil"}, {"sendfile", "iill"}, {"sendmmsg", "ilii"}, {"sendmsg", "ili"},
    {"sendto", "illili"}, {"set_mempolicy", "ill"}, {"set_mempolicy_home_node", "llll"}, {"set_robust_list", "ll"},
    {"set_thread_area", "l"}, {"set_tid_address", "l"}, {"setdomainname", "li"}, {"setfsgid", "i"}, {"setfsuid", "i"},
    {"setgid", "i"}, {"setgroups", "il"}, {"sethostname", "li"}, {"setitimer", "ill"}, {"setns", "ii"},
    {"setpgid", "ii"}, {"setpriority", "iii"}, {"setregid", "ii"}, {"setresgid", "iii"}, {"setresuid", "iii"},
    {"setreuid", "ii"}, {"setrlimit", "il"}, {"setsockopt", "iiili"}, {"settimeofday", "ll"}, {"setuid", "i"},
    {"setxattr", "lllli"}, {"setxattrat", "ililll"}, {"shmat", "ili"}, {"shmctl", "iil"}, {"shmdt", "l"},
    {"shmget", "ili"}, {"shutdown", "ii"}, {"sigaltstack", "ll"}, {"signalfd", "ill"}, {"signalfd4", "illi"},
    {"socket", "iii"}, {"socketpair", "iiil"}, {"splice", "ililli"}, {"stat", "ll"}, {"statfs", "ll"},
    {"statmount", "llli"}, {"statx", "iliil"}, {"swapoff", "l"}, {"swapon", "li"}, {"symlink", "ll"},
    {"symlinkat", "lil"}, {"sync_file_range", "illi"}, {"syncfs", "i"}, {"sysfs", "ill"}, {"sysinfo", "l"},
    {"syslog", "ili"}, {"tee", "iili"}, {"tgkill", "iii"}, {"time", "l"}, {"timer_create", "ill"},
    {"timer_delete", "i"}, {"timer_getoverrun", "i"}, {"timer_gettime", "il"}, {"timer_settime", "iill"},
    {"timerfd_create", "ii"}, {"timerfd_gettime", "il"}, {"timerfd_settime", "iill"}, {"times", "l"}, {"tkill", "ii"},
    {"truncate", "ll"}, {"umask", "i"}, {"umount2", "li"}, {"uname", "l"}, {"unlink", "l"}, {"unlinkat", "ili"},
    {"unshare", "l"}, {"userfaultfd", "i"}, {"ustat", "il"}, {"utime", "ll"}, {"utimensat", "illi"}, {"utimes", "ll"},
    {"vmsplice", "illi"}, {"wait4", "ilil"}, {"waitid", "iilil"}, {"write", "ill"}, {"writev", "lll"},};

static const struct newer_row {
    const char *name;
    int number;
} newer[] = {
    {"cachestat", 451},         {"fchmodat2", 452},       {"map_shadow_stack", 453},  {"futex_wake", 454},
    {"futex_wait", 455},        {"futex_requeue", 456},   {"statmount", 457},         {"listmount", 458},
    {"lsm_get_self_attr", 459}, {"lsm_set_self_attr", 460}, {"lsm_list_modules", 461}, {"mseal", 462},
    {"setxattrat", 463},        {"getxattrat", 464},      {"listxattrat", 465},       {"removexattrat", 466},
    {"open_tree_attr", 467},    {"file_getattr", 468},    {"file_setattr", 469},
#ifdef __x86_64__
    {"uretprobe", 335},         {"uprobe", 336},
#endif
};

static int compare_names(const void *name, const void *row)
{
    return strcmp(name, ((const struct call_row *)row)->name);
}

uint32_t seccomp_call_width(const char *name, uint32_t arg)
{
    const struct call_row *row = bsearch(name, rows, COUNT_OF(rows), sizeof rows[0], compare_names);
    if (row == NULL || arg >= strlen(row->widths))
        return 0;
    return row->widths[arg] == 'l' ? 64 : row->widths[arg] == 'i' ? 32 : 16;
}

int seccomp_call_newer(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(newer); i++) {
        if (strcmp(newer[i].name, name) == 0)
            return newer[i].number;
    }
    return -1;
}

const char *seccomp_call_newer_name(int number)
{
    for (size_t i = 0; i < COUNT_OF(newer); i++) {
        if (newer[i].number == number)
            return newer[i].name;
    }
    return NULL;
}

int seccomp_call_newest(void)
{
    int newest = -1;
    for (size_t i = 0; i < COUNT_OF(newer); i++)
        newest = MAX(newest, newer[i].number);
    return newest;
}
