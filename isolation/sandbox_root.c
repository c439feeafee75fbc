/*
 * What a sandbox adds to the shared root or to an image: its own /proc, /tmp, /dev/shm, hosts file and volumes.
 * Everything goes by fd: no path that a job could have touched is ever followed, and the pivot leaves no way back.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isolation/keeper_sys.h"
#include "isolation/landlock.h"
#include "isolation/sandbox.h"
#include "isolation/sandbox_mount.h"

/* What our own files and folders take of the scratch is not the job's to pay. */
#define HOSTS_BYTES 4096
#define OWN_INODES 2      /* hosts, its own root */
#define OVERLAY_INODES 5  /* upper, work and what the kernel makes in it, tmp */
#define MOUNT_PLAIN (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define EACH(i, rows) for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++)

/* Files and folders of /proc that tell of the host or of others. Absent ones need no mask. */
static const char *const masked_files[] = {"kcore", "keys", "key-users", "timer_list", "timer_stats", "sched_debug",
                                           "latency_stats", "interrupts", "kallsyms", "kpagecount"};
static const char *const masked_folders[] = {"acpi", "scsi", "asound", "pressure"};
static const char *const read_only[] = {"sys", "bus", "fs", "irq", "sysrq-trigger"};
static const char *const namespace_limits[] = {
    "max_cgroup_namespaces", "max_ipc_namespaces",  "max_mnt_namespaces",  "max_net_namespaces",
    "max_pid_namespaces",    "max_time_namespaces", "max_user_namespaces", "max_uts_namespaces",
};

/* The shared root is there already. */
int sandbox_root_open(struct sandbox *s)
{
    return s->image >= 0 ? sandbox_image_open(s) : 0;
}

int sandbox_root_attach(struct sandbox *s)
{
    if (s->image >= 0)
        return sandbox_image_attach(s);
    s->root = mount_clone(AT_FDCWD, OUTER_TEMPLATE, AT_RECURSIVE);
    return s->root < 0 ? s->root : mount_on_path(s->root, OUTER_NEW);
}

int sandbox_root_new_proc(struct sandbox *s)
{
    int fs = fsopen("proc", FSOPEN_CLOEXEC);
    if (fs < 0)
        return -errno;
    if (fsconfig(fs, FSCONFIG_SET_STRING, "hidepid", "2", 0) == 0 &&
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        s->proc = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_PLAIN | MOUNT_ATTR_NOEXEC);
    int rc = s->proc < 0 ? -errno : 0;
    close(fs);
    return rc;
}

