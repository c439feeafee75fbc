#include "isolation/keeper_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

union packet_control {
    char bytes[CMSG_SPACE(PACKET_FDS_MAX * sizeof(int))];
    struct cmsghdr align;
};

int packet_send(int sock, const void *bytes, size_t size, const int *fds, size_t fds_count)
{
    union packet_control control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    if (fds_count > 0) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(fds_count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fds_count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, fds_count * sizeof(int));
    }
    ssize_t n;
    do
        n = sendmsg(sock, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : 0;
}

static size_t take_fds(struct msghdr *msg, int fds[PACKET_FDS_MAX])
{
    size_t count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds + count, CMSG_DATA(c), here * sizeof(int));
        count += here;
    }
    return count;
}

ssize_t packet_recv(int sock, void *bytes, size_t size, int *fds, size_t *fds_count)
{
    union packet_control control;
    struct iovec part = {.iov_base = bytes, .iov_len = size};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                         .msg_controllen = sizeof control.bytes};
    ssize_t n;
    do
        n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    int got[PACKET_FDS_MAX];
    size_t count = take_fds(&msg, got), wanted = fds != NULL ? *fds_count : 0;
    if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || count > wanted || (n == 0 && count > 0)) {
        for (size_t i = 0; i < count; i++)
            close(got[i]);
        return -EBADMSG;
    }
    if (fds != NULL) {
        memcpy(fds, got, count * sizeof(int));
        *fds_count = count;
    }
    return n;
}

void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int write_whole(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

int write_text_at(int dir, const char *path, const char *text)
{
    int fd = openat(dir, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    int rc = write_whole(fd, text, strlen(text));
    close(fd);
    return rc;
}

const char *number_text(uint64_t value, char out[NUMBER_TEXT_MAX])
{
    char *at = out + NUMBER_TEXT_MAX - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return at;
}

static int64_t clock_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

uint64_t boot_us(void)
{
    return (uint64_t)clock_us(CLOCK_BOOTTIME);
}

int64_t utc_us(void)
{
    return clock_us(CLOCK_REALTIME);
}
