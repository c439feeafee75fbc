#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "isolation/warden.h"

#define READY_TIME_MS 20000
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020
#endif

/* Jobs could reach the file they were started from; nobody can change this copy any more, root neither. */
static int sealed_program(const char *path, struct err *err)
{
    CLEANUP(close_p) int from = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (from < 0 || fstat(from, &st) < 0)
        return err_set(err, -errno, "open keeper '%s': %s", path, strerror(errno));
    CLEANUP(close_p) int copy = memfd_create("reeve-keeper", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (copy < 0 && errno == EINVAL) /* before Linux 6.3 every memfd may be executed */
        copy = memfd_create("reeve-keeper", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (copy < 0)
        return err_set(err, -errno, "memfd: %s", strerror(errno));
    char bytes[65536];
    for (ssize_t n; (n = read(from, bytes, sizeof bytes)) != 0;) {
        int rc = n < 0 ? -errno : fd_write_all(copy, bytes, (size_t)n);
        if (rc < 0)
            return err_set(err, rc, "copy keeper '%s': %s", path, strerror(-rc));
    }
    int seals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;
    if (fchmod(copy, 0500) < 0 || (fcntl(copy, F_ADD_SEALS, F_SEAL_EXEC) < 0 && errno != EINVAL) ||
        fcntl(copy, F_ADD_SEALS, seals | F_SEAL_SEAL) < 0)
        return err_set(err, -errno, "seal keeper '%s': %s", path, strerror(errno));
    int fd = copy;
    copy = -1;
    return fd;
}

static _Noreturn void become_zygote(int program, int sock, int floor)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int high_program = fcntl(program, F_DUPFD_CLOEXEC, 16), high_floor = fcntl(floor, F_DUPFD_CLOEXEC, 16);
    int high_sock = fcntl(sock, F_DUPFD_CLOEXEC, 16);
    int null = open("/dev/null", O_RDWR);
    if (dup2(null, 0) == 0 && dup2(high_sock, ZYGOTE_SOCKET_FD) >= 0 && dup2(high_floor, ZYGOTE_FLOOR_FD) >= 0 &&
        close_range(ZYGOTE_FLOOR_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0) {
        char name[] = "reeve-zygote";
        char *argv[] = {name, NULL}, *envp[] = {NULL};
        fexecve(high_program, argv, envp);
    }
    _exit(126);
}

static int send_devices(struct warden *w, int sock)
{
    struct zygote_devices devices = {.magic = ZYGOTE_MAGIC, .count = (uint32_t)w->options.devices.count};
    for (uint32_t i = 0; i < devices.count; i++)
        devices.at[i] = w->devices[i];
    return fd_send_packet(sock, &devices, sizeof devices, NULL, 0);
}

/* Its first words: the root is built, or what could not be. */
static int wait_ready(int sock, struct err *err)
{
    struct zygote_reply reply;
    struct pollfd at = {.fd = sock, .events = POLLIN};
    if (poll(&at, 1, READY_TIME_MS) != 1 ||
        fd_recv_packet(sock, &reply, sizeof reply, NULL, NULL) != (ssize_t)sizeof reply)
        return err_set(err, -ECHILD, "the keeper program did not start (is it this release's reeve-keeper?)");
    if (reply.error != 0)
        return err_set(err, -reply.error, "cannot prepare the sandboxes' root: %.*s: %s", (int)sizeof reply.what,
                       reply.what, strerror(reply.error));
    return 0;
}

/* The compiler is by default the one that was installed with the keeper; its user is one that no slot has. */
int warden_filters_open(struct warden *w, struct err *err)
{
    char beside[PATH_MAX];
    const char *slash = strrchr(w->options.keeper, '/');
    int n = snprintf(beside, sizeof beside, "%.*sreeve-seccomp",
                     slash != NULL ? (int)(slash + 1 - w->options.keeper) : 0, w->options.keeper);
    if (n < 0 || (size_t)n >= sizeof beside)
        return err_set(err, -ENAMETOOLONG, "--keeper: %s", strerror(ENAMETOOLONG));
    const char *program = w->options.seccomp != NULL ? w->options.seccomp : beside;
    w->compiler = open(program, O_RDONLY | O_CLOEXEC);
    if (w->compiler < 0)
        return err_set(err, -errno, "the profiles' compiler '%s': %s", program, strerror(errno));
    const struct filters_options o = {.program = w->compiler,
                                      .dir = w->options.profiles,
                                      .user = w->options.uid_base - 1};
    return filters_open(&w->filters, &o, err);
}

int warden_zygote_start(struct warden *w, struct err *err)
{
    CLEANUP(close_p) int program = sealed_program(w->options.keeper, err);
    if (program < 0)
        return program;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return err_set(err, -errno, "socketpair: %s", strerror(errno));
    CLEANUP(close_p) int ours = ends[0];
    CLEANUP(close_p) int theirs = ends[1];
    pid_t pid = fork();
    if (pid < 0)
        return err_set(err, -errno, "fork: %s", strerror(errno));
    if (pid == 0)
        become_zygote(program, theirs, filters_find(&w->filters, "floor"));
    close_p(&theirs);
    w->zygote_pid = pid;
    int rc = send_devices(w, ours);
    rc = rc < 0 ? err_set(err, rc, "the zygote's socket: %s", strerror(-rc)) : wait_ready(ours, err);
    if (rc < 0)
        return rc;
    w->zygote = ours;
    ours = -1;
    return 0;
}
