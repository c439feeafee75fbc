/* The base: found hierarchies, our own place in each, on v2 the controllers switched on for what lies below. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <linux/magic.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "isolation/cgroup.h"

#define SEARCH_DEPTH 16
#define WARDEN_LEAF ".warden" /* on v2, what the warden itself moves into when its own group is to have children */

static bool is_cgroup2(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static int add_hierarchy(struct cg *cg, const char *mount)
{
    for (int i = 0; i < cg->count; i++) {
        if (strcmp(cg->at[i].mount, mount) == 0)
            return i; /* cpu and cpuacct are often mounted together */
    }
    assert(cg->count < CG_HIERARCHIES_MAX);
    struct cg_hierarchy *h = &cg->at[cg->count];
    *h = (struct cg_hierarchy){.v2 = is_cgroup2(mount), .base = -1};
    snprintf(h->mount, sizeof h->mount, "%s", mount);
    return cg->count++;
}

/* systemd's hybrid layout has one without controllers: libcgroup doesn't see it. */
static bool find_cgroup2(char out[CG_PATH_MAX])
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    bool found = false;
    for (struct mntent *m; mounts != NULL && !found && (m = getmntent(mounts)) != NULL;) {
        found = strcmp(m->mnt_type, "cgroup2") == 0 && strlen(m->mnt_dir) < CG_PATH_MAX;
        if (found)
            snprintf(out, CG_PATH_MAX, "%s", m->mnt_dir);
    }
    if (mounts != NULL)
        endmntent(mounts);
    return found;
}

/* A group on a cgroup2 mount counts cpu time, freezes, and takes device programs, whatever is enabled there. */
static bool is_needed(enum cg_controller c, bool leaf)
{
    bool leaf_does = c == CG_CPUACCT || c == CG_FREEZER || (c == CG_DEVICES && cg_devices_by_program());
    return !leaf || !leaf_does;
}

static bool find_controller(enum cg_controller c, char mount[CG_PATH_MAX])
{
    return cg_lib_mount_of(cg_controller_name(c, false), mount) || cg_lib_mount_of(cg_controller_name(c, true), mount);
}

static int discover(struct cg *cg, struct err *err)
{
    char mount[CG_PATH_MAX], leaf[CG_PATH_MAX];
    *cg = (struct cg){.leaf = -1, .no_devices = -1};
    int rc = cg_lib_init(err);
    if (rc < 0)
        return rc;
    bool has_leaf = find_cgroup2(leaf);
    for (enum cg_controller c = 0; c < CG_CONTROLLERS; c++) {
        cg->of[c] = -1;
        if (!is_needed(c, has_leaf))
            continue;
        if (find_controller(c, mount)) {
            cg->of[c] = add_hierarchy(cg, mount);
            cg->at[cg->of[c]].controllers |= 1u << c;
        } else if (cg_controller_is_required(c)) {
            return err_set(err, -ENODEV,
                           "cgroups: controller '%s' is not mounted, neither as v1 nor as v2; jobs cannot "
                           "be limited",
                           cg_controller_name(c, true));
        }
    }
    if (has_leaf)
        cg->leaf = add_hierarchy(cg, leaf);
    for (int i = 0; i < cg->count; i++)
        cg->at[i].on_demand = !cg->at[i].v2 && cg->at[i].controllers == 1u << CG_CPUSET;
    return 0;
}

/* The group that this process is in, as a path below the mount; "" when the mount shows no more than that group. */
static int own_path(const struct cg_hierarchy *h, char out[CG_PATH_MAX], struct err *err)
{
    char text[4096], path[CG_PATH_MAX], full[2 * CG_PATH_MAX];
    ssize_t n = cg_file_read(AT_FDCWD, "/proc/self", "cgroup", text, sizeof text);
    const char *controller = NULL;
    for (int c = 0; c < CG_CONTROLLERS && !h->v2 && controller == NULL; c++)
        controller = (h->controllers >> c & 1) != 0 ? cg_controller_name((enum cg_controller)c, false) : NULL;
    if (n < 0 || !cg_path_in(text, controller, path))
        return err_set(err, -ENOENT, "cgroups: /proc/self/cgroup does not name our group for %s", h->mount);
    snprintf(full, sizeof full, "%s%s", h->mount, path);
    struct stat st;
    bool visible = stat(full, &st) == 0 && S_ISDIR(st.st_mode);
    snprintf(out, CG_PATH_MAX, "%s", visible ? path + strspn(path, "/") : "");
    return 0;
}

