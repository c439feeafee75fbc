#include "cli/up_system.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/rpc.h"
#include "cli/cli.h"

/* Users of our daemons when the machine has none by these names: the last block of the range that job ids come from,
 * which systemd's table of ids leaves free (0x70000000..0x7fffffff). */
#define UID_BASE 1879048192u
#define UID_SCHEDULER (UID_BASE + 0x0fff0001u)
#define UID_AGENT (UID_BASE + 0x0fff0002u)
#define UID_REPORT (UID_BASE + 0x0fff0003u)

/* ---- how each is known to answer ------------------------------------------------------------------------------- */

/* A socket in DIR, whatever DIR's length: relative to the working directory, which is DIR. */
static bool socket_answers(const char *path, const char *ask, const char *answer)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return false;
    memcpy(address.sun_path, path, strlen(path) + 1);
    CLEANUP(close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return false;
    char text[64] = "";
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    return fd_write_all(fd, ask, strlen(ask)) == 0 && poll(&readable, 1, 1000) == 1 &&
           read(fd, text, sizeof text - 1) > 0 && strncmp(text, answer, strlen(answer)) == 0;
}

static bool redis_answers(const char *dir)
{
    (void)dir;
    return socket_answers("redis/redis.sock", "PING\r\n", "+PONG");
}

static bool call_status(struct status_reply *ret)
{
    struct rpc_client *client = NULL;
    struct refusal refusal = {0};
    if (rpc_client_open(&client, "reeve.sock", NULL) < 0)
        return false;
    int r = rpc_client_call(client, &client_methods[CALL_STATUS], NULL, 2000, ret, &refusal, NULL);
    rpc_client_close(client);
    fields_clear(&refusal_fields, &refusal);
    return r == 0;
}

static bool reeved_answers(const char *dir)
{
    (void)dir;
    struct status_reply status = {0};
    bool ok = call_status(&status) && status.store != NULL && strncmp(status.store, "up", 2) == 0;
    fields_clear(&status_reply_fields, &status);
    return ok;
}

static bool node_answers(const char *dir)
{
    (void)dir;
    struct rpc_client *client = NULL;
    struct refusal refusal = {0};
    struct node_reply nodes = {0};
    bool up = false;
    if (rpc_client_open(&client, "reeve.sock", NULL) < 0)
        return false;
    if (rpc_client_call(client, &client_methods[CALL_NODES], NULL, 2000, &nodes, &refusal, NULL) == 0)
        for (size_t i = 0; i < nodes.nodes.count; i++) {
            const struct node_row *row = &((struct node_row *)nodes.nodes.v)[i];
            up = up || (row->state != NULL && (strcmp(row->state, "up") == 0 || strcmp(row->state, "drained") == 0 ||
                                                strcmp(row->state, "closed") == 0));
        }
    rpc_client_close(client);
    fields_clear(&node_reply_fields, &nodes);
    fields_clear(&refusal_fields, &refusal);
    return up;
}

static bool reportd_answers(const char *dir)
{
    (void)dir;
    struct rpc_client *client = NULL;
    if (rpc_client_open(&client, "report/report.sock", NULL) < 0)
        return false;
    rpc_client_close(client);
    return true;
}

/* ---- its folder, before anything starts ------------------------------------------------------------------------ */

static int make_folder(const char *path, mode_t mode, uid_t uid, gid_t gid, struct err *err)
{
    int r = dir_make(path, mode, err);
    if (r < 0)
        return r;
    CLEANUP(close_p) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
        return err_set(err, -errno, "folder '%s': %s", path, strerror(errno));
    return 0;
}

