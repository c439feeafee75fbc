/*
 * sandbox_mount - mounts and the places for them, by fd alone. A place is found below a root without following a link
 * of any kind: whoever renames or swaps what lies on the way gets a failure or the real folder, never another one.
 * All return an fd or 0, or -errno.
 */
#ifndef REEVE_ISOLATION_SANDBOX_MOUNT_H
#define REEVE_ISOLATION_SANDBOX_MOUNT_H

#include <stdint.h>
#include <sys/types.h>

/* A real folder, or a regular file, below `root`; `path` is relative. O_PATH. -ENOTDIR: something of another kind. */
int place_folder(int root, const char *path);
int place_file(int root, const char *path);
/* The same; what is missing on the way is made, `owner` being its owner and group. */
int place_make_folder(int root, const char *path, uid_t owner);

/* A copy of one mount (with AT_RECURSIVE of all below it) at `path`, attached nowhere. */
int mount_clone(int dir, const char *path, unsigned flags);
int mount_set(int mount, uint64_t attr, unsigned flags);
/* Not yet attached. */
int mount_tmpfs(const char *size, const char *inodes, const char *mode, unsigned attr);
int mount_on(int mount, int place);
int mount_on_folder(int mount, int root, const char *path);
/* At a path of the outer root, which nobody but us ever names. */
int mount_on_path(int mount, const char *path);

#endif
