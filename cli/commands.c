#include "cli/commands.h"

#include <string.h>

const struct command commands[] = {
    {"run", "run [OPTION]... [--] COMMAND [ARG]...",
     "submit a command, wait, pass on what it writes, exit as it exits",
     "run --cpu 2 --memory 1Gi -- python3 -c 'print(2 ** 64)'", &run_options, cmd_run},
    {"submit", "submit [OPTION]... FILE", "queue a job from a YAML or JSON file or a script ('-' is stdin)",
     "submit --dry-run backfill.yaml", &submit_options, cmd_submit},
    {"ps", "ps [OPTION]...", "what is queued and running", "ps --all-users", &ps_options, cmd_ps},
    {"show", "show JOB[.TASK]", "everything about a job: its attempts, how they ended, what they used and cost",
     "show 812.17", &show_options, cmd_show},
    {"why", "why JOB[.TASK]", "everything that blocks a job, and the smallest change that would let it start",
     "why 813", &why_options, cmd_why},
    {"logs", "logs [-f] [--stdout | --stderr] JOB[.TASK[.ATTEMPT]]", "what a task wrote", "logs -f 812.17",
     &logs_options, cmd_logs},
    {"wait", "wait JOB", "wait until a job is over, exit as it exited", "wait 812", &wait_options, cmd_wait},
    {"cancel", "cancel JOB[.TASK]...",
     "stop jobs or single tasks: SIGTERM, grace, then the kernel kills the whole tree",
     "cancel 812.17 813", &cancel_options, cmd_cancel},
    {"hold", "hold JOB[.TASK]...", "start nothing more of a job, or of a task that waits; what runs goes on",
     "hold 812", &hold_options, cmd_hold},
    {"release", "release JOB[.TASK]...", "let what is held queue again", "release 812", &release_options, cmd_release},
    {"requeue", "requeue JOB[.TASK]...", "stop what runs and queue it again; costs no retry", "requeue 812.17",
     &requeue_options, cmd_requeue},
    {"suspend", "suspend [--reason TEXT] JOB[.TASK]...",
     "let what runs stand still: it keeps its memory, gives its cores back and costs nothing", "suspend 812",
     &suspend_options, cmd_suspend},
    {"resume", "resume JOB[.TASK]...", "let what was suspended go on", "resume 812", &resume_options, cmd_resume},
    {"priority", "priority JOB N", "another priority among its tenant's jobs, -1000 to 1000", "priority 812 100",
     &priority_options, cmd_priority},
    {"history", "history [OPTION]...", "jobs that are over, newest first", "history --tenant acme --state failed",
     &history_options, cmd_history},
    {"tenant", "tenant [PATH]", "the tree of tenants: used and allowed, spent, held and free", "tenant acme",
     &tenant_options, cmd_tenant},
    {"nodes", "nodes", "the machines: room, health, why one is not used", "nodes", &nodes_options, cmd_nodes},
    {"drain", "drain [--reason TEXT] NODE", "place nothing new on a node", "drain node-07 --reason \"disk\"",
     &drain_options, cmd_drain},
    {"undrain", "undrain NODE", "use a node again", "undrain node-07", &undrain_options, cmd_undrain},
    {"window", "window add [OPTION]... [NODE]... | list | change N [OPTION]... [NODE]... | drop N [--reason TEXT]",
     "maintenance: when nodes are closed; nothing that could still run then is placed there",
     "window add --from 2099-12-01T20:00:00Z --for 2h --reason firmware node-07", &window_options,
     cmd_window},
    {"admin", "admin diff FILE | apply FILE | move FROM TO | policy | proposals | approve N | drop N",
     "what a policy file would change; change it, move a tenant, show it; what waits for a second admin",
     "admin diff tenants.yaml", &admin_options, cmd_admin},
    {"audit", "audit verify [OPTION]... [FOLDER] | audit head",
     "was the journal altered, by its chain and signed heads; a signed head to be kept elsewhere",
     "audit verify --heads elsewhere", &audit_options, cmd_audit},
    {"ledger", "ledger verify [--from TIME --to TIME] | credit TENANT AMOUNT | adjust TENANT AMOUNT\n"
     "       | rerate --from TIME --to TIME [--dry-run]",
     "recount everything beside Redis and the reports; post a credit, or a charge that no job cost",
     "ledger credit --reason \"node-07 was slow\" acme/etl 12.50", &ledger_options, cmd_ledger},
    {"whatif", "whatif [HISTORY] --policy FILE | --cluster FILE [OPTION]...",
     "what another policy, or other machines, would have made of the same history",
     "whatif --policy tenants.yaml", NULL, cmd_whatif},
    {"top", "top [--once] [TENANT | --io]",
     "live: tenants against what is fair, nodes, the queue; --io: the disk here",
     "top --once", &top_options, cmd_top},
    {"status", "status", "how the scheduler is", "status --json", &status_options, cmd_status},
    {"confine", "confine [OPTION]... [--] COMMAND [ARG]...",
     "run a command here in a job's sandbox, without a scheduler (root); exit as it exits",
     "confine --memory 512Mi --time 1m --stats -- sh -c 'seq 100000 | sort -r'", &confine_options, cmd_confine},
    {"cp", "cp [-r] SOURCE TARGET",
     "inside a job: copy a file or folder at its tenant's share of the disk, whole or not at all",
     "cp -r /mnt/reference /tmp/reference", &cp_options, cmd_cp},
    {"doctor", "doctor [--dir DIR] [--redis unix:PATH | --redis HOST:PORT] [--only CHECK]",
     "try everything a node needs, and say how to fix what is missing", "doctor --dir /var/lib/reeve",
     &doctor_options, cmd_doctor},
    {"up", "up --dir DIR [OPTION]...",
     "start a complete single-node system in a folder (root)",
     "up --dir ~/reeve", &up_options, cmd_up},
    {"down", "down --dir DIR", "stop it; nothing is left behind", "down --dir ~/reeve", &down_options, cmd_down},
};
const size_t commands_count = COUNT_OF(commands);

