/*
 * An image as the root. It belongs to the node but nobody here trusts what is in it: the places of /dev, /proc, /sys
 * and /tmp must be real folders, found without following anything, and what is put there is ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "isolation/keeper_sys.h"
#include "isolation/sandbox.h"
#include "isolation/sandbox_mount.h"

#define UPPER "upper"
#define WORK "work"
#define EACH(i, rows) for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++)

static const char *const places[] = {"dev", "proc", "sys", "tmp"};

int sandbox_image_check(struct sandbox *s)
{
    if (s->image < 0)
        return 0;
    EACH(i, places) {
        int fd = place_folder(s->image, places[i]);
        if (fd < 0)
            return fd;
        close(fd);
    }
    return 0;
}

/* A copy of what the shared root has there. */
static int take_over(const char *from, int place)
{
    if (place < 0)
        return place;
    int fd = mount_clone(AT_FDCWD, from, 0);
    int rc = fd < 0 ? fd : mount_on(fd, place);
    close_fd(&fd);
    close(place);
    return rc;
}

/* The host's servers of names; an image that has no such file, or a link, is left alone. */
static int take_resolver(int root)
{
    int place = place_file(root, "etc/resolv.conf");
    if (place == -ENOENT || place == -ENOTDIR)
        return 0;
    int rc = take_over(OUTER_TEMPLATE "/etc/resolv.conf", place);
    return rc == -ENOENT ? 0 : rc; /* the host has none either */
}

static int make_layers(int scratch)
{
    static const struct folder_row {
        const char *name;
        mode_t mode;
        uid_t owner;
    } rows[] = {{UPPER, 0755, JOB_ID}, {WORK, 0700, 0}, {"tmp", 01777, 0}};
    EACH(i, rows) {
        if (mkdirat(scratch, rows[i].name, 0700) < 0 || fchmodat(scratch, rows[i].name, rows[i].mode, 0) < 0 ||
            fchownat(scratch, rows[i].name, rows[i].owner, rows[i].owner, AT_SYMLINK_NOFOLLOW) < 0)
            return -errno;
    }
    return 0;
}

/* The kernels of Debian 12 take layers by path only. These paths lead to our own mounts, and end with the pivot. */
static int new_overlay(void)
{
    int fs = fsopen("overlay", FSOPEN_CLOEXEC), fd = -1;
    if (fs < 0)
        return -errno;
    if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", OUTER_LOWER, 0) == 0 &&
        fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", OUTER_UPPER "/" UPPER, 0) == 0 &&
        fsconfig(fs, FSCONFIG_SET_STRING, "workdir", OUTER_UPPER "/" WORK, 0) == 0 &&
        fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) == 0 &&
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    int rc = fd < 0 ? -errno : fd;
    close(fs);
    return rc;
}

static int put_overlay(struct sandbox *s)
{
    int rc = make_layers(s->scratch);
    rc = rc < 0 ? rc : mount_on_path(s->image, OUTER_LOWER);
    rc = rc < 0 ? rc : mount_on_path(s->scratch, OUTER_UPPER);
    return rc < 0 ? rc : new_overlay();
}

int sandbox_image_open(struct sandbox *s)
{
    s->root = s->spec.root.mode == ROOT_OVERLAY ? put_overlay(s) : fcntl(s->image, F_DUPFD_CLOEXEC, 0);
    return MIN(s->root, 0);
}

int sandbox_image_attach(struct sandbox *s)
{
    int rc = mount_on_path(s->root, OUTER_NEW);
    rc = rc < 0 ? rc : take_over(OUTER_TEMPLATE "/dev", place_folder(s->root, "dev"));
    rc = rc < 0 ? rc : take_over(OUTER_TEMPLATE "/sys", place_folder(s->root, "sys"));
    return rc < 0 ? rc : take_resolver(s->root);
}
