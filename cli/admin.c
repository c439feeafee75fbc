/* admin - the platform's policy: what would change, change it, show it. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/yaml.h"
#include "cli/commands.h"
#include "cli/format.h"

struct admin_options {
    uint64_t if_version;
    bool dry_run;
};
static const struct option_row rows[] = {
    {.name = "if-version", .kind = OPTION_U64, .value = "N", .offset = offsetof(struct admin_options, if_version),
     .help = "apply or move only while the policy still has this version"},
    {.name = "dry-run", .kind = OPTION_FLAG, .offset = offsetof(struct admin_options, dry_run),
     .help = "say what would move; nothing does"},
};
const struct option_set admin_options = OPTION_SET(rows);

static int read_policy(struct cli *cli, const char *path, struct policy_file *ret)
{
    struct buf text = {0};
    struct err err = {0};
    bool standard = strcmp(path, "-") == 0;
    const char *name = standard ? "stdin" : path;
    int rc = standard ? fd_read_all(STDIN_FILENO, "stdin", YAML_FILE_MAX, &text, &err)
                      : file_read(path, YAML_FILE_MAX, &text, &err);
    if (rc == 0)
        rc = yaml_read(&policy_file_fields, name, buf_text(&text), text.len, ret, &err);
    if (rc == 0 && (rc = policy_file_check(ret, &err)) < 0)
        rc = err_wrap(&err, rc, "%s", name);
    buf_fini(&text);
    if (rc == 0)
        return CLI_DONE;
    struct buf safe = {0};
    format_safe(&safe, err.text);
    fprintf(stderr, "reeve: %s: %s\n", cli->command, buf_text(&safe));
    buf_fini(&safe);
    return CLI_USAGE;
}

static void print_changes(struct cli *cli, const struct apply_reply *reply, bool dry_run)
{
    struct buf text = {0};
    for (size_t i = 0; i < reply->changes.count; i++) {
        const char *change = reply->changes.v[i];
        enum style style = change[0] == '+' ? STYLE_GOOD : change[0] == '-' ? STYLE_BAD : STYLE_WAIT;
        struct buf safe = {0};
        format_safe(&safe, change);
        format_styled(&text, cli->colour_out, style, buf_text(&safe));
        buf_add_str(&text, "\n");
        buf_fini(&safe);
    }
    if (reply->changes.count == 0)
        buf_addf(&text, "nothing %s: the policy is like this already (version %" PRIu64 ")\n",
                 dry_run ? "would change" : "changed", reply->version);
    else if (!dry_run)
        buf_addf(&text, "applied: the policy has version %" PRIu64 " now\n", reply->version);
    fputs(buf_text(&text), stdout);
    buf_fini(&text);
}

static int apply(struct cli *cli, const char *path, bool dry_run, uint64_t if_version)
{
    struct apply_call call = {.dry_run = dry_run, .if_version = if_version};
    struct apply_reply reply = {0};
    int code = read_policy(cli, path, &call.policy);
    if (code == CLI_DONE)
        code = cli_call(cli, CALL_APPLY, &call, &reply);
    if (code == CLI_DONE && cli->json)
        cli_json(&apply_reply_fields, &reply);
    else if (code == CLI_DONE)
        print_changes(cli, &reply, dry_run);
    fields_clear(&apply_call_fields, &call);
    fields_clear(&apply_reply_fields, &reply);
    return code;
}

static int move(struct cli *cli, const char *from, const char *to, const struct admin_options *o)
{
    struct move_call call = {.dry_run = o->dry_run, .if_version = o->if_version};
    struct apply_reply reply = {0};
    int code = str_set(&call.from, from) < 0 || str_set(&call.to, to) < 0 ? CLI_UNREACHABLE : CLI_DONE;
    if (code == CLI_DONE)
        code = cli_call(cli, CALL_MOVE, &call, &reply);
    if (code == CLI_DONE && cli->json)
        cli_json(&apply_reply_fields, &reply);
    else if (code == CLI_DONE)
        print_changes(cli, &reply, o->dry_run);
    fields_clear(&move_call_fields, &call);
    fields_clear(&apply_reply_fields, &reply);
    return code;
}

/* As a file that `apply` reads back. */
static int print_policy(struct cli *cli)
{
    struct policy_reply reply = {0};
    struct buf text = {0};
    int code = cli_call(cli, CALL_POLICY, NULL, &reply);
    if (code == CLI_DONE && cli->json) {
        cli_json(&policy_reply_fields, &reply);
    } else if (code == CLI_DONE) {
        struct price_version *prices = reply.policy.prices.v;
        for (size_t i = 0; i < reply.policy.prices.count; i++)
            prices[i].version = 0; /* given by the scheduler, not by a file */
        printf("# version %" PRIu64 "\n", reply.version);
        if (yaml_write(&policy_file_fields, &reply.policy, &text) == 0)
            fputs(buf_text(&text), stdout);
    }
    buf_fini(&text);
    fields_clear(&policy_reply_fields, &reply);
    return code;
}

int cmd_admin(struct cli *cli, int argc, char **argv)
{
    struct admin_options o = {0};
    struct words words = {0};
    if (cli_options(cli, &admin_options, &o, argc, argv, &words, 1, 3) < 0)
        return CLI_USAGE;
    const char *verb = words.v[0], *path = words.count == 2 ? words.v[1] : NULL;
    int code;
    if (strcmp(verb, "move") == 0 && words.count == 3)
        code = move(cli, words.v[1], words.v[2], &o);
    else if (words.count > 2 || (o.dry_run && path == NULL))
        code = cli_usage(cli, "'%s' is none of: diff FILE, apply FILE, move FROM TO, policy", verb);
    else if (o.dry_run)
        code = cli_usage(cli, "--dry-run is for move; use diff to see what a file would change");
    else if (strcmp(verb, "policy") == 0 && path == NULL)
        code = print_policy(cli);
    else if (strcmp(verb, "apply") == 0 && path != NULL)
        code = apply(cli, path, false, o.if_version);
    else if (strcmp(verb, "diff") == 0 && path != NULL)
        code = apply(cli, path, true, o.if_version);
    else
        code = cli_usage(cli, "'%s' is none of: diff FILE, apply FILE, move FROM TO, policy", verb);
    free(words.v);
    return code;
}
