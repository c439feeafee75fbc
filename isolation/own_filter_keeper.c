/*
 * The keeper, from before its payload runs to its end: it waits, listens, signals, reaps, and writes to three files
 * that it holds. It can open nothing, map nothing, start nothing.
 */
#include <sys/syscall.h>

#include "base/macros.h"
#include "isolation/own_filter.h"

static const short calls[] = {
    SYS_read,
    SYS_pread64,
    SYS_close,
    SYS_recvmsg,
    SYS_sendmsg,
    SYS_accept4, /* what it is told */
    SYS_socketpair, /* between an agent and the mover */
    SYS_ppoll,
#ifdef SYS_poll
    SYS_poll,
#endif
    SYS_restart_syscall, /* a poll that went on after SIGSTOP and SIGCONT */
    SYS_timerfd_settime,
    SYS_clock_gettime, /* the clock, where it isn't the vdso's */
    SYS_kill,
    SYS_wait4, /* what runs inside */
    SYS_lseek,
    SYS_splice,
    SYS_pwrite64,
    SYS_fsync, /* the log files and the record */
    SYS_write,
    SYS_ioctl, /* what a traced job was denied (keeper_trace.c) */
    SYS_exit_group,
};

const struct own_filter own_filter_keeper = {.lists = {{calls, COUNT_OF(calls)}}};
