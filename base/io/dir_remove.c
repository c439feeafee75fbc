/*
 * dir_remove - deletes a tree that somebody hostile may have built: nothing is reached through a link, no mount is
 * entered, and depth costs neither stack nor descriptors: what lies deeper than DEPTH_MAX is first moved up to the
 * top, under a name of ours, and the top is then gone through again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io/fd.h"

#define DEPTH_MAX 32

struct removal {
    int top;         /* borrowed from its DIR */
    unsigned moved;  /* folders moved up so far: makes their names unique */
    bool again;      /* something was moved up in this pass */
    char at[256];    /* the name that failed, for the message */
};

/* openat2 also sees bind mounts of the same file system, which comparing st_dev does not. */
static int open_below(int dir, const char *name)
{
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
        .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
    };
    long fd = syscall(SYS_openat2, dir, name, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

static int fail_at(struct removal *r, const char *name, int rc)
{
    snprintf(r->at, sizeof r->at, "%s", name);
    return rc;
}

static int empty_folder(struct removal *r, DIR *dir, unsigned depth);

static int move_up(struct removal *r, int dir, const char *name)
{
    for (;;) {
        char up[32];
        snprintf(up, sizeof up, ".removing-%u", r->moved++);
        if (renameat2(dir, name, r->top, up, RENAME_NOREPLACE) == 0)
            break;
        if (errno != EEXIST)
            return fail_at(r, name, -errno);
    }
    r->again = true;
    return 0;
}

static int remove_folder(struct removal *r, int parent, const char *name, unsigned depth)
{
    if (depth >= DEPTH_MAX)
        return move_up(r, parent, name);
    int fd = open_below(parent, name);
    if (fd < 0)
        return fail_at(r, name, fd);
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return -ENOMEM;
    }
    int rc = empty_folder(r, dir, depth);
    closedir(dir);
    if (rc == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        rc = fail_at(r, name, -errno);
    return rc;
}

static int empty_folder(struct removal *r, DIR *dir, unsigned depth)
{
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(dir);
        if (e == NULL)
            return -errno;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(dir), e->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno != EISDIR && errno != EPERM) /* POSIX says EPERM for a folder, Linux EISDIR */
            return fail_at(r, e->d_name, -errno);
        int rc = remove_folder(r, dirfd(dir), e->d_name, depth + 1);
        if (rc < 0)
            return rc;
    }
}

int dir_remove(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_set(err, -errno, "remove '%s': %s", path, strerror(errno));
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return err_set(err, -ENOMEM, "remove '%s': %s", path, strerror(ENOMEM));
    }
    struct removal r = {.top = dirfd(dir)};
    int rc;
    do {
        r.again = false;
        rewinddir(dir);
        rc = empty_folder(&r, dir, 0);
    } while (rc == 0 && r.again);
    closedir(dir);
    if (rc < 0)
        return err_set(err, rc, "remove '%s': at '%s': %s", path, r.at, strerror(-rc));
    if (rmdir(path) < 0 && errno != ENOENT)
        return err_set(err, -errno, "remove '%s': %s", path, strerror(errno));
    return 0;
}
