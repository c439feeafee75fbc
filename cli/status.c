/* status - how the scheduler is. */
#include <inttypes.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/format.h"

const struct option_set status_options = {0};

static void put_text(struct buf *out, const char *name, const char *text)
{
    buf_addf(out, "%-12s", name);
    format_safe(out, text);
    buf_add_str(out, "\n");
}

static void print_status(struct cli *cli, const struct status_reply *s)
{
    struct buf text = {0}, store = {0};
    put_text(&text, "cell", s->cell);
    put_text(&text, "version", s->version);
    buf_addf(&text, "%-12s", "store");
    format_safe(&store, s->store);
    format_styled(&text, cli->colour_out, s->store != NULL && strcmp(s->store, "up") == 0 ? STYLE_GOOD : STYLE_BAD,
                  buf_text(&store));
    buf_addf(&text, "\n%-12sterm %" PRIu64 ", entry %" PRIu64, "journal", s->term, s->seq);
    if (s->durable < s->seq)
        buf_addf(&text, ", durable up to %" PRIu64, s->durable);
    buf_addf(&text, "\n%-12s%" PRIu64 "   tasks waiting %" PRIu64 "   running %" PRIu64, "jobs", s->jobs, s->queued,
             s->live);
    buf_addf(&text, "\n%-12s%" PRIu64 "\n%-12sversion %" PRIu64 "\n%-12s", "nodes", s->nodes, "policy",
             s->policy_version, "up for");
    format_span(&text, s->uptime_ms * 1000);
    buf_add_str(&text, "\n");
    put_text(&text, "writer", s->writer);
    put_text(&text, "socket", cli->scheduler_path);
    fputs(buf_text(&text), stdout);
    buf_fini(&store);
    buf_fini(&text);
}

int cmd_status(struct cli *cli, int argc, char **argv)
{
    struct words words = {0};
    if (cli_options(cli, &status_options, NULL, argc, argv, &words, 0, 0) < 0)
        return CLI_USAGE;
    free(words.v);
    struct status_reply reply = {0};
    int code = cli_call(cli, CALL_STATUS, NULL, &reply);
    if (code == CLI_DONE && cli->json)
        cli_json(&status_reply_fields, &reply);
    else if (code == CLI_DONE)
        print_status(cli, &reply);
    fields_clear(&status_reply_fields, &reply);
    return code;
}
