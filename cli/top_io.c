/* top --io: how this node's disk is shared: tenants against their weights, what they moved, who waits and for what; and
 * the jobs that moved most. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "agent/core/io_status.h"
#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/json.h"
#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/top.h"

#define STATUS_BYTES_MAX ((size_t)4 << 20)
#define PATH_BYTES 4096

static int read_status(const char *path, struct io_status *ret, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};
    int rc = file_read(path, STATUS_BYTES_MAX, &text, err);
    return rc < 0 ? rc : json_read(&io_status_fields, buf_text(&text), text.len, JSON_LENIENT, ret, err);
}

static void add_percent(struct columns *t, uint64_t part, uint64_t whole)
{
    if (whole > 0)
        buf_addf(columns_cell(t), "%.1f%%", (double)part * 100 / (double)whole);
    columns_next(t);
}

static void add_rate(struct columns *t, uint64_t bytes, uint64_t interval_us)
{
    if (bytes > 0 && interval_us > 0) {
        format_bytes(columns_cell(t), (uint64_t)((double)bytes * 1e6 / (double)interval_us));
        buf_add_str(columns_cell(t), "/s");
    }
    columns_next(t);
}

static void add_standing(struct columns *t, const struct io_tenant *tenant)
{
    buf_add_str(columns_cell(t), names_get(&io_standing_names, tenant->standing));
    if (tenant->limited_us > 0) {
        buf_addf(columns_cell(t), " by %s", names_get(&io_limit_names, tenant->limited_by));
        if (tenant->limited_above != NULL)
            buf_addf(columns_cell(t), " of %s", tenant->limited_above);
        buf_add_str(columns_cell(t), " for ");
        format_span(columns_cell(t), tenant->limited_us);
    }
    columns_next(t);
}

static void print_tenants(struct cli *cli, const struct io_status *s, struct buf *out)
{
    static const struct column columns[] = {
        {"TENANT", false, true}, {"WEIGHT", true, true}, {"FAIR", true, true},   {"HAS", true, true},
        {"READ", true, false},   {"WRITE", true, false}, {"DIRECT", true, false}, {"STATE", false, true}};
    const struct io_tenant *v = s->tenants.v;
    uint64_t weights = 0, parts = 0, charged = 0; /* an agent from before weights had a tree says no parts */
    struct columns t;
    for (size_t i = 0; i < s->tenants.count; i++) {
        weights += v[i].weight;
        parts += v[i].part_ppm;
        charged += v[i].charged_us;
    }
    columns_init(&t, columns, COUNT_OF(columns), cli->colour_out);
    for (size_t i = 0; i < s->tenants.count; i++) {
        columns_add(&t, v[i].tenant);
        buf_addf(columns_cell(&t), "%" PRIu32, v[i].weight);
        columns_next(&t);
        if (parts > 0)
            add_percent(&t, v[i].part_ppm, parts);
        else
            add_percent(&t, v[i].weight, weights);
        add_percent(&t, v[i].charged_us, charged);
        add_rate(&t, v[i].read_bytes, s->interval_us);
        add_rate(&t, v[i].written_bytes, s->interval_us);
        add_rate(&t, v[i].direct_read_bytes + v[i].direct_written_bytes, s->interval_us);
        add_standing(&t, &v[i]);
    }
    columns_write(&t, true, 0, cli->width, out);
    columns_fini(&t);
}

#define JOBS_SHOWN 10

static void print_jobs(struct cli *cli, const struct io_status *s, struct buf *out)
{
    static const struct column columns[] = {{"JOB", true, true},   {"TENANT", false, true}, {"READ", true, false},
                                            {"WRITE", true, false}, {"DIRECT READ", true, false},
                                            {"DIRECT WRITE", true, false}};
    const struct io_job *v = s->jobs.v;
    struct columns t;
    columns_init(&t, columns, COUNT_OF(columns), cli->colour_out);
    for (size_t i = 0; i < s->jobs.count && i < JOBS_SHOWN; i++) {
        buf_addf(columns_cell(&t), "%" PRIu64, v[i].job);
        columns_next(&t);
        columns_add(&t, v[i].tenant);
        add_rate(&t, v[i].read_bytes, s->interval_us);
        add_rate(&t, v[i].written_bytes, s->interval_us);
        add_rate(&t, v[i].direct_read_bytes, s->interval_us);
        add_rate(&t, v[i].direct_written_bytes, s->interval_us);
    }
    buf_add_str(out, "\n");
    columns_write(&t, true, 0, cli->width, out);
    columns_fini(&t);
}

