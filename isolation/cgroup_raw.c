/* Groups by directory fd: what libcgroup can't do, or must not be asked to. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "isolation/cgroup.h"

#define GROUP_FILE_MAX (CG_NAME_MAX + 64)

int cg_file_open(int dir, const char *group, const char *file, int flags)
{
    char path[GROUP_FILE_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", group, file);
    if (n < 0 || n >= (int)sizeof path)
        return -ENAMETOOLONG;
    int fd = openat(dir, path, flags | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

int cg_file_write(int dir, const char *group, const char *file, const char *text)
{
    CLEANUP(close_p) int fd = cg_file_open(dir, group, file, O_WRONLY);
    if (fd < 0)
        return fd;
    ssize_t n = write(fd, text, strlen(text)); /* in one piece or not at all */
    return n < 0 ? -errno : 0;
}

ssize_t cg_file_read(int dir, const char *group, const char *file, char *out, size_t size)
{
    CLEANUP(close_p) int fd = cg_file_open(dir, group, file, O_RDONLY);
    if (fd < 0)
        return fd;
    ssize_t n = read(fd, out, size - 1);
    if (n < 0)
        return -errno;
    while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == ' '))
        n--;
    out[n] = '\0';
    return n;
}

static bool is_part(const struct cg *cg, int hierarchy, unsigned parts)
{
    return !cg->at[hierarchy].on_demand || (parts >> hierarchy & 1) != 0;
}

/* Where it lives in a hierarchy; NULL: nowhere of ours. */
static const char *place_in(const struct cg *cg, int hierarchy, const char *group, unsigned parts)
{
    if (is_part(cg, hierarchy, parts))
        return group;
    return cg->at[hierarchy].v2 ? NULL : CG_SHARED;
}

static int make_failed(const char *group, int rc, struct err *err)
{
    return err_set(err, rc, "cgroups: cannot make %s: %s", group, strerror(-rc));
}

int cg_make_leaf(const struct cg *cg, const char *group, struct err *err)
{
    bool made = cg->leaf < 0 || mkdirat(cg->at[cg->leaf].base, group, 0755) == 0;
    return made ? 0 : make_failed(group, -errno, err);
}

int cg_make_rest(const struct cg *cg, const char *group, unsigned parts, struct err *err)
{
    for (int i = 0; i < cg->count; i++) {
        if (i == cg->leaf || !is_part(cg, i, parts) || mkdirat(cg->at[i].base, group, 0755) == 0)
            continue;
        int rc = -errno;
        while (--i >= 0)
            if (i != cg->leaf && is_part(cg, i, parts))
                unlinkat(cg->at[i].base, group, AT_REMOVEDIR);
        return make_failed(group, rc, err);
    }
    return 0;
}

int cg_make(const struct cg *cg, const char *group, unsigned parts, struct err *err)
{
    int rc = cg_make_leaf(cg, group, err);
    if (rc < 0)
        return rc;
    rc = cg_make_rest(cg, group, parts, err);
    if (rc < 0 && cg->leaf >= 0)
        unlinkat(cg->at[cg->leaf].base, group, AT_REMOVEDIR);
    return rc;
}

