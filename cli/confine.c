/* confine - a command in a sandbox, here and now: launch, pass on, stop, exit as it exits. */
#include "cli/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/io/json.h"
#include "cli/commands.h"
#include "cli/confine_filter.h"
#include "cli/format.h"
#include "cli/job_text.h"
#include "isolation/spec/step.h"

#define GRACE_DEFAULT_MS 5000

/* ---- options ---------------------------------------------------------------------------------------------- */

#define AT(member) offsetof(struct confine_request, member)
static int set_node_volume(void *into, const char *value, struct err *err)
{
    return node_options_volume(&((struct confine_request *)into)->node, value, err);
}

static const struct option_row confine_rows[] = {
    {.name = "file", .kind = OPTION_TEXT, .value = "FILE", .offset = AT(file),
     .help = "a job file or script: its sandbox, and its command when none is given; options override it"},
    {.name = "pids", .kind = OPTION_U32, .value = "N", .offset = AT(pids), .max = SANDBOX_PIDS_MAX,
     .help = "processes and threads at once (default 4096)"},
    {.name = "hostname", .kind = OPTION_TEXT, .value = "NAME", .offset = AT(hostname),
     .help = "the host's name inside (default job-1)"},
    {.name = "grace", .kind = OPTION_DURATION, .value = "DURATION", .offset = AT(grace_ms),
     .max = JOB_TIME_LIMIT_MAX_MS, .help = "between SIGTERM and SIGKILL when it is stopped (default 5s)"},
    {.name = "explain", .kind = OPTION_FLAG, .offset = AT(explain),
     .help = "before the command runs, say every step and limit that was set, as the system has it"},
    {.name = "stats", .kind = OPTION_FLAG, .offset = AT(stats),
     .help = "at the end, a line about what it used (with --json: one of JSON), on stderr"},
    {.name = "profile", .kind = OPTION_TEXT, .value = "FILE", .offset = AT(profile),
     .help = "with --seccomp trace: where the profile that would have let it run is written"},
    {.name = "node-volume", .kind = OPTION_CALL, .value = "NAME=PATH[:ro][:noexec]", .set = set_node_volume,
     .repeated = true, .help = "a folder that --volume may name; may be repeated"},
};
/* What a node offers comes from its own options: here they stand beside those of the job that uses it. */
static const struct option_set node_set = {.rows = node_option_rows, .count = NODE_OPTION_ROWS,
                                           .also = &sandbox_options, .also_at = AT(job) - AT(node)};
const struct option_set confine_options = {.rows = confine_rows, .count = COUNT_OF(confine_rows), .also = &node_set,
                                           .also_at = AT(node), .stop_at_word = true};
_Static_assert(AT(node) < AT(job), "the offset of the one from the other");

/* Of the request only; the file's name is known when the options were read once. */
static int take_file(struct cli *cli, struct confine_request *r, int argc, char **argv, struct words *words,
                     struct err *err)
{
    const char *file = r->file;
    job_request_fini(&r->job);
    node_options_fini(&r->node);
    *r = (struct confine_request){.grace_ms = GRACE_DEFAULT_MS};
    free(words->v);
    *words = (struct words){0};
    int rc = job_request_read(&r->job, file, err);
    return rc < 0 ? rc : args_parse(&confine_options, r, cli, argc, argv, words, err);
}

/* A command on the line replaces the file's. */
static int take_command(struct confine_request *r, const struct words *words, struct err *err)
{
    struct job_spec *spec = &r->job.call.spec;
    if (words->count == 0)
        return r->file != NULL ? 0 : err_set(err, -EINVAL, "a command is missing");
    for (size_t i = 0; i < spec->command.count; i++)
        free(spec->command.v[i]);
    free(spec->command.v);
    spec->command = (struct strs){0};
    free(TAKE_PTR(spec->script));
    int rc = 0;
    for (size_t i = 0; i < words->count && rc == 0; i++)
        rc = strs_add(&spec->command, words->v[i]) < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
    return rc;
}

static bool is_traced(const struct job_spec *spec)
{
    return spec->seccomp != NULL && strcmp(spec->seccomp, SECCOMP_TRACE) == 0;
}

