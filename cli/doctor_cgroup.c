/* Checks of doctor: what jobs are limited, counted and killed by. Each limit is written into a group made for it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "cli/doctor.h"

#define PATH_MOST 1024

/* ---- where things are ------------------------------------------------------------------------------------- */

/* The mount of a v1 controller, or of v2 (NULL). */
static bool find_mount(const char *controller, char out[PATH_MOST])
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    bool found = false;
    for (struct mntent *m; mounts != NULL && !found && (m = getmntent(mounts)) != NULL;) {
        found = controller == NULL ? strcmp(m->mnt_type, "cgroup2") == 0
                                   : strcmp(m->mnt_type, "cgroup") == 0 && hasmntopt(m, controller) != NULL;
        if (found)
            snprintf(out, PATH_MOST, "%s", m->mnt_dir);
    }
    if (mounts != NULL)
        endmntent(mounts);
    return found;
}

static bool has_word(const char *list, const char *word, const char *separators)
{
    size_t len = strlen(word);
    for (const char *at = list; *at != '\0'; at += strspn(at, separators)) {
        size_t one = strcspn(at, separators);
        if (one == len && strncmp(at, word, len) == 0)
            return true;
        at += one;
    }
    return false;
}

static void read_text(const char *dir, const char *file, char out[PATH_MOST])
{
    char path[2 * PATH_MOST];
    struct buf text = {0};
    snprintf(path, sizeof path, "%s/%s", dir, file);
    out[0] = '\0';
    if (file_read(path, 65536, &text, NULL) == 0)
        snprintf(out, PATH_MOST, "%s", buf_text(&text));
    buf_fini(&text);
    out[strcspn(out, "\n")] = '\0';
}

static int write_text(const char *dir, const char *file, const char *text)
{
    char path[2 * PATH_MOST];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    CLEANUP(close_p) int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* The folder of our own group in a hierarchy: the mount's root where it shows no more than that. */
static bool find_own(const char *controller, char out[PATH_MOST])
{
    char mount[PATH_MOST], path[PATH_MOST] = "";
    FILE *own = find_mount(controller, mount) ? fopen("/proc/self/cgroup", "re") : NULL;
    char line[PATH_MOST];
    while (own != NULL && path[0] == '\0' && fgets(line, sizeof line, own) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *names = strchr(line, ':'), *group = names != NULL ? strchr(names + 1, ':') : NULL;
        if (group == NULL)
            continue;
        *group++ = '\0';
        if (controller == NULL ? names[1] == '\0' : has_word(names + 1, controller, ","))
            snprintf(path, sizeof path, "%s", group);
    }
    if (own == NULL)
        return false;
    fclose(own);
    snprintf(out, PATH_MOST, "%.500s%.500s", mount, strcmp(path, "/") == 0 ? "" : path);
    if (access(out, F_OK) < 0)
        snprintf(out, PATH_MOST, "%s", mount);
    return true;
}

static int make_group(const char *own, char out[PATH_MOST])
{
    snprintf(out, PATH_MOST, "%.900s/reeve-doctor-%d", own, (int)getpid());
    return mkdir(out, 0755) < 0 ? -errno : 0;
}

/* ---- mode and delegation ---------------------------------------------------------------------------------- */

static const char *const v1_names[] = {"cpu",     "cpuacct", "memory", "pids",   "cpuset",
                                       "devices", "freezer", "blkio",  "hugetlb"};

void doctor_cgroup_mode(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    char mount[PATH_MOST], v1[200] = "", v2[PATH_MOST] = "";
    for (size_t i = 0; i < COUNT_OF(v1_names); i++)
        if (find_mount(v1_names[i], mount))
            snprintf(v1 + strlen(v1), sizeof v1 - strlen(v1), " %s", v1_names[i]);
    bool has_v2 = find_mount(NULL, mount);
    if (has_v2)
        read_text(mount, "cgroup.controllers", v2);
    if (v1[0] == '\0' && !has_v2)
        finding_bad(f, c, "mount -t cgroup2 cgroup2 /sys/fs/cgroup", "no cgroups are mounted");
    else if (v1[0] == '\0')
        finding_ok(f, "v2 at %.100s:  %.100s", mount, v2);
    else if (has_v2)
        finding_ok(f, "hybrid: v1%s; v2 at %.60s: %.60s", v1, mount, v2[0] != '\0' ? v2 : "(for kill and events)");
    else
        finding_ok(f, "v1%s", v1);
}

void doctor_cgroup_delegation(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    static const char *const needed[] = {"cpu", "memory", "pids", NULL};
    char own[PATH_MOST] = "", group[PATH_MOST];
    unsigned made = 0;
    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        if (!find_own(needed[i], own))
            continue;
        int rc = make_group(own, group);
        if (rc < 0) {
            finding_bad(f, c,
                        "start the node in a group of its own: a systemd unit with Delegate=yes, or "
                        "systemd-run --scope -p Delegate=yes",
                        "no group can be made in %.120s: %s", own, strerror(-rc));
            return;
        }
        rmdir(group);
        made++;
    }
    if (made == 0)
        finding_bad(f, c, "mount -t cgroup2 cgroup2 /sys/fs/cgroup", "there is no hierarchy to make groups in");
    else
        finding_ok(f, "groups can be made below our own, last in %.120s", own);
}

