/* wait - stay until a job is over and exit as it did. */
#include <inttypes.h>

#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/job_text.h"
#include "cli/progress.h"

const struct option_set wait_options = {0};

/* A job that only the history knows is over. */
static int wait_archived(struct cli *cli, uint64_t job)
{
    struct job_view view = {0};
    const struct job_call call = {.job = job};
    int code = cli_report(cli, REPORT_SHOW, &call, &view);
    if (code == CLI_DONE && cli->json) {
        const struct wait_reply end = {.row = view.row, .exit_code = view.exit_code, .final = true};
        cli_json(&wait_reply_fields, &end);
    } else if (code == CLI_DONE) {
        printf("job %" PRIu64 " %s %u/%u done\n", job, view.row.state, view.row.done, view.row.tasks);
    }
    if (code == CLI_DONE)
        code = view.exit_code;
    fields_clear(&job_view_fields, &view);
    return code;
}

/* Asked once before staying: whether reeved still knows the job decides who is asked. */
static int find(struct cli *cli, uint64_t job, bool *ret_archived)
{
    struct job_view view = {0};
    struct refusal refusal = {0};
    const struct job_call call = {.job = job};
    int code = cli_try(cli, CALL_SHOW, &call, &view, "not_found", &refusal);
    *ret_archived = refusal.code != NULL;
    fields_clear(&job_view_fields, &view);
    fields_clear(&refusal_fields, &refusal);
    return code;
}

int cmd_wait(struct cli *cli, int argc, char **argv)
{
    struct words words = {0};
    struct job_ref ref;
    struct err err = {0};
    if (cli_options(cli, &wait_options, NULL, argc, argv, &words, 1, 1) < 0)
        return CLI_USAGE;
    int rc = job_ref_parse(words.v[0], &ref, &err);
    free(words.v);
    if (rc < 0)
        return cli_usage(cli, "%s", err.text);
    if (ref.has_task)
        return cli_usage(cli, "only a whole job can be waited for: reeve wait %" PRIu64, ref.job);
    bool archived = false;
    int code = find(cli, ref.job, &archived);
    if (code != CLI_DONE)
        return archived ? wait_archived(cli, ref.job) : code;
    struct progress progress = {.cli = cli};
    struct wait_reply end = {0};
    const struct follow_setup setup = {.cli = cli, .job = ref.job, .on_change = progress_show, .arg = &progress};
    code = follow(&setup, &end);
    progress_end(&progress);
    if (code != CLI_DONE)
        return code;
    if (cli->json)
        cli_json(&wait_reply_fields, &end);
    code = end.exit_code;
    fields_clear(&wait_reply_fields, &end);
    return code;
}
