/*
 * The whole system under load. usage: bench_system BUILD. Prints `name value unit`; floors run beside, in the same run.
 *
 *   submit_*      submissions acknowledged durably, 1 and 32 in flight on one connection
 *   jobs_*        `true` jobs end to end: submitted, placed, held, confined, settled, journaled; beside fork+exec
 *   start_*       from before the submission is sent to the payload's exec, on an idle system
 *   memory_*      PSS of each program; reeved with 100,000 queued jobs
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/json.h"
#include "base/io/rpc.h"
#include "tests/system/system.h"

static const char policy[] =
    "currency: EUR\n"
    "admins: [root]\n"
    "prices:\n"
    "  - {from: 2026-01-01, per_hour: {cpu: 0.04, memory: 0.005}}\n"
    "tenants:\n"
    "  bench: {quota: {max_queued: 1000000}, budget: {limit: 100000, period: month}, users: [root]}\n"
    "  bench/jobs: {}\n"
    "  full: {quota: {cpu: 0.01, max_queued: 1000000}, users: [root]}\n";

static void print(const char *name, double value, const char *unit)
{
    printf("%s %.*f %s\n", name, value < 100 ? 2 : 0, value, unit);
    fflush(stdout);
}

static int connect_raw(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/reeve.sock", system_dir());
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        fprintf(stderr, "connect: %s\n", strerror(errno));
        exit(1);
    }
    return fd;
}

/* `count` submissions to `tenant`, at most `window` unanswered; returns submissions a second. */
static double submit_rate(const char *tenant, unsigned count, unsigned window, const char *spec)
{
    int fd = connect_raw();
    static unsigned run;
    run++;
    unsigned sent = 0, answered = 0, refused = 0;
    char *out = malloc(window * 1024), in[65536];
    uint64_t began = clock_boot_us();
    while (answered < count) {
        size_t n = 0;
        while (sent < count && sent - answered < window) {
            int got = snprintf(out + n, 1024,
                               "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"job.submit\",\"params\":"
                               "{\"tenant\":\"%s\",\"key\":\"b%d.%u.%u\",\"spec\":%s}}\n",
                               sent, tenant, (int)getpid(), run, sent, spec);
            n += (size_t)MIN(got, 1023);
            sent++;
        }
        if (n > 0 && fd_write_all(fd, out, n) < 0)
            break;
        ssize_t got = read(fd, in, sizeof in);
        if (got <= 0)
            break;
        for (char *at = in; (at = memchr(at, '\n', (size_t)(in + got - at))) != NULL; at++)
            answered++;
        in[MIN((size_t)got, sizeof in - 1)] = '\0';
        refused += strstr(in, "\"error\"") != NULL;
    }
    double seconds = (double)(clock_boot_us() - began) / 1e6;
    close(fd);
    free(out);
    if (refused > 0 || answered < count)
        fprintf(stderr, "submit: %u of %u answered, refusals in %u reads\n", answered, count, refused);
    return count / seconds;
}

static uint64_t submit_array(const char *tenant, unsigned tasks)
{
    char spec[512];
    struct refusal refusal = {0};
    snprintf(spec, sizeof spec,
             "{\"command\":[\"true\"],\"resources\":{\"cpu\":0.1,\"memory\":\"8Mi\",\"scratch\":\"1Mi\"},"
             "\"array\":{\"first\":1,\"last\":%u}}",
             tasks);
    uint64_t job = system_submit(tenant, NULL, spec, &refusal);
    if (job == 0) {
        fprintf(stderr, "refused: %s\n", refusal.message);
        exit(1);
    }
    return job;
}

static double jobs_rate(unsigned tasks)
{
    uint64_t began = clock_boot_us();
    uint64_t job = submit_array("bench/jobs", tasks);
    struct wait_reply reply = {0};
    if (!system_wait(job, 600000, &reply) || reply.row.done != tasks || reply.row.failed != 0)
        fprintf(stderr, "jobs: %u done, %u failed of %u\n", reply.row.done, reply.row.failed, tasks);
    double seconds = (double)(clock_boot_us() - began) / 1e6;
    fields_clear(&wait_reply_fields, &reply);
    return tasks / seconds;
}

