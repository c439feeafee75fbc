/* Checks of doctor: limits, clock, disk, store, programs, and in the end a confined job. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/core/io_check.h"
#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/json.h"
#include "base/io/rpc.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/doctor.h"
#include "cli/format.h"
#include "cli/services.h"

#define ANSWER_MS 3000
#define MIB ((uint64_t)1 << 20)

/* ---- limits ----------------------------------------------------------------------------------------------- */

#define FILES_WANTED 20000 /* a few for each of thousands of attempts, and the clients' */

void doctor_nofile(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    struct rlimit limit = {0};
    (void)!getrlimit(RLIMIT_NOFILE, &limit);
    unsigned long most = (unsigned long)limit.rlim_max;
    limit.rlim_cur = limit.rlim_max;
    int fd = setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -1 : fcntl(1, F_DUPFD_CLOEXEC, FILES_WANTED - 1);
    if (fd < 0)
        finding_bad(f, c, "LimitNOFILE=1048576 in the unit, or ulimit -Hn", "at most %lu files at once, %d are wanted",
                    most, FILES_WANTED);
    else
        finding_ok(f, "%lu files at once, number %d opened", most, fd);
}

#define LOCKED_WANTED (8 * MIB) /* as a job may lock */

void doctor_memlock(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    struct rlimit limit = {0};
    (void)!getrlimit(RLIMIT_MEMLOCK, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)!setrlimit(RLIMIT_MEMLOCK, &limit);
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0) { /* root may lock anything */
        finding_bad(f, c, "let root change its user", "setresuid: %s", strerror(errno));
        return;
    }
    void *pages = mmap(NULL, LOCKED_WANTED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mlock(pages, LOCKED_WANTED) < 0)
        finding_bad(f, c, "LimitMEMLOCK=infinity in the unit, or ulimit -Hl", "%u MiB can't be locked: %s",
                    (unsigned)(LOCKED_WANTED / MIB), strerror(errno));
    else
        finding_ok(f, "%u MiB locked, without privileges", (unsigned)(LOCKED_WANTED / MIB));
}

/* ---- clock ------------------------------------------------------------------------------------------------ */

#define EARLIEST_UTC_US INT64_C(1735689600000000) /* 2025-01-01 */
#define WATCH_MS 200
#define DRIFT_US_MAX 20000

void doctor_judge_clock(const struct clock_seen *s, const struct doctor_check *c, struct finding *f)
{
    static const char fix[] = "run a time service: apt-get install chrony, or timedatectl set-ntp true";
    int64_t drift = s->utc_went_us - s->boot_went_us;
    char text[PARSE_TEXT_MAX];
    if (s->utc_us < EARLIEST_UTC_US)
        finding_bad(f, c, fix, "the clock says %s", format_time(s->utc_us, text));
    else if (s->boot_went_us <= 0 || drift > DRIFT_US_MAX || drift < -DRIFT_US_MAX)
        finding_bad(f, c, "something sets the clock in jumps: let one time service slew it",
                    "while BOOTTIME went %" PRId64 " us, UTC went %" PRId64 " us", s->boot_went_us, s->utc_went_us);
    else if (s->error != 0)
        finding_ok(f, "goes at one pace; whether it is synchronised can't be seen: %s", strerror(s->error));
    else if (!s->synchronised)
        finding_bad(f, c, fix, "goes at one pace, but nothing synchronises it");
    else
        finding_ok(f, "goes at one pace, and is synchronised");
}

/* Leases run on BOOTTIME, accounts on UTC: both must go, at the same pace, and UTC must be right. */
void doctor_clock(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    int64_t utc_us = clock_utc_us(), boot_us = (int64_t)clock_boot_us();
    poll(NULL, 0, WATCH_MS);
    struct timex state = {0};
    struct clock_seen seen = {
        .utc_us = utc_us, .utc_went_us = clock_utc_us() - utc_us, .boot_went_us = (int64_t)clock_boot_us() - boot_us};
    int rc = adjtimex(&state);
    seen.error = rc < 0 ? errno : 0;
    seen.synchronised = rc != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
    doctor_judge_clock(&seen, c, f);
}

/* ---- disk ------------------------------------------------------------------------------------------------- */

/* DIR or the closest folder above that is there. */
static void find_folder(const char *dir, char out[CLI_SOCKET_PATH_MAX])
{
    struct stat st;
    snprintf(out, CLI_SOCKET_PATH_MAX, "%s", dir);
    while (stat(out, &st) < 0 || !S_ISDIR(st.st_mode)) {
        char *slash = strrchr(out, '/');
        if (slash == NULL) {
            memcpy(out, ".", 2);
            return;
        }
        slash[slash == out ? 1 : 0] = '\0';
    }
}

