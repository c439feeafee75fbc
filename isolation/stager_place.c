#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isolation/stager.h"

#define FOLDER_MODE 0755
#define FD_PATH_MAX 64

/* The kernel's, for getdents64. */
struct name_row {
    uint64_t ino;
    int64_t off;
    unsigned short length;
    unsigned char type;
    char name[];
};

static int open_how(int dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
                           .mode = mode,
                           .resolve = resolve | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH};
    long fd;
    do
        fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
    while (fd < 0 && (errno == EAGAIN || errno == EINTR)); /* somebody renamed something on the way */
    return fd < 0 ? -errno : (int)fd;
}

static int open_root(void)
{
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int place_find(const char *path)
{
    int root = open_root();
    int fd = root < 0 ? root : open_how(root, path + 1, O_PATH, 0, 0);
    close_fd(&root);
    return fd;
}

int place_reopen(int place, int flags)
{
    char path[FD_PATH_MAX] = "/proc/self/fd/", number[NUMBER_TEXT_MAX];
    strcat(path, number_text((uint64_t)place, number)); /* lint: allow 14 and at most 20 characters */
    int fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int place_open(int dir, const char *name, int flags)
{
    return open_how(dir, name, flags, 0, RESOLVE_NO_XDEV);
}

static int enter_or_make(int dir, const char *name)
{
    int fd = open_how(dir, name, O_RDONLY | O_DIRECTORY, 0, 0);
    if (fd != -ENOENT)
        return fd;
    if (mkdirat(dir, name, FOLDER_MODE) < 0 && errno != EEXIST)
        return -errno;
    (void)fsync(dir); /* where it can't be, the last of them will say so */
    return open_how(dir, name, O_RDONLY | O_DIRECTORY, 0, 0);
}

int place_parent(const char *path, const char **ret_name)
{
    char part[NAME_MAX + 1];
    int dir = open_root();
    for (path++; dir >= 0; path++) {
        size_t len = strcspn(path, "/");
        if (len > NAME_MAX)
            len = 0;
        if (len == 0 || path[len] == '\0') {
            *ret_name = path;
            break;
        }
        memcpy(part, path, len);
        part[len] = '\0';
        int next = enter_or_make(dir, part);
        close(dir);
        dir = next;
        path += len;
    }
    if (dir < 0 || **ret_name != '\0')
        return dir;
    close(dir);
    return -ENAMETOOLONG;
}

long place_names(struct stager *s, int dir, uint32_t depth)
{
    long n = syscall(SYS_getdents64, dir, s->names[depth], sizeof s->names[depth]);
    return n < 0 ? -errno : n;
}

const char *place_name(const char *names, long bytes, long *at)
{
    while (*at < bytes) {
        const char *row = names + *at;
        unsigned short length;
        memcpy(&length, row + offsetof(struct name_row, length), sizeof length);
        const char *name = row + offsetof(struct name_row, name);
        *at += length;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            return name;
    }
    return NULL;
}

/* Names go while they are read: from the start again, until there is none. */
static int empty_folder(struct stager *s, int dir, uint32_t depth)
{
    (void)fchmod(dir, 0700); /* ours; if not, the first unlink says so */
    for (;;) {
        long n = lseek(dir, 0, SEEK_SET) < 0 ? -errno : place_names(s, dir, depth), at = 0;
        const char *name;
        bool any = false;
        while (n > 0 && (name = place_name(s->names[depth], n, &at)) != NULL) {
            any = true;
            if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
                continue;
            if (errno != EISDIR && errno != EPERM)
                return -errno;
            int inner = depth < STAGE_DEPTH_MAX ? place_open(dir, name, O_RDONLY | O_DIRECTORY) : -ENAMETOOLONG;
            int rc = inner < 0 ? inner : empty_folder(s, inner, depth + 1);
            close_fd(&inner);
            if (rc < 0 || (unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT))
                return rc < 0 ? rc : -errno;
        }
        if (n < 0 || !any)
            return n < 0 ? (int)n : 0;
    }
}

int place_remove(struct stager *s, int dir, const char *name)
{
    if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    int fd = place_open(dir, name, O_RDONLY | O_DIRECTORY);
    int rc = fd < 0 ? fd : empty_folder(s, fd, 0);
    close_fd(&fd);
    if (rc == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        rc = -errno;
    return rc;
}

static int check_folder(struct stager *s, int dir, uint32_t depth);

/* What isn't the job's own has no owner that its volume knows: it can't be removed, wherever it lies. */
static int check_one(struct stager *s, int dir, uint32_t depth, const char *name)
{
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno; /* it has just gone */
    if (st.st_uid != JOB_ID || st.st_gid != JOB_ID)
        return -EPERM;
    if (!S_ISDIR(st.st_mode))
        return 0;
    int inner = depth < STAGE_DEPTH_MAX ? place_open(dir, name, O_RDONLY | O_DIRECTORY) : -ENAMETOOLONG;
    int rc = inner < 0 ? inner : check_folder(s, inner, depth + 1);
    close_fd(&inner);
    return rc;
}

static int check_folder(struct stager *s, int dir, uint32_t depth)
{
    for (;;) {
        long n = place_names(s, dir, depth), at = 0;
        if (n <= 0)
            return (int)n;
        for (const char *name; (name = place_name(s->names[depth], n, &at)) != NULL;) {
            int rc = check_one(s, dir, depth, name);
            if (rc < 0)
                return rc;
        }
    }
}

int place_check_remove(struct stager *s, int dir)
{
    int rc = lseek(dir, 0, SEEK_SET) < 0 ? -errno : 0;
    return rc < 0 ? rc : check_folder(s, dir, 0);
}
