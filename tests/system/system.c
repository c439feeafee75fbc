#include "tests/system/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/json.h"
#include "base/io/rpc.h"

static char dir[4096], build[4096];
static pid_t owner; /* Check forks each test: only who started the system takes it down */

uint64_t system_now_ms(void)
{
    return clock_boot_us() / 1000;
}

void system_pause_ms(uint32_t ms)
{
    poll(NULL, 0, (int)ms);
}

const char *system_dir(void)
{
    return dir;
}

const char *system_program(void)
{
    static char program[4200];
    snprintf(program, sizeof program, "%s/reeve", build);
    return program;
}

static int run(char *const argv[])
{
    pid_t pid = fork();
    if (pid == 0) {
        execv(argv[0], argv);
        _exit(127);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int reeve(const char *command, const char *a, const char *b, const char *c)
{
    char program[4200];
    snprintf(program, sizeof program, "%s/reeve", build);
    char *argv[] = {program,
                    strdup("--dir"),
                    dir,
                    strdup(command),
                    a != NULL ? strdup(a) : NULL,
                    b != NULL ? strdup(b) : NULL,
                    c != NULL ? strdup(c) : NULL,
                    NULL};
    int r = run(argv);
    free(argv[1]);
    for (size_t i = 3; argv[i] != NULL; i++)
        free(argv[i]);
    return r;
}

static void down_at_exit(void)
{
    if (dir[0] != '\0' && getpid() == owner)
        system_stop();
}

void system_start(const char *build_dir, const char *policy_yaml)
{
    system_start_with(build_dir, policy_yaml, (const char *const[]){NULL});
}

void system_start_with(const char *build_dir, const char *policy_yaml, const char *const *options)
{
    if (realpath(build_dir, build) == NULL) {
        fprintf(stderr, "no build folder '%s'\n", build_dir);
        exit(2);
    }
    int n = snprintf(dir, sizeof dir, "%.4000s/system-XXXXXX", build);
    if (n < 0 || mkdtemp(dir) == NULL) {
        fprintf(stderr, "mkdtemp %s: %s\n", dir, strerror(errno));
        exit(2);
    }
    owner = getpid();
    atexit(down_at_exit);
    char program[4200];
    snprintf(program, sizeof program, "%s/reeve", build);
    char *argv[] = {program,
                    strdup("up"),
                    strdup("--dir"),
                    dir,
                    strdup("--cpus"),
                    strdup("4"),
                    strdup("--memory"),
                    strdup("4Gi"),
                    strdup("--generic"),
                    strdup("gpu=2"),
                    strdup("--name"),
                    strdup("n1"),
                    strdup("--volume"),
                    strdup("node-etc=/etc/.:ro"),
                    strdup("--logs-keep"),
                    strdup("512Mi"),
                    strdup("--detach"),
                    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                    NULL};
    for (size_t i = 0, at = 0; i < 8 && options[i] != NULL; i++) {
        while (argv[at] != NULL)
            at++;
        argv[at] = strdup(options[i]);
    }
    if (run(argv) != 0)
        exit(2);
    char policy[4200];
    snprintf(policy, sizeof policy, "%s/policy.yaml", dir);
    if (file_write_durable(policy, policy_yaml, strlen(policy_yaml), 0644, NULL) < 0 ||
        reeve("admin", "apply", policy, NULL) != 0) {
        fprintf(stderr, "the policy was not accepted\n");
        exit(2);
    }
}

/* Below /sys/fs/cgroup, at most six levels down: a folder named like our system. */
static bool cgroup_left(const char *path, const char *name, int depth)
{
    DIR *d = opendir(path);
    bool found = false;
    for (struct dirent *e; d != NULL && !found && (e = readdir(d)) != NULL;) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        char inner[8192];
        snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        found = strstr(e->d_name, name) != NULL || (depth > 0 && cgroup_left(inner, name, depth - 1));
        if (found && strstr(e->d_name, name) != NULL)
            fprintf(stderr, "left behind: %s\n", inner);
    }
    if (d != NULL)
        closedir(d);
    return found;
}

void system_cell(char out[24])
{
    uint64_t h = UINT64_C(14695981039346656037); /* as cli/up.c */
    for (const char *c = dir; *c != '\0'; c++)
        h = (h ^ (uint8_t)*c) * UINT64_C(1099511628211);
    snprintf(out, 24, "up-%08" PRIx32, (uint32_t)(h ^ (h >> 32)));
}

bool system_stop(void)
{
    char name[24];
    system_cell(name);
    bool clean = reeve("down", NULL, NULL, NULL) == 0;
    clean = !cgroup_left("/sys/fs/cgroup", name, 6) && clean;
    struct buf mounts = {0};
    if (file_read("/proc/self/mounts", 4 << 20, &mounts, NULL) == 0 && strstr(buf_text(&mounts), dir) != NULL) {
        fprintf(stderr, "left behind: a mount of %s\n", dir);
        clean = false;
    }
    buf_fini(&mounts);
    if (getenv("REEVE_KEEP") == NULL)
        clean = dir_remove(dir, NULL) == 0 && clean;
    dir[0] = '\0';
    return clean;
}

static struct rpc_client *try_client(void)
{
    char path[4200];
    struct rpc_client *client = NULL;
    snprintf(path, sizeof path, "%s/reeve.sock", dir);
    return rpc_client_open(&client, path, NULL) == 0 ? client : NULL;
}

struct rpc_client *system_client(void)
{
    for (uint64_t until = system_now_ms() + 20000; system_now_ms() < until; system_pause_ms(20)) {
        struct rpc_client *client = try_client();
        if (client != NULL)
            return client;
    }
    fprintf(stderr, "no connection to reeved within 20 s\n");
    abort();
}

int system_call(const struct method *m, const void *params, void *result, struct refusal *refusal, uint32_t within_ms)
{
    struct err err = {0};
    int r = -ETIMEDOUT;
    for (uint64_t until = system_now_ms() + within_ms; system_now_ms() < until; system_pause_ms(20)) {
        struct rpc_client *client = try_client();
        if (client == NULL)
            continue;
        r = rpc_client_call(client, m, params, 10000, result, refusal, &err);
        rpc_client_close(client);
        if (r >= 0 && !(r == 1 && refusal->code != NULL && strcmp(refusal->code, "unavailable") == 0))
            return r;
        fields_clear(&refusal_fields, refusal);
    }
    return r < 0 ? r : -ETIMEDOUT;
}

void system_wait_store(uint32_t within_ms)
{
    bool up = false;
    for (uint64_t until = system_now_ms() + within_ms; !up; system_pause_ms(10)) {
        struct status_reply status = {0};
        struct refusal refusal = {0};
        up = system_call(&client_methods[CALL_STATUS], NULL, &status, &refusal, within_ms) == 0 &&
             strcmp(status.store, "up") == 0;
        if (!up && system_now_ms() >= until) {
            fprintf(stderr, "the store: %s\n", status.store != NULL ? status.store : "?");
            abort();
        }
        fields_clear(&status_reply_fields, &status);
        fields_clear(&refusal_fields, &refusal);
    }
}

uint64_t system_submit(const char *tenant, const char *key, const char *spec_json, struct refusal *refusal)
{
    struct submit_call call = {0};
    struct submit_reply reply = {0};
    struct err err = {0};
    char random_key[40];
    uint64_t words[2];
    if (getrandom(words, sizeof words, 0) != (ssize_t)sizeof words)
        abort();
    snprintf(random_key, sizeof random_key, "%016" PRIx64 "%016" PRIx64, words[0], words[1]);
    if (json_read(&job_spec_fields, spec_json, strlen(spec_json), JSON_STRICT, &call.spec, &err) < 0 ||
        str_set(&call.key, key != NULL ? key : random_key) < 0 ||
        (tenant != NULL && str_set(&call.tenant, tenant) < 0)) {
        fprintf(stderr, "spec: %s\n", err_text(&err));
        abort();
    }
    int r = system_call(&client_methods[CALL_SUBMIT], &call, &reply, refusal, 30000);
    uint64_t job = r == 0 ? reply.job : 0;
    fields_clear(&submit_call_fields, &call);
    fields_clear(&submit_reply_fields, &reply);
    return job;
}

bool system_wait(uint64_t job, uint32_t within_ms, struct wait_reply *ret)
{
    struct wait_call call = {.job = job, .timeout_ms = 1000};
    for (uint64_t until = system_now_ms() + within_ms; system_now_ms() < until;) {
        struct refusal refusal = {0};
        fields_clear(&wait_reply_fields, ret);
        int r = system_call(&client_methods[CALL_WAIT], &call, ret, &refusal, 5000);
        fields_clear(&refusal_fields, &refusal);
        if (r == 0 && ret->final)
            return true;
        call.seen = r == 0 ? ret->change : 0;
        if (r != 0)
            system_pause_ms(50);
    }
    return false;
}

static void expect_of(int r, const struct refusal *refusal, const char *what)
{
    if (r == 0)
        return;
    fprintf(stderr, "%s: %s\n", what, r > 0 ? refusal->message : strerror(-r));
    abort();
}

static void expect(int r, const struct refusal *refusal, uint64_t job)
{
    char what[32];
    snprintf(what, sizeof what, "job %" PRIu64, job);
    expect_of(r, refusal, what);
}

struct job_view system_show(uint64_t job)
{
    struct job_call call = {.job = job};
    struct job_view view = {0};
    struct refusal refusal = {0};
    expect(system_call(&client_methods[CALL_SHOW], &call, &view, &refusal, 20000), &refusal, job);
    return view;
}

void system_set_budget(const char *tenant, int64_t micros)
{
    struct policy_reply now = {0};
    struct apply_reply reply = {0};
    struct refusal refusal = {0};
    expect_of(system_call(&client_methods[CALL_POLICY], NULL, &now, &refusal, 20000), &refusal, "policy");
    struct apply_call call = {.policy = now.policy};
    struct price_version *prices = call.policy.prices.v;
    struct tenant_rule *rules = call.policy.tenants.v;
    for (size_t i = 0; i < call.policy.prices.count; i++)
        prices[i].version = 0;
    for (size_t i = 0; i < call.policy.tenants.count; i++)
        if (strcmp(rules[i].path, tenant) == 0)
            rules[i].budget.limit_micros = micros;
    expect_of(system_call(&client_methods[CALL_APPLY], &call, &reply, &refusal, 20000), &refusal, tenant);
    fields_clear(&apply_call_fields, &call);
    fields_clear(&apply_reply_fields, &reply);
}

void system_wait_state(uint64_t job, const char *state)
{
    struct wait_call call = {.job = job, .timeout_ms = 5000};
    for (bool is = false, final = false; !is;) {
        struct wait_reply reply = {0};
        struct refusal refusal = {0};
        if (final) {
            fprintf(stderr, "job %" PRIu64 " never was %s\n", job, state);
            abort();
        }
        expect(system_call(&client_methods[CALL_WAIT], &call, &reply, &refusal, 20000), &refusal, job);
        is = strcmp(reply.row.state, state) == 0;
        final = reply.final;
        call.seen = reply.change;
        fields_clear(&wait_reply_fields, &reply);
    }
}

char *system_log(uint64_t job, uint32_t task, uint32_t stream)
{
    struct log_call call = {.job = job, .task = task, .stream = stream, .max = 262144,
                            .wait = stream == STREAM_SECCOMP}; /* made when the job has ended */
    struct buf text = {0};
    for (;;) {
        struct log_reply reply = {0};
        struct refusal refusal = {0};
        int r = system_call(&client_methods[CALL_LOG], &call, &reply, &refusal, 10000);
        fields_clear(&refusal_fields, &refusal);
        if (r != 0) {
            buf_fini(&text);
            return NULL;
        }
        buf_add(&text, reply.data.data, reply.data.len);
        call.offset = reply.offset + reply.data.len;
        bool more = reply.data.len > 0 && !reply.end;
        fields_clear(&log_reply_fields, &reply);
        if (!more || text.len > 1 << 20)
            break;
    }
    buf_add(&text, "", 0);
    char *taken = buf_take(&text);
    return taken != NULL ? taken : strdup("");
}

void system_wait_runs(uint64_t job)
{
    for (bool runs = false; !runs;) {
        struct job_view view = system_show(job);
        const struct attempt_view *a = view.attempts.v;
        runs = view.attempts.count > 0 && strcmp(a[view.attempts.count - 1].state, "running") == 0;
        struct wait_call call = {.job = job, .seen = view.change, .timeout_ms = 5000};
        struct wait_reply reply = {0};
        struct refusal refusal = {0};
        if (!runs)
            expect(system_call(&client_methods[CALL_WAIT], &call, &reply, &refusal, 20000), &refusal, job);
        if (reply.final) {
            fprintf(stderr, "job %" PRIu64 " ended before it was seen to run\n", job);
            abort();
        }
        fields_clear(&wait_reply_fields, &reply);
        fields_clear(&job_view_fields, &view);
    }
}

static pid_t noted_pid(const char *name)
{
    char path[4200];
    struct buf text = {0};
    snprintf(path, sizeof path, "%s/run/%s", dir, name);
    pid_t pid = 0;
    if (file_read(path, 4096, &text, NULL) == 0)
        pid = (pid_t)strtol(buf_text(&text), NULL, 10);
    buf_fini(&text);
    return pid;
}

pid_t system_child(pid_t parent, const char *comm)
{
    char path[128];
    struct buf text = {0};
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    pid_t found = 0;
    if (parent > 0 && file_read(path, 1 << 20, &text, NULL) == 0)
        for (char *at = text.data, *end; at != NULL && found == 0; at = end) {
            pid_t pid = (pid_t)strtol(at, &end, 10);
            if (end == at)
                break;
            struct buf name = {0};
            snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
            if (file_read(path, 64, &name, NULL) == 0 && strncmp(buf_text(&name), comm, strlen(comm)) == 0)
                found = pid;
            buf_fini(&name);
        }
    buf_fini(&text);
    return found;
}

static pid_t parent_of(pid_t pid)
{
    char path[64];
    struct buf status = {0};
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    bool read = pid > 0 && file_read(path, 65536, &status, NULL) == 0;
    const char *line = read ? strstr(buf_text(&status), "\nPPid:") : NULL;
    pid_t parent = line != NULL ? (pid_t)strtol(line + strlen("\nPPid:"), NULL, 10) : 0;
    buf_fini(&status);
    return parent;
}

pid_t system_pid(const char *name)
{
    if (strcmp(name, "up") == 0)
        return parent_of(noted_pid("warden"));
    if (strcmp(name, "agent") == 0)
        return system_child(noted_pid("warden"), "reeve-agent");
    if (strcmp(name, "zygote") == 0)
        return system_child(noted_pid("warden"), "reeve-keeper");
    return noted_pid(name);
}

/* Pids of every process whose cgroup path names our system: attempt groups are "a<job>.<task>.<epoch>.s<slot>". The
 * keeper is the one that is pid 1 in its own namespace. */
pid_t system_keeper(uint64_t job, unsigned n)
{
    char name[24], attempt[32] = "/a";
    system_cell(name);
    if (job != 0)
        snprintf(attempt, sizeof attempt, "/a%" PRIu64 ".", job);
    DIR *d = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *e; d != NULL && found == 0 && (e = readdir(d)) != NULL;) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        char path[128];
        struct buf group = {0}, status = {0};
        if (pid <= 0)
            continue;
        snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
        bool ours = file_read(path, 65536, &group, NULL) == 0 && strstr(buf_text(&group), name) != NULL &&
                    strstr(buf_text(&group), attempt) != NULL;
        snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
        if (ours && file_read(path, 65536, &status, NULL) == 0 && strstr(buf_text(&status), "\nState:\tZ") == NULL) {
            const char *line = strstr(buf_text(&status), "\nNSpid:");
            const char *end = line != NULL ? strchr(line + 1, '\n') : NULL;
            if (end != NULL && end - line > 2 && end[-1] == '1' && end[-2] == '\t' && n-- == 0)
                found = pid;
        }
        buf_fini(&group);
        buf_fini(&status);
    }
    if (d != NULL)
        closedir(d);
    return found;
}