static int make_unnamed(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd < 0 ? -errno : fd;
    char path[CLI_SOCKET_PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/.reeve-doctor-XXXXXX", folder);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd < 0 ? -errno : fd;
}

/* Logs are sparse files whose middle is punched out; records are fsynced. */
static int try_holes(int fd, uint64_t *ret_freed)
{
    static char bytes[MIB];
    struct stat before, after;
    memset(bytes, 'x', sizeof bytes);
    int rc = fd_write_all(fd, bytes, sizeof bytes);
    if (rc < 0)
        return rc;
    if (fsync(fd) < 0 || fstat(fd, &before) < 0 ||
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, sizeof bytes / 2) < 0 || fsync(fd) < 0 ||
        fstat(fd, &after) < 0)
        return -errno;
    *ret_freed = (uint64_t)(before.st_blocks - after.st_blocks) * 512;
    return 0;
}

void doctor_disk(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    char folder[CLI_SOCKET_PATH_MAX];
    find_folder(d->dir, folder);
    CLEANUP(close_p) int fd = make_unnamed(folder);
    uint64_t freed = 0;
    int rc = fd < 0 ? fd : try_holes(fd, &freed);
    if (rc == -EOPNOTSUPP || (rc == 0 && freed == 0))
        finding_bad(f, c, "put DIR on ext4, xfs, btrfs or tmpfs",
                    "%.100s: files there can't have holes: logs would be cut", folder);
    else if (rc < 0)
        finding_bad(f, c, "give --dir a folder that can be written to", "%.100s: %s", folder, strerror(-rc));
    else
        finding_ok(f, "%.100s: written, fsynced, a hole gave %" PRIu64 " KiB back", folder, freed >> 10);
}

void doctor_space(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    char folder[CLI_SOCKET_PATH_MAX];
    struct statvfs fs = {0};
    find_folder(d->dir, folder);
    if (statvfs(folder, &fs) < 0) {
        finding_bad(f, c, "give --dir a folder", "%.100s: %s", folder, strerror(errno));
        return;
    }
    CLEANUP(buf_fini) struct buf text = {0};
    uint64_t left = (uint64_t)fs.f_bavail * fs.f_frsize;
    format_bytes(&text, left);
    if (left < 1024 * MIB)
        finding_bad(f, c, "make room, or put DIR elsewhere: journal, logs and records go there", "%.100s: %s left",
                    folder, buf_text(&text));
    else if (fs.f_files > 0 && fs.f_favail < 100000)
        finding_bad(f, c, "make room, or put DIR elsewhere: every attempt takes a few files",
                    "%.100s: %s, but only %" PRIu64 " files left", folder, buf_text(&text), (uint64_t)fs.f_favail);
    else
        finding_ok(f, "%.100s: %s left", folder, buf_text(&text));
}

/* ---- what the agent has summed up ------------------------------------------------------------------------- */

void doctor_meters(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    char path[1024];
    CLEANUP(buf_fini) struct buf text = {0}, said = {0};
    struct io_check sums = {0};
    struct err err = {0};
    snprintf(path, sizeof path, "%.900s/" IO_CHECK_PATH, d->dir);
    int rc = file_read(path, 65536, &text, &err);
    if (rc == -ENOENT) {
        finding_ok(f, "no agent has counted anything there");
        return;
    }
    rc = rc < 0 ? rc : json_read(&io_check_fields, buf_text(&text), text.len, JSON_LENIENT, &sums, &err);
    if (rc < 0) {
        finding_bad(f, c, "look as root; an agent that starts makes it anew", "%.200s", err_text(&err));
        return;
    }
    struct io_verdict v = io_verdict(&sums.before.sums);
    if (v.agrees)
        v = io_verdict(&sums.now.sums);
    io_verdict_text(&v, &said);
    if (v.agrees)
        finding_ok(f, "%.200s", buf_text(&said));
    else
        finding_bad(f, c, "compare node/metrics.prom with the bills of jobs: bytes are billed twice, or to nobody",
                    "%.200s", buf_text(&said));
}

/* ---- what the books hold of it ---------------------------------------------------------------------------- */

