/* admin - the platform's policy: what would change, change it, show it; what waits for a second person. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/yaml.h"
#include "base/parse.h"
#include "cli/commands.h"
#include "cli/format.h"

struct admin_options {
    uint64_t if_version;
    bool dry_run, past_prices;
    const char *reason;
};
static const struct option_row rows[] = {
    {.name = "if-version", .kind = OPTION_U64, .value = "N", .offset = offsetof(struct admin_options, if_version),
     .help = "apply or move only while the policy still has this version", .of = "apply diff move"},
    {.name = "dry-run", .kind = OPTION_FLAG, .offset = offsetof(struct admin_options, dry_run),
     .help = "say what would move; nothing does"},
    {.name = "past-prices", .kind = OPTION_FLAG, .offset = offsetof(struct admin_options, past_prices),
     .help = "prices that are in force may change, too; see ledger rerate", .of = "apply diff"},
    {.name = "reason", .letter = 'r', .kind = OPTION_TEXT, .value = "TEXT",
     .offset = offsetof(struct admin_options, reason), .help = "drop: why it won't be", .of = "drop"},
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

static void add_changes(const struct cli *cli, const struct strs *changes, const char *indent, struct buf *text)
{
    for (size_t i = 0; i < changes->count; i++) {
        const char *change = changes->v[i];
        enum style style = change[0] == '+' ? STYLE_GOOD : change[0] == '-' ? STYLE_BAD : STYLE_WAIT;
        struct buf safe = {0};
        format_safe(&safe, change);
        buf_add_str(text, indent);
        format_styled(text, cli->colour_out, style, buf_text(&safe));
        buf_add_str(text, "\n");
        buf_fini(&safe);
    }
}

static void add_raises(const struct strs *raises, const char *indent, struct buf *text)
{
    for (size_t i = 0; i < raises->count; i++) {
        struct buf safe = {0};
        format_safe(&safe, raises->v[i]);
        buf_addf(text, "%sgives more: %s\n", indent, buf_text(&safe));
        buf_fini(&safe);
    }
}

static void print_changes(struct cli *cli, const struct apply_reply *reply, bool dry_run)
{
    struct buf text = {0};
    add_changes(cli, &reply->changes, "", &text);
    add_raises(&reply->raises, "", &text);
    if (reply->proposal != 0)
        buf_addf(&text,
                 "proposed: %" PRIu64 " is in force when another admin says: reeve admin approve %" PRIu64 "\n",
                 reply->proposal, reply->proposal);
    else if (reply->raises.count > 0)
        buf_add_str(&text, "would be a proposal: another admin has to approve it\n");
    else if (reply->changes.count == 0)
        buf_addf(&text, "nothing %s: the policy is like this already (version %" PRIu64 ")\n",
                 dry_run ? "would change" : "changed", reply->version);
    else if (!dry_run)
        buf_addf(&text, "applied: the policy has version %" PRIu64 " now\n", reply->version);
    fputs(buf_text(&text), stdout);
    buf_fini(&text);
}

static int apply(struct cli *cli, const char *path, bool dry_run, const struct admin_options *o)
{
    struct apply_call call = {.dry_run = dry_run, .if_version = o->if_version, .past_prices = o->past_prices};
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

/* ---- what waits for a second person ---- */
static void add_proposal(const struct cli *cli, const struct proposal_row *p, struct buf *text)
{
    char when[PARSE_TEXT_MAX];
    struct buf who = {0};
    format_safe(&who, p->who);
    buf_addf(text, "%" PRIu64 "  by %s, %s, against version %" PRIu64 "%s\n", p->proposal, buf_text(&who),
             format_time(p->proposed_utc_us, when), p->version,
             p->stale ? ": stale, it can only be dropped" : "");
    add_changes(cli, &p->changes, "   ", text);
    add_raises(&p->raises, "   ", text);
    buf_fini(&who);
}

static int print_proposals(struct cli *cli)
{
    struct proposals_reply reply = {0};
    struct buf text = {0};
    int code = cli_call(cli, CALL_PROPOSALS, NULL, &reply);
    if (code == CLI_DONE && cli->json) {
        cli_json(&proposals_reply_fields, &reply);
    } else if (code == CLI_DONE) {
        for (size_t i = 0; i < reply.proposals.count; i++)
            add_proposal(cli, &((const struct proposal_row *)reply.proposals.v)[i], &text);
        if (reply.proposals.count == 0)
            buf_add_str(&text, "no proposal waits\n");
        fputs(buf_text(&text), stdout);
    }
    buf_fini(&text);
    fields_clear(&proposals_reply_fields, &reply);
    return code;
}

static int approve(struct cli *cli, uint64_t proposal)
{
    struct approve_call call = {proposal};
    struct apply_reply reply = {0};
    int code = cli_call(cli, CALL_APPROVE, &call, &reply);
    if (code == CLI_DONE && cli->json)
        cli_json(&apply_reply_fields, &reply);
    else if (code == CLI_DONE)
        print_changes(cli, &reply, false);
    fields_clear(&apply_reply_fields, &reply);
    return code;
}

static int drop(struct cli *cli, uint64_t proposal, const char *reason)
{
    struct drop_call call = {.proposal = proposal};
    if (str_set(&call.reason, reason) < 0)
        return CLI_USAGE;
    int code = cli_call(cli, CALL_DROP, &call, NULL);
    if (code == CLI_DONE && cli->json)
        puts("{}");
    else if (code == CLI_DONE)
        printf("dropped: proposal %" PRIu64 " won't be\n", proposal);
    fields_clear(&drop_call_fields, &call);
    return code;
}

static int on_proposal(struct cli *cli, const char *verb, const char *text, const char *reason)
{
    uint64_t number = 0;
    struct err err = {0};
    if (parse_u64(text, 1, UINT64_MAX, &number, &err) < 0)
        return cli_usage(cli, "'%s' is no proposal's number; reeve admin proposals lists them", text);
    return strcmp(verb, "approve") == 0 ? approve(cli, number) : drop(cli, number, reason);
}

int cmd_admin(struct cli *cli, int argc, char **argv)
{
    static const char forms[] = "diff FILE, apply FILE, move FROM TO, policy, proposals, approve N, drop N";
    struct admin_options o = {0};
    struct words words = {0};
    if (cli_options(cli, &admin_options, &o, argc, argv, &words, 1, 3) < 0)
        return CLI_USAGE;
    const char *verb = words.v[0], *path = words.count == 2 ? words.v[1] : NULL;
    int code;
    if (strcmp(verb, "move") == 0 && words.count == 3)
        code = move(cli, words.v[1], words.v[2], &o);
    else if (words.count > 2)
        code = cli_none_of(cli, &words, forms);
    else if (o.dry_run)
        code = cli_usage(cli, "--dry-run is for move; use diff to see what a file would change");
    else if (strcmp(verb, "policy") == 0 && path == NULL)
        code = print_policy(cli);
    else if (strcmp(verb, "apply") == 0 && path != NULL)
        code = apply(cli, path, false, &o);
    else if (strcmp(verb, "diff") == 0 && path != NULL)
        code = apply(cli, path, true, &o);
    else if (strcmp(verb, "proposals") == 0 && path == NULL)
        code = print_proposals(cli);
    else if ((strcmp(verb, "approve") == 0 || strcmp(verb, "drop") == 0) && path != NULL)
        code = on_proposal(cli, verb, path, o.reason);
    else
        code = cli_none_of(cli, &words, forms);
    free(words.v);
    return code;
}
