#include "isolation/sandbox_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isolation/keeper_sys.h"

#define PART_SIZE 256

static int open_beneath(int root, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(O_PATH | O_NOFOLLOW | O_CLOEXEC | flags),
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    long fd;
    do
        fd = syscall(SYS_openat2, root, path, &how, sizeof how);
    while (fd < 0 && errno == EAGAIN); /* somebody renamed something on the way while the kernel looked */
    if (fd < 0)
        return errno == ELOOP ? -ENOTDIR : -errno;
    return (int)fd;
}

int place_folder(int root, const char *path)
{
    return open_beneath(root, path, O_DIRECTORY);
}

int place_file(int root, const char *path)
{
    struct stat st;
    int fd = open_beneath(root, path, 0);
    if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
        return fd;
    close(fd);
    return -ENOTDIR;
}

/* One part of a path below an open folder, made when it isn't there. */
static int enter_part(int dir, const char *part, uid_t owner)
{
    int fd = open_beneath(dir, part, O_DIRECTORY);
    if (fd != -ENOENT)
        return fd;
    if (mkdirat(dir, part, 0755) < 0 || fchownat(dir, part, owner, owner, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return open_beneath(dir, part, O_DIRECTORY);
}

int place_make_folder(int root, const char *path, uid_t owner)
{
    char part[PART_SIZE];
    int dir = root;
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        if (len == 0 || len >= sizeof part)
            return -EINVAL;
        memcpy(part, path, len);
        part[len] = '\0';
        path += path[len] == '/' ? len + 1 : len;
        int next = enter_part(dir, part, owner);
        if (dir != root)
            close(dir);
        if (next < 0)
            return next;
        dir = next;
    }
    return dir != root ? dir : -EINVAL;
}

int mount_clone(int dir, const char *path, unsigned flags)
{
    int fd = open_tree(dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | flags);
    return fd < 0 ? -errno : fd;
}

int mount_set(int mount, uint64_t attr, unsigned flags)
{
    struct mount_attr set = {.attr_set = attr};
    return mount_setattr(mount, "", AT_EMPTY_PATH | flags, &set, sizeof set) < 0 ? -errno : 0;
}

int mount_tmpfs(const char *size, const char *inodes, const char *mode, unsigned attr)
{
    int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), fd = -1;
    if (fs < 0)
        return -errno;
    if (fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) == 0 &&
        fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", inodes, 0) == 0 &&
        fsconfig(fs, FSCONFIG_SET_STRING, "mode", mode, 0) == 0 &&
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        fd = fsmount(fs, FSMOUNT_CLOEXEC, attr);
    int rc = fd < 0 ? -errno : fd;
    close(fs);
    return rc;
}

int mount_on(int mount, int place)
{
    return move_mount(mount, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ? -errno : 0;
}

int mount_on_folder(int mount, int root, const char *path)
{
    int place = place_folder(root, path);
    int rc = place < 0 ? place : mount_on(mount, place);
    close_fd(&place);
    return rc;
}

int mount_on_path(int mount, const char *path)
{
    return move_mount(mount, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}