void doctor_judge_ledger_io(const struct ledger_io_reply *r, const struct doctor_check *c, struct finding *f)
{
    const struct ledger_io_row *first = r->rows.v;
    if (r->compared == 0) {
        finding_ok(f, "no attempts to compare");
        return;
    }
    if (r->differing == 0) {
        finding_ok(f, "of %" PRIu64 " nodes and days what was charged is what the kernel counted", r->compared);
        return;
    }
    CLEANUP(buf_fini) struct buf said = {0};
    struct io_verdict v = ledger_io_verdict(first);
    io_verdict_text(&v, &said);
    finding_bad(f, c, "reeve ledger verify says where the bytes are", "of %" PRIu64 " nodes and days %" PRIu64
                " differ: %.60s: %.100s", r->compared, r->differing, first->node, buf_text(&said));
}

void doctor_ledger(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    char path[CLI_SOCKET_PATH_MAX + 32], name[108];
    struct rpc_client *client = NULL;
    const struct ledger_io_call call = {0};
    struct ledger_io_reply reply = {0};
    struct refusal refusal = {0};
    struct err err = {0};
    snprintf(path, sizeof path, "%.4000s/report/report.sock", d->dir);
    if (access(path, F_OK) < 0) {
        finding_ok(f, "no reports in %.120s: not looked at", d->dir);
        return;
    }
    int rc = cli_short_path(path, name, &err);
    rc = rc < 0 ? rc : rpc_client_open(&client, name, &err);
    rc = rc < 0 ? rc : rpc_client_call(client, &report_methods[REPORT_IO], &call, ANSWER_MS, &reply, &refusal, &err);
    if (rc == 0)
        doctor_judge_ledger_io(&reply, c, f);
    else if (rc > 0)
        finding_bad(f, c, "look as root or as an admin", "%.200s",
                    refusal.message != NULL ? refusal.message : "refused");
    else
        finding_bad(f, c, "start the daemon of the reports, see its log", "%.200s", err_text(&err));
    rpc_client_close(client);
    fields_clear(&ledger_io_reply_fields, &reply);
    fields_clear(&refusal_fields, &refusal);
}

/* ---- redis ------------------------------------------------------------------------------------------------ */

static int connect_unix(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct err err = {0};
    int rc = cli_short_path(path, name.sun_path, &err);
    int fd = rc < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name) < 0) {
        rc = rc < 0 ? rc : -errno;
        close_p(&fd);
        return rc;
    }
    return fd;
}

static int connect_tcp(const char *where)
{
    char host[256];
    const char *colon = strrchr(where, ':');
    snprintf(host, sizeof host, "%.*s", (int)(colon != NULL ? colon - where : (long)strlen(where)), where);
    struct addrinfo want = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(host, colon != NULL ? colon + 1 : "6379", &want, &found) != 0)
        return -EHOSTUNREACH;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) < 0 ? -errno : fd;
    freeaddrinfo(found);
    if (rc < 0)
        close_p(&fd);
    return rc;
}

/* INFO, as text. The answer is "$LENGTH\r\n", then so many bytes; or "-REASON". */
static int ask_info(int fd, char *out, size_t size)
{
    size_t used = 0, want = size - 1;
    int rc = fd_write_all(fd, "INFO\r\n", 6);
    while (rc == 0 && used < want) {
        struct pollfd at = {.fd = fd, .events = POLLIN};
        ssize_t n = poll(&at, 1, ANSWER_MS) == 1 ? read(fd, out + used, size - 1 - used) : -1;
        if (n <= 0)
            return n == 0 ? -ECONNRESET : -ETIMEDOUT;
        used += (size_t)n;
        out[used] = '\0';
        const char *line = strstr(out, "\r\n");
        if (line != NULL && out[0] != '$')
            return 0;
        if (line != NULL)
            want = MIN(size - 1, (size_t)(line - out) + 2 + strtoul(out + 1, NULL, 10));
    }
    return rc;
}

static const char *info_value(const char *info, const char *key, char out[64])
{
    char want[64];
    snprintf(want, sizeof want, "\n%s:", key);
    const char *at = strstr(info, want);
    at = at != NULL ? at + strlen(want) : "";
    snprintf(out, 64, "%.*s", (int)MIN(strcspn(at, "\r\n"), (size_t)63), at);
    return out;
}

