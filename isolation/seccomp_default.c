#include "isolation/seccomp_profile.h"

#include <sched.h>
#include <sys/socket.h>

#define LOW_WORD UINT64_C(0xffffffff) /* the kernel looks at no more of these arguments; neither may we */
#define NEW_NAMESPACES UINT64_C(0x7e020000) /* every CLONE_NEW* bit that clone(2) knows */
#define TIOCSTI_ 0x5412 /* types into the terminal of whoever started us */
#define TIOCLINUX_ 0x541c

/*
 * Docker's default without capabilities (moby/profiles, 2026-06) as far as 64-bit systems have the calls, minus what
 * lets one process look into another (ptrace, process_vm_*), names files past the mount namespace (name_to_handle_at),
 * watches whole mounts (fanotify), or is mostly known from exploits (modify_ldt, vmsplice).
 */
static const char *const allowed[] = {
    "accept", "accept4", "access", "adjtimex", "alarm", "arch_prctl", "bind", "brk", "capget", "capset", "chdir",
    "chmod", "chown", "clock_adjtime", "clock_getres", "clock_gettime", "clock_nanosleep", "close", "close_range",
    "connect", "copy_file_range", "creat", "dup", "dup2", "dup3", "epoll_create", "epoll_create1", "epoll_ctl",
    "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "execve", "execveat", "exit", "exit_group",
    "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchown", "fchownat",
    "fcntl", "fdatasync", "fgetxattr", "flistxattr", "flock", "fork", "fremovexattr", "fsetxattr", "fstat",
    "fstatfs", "fsync", "ftruncate", "futex", "futex_waitv", "futimesat", "get_robust_list", "getcpu", "getcwd",
    "getdents", "getdents64", "getegid", "geteuid", "getgid", "getgroups", "getitimer", "getpeername", "getpgid",
    "getpgrp", "getpid", "getppid", "getpriority", "getrandom", "getresgid", "getresuid", "getrlimit", "getrusage",
    "getsid", "getsockname", "getsockopt", "gettid", "gettimeofday", "getuid", "getxattr", "inotify_add_watch",
    "inotify_init", "inotify_init1", "inotify_rm_watch", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents",
    "io_setup", "io_submit", "ioprio_get", "ioprio_set", "kill", "landlock_add_rule", "landlock_create_ruleset",
    "landlock_restrict_self", "lchown", "lgetxattr", "link", "linkat", "listen", "listxattr", "llistxattr",
    "lremovexattr", "lseek", "lsetxattr", "lstat", "madvise", "membarrier", "memfd_create", "memfd_secret",
    "mincore", "mkdir", "mkdirat", "mknod", "mknodat", "mlock", "mlock2", "mlockall", "mmap", "mprotect",
    "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "mremap", "msgctl",
    "msgget", "msgrcv", "msgsnd", "msync", "munlock", "munlockall", "munmap", "nanosleep", "newfstatat", "open",
    "openat", "openat2", "pause", "pidfd_open", "pidfd_send_signal", "pipe", "pipe2", "pkey_alloc", "pkey_free",
    "pkey_mprotect", "poll", "ppoll", "prctl", "pread64", "preadv", "preadv2", "prlimit64", "process_mrelease",
    "pselect6", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv",
    "recvfrom", "recvmmsg", "recvmsg", "remap_file_pages", "removexattr", "rename", "renameat", "renameat2",
    "restart_syscall", "rmdir", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
    "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sched_get_priority_max",
    "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler",
    "sched_rr_get_interval", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler",
    "sched_yield", "seccomp", "select", "semctl", "semget", "semop", "semtimedop", "sendfile", "sendmmsg",
    "sendmsg", "sendto", "set_robust_list", "set_tid_address", "setfsgid", "setfsuid", "setgid", "setgroups",
    "setitimer", "setpgid", "setpriority", "setregid", "setresgid", "setresuid", "setreuid", "setrlimit", "setsid",
    "setsockopt", "setuid", "setxattr", "shmat", "shmctl", "shmdt", "shmget", "shutdown", "sigaltstack", "signalfd",
    "signalfd4", "splice", "stat", "statfs", "statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs",
    "sysinfo", "tee", "tgkill", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
    "timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime", "times", "tkill", "truncate", "umask",
    "uname", "unlink", "unlinkat", "utime", "utimensat", "utimes", "vfork", "wait4", "waitid", "write", "writev"};

/* Calls newer than the library's tables. All architectures share these numbers. */
static const struct seccomp_number newer[] = {
    {"cachestat", 451},   {"fchmodat2", 452},     {"map_shadow_stack", 453}, {"futex_wake", 454},
    {"futex_wait", 455},  {"futex_requeue", 456}, {"mseal", 462},            {"setxattrat", 463},
    {"getxattrat", 464},  {"listxattrat", 465},   {"removexattrat", 466},
};

/* Libraries try these and have another way when they hear that the kernel doesn't know them; EPERM would break them. */
static const struct seccomp_number unknown[] = {
    {"clone3", 435},          {"io_uring_setup", 425},      {"io_uring_enter", 426},      {"io_uring_register", 427},
    {"statmount", 457},       {"listmount", 458},           {"lsm_get_self_attr", 459},   {"lsm_set_self_attr", 460},
    {"lsm_list_modules", 461},
};

/* Allowed when one row of the call matches whole. */
static const struct seccomp_rule when[] = {
    {"clone", 1, {{0, NEW_NAMESPACES, 0}}},
    {"socket", 1, {{0, LOW_WORD, AF_UNIX}}},
    {"socket", 1, {{0, LOW_WORD, AF_INET}}},
    {"socket", 1, {{0, LOW_WORD, AF_INET6}}},
    {"socket", 2, {{0, LOW_WORD, AF_NETLINK}, {2, LOW_WORD, 0}}}, /* NETLINK_ROUTE */
    {"socketpair", 1, {{0, LOW_WORD, AF_UNIX}}},
    {"personality", 1, {{0, LOW_WORD, 0}}},
    {"personality", 1, {{0, LOW_WORD, 8}}},         /* PER_LINUX32 */
    {"personality", 1, {{0, LOW_WORD, 0x20000}}},   /* UNAME26 */
    {"personality", 1, {{0, LOW_WORD, 0x20008}}},
    {"personality", 1, {{0, LOW_WORD, 0xffffffff}}}, /* asks only */
};

/* Allowed for all values of a 32-bit argument but these. */
static const struct seccomp_except except[] = {
    {"ioctl", 1, 2, {TIOCSTI_, TIOCLINUX_}},
};

const struct seccomp_profile seccomp_default = {
    .allowed = allowed,
    .allowed_count = COUNT_OF(allowed),
    .newer = newer,
    .newer_count = COUNT_OF(newer),
    .unknown = unknown,
    .unknown_count = COUNT_OF(unknown),
    .when = when,
    .when_count = COUNT_OF(when),
    .except = except,
    .except_count = COUNT_OF(except),
};
