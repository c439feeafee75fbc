/*
 * What was set, as the system has it: nothing here knows what should have been. The processes are found from the warden
 * down and asked through /proc, their groups by what differs from the group above.
 *
 * The command itself waits: a shell before it (confine_explain_command) stops after every step was made, just before it
 * would run the command.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sha256.h"
#include "cli/confine.h"
#include "cli/confine_inspect.h"
#include "cli/format.h"
#include "isolation/spec/step.h"

#define STOP_MS 10000

struct subject {
    const struct box *box;
    const struct op_reply *launched;
    const struct root_spec *root; /* where to look for volumes */
    pid_t zygote, keeper, payload;
    int groups, values; /* counted while they are listed */
    struct buf listed;  /* the groups' section: it comes behind the steps, which count it */
};

/* ---- groups ----------------------------------------------------------------------------------------------- */

/* What counts or moves, and limits nothing. */
static bool is_limit(const char *name, mode_t mode)
{
    static const char *const others[] = {"procs", "tasks",   "threads",        "pressure",
                                         "usage", "failcnt", "usage_in_bytes", "peak"};
    size_t len = strlen(name);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        size_t tail = strlen(others[i]);
        if (len >= tail && strcmp(name + len - tail, others[i]) == 0)
            return false;
    }
    bool is_list = len > 5 && strcmp(name + len - 5, ".list") == 0; /* v1 devices: written through two other files */
    return S_ISREG(mode) && (mode & 0444) != 0 && ((mode & 0222) != 0 || is_list);
}

static bool read_value(int dir, const char *name, char out[512])
{
    CLEANUP(close_p) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : fd_read_full(fd, out, 511);
    out[MAX(n, 0)] = '\0';
    while (n > 0 && out[n - 1] == '\n')
        out[--n] = '\0';
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '\n' ? ';' : *c;
    return n >= 0;
}

static void list_value(struct subject *s, int dir, int above, const char *name)
{
    char ours[512], theirs[512];
    struct stat st;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !is_limit(name, st.st_mode) || !read_value(dir, name, ours))
        return;
    bool same = read_value(above, name, theirs) && strcmp(ours, theirs) == 0;
    buf_addf(&s->listed, "    %s = ", name);
    format_safe(&s->listed, ours);
    buf_add_str(&s->listed, same ? " (as the group above)\n" : "\n");
    s->values += same ? 0 : 1;
}

static void list_group(struct subject *s, const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return;
    CLEANUP(close_p) int above = openat(dirfd(dir), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    s->groups++;
    buf_addf(&s->listed, "  %s\n", path);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        list_value(s, dirfd(dir), above, entry->d_name);
    closedir(dir);
}

/* Where the hierarchy of a line of /proc/PID/cgroup is mounted: by the first of its controllers; v2 has none. */
static bool find_mount(const char *controllers, char out[512])
{
    char first[64];
    snprintf(first, sizeof first, "%.*s", (int)strcspn(controllers, ",:"), controllers);
    const char *type = first[0] == '\0' ? "cgroup2" : "cgroup";
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    bool found = false;
    for (struct mntent *m; mounts != NULL && !found && (m = getmntent(mounts)) != NULL;) {
        found = strcmp(m->mnt_type, type) == 0 && (first[0] == '\0' || hasmntopt(m, first) != NULL);
        if (found)
            snprintf(out, 512, "%s", m->mnt_dir);
    }
    if (mounts != NULL)
        endmntent(mounts);
    return found;
}

/* Only hierarchies that have a group of ours; in the others nothing was made. */
static void list_groups(struct subject *s)
{
    char text[INSPECT_TEXT_MAX], mount[512], path[1024];
    inspect_file(s->keeper, "cgroup", text);
    for (char *line = text, *next; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        char *controllers = strchr(line, ':'), *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL || strstr(group, s->box->group) == NULL || !find_mount(controllers + 1, mount))
            continue;
        snprintf(path, sizeof path, "%s%s", mount, group + 1);
        list_group(s, path);
    }
}

/* ---- mounts ----------------------------------------------------------------------------------------------- */

struct mount {
    char of[256], at[256], options[128], type[32], source[256], more[256]; /* of: the part of its file system */
};

