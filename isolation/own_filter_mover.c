/*
 * The mover: it reads and writes what it was handed, opens that again, makes holes and room, and talks. It makes no
 * process, no socket, no mapping, and has no io_uring.
 */
#include <sys/syscall.h>

#include "base/macros.h"
#include "isolation/own_filter.h"

static const short calls[] = {
    SYS_recvmsg,
    SYS_sendmsg,
    SYS_accept4,
    SYS_ppoll,
#ifdef SYS_poll
    SYS_poll,
#endif
    SYS_restart_syscall,
    SYS_close,
    SYS_pread64,
    SYS_pwrite64,
    SYS_lseek,
    SYS_fallocate,
    SYS_ftruncate,
    SYS_openat, /* what it has already, without the page cache */
    SYS_fcntl,
    SYS_fstat,
#ifdef SYS_newfstatat
    SYS_newfstatat, /* fstat, as newer C libraries make it */
#endif
    SYS_fstatfs,
    SYS_exit_group,
};

const struct own_filter own_filter_mover = {.lists = {{calls, COUNT_OF(calls)}}};
