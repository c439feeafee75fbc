/* submit - queue a job, once per key; and what `run` shares with it. */
#include "cli/submit.h"

#include <inttypes.h>
#include <string.h>

#include "base/parse.h"
#include "cli/commands.h"
#include "cli/format.h"

static void say_quote(struct buf *out, const struct submit_call *call, const struct submit_reply *r)
{
    char until[PARSE_TEXT_MAX];
    buf_add_str(out, "quote ");
    format_cost(out, r->quote_micros, r->currency);
    if (r->quote_max_micros < 0) {
        buf_add_str(out, " (no upper bound)");
    } else if (r->quote_max_micros > r->quote_micros) {
        buf_add_str(out, " (at most ");
        format_cost(out, r->quote_max_micros, r->currency);
        buf_add_str(out, ")");
    }
    if (call->dry_run && r->quote_until_utc_us != 0)
        buf_addf(out, " until %s", format_second(r->quote_until_utc_us, until));
    if (r->io_price_micros > 0) {
        buf_add_str(out, call->spec.limits.io_bytes != 0 ? "   with I/O " : "   I/O beside it ");
        format_cost(out, r->io_price_micros, r->currency);
        buf_add_str(out, " a GiB, held for ");
        format_bytes(out, r->io_allowance_bytes);
        buf_add_str(out, r->io_allowance_bytes > 0 ? " at a time" : ": its budget can't pay any");
    }
}

void submit_say(struct cli *cli, const struct submit_call *call, const struct submit_reply *r, FILE *to)
{
    struct buf text = {0};
    bool colour = to == stdout ? cli->colour_out : cli->colour_err;
    if (call->dry_run)
        format_styled(&text, colour, STYLE_GOOD, "would be accepted");
    else
        buf_addf(&text, "job %" PRIu64 " %s", r->job, r->existed ? "is there already (same key)" : "queued");
    buf_add_str(&text, "   ");
    format_safe(&text, r->tenant);
    if (r->tasks > 1)
        buf_addf(&text, "   %u tasks", r->tasks);
    if (call->spec.array.max_running > 0)
        buf_addf(&text, ", %u at a time", call->spec.array.max_running);
    buf_add_str(&text, "   ");
    say_quote(&text, call, r);
    if (r->would_start != NULL && r->would_start[0] != '\0') {
        buf_add_str(&text, "   would start: ");
        format_safe(&text, r->would_start);
    }
    fprintf(to, "%s\n", buf_text(&text));
    buf_fini(&text);
}

int submit_send(struct cli *cli, struct job_request *r, struct submit_reply *ret)
{
    struct err err = {0};
    if (job_request_make_key(r, &err) < 0)
        return cli_unreachable(cli, &err);
    int code = cli_call(cli, CALL_SUBMIT, &r->call, ret);
    if (code == CLI_UNREACHABLE && !r->call.dry_run && !cli->json) {
        struct buf key = {0};
        format_safe(&key, r->call.key);
        fprintf(stderr, "       if it was accepted, the same key finds it: --key %s\n", buf_text(&key));
        buf_fini(&key);
    }
    return code;
}

/* The file comes first and options override it, wherever they stand: so they are read twice, the first time only to
 * know which words are left. */
static int read_request(struct cli *cli, struct job_request *r, int argc, char **argv)
{
    struct job_request first = {0};
    struct words words = {0};
    struct err err = {0};
    int code = cli_options(cli, &submit_options, &first, argc, argv, &words, 1, 1) < 0 ? CLI_USAGE : CLI_DONE;
    job_request_fini(&first);
    if (code != CLI_DONE)
        return code;
    int rc = job_request_read(r, words.v[0], &err);
    free(words.v);
    if (rc < 0) {
        struct buf text = {0};
        format_safe(&text, err_text(&err));
        fprintf(stderr, "reeve: submit: %s\n", buf_text(&text));
        buf_fini(&text);
        return CLI_USAGE;
    }
    rc = args_parse(&submit_options, r, cli, argc, argv, &words, &err);
    free(rc == 0 ? words.v : NULL);
    return rc < 0 ? cli_usage(cli, "%s", err.text) : CLI_DONE;
}

int cmd_submit(struct cli *cli, int argc, char **argv)
{
    struct job_request request = {0};
    struct submit_reply reply = {0};
    int code = read_request(cli, &request, argc, argv);
    if (code == CLI_DONE)
        code = submit_send(cli, &request, &reply);
    if (code == CLI_DONE && cli->json)
        cli_json(&submit_reply_fields, &reply);
    else if (code == CLI_DONE)
        submit_say(cli, &request.call, &reply, stdout);
    fields_clear(&submit_reply_fields, &reply);
    job_request_fini(&request);
    return code;
}