int sandbox_root_proc(struct sandbox *s)
{
    int rc = mount_on_folder(s->proc, s->root, "proc");
    if (rc < 0)
        return rc;
    /* As long as it can be written: it will be covered by a read-only mount. */
    s->sysctl = openat(s->proc, "sys/user", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return s->sysctl < 0 ? -errno : 0;
}

/* Not one more namespace inside: much kernel code is reachable only by the root of a fresh one. */
int sandbox_root_nslimit(struct sandbox *s)
{
    EACH(i, namespace_limits) {
        int rc = write_text_at(s->sysctl, namespace_limits[i], "0");
        if (rc < 0)
            return rc;
    }
    close_fd(&s->sysctl);
    return 0;
}

static int attach(int mount, int dir, const char *path)
{
    return move_mount(mount, "", dir, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

/* With our own node or folder, never with one of an image. */
static int cover(struct sandbox *s, const char *with, const char *path)
{
    if (faccessat(s->proc, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    int fd = mount_clone(AT_FDCWD, with, 0);
    int rc = fd < 0 ? fd : attach(fd, s->proc, path);
    close_fd(&fd);
    return rc;
}

static int make_read_only(struct sandbox *s, const char *path)
{
    int fd = mount_clone(s->proc, path, 0);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    int rc = mount_set(fd, MOUNT_ATTR_RDONLY, 0);
    rc = rc < 0 ? rc : attach(fd, s->proc, path);
    close(fd);
    return rc;
}

int sandbox_root_masks(struct sandbox *s)
{
    int rc = 0;
    EACH(i, masked_files)
        if ((rc = cover(s, OUTER_TEMPLATE "/dev/null", masked_files[i])) < 0)
            return rc;
    EACH(i, masked_folders)
        if ((rc = cover(s, OUTER_TEMPLATE "/sys", masked_folders[i])) < 0)
            return rc;
    EACH(i, read_only)
        if ((rc = make_read_only(s, read_only[i])) < 0)
            return rc;
    return 0;
}

static int new_tmpfs(uint64_t bytes, uint64_t inodes)
{
    char bytes_text[NUMBER_TEXT_MAX], inodes_text[NUMBER_TEXT_MAX];
    return mount_tmpfs(number_text(bytes, bytes_text), number_text(inodes, inodes_text), "1777", MOUNT_PLAIN);
}

int sandbox_root_new_scratch(struct sandbox *s)
{
    uint64_t own = OWN_INODES + (s->spec.root.mode == ROOT_OVERLAY ? OVERLAY_INODES : 0);
    s->scratch = new_tmpfs(s->spec.scratch_bytes + HOSTS_BYTES, s->spec.scratch_inodes + own);
    s->shm = new_tmpfs(s->spec.mem_bytes / 2, s->spec.scratch_inodes);
    return s->scratch < 0 ? s->scratch : MIN(s->shm, 0);
}

/* The sandbox's own name must resolve. The file lives on the scratch, without a name there. */
static int make_hosts(struct sandbox *s)
{
    int fd = openat(s->scratch, ".hosts", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    if (fd < 0)
        return -errno;
    static const char local[] = "127.0.0.1 localhost ";
    static const char rest[] = "\n::1 localhost\n";
    int rc = write_whole(fd, local, sizeof local - 1);
    rc = rc < 0 ? rc : write_whole(fd, s->spec.hostname, strlen(s->spec.hostname));
    rc = rc < 0 ? rc : write_whole(fd, rest, sizeof rest - 1);
    close(fd);
    return rc;
}

static int bind_hosts(struct sandbox *s)
{
    int place = place_file(s->root, "etc/hosts");
    if (place < 0) /* an image may have none, or a link that leads elsewhere: it is left alone */
        return s->image >= 0 && (place == -ENOENT || place == -ENOTDIR) ? 0 : place;
    int rc = make_hosts(s), copy = -1;
    if (rc == 0)
        copy = mount_clone(s->scratch, ".hosts", 0);
    rc = rc < 0 ? rc : copy < 0 ? copy : mount_set(copy, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, 0);
    rc = rc < 0 ? rc : mount_on(copy, place);
    if (rc == 0 && unlinkat(s->scratch, ".hosts", 0) < 0)
        rc = -errno;
    close_fd(&copy);
    close(place);
    return rc;
}

/* Beside an overlay's upper layer only a folder of the scratch is /tmp. */
static int attach_scratch(struct sandbox *s)
{
    if (s->spec.root.mode != ROOT_OVERLAY)
        return mount_on_folder(s->scratch, s->root, "tmp");
    int tmp = mount_clone(s->scratch, "tmp", 0);
    int rc = tmp < 0 ? tmp : mount_on_folder(tmp, s->root, "tmp");
    close_fd(&tmp);
    return rc;
}

int sandbox_root_scratch(struct sandbox *s)
{
    int rc = attach_scratch(s);
    rc = rc < 0 ? rc : bind_hosts(s);
    return rc < 0 ? rc : mount_on_folder(s->shm, s->root, "dev/shm");
}

/* --- volumes ----------------------------------------------------------------------------------------------------- */

#define FOLDER_OF_VOLUMES "mnt"

static bool lies_in_mnt(const struct root_volume *v)
{
    return strncmp(v->path, VOLUME_PATH_DEFAULT, sizeof VOLUME_PATH_DEFAULT - 1) == 0;
}

/* A folder of our own for their places: most roots are read-only. -1: none lies there. */
static int make_mnt(struct sandbox *s, int *ret)
{
    bool wanted = false;
    for (uint32_t i = 0; i < s->spec.root.volumes_count; i++)
        wanted = wanted || lies_in_mnt(&s->spec.root.volumes[i]);
    *ret = -1;
    if (!wanted)
        return 0;
    int fd = mount_tmpfs("64k", "64", "0755", MOUNT_PLAIN | MOUNT_ATTR_NOEXEC);
    int rc = fd < 0 ? fd : mount_on_folder(fd, s->root, FOLDER_OF_VOLUMES);
    if (rc < 0)
        close_fd(&fd);
    *ret = fd;
    return rc;
}

int sandbox_root_places(struct sandbox *s)
{
    int mnt;
    int rc = make_mnt(s, &mnt);
    for (uint32_t i = 0; rc == 0 && i < s->spec.root.volumes_count; i++) {
        int place = place_make_folder(s->root, s->spec.root.volumes[i].path + 1, JOB_ID);
        rc = MIN(place, 0);
        close_fd(&place);
    }
    if (rc == 0 && mnt >= 0)
        rc = mount_set(mnt, MOUNT_ATTR_RDONLY, 0);
    close_fd(&mnt);
    return rc;
}

int sandbox_root_volumes(struct sandbox *s)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < s->spec.root.volumes_count; i++) {
        int place = place_folder(s->root, s->spec.root.volumes[i].path + 1);
        rc = place < 0 ? place : mount_on(s->volumes[i], place);
        close_fd(&place);
    }
    return rc;
}

/* --- Landlock ---------------------------------------------------------------------------------------------------- */

static int open_path(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Rules are about files, wherever they will be mounted: so they can be made before the root is built, and the payload
 * takes them while it is. */
int sandbox_root_rules(struct sandbox *s)
{
    int abi = landlock_abi();
    if (abi == 0)
        return 0;
    const struct root_spec *r = &s->spec.root;
    int template = open_path(OUTER_TEMPLATE), dev = open_path(OUTER_TEMPLATE "/dev");
    if (template < 0 || dev < 0)
        return MIN(template, dev);
    struct landlock_place places[5 + JOB_VOLUMES_MAX] = {
        {s->image >= 0 ? s->root : template, r->mode == ROOT_OVERLAY ? LANDLOCK_MAY_CHANGE : LANDLOCK_MAY_READ},
        {s->scratch, LANDLOCK_MAY_CHANGE},
        {s->shm, LANDLOCK_MAY_CHANGE},
        {dev, LANDLOCK_MAY_WRITE},
        {s->proc, LANDLOCK_MAY_WRITE},
    };
    for (uint32_t i = 0; i < JOB_VOLUMES_MAX; i++) {
        bool writable = i < r->volumes_count && r->volumes[i].writable != 0;
        places[5 + i] = (struct landlock_place){writable ? s->volumes[i] : -1, LANDLOCK_MAY_CHANGE};
    }
    s->ruleset = landlock_ruleset(abi, places, COUNT_OF(places));
    close(dev);
    close(template);
    return s->ruleset < 0 ? s->ruleset : 0;
}

/* --- the pivot --------------------------------------------------------------------------------------------------- */

static int mount_id(int dir, const char *path, uint64_t *ret)
{
    struct statx st;
    if (statx(dir, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &st) < 0)
        return -errno;
    *ret = st.stx_mnt_id;
    return 0;
}

/* "/" is our copy, ".." leads nowhere else, and nothing of the outer root is left to name. */
static int check_root(struct sandbox *s)
{
    uint64_t ours, root, parent;
    int rc = mount_id(s->root, "", &ours);
    rc = rc < 0 ? rc : mount_id(AT_FDCWD, "/", &root);
    rc = rc < 0 ? rc : mount_id(AT_FDCWD, "/..", &parent);
    if (rc < 0)
        return rc;
    bool outer_is_there = s->image < 0 && (access(OUTER_TEMPLATE, F_OK) == 0 || access(OUTER_NEW, F_OK) == 0);
    return ours == root && root == parent && !outer_is_there ? 0 : -EXDEV;
}

int sandbox_root_pivot(struct sandbox *s)
{
    if (fchdir(s->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return -errno;
    int rc = check_root(s);
    int *const done[] = {&s->proc, &s->root, &s->scratch, &s->shm, &s->image};
    EACH(i, done)
        close_fd(done[i]);
    EACH(i, s->volumes)
        close_fd(&s->volumes[i]);
    return rc;
}
