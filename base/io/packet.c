/*
 * packet - SOCK_SEQPACKET messages with descriptors (the two last functions of fd.h). Whatever a peer sends, no
 * descriptor is leaked: what was not asked for is closed before anybody sees it.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/io/fd.h"

#define SCM_FDS_MAX 253 /* the kernel's own limit per message (SCM_MAX_FD) */

int fd_send_packet(int sock, const void *bytes, size_t len, const int *fds, size_t fds_count)
{
    if (fds_count > FD_PACKET_MAX)
        return -EINVAL;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * FD_PACKET_MAX)] = {0};
    struct iovec iov = {.iov_len = len};
    memcpy(&iov.iov_base, &bytes, sizeof bytes); /* sendmsg only reads; the type can't say so */
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fds_count > 0) {
        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * fds_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fds_count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * fds_count);
    }
    ssize_t n;
    do {
        n = sendmsg(sock, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

/* Moves received descriptors into fds up to `room`; closes the rest. Returns how many there were. */
static size_t take_fds(struct msghdr *msg, int *fds, size_t room)
{
    size_t seen = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++, seen++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (seen < room)
                fds[seen] = fd;
            else
                close(fd);
        }
    }
    return seen;
}

ssize_t fd_recv_packet(int sock, void *bytes, size_t size, int *fds, size_t *fds_count)
{
    size_t room = fds != NULL && fds_count != NULL ? MIN(*fds_count, (size_t)FD_PACKET_MAX) : 0;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * SCM_FDS_MAX)];
    struct iovec iov = {.iov_base = bytes, .iov_len = size};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n;
    do {
        n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    size_t seen = take_fds(&msg, fds, room);
    if (seen > room || (n == 0 && seen > 0) || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        for (size_t i = 0; i < MIN(seen, room); i++)
            close(fds[i]);
        if (fds_count != NULL)
            *fds_count = 0;
        return -EBADMSG;
    }
    if (fds_count != NULL)
        *fds_count = seen;
    return n;
}
