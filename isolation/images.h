/*
 * images - the roots that a node offers: folders and squashfs files in one folder, all of them root's alone. A job
 * names one; what it names is one part of a path, looked up below that folder without following anything.
 *
 * A squashfs file is mounted once, by way of a loop device, on a file system of our own in the warden's own mount
 * namespace; attempts get copies of that mount. It goes with the last attempt that uses it. What is left when the
 * warden is killed goes with the namespace, and the device with the last copy of the mount.
 */
#ifndef REEVE_ISOLATION_IMAGES_H
#define REEVE_ISOLATION_IMAGES_H

#include <stdint.h>
#include <sys/types.h>

#include "isolation/spec/root.h"

#define IMAGES_MAX 64 /* squashfs files mounted at once */

struct image_mount {
    dev_t device;   /* the file, not its name: one that was replaced is another image */
    ino_t inode;
    int mount;      /* attached below the stage */
    uint32_t users; /* attempts; 0 = free */
};

struct images {
    int folder, stage; /* -1: the node has none */
    struct image_mount at[IMAGES_MAX];
};

/* Call it in a mount namespace of our own. `path` NULL: no images. */
int images_open(struct images *i, const char *path, struct err *err) MUST_USE;
void images_close(struct images *i);
/* A mount for an attempt, attached nowhere, and what to give to images_release() when the attempt is gone (0: nothing).
 * -ENOENT: no such image; -EPERM: others than root may write it; -EOPNOTSUPP: an overlay on a file system whose ids
 * can't be mapped; -errno. `first_id`: the attempt's range. */
int images_take(struct images *i, const struct root_spec *spec, uint32_t first_id, uint32_t *ret_use,
                struct err *err) MUST_USE;
void images_release(struct images *i, uint32_t use);
/* Adds what there is now; what is beyond the room of `ret` is logged and left out. */
void images_offer(const struct images *i, struct root_abilities *ret);

#endif