static int complete(struct confine_request *r, struct err *err)
{
    struct job_spec *spec = &r->job.call.spec;
    int rc = job_spec_complete(spec, err);
    if (rc == 0 && is_traced(spec) != (r->profile != NULL))
        rc = err_set(err, -EINVAL, "--seccomp trace and --profile FILE go together");
    if (rc == 0 && r->explain && spec->script != NULL)
        rc = err_set(err, -EINVAL, "--explain needs a command; this file has a script");
    return rc == 0 && r->explain ? confine_explain_command(&spec->command) : rc;
}

static int read_request(struct cli *cli, struct confine_request *r, int argc, char **argv)
{
    struct words words = {0};
    struct err err = {0};
    r->grace_ms = GRACE_DEFAULT_MS;
    int rc = args_parse(&confine_options, r, cli, argc, argv, &words, &err);
    if (rc == 0 && r->file != NULL)
        rc = take_file(cli, r, argc, argv, &words, &err);
    rc = rc < 0 ? rc : take_command(r, &words, &err);
    free(words.v);
    rc = rc < 0 ? rc : complete(r, &err);
    if (rc == 0)
        return 0;
    cli_usage(cli, "%s", err_text(&err));
    return CONFINE_FAILED;
}

/* ---- one run ---------------------------------------------------------------------------------------------- */

enum { ON_SIGNAL, ON_WARDEN, ON_LINK, ON_OUT, ON_ERR, ON_COUNT };

struct confine {
    struct cli *cli;
    const struct confine_request *request;
    struct sandbox_spec spec;
    struct box box;
    int signals;
    struct stream out, err;
    bool launched, hello, ended, linked;
    struct op_reply launch;
    int stopped_by, stops; /* the first signal; how many */
    struct usage usage;
    struct keeper_record record;
};

static int complain(const char *what, const char *why)
{
    struct buf text = {0};
    format_safe(&text, why);
    fprintf(stderr, "reeve: confine: %s%s%s\n", what, what[0] != '\0' ? ": " : "", buf_text(&text));
    buf_fini(&text);
    return CONFINE_FAILED;
}