char *system_http(const char *path, int *ret_status)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char folder[4200], text[1024];
    *ret_status = 0;
    snprintf(folder, sizeof folder, "%s/report", dir);
    CLEANUP(close_p) int folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/http.sock", folder_fd);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return NULL;
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.0\r\nHost: reeve\r\nConnection: close\r\n\r\n", path);
    struct buf answer = {0};
    if (fd_write_all(fd, text, (size_t)n) == 0)
        for (ssize_t got; (got = read(fd, text, sizeof text)) > 0 && answer.len < 4 << 20;)
            buf_add(&answer, text, (size_t)got);
    const char *body = strstr(buf_text(&answer), "\r\n\r\n");
    char *copy = body != NULL ? strdup(body + 4) : NULL;
    if (strncmp(buf_text(&answer), "HTTP/1.", 7) == 0)
        *ret_status = (int)strtol(buf_text(&answer) + 9, NULL, 10);
    buf_fini(&answer);
    return copy;
}

bool system_books_equal(uint32_t within_ms, char *ret_text, size_t size)
{
    for (uint64_t until = system_now_ms() + within_ms; system_now_ms() < until; system_pause_ms(100)) {
        int status = 0;
        char *body = system_http("/v1/ledger/check", &status);
        bool equal = status == 200 && body != NULL && strstr(body, "\"equal\":true") != NULL;
        snprintf(ret_text, size, "%d %s", status, body != NULL ? body : "");
        free(body);
        if (equal)
            return true;
    }
    return false;
}
