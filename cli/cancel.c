/* cancel, hold, release, requeue, suspend, resume, priority - what a person decides about jobs that are there. */
#include <errno.h>
#include <inttypes.h>

#include "base/parse.h"

#include "cli/commands.h"

const struct option_set cancel_options = {0};
const struct option_set release_options = {0};
const struct option_set hold_options = {0};
const struct option_set requeue_options = {0};
const struct option_set priority_options = {0};
const struct option_set resume_options = {0};

struct suspend_cli {
    const char *reason;
};
static const struct option_row suspend_rows[] = {
    {.name = "reason", .letter = 'r', .kind = OPTION_TEXT, .value = "TEXT",
     .offset = offsetof(struct suspend_cli, reason), .help = "why; shown by `reeve why`"},
};
const struct option_set suspend_options = OPTION_SET(suspend_rows);

static int cancel_one(struct cli *cli, const char *text, const struct job_call *call, const void *options)
{
    (void)options;
    struct cancel_reply reply = {0};
    int code = cli_call(cli, CALL_CANCEL, call, &reply);
    if (code != CLI_DONE)
        return code;
    if (cli->json)
        return cli_json(&cancel_reply_fields, &reply);
    if (reply.cancelled + reply.stopping == 0)
        printf("job %s: nothing was left to cancel\n", text);
    else if (reply.cancelled + reply.stopping == 1)
        printf("job %s: %s\n", text, reply.cancelled > 0 ? "cancelled before it started" : "stopping");
    else
        printf("job %s: %u tasks cancelled before they started, %u stopping\n", text, reply.cancelled, reply.stopping);
    return CLI_DONE;
}

static int release_one(struct cli *cli, const char *text, const struct job_call *call, const void *options)
{
    (void)options;
    int code = cli_call(cli, CALL_RELEASE, call, NULL);
    if (code == CLI_DONE && cli->json)
        puts("{}");
    else if (code == CLI_DONE)
        printf("job %s: released\n", text);
    return code;
}

static int hold_one(struct cli *cli, const char *text, const struct job_call *call, const void *options)
{
    (void)options;
    int code = cli_call(cli, CALL_HOLD, call, NULL);
    if (code == CLI_DONE && cli->json)
        puts("{}");
    else if (code == CLI_DONE)
        printf("job %s: held; what runs goes on\n", text);
    return code;
}

static int requeue_one(struct cli *cli, const char *text, const struct job_call *call, const void *options)
{
    (void)options;
    struct cancel_reply reply = {0};
    int code = cli_call(cli, CALL_REQUEUE, call, &reply);
    if (code == CLI_DONE && cli->json)
        return cli_json(&cancel_reply_fields, &reply);
    if (code == CLI_DONE && reply.stopping == 1)
        printf("job %s: stopping, to be run again\n", text);
    else if (code == CLI_DONE)
        printf("job %s: %u tasks stopping, to be run again\n", text, reply.stopping);
    return code;
}

static int stand(struct cli *cli, enum client_method method, const char *text, const struct job_call *job,
                 const char *reason, const char *done)
{
    struct suspend_call call = {.job = job->job, .has_task = job->has_task, .task = job->task};
    struct suspend_reply reply = {0};
    int code = str_set(&call.reason, reason) < 0 ? CLI_UNREACHABLE : cli_call(cli, method, &call, &reply);
    if (code == CLI_DONE && cli->json)
        cli_json(&suspend_reply_fields, &reply);
    else if (code == CLI_DONE)
        printf("job %s: %u attempt%s %s\n", text, reply.attempts, reply.attempts == 1 ? "" : "s", done);
    fields_clear(&suspend_call_fields, &call);
    return code;
}

static int suspend_one(struct cli *cli, const char *text, const struct job_call *call, const void *options)
{
    return stand(cli, CALL_SUSPEND, text, call, ((const struct suspend_cli *)options)->reason, "suspended");
}

static int resume_one(struct cli *cli, const char *text, const struct job_call *call, const void *options)
{
    (void)options;
    return stand(cli, CALL_RESUME, text, call, NULL, "resumed");
}

/* Every word is a job; the first code that isn't "done" is the program's, but all are tried. */
static int each_job(struct cli *cli, const struct option_set *set, void *options, int argc, char **argv,
                    int (*fn)(struct cli *cli, const char *text, const struct job_call *call, const void *options))
{
    struct words words = {0};
    struct err err = {0};
    struct job_ref ref;
    if (cli_options(cli, set, options, argc, argv, &words, 1, SIZE_MAX) < 0)
        return CLI_USAGE;
    int code = CLI_DONE;
    for (size_t i = 0; i < words.count && code == CLI_DONE; i++) /* checked before anything is done */
        if (job_ref_parse(words.v[i], &ref, &err) < 0)
            code = cli_usage(cli, "%s", err.text);
    for (size_t i = 0; i < words.count && code != CLI_USAGE && code != CLI_UNREACHABLE; i++) {
        if (job_ref_parse(words.v[i], &ref, &err) < 0)
            continue;
        const struct job_call call = {.job = ref.job, .has_task = ref.has_task, .task = ref.task};
        int one = fn(cli, words.v[i], &call, options);
        code = code == CLI_DONE || one == CLI_UNREACHABLE ? one : code;
    }
    free(words.v);
    return code;
}

int cmd_cancel(struct cli *cli, int argc, char **argv)
{
    return each_job(cli, &cancel_options, NULL, argc, argv, cancel_one);
}

int cmd_hold(struct cli *cli, int argc, char **argv)
{
    return each_job(cli, &hold_options, NULL, argc, argv, hold_one);
}

int cmd_requeue(struct cli *cli, int argc, char **argv)
{
    return each_job(cli, &requeue_options, NULL, argc, argv, requeue_one);
}

int cmd_suspend(struct cli *cli, int argc, char **argv)
{
    struct suspend_cli options = {0};
    return each_job(cli, &suspend_options, &options, argc, argv, suspend_one);
}

int cmd_resume(struct cli *cli, int argc, char **argv)
{
    return each_job(cli, &resume_options, NULL, argc, argv, resume_one);
}

int cmd_priority(struct cli *cli, int argc, char **argv)
{
    struct words words = {0};
    struct err err = {0};
    struct job_ref ref;
    int64_t priority = 0;
    if (cli_options(cli, &priority_options, NULL, argc, argv, &words, 2, 2) < 0)
        return CLI_USAGE;
    int rc = job_ref_parse(words.v[0], &ref, &err);
    if (rc == 0 && ref.has_task)
        rc = err_set(&err, -EINVAL, "a priority is of a whole job");
    if (rc == 0)
        rc = parse_i64(words.v[1], -JOB_PRIORITY_MAX, JOB_PRIORITY_MAX, &priority, &err);
    free(words.v);
    if (rc < 0)
        return cli_usage(cli, "%s", err.text);
    const struct priority_call call = {.job = ref.job, .priority = (int32_t)priority};
    int code = cli_call(cli, CALL_PRIORITY, &call, NULL);
    if (code == CLI_DONE && cli->json)
        puts("{}");
    else if (code == CLI_DONE)
        printf("job %" PRIu64 ": priority %d\n", ref.job, (int)priority);
    return code;
}

int cmd_release(struct cli *cli, int argc, char **argv)
{
    return each_job(cli, &release_options, NULL, argc, argv, release_one);
}
