/*
 * The zygote. Its filter is every sandbox's too, as a clone inherits it: so it can refuse no call that a sandbox needs
 * to build itself (mounts, ids, groups) or that some job's own filter may allow, and it is a list of what no one of
 * them has a use for, not of what the zygote uses (clone3, recvmsg, sendmsg, kill, close, exit). What it gives: no
 * profile, however wide an admin made it, hands one of these to a job.
 */
#include <sys/syscall.h>

#include "base/macros.h"
#include "isolation/own_filter.h"

static const short calls[] = {
    /* the kernel itself: another one, more of it, its log */
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_syslog,
    SYS_bpf,
    SYS_perf_event_open,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
    /* the whole machine's clock, swap, accounting, quotas, ports */
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
    SYS_vhangup,
#ifdef SYS_quotactl_fd
    SYS_quotactl_fd,
#endif
#ifdef SYS_iopl
    SYS_iopl,
    SYS_ioperm,
#endif
    /* files without a path, pages without an owner, calls without a filter */
    SYS_open_by_handle_at,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_add_key,
    SYS_request_key,
};

const struct own_filter own_filter_zygote = {
    .refuses = true, .keeps_core_limit = true, .lists = {{calls, COUNT_OF(calls)}}};