/* One line of mountinfo(5). */
static bool parse_mount(const char *line, struct mount *ret)
{
    const char *tail = strstr(line, " - ");
    return tail != NULL && sscanf(line, "%*s %*s %*s %255s %255s %127s", ret->of, ret->at, ret->options) == 3 &&
           sscanf(tail, " - %31s %255s %255s", ret->type, ret->source, ret->more) == 3;
}

/* Calls `each` for every mount of the sandbox; how many there are. */
static int each_mount(const struct subject *s, void (*each)(void *arg, const struct mount *m), void *arg)
{
    static char text[INSPECT_TEXT_MAX];
    struct mount m;
    int count = 0;
    inspect_file(s->keeper, "mountinfo", text);
    for (char *line = text, *next; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        if (!parse_mount(line, &m))
            continue;
        count++;
        each(arg, &m);
    }
    return count;
}

struct wanted {
    const char *at;
    struct mount found;
    int below;
};

static void want_mount(void *arg, const struct mount *m)
{
    struct wanted *w = arg;
    size_t len = strlen(w->at);
    if (strcmp(m->at, w->at) == 0)
        w->found = *m;
    else if (strncmp(m->at, w->at, len) == 0 && m->at[len] == '/')
        w->below++;
}

static void put_mount(void *arg, const struct mount *m)
{
    struct buf *out = arg;
    struct buf line = {0};
    buf_addf(&line, "  %-24s %-8s %s %s", m->at, m->type, m->options, m->more);
    format_safe(out, buf_text(&line));
    buf_add_str(out, "\n");
    buf_fini(&line);
}

static void tell_mount(const struct subject *s, const char *at, struct buf *out)
{
    struct wanted w = {.at = at};
    each_mount(s, want_mount, &w);
    buf_addf(out, "%s %s %s", w.found.type, w.found.options, w.found.more);
}

static void tell_source(const struct subject *s, const char *at, struct buf *out)
{
    struct wanted w = {.at = at};
    each_mount(s, want_mount, &w);
    CLEANUP(buf_fini) struct buf text = {0};
    buf_addf(&text, w.found.at[0] != '\0' ? "%s is %s of %s %s, %s" : "%s is no mount", at, w.found.of, w.found.type,
             w.found.source, w.found.options);
    format_safe(out, buf_text(&text));
}

/* ---- the steps -------------------------------------------------------------------------------------------- */

static void tell_request(const struct subject *s, struct buf *out)
{
    char id[ATTEMPT_ID_TEXT_MAX];
    buf_addf(out, "accepted as attempt %s", attempt_id_format(s->launched->id, id));
}

static void tell_slot(const struct subject *s, struct buf *out)
{
    char text[INSPECT_TEXT_MAX];
    uint64_t inside, outside, count;
    if (sscanf(inspect_file(s->keeper, "uid_map", text), "%" SCNu64 "%" SCNu64 "%" SCNu64, &inside, &outside, &count) ==
        3)
        buf_addf(out, "ids %" PRIu64 "..%" PRIu64, outside, outside + count - 1);
}

static void tell_groups(const struct subject *s, struct buf *out)
{
    buf_addf(out, "%d groups, %d values differ from the group above", s->groups, s->values);
}

static void tell_image(const struct subject *s, struct buf *out)
{
    if (s->root->image[0] != '\0')
        tell_source(s, "/", out);
}

static void tell_volume(const struct subject *s, struct buf *out)
{
    for (uint32_t i = 0; i < s->root->volumes_count; i++) {
        const struct root_volume *v = &s->root->volumes[i];
        char at[ROOT_PATH_SIZE + ROOT_NAME_SIZE + 8];
        snprintf(at, sizeof at, v->path[0] != '\0' ? "%s" : "/mnt/%s", v->path[0] != '\0' ? v->path : v->name);
        buf_add_str(out, i > 0 ? "; " : "");
        tell_source(s, at, out);
    }
}

static void tell_clone(const struct subject *s, struct buf *out)
{
    buf_addf(out, "pid %d, from the zygote, pid %d", (int)s->keeper, (int)s->zygote);
}

static void tell_idmap(const struct subject *s, struct buf *out)
{
    static const char *const files[] = {"uid_map", "gid_map", "setgroups"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char text[INSPECT_TEXT_MAX];
        uint64_t n[3];
        inspect_file(s->keeper, files[i], text);
        if (sscanf(text, "%" SCNu64 "%" SCNu64 "%" SCNu64, &n[0], &n[1], &n[2]) == 3)
            buf_addf(out, "%s '%" PRIu64 " %" PRIu64 " %" PRIu64 "' ", files[i], n[0], n[1], n[2]);
        else
            buf_addf(out, "%s %s", files[i], text);
    }
}

