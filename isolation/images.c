#include "isolation/images.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/log.h"
#include "isolation/idmap.h"
#include "isolation/loop_device.h"
#include "isolation/sandbox_ids.h"

/* --- the folder -------------------------------------------------------------------------------------------------- */

static int new_stage(int folder)
{
    CLEANUP(close_p) int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0700", 0) < 0 ||
        fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "128", 0) < 0 ||
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    CLEANUP(close_p) int fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (fd < 0 || move_mount(fd, "", folder, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static bool is_roots_alone(const struct stat *st)
{
    return st->st_uid == 0 && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

int images_open(struct images *i, const char *path, struct err *err)
{
    *i = (struct images){.folder = -1, .stage = -1};
    if (path == NULL)
        return 0;
    struct stat st;
    i->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (i->folder < 0 || fstat(i->folder, &st) < 0)
        return err_set(err, -errno, "--images '%s': %s", path, strerror(errno));
    if (!is_roots_alone(&st))
        return err_set(err, -EPERM, "--images '%s': must belong to root and be writable by nobody else", path);
    i->stage = new_stage(i->folder);
    return i->stage < 0 ? err_set(err, i->stage, "--images '%s': %s", path, strerror(-i->stage)) : 0;
}

/* --- one image --------------------------------------------------------------------------------------------------- */

static int open_entry(const struct images *i, const char *name, struct stat *st, struct err *err)
{
    struct open_how how = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    if (i->folder < 0)
        return err_set(err, -ENOENT, "this node has no images");
    CLEANUP(close_p) int fd = (int)syscall(SYS_openat2, i->folder, name, &how, sizeof how);
    if (fd < 0 || fstat(fd, st) < 0)
        return err_set(err, -errno, "image '%s': %s", name, strerror(errno));
    if (!S_ISDIR(st->st_mode) && !S_ISREG(st->st_mode))
        return err_set(err, -EINVAL, "image '%s': neither a folder nor a file", name);
    if (!is_roots_alone(st))
        return err_set(err, -EPERM, "image '%s': must belong to root and be writable by nobody else", name);
    return TAKE_FD(fd);
}

/* Mounts the device on the stage and returns the mount, which the stage holds as well. */
static int mount_squashfs(const struct images *i, const char *place, const char *device)
{
    CLEANUP(close_p) int fs = fsopen("squashfs", FSOPEN_CLOEXEC);
    if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", device, 0) < 0 ||
        fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    CLEANUP(close_p) int mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (mount < 0 || mkdirat(i->stage, place, 0700) < 0)
        return -errno;
    if (move_mount(mount, "", i->stage, place, MOVE_MOUNT_F_EMPTY_PATH) < 0) {
        int rc = -errno;
        unlinkat(i->stage, place, AT_REMOVEDIR);
        return rc;
    }
    return TAKE_FD(mount);
}

static struct image_mount *find_mount(struct images *i, const struct stat *file)
{
    struct image_mount *unused = NULL;
    for (size_t k = 0; k < IMAGES_MAX; k++) {
        struct image_mount *m = &i->at[k];
        if (m->users > 0 && m->device == file->st_dev && m->inode == file->st_ino)
            return m;
        if (m->users == 0 && unused == NULL)
            unused = m;
    }
    return unused;
}

#define PLACE_SIZE 24
static const char *place_of(const struct images *i, const struct image_mount *m, char out[PLACE_SIZE])
{
    snprintf(out, PLACE_SIZE, "%zu", (size_t)(m - i->at));
    return out;
}

static void drop_mount(struct images *i, struct image_mount *m)
{
    char path[32], place[PLACE_SIZE];
    snprintf(path, sizeof path, "/proc/self/fd/%d", m->mount);
    umount2(path, MNT_DETACH);
    close_p(&m->mount);
    unlinkat(i->stage, place_of(i, m, place), AT_REMOVEDIR);
}

static int first_mount(struct images *i, struct image_mount *m, const char *name, int file, struct err *err)
{
    char device[LOOP_PATH_SIZE], place[PLACE_SIZE];
    CLEANUP(close_p) int loop = loop_attach(file, device, err);
    if (loop < 0)
        return err_wrap(err, loop, "image '%s'", name);
    m->mount = mount_squashfs(i, place_of(i, m, place), device);
    return m->mount < 0 ? err_set(err, m->mount, "image '%s': not a squashfs file that this kernel can mount: %s", name,
                                  strerror(-m->mount))
                        : 0;
}

static int take_squashfs(struct images *i, const char *name, int file, const struct stat *st, uint32_t *ret_use,
                         struct err *err)
{
    struct image_mount *m = find_mount(i, st);
    if (m == NULL)
        return err_set(err, -EBUSY, "image '%s': %d others are in use", name, IMAGES_MAX);
    int rc = m->users == 0 ? first_mount(i, m, name, file, err) : 0;
    if (rc < 0)
        return rc;
    int copy = open_tree(m->mount, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (copy < 0) {
        rc = err_set(err, -errno, "image '%s': %s", name, strerror(errno));
        if (m->users == 0)
            drop_mount(i, m);
        return rc;
    }
    m->device = st->st_dev;
    m->inode = st->st_ino;
    m->users++;
    *ret_use = (uint32_t)(m - i->at) + 1;
    return copy;
}

void images_release(struct images *i, uint32_t use)
{
    if (use == 0)
        return;
    struct image_mount *m = &i->at[use - 1];
    if (--m->users == 0)
        drop_mount(i, m);
}

void images_close(struct images *i)
{
    for (size_t k = 0; k < IMAGES_MAX; k++) {
        if (i->at[k].users > 0)
            drop_mount(i, &i->at[k]);
        i->at[k].users = 0;
    }
    if (i->stage >= 0) {
        char path[32];
        snprintf(path, sizeof path, "/proc/self/fd/%d", i->stage);
        umount2(path, MNT_DETACH);
    }
    close_p(&i->stage);
    close_p(&i->folder);
}

/* The job becomes the owner of what root owns in the image, and the keeper of what the job's number owns: each id of
 * the image keeps one of its own. */
static int give_to_job(int mount, uint32_t first)
{
    const struct idmap_row rows[] = {
        {0, first + JOB_ID, 1},
        {1, first + 1, JOB_ID - 1},
        {JOB_ID, first, 1},
        {JOB_ID + 1, first + JOB_ID + 1, SLOT_IDS - JOB_ID - 1},
    };
    return idmap_mount(mount, rows, COUNT_OF(rows), rows, COUNT_OF(rows));
}

static int settle(int mount, const struct root_spec *spec, uint32_t first_id, struct err *err)
{
    struct mount_attr set = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    if (mount_setattr(mount, "", AT_EMPTY_PATH, &set, sizeof set) < 0)
        return err_set(err, -errno, "image '%s': %s", spec->image, strerror(errno));
    int rc = spec->mode == ROOT_OVERLAY ? give_to_job(mount, first_id) : 0;
    return rc < 0 ? err_set(err, rc, "image '%s': an overlay needs ids mapped, and its file system can't: %s",
                            spec->image, strerror(-rc))
                  : 0;
}

int images_take(struct images *i, const struct root_spec *spec, uint32_t first_id, uint32_t *ret_use, struct err *err)
{
    struct stat st;
    uint32_t use = 0;
    CLEANUP(close_p) int entry = open_entry(i, spec->image, &st, err);
    if (entry < 0)
        return entry;
    CLEANUP(close_p) int mount = -1;
    if (S_ISREG(st.st_mode)) {
        mount = take_squashfs(i, spec->image, entry, &st, &use, err);
    } else {
        mount = open_tree(entry, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (mount < 0)
            mount = err_set(err, -errno, "image '%s': %s", spec->image, strerror(errno));
    }
    int rc = mount < 0 ? mount : settle(mount, spec, first_id, err);
    if (rc < 0) {
        images_release(i, use);
        return rc;
    }
    *ret_use = use;
    return TAKE_FD(mount);
}

/* --- what a node says of them ------------------------------------------------------------------------------------ */

static void add_feature(struct root_abilities *ret, const char *kind, const char *name)
{
    if (ret->count < NODE_FEATURES_MAX)
        snprintf(ret->features[ret->count++], sizeof ret->features[0], "%s%.*s", kind, MOUNT_NAME_MAX, name);
    else
        log_line(LOG_WARN, "image.hidden", "name=%s error=\"more than %d features\"", log_quote(name),
                 NODE_FEATURES_MAX);
}

/* Asked of the folder; a squashfs file may still differ, and fails by name then. */
static bool can_map(const struct images *i)
{
    CLEANUP(close_p) int mount = open_tree(i->folder, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    return mount >= 0 && give_to_job(mount, SLOT_IDS) == 0;
}

void images_offer(const struct images *i, struct root_abilities *ret)
{
    int fd = i->folder < 0 ? -1 : openat(i->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        close_p(&fd);
        return;
    }
    for (struct dirent *e; (e = readdir(folder)) != NULL;) {
        struct stat st;
        if (mount_name_check(e->d_name, NULL) == 0 && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) && is_roots_alone(&st))
            add_feature(ret, FEATURE_IMAGE, e->d_name);
    }
    closedir(folder);
    if (can_map(i))
        add_feature(ret, FEATURE_OVERLAY, "");
}
