#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "isolation/mover.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* Local, of a kernel that answers by itself. Any other may be a program of somebody's (FUSE), a far machine's (NFS), or
 * no files at all (/proc, cgroups). */
static bool is_known(long type)
{
    static const long known[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC,
                                 OVERLAYFS_SUPER_MAGIC};
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (known[i] == type)
            return true;
    return false;
}

static const char *vet_one(int fd, bool writes, struct stat *st, int *ret_error)
{
    struct statfs fs;
    int flags = fcntl(fd, F_GETFL), access = flags & O_ACCMODE;
    *ret_error = EBADF;
    if (flags < 0 || (flags & O_PATH) != 0 || access == (writes ? O_RDONLY : O_WRONLY))
        return writes ? "the second file is not open for writing" : "the first file is not open for reading";
    if (fstat(fd, st) < 0 || fstatfs(fd, &fs) < 0) {
        *ret_error = errno;
        return "the file can't be looked at";
    }
    *ret_error = EINVAL;
    if (!S_ISREG(st->st_mode))
        return "only regular files are copied: no pipes, sockets, folders or devices";
    if (writes && (flags & O_APPEND) != 0)
        return "the second file is open for appending: there is no place to write to";
    *ret_error = EOPNOTSUPP;
    if (!is_known((long)fs.f_type))
        return "its file system is none of ext4, xfs, btrfs, tmpfs and overlay";
    return NULL;
}

static bool overlap(uint64_t a, uint64_t b, uint64_t bytes)
{
    return (a <= b ? b - a : a - b) < bytes;
}

const char *mover_vet(int from, int to, const struct transfer_request *r, int *ret_error)
{
    struct stat a, b;
    const char *why = vet_one(from, false, &a, ret_error);
    why = why == NULL ? vet_one(to, true, &b, ret_error) : why;
    if (why != NULL)
        return why;
    *ret_error = EINVAL;
    if (r->from_offset > TRANSFER_OFFSET_MAX || r->to_offset > TRANSFER_OFFSET_MAX ||
        (r->bytes != TRANSFER_ALL && r->bytes > TRANSFER_OFFSET_MAX))
        return "an offset or a length is out of range";
    if (a.st_dev == b.st_dev && a.st_ino == b.st_ino && overlap(r->from_offset, r->to_offset, r->bytes))
        return "both are the same file, and the places overlap";
    return NULL;
}

/* Of overlays and btrfs it isn't known from here what a direct read or write becomes below. */
enum mover_path mover_path_of(int fd, bool direct)
{
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return MOVER_PATH_CACHE;
    if ((long)fs.f_type == TMPFS_MAGIC)
        return MOVER_PATH_MEMORY;
    bool plain = (long)fs.f_type == EXT4_SUPER_MAGIC || (long)fs.f_type == XFS_SUPER_MAGIC;
    return plain && direct ? MOVER_PATH_DISK : MOVER_PATH_CACHE;
}
