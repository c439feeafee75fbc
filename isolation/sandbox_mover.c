#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "isolation/keeper_sys.h"
#include "isolation/mover.h"

#define BACKLOG 64

int sandbox_keep_fds(const int *fds, size_t count)
{
    int high[HELPER_FDS_MAX];
    for (size_t i = 0; i < count; i++)
        if ((high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, HELPER_FD_OUT_OF_WAY)) < 0)
            return -errno;
    for (size_t i = 0; i < count; i++)
        if (dup3(high[i], HELPER_FD_FIRST + (int)i, O_CLOEXEC) < 0)
            return -errno;
    return close_range((unsigned)HELPER_FD_FIRST + (unsigned)count, ~0U, 0) < 0 ? -errno : 0;
}

int sandbox_help_job(uid_t id)
{
    sigset_t all;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, NULL) < 0) /* the job is told to stop, not we: it may still copy in its grace */
        return -errno;
    if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, JOB_ID, JOB_ID, JOB_ID) < 0 ||
        syscall(SYS_setresuid, id, JOB_ID, id) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return -errno;
    return sandbox_drop_caps(0);
}

int sandbox_mover_fork(struct sandbox *s)
{
    int ends[2], channel[2] = {-1, -1};
    if (!sandbox_has_mover(&s->spec))
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    if (s->spec.stages != 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, channel) < 0)
        return -errno;
    s->mover = fork();
    if (s->mover == 0) {
        const int keep[] = {[MOVER_INBOX_FD - HELPER_FD_FIRST] = ends[1],
                            [MOVER_STAGER_FD - HELPER_FD_FIRST] = channel[1]};
        if (sandbox_keep_fds(keep, s->spec.stages != 0 ? 2 : 1) < 0)
            _exit(1);
        mover_main(s);
    }
    int rc = s->mover < 0 ? -errno : 0;
    close(ends[1]);
    close_fd(&channel[1]);
    s->mover_inbox = ends[0];
    s->channel = channel[0];
    return rc;
}

/* Root's, so that the job can't put another in its place: /tmp lets nobody remove what isn't theirs. */
static int open_listener(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = TRANSFER_SOCKET};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || chmod(TRANSFER_SOCKET, 0666) < 0 ||
        listen(fd, BACKLOG) < 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

/* The root is there, and the mover has given up all that it needn't have. */
int sandbox_mover_open(struct sandbox *s)
{
    struct mover_word word;
    if (!sandbox_has_mover(&s->spec))
        return 0;
    ssize_t n = packet_recv(s->mover_inbox, &word, sizeof word, NULL, NULL);
    if (n != (ssize_t)sizeof word || word.kind != MOVER_WORD_READY || word.error != 0)
        return n == (ssize_t)sizeof word && word.error != 0 ? -(int)word.error : -ECHILD;
    if (s->spec.mover == 0)
        return 0;
    int listener = open_listener();
    if (listener < 0)
        return listener;
    word = (struct mover_word){.kind = MOVER_WORD_LISTENER};
    int rc = packet_send(s->mover_inbox, &word, sizeof word, &listener, 1);
    close(listener);
    return rc;
}