static void tell_attach(const struct subject *s, struct buf *out)
{
    char ours[INSPECT_TEXT_MAX], theirs[INSPECT_TEXT_MAX];
    bool same = strcmp(inspect_file(s->keeper, "cgroup", ours), inspect_file(s->payload, "cgroup", theirs)) == 0;
    buf_addf(out, "keeper in %d groups, the command %s", s->groups, same ? "in the same" : "in others");
}

static void tell_ids(const struct subject *s, struct buf *out)
{
    char uid[256];
    buf_addf(out, "host ids %s", inspect_value(s->keeper, "status", "Uid", uid));
}

static void tell_cgroupns(const struct subject *s, struct buf *out)
{
    char own[256], host[256];
    bool differs = strcmp(inspect_link(s->keeper, "ns/cgroup", own), inspect_link(getpid(), "ns/cgroup", host)) != 0;
    buf_addf(out, "%s%s", own, differs ? "" : ", the host's");
}

static void tell_hostname(const struct subject *s, struct buf *out)
{
    char text[256];
    format_safe(out, inspect_inside(s->keeper, "/proc/sys/kernel/hostname", text));
}

static void tell_network(const struct subject *s, struct buf *out)
{
    char text[INSPECT_TEXT_MAX], own[256], host[256];
    inspect_file(s->keeper, "net/dev", text);
    bool differs = strcmp(inspect_link(s->keeper, "ns/net", own), inspect_link(getpid(), "ns/net", host)) != 0;
    buf_add_str(out, differs ? "own namespace with" : "the host's, with");
    for (const char *colon = strchr(text, ':'); colon != NULL; colon = strchr(colon + 1, ':')) {
        const char *begin = colon;
        while (begin > text && begin[-1] != ' ' && begin[-1] != '\n')
            begin--;
        buf_addf(out, " %.*s", (int)(colon - begin), begin);
    }
}

static void tell_root(const struct subject *s, struct buf *out)
{
    tell_mount(s, "/", out);
}

static void tell_proc(const struct subject *s, struct buf *out)
{
    tell_mount(s, "/proc", out);
}

static void tell_masks(const struct subject *s, struct buf *out)
{
    struct wanted w = {.at = "/proc"};
    each_mount(s, want_mount, &w);
    buf_addf(out, "%d mounts below /proc", w.below);
}

static void tell_scratch(const struct subject *s, struct buf *out)
{
    tell_mount(s, "/tmp", out);
    buf_add_str(out, " / ");
    tell_mount(s, "/dev/shm", out);
}

static void tell_pivot(const struct subject *s, struct buf *out)
{
    char own[256];
    struct wanted w = {.at = ""};
    int count = each_mount(s, want_mount, &w);
    buf_addf(out, "%d mounts in %s", count, inspect_link(s->keeper, "ns/mnt", own));
}

static void tell_nslimit(const struct subject *s, struct buf *out)
{
    static const char *const kinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char path[64], text[256];
        snprintf(path, sizeof path, "/proc/sys/user/max_%s_namespaces", kinds[i]);
        buf_addf(out, "%s%s %s", i > 0 ? ", " : "", kinds[i], inspect_inside(s->keeper, path, text));
    }
}

static void tell_pipes(const struct subject *s, struct buf *out)
{
    for (int fd = 0; fd < 3; fd++) {
        char name[8], to[256];
        snprintf(name, sizeof name, "fd/%d", fd);
        buf_addf(out, "%s%d %s", fd > 0 ? ", " : "", fd, inspect_link(s->payload, name, to));
    }
}

static void tell_fork(const struct subject *s, struct buf *out)
{
    char pids[256];
    buf_addf(out, "pids %s, outermost first", inspect_value(s->payload, "status", "NSpid", pids));
}

static void tell_oom(const struct subject *s, struct buf *out)
{
    char keeper[INSPECT_TEXT_MAX], payload[INSPECT_TEXT_MAX];
    buf_addf(out, "oom_score_adj: keeper %s, command %s", inspect_file(s->keeper, "oom_score_adj", keeper),
             inspect_file(s->payload, "oom_score_adj", payload));
}

