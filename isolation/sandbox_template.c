/*
 * The root that all sandboxes share: built once, by the zygote, from the host's /usr family; then read-only as a file
 * system, not only as a mount. What is in it is this file's tables: what isn't listed doesn't exist for a job.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "isolation/keeper_sys.h"
#include "isolation/sandbox.h"
#include "isolation/sandbox_mount.h"

#define COPY_BYTES_MAX (4u << 20)
#define STAGE "/tmp" /* the host's folder under which the outer root is put together, in our own mount namespace */

static const char *const folders[] = {"proc", "sys",     "dev", "dev/shm", "tmp",      "run", "mnt",
                                      "var",  "var/lib", "etc", "etc/ssl", "etc/ld.so.conf.d"};

static const struct link_row {
    const char *path, *target;
} links[] = {
    {"dev/fd", "/proc/self/fd"},       {"dev/stdin", "/proc/self/fd/0"}, {"dev/stdout", "/proc/self/fd/1"},
    {"dev/stderr", "/proc/self/fd/2"}, {"var/tmp", "/tmp"},              {"var/run", "/run"},
    {"etc/mtab", "/proc/self/mounts"},
};

static const struct node_row {
    const char *path;
    unsigned minor; /* major 1 */
} nodes[] = {
    {"dev/null", 3}, {"dev/zero", 5}, {"dev/full", 7}, {"dev/random", 8}, {"dev/urandom", 9},
};

static const struct text_row {
    const char *path, *text;
} texts[] = {
    {"etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\n"
                   "job:x:1000:1000:job:/tmp:/bin/sh\n"
                   "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"},
    {"etc/group", "root:x:0:\njob:x:1000:\nnogroup:x:65534:\n"},
    {"etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"},
    {"etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"}, /* each sandbox puts its own over it */
};

/* The host's, when it has them: files are copied, folders bound. Never anything that holds a secret. */
static const char *const host_files[] = {
    "etc/ld.so.cache", "etc/ld.so.conf", "etc/localtime", "etc/timezone",       "etc/services",        "etc/protocols",
    "etc/mime.types",  "etc/inputrc",    "etc/locale.alias", "etc/resolv.conf", "etc/ssl/openssl.cnf", "etc/magic",
};
static const char *const host_folders[] = {
    "etc/alternatives", "etc/ssl/certs", "etc/python3", "etc/python3.11", "etc/terminfo", "etc/fonts",
    "etc/java-17-openjdk", "etc/perl",
};
static const char *const usr_family[] = {"bin", "sbin", "lib", "lib64", "lib32", "libx32"};