/* ---- limits ----------------------------------------------------------------------------------------------- */

static const struct limit_row {
    const char *v1, *v1_file, *v1_value; /* value NULL: it is enough that the file is there and read */
    const char *v2, *v2_file, *v2_value; /* v2 NULL: v2 needs nothing for it; v2_file NULL: tried elsewhere */
} limits[LIMIT_COUNT] = {
    [LIMIT_CPU] = {"cpu", "cpu.cfs_quota_us", "10000", "cpu", "cpu.max", "10000 100000"},
    [LIMIT_CPUACCT] = {"cpuacct", "cpuacct.usage", NULL, NULL, "cpu.stat", NULL},
    [LIMIT_MEMORY] = {"memory", "memory.limit_in_bytes", "67108864", "memory", "memory.max", "67108864"},
    [LIMIT_SWAP] = {"memory", "memory.memsw.limit_in_bytes", NULL, "memory", "memory.swap.max", "0"},
    [LIMIT_PIDS] = {"pids", "pids.max", "10", "pids", "pids.max", "10"},
    [LIMIT_CPUSET] = {"cpuset", "cpuset.cpus", NULL, "cpuset", "cpuset.cpus", "0"},
    [LIMIT_IO] = {"blkio", "blkio.throttle.read_bps_device", NULL, "io", "io.max", NULL},
    [LIMIT_HUGETLB] = {"hugetlb", "hugetlb.2MB.limit_in_bytes", "2097152", "hugetlb", "hugetlb.2MB.max", "2097152"},
    [LIMIT_FREEZE] = {"freezer", "freezer.state", "FROZEN", NULL, "cgroup.freeze", "1"},
    [LIMIT_DEVICES] = {"devices", "devices.list", NULL, NULL, NULL, NULL},
};

static void try_file(const char *group, const char *file, const char *value, const struct doctor_check *c,
                     struct finding *f)
{
    char path[2 * PATH_MOST], text[PATH_MOST];
    snprintf(path, sizeof path, "%s/%s", group, file);
    int rc = access(path, R_OK) < 0 ? -errno : value != NULL ? write_text(group, file, value) : 0;
    read_text(group, file, text);
    if (rc < 0)
        finding_bad(f, c,
                    rc == -ENOENT ? "this needs a kernel with that controller (see /proc/cgroups)"
                                  : "run the node as root, in a group whose limits are its own to set",
                    "%s: %s", file, strerror(-rc));
    else if (value != NULL && strcmp(text, value) != 0)
        finding_bad(f, c, "report this kernel: what is written must be read back", "%s: wrote '%s', read '%.80s'", file,
                    value, text);
    else
        finding_ok(f, "%s: %s", file, value != NULL ? "written and read back" : "there");
}

static void try_v1(const struct limit_row *row, const struct doctor_check *c, struct finding *f)
{
    char own[PATH_MOST], group[PATH_MOST];
    int rc = find_own(row->v1, own) ? make_group(own, group) : -ENOENT;
    if (rc < 0) {
        finding_bad(f, c, "see cgroup.delegation", "no group can be made: %s", strerror(-rc));
        return;
    }
    try_file(group, row->v1_file, row->v1_value, c, f);
    rmdir(group);
}

/* A device program, as the kernel takes for a v2 group: it answers "allowed". */
static void try_device_program(const struct doctor_check *c, struct finding *f)
{
    const struct bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
                                     {.code = BPF_JMP | BPF_EXIT}};
    union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE};
    attr.insns = (uint64_t)(uintptr_t)insns;
    attr.insn_cnt = COUNT_OF(insns);
    attr.license = (uint64_t)(uintptr_t)"GPL";
    int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
    if (fd < 0)
        finding_bad(f, c, "a kernel with CONFIG_CGROUP_BPF, and CAP_BPF for the node", "device program: %s",
                    strerror(errno));
    else
        finding_ok(f, "a device program can be loaded");
    close_p(&fd);
}

/* Switches the controller on below `own` where it isn't yet. 1: and it is ours to switch off again. */
static int enable(const char *own, const char *controller)
{
    char text[PATH_MOST];
    read_text(own, "cgroup.subtree_control", text);
    if (has_word(text, controller, " "))
        return 0;
    snprintf(text, sizeof text, "+%s", controller);
    int rc = write_text(own, "cgroup.subtree_control", text);
    return rc < 0 ? rc : 1;
}

