/* run - submit, stream what the job writes, exit as it exits. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/format.h"
#include "cli/job_text.h"
#include "cli/progress.h"
#include "cli/submit.h"

static int take_command(struct cli *cli, struct job_request *r, int argc, char **argv)
{
    struct words words = {0};
    struct err err = {0};
    if (args_parse(&run_options, r, cli, argc, argv, &words, &err) < 0)
        return cli_usage(cli, "%s", err.text);
    cli_find_sockets(cli);
    int code = words.count == 0 ? cli_usage(cli, "a command is missing") : CLI_DONE;
    for (size_t i = 0; i < words.count && code == CLI_DONE; i++)
        if (strs_add(&r->call.spec.command, words.v[i]) < 0)
            code = CLI_UNREACHABLE;
    free(words.v);
    return code;
}

/* One sentence for who sees only the end: why it did not succeed. An exit code of its own says enough by itself. */
static void say_why_it_ended(struct cli *cli, uint64_t job)
{
    struct job_view view = {0};
    bool archived;
    const struct job_call call = {.job = job};
    if (job_text_view(cli, &call, &view, &archived) == CLI_DONE && view.attempts.count > 0) {
        const struct attempt_view *last = &((const struct attempt_view *)view.attempts.v)[view.attempts.count - 1];
        struct buf text = {0};
        job_text_end(&text, last, &view.spec);
        if (last->record.cause != END_EXIT)
            fprintf(stderr, "reeve: job %" PRIu64 ": %s\n", job, buf_text(&text));
        buf_fini(&text);
    }
    fields_clear(&job_view_fields, &view);
}

static int stay(struct cli *cli, const struct submit_call *call, uint64_t job)
{
    bool array = call->spec.array.present;
    struct progress progress = {.cli = cli, .quiet = !array};
    const struct follow_setup setup = {
        .cli = cli,
        .job = job,
        .streams = {!array && !cli->json, !array && !cli->json}, /* with --json only the end is printed */
        .epoch = 1,
        .interrupt_cancels = true,
        .on_change = progress_show,
        .arg = &progress,
    };
    struct wait_reply end = {0};
    int code = follow(&setup, &end);
    progress_end(&progress);
    if (code != CLI_DONE)
        return code;
    if (cli->json)
        cli_json(&wait_reply_fields, &end);
    else if (end.exit_code != 0 && !array)
        say_why_it_ended(cli, job);
    code = end.exit_code;
    fields_clear(&wait_reply_fields, &end);
    return code;
}

/* Asked again by its key, the job may have ended long ago: then the history says how. false: it is still known. */
static bool is_history(struct cli *cli, uint64_t job, int *ret_code)
{
    struct job_view view = {0};
    bool archived = false;
    const struct job_call call = {.job = job};
    int code = job_text_view(cli, &call, &view, &archived);
    if (archived && code == CLI_DONE && cli->json) {
        const struct wait_reply end = {.row = view.row, .exit_code = view.exit_code, .final = true};
        cli_json(&wait_reply_fields, &end);
    } else if (archived && code == CLI_DONE) {
        fprintf(stderr, "reeve: job %" PRIu64 " %s before; what it wrote is not shown again\n", job, view.row.state);
    }
    *ret_code = code == CLI_DONE ? view.exit_code : code;
    fields_clear(&job_view_fields, &view);
    return archived;
}

int cmd_run(struct cli *cli, int argc, char **argv)
{
    struct job_request request = {0};
    struct submit_reply reply = {0};
    int code = take_command(cli, &request, argc, argv);
    if (code == CLI_DONE)
        code = submit_send(cli, &request, &reply);
    if (code == CLI_DONE && request.call.dry_run && cli->json)
        cli_json(&submit_reply_fields, &reply);
    else if (code == CLI_DONE && !cli->json)
        submit_say(cli, &request.call, &reply, stderr);
    if (code == CLI_DONE && !request.call.dry_run && !(reply.existed && is_history(cli, reply.job, &code)))
        code = stay(cli, &request.call, reply.job);
    fields_clear(&submit_reply_fields, &reply);
    job_request_fini(&request);
    return code;
}