/* Binds the host's `path` with everything below it read-only onto the same path of the template. */
static int bind_host(int root, const char *path)
{
    char host[64] = "/";
    strncat(host, path, sizeof host - 2);
    int fd = open_tree(AT_FDCWD, host, OPEN_TREE_CLONE | AT_RECURSIVE | OPEN_TREE_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = mount_set(fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, AT_RECURSIVE);
    if (rc == 0)
        rc = mount_on_folder(fd, root, path);
    close(fd);
    return rc;
}

static int make_folder(int root, const char *path)
{
    return mkdirat(root, path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int copy_bytes(int from, int to)
{
    char bytes[16384];
    size_t total = 0;
    for (;;) {
        ssize_t n = read(from, bytes, sizeof bytes);
        if (n <= 0)
            return n < 0 ? -errno : 0;
        total += (size_t)n;
        int rc = total > COPY_BYTES_MAX ? -EFBIG : write_whole(to, bytes, (size_t)n);
        if (rc < 0)
            return rc;
    }
}

static int copy_host_file(int root, const char *path)
{
    char host[64] = "/";
    strncat(host, path, sizeof host - 2);
    int from = open(host, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (from < 0)
        return errno == ENOENT ? 0 : -errno;
    struct stat st;
    int rc = fstat(from, &st) < 0 ? -errno : 0, to = -1;
    if (rc == 0 && S_ISREG(st.st_mode)) {
        to = openat(root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
        rc = to < 0 ? -errno : copy_bytes(from, to);
    }
    close_fd(&to);
    close(from);
    return rc;
}

static int make_text(int root, const struct text_row *row)
{
    int fd = openat(root, row->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    if (fd < 0)
        return -errno;
    int rc = write_whole(fd, row->text, strlen(row->text));
    close(fd);
    return rc;
}

/* Our own node, then looked at again: what jobs get as /dev/null is 1:3 and nothing else. */
static int make_node(int root, const char *path, mode_t kind, dev_t device)
{
    struct stat st;
    if (mknodat(root, path, kind | 0666, device) < 0 || fchmodat(root, path, 0666, 0) < 0 ||
        fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return (st.st_mode & S_IFMT) == kind && st.st_rdev == device ? 0 : -ENODEV;
}

static int make_devices(int root, const struct zygote_devices *devices)
{
    for (uint32_t i = 0; i < devices->count; i++) {
        const struct node_device *d = &devices->at[i];
        char path[NODE_DEVICE_NAME_MAX + 8] = "dev/";
        strncat(path, d->name, NODE_DEVICE_NAME_MAX - 1);
        int rc = make_node(root, path, d->mode & S_IFMT, makedev(d->major, d->minor));
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* /bin and its like as the host has them: a link when it is a link into /usr, else bound. */
static int take_usr_family(int root, const char *name)
{
    char host[16] = "/", target[64];
    strncat(host, name, sizeof host - 2);
    struct stat st;
    if (lstat(host, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (S_ISDIR(st.st_mode)) {
        int rc = make_folder(root, name);
        return rc < 0 ? rc : bind_host(root, name);
    }
    ssize_t n = readlink(host, target, sizeof target - 1);
    if (n < 0)
        return -errno;
    target[n] = '\0';
    return symlinkat(target, root, name) < 0 ? -errno : 0;
}

static int take_host_folder(int root, const char *path)
{
    char host[64] = "/";
    strncat(host, path, sizeof host - 2);
    struct stat st;
    if (lstat(host, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISDIR(st.st_mode))
        return 0;
    int rc = make_folder(root, path);
    return rc < 0 ? rc : bind_host(root, path);
}

#define EACH(i, rows) for (size_t i = 0; i < sizeof(rows) / sizeof((rows)[0]); i++)

static int fill(int root, const char **what)
{
    int rc = 0;
    EACH(i, folders)
        if ((rc = make_folder(root, *what = folders[i])) < 0)
            return rc;
    EACH(i, links)
        if (symlinkat(links[i].target, root, *what = links[i].path) < 0)
            return -errno;
    EACH(i, nodes)
        if ((rc = make_node(root, *what = nodes[i].path, S_IFCHR, makedev(1, nodes[i].minor))) < 0)
            return rc;
    EACH(i, texts)
        if ((rc = make_text(root, (*what = texts[i].path, &texts[i]))) < 0)
            return rc;
    EACH(i, host_files)
        if ((rc = copy_host_file(root, *what = host_files[i])) < 0)
            return rc;
    EACH(i, usr_family)
        if ((rc = take_usr_family(root, *what = usr_family[i])) < 0)
            return rc;
    EACH(i, host_folders)
        if ((rc = take_host_folder(root, *what = host_folders[i])) < 0)
            return rc;
    *what = "usr";
    rc = make_folder(root, "usr");
    return rc < 0 ? rc : bind_host(root, "usr");
}

/* Read-only twice: the file system, and the mount that is copied into every sandbox. */
static int freeze(int root)
{
    int fs = fspick(root, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
    if (fs < 0)
        return -errno;
    int rc = fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
                     fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0
                 ? -errno
                 : 0;
    close(fs);
    return rc < 0 ? rc : mount_set(root, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0);
}

/* A /proc without any mask: the kernel lets a user namespace mount its own only where it sees such a one. */
static int mount_outer_proc(int outer)
{
    int fs = fsopen("proc", FSOPEN_CLOEXEC);
    if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    int fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
    int rc = fd < 0 ? -errno : mount_on_folder(fd, outer, "proc");
    close(fs);
    close_fd(&fd);
    return rc;
}

/* The outer root becomes "/"; the host's tree is gone from this mount namespace. */
static int enter(int outer)
{
    if (fchdir(outer) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return -errno;
    return 0;
}

int sandbox_template_build(const struct zygote_devices *devices, const char **what)
{
    *what = "own mount namespace";
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    *what = "tmpfs";
    int outer = mount_tmpfs("64k", "16", "0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (outer < 0)
        return outer;
    int root = mount_tmpfs("16m", "1024", "0755", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
    if (root < 0)
        return root;
    int rc = mount_on_path(outer, STAGE);
    static const char *const outer_folders[] = {"t", "n", "l", "u", "proc"};
    EACH(i, outer_folders)
        rc = rc < 0 ? rc : make_folder(outer, outer_folders[i]);
    rc = rc < 0 ? rc : mount_on_folder(root, outer, "t");
    rc = rc < 0 ? rc : fill(root, what);
    if (rc < 0)
        return rc;
    *what = "devices";
    if ((rc = make_devices(root, devices)) < 0)
        return rc;
    *what = "read-only root";
    if ((rc = freeze(root)) < 0)
        return rc;
    *what = "proc (is the host's /proc masked?)";
    if ((rc = mount_outer_proc(outer)) < 0)
        return rc;
    *what = "pivot_root";
    rc = enter(outer);
    close(root);
    close(outer);
    return rc;
}