static void print_status(struct cli *cli, const struct io_status *s)
{
    struct buf out = {0};
    buf_add_str(&out, "device ");
    format_safe(&out, s->device);
    buf_addf(&out, " (%s)  window %" PRIu64 " us  in flight %" PRIu64 " us  speed %.2f  at ",
             s->model != NULL ? s->model : "?", s->window_us, s->in_flight_us, (double)s->speed_ppm / 1e6);
    format_instant(&out, s->utc_us);
    buf_addf(&out, "\nwait p50 %" PRIu64 " us p99 %" PRIu64 " us  service p50 %" PRIu64 " us p99 %" PRIu64 " us",
             s->wait_p50_us, s->wait_p99_us, s->service_p50_us, s->service_p99_us);
    if (s->stuck > 0)
        buf_addf(&out, "  stuck %" PRIu32 ": the disk or a file system doesn't answer; see dmesg", s->stuck);
    buf_add_str(&out, "\n");
    if (s->check.from_utc_us != 0) {
        struct io_verdict v = io_verdict(&s->check.sums);
        buf_add_str(&out, "meters since ");
        format_instant(&out, s->check.from_utc_us);
        buf_add_str(&out, "  ");
        io_verdict_text(&v, &out);
        buf_add_str(&out, "\n");
    }
    if (io_status_is_old(s, clock_utc_us())) {
        format_styled(&out, cli->colour_out, STYLE_BAD, "old");
        buf_add_str(&out, ": no agent has said more since; so it was then\n");
    }
    if (s->tenants.count == 0)
        buf_add_str(&out, "nobody moves anything\n");
    else
        print_tenants(cli, s, &out);
    if (s->jobs.count > 0)
        print_jobs(cli, s, &out);
    fputs(buf_text(&out), stdout);
    fflush(stdout);
    buf_fini(&out);
}

static int look(struct cli *cli, const char *path, bool clear)
{
    struct io_status s = {0};
    struct err err = {0};
    int rc = read_status(path, &s, &err);
    if (rc < 0) {
        fprintf(stderr, "reeve: top: %s%s\n", err_text(&err),
                rc == -ENOENT ? "; no agent runs there, or nothing has moved since it started" : "");
        return CLI_UNREACHABLE;
    }
    if (clear)
        fputs("\033[H\033[J", stdout);
    if (cli->json)
        cli_json(&io_status_fields, &s);
    else
        print_status(cli, &s);
    fields_clear(&io_status_fields, &s);
    return CLI_DONE;
}

/* That of an agent that is gone becomes old while nothing comes. */
static bool await(int fd)
{
    char events[4096];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = poll(&p, 1, IO_STATUS_OLD_MS);
    return n == 0 || (n > 0 && read(fd, events, sizeof events) > 0);
}

/* Each new report is renamed into its place. */
static int follow(struct cli *cli, const char *folder, const char *path)
{
    CLEANUP(close_p) int fd = inotify_init1(IN_CLOEXEC);
    int code = fd < 0 || inotify_add_watch(fd, folder, IN_MOVED_TO) < 0 ? CLI_UNREACHABLE : look(cli, path, true);
    while (code == CLI_DONE && await(fd))
        code = look(cli, path, true);
    return code;
}

int top_io(struct cli *cli, bool once)
{
    char folder[PATH_BYTES], path[PATH_BYTES];
    const char *slash = strrchr(cli->scheduler_path, '/'); /* the system's folder: where its socket would be */
    int n = snprintf(path, sizeof path, "%.*s/" IO_STATUS_PATH, slash != NULL ? (int)(slash - cli->scheduler_path) : 1,
                     slash != NULL ? cli->scheduler_path : ".");
    if (n < 0 || n >= (int)sizeof path)
        return cli_usage(cli, "--dir is too long");
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    return cli->progress && !once && !cli->json ? follow(cli, folder, path) : look(cli, path, false);
}
