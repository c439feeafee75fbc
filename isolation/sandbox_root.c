/*
 * What a sandbox adds to the shared root: its own /proc, /tmp, /dev/shm and hosts file. Everything goes by fd: no path
 * that a job could have touched is ever followed, and the pivot leaves no way back.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "isolation/keeper_sys.h"
#include "isolation/sandbox.h"

#define HOSTS_BYTES 4096 /* what our own file takes of the scratch is not the job's to pay */
#define MOUNT_PLAIN (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define EACH(i, rows) for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++)

/* Files and folders of /proc that tell of the host or of others. Absent ones need no mask. */
static const char *const masked_files[] = {"kcore", "keys", "key-users", "timer_list", "sched_debug", "latency_stats",
                                           "interrupts", "kallsyms", "kpagecount"};
static const char *const masked_folders[] = {"acpi", "scsi", "asound", "pressure"};
static const char *const read_only[] = {"sys", "bus", "fs", "irq", "sysrq-trigger"};
static const char *const namespace_limits[] = {
    "max_cgroup_namespaces", "max_ipc_namespaces",  "max_mnt_namespaces",  "max_net_namespaces",
    "max_pid_namespaces",    "max_time_namespaces", "max_user_namespaces", "max_uts_namespaces",
};

static int attach(int mount_fd, int dir, const char *path)
{
    return move_mount(mount_fd, "", dir, path, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

/* A copy of one mount at `path`, not yet attached. */
static int clone_mount(int dir, const char *path, unsigned flags)
{
    int fd = open_tree(dir, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | flags);
    return fd < 0 ? -errno : fd;
}

int sandbox_root_attach(struct sandbox *s)
{
    s->root = clone_mount(AT_FDCWD, OUTER_TEMPLATE, AT_RECURSIVE);
    return s->root < 0 ? s->root : attach(s->root, AT_FDCWD, OUTER_NEW);
}

int sandbox_root_proc(struct sandbox *s)
{
    int fs = fsopen("proc", FSOPEN_CLOEXEC);
    if (fs < 0)
        return -errno;
    if (fsconfig(fs, FSCONFIG_SET_STRING, "hidepid", "2", 0) == 0 &&
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        s->proc = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_PLAIN | MOUNT_ATTR_NOEXEC);
    int rc = s->proc < 0 ? -errno : attach(s->proc, s->root, "proc");
    close(fs);
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

static int cover(struct sandbox *s, const char *with, const char *path)
{
    if (faccessat(s->proc, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    int fd = clone_mount(s->root, with, 0);
    int rc = fd < 0 ? fd : attach(fd, s->proc, path);
    close_fd(&fd);
    return rc;
}

static int make_read_only(struct sandbox *s, const char *path)
{
    int fd = clone_mount(s->proc, path, 0);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    struct mount_attr set = {.attr_set = MOUNT_ATTR_RDONLY};
    int rc = mount_setattr(fd, "", AT_EMPTY_PATH, &set, sizeof set) < 0 ? -errno : attach(fd, s->proc, path);
    close(fd);
    return rc;
}

int sandbox_root_masks(struct sandbox *s)
{
    int rc = 0;
    EACH(i, masked_files)
        if ((rc = cover(s, "dev/null", masked_files[i])) < 0)
            return rc;
    EACH(i, masked_folders)
        if ((rc = cover(s, "sys", masked_folders[i])) < 0)
            return rc;
    EACH(i, read_only)
        if ((rc = make_read_only(s, read_only[i])) < 0)
            return rc;
    return 0;
}

static int new_tmpfs(uint64_t bytes, uint64_t inodes)
{
    char bytes_text[NUMBER_TEXT_MAX], inodes_text[NUMBER_TEXT_MAX];
    int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), fd = -1;
    if (fs < 0)
        return -errno;
    if (fsconfig(fs, FSCONFIG_SET_STRING, "size", number_text(bytes, bytes_text), 0) == 0 &&
        fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", number_text(inodes, inodes_text), 0) == 0 &&
        fsconfig(fs, FSCONFIG_SET_STRING, "mode", "1777", 0) == 0 &&
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_PLAIN);
    int rc = fd < 0 ? -errno : fd;
    close(fs);
    return rc;
}

/* The sandbox's own name must resolve. The file lives on the scratch, without a name there. */
static int bind_hosts(struct sandbox *s, int scratch)
{
    int fd = openat(scratch, ".hosts", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    if (fd < 0)
        return -errno;
    static const char local[] = "127.0.0.1 localhost ";
    static const char rest[] = "\n::1 localhost\n";
    int rc = write_whole(fd, local, sizeof local - 1);
    rc = rc < 0 ? rc : write_whole(fd, s->spec.hostname, strlen(s->spec.hostname));
    rc = rc < 0 ? rc : write_whole(fd, rest, sizeof rest - 1);
    close(fd);
    if (rc < 0)
        return rc;
    int copy = clone_mount(scratch, ".hosts", 0);
    if (copy < 0)
        return copy;
    struct mount_attr set = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC};
    rc = mount_setattr(copy, "", AT_EMPTY_PATH, &set, sizeof set) < 0 ? -errno : attach(copy, s->root, "etc/hosts");
    if (rc == 0 && unlinkat(scratch, ".hosts", 0) < 0)
        rc = -errno;
    close(copy);
    return rc;
}

int sandbox_root_scratch(struct sandbox *s)
{
    int scratch = new_tmpfs(s->spec.scratch_bytes + HOSTS_BYTES, s->spec.scratch_inodes + 2); /* hosts, its own root */
    if (scratch < 0)
        return scratch;
    int rc = attach(scratch, s->root, "tmp");
    rc = rc < 0 ? rc : bind_hosts(s, scratch);
    close(scratch);
    if (rc < 0)
        return rc;
    int shm = new_tmpfs(s->spec.mem_bytes / 2, s->spec.scratch_inodes);
    if (shm < 0)
        return shm;
    rc = attach(shm, s->root, "dev/shm");
    close(shm);
    return rc;
}

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
    bool outer_is_there = access(OUTER_TEMPLATE, F_OK) == 0 || access(OUTER_NEW, F_OK) == 0;
    return ours == root && root == parent && !outer_is_there ? 0 : -EXDEV;
}

int sandbox_root_pivot(struct sandbox *s)
{
    if (fchdir(s->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return -errno;
    int rc = check_root(s);
    close_fd(&s->proc);
    close_fd(&s->root);
    return rc;
}