int cg_leaf_fd(const struct cg *cg, const char *group)
{
    if (cg->leaf < 0)
        return -ENOENT;
    int fd = openat(cg->at[cg->leaf].base, group, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

/* v1: "EVENTFD FILE" asks the kernel to tell of every time the group runs out of memory. */
static int ask_for_oom_events(int base, const char *group, int oom)
{
    CLEANUP(close_p) int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0)
        return -errno;
    char text[32];
    snprintf(text, sizeof text, "%d %d", event, oom);
    int rc = cg_file_write(base, group, "cgroup.event_control", text);
    if (rc < 0)
        return rc;
    int asked = event;
    event = -1;
    return asked;
}

int cg_oom_fds(const struct cg *cg, const char *group, int *ret_oom, int *ret_event)
{
    const struct cg_hierarchy *h = &cg->at[cg->of[CG_MEMORY]];
    CLEANUP(close_p) int oom = cg_file_open(h->base, group, h->v2 ? "memory.events" : "memory.oom_control", O_RDONLY);
    if (oom < 0)
        return oom;
    int event = h->v2 ? -1 : ask_for_oom_events(h->base, group, oom);
    if (event < 0 && !h->v2)
        return event;
    *ret_event = event;
    *ret_oom = oom;
    oom = -1;
    return 0;
}

/* Not "cgroup.procs": whoever moves another process, or all threads of one, first takes a lock that every fork and exit
 * of the machine takes part in, and the kernel waits for a grace period for it, up to 20 ms. One thread that moves
 * itself needs none (since Linux 5.5). */
int cg_doors(const struct cg *cg, const char *group, unsigned parts, int fds[CG_HIERARCHIES_MAX])
{
    int count = 0;
    for (int i = 0; i < cg->count; i++) {
        const char *place = place_in(cg, i, group, parts);
        if (i == cg->leaf || place == NULL)
            continue;
        int fd = cg_file_open(cg->at[i].base, place, "tasks", O_WRONLY);
        if (fd < 0) {
            while (count > 0)
                close_p(&fds[--count]);
            return fd;
        }
        fds[count++] = fd;
    }
    return count;
}

static bool names_controller(const char *list, size_t len, const char *controller)
{
    size_t want = strlen(controller);
    for (const char *at = list; at < list + len;) {
        size_t one = strcspn(at, ",:");
        if (one == want && strncmp(at, controller, want) == 0)
            return true;
        at += one + 1;
    }
    return false;
}

bool cg_path_in(const char *text, const char *controller, char out[CG_PATH_MAX])
{
    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\n");
        const char *list = memchr(line, ':', len), *path = NULL;
        if (list != NULL)
            path = memchr(list + 1, ':', len - (size_t)(list + 1 - line));
        if (path != NULL) {
            size_t list_len = (size_t)(path - list - 1), path_len = len - (size_t)(path + 1 - line);
            bool ours = controller == NULL ? list_len == 0 && line[0] == '0'
                                           : names_controller(list + 1, list_len, controller);
            if (ours && path_len < CG_PATH_MAX) {
                memcpy(out, path + 1, path_len);
                out[path_len] = '\0';
                return true;
            }
        }
        line += len + (line[len] == '\n');
    }
    return false;
}

static const char *any_controller(const struct cg_hierarchy *h)
{
    for (int c = 0; c < CG_CONTROLLERS && !h->v2; c++) {
        if ((h->controllers >> c & 1) != 0)
            return cg_controller_name((enum cg_controller)c, false);
    }
    return NULL;
}

/* Does `path` end in "/<the base>/<group>"? How the kernel names what lies above depends on who looks. */
static bool is_our_group(const char *path, const struct cg_hierarchy *h, const char *group)
{
    const char *slash = strrchr(h->path, '/');
    char want[CG_PATH_MAX + CG_NAME_MAX + 2];
    int n = snprintf(want, sizeof want, "/%s/%s", slash != NULL ? slash + 1 : h->path, group);
    size_t len = strlen(path);
    return n > 0 && len >= (size_t)n && strcmp(path + len - (size_t)n, want) == 0;
}

/* `parts` NULL: wherever it may be on demand. */
static int check_member(const struct cg *cg, const char *group, const unsigned *parts, int proc)
{
    char text[4096], path[CG_PATH_MAX];
    ssize_t n = cg_file_read(proc, ".", "cgroup", text, sizeof text);
    if (n < 0)
        return (int)n;
    for (int i = 0; i < cg->count; i++) {
        const struct cg_hierarchy *h = &cg->at[i];
        const char *place = parts != NULL ? place_in(cg, i, group, *parts) : h->on_demand ? NULL : group;
        if (place != NULL && (!cg_path_in(text, any_controller(h), path) || !is_our_group(path, h, place)))
            return -EXDEV;
    }
    return 0;
}

int cg_check_member(const struct cg *cg, const char *group, unsigned parts, int proc)
{
    return check_member(cg, group, &parts, proc);
}

