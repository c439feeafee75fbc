/*
 * The reeve-keeper program: prepares itself once, then makes sandboxes of itself. Every resource of a sandbox comes in
 * with the request; the zygote keeps nothing of it.
 */
#include "isolation/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/job_spec.h"
#include "isolation/keeper_sys.h"
#include "isolation/own_filter.h"
#include "isolation/sandbox.h"

static struct sandbox_filter box_floor;
static struct zygote_request request;
static struct zygote_devices devices;

static int load_floor(void)
{
    int rc = sandbox_filter_load(ZYGOTE_FLOOR_FD, &box_floor);
    return rc < 0 ? rc : close(ZYGOTE_FLOOR_FD);
}

static noreturn void refuse_to_start(int error, const char *what)
{
    struct zygote_reply reply = {.error = error};
    strncpy(reply.what, what, sizeof reply.what - 1);
    packet_send(ZYGOTE_SOCKET_FD, &reply, sizeof reply, NULL, 0);
    _exit(1);
}

/*
 * Where cores are piped to a program, the kernel starts it outside of every sandbox, as root, and a limit of 0 doesn't
 * stop that; a limit of 1 does, and is too small for a file. The zygote's filter keeps it: no job may set it to 0.
 */
static int forbid_cores(void)
{
    struct rlimit one = {1, 1};
    if (setrlimit(RLIMIT_CORE, &one) == 0)
        return 0;
    int rc = -errno; /* it is 0 and may not be raised: fine where cores are files */
    char first = '|';
    int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, &first, 1) : -1;
    close_fd(&fd);
    return n == 1 && first != '|' && first != '@' ? 0 : rc;
}

/* Own session, so that a terminal's signals end the warden and not the jobs; children are reaped by the kernel. */
static void prepare(void)
{
    const char *what = "floor";
    int rc = load_floor();
    if (rc < 0)
        refuse_to_start(-rc, what);
    prctl(PR_SET_NAME, "reeve-zygote");
    setsid();
    /* Not the keyring that the warden was started with. A kernel without keys has nothing to inherit. */
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
        refuse_to_start(errno, "session keyring");
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    static const char score[] = {'0' + ZYGOTE_OOM_SCORE / 100, '0', '0', '\0'};
    rc = write_text_at(-1, "/proc/self/oom_score_adj", score);
    if (rc < 0)
        refuse_to_start(-rc, "oom_score_adj");
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        refuse_to_start(errno, "dumpable");
    rc = forbid_cores();
    if (rc < 0)
        refuse_to_start(-rc, "core limit (LimitCORE must not be 0)");
    size_t none = 0;
    if (packet_recv(ZYGOTE_SOCKET_FD, &devices, sizeof devices, NULL, &none) != (ssize_t)sizeof devices ||
        devices.magic != ZYGOTE_MAGIC || devices.count > NODE_DEVICES_MAX)
        refuse_to_start(EPROTO, "devices");
    rc = sandbox_template_build(&devices, &what);
    if (rc < 0)
        refuse_to_start(-rc, what);
    rc = own_filter_load(&own_filter_zygote);
    if (rc < 0)
        refuse_to_start(-rc, "own system call filter");
    struct zygote_reply ready = {0};
    packet_send(ZYGOTE_SOCKET_FD, &ready, sizeof ready, NULL, 0);
}

static size_t fds_wanted(uint32_t flags, const struct sandbox_spec *spec)
{
    const struct root_spec *root = &spec->root;
    size_t count = ZYGOTE_FD_COUNT;
    count += (flags & ZYGOTE_INTO_CGROUP) != 0 ? 1 : 0;
    count += (flags & ZYGOTE_TRACE) != 0 ? 1 : 0;
    count += spec->stages != 0 ? 1 : 0;
    count += root->image[0] != '\0' ? 1 : 0;
    return count + root->volumes_count; /* the warden checked them */
}

static void make_sandbox(const int *fds)
{
    int pidfd = -1;
    struct clone_args args = {
        .flags = CLONE_PIDFD | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
    };
    if (request.spec.network != NET_HOST)
        args.flags |= CLONE_NEWNET;
    if ((request.flags & ZYGOTE_INTO_CGROUP) != 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (unsigned)fds[ZYGOTE_FD_COUNT];
    }
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        sandbox_main(&request, fds, &box_floor);
    struct zygote_reply reply = {.tag = request.tag, .pid = (int32_t)MAX(pid, 0), .error = pid < 0 ? errno : 0};
    int rc = packet_send(ZYGOTE_SOCKET_FD, &reply, sizeof reply, &pidfd, pid > 0 ? 1 : 0);
    if (rc < 0 && pid > 0)
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0); /* the warden sees its socket end */
    close_fd(&pidfd);
}

int main(void)
{
    struct stat st;
    if (fstat(ZYGOTE_SOCKET_FD, &st) < 0 || !S_ISSOCK(st.st_mode)) {
        static const char text[] = "reeve-keeper: started by reeve-warden, not by hand; see reeve-keeper(8)\n";
        (void)!write(2, text, sizeof text - 1);
        return 2;
    }
    prepare();
    for (;;) {
        int fds[ZYGOTE_FDS_MAX];
        size_t count = ZYGOTE_FDS_MAX;
        ssize_t n = packet_recv(ZYGOTE_SOCKET_FD, &request, sizeof request, fds, &count);
        if (n == 0)
            return 0; /* the warden is gone; the keepers live on */
        if (n != (ssize_t)sizeof request || request.magic != ZYGOTE_MAGIC ||
            count != fds_wanted(request.flags, &request.spec))
            return 1;
        make_sandbox(fds);
        for (size_t i = 0; i < count; i++)
            close(fds[i]);
    }
}
