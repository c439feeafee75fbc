/* doctor - tries everything that a node needs, and says how to fix what is missing. */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "cli/commands.h"
#include "cli/format.h"

#define CHECK_MS 20000

static const char *const status_names[] = {[DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail"};
const struct names doctor_status_names = {status_names, COUNT_OF(status_names)};

const struct doctor_check doctor_checks[] = {
    {"root", DOCTOR_FAIL, doctor_root, 0},
    {"cgroup", DOCTOR_FAIL, doctor_cgroup_mode, 0},
    {"cgroup.delegation", DOCTOR_FAIL, doctor_cgroup_delegation, 0},
    {"cgroup.cpu", DOCTOR_FAIL, doctor_cgroup_limit, LIMIT_CPU},
    {"cgroup.cpuacct", DOCTOR_FAIL, doctor_cgroup_limit, LIMIT_CPUACCT},
    {"cgroup.memory", DOCTOR_FAIL, doctor_cgroup_limit, LIMIT_MEMORY},
    {"cgroup.swap", DOCTOR_WARN, doctor_cgroup_limit, LIMIT_SWAP},
    {"cgroup.pids", DOCTOR_FAIL, doctor_cgroup_limit, LIMIT_PIDS},
    {"cgroup.cpuset", DOCTOR_WARN, doctor_cgroup_limit, LIMIT_CPUSET},
    {"cgroup.io", DOCTOR_WARN, doctor_cgroup_limit, LIMIT_IO},
    {"io.weight", DOCTOR_WARN, doctor_io_weight, 0},
    {"cgroup.hugetlb", DOCTOR_WARN, doctor_cgroup_limit, LIMIT_HUGETLB},
    {"cgroup.freeze", DOCTOR_WARN, doctor_cgroup_limit, LIMIT_FREEZE},
    {"cgroup.devices", DOCTOR_WARN, doctor_cgroup_limit, LIMIT_DEVICES},
    {"cgroup.kill", DOCTOR_WARN, doctor_cgroup_kill, 0},
    {"namespace.user", DOCTOR_FAIL, doctor_namespace, KIND_USER},
    {"namespace.pid", DOCTOR_FAIL, doctor_namespace, KIND_PID},
    {"namespace.mnt", DOCTOR_FAIL, doctor_namespace, KIND_MNT},
    {"namespace.ipc", DOCTOR_FAIL, doctor_namespace, KIND_IPC},
    {"namespace.uts", DOCTOR_FAIL, doctor_namespace, KIND_UTS},
    {"namespace.net", DOCTOR_FAIL, doctor_namespace, KIND_NET},
    {"namespace.cgroup", DOCTOR_FAIL, doctor_namespace, KIND_CGROUP},
    {"idmap", DOCTOR_FAIL, doctor_idmap, 0},
    {"mounts", DOCTOR_FAIL, doctor_mounts, 0},
    {"overlay", DOCTOR_WARN, doctor_overlay, 0},
    {"squashfs", DOCTOR_WARN, doctor_squashfs, 0},
    {"seccomp", DOCTOR_FAIL, doctor_seccomp, 0},
    {"landlock", DOCTOR_WARN, doctor_landlock, 0},
    {"io_uring", DOCTOR_FAIL, doctor_io_uring, 0},
    {"oom_score", DOCTOR_WARN, doctor_oom_score, 0},
    {"nofile", DOCTOR_WARN, doctor_nofile, 0},
    {"memlock", DOCTOR_WARN, doctor_memlock, 0},
    {"clock", DOCTOR_WARN, doctor_clock, 0},
    {"disk", DOCTOR_FAIL, doctor_disk, 0},
    {"space", DOCTOR_WARN, doctor_space, 0},
    {"meters", DOCTOR_WARN, doctor_meters, 0},
    {"ledger", DOCTOR_WARN, doctor_ledger, 0},
    {"redis", DOCTOR_FAIL, doctor_redis, 0},
    {"programs", DOCTOR_FAIL, doctor_programs, 0},
    {"launch", DOCTOR_FAIL, doctor_launch, 0},
};
const size_t doctor_checks_count = COUNT_OF(doctor_checks);

const struct doctor_check *doctor_find(const char *name)
{
    for (size_t i = 0; i < doctor_checks_count; i++)
        if (strcmp(doctor_checks[i].name, name) == 0)
            return &doctor_checks[i];
    return NULL;
}

/* ---- findings --------------------------------------------------------------------------------------------- */

void finding_ok(struct finding *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    *f = (struct finding){.status = DOCTOR_OK};
    vsnprintf(f->found, sizeof f->found, format, args);
    va_end(args);
}

void finding_bad(struct finding *f, const struct doctor_check *c, const char *fix, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    *f = (struct finding){.status = c->worst};
    vsnprintf(f->found, sizeof f->found, format, args);
    va_end(args);
    snprintf(f->fix, sizeof f->fix, "%s", fix);
}

/* ---- one check -------------------------------------------------------------------------------------------- */

static _Noreturn void examine(const struct doctor *d, const struct doctor_check *c, int to)
{
    struct finding f = {.status = DOCTOR_FAIL, .found = "the check said nothing"};
    setpgid(0, 0); /* whatever it starts ends with it */
    signal(SIGPIPE, SIG_IGN);
    c->run(d, c, &f);
    _exit(fd_write_all(to, &f, sizeof f) < 0 ? 1 : 0);
}

static void lost(struct finding *f, const struct doctor_check *c, bool in_time, int status)
{
    if (!in_time)
        finding_bad(f, c, "look at the system's log: something hangs", "no answer within %d s", CHECK_MS / 1000);
    else
        finding_bad(f, c, "look at the system's log: something ended the check", "the check was ended by signal %d",
                    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

void doctor_run(const struct doctor *d, const struct doctor_check *c, struct finding *ret)
{
    int ends[2], status = 0;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        finding_bad(ret, c, "free some file descriptors", "pipe: %s", strerror(errno));
        return;
    }
    pid_t pid = fork();
    if (pid == 0)
        examine(d, c, ends[1]);
    close_p(&ends[1]);
    struct pollfd at = {.fd = ends[0], .events = POLLIN};
    bool in_time = pid > 0 && poll(&at, 1, CHECK_MS) == 1;
    struct finding f;
    bool told = in_time && fd_read_full(ends[0], &f, sizeof f) == (ssize_t)sizeof f;
    if (pid > 0) {
        kill(pid, told ? 0 : SIGKILL);
        kill(-pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    close_p(&ends[0]);
    if (told)
        *ret = f;
    else
        lost(ret, c, in_time, status);
}

/* ---- the command ------------------------------------------------------------------------------------------ */

struct doctor_options {
    const char *redis;
    const char *only;
};
static const struct option_row rows[] = {
    {.name = "redis", .kind = OPTION_TEXT, .value = "WHERE", .offset = offsetof(struct doctor_options, redis),
     .help = "a store to look at: unix:PATH or HOST:PORT (default: the one in DIR, if there is one)"},
    {.name = "only", .kind = OPTION_TEXT, .value = "CHECK", .offset = offsetof(struct doctor_options, only),
     .help = "just this one: memory is cgroup.memory, namespace all of them"},
};
const struct option_set doctor_options = OPTION_SET(rows);

struct row {
    char *name, *found, *fix;
    uint32_t status;
};
static const struct field row_rows[] = {
    FIELD_ROW(row, 1, "name", FIELD_STR, name, .max = 63),
    FIELD_ROW(row, 2, "status", FIELD_ENUM, status, .flags = FIELD_ALWAYS, .of = &doctor_status_names),
    FIELD_ROW(row, 3, "found", FIELD_STR, found, .max = 4095),
    FIELD_ROW(row, 4, "fix", FIELD_STR, fix, .max = 4095),
};
static const struct fields row_fields = FIELDS_TABLE("check", row, row_rows);
struct report {
    bool fit;
    struct list checks;
};
static const struct field report_rows[] = {
    FIELD_ROW(report, 1, "fit", FIELD_BOOL, fit, .flags = FIELD_ALWAYS),
    FIELD_ROW(report, 2, "checks", FIELD_LIST, checks, .flags = FIELD_ALWAYS, .of = &row_fields, .max = 1000),
};
static const struct fields report_fields = FIELDS_TABLE("report", report, report_rows);

static void print(const struct cli *cli, const struct doctor_check *c, const struct finding *f)
{
    static const enum style styles[] = {STYLE_GOOD, STYLE_WAIT, STYLE_BAD};
    CLEANUP(buf_fini) struct buf line = {0};
    const char *word = status_names[f->status];
    format_styled(&line, cli->colour_out, styles[f->status], word);
    buf_addf(&line, "%*s%-18s ", (int)(6 - strlen(word)), "", c->name);
    format_safe(&line, f->found);
    if (f->fix[0] != '\0') {
        buf_add_str(&line, "; to fix it: ");
        format_safe(&line, f->fix);
    }
    printf("%s\n", buf_text(&line));
    fflush(stdout); /* a slow check shows which one it is by what comes before it */
}

static int keep(struct report *r, const struct doctor_check *c, const struct finding *f)
{
    struct row *row = list_add(&r->checks, sizeof *row);
    if (row == NULL || str_set(&row->name, c->name) < 0 || str_set(&row->found, f->found) < 0 ||
        (f->fix[0] != '\0' && str_set(&row->fix, f->fix) < 0))
        return -ENOMEM;
    row->status = f->status;
    return 0;
}

static bool is_wanted(const char *only, const char *name)
{
    if (only == NULL || strcmp(only, name) == 0)
        return true;
    const char *dot = strchr(name, '.');
    return dot != NULL && (strcmp(dot + 1, only) == 0 || (strlen(only) == (size_t)(dot - name) &&
                                                          strncmp(only, name, (size_t)(dot - name)) == 0));
}

static int look(struct cli *cli, const struct doctor *d, const char *only)
{
    unsigned count[DOCTOR_STATUS_COUNT] = {0};
    struct report report = {0};
    int rc = 0;
    for (size_t i = 0; i < doctor_checks_count && rc == 0; i++) {
        struct finding f;
        if (!is_wanted(only, doctor_checks[i].name))
            continue;
        doctor_run(d, &doctor_checks[i], &f);
        count[f.status]++;
        if (cli->json)
            rc = keep(&report, &doctor_checks[i], &f);
        else
            print(cli, &doctor_checks[i], &f);
    }
    bool fit = report.fit = count[DOCTOR_FAIL] == 0;
    if (cli->json)
        cli_json(&report_fields, &report);
    else
        printf("%s: %u ok, %u to look at, %u missing\n", fit ? "this machine can be a node" : "not fit to be a node",
               count[DOCTOR_OK], count[DOCTOR_WARN], count[DOCTOR_FAIL]);
    fields_clear(&report_fields, &report);
    return fit && rc == 0 ? CLI_DONE : CLI_REFUSED;
}

static bool names_any(const char *only)
{
    for (size_t i = 0; i < doctor_checks_count; i++)
        if (is_wanted(only, doctor_checks[i].name))
            return true;
    return false;
}

int cmd_doctor(struct cli *cli, int argc, char **argv)
{
    struct doctor_options options = {0};
    struct words words = {0};
    if (cli_options(cli, &doctor_options, &options, argc, argv, &words, 0, 0) < 0)
        return CLI_USAGE;
    free(words.v);
    if (!names_any(options.only))
        return cli_usage(cli, "--only: '%s' is not a check", options.only);
    const char *dir = cli->dir != NULL ? cli->dir : getenv("REEVE_DIR");
    const struct doctor d = {.dir = dir != NULL && dir[0] != '\0' ? dir : CLI_DIR_DEFAULT, .redis = options.redis};
    return look(cli, &d, options.only);
}
