/*
 * The warden, once the zygote is there: everything it does is done by directory fds of the cgroup hierarchies and of
 * /proc, and by messages. No mount, no namespace, no socket of its own, no change of ids.
 *
 * A node that was configured with images, volumes or a private network needs more, and only such a node has it: mounts
 * by descriptor, and the process of a new user namespace that an id-mapped mount is mapped by. mount(2), clone3, whose
 * flags no filter can see, and every other namespace stay closed. A helper that does the mounts and ends would have to
 * be given the warden's privileges for each launch, by a process without this filter that lives as long as the warden;
 * what it would take away is that a warden that was taken over can mount, while it still writes every group and every
 * id map. So the mounts are here.
 *
 * One that starts agents has a second list, and the agent a filter of the first two above the warden's. It has no
 * privileges, but it is where the
 * network ends, so what it gets is what an ordinary daemon needs, and io_uring. The price is that such a warden could
 * make a socket; what can't be had by either of them stays closed: namespaces, mounts, tracing, other processes'
 * memory and fds, keys, modules, handles, clocks.
 */
#include <sys/syscall.h>

#include "base/macros.h"
#include "isolation/own_filter.h"

static const short own[] = {
    SYS_read,         SYS_write,         SYS_writev,       SYS_pread64,         SYS_lseek,
    SYS_close,        SYS_fcntl,         SYS_openat,       SYS_mkdirat,         SYS_unlinkat,
    SYS_getdents64,   SYS_newfstatat,    SYS_fstat,        SYS_statx,           SYS_statfs,
    SYS_faccessat,    SYS_faccessat2,    SYS_flock,        SYS_ioctl, /* stdio asks whether it writes to a terminal */
    SYS_recvmsg,      SYS_sendmsg,       SYS_socketpair,   SYS_getsockopt,      SYS_setsockopt,
    SYS_ppoll,        SYS_epoll_ctl,     SYS_epoll_pwait,  SYS_eventfd2,        SYS_restart_syscall,
    SYS_nanosleep,    SYS_bpf, /* the device program of a version 2 group; which kind of program it is no filter can see
                                */
    SYS_kill,         SYS_wait4,         SYS_waitid,       SYS_pidfd_open,      SYS_pidfd_send_signal,
    SYS_mmap,         SYS_munmap,        SYS_mremap,       SYS_mprotect,        SYS_brk,
    SYS_madvise,      SYS_futex,         SYS_getrandom,    SYS_rt_sigaction,    SYS_rt_sigprocmask,
    SYS_rt_sigreturn, SYS_clock_gettime, SYS_gettimeofday, SYS_clock_nanosleep, SYS_getpid,
    SYS_gettid,       SYS_tgkill,        SYS_exit,         SYS_exit_group, /* and an assertion's last words */
#ifdef SYS_poll
    SYS_open,         SYS_stat,          SYS_lstat,        SYS_access,          SYS_mkdir,
    SYS_rmdir,        SYS_unlink,        SYS_poll,         SYS_epoll_wait,      SYS_time,
#endif
};

static const short agents[] = {
    /* to become one */
    SYS_clone,
    SYS_execve,
    SYS_execveat,
    SYS_prctl,
    SYS_seccomp, /* the compiler of profiles, which the agent starts, confines itself */
    SYS_setgroups,
    SYS_setresgid,
    SYS_setresuid,
    SYS_setuid,
    SYS_close_range,
    SYS_dup,
    SYS_dup3,
    SYS_set_tid_address,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_prlimit64,
    SYS_sigaltstack,
    SYS_getcpu,
    SYS_sched_getaffinity,
    SYS_sched_yield,
    SYS_membarrier,
    /* files */
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_openat2,
    SYS_readv,
    SYS_pwrite64,
    SYS_pwritev,
    SYS_preadv,
    SYS_fsync,
    SYS_fdatasync,
    SYS_sync_file_range,
    SYS_syncfs,
    SYS_fallocate,
    SYS_ftruncate,
    SYS_truncate,
    SYS_splice,
    SYS_tee,
    SYS_sendfile,
    SYS_copy_file_range,
    SYS_fadvise64,
    SYS_readlinkat,
    SYS_renameat,
    SYS_renameat2,
    SYS_linkat,
    SYS_symlinkat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_utimensat,
    SYS_fstatfs,
    SYS_chdir,
    SYS_fchdir,
    SYS_getcwd,
    SYS_umask,
    SYS_pipe2,
    SYS_memfd_create,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
    SYS_msync,
    SYS_mincore,
    SYS_mlock,
    SYS_munlock,
    SYS_sync,
    /* sockets, waiting, time */
    SYS_socket,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_connect,
    SYS_getsockname,
    SYS_getpeername,
    SYS_sendto,
    SYS_recvfrom,
    SYS_recvmmsg,
    SYS_sendmmsg,
    SYS_shutdown,
    SYS_epoll_create1,
    SYS_epoll_pwait2,
    SYS_pselect6,
    SYS_signalfd4,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_clock_getres,
    SYS_getitimer,
    SYS_setitimer,
    SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait,
    SYS_rt_sigpending,
    SYS_rt_sigqueueinfo,
    /* who and where am I */
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getgroups,
    SYS_getppid,
    SYS_setsid,
    SYS_getsid,
    SYS_getpgid,
    SYS_setpgid,
    SYS_uname,
    SYS_sysinfo,
    SYS_times,
    SYS_getrusage,
    SYS_capget,
    SYS_getpriority,
    SYS_setpriority,
    SYS_ioprio_get,
    SYS_ioprio_set,
    SYS_tkill,
#ifdef SYS_poll
    SYS_arch_prctl,
    SYS_fork,
    SYS_vfork,
    SYS_dup2,
    SYS_pipe,
    SYS_select,
    SYS_readlink,
    SYS_rename,
    SYS_chmod,
    SYS_link,
    SYS_symlink,
    SYS_creat,
    SYS_epoll_create,
    SYS_eventfd,
    SYS_getpgrp,
    SYS_alarm,
    SYS_pause,
    SYS_getrlimit,
    SYS_getdents,
    SYS_utimes,
    SYS_chown,
#endif
};

/* Mounts by descriptor: a call names a mount or a folder that is open already, but for fsopen and fsconfig, by which a
 * squashfs file is mounted, and which take any file system's name; a filter can't look behind a pointer. A private
 * network is one netlink socket, opened before. */
static const short roots[] = {
    SYS_openat2,   SYS_fsopen,     SYS_fsconfig,      SYS_fsmount, SYS_open_tree,
    SYS_move_mount, SYS_mount_setattr, SYS_umount2, SYS_pipe2,
    SYS_sendto,    SYS_recvfrom,
};

#define LIST(calls) {calls, COUNT_OF(calls)}
const struct own_filter own_filter_warden = {.lists = {LIST(own), LIST(agents)}};
const struct own_filter own_filter_warden_alone = {.lists = {LIST(own)}};
const struct own_filter own_filter_warden_roots = {
    .makes_user_namespaces = true, .lists = {LIST(own), LIST(agents), LIST(roots)}};
const struct own_filter own_filter_warden_alone_roots = {.makes_user_namespaces = true,
                                                         .lists = {LIST(own), LIST(roots)}};
