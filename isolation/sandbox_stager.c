#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "isolation/keeper_sys.h"
#include "isolation/stager.h"

int sandbox_stager_fork(struct sandbox *s)
{
    int ends[2], rc = 0;
    if (s->spec.stages != 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0) {
        s->stager = fork();
        if (s->stager == 0) {
            const int keep[] = {[STAGER_INBOX_FD - HELPER_FD_FIRST] = ends[1],
                                [STAGER_MOVER_FD - HELPER_FD_FIRST] = s->channel,
                                [STAGER_ARGS_FD - HELPER_FD_FIRST] = s->args,
                                [STAGER_REPORT_FD - HELPER_FD_FIRST] = s->report};
            if (sandbox_keep_fds(keep, COUNT_OF(keep)) < 0)
                _exit(1);
            stager_main(s);
        }
        rc = s->stager < 0 ? -errno : 0;
        close(ends[1]);
        s->stager_inbox = ends[0];
    } else if (s->spec.stages != 0) {
        rc = -errno;
    }
    close_fd(&s->args);
    close_fd(&s->channel);
    close_fd(&s->report);
    return rc;
}

/* It has given up all that it needn't have. */
int sandbox_stager_open(struct sandbox *s)
{
    struct stage_word word;
    if (s->spec.stages == 0)
        return 0;
    ssize_t n = packet_recv(s->stager_inbox, &word, sizeof word, NULL, NULL);
    if (n != (ssize_t)sizeof word || word.kind != STAGE_WORD_READY)
        return -ECHILD;
    return -word.error;
}