const struct command *commands_find(const char *name)
{
    for (size_t i = 0; i < commands_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void put_option(struct buf *out, const struct option_row *row)
{
    size_t before = out->len;
    if (row->letter != 0)
        buf_addf(out, "  -%c, ", row->letter);
    else
        buf_add_str(out, "      ");
    buf_addf(out, "--%s", row->name);
    if (row->value != NULL)
        buf_addf(out, " %s", row->value);
    size_t used = out->len - before;
    buf_addf(out, "%*s%s\n", used < 32 ? (int)(32 - used) : 2, "", row->help);
}

static void put_options(struct buf *out, const char *title, const struct option_set *set)
{
    if (set == NULL || set->count == 0)
        return;
    buf_addf(out, "\n%s:\n", title);
    for (; set != NULL; set = set->also)
        for (size_t i = 0; i < set->count; i++)
            put_option(out, &set->rows[i]);
}

static void put_list(struct buf *out)
{
    buf_add_str(out, "usage: reeve COMMAND [ARG]...\n\n");
    for (size_t i = 0; i < commands_count; i++)
        buf_addf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
    buf_add_str(out, "\n`reeve help COMMAND` says more, reeve(1) everything.\n");
    put_options(out, "for every command", &args_global);
    buf_add_str(out, "\nexit codes: 0 done, 1 refused, 2 usage, 3 unreachable; `run` and `wait` exit as the job did\n");
}

void commands_help(const struct command *c, struct buf *out)
{
    if (c == NULL) {
        put_list(out);
        return;
    }
    buf_addf(out, "usage: reeve %s\n\n%s\n", c->usage, c->help);
    put_options(out, "options", c->options);
    put_options(out, "for every command", &args_global);
    buf_addf(out, "\nexample: reeve %s\n", c->example);
}