void doctor_judge_redis(const char *info, const struct doctor_check *c, struct finding *f)
{
    char version[64], role[64], loading[64], policy[64], aof[64];
    info_value(info, "redis_version", version);
    if (version[0] == '\0')
        finding_bad(f, c, "give the right address; a password can't be asked for here", "it answers: %.100s", info);
    else if (strtoul(version, NULL, 10) < 7)
        finding_bad(f, c, "Redis 7.0 or newer: it needs Functions", "version %s", version);
    else if (strcmp(info_value(info, "role", role), "master") != 0)
        finding_bad(f, c, "name the primary: a replica takes no facts", "version %s, role %s", version, role);
    else if (strcmp(info_value(info, "loading", loading), "0") != 0)
        finding_bad(f, c, "wait until it has loaded its data", "version %s, loading", version);
    else if (strcmp(info_value(info, "maxmemory_policy", policy), "noeviction") != 0)
        finding_bad(f, c, "redis-cli config set maxmemory-policy noeviction", "version %s, but it may drop keys: %s",
                    version, policy);
    else if (strcmp(info_value(info, "aof_enabled", aof), "1") != 0)
        finding_bad(f, c, "redis-cli config set appendonly yes", "version %s, but nothing is kept: no append-only file",
                    version);
    else
        finding_ok(f, "version %s, primary, noeviction, append-only file", version);
}

void doctor_redis(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    static char info[65536];
    char path[CLI_SOCKET_PATH_MAX];
    const char *where = d->redis;
    if (where == NULL) {
        snprintf(path, sizeof path, "unix:%.4000s/redis/redis.sock", d->dir);
        where = path;
        if (access(path + strlen("unix:"), F_OK) < 0) {
            finding_ok(f, "no store in %.120s: not looked at", d->dir);
            return;
        }
    }
    bool local = strncmp(where, "unix:", 5) == 0;
    CLEANUP(close_p) int fd = local ? connect_unix(where + 5) : connect_tcp(where);
    int rc = fd < 0 ? fd : ask_info(fd, info, sizeof info);
    if (rc < 0)
        finding_bad(f, c, "start it, or name another with --redis", "%.150s: %s", where, strerror(-rc));
    else
        doctor_judge_redis(info, c, f);
}

/* ---- programs --------------------------------------------------------------------------------------------- */

/* What a program says on stdout and stderr; its exit code, 128 + signal. */
static int run_program(const char *const *argv, char *out, size_t size)
{
    int ends[2], status = 0;
    out[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (dup2(null, 0) >= 0 && dup2(ends[1], 1) >= 0 && dup2(ends[1], 2) >= 0)
            execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close_p(&ends[1]);
    ssize_t n = pid > 0 ? fd_read_full(ends[0], out, size - 1) : 0;
    out[MAX(n, 0)] = '\0';
    close_p(&ends[0]);
    if (pid > 0)
        waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void doctor_programs(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    static const char *const ours[] = {"reeved", "reeve-agent", "reeve-warden", "reeve-reportd"};
    char path[4096], said[1024], keeper[4096];
    for (size_t i = 0; i < COUNT_OF(ours); i++) {
        if (service_find_program(ours[i], path, sizeof path) < 0) {
            finding_bad(f, c, "build it, or install it beside reeve", "%s: not found", ours[i]);
            return;
        }
        int code = run_program((const char *const[]){path, "--version", NULL}, said, sizeof said);
        said[strcspn(said, "\n")] = '\0';
        const char *space = strrchr(said, ' ');
        if (code != 0 || space == NULL || strcmp(space + 1, REEVE_VERSION) != 0) {
            finding_bad(f, c, "install all programs from one release", "%s says '%.60s', this is %s", ours[i], said,
                        REEVE_VERSION);
            return;
        }
    }
    if (service_find_program("reeve-keeper", keeper, sizeof keeper) < 0) {
        finding_bad(f, c, "build it, or install it beside reeve", "reeve-keeper: not found");
        return;
    }
    int code = run_program((const char *const[]){"redis-server", "--version", NULL}, said, sizeof said);
    const char *version = strstr(said, "v=");
    finding_ok(f, "all of version %s; redis-server: %.*s", REEVE_VERSION,
               code == 0 && version != NULL ? (int)strcspn(version + 2, " ") : 9,
               code == 0 && version != NULL ? version + 2 : "not here");
}

/* ---- a job ------------------------------------------------------------------------------------------------ */

/* After all that: the thing itself. */
void doctor_launch(const struct doctor *d, const struct doctor_check *c, struct finding *f)
{
    (void)d;
    static char said[4096];
    int code = run_program((const char *const[]){"/proc/self/exe", "confine", "--stats", "--", "true", NULL}, said,
                           sizeof said);
    said[strcspn(said, "\n")] = '\0';
    const char *text = strncmp(said, "reeve: confine: ", 16) == 0 ? said + 16 : said;
    if (code != 0)
        finding_bad(f, c, "what fails above comes first; reeve confine --explain shows each step", "%.200s", text);
    else
        finding_ok(f, "a confined 'true': %.*s", (int)strcspn(text, "("), text);
}