static int open_group(const struct cg_hierarchy *h, const char *path)
{
    char full[2 * CG_PATH_MAX];
    snprintf(full, sizeof full, "%s/%s", h->mount, path);
    int fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* --- an earlier life elsewhere ----------------------------------------------------------------------------------- */

static bool is_folder(const struct dirent *entry)
{
    return entry->d_type == DT_DIR && entry->d_name[0] != '.';
}

static bool has_groups(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    bool any = false;
    for (struct dirent *entry; dir != NULL && !any && (entry = readdir(dir)) != NULL;)
        any = is_folder(entry);
    if (dir != NULL)
        closedir(dir);
    return any;
}

/* Looks below `path` (of `mount`) for a base of our name with groups in it; `path` becomes its parent's. */
static bool find_base(const char *mount, char path[CG_PATH_MAX], const char *base_name, int depth)
{
    char full[2 * CG_PATH_MAX];
    size_t len = strlen(path);
    snprintf(full, sizeof full, "%s/%s", mount, path);
    DIR *dir = depth > 0 ? opendir(full) : NULL;
    bool found = false;
    for (struct dirent *entry; dir != NULL && !found && (entry = readdir(dir)) != NULL;) {
        if (!is_folder(entry))
            continue;
        CLEANUP(close_p) int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (strcmp(entry->d_name, base_name) == 0 && fd >= 0 && has_groups(fd)) {
            found = true;
        } else if (len + strlen(entry->d_name) + 2 < CG_PATH_MAX) {
            snprintf(path + len, CG_PATH_MAX - len, "%s%s", len > 0 ? "/" : "", entry->d_name);
            found = find_base(mount, path, base_name, depth - 1);
            if (!found)
                path[len] = '\0';
        }
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

/*
 * A warden that was killed may be started again from another group: another login, another scope. Its jobs run on where
 * they were, so that is where they are looked for; new ones join them.
 */
static void prefer_earlier_place(const struct cg_hierarchy *h, char path[CG_PATH_MAX], const char *base_name)
{
    char earlier[CG_PATH_MAX] = "";
    if (find_base(h->mount, earlier, base_name, SEARCH_DEPTH))
        memcpy(path, earlier, sizeof earlier);
}

/* --- v2: controllers for the children ---------------------------------------------------------------------------- */

static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = text; *at != '\0'; at += strspn(at, " \n")) {
        size_t one = strcspn(at, " \n");
        if (one == len && strncmp(at, word, len) == 0)
            return true;
        at += one;
    }
    return false;
}

static bool has_controller(const struct cg_hierarchy *h, enum cg_controller c)
{
    return (h->controllers >> c & 1) != 0;
}

/* Which of our controllers `file` of `dir` doesn't list; NULL: it lists all. */
static const char *missing_in(const struct cg_hierarchy *h, int dir, const char *file)
{
    char text[512];
    if (cg_file_read(dir, ".", file, text, sizeof text) < 0)
        return file;
    for (enum cg_controller c = 0; c < CG_CONTROLLERS; c++) {
        if (has_controller(h, c) && !has_word(text, cg_controller_name(c, true)))
            return cg_controller_name(c, true);
    }
    return NULL;
}

/* What this hierarchy was given without, and a warden can do without: features are missing then, by name. */
static void drop_optional(struct cg *cg, int hierarchy, const char *given)
{
    struct cg_hierarchy *h = &cg->at[hierarchy];
    for (enum cg_controller c = 0; c < CG_CONTROLLERS; c++) {
        if (!has_controller(h, c) || cg_controller_is_required(c) || has_word(given, cg_controller_name(c, true)))
            continue;
        h->controllers &= ~(1u << c);
        cg->of[c] = -1;
    }
}

/* In one write: cpu alone, first, would make a group that has processes the root of a threaded subtree, which then
 * can't have memory any more. */
static int enable(unsigned which, int dir)
{
    char text[128] = "";
    size_t len = 0;
    for (enum cg_controller c = 0; c < CG_CONTROLLERS; c++) {
        if ((which >> c & 1) != 0)
            len += (size_t)snprintf(text + len, sizeof text - len, "+%s ", cg_controller_name(c, true));
    }
    int rc = which != 0 ? cg_file_write(dir, ".", "cgroup.subtree_control", text) : 0;
    const struct cg_hierarchy asked = {.controllers = which};
    return rc < 0 ? rc : missing_in(&asked, dir, "cgroup.subtree_control") == NULL ? 0 : -EIO;
}

/* What attempts' groups are to have: each controller costs every one of them a dozen files. Where there are no huge
 * pages the base is held to none, and that is enough. */
static unsigned controllers_below(const struct cg_hierarchy *h)
{
    bool huge = cg_has_huge_pages(HUGE_2M) || cg_has_huge_pages(HUGE_1G);
    return huge ? h->controllers : h->controllers & ~(1u << CG_HUGETLB);
}

/* A group with processes can't have children with controllers: step aside into a leaf of our own. */
static int step_aside(int own, const char *base_name)
{
    char leaf[CG_NAME_MAX + sizeof WARDEN_LEAF], pid[16];
    snprintf(leaf, sizeof leaf, "%s" WARDEN_LEAF, base_name);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (mkdirat(own, leaf, 0755) < 0 && errno != EEXIST)
        return -errno;
    return cg_file_write(own, leaf, "cgroup.procs", pid);
}

/* The true root has no cgroup.type and may have processes beside children. */
static bool is_true_root(const struct cg_hierarchy *h)
{
    char full[2 * CG_PATH_MAX];
    snprintf(full, sizeof full, "%s/cgroup.type", h->mount);
    return access(full, F_OK) < 0;
}

/* Restarted from within the leaf of an earlier life: the group is the one above. */
static void leave_leaf(char path[CG_PATH_MAX], const char *base_name)
{
    char leaf[CG_NAME_MAX + sizeof WARDEN_LEAF];
    snprintf(leaf, sizeof leaf, "%s" WARDEN_LEAF, base_name);
    char *slash = strrchr(path, '/'), *last = slash != NULL ? slash + 1 : path;
    if (strcmp(last, leaf) == 0)
        *(slash != NULL ? slash : path) = '\0';
}

static bool only_optional(const struct cg_hierarchy *h)
{
    for (enum cg_controller c = 0; c < CG_CONTROLLERS; c++) {
        if (has_controller(h, c) && cg_controller_is_required(c))
            return false;
    }
    return true;
}

static int enable_below(struct cg *cg, int hierarchy, char path[CG_PATH_MAX], const char *base_name, struct err *err)
{
    const struct cg_hierarchy *h = &cg->at[hierarchy];
    char given[512];
    leave_leaf(path, base_name);
    CLEANUP(close_p) int own = open_group(h, path);
    if (own < 0)
        return err_set(err, own, "cgroups: cannot open %s/%s: %s", h->mount, path, strerror(-own));
    if (cg_file_read(own, ".", "cgroup.controllers", given, sizeof given) >= 0)
        drop_optional(cg, hierarchy, given);
    const char *missing = missing_in(h, own, "cgroup.controllers");
    if (missing != NULL)
        return err_set(err, -ENODEV,
                       "cgroups: controller '%s' is not given to %s/%s; with systemd, start the unit with "
                       "Delegate=yes",
                       missing, h->mount, path);
    int rc = enable(h->controllers, own);
    if (rc == -EBUSY) {
        rc = step_aside(own, base_name);
        rc = rc < 0 ? rc : enable(h->controllers, own);
    }
    if (rc < 0 && only_optional(h)) { /* a hybrid host: what is needed lies elsewhere */
        drop_optional(cg, hierarchy, "");
        return 0;
    }
    if (rc == -EBUSY && cg->at_root && path[0] != '\0' && is_true_root(h)) {
        path[0] = '\0';
        return enable_below(cg, hierarchy, path, base_name, err);
    }
    if (rc == -EBUSY)
        return err_set(err, rc, "cgroups: other processes share %s/%s with the warden; start it in a group of its own, "
                       "for example with 'systemd-run --scope -p Delegate=yes'", h->mount, path);
    return rc < 0 ? err_set(err, rc, "cgroups: cannot enable controllers below %s/%s: %s", h->mount, path,
                            strerror(-rc))
                  : 0;
}

static int open_base(struct cg *cg, int hierarchy, const char *base_name, struct err *err)
{
    struct cg_hierarchy *h = &cg->at[hierarchy];
    char path[CG_PATH_MAX];
    int rc = own_path(h, path, err);
    if (rc == 0)
        prefer_earlier_place(h, path, base_name);
    if (rc == 0 && h->v2 && h->controllers != 0)
        rc = enable_below(cg, hierarchy, path, base_name, err);
    if (rc < 0)
        return rc;
    int n = snprintf(h->path, sizeof h->path, "%s%s%s", path, path[0] != '\0' ? "/" : "", base_name);
    if (n >= (int)sizeof h->path)
        return err_set(err, -ENAMETOOLONG, "cgroups: the path of %s is too long", path);
    CLEANUP(close_p) int own = open_group(h, path);
    if (own < 0 || (mkdirat(own, base_name, 0755) < 0 && errno != EEXIST))
        return err_set(err, -errno, "cgroups: cannot make %s/%s: %s", h->mount, h->path, strerror(errno));
    h->base = openat(own, base_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (h->base < 0)
        return err_set(err, -errno, "cgroups: cannot open %s/%s: %s", h->mount, h->path, strerror(errno));
    if (h->v2 && h->controllers != 0 && (rc = enable(controllers_below(h), h->base)) < 0)
        return err_set(err, rc, "cgroups: cannot enable controllers in %s/%s: %s", h->mount, h->path, strerror(-rc));
    return 0;
}

int cg_open(struct cg *cg, const char *name, bool at_root, struct err *err)
{
    char base_name[CG_NAME_MAX];
    if (snprintf(base_name, sizeof base_name, "reeve-%s", name) >= (int)sizeof base_name)
        return err_set(err, -EINVAL, "cgroups: the name '%s' is too long", name);
    int rc = discover(cg, err);
    cg->at_root = at_root;
    for (int i = 0; i < cg->count && rc == 0; i++)
        rc = open_base(cg, i, base_name, err);
    /* Held for life: two wardens of one name would take each other's user ids. */
    if (rc == 0 && flock(cg->at[0].base, LOCK_EX | LOCK_NB) < 0)
        rc = err_set(err, -EBUSY, "another reeve-warden runs with --cgroup %s", name);
    if (rc < 0)
        cg_close(cg, false);
    return rc;
}

void cg_close(struct cg *cg, bool remove)
{
    for (int i = 0; i < cg->count; i++) {
        struct cg_hierarchy *h = &cg->at[i];
        if (remove && h->base >= 0)
            unlinkat(h->base, CG_SHARED, AT_REMOVEDIR);
        close_p(&h->base);
        char full[2 * CG_PATH_MAX];
        snprintf(full, sizeof full, "%s/%s", h->mount, h->path);
        if (remove)
            rmdir(full); /* not empty: somebody still lives there, and it stays */
    }
    close_p(&cg->no_devices);
    cg->count = 0;
}
