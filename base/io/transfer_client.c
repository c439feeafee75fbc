#include "base/io/transfer_client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int transfer_connect(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = TRANSFER_SOCKET};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    int rc = -errno;
    close(fd);
    return rc;
}

static int ask(int mover, const struct transfer_request *r, int from, int to)
{
    union {
        char bytes[CMSG_SPACE(2 * sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct transfer_request copy = *r;
    struct iovec part = {&copy, sizeof copy};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                         .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    const int fds[2] = {from, to};
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(c), fds, sizeof fds);
    ssize_t n;
    do
        n = sendmsg(mover, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

static int hear(int mover, struct transfer_reply *ret)
{
    ssize_t n;
    do
        n = recv(mover, ret, sizeof *ret, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    ret->text[sizeof ret->text - 1] = '\0';
    return n == (ssize_t)sizeof *ret && ret->version == TRANSFER_VERSION ? 0 : -EPIPE;
}

int transfer_copy(int mover, int from, int to, uint64_t from_offset, uint64_t to_offset, uint64_t bytes,
                  void (*goes)(void *arg, uint64_t moved_bytes), void *arg, struct transfer_reply *ret_how)
{
    const struct transfer_request r = {.version = TRANSFER_VERSION, .from_offset = from_offset,
                                       .to_offset = to_offset, .bytes = bytes};
    *ret_how = (struct transfer_reply){.status = TRANSFER_FAILED, .text = "the mover is gone"};
    int rc = ask(mover, &r, from, to);
    struct transfer_reply how;
    while (rc == 0 && (rc = hear(mover, &how)) == 0) {
        *ret_how = how;
        if (how.status != TRANSFER_GOES)
            return how.status == TRANSFER_DONE ? 0 : how.error > 0 ? -how.error : -EIO;
        if (goes != NULL)
            goes(arg, how.moved_bytes);
    }
    return rc;
}