static void try_v2(const struct limit_row *row, const struct doctor_check *c, struct finding *f)
{
    char own[PATH_MOST], group[PATH_MOST], text[PATH_MOST];
    if (!find_own(NULL, own)) {
        finding_bad(f, c, "mount -t cgroup2 cgroup2 /sys/fs/cgroup", "mounted neither as v1 nor as v2");
        return;
    }
    read_text(own, "cgroup.controllers", text);
    if (row->v2 != NULL && !has_word(text, row->v2, " ")) {
        finding_bad(f, c,
                    "give it to this group: with systemd, Delegate=yes in the unit; else write '+NAME' into "
                    "cgroup.subtree_control of each group above; it may be taken by v1 (cgroup_no_v1=all)",
                    "'%s' is not given to %.120s", row->v2, own);
        return;
    }
    int on = row->v2 != NULL ? enable(own, row->v2) : 0;
    if (on == -EBUSY) {
        finding_ok(f, "'%s' is given to %.120s (others are in that group: it can't be tried from here)", row->v2, own);
        return;
    }
    int rc = on < 0 ? on : make_group(own, group);
    if (rc < 0) {
        finding_bad(f, c, "see cgroup.delegation", "no group with it can be made: %s", strerror(-rc));
    } else {
        try_file(group, row->v2_file, row->v2_value, c, f);
        rmdir(group);
    }
    snprintf(text, sizeof text, "-%s", row->v2 != NULL ? row->v2 : "");
    if (on == 1)
        (void)!write_text(own, "cgroup.subtree_control", text);
}

void doctor_cgroup_limit(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    const struct limit_row *row = &limits[c->which];
    char mount[PATH_MOST];
    if (find_mount(row->v1, mount))
        try_v1(row, c, f);
    else if (row->v2_file == NULL)
        try_device_program(c, f);
    else
        try_v2(row, c, f);
}

/* ---- weights ---------------------------------------------------------------------------------------------- */

/* The whole disk that `dir`, or what of it is there already, lies on: its name below /sys/block. */
static bool find_disk(const char *dir, char out[64], dev_t *ret)
{
    char path[PATH_MOST], link[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s", dir);
    while (stat(path, &st) < 0 && strrchr(path, '/') != NULL && strrchr(path, '/') != path)
        *strrchr(path, '/') = '\0';
    if (stat(path, &st) < 0 && stat("/", &st) < 0)
        return false;
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
    if (realpath(path, link) == NULL)
        return false;
    snprintf(path, sizeof path, "%.900s/partition", link);
    if (access(path, F_OK) == 0)
        *strrchr(link, '/') = '\0';
    const char *name = strrchr(link, '/');
    snprintf(out, 64, "%.63s", name != NULL ? name + 1 : "");
    char number[PATH_MOST];
    unsigned hi, lo;
    read_text(link, "dev", number);
    if (sscanf(number, "%u:%u", &hi, &lo) != 2)
        return false;
    *ret = makedev(hi, lo);
    return true;
}

/* As the warden has it (isolation/cgroup_equip.c): a weight counts only where something looks at it. */
void doctor_io_weight(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    static const char fix[] = "switch the kernel's cost model on for it (enable=1 in io.cost.qos, cgroup v2), or bfq, "
                              "which costs throughput; until then limits alone hold what jobs do directly, and it "
                              "counts for their tenants' turns afterwards";
    char disk[64], mount[PATH_MOST], text[PATH_MOST] = "", path[PATH_MOST], line[48];
    dev_t dev = 0;
    if (!find_disk(d->dir, disk, &dev)) {
        finding_bad(f, c, "put the node's folder on a disk", "%.120s lies on no block device", d->dir);
        return;
    }
    snprintf(path, sizeof path, "/sys/block/%s/queue", disk);
    read_text(path, "scheduler", text);
    if (strstr(text, "[bfq]") != NULL) {
        finding_ok(f, "%s: weighed by bfq", disk);
        return;
    }
    CLEANUP(buf_fini) struct buf models = {0};
    snprintf(line, sizeof line, "%u:%u enable=1", major(dev), minor(dev));
    snprintf(path, sizeof path, "%.900s/io.cost.qos", find_mount(NULL, mount) ? mount : "");
    if (file_read(path, 65536, &models, NULL) == 0 && strstr(buf_text(&models), line) != NULL)
        finding_ok(f, "%s: weighed by the kernel's cost model", disk);
    else
        finding_bad(f, c, fix, "%s: nothing weighs what jobs read and write by themselves", disk);
}

/* ---- kill ------------------------------------------------------------------------------------------------- */

static void try_kill(const char *group, const struct doctor_check *c, struct finding *f)
{
    static const char fix[] = "Linux 5.14 or newer; until then what a job started is killed one by one";
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    char text[16];
    snprintf(text, sizeof text, "%d", (int)pid);
    int rc = write_text(group, "cgroup.procs", text), status = 0;
    rc = rc < 0 ? rc : write_text(group, "cgroup.kill", "1");
    if (rc < 0)
        kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    if (rc < 0)
        finding_bad(f, c, fix, "cgroup.kill: %s", strerror(-rc));
    else
        finding_ok(f, "a process in a group was killed by it");
}

void doctor_cgroup_kill(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    char own[PATH_MOST], group[PATH_MOST];
    int rc = find_own(NULL, own) ? make_group(own, group) : -ENOENT;
    if (rc < 0) {
        finding_bad(f, c, "mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified", "no v2 group can be made: %s",
                    strerror(-rc));
        return;
    }
    try_kill(group, c, f);
    rmdir(group);
}
