/* logs - what a task wrote: its stdout to stdout, its stderr to stderr. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/job_text.h"

struct logs_options {
    bool follow, only_out, only_err, seccomp;
};
static const struct option_row rows[] = {
    {.name = "follow", .letter = 'f', .kind = OPTION_FLAG, .offset = offsetof(struct logs_options, follow),
     .help = "stay and pass on what is written, until the job is over"},
    {.name = "stdout", .kind = OPTION_FLAG, .offset = offsetof(struct logs_options, only_out),
     .help = "only its stdout"},
    {.name = "stderr", .kind = OPTION_FLAG, .offset = offsetof(struct logs_options, only_err),
     .help = "only its stderr"},
    {.name = "seccomp", .kind = OPTION_FLAG, .offset = offsetof(struct logs_options, seccomp),
     .help = "of a job submitted with --seccomp trace: the profile that would have let it run"},
};
const struct option_set logs_options = OPTION_SET(rows);

/* Of a job that the scheduler no longer knows the reports know the node. */
static int read_log(struct cli *cli, const struct log_call *call, struct log_reply *ret, bool *archived)
{
    struct refusal unknown = {0};
    int code = *archived ? CLI_REFUSED : cli_try(cli, CALL_LOG, call, ret, "not_found", &unknown);
    *archived |= unknown.code != NULL;
    fields_clear(&refusal_fields, &unknown);
    return *archived ? cli_report(cli, REPORT_LOG, call, ret) : code;
}

/* One stream of one attempt, as much as there is now. */
static int copy_stream(struct cli *cli, const struct job_ref *ref, enum log_stream which, bool archived)
{
    struct log_call call = {.job = ref->job, .task = ref->task, .epoch = ref->epoch, .stream = which, .max = 262144};
    call.wait = which == STREAM_SECCOMP; /* it is made when the job has ended */
    for (bool over = false; !over;) {
        struct log_reply reply = {0};
        int code = read_log(cli, &call, &reply, &archived);
        if (code != CLI_DONE)
            return code;
        if (cli->json)
            cli_json(&log_reply_fields, &reply);
        else
            code = follow_write(which == STREAM_SECCOMP ? STREAM_OUT : which, &reply) < 0 ? CLI_REFUSED : CLI_DONE;
        call.epoch = reply.epoch;
        call.offset = reply.offset + reply.data.len;
        over = reply.end || reply.data.len == 0 || code != CLI_DONE;
        fields_clear(&log_reply_fields, &reply);
    }
    return CLI_DONE;
}

static int copy(struct cli *cli, const struct job_ref *ref, const bool streams[LOG_STREAM_COUNT], bool archived)
{
    int code = CLI_DONE;
    for (enum log_stream s = 0; s < LOG_STREAM_COUNT && code == CLI_DONE; s++)
        if (streams[s])
            code = copy_stream(cli, ref, s, archived);
    return code;
}

static int stay(struct cli *cli, const struct job_ref *ref, const bool streams[LOG_STREAM_COUNT])
{
    struct follow_setup setup = {.cli = cli, .job = ref->job, .task = ref->task, .epoch = ref->epoch,
                                 .only_this_attempt = ref->has_epoch};
    struct wait_reply end = {0};
    memcpy(setup.streams, streams, sizeof setup.streams);
    int code = follow(&setup, &end);
    fields_clear(&wait_reply_fields, &end);
    return code;
}

/* "812" names the one task of a job that is no array; of an array, a task has to be named. */
static int find_task(struct cli *cli, const struct job_ref *ref, bool *ret_archived)
{
    struct job_view view = {0};
    const struct job_call call = {.job = ref->job};
    int code = job_text_view(cli, &call, &view, ret_archived);
    if (code == CLI_DONE && !ref->has_task && view.spec.array.present)
        code = cli_usage(cli, "job %" PRIu64 " has tasks %u to %u; name one: reeve logs %" PRIu64 ".%u", ref->job,
                         view.spec.array.first, view.spec.array.last, ref->job, view.spec.array.first);
    fields_clear(&job_view_fields, &view);
    return code;
}

int cmd_logs(struct cli *cli, int argc, char **argv)
{
    struct logs_options o = {0};
    struct words words = {0};
    struct job_ref ref;
    struct err err = {0};
    if (cli_options(cli, &logs_options, &o, argc, argv, &words, 1, 1) < 0)
        return CLI_USAGE;
    int rc = job_ref_parse(words.v[0], &ref, &err);
    free(words.v);
    if (rc < 0)
        return cli_usage(cli, "%s", err.text);
    if (o.follow && cli->json)
        return cli_usage(cli, "--json and --follow don't go together");
    if (o.seccomp && (o.follow || o.only_out || o.only_err))
        return cli_usage(cli, "--seccomp stands alone");
    bool both = o.only_out == o.only_err;
    const bool streams[LOG_STREAM_COUNT] = {[STREAM_OUT] = both || o.only_out, [STREAM_ERR] = both || o.only_err};
    bool archived = false;
    int code = ref.has_task && !o.follow ? CLI_DONE : find_task(cli, &ref, &archived);
    if (code != CLI_DONE)
        return code;
    if (o.seccomp)
        return copy_stream(cli, &ref, STREAM_SECCOMP, archived);
    return o.follow && !archived ? stay(cli, &ref, streams) : copy(cli, &ref, streams, archived);
}