/* The same number of `true`, two at a time, with nothing around it. */
static double fork_rate(unsigned count)
{
    uint64_t began = clock_boot_us();
    unsigned started = 0, ended = 0;
    while (ended < count) {
        while (started < count && started - ended < 2) {
            pid_t pid = fork();
            if (pid == 0) {
                execl("/bin/true", "true", (char *)NULL);
                _exit(127);
            }
            started++;
        }
        if (wait(NULL) > 0)
            ended++;
    }
    return count / ((double)(clock_boot_us() - began) / 1e6);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void start_latency(unsigned count)
{
    double *ms = calloc(count, sizeof *ms);
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        struct refusal refusal = {0};
        int64_t before = clock_utc_us();
        uint64_t job = system_submit(
            "bench", NULL,
            "{\"command\":[\"true\"],\"resources\":{\"cpu\":0.1,\"memory\":\"8Mi\",\"scratch\":\"1Mi\"}}", &refusal);
        struct wait_reply reply = {0};
        if (job == 0 || !system_wait(job, 30000, &reply))
            continue;
        fields_clear(&wait_reply_fields, &reply);
        struct job_call call = {.job = job};
        struct job_view view = {0};
        if (system_call(&client_methods[CALL_SHOW], &call, &view, &refusal, 5000) == 0 && view.attempts.count > 0)
            ms[n++] = (double)(((struct attempt_view *)view.attempts.v)[0].record.started_utc_us - before) / 1e3;
        fields_clear(&job_view_fields, &view);
        system_pause_ms(5);
    }
    if (n > 0) {
        qsort(ms, n, sizeof *ms, by_value);
        print("start_p50", ms[n / 2], "ms");
        print("start_p99", ms[n * 99 / 100], "ms");
    }
    free(ms);
}

static double pss_kib(pid_t pid)
{
    char path[64];
    struct buf text = {0};
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    double kib = 0;
    if (pid > 0 && file_read(path, 65536, &text, NULL) == 0) {
        const char *line = strstr(buf_text(&text), "\nPss:");
        kib = line != NULL ? strtod(line + 5, NULL) : 0;
    }
    buf_fini(&text);
    return kib;
}

int main(int argc, char **argv)
{
    if (argc < 2 || geteuid() != 0) {
        fprintf(stderr, "usage: bench_system BUILD, as root\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    system_start(argv[1], policy);
    print("memory_agent_idle", pss_kib(system_pid("agent")), "KiB");
    print("memory_warden_idle", pss_kib(system_pid("warden")), "KiB");
    print("memory_zygote_idle", pss_kib(system_pid("zygote")), "KiB");
    start_latency(200);
    for (int round = 0; round < 3; round++) {
        print("jobs_floor_fork_exec", fork_rate(2000), "jobs/s");
        print("jobs_true_confined", jobs_rate(2000), "jobs/s");
    }
    struct refusal refusal = {0};
    uint64_t sleeper = system_submit(
        "bench", NULL,
        "{\"command\":[\"sleep\",\"30\"],\"resources\":{\"cpu\":0.1,\"memory\":\"8Mi\",\"scratch\":\"1Mi\"}}",
        &refusal);
    for (int i = 0; i < 500 && system_keeper(sleeper, 0) == 0; i++)
        system_pause_ms(10);
    system_pause_ms(200);
    print("memory_keeper", pss_kib(system_keeper(sleeper, 0)), "KiB");
    struct job_call cancel = {.job = sleeper};
    struct cancel_reply cancelled = {0};
    if (system_call(&client_methods[CALL_CANCEL], &cancel, &cancelled, &refusal, 5000) != 0)
        fprintf(stderr, "cancel failed\n");
    /* These never start: their tenant may hold less than one of them asks for at once. */
    static const char small[] = "{\"command\":[\"true\"],\"resources\":{\"cpu\":0.01}}";
    uint64_t blocker = system_submit(
        "full", NULL,
        "{\"command\":[\"sleep\",\"600\"],\"resources\":{\"cpu\":0.01,\"memory\":\"8Mi\",\"scratch\":\"1Mi\"}}",
        &refusal);
    system_pause_ms(300);
    for (int round = 0; round < 3; round++) {
        print("submit_1_in_flight", submit_rate("full", 3000, 1, small), "submissions/s");
        print("submit_32_in_flight", submit_rate("full", 20000, 32, small), "submissions/s");
    }
    submit_rate("full", 31000, 32, small);
    print("memory_reeved_100000_queued", pss_kib(system_pid("reeved")) / 1024, "MiB");
    (void)blocker;
    return system_stop() ? 0 : 1;
}