static int count_words(pid_t pid, const char *name)
{
    char path[64];
    struct buf text = {0};
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int count = 0;
    if (file_read(path, ARGS_BYTES_MAX, &text, NULL) == 0)
        for (size_t i = 0; i < text.len; i++)
            count += text.data[i] == '\0';
    buf_fini(&text);
    return count;
}

static void tell_args(const struct subject *s, struct buf *out)
{
    char cwd[256];
    format_safe(out, inspect_link(s->payload, "cwd", cwd));
    buf_addf(out, ", %d words, of them 4 are this pause; %d variables", count_words(s->payload, "cmdline"),
             count_words(s->payload, "environ"));
}

static void tell_rlimits(const struct subject *s, struct buf *out)
{
    static const char *const kinds[] = {"Max core file size", "Max open files", "Max locked memory", "Max stack size",
                                        "Max msgqueue size"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        char value[256];
        buf_addf(out, "%s%s %s", i > 0 ? ", " : "", kinds[i] + strlen("Max "),
                 inspect_value(s->payload, "limits", kinds[i], value));
    }
}

static void tell_caps(const struct subject *s, struct buf *out)
{
    static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"};
    for (size_t i = 0; i < COUNT_OF(sets); i++) {
        char value[256];
        buf_addf(out, "%s%s %s", i > 0 ? " " : "", sets[i], inspect_value(s->payload, "status", sets[i], value));
    }
}

static void tell_user(const struct subject *s, struct buf *out)
{
    char uid[256], gid[256], groups[256];
    inspect_value(s->payload, "status", "Groups", groups);
    buf_addf(out, "host ids: user %s, group %s, further groups: %s", inspect_value(s->payload, "status", "Uid", uid),
             inspect_value(s->payload, "status", "Gid", gid), groups[0] != '\0' ? groups : "none");
}

static void tell_seccomp(const struct subject *s, struct buf *out)
{
    char mode[256], filters[256];
    buf_addf(out, "mode %s, filters %s", inspect_value(s->payload, "status", "Seccomp", mode),
             inspect_value(s->payload, "status", "Seccomp_filters", filters));
}

static void tell_exec(const struct subject *s, struct buf *out)
{
    char exe[256];
    format_safe(out, inspect_link(s->payload, "exe", exe));
    buf_addf(out, ", state %c", inspect_state(s->payload));
}

static void tell_keeper(const struct subject *s, struct buf *out)
{
    char mode[256], filters[256];
    buf_addf(out, "the keeper's own: mode %s, filters %s", inspect_value(s->keeper, "status", "Seccomp", mode),
             inspect_value(s->keeper, "status", "Seccomp_filters", filters));
}

static void tell_time(const struct subject *s, struct buf *out)
{
    format_span(out, s->launched->launch_us);
}

/* What shows that a step was made. A step without a row is listed all the same. */
static const struct evidence_row {
    enum launch_step step;
    void (*tell)(const struct subject *s, struct buf *out);
} evidence[] = {
    {STEP_REQUEST, tell_request}, {STEP_SLOT, tell_slot},         {STEP_CGROUP, tell_groups},
    {STEP_IMAGE, tell_image},     {STEP_VOLUME, tell_volume},
    {STEP_CLONE, tell_clone},     {STEP_IDMAP, tell_idmap},       {STEP_ATTACH, tell_attach},
    {STEP_IDS, tell_ids},         {STEP_CGROUPNS, tell_cgroupns}, {STEP_HOSTNAME, tell_hostname},
    {STEP_NETWORK, tell_network}, {STEP_ROOT, tell_root},         {STEP_PROC, tell_proc},
    {STEP_MASKS, tell_masks},     {STEP_SCRATCH, tell_scratch},   {STEP_PIVOT, tell_pivot},
    {STEP_NSLIMIT, tell_nslimit}, {STEP_PIPES, tell_pipes},       {STEP_FORK, tell_fork},
    {STEP_OOM, tell_oom},         {STEP_ARGS, tell_args},         {STEP_RLIMITS, tell_rlimits},
    {STEP_CAPS, tell_caps},       {STEP_USER, tell_user},         {STEP_SECCOMP, tell_seccomp},
    {STEP_EXEC, tell_exec},       {STEP_KEEPER, tell_keeper},   {STEP_TIMEOUT, tell_time},
};

