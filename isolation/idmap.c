#include "isolation/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"

#define MAP_TEXT_MAX 256

/* The namespace needs a process to be born with, which waits at a pipe and does nothing: it ends when we close ours, or
 * end. Its death is nobody's signal. */
static pid_t new_namespace(int *ret_hold)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    long pid = syscall(SYS_clone, CLONE_NEWUSER, 0, 0, 0, 0); /* the flags that own_filter.c lets through, no others */
    if (pid == 0) {
        char byte;
        close(ends[1]);
        (void)!read(ends[0], &byte, 1);
        _exit(0);
    }
    int rc = pid < 0 ? -errno : (int)pid;
    close(ends[0]);
    if (pid < 0)
        close(ends[1]);
    else
        *ret_hold = ends[1];
    return rc;
}

static int write_map(pid_t pid, const char *file, const struct idmap_row *rows, size_t count)
{
    char path[48], text[MAP_TEXT_MAX];
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        int n = snprintf(text + at, sizeof text - at, "%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", rows[i].on_disk,
                         rows[i].outside, rows[i].count);
        if (n < 0 || (size_t)n >= sizeof text - at)
            return -E2BIG;
        at += (size_t)n;
    }
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    CLEANUP(close_p) int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -errno : write(fd, text, at) == (ssize_t)at ? 0 : -errno; /* in one piece, or it is refused */
}

static int open_namespace(pid_t pid)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int idmap_mount(int mount, const struct idmap_row *users, size_t users_count, const struct idmap_row *groups,
                size_t groups_count)
{
    CLEANUP(close_p) int hold = -1;
    pid_t pid = new_namespace(&hold); /* still our child and not waited for: the number is its own */
    if (pid < 0)
        return pid;
    int rc = write_map(pid, "uid_map", users, users_count);
    rc = rc < 0 ? rc : write_map(pid, "gid_map", groups, groups_count);
    CLEANUP(close_p) int namespace = rc < 0 ? rc : open_namespace(pid);
    close_p(&hold);
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        continue;
    if (namespace < 0)
        return namespace;
    struct mount_attr set = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)(unsigned)namespace};
    if (mount_setattr(mount, "", AT_EMPTY_PATH, &set, sizeof set) == 0)
        return 0;
    return errno == EINVAL ? -EOPNOTSUPP : -errno;
}
