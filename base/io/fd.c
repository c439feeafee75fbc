#include "base/io/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void close_p(int *fd)
{
    if (*fd >= 0)
        close(*fd); /* EINTR on Linux: it is closed all the same */
    *fd = -1;
}

int fd_nonblock(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return wanted == flags || fcntl(fd, F_SETFL, wanted) == 0 ? 0 : -errno;
}

int fd_write_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

ssize_t fd_read_full(int fd, void *bytes, size_t len)
{
    size_t have = 0;
    while (have < len) {
        ssize_t n = read(fd, (char *)bytes + have, len - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

/* Sizes in /proc are 0, so the file is read to its end, not to its st_size. */
static int read_to_end(int fd, size_t max, struct buf *out)
{
    size_t total = 0;
    for (;;) {
        char chunk[16384];
        ssize_t n = fd_read_full(fd, chunk, sizeof chunk);
        if (n < 0)
            return (int)n;
        total += (size_t)n;
        if (total > max)
            return -EFBIG;
        buf_add(out, chunk, (size_t)n);
        if (out->failed)
            return -ENOMEM;
        if ((size_t)n < sizeof chunk)
            return 0;
    }
}

int fd_read_all(int fd, const char *path, size_t max, struct buf *out, struct err *err)
{
    size_t before = out->len;
    int rc = read_to_end(fd, max, out);
    if (rc == 0)
        return 0;
    if (out->data != NULL && !out->failed) {
        out->len = before;
        out->data[before] = '\0';
    }
    if (rc == -EFBIG)
        return err_set(err, rc, "read '%s': larger than %zu bytes", path, max);
    return err_set(err, rc, "read '%s': %s", path, strerror(-rc));
}

int file_read(const char *path, size_t max, struct buf *out, struct err *err)
{
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_set(err, -errno, "open '%s': %s", path, strerror(errno));
    return fd_read_all(fd, path, max, out, err);
}

static int write_synced(const char *path, const void *bytes, size_t len, mode_t mode)
{
    CLEANUP(close_p) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;
    if (fchmod(fd, mode) < 0) /* whatever the umask is */
        return -errno;
    int rc = fd_write_all(fd, bytes, len);
    if (rc < 0)
        return rc;
    return fsync(fd) == 0 ? 0 : -errno;
}

static int sync_parent(const char *path)
{
    char dir[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    if (slash != NULL) {
        size_t len = slash == path ? 1 : (size_t)(slash - path);
        if (len >= sizeof dir)
            return -ENAMETOOLONG;
        memcpy(dir, path, len);
        dir[len] = '\0';
    }
    CLEANUP(close_p) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return fsync(fd) == 0 ? 0 : -errno;
}

int file_write_durable(const char *path, const void *bytes, size_t len, mode_t mode, struct err *err)
{
    char tmp[PATH_MAX];
    int n = snprintf(tmp, sizeof tmp, "%s.tmp", path);
    if (n < 0 || (size_t)n >= sizeof tmp)
        return err_set(err, -ENAMETOOLONG, "write '%s': the path is too long", path);
    int rc = write_synced(tmp, bytes, len, mode);
    if (rc == 0 && rename(tmp, path) < 0)
        rc = -errno;
    if (rc < 0) {
        unlink(tmp);
        return err_set(err, rc, "write '%s': %s", path, strerror(-rc));
    }
    rc = sync_parent(path);
    return rc == 0 ? 0 : err_set(err, rc, "sync the folder of '%s': %s", path, strerror(-rc));
}

int file_replace(const char *path, const void *bytes, size_t len, mode_t mode)
{
    char new[PATH_MAX];
    int n = snprintf(new, sizeof new, "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof new)
        return -ENAMETOOLONG;
    CLEANUP(close_p) int fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    int rc = fd < 0 ? -errno : fd_write_all(fd, bytes, len);
    if (rc == 0 && (fchmod(fd, mode) < 0 || rename(new, path) < 0)) /* whatever the umask is */
        rc = -errno;
    if (rc < 0)
        unlink(new);
    return rc;
}

int dir_make(const char *path, mode_t mode, struct err *err)
{
    if (mkdir(path, mode) == 0) {
        if (chmod(path, mode) < 0) /* whatever the umask is */
            return err_set(err, -errno, "chmod '%s': %s", path, strerror(errno));
        return 0;
    }
    struct stat st;
    if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    return err_set(err, -errno, "make folder '%s': %s", path, strerror(errno));
}

int memfd_sealed(const char *name, const void *bytes, size_t len)
{
    CLEANUP(close_p) int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int rc = fd_write_all(fd, bytes, len);
    if (rc < 0)
        return rc;
    if (lseek(fd, 0, SEEK_SET) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        return -errno;
    int sealed = fd;
    fd = -1;
    return sealed;
}
