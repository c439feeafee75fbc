/* cancel, release - what a person decides about jobs that are there. */
#include <inttypes.h>

#include "cli/commands.h"

const struct option_set cancel_options = {0};
const struct option_set release_options = {0};

static int cancel_one(struct cli *cli, const char *text, const struct job_call *call)
{
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

static int release_one(struct cli *cli, const char *text, const struct job_call *call)
{
    int code = cli_call(cli, CALL_RELEASE, call, NULL);
    if (code == CLI_DONE && cli->json)
        puts("{}");
    else if (code == CLI_DONE)
        printf("job %s: released\n", text);
    return code;
}

/* Every word is a job; the first code that isn't "done" is the program's, but all are tried. */
static int each_job(struct cli *cli, const struct option_set *set, int argc, char **argv,
                    int (*fn)(struct cli *cli, const char *text, const struct job_call *call))
{
    struct words words = {0};
    struct err err = {0};
    struct job_ref ref;
    if (cli_options(cli, set, NULL, argc, argv, &words, 1, SIZE_MAX) < 0)
        return CLI_USAGE;
    int code = CLI_DONE;
    for (size_t i = 0; i < words.count && code == CLI_DONE; i++) /* checked before anything is done */
        if (job_ref_parse(words.v[i], &ref, &err) < 0)
            code = cli_usage(cli, "%s", err.text);
    for (size_t i = 0; i < words.count && code != CLI_USAGE && code != CLI_UNREACHABLE; i++) {
        if (job_ref_parse(words.v[i], &ref, &err) < 0)
            continue;
        const struct job_call call = {.job = ref.job, .has_task = ref.has_task, .task = ref.task};
        int one = fn(cli, words.v[i], &call);
        code = code == CLI_DONE || one == CLI_UNREACHABLE ? one : code;
    }
    free(words.v);
    return code;
}

int cmd_cancel(struct cli *cli, int argc, char **argv)
{
    return each_job(cli, &cancel_options, argc, argv, cancel_one);
}

int cmd_release(struct cli *cli, int argc, char **argv)
{
    return each_job(cli, &release_options, argc, argv, release_one);
}
