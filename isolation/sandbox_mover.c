#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "isolation/keeper_sys.h"
#include "isolation/mover.h"

#define BACKLOG 64

static noreturn void become_mover(const struct sandbox *s, int inbox)
{
    /* 0, 1, 2 are /dev/null; nothing else of the keeper's stays. */
    if ((inbox != MOVER_INBOX_FD && dup3(inbox, MOVER_INBOX_FD, O_CLOEXEC) < 0) ||
        close_range(MOVER_INBOX_FD + 1, ~0U, 0) < 0)
        _exit(1);
    mover_main(s);
}

int sandbox_mover_fork(struct sandbox *s)
{
    int ends[2];
    if (s->spec.mover == 0)
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    s->mover = fork();
    if (s->mover == 0)
        become_mover(s, ends[1]);
    int rc = s->mover < 0 ? -errno : 0;
    close(ends[1]);
    s->mover_inbox = ends[0];
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
    if (s->spec.mover == 0)
        return 0;
    ssize_t n = packet_recv(s->mover_inbox, &word, sizeof word, NULL, NULL);
    if (n != (ssize_t)sizeof word || word.kind != MOVER_WORD_READY || word.error != 0)
        return n == (ssize_t)sizeof word && word.error != 0 ? -(int)word.error : -ECHILD;
    int listener = open_listener();
    if (listener < 0)
        return listener;
    word = (struct mover_word){.kind = MOVER_WORD_LISTENER};
    int rc = packet_send(s->mover_inbox, &word, sizeof word, &listener, 1);
    close(listener);
    return rc;
}