static int catch_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    static const int ours[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        sigaddset(&set, ours[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The first asks the job to stop; a second one leaves it no time. Before it runs, either ends the launch. */
static void stop(struct confine *c, int signo)
{
    if (c->stopped_by == 0)
        c->stopped_by = signo;
    uint32_t grace_ms = c->stops++ == 0 ? (uint32_t)MIN(c->request->grace_ms, UINT32_MAX) : 0;
    struct keeper_message m = {
        .op = KEEPER_STOP, .id = c->spec.id, .cause = END_CANCELLED, .grace_ms = grace_ms};
    (void)!box_tell(&c->box, m); /* it is gone: its end is on its way to us */
}

static int on_signal(struct confine *c)
{
    struct signalfd_siginfo info;
    while (read(c->signals, &info, sizeof info) == (ssize_t)sizeof info)
        stop(c, (int)info.ssi_signo);
    return c->launched || c->hello ? 0 : 128 + c->stopped_by; /* a keeper that says hello has a job that runs */
}

static int say_launch_failed(struct confine *c, const struct op_reply *reply)
{
    char step[sizeof reply->step + 1];
    snprintf(step, sizeof step, "%.*s", (int)sizeof reply->step, reply->step);
    CLEANUP(buf_fini) struct buf words = {0}, what = {0};
    buf_addf(&what, "launch failed at step '%s'", step);
    const char *says = launch_step_says(launch_step_find(step));
    if (says[0] != '\0')
        buf_addf(&what, " (%s)", says);
    box_last_words(&c->box, &words);
    return complain(buf_text(&what), words.len > 0 ? buf_text(&words) : strerror(reply->error));
}

static int explain(struct confine *c)
{
    CLEANUP(buf_fini) struct buf text = {0};
    struct err err = {0};
    int rc = confine_explain(&c->box, &c->launch, &c->spec.root, &text, &err);
    fputs(buf_text(&text), stderr);
    return rc < 0 ? complain("explain", err_text(&err)) : 0;
}

static int on_warden(struct confine *c)
{
    struct err err = {0};
    struct op_reply reply;
    if (box_hear(&c->box, &reply, &err) < 0)
        return complain(c->launched ? "the warden is lost" : "", err_text(&err));
    if (reply.status != OP_DONE)
        return say_launch_failed(c, &reply);
    c->launch = reply;
    c->launched = true;
    return c->request->explain ? explain(c) : 0;
}

/* What the keeper moved to the file because we were not there yet comes first. */
static int begin_stream(struct stream *s, int *file, int pipe)
{
    s->from = *file;
    s->next = pipe;
    *file = -1;
    return fd_nonblock(pipe, true);
}

static int on_hello(struct confine *c, const int *fds, size_t count)
{
    if (c->hello || count != 2)
        return complain("the keeper", "it said something else than expected");
    c->hello = true;
    int rc = begin_stream(&c->out, &c->box.out, fds[0]), rc_err = begin_stream(&c->err, &c->box.err, fds[1]);
    rc = rc < 0 ? rc : rc_err;
    return rc < 0 ? complain("the job's streams", strerror(-rc)) : 0;
}

static int on_link(struct confine *c)
{
    struct keeper_message m;
    int fds[2] = {-1, -1};
    size_t count = 2;
    ssize_t n = fd_recv_packet(c->box.link, &m, sizeof m, fds, &count);
    if (n != (ssize_t)sizeof m) { /* the keeper is gone, or never came: then the warden says why */
        c->linked = false;
        return 0;
    }
    c->ended = c->ended || m.op == KEEPER_ENDED;
    return m.op == KEEPER_HELLO ? on_hello(c, fds, count) : 0;
}

/* A reader that left is what SIGPIPE is for; anything else is named. Both end the job. */
static int on_stream(struct stream *s, const char *name)
{
    stream_move(s);
    if (s->error == 0)
        return 0;
    if (s->error == EPIPE)
        return 128 + SIGPIPE;
    char what[32];
    snprintf(what, sizeof what, "write to %s", name);
    return complain(what, strerror(s->error));
}

static bool is_over(const struct confine *c)
{
    bool heard = c->launched && (c->ended || !c->linked);
    return heard && stream_is_over(&c->out) && stream_is_over(&c->err);
}

/* Until the job has ended and every byte is out. 0, or the exit code of what came between. */
static int relay(struct confine *c)
{
    int code = 0;
    while (code == 0 && !is_over(c)) {
        struct pollfd at[ON_COUNT] = {
            [ON_SIGNAL] = {.fd = c->signals, .events = POLLIN},
            [ON_WARDEN] = {.fd = c->box.sock, .events = POLLIN},
            [ON_LINK] = {.fd = c->linked ? c->box.link : -1, .events = POLLIN},
            [ON_OUT] = stream_wants(&c->out),
            [ON_ERR] = stream_wants(&c->err),
        };
        if (poll(at, ON_COUNT, -1) < 0)
            continue;
        if (at[ON_SIGNAL].revents != 0)
            code = on_signal(c);
        if (code == 0 && at[ON_WARDEN].revents != 0)
            code = on_warden(c);
        if (code == 0 && at[ON_LINK].revents != 0)
            code = on_link(c);
        if (code == 0 && at[ON_OUT].revents != 0)
            code = on_stream(&c->out, "stdout");
        if (code == 0 && at[ON_ERR].revents != 0)
            code = on_stream(&c->err, "stderr");
    }
    return code;
}

/* ---- the end ---------------------------------------------------------------------------------------------- */

/* What its groups counted is read by the warden, when they are empty and before they go. */
static int finish(struct confine *c)
{
    struct err err = {0};
    struct op_reply reply;
    (void)!box_tell(&c->box, (struct keeper_message){.op = KEEPER_DRAINED, .id = c->spec.id});
    int rc = box_remove(&c->box, c->spec.id, &err);
    rc = rc < 0 ? rc : box_hear(&c->box, &reply, &err);
    if (rc < 0)
        return complain("", err_text(&err));
    if (reply.status != OP_DONE)
        return complain("", "the sandbox can't be taken down: a process in it doesn't die");
    c->usage = reply.usage;
    if (box_record(&c->box, &c->record) < 0)
        return complain("", "its keeper was killed, and all of the job with it; how it ended is not known");
    return 0;
}

static void say_end(const struct confine *c)
{
    const struct keeper_record *r = &c->record;
    if (r->cause == END_EXIT || r->cause >= END_CAUSE_COUNT)
        return; /* its exit code says it */
    CLEANUP(buf_fini) struct buf text = {0};
    if (r->cause == END_SIGNAL)
        buf_addf(&text, "killed by signal %d (%s)", r->signal, strsignal(r->signal));
    else
        format_safe(&text, end_causes[r->cause].sentence);
    if (r->cause == END_OOM) {
        buf_add_str(&text, ", peak ");
        format_bytes(&text, c->usage.mem_peak_bytes);
        buf_add_str(&text, " of ");
        format_bytes(&text, c->spec.mem_bytes + c->spec.scratch_bytes);
        buf_add_str(&text, " (memory and scratch)");
    }
    fprintf(stderr, "reeve: confine: %s\n", buf_text(&text));
}

static void say_stats_json(const struct confine *c)
{
    const struct exit_record record = {
        .cause = c->record.cause,
        .exit_code = c->record.exit_code,
        .signal = c->record.signal,
        .started_utc_us = c->record.started_utc_us,
        .run_us = c->record.run_us,
        .stray_procs = c->record.stray_procs,
        .usage = c->usage,
    };
    CLEANUP(buf_fini) struct buf text = {0};
    if (json_write(&exit_record_fields, &record, &text) == 0)
        fprintf(stderr, "%s\n", buf_text(&text));
}

static void say_stats(const struct confine *c)
{
    CLEANUP(buf_fini) struct buf text = {0};
    buf_add_str(&text, "launch ");
    format_span(&text, c->launch.launch_us);
    buf_add_str(&text, "   ran ");
    format_span(&text, c->record.run_us);
    buf_add_str(&text, "   ");
    job_text_usage(&text, &c->usage);
    if (c->record.stray_procs > 0)
        buf_addf(&text, "   left behind %" PRIu64, c->record.stray_procs);
    buf_add_str(&text, "\n");
    fprintf(stderr, "reeve: confine: %s", buf_text(&text));
}

static int write_profile(struct confine *c)
{
    CLEANUP(buf_fini) struct buf text = {0};
    struct err err = {0};
    int rc = confine_filter_from_trace(c->box.trace, &text, &err);
    rc = rc < 0 ? rc : file_write_durable(c->request->profile, buf_text(&text), text.len, 0644, &err);
    return rc < 0 ? complain("", err_text(&err)) : 0;
}

static int conclude(struct confine *c)
{
    int code = finish(c);
    if (code == 0 && c->request->profile != NULL)
        code = write_profile(c);
    if (code != 0)
        return code;
    say_end(c);
    if (c->request->stats && c->cli->json)
        say_stats_json(c);
    else if (c->request->stats)
        say_stats(c);
    return confine_exit_code(&c->record, c->stopped_by);
}

static int begin(struct confine *c, struct err *err)
{
    const struct job_spec *job = &c->request->job.call.spec;
    struct node_abilities able;
    CLEANUP(buf_fini) struct buf args = {0};
    CLEANUP(close_p) int filter = -1;
    c->signals = catch_signals();
    int rc = c->signals < 0 ? err_set(err, -errno, "signalfd: %s", strerror(errno)) : 0;
    rc = rc < 0 ? rc : box_open(&c->box, &c->request->node.warden, err);
    rc = rc < 0 ? rc : box_able(&c->box, &able, err);
    rc = rc < 0 ? rc : confine_sandbox(c->request, &able, &c->spec, &args, err);
    if (rc == 0 && c->spec.filter.kind == FILTER_GIVEN)
        rc = filter = confine_filter_compile(job->seccomp, strlen(job->seccomp), err);
    return rc < 0 ? rc : box_launch(&c->box, &c->spec, &args, filter, err);
}

static int run(struct confine *c)
{
    struct err err = {0};
    int code = begin(c, &err) < 0 ? complain("", err_text(&err)) : relay(c);
    code = code != 0 ? code : conclude(c);
    box_close(&c->box);
    stream_close(&c->out);
    stream_close(&c->err);
    close_p(&c->signals);
    return code;
}

int cmd_confine(struct cli *cli, int argc, char **argv)
{
    static struct confine confine;
    struct confine *c = &confine;
    struct confine_request request = {0};
    *c = (struct confine){.cli = cli, .request = &request, .signals = -1, .linked = true,
                          .out = {.from = -1, .next = -1, .to = STDOUT_FILENO},
                          .err = {.from = -1, .next = -1, .to = STDERR_FILENO},
                          .box = {.sock = -1, .log = -1, .control = -1, .link = -1, .exit = -1, .out = -1, .err = -1,
                                  .trace = -1}};
    int code = read_request(cli, &request, argc, argv);
    if (code == 0 && geteuid() != 0)
        code = complain("", "needs root: it makes cgroups, namespaces and mounts for the command");
    code = code != 0 ? code : run(c);
    job_request_fini(&request.job);
    node_options_fini(&request.node);
    return code;
}