static void put_steps(const struct subject *s, struct buf *out)
{
    buf_add_str(out, "steps of the launch, in order, and what shows that each was made\n");
    for (uint32_t step = STEP_NONE + 1; step < STEP_COUNT; step++) {
        buf_addf(out, "  %-10s %s\n", launch_step_name(step), launch_step_says(step));
        for (size_t i = 0; i < COUNT_OF(evidence); i++) {
            struct buf text = {0};
            if (evidence[i].step == step)
                evidence[i].tell(s, &text);
            if (text.len > 0)
                buf_addf(out, "  %-10s   %s\n", "", buf_text(&text));
            buf_fini(&text);
        }
    }
}

/* ---- the other sections ----------------------------------------------------------------------------------- */

static void put_processes(const struct subject *s, struct buf *out)
{
    const struct {
        const char *name;
        pid_t pid;
    } rows[] = {{"warden", s->box->warden}, {"zygote", s->zygote}, {"keeper", s->keeper}, {"command", s->payload}};
    buf_add_str(out, "processes\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char uid[256], caps[256], mode[256];
        buf_addf(out, "  %-8s pid %d, user %s, CapEff %s, Seccomp %s\n", rows[i].name, (int)rows[i].pid,
                 inspect_value(rows[i].pid, "status", "Uid", uid), inspect_value(rows[i].pid, "status", "CapEff", caps),
                 inspect_value(rows[i].pid, "status", "Seccomp", mode));
    }
}

static void put_namespaces(const struct subject *s, struct buf *out)
{
    buf_add_str(out, "namespaces of the command\n");
    DIR *dir = opendir("/proc/self/ns");
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char name[300], own[256], host[256];
        if (entry->d_name[0] == '.' || strstr(entry->d_name, "_for_children") != NULL)
            continue;
        snprintf(name, sizeof name, "ns/%s", entry->d_name);
        bool same = strcmp(inspect_link(s->payload, name, own), inspect_link(getpid(), name, host)) == 0;
        buf_addf(out, "  %-8s %s %s\n", entry->d_name, own, same ? "the host's" : "its own");
    }
    if (dir != NULL)
        closedir(dir);
}

static void put_filters(const struct subject *s, struct buf *out)
{
    buf_add_str(out, "system call filters of the command\n");
    for (unsigned index = 0;; index++) {
        struct buf insns = {0};
        int count = inspect_filter(s->payload, index, &insns);
        uint8_t hash[SHA256_BYTES];
        char hex[SHA256_HEX_MAX];
        if (count > 0) {
            sha256(&(struct sha256_part){insns.data, insns.len}, 1, hash);
            buf_addf(out, "  %d instructions, sha256 %s\n", count, sha256_hex(hash, hex));
        } else if (count < 0) {
            buf_addf(out, "  this kernel doesn't show them: %s\n", strerror(-count));
        }
        buf_fini(&insns);
        if (count <= 0)
            return;
    }
}

static int find_subject(struct subject *s, struct err *err)
{
    s->zygote = inspect_child(s->box->warden, "reeve-zygote");
    s->keeper = s->zygote > 0 ? inspect_child(s->zygote, NULL) : 0;
    s->payload = s->keeper > 0 ? inspect_child(s->keeper, NULL) : 0;
    int rc = s->payload > 0 ? inspect_wait_stopped(s->payload, STOP_MS) : -ESRCH;
    return rc < 0 ? err_set(err, rc, "the command's process is not there to be looked at: %s", strerror(-rc)) : 0;
}

int confine_explain(const struct box *b, const struct op_reply *launched, const struct root_spec *root,
                    struct buf *out, struct err *err)
{
    struct subject s = {.box = b, .launched = launched, .root = root};
    int rc = find_subject(&s, err);
    if (rc < 0)
        return rc;
    list_groups(&s);
    put_steps(&s, out);
    buf_addf(out, "groups, and what limits there\n%s", buf_text(&s.listed));
    put_processes(&s, out);
    put_namespaces(&s, out);
    buf_add_str(out, "mounts of the command\n");
    each_mount(&s, put_mount, out);
    put_filters(&s, out);
    buf_fini(&s.listed);
    kill(s.payload, SIGCONT);
    return 0;
}
