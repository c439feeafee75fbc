/*
 * commands - every command of `reeve`, as one table: usage, help, options, function. Parser, `reeve help` and the
 * manual page come from it (tests/cli/test_commands.c compares them).
 *
 * A command's function gets its own name as argv[0] and returns the program's exit code. Global options may stand
 * before the command, too.
 */
#ifndef REEVE_CLI_COMMANDS_H
#define REEVE_CLI_COMMANDS_H

#include "cli/cli.h"
#include "cli/args.h"

struct command {
    const char *name, *usage, *help; /* usage without "reeve "; help is one line */
    const char *example;             /* without "reeve " */
    const struct option_set *options; /* NULL: another program's, which is asked for --help as well */
    int (*run)(struct cli *cli, int argc, char **argv);
};

extern const struct command commands[];
extern const size_t commands_count;
const struct command *commands_find(const char *name);
/* Everything about one command, or the list of all (NULL), into out. */
void commands_help(const struct command *c, struct buf *out);

int cmd_submit(struct cli *cli, int argc, char **argv);
int cmd_run(struct cli *cli, int argc, char **argv);
int cmd_ps(struct cli *cli, int argc, char **argv);
int cmd_show(struct cli *cli, int argc, char **argv);
int cmd_why(struct cli *cli, int argc, char **argv);
int cmd_logs(struct cli *cli, int argc, char **argv);
int cmd_wait(struct cli *cli, int argc, char **argv);
int cmd_cancel(struct cli *cli, int argc, char **argv);
int cmd_release(struct cli *cli, int argc, char **argv);
int cmd_hold(struct cli *cli, int argc, char **argv);
int cmd_requeue(struct cli *cli, int argc, char **argv);
int cmd_suspend(struct cli *cli, int argc, char **argv);
int cmd_resume(struct cli *cli, int argc, char **argv);
int cmd_priority(struct cli *cli, int argc, char **argv);
int cmd_history(struct cli *cli, int argc, char **argv);
int cmd_tenant(struct cli *cli, int argc, char **argv);
int cmd_admin(struct cli *cli, int argc, char **argv);
int cmd_nodes(struct cli *cli, int argc, char **argv);
int cmd_drain(struct cli *cli, int argc, char **argv);
int cmd_undrain(struct cli *cli, int argc, char **argv);
int cmd_window(struct cli *cli, int argc, char **argv);
int cmd_audit(struct cli *cli, int argc, char **argv);
int cmd_ledger(struct cli *cli, int argc, char **argv);
int cmd_whatif(struct cli *cli, int argc, char **argv);
int cmd_top(struct cli *cli, int argc, char **argv);
int cmd_status(struct cli *cli, int argc, char **argv);
int cmd_confine(struct cli *cli, int argc, char **argv);
int cmd_cp(struct cli *cli, int argc, char **argv);
int cmd_doctor(struct cli *cli, int argc, char **argv);
int cmd_up(struct cli *cli, int argc, char **argv);
int cmd_down(struct cli *cli, int argc, char **argv);

extern const struct option_set submit_options, run_options; /* job_request.c */
extern const struct option_set ps_options, show_options, why_options, logs_options,
    wait_options, cancel_options, hold_options, release_options, requeue_options, priority_options, history_options,
    tenant_options, admin_options, nodes_options, audit_options, ledger_options, drain_options, undrain_options,
    window_options, suspend_options, resume_options,
    status_options, confine_options, cp_options, doctor_options, top_options, up_options, down_options;

#endif