/* The process may have gone and its number be another's: it is held by a pidfd first, then looked at once more. */
static void kill_member(const struct cg *cg, const char *group, pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    CLEANUP(close_p) int proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(close_p) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (proc >= 0 && pidfd >= 0 && check_member(cg, group, NULL, proc) == 0)
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

/* Every number in the text; one that was cut off at its end is left for the next reading. */
static void kill_listed(const struct cg *cg, const char *group, char *text)
{
    for (char *at = text, *end; *at != '\0'; at = end) {
        long pid = strtol(at, &end, 10);
        if (end == at)
            return;
        if (*end == '\n')
            kill_member(cg, group, (pid_t)pid);
    }
}

/* Without cgroup.kill. Among the members is the keeper, and with it the kernel kills all the rest; it may stand
 * anywhere in the list. */
static int kill_members(const struct cg *cg, const char *group)
{
    CLEANUP(close_p) int procs = cg_file_open(cg->at[0].base, group, "cgroup.procs", O_RDONLY);
    char text[4096 + 1];
    off_t from = 0;
    for (ssize_t n; procs >= 0 && (n = pread(procs, text, sizeof text - 1, from)) > 0;) {
        text[n] = '\0';
        char *last = strrchr(text, '\n');
        if (last == NULL)
            break;
        kill_listed(cg, group, text);
        from += last + 1 - text;
    }
    return procs < 0 ? procs : 0;
}

/* What is frozen there can't fork, and dies when it is thawed. */
static int kill_by_freezer(const struct cg *cg, const char *group)
{
    (void)!cg_freeze(cg, group, true);
    int rc = kill_members(cg, group);
    (void)!cg_freeze(cg, group, false);
    return rc;
}

/* Dying takes cpu time, too: of a thousand processes with a quota of a tenth, more than a second. */
static void lift_quota(const struct cg *cg, const char *group)
{
    const struct cg_hierarchy *h = &cg->at[cg->of[CG_CPU]];
    (void)!cg_file_write(h->base, group, h->v2 ? "cpu.max" : "cpu.cfs_quota_us", h->v2 ? "max" : "-1");
}

int cg_kill(const struct cg *cg, const char *group)
{
    lift_quota(cg, group);
    int rc = cg->leaf < 0 ? -ENOENT : cg_file_write(cg->at[cg->leaf].base, group, "cgroup.kill", "1");
    if (rc != -ENOENT)
        return rc;
    return cg->of[CG_FREEZER] >= 0 ? kill_by_freezer(cg, group) : kill_members(cg, group);
}

/* v1: "FREEZING" until the last one stands still. */
static int freeze_v1(const struct cg *cg, const char *group, const char *word)
{
    char text[32];
    if (cg->of[CG_FREEZER] < 0)
        return -EOPNOTSUPP;
    int base = cg->at[cg->of[CG_FREEZER]].base, rc = cg_file_write(base, group, "freezer.state", word);
    ssize_t n = rc < 0 ? rc : cg_file_read(base, group, "freezer.state", text, sizeof text);
    return n < 0 ? (int)n : strcmp(text, word) == 0;
}

int cg_freeze(const struct cg *cg, const char *group, bool freeze)
{
    char text[256];
    if (cg->leaf < 0)
        return freeze_v1(cg, group, freeze ? "FROZEN" : "THAWED");
    int base = cg->at[cg->leaf].base, rc = cg_file_write(base, group, "cgroup.freeze", freeze ? "1" : "0");
    ssize_t n = rc < 0 ? rc : cg_file_read(base, group, "cgroup.events", text, sizeof text);
    return n < 0 ? (int)n : strstr(text, freeze ? "frozen 1" : "frozen 0") != NULL;
}

int cg_events_fd(const struct cg *cg, const char *group)
{
    return cg->leaf < 0 ? -ENOENT : cg_file_open(cg->at[cg->leaf].base, group, "cgroup.events", O_RDONLY);
}

static bool events_say_empty(int events)
{
    char text[256];
    ssize_t n = pread(events, text, sizeof text - 1, 0); /* and until it changes again the fd is not ready any more */
    text[MAX(n, 0)] = '\0';
    return n < 0 ? errno == ENODEV : strstr(text, "populated 1") == NULL;
}

bool cg_is_empty(const struct cg *cg, const char *group, int events_given)
{
    if (events_given >= 0)
        return events_say_empty(events_given);
    CLEANUP(close_p) int events = cg_events_fd(cg, group);
    if (cg->leaf >= 0)
        return events >= 0 ? events_say_empty(events) : events == -ENOENT;
    char text[256];
    ssize_t n = cg_file_read(cg->at[0].base, group, "cgroup.procs", text, sizeof text);
    return n < 0 ? n == -ENOENT : n == 0;
}

int cg_remove(const struct cg *cg, const char *group)
{
    int rc = 0;
    for (int i = cg->count - 1; i >= 0; i--) {
        if (unlinkat(cg->at[i].base, group, AT_REMOVEDIR) < 0 && errno != ENOENT)
            rc = -errno;
    }
    return rc;
}

bool cg_is_whole(const struct cg *cg, const char *group)
{
    for (int i = 0; i < cg->count; i++) {
        if (!cg->at[i].on_demand && faccessat(cg->at[i].base, group, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            return false;
    }
    return true;
}

void cg_list(const struct cg *cg, void (*each)(void *context, const char *group), void *context)
{
    for (int i = 0; i < cg->count; i++) {
        int fd = openat(cg->at[i].base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        if (dir == NULL) {
            close_p(&fd);
            continue;
        }
        for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
            if (entry->d_type == DT_DIR && entry->d_name[0] != '.' && strlen(entry->d_name) < CG_NAME_MAX)
                each(context, entry->d_name);
        }
        closedir(dir);
    }
}
