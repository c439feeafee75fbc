/*
 * The stager: it looks at what it was told to bring, makes folders, links and files, and gives them their names. The
 * bytes are moved by another. It makes no process, no socket, no mapping, and signals once: what a job left.
 */
#include <sys/syscall.h>

#include "base/macros.h"
#include "isolation/own_filter.h"

static const short calls[] = {
    SYS_recvmsg,
    SYS_sendmsg,
    SYS_ppoll,
#ifdef SYS_poll
    SYS_poll,
#endif
    SYS_restart_syscall,
    SYS_close,
    SYS_openat,
    SYS_openat2,
    SYS_fstat,
#ifdef SYS_newfstatat
    SYS_newfstatat,
#endif
    SYS_getdents64,
    SYS_lseek, /* a folder from its beginning */
    SYS_readlinkat,
    SYS_mkdirat,
    SYS_symlinkat,
    SYS_linkat,
    SYS_unlinkat,
    SYS_renameat2,
    SYS_fchmod,
    SYS_fsetxattr,
    SYS_fgetxattr,
    SYS_flock,
    SYS_fsync,
    SYS_pwrite64, /* the report */
    SYS_kill,
    SYS_exit_group,
};

const struct own_filter own_filter_stager = {.lists = {{calls, COUNT_OF(calls)}}};