int system_make_folders(struct err *err)
{
    static const struct { const char *path; mode_t mode; uid_t uid; gid_t gid; } folders[] = {
        {".", 0755, UID_SCHEDULER, UID_SCHEDULER}, /* reeved makes reeve.sock here */
        {"run", 0755, 0, 0},
        {"log", 0755, 0, 0},
        {"redis", 0710, UID_SCHEDULER, UID_REPORT}, /* the gate to its socket: reportd passes, nobody else */
        {"scheduler", 0700, UID_SCHEDULER, UID_SCHEDULER},
        {"agent", 0750, UID_SCHEDULER, UID_AGENT}, /* agent.sock */
        {"node", 0700, UID_AGENT, UID_AGENT},
        {"report", 0755, UID_REPORT, UID_REPORT},
    };
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        int r = make_folder(folders[i].path, folders[i].mode, folders[i].uid, folders[i].gid, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- what each is called with ---------------------------------------------------------------------------------- */

/* A cell and cgroup name that two systems on one machine don't share: a hash of the folder's path. */
static void system_name(const char *dir, char out[24])
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (const char *c = dir; *c != '\0'; c++)
        h = (h ^ (uint8_t)*c) * UINT64_C(1099511628211);
    snprintf(out, 24, "up-%08" PRIx32, (uint32_t)(h ^ (h >> 32)));
}

static void describe_redis(struct service *s)
{
    *s = (struct service){.name = "redis", .program = "redis-server", .cwd = "redis", .uid = UID_SCHEDULER,
                          .patience_ms = 10000, .answers = redis_answers, .pidfd = -1};
    static const char *const words[] = {
        "--port", "0", "--unixsocket", "redis.sock", "--unixsocketperm", "777", "--dir", ".", "--appendonly", "yes",
        "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction", "--daemonize", "no",
    };
    for (size_t i = 0; i < COUNT_OF(words); i++)
        service_arg(s, "%s", words[i]);
}

/* The warden runs both from descriptors that it opens as root: the agent's user need not reach their paths. */
static int describe_programs(struct service *s, struct err *err)
{
    static const struct { const char *option, *program; } programs[] = {
        {"--agent", "reeve-agent"}, {"--keeper", "reeve-keeper"}};
    char path[4200];
    for (size_t i = 0; i < COUNT_OF(programs); i++) {
        if (service_find_program(programs[i].program, path, sizeof path) < 0)
            return err_set(err, -ENOENT, "%s: program not found; build it or install it", programs[i].program);
        service_arg(s, "%s", programs[i].option);
        service_arg(s, "%s", path);
    }
    return 0;
}

static void add_words(struct service *s, const struct strs *words)
{
    for (size_t i = 0; i < words->count; i++)
        service_arg(s, "%s", words->v[i]);
}

/* What the scheduler and the reports are called with alike. */
static void add_cell(struct service *s, const char *store, const char *cell, unsigned user)
{
    service_arg(s, "--dir");
    service_arg(s, ".");
    service_arg(s, "--redis");
    service_arg(s, "%s", store);
    service_arg(s, "--cell");
    service_arg(s, "%s", cell);
    service_arg(s, "--user");
    service_arg(s, "%u:%u", user, user);
}

static void describe_reeved(struct service *s, const struct system *up, const char *store, const char *cell)
{
    *s = (struct service){.name = "reeved", .program = "reeved", .cwd = ".", .patience_ms = 10000,
                          .answers = reeved_answers, .pidfd = -1};
    add_cell(s, store, cell, UID_SCHEDULER);
    service_arg(s, "--agent-uid");
    service_arg(s, "%u", UID_AGENT);
    service_arg(s, "--report-uid");
    service_arg(s, "%u", UID_REPORT);
    service_arg(s, "--archive");
    service_arg(s, "scheduler/archive");
    if (up->slice != NULL)
        service_arg(s, "--slice=%s", up->slice);
    if (up->pause_max != NULL)
        service_arg(s, "--pause-max=%s", up->pause_max);
}

static int describe_warden(struct service *s, const struct system *up, const char *cgroup, struct err *err)
{
    *s = (struct service){.name = "warden", .program = "reeve-warden", .cwd = ".", .patience_ms = 20000,
                          .answers = node_answers, .pidfd = -1};
    service_arg(s, "--dir");
    service_arg(s, ".");
    service_arg(s, "--cgroup");
    service_arg(s, "%s", cgroup);
    service_arg(s, "--agent-uid");
    service_arg(s, "%u", UID_AGENT);
    service_arg(s, "--agent-gid");
    service_arg(s, "%u", UID_AGENT);
    service_arg(s, "--kill-on-exit");
    service_arg(s, "--at-root"); /* started from a login: its group is the shell's too */
    add_words(s, &up->node.warden);
    int r = describe_programs(s, err);
    if (r < 0)
        return r;
    service_arg(s, "--");
    service_arg(s, "reeve-agent"); /* its argv[0] */
    service_arg(s, "--dir");
    service_arg(s, ".");
    add_words(s, &up->node.agent);
    return 0;
}

static void describe_reportd(struct service *s, const struct system *up, const char *store, const char *cell)
{
    *s = (struct service){.name = "reportd", .program = "reeve-reportd", .cwd = ".", .patience_ms = 10000,
                          .answers = reportd_answers, .pidfd = -1};
    add_cell(s, store, cell, UID_REPORT);
    if (up->http_port != UINT32_MAX) {
        service_arg(s, "--http-port");
        service_arg(s, "%" PRIu32, up->http_port);
    }
}

int system_describe(struct system *up, struct err *err)
{
    const char *store = up->redis_url != NULL ? up->redis_url : "unix:redis/redis.sock";
    char name[24];
    system_name(up->dir, name);
    describe_redis(&up->services[REDIS]);
    describe_reeved(&up->services[REEVED], up, store, name);
    describe_reportd(&up->services[REPORTD], up, store, name);
    return describe_warden(&up->services[WARDEN], up, name, err);
}

bool system_uses(const struct system *up, int service)
{
    return service != REDIS || up->redis_url == NULL;
}
