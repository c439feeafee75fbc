/*
 * cli - what every command shares: where the system is, how to talk to it, how to say how it went.
 *
 * Exit codes: 0 done, 1 refused, 2 usage, 3 unreachable. `run` and `wait` exit with the job's status instead.
 * Lost connections: a call whose answer was lost is unknown, never failed. What may be asked twice is asked again for
 * REACH_PATIENCE_MS; submissions carry an idempotency key, so they may.
 * Silence: an answer may take as long as it takes while the program that owes it lives, which it is asked on a second
 * connection. Who shows no life for cli->patience is given up, and the person is told what to do.
 */
#ifndef REEVE_CLI_CLI_H
#define REEVE_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "base/io/rpc.h"

enum cli_exit { CLI_DONE = 0, CLI_REFUSED = 1, CLI_USAGE = 2, CLI_UNREACHABLE = 3 };

#define REACH_PATIENCE_MS 30000
#define CLI_DIR_DEFAULT "/run/reeve"
#define CLI_SOCKET_PATH_MAX 4096

struct cli {
    const char *dir, *socket; /* options; NULL = not given */
    bool json;
    const char *command;      /* "submit", for messages */
    char scheduler_path[CLI_SOCKET_PATH_MAX], report_path[CLI_SOCKET_PATH_MAX];
    struct rpc_client *scheduler, *report; /* opened when first needed */
    bool colour_out, colour_err;           /* decided once: a terminal, and no NO_COLOR */
    bool progress;                         /* stdout is a terminal */
    int width, height;                     /* of the terminal; 0 = no terminal */
    struct cli_patience {
        uint32_t look_ms;                  /* without an answer: is somebody alive there? */
        uint32_t scheduler_ms, report_ms;  /* without a sign of life: given up */
    } patience;
};

void cli_init(struct cli *cli);
/* The terminal's width and height anew: whoever stays looks before each screen. */
void cli_measure(struct cli *cli);
void cli_fini(struct cli *cli);
/* Fills the socket paths from options and environment. To be called after options are read. */
void cli_find_sockets(struct cli *cli);
/* A path that fits into a socket address: long ones lead through a descriptor of their folder, kept open. */
int cli_short_path(const char *path, char out[108], struct err *err) MUST_USE;

/* One call. CLI_DONE: *result filled, the caller clears it. Otherwise it has been told to the person, and the code is
 * what the program exits with. */
int cli_call(struct cli *cli, enum client_method method, const void *params, void *result);
int cli_report(struct cli *cli, enum report_method method, const void *params, void *result);
/* The same, but nothing is told. */
int cli_report_quietly(struct cli *cli, enum report_method method, const void *params, void *result);
/* The same, but a refusal with this code is not told: CLI_REFUSED comes back, `refusal` is filled (caller clears). */
int cli_try(struct cli *cli, enum client_method method, const void *params, void *result, const char *quiet_code,
            struct refusal *refusal);

/* Says what went wrong on stderr (or as JSON on stdout) and returns the exit code. */
int cli_refused(struct cli *cli, const struct refusal *refusal);
int cli_usage(struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);
int cli_failed(struct cli *cli, const struct err *err); /* it couldn't be asked, or read; CLI_UNREACHABLE */
int cli_unreachable(struct cli *cli, const struct err *err); /* the same of a program: and what to do about it */

/* These words are none of the forms that the command has: "'move acme' is none of: ...". */
struct words;
int cli_none_of(struct cli *cli, const struct words *words, const char *forms);

/* Parses a command's options; on -1 the person was told and the command returns CLI_USAGE. Also finds the sockets. */
struct option_set;
int cli_options(struct cli *cli, const struct option_set *set, void *into, int argc, char **argv, struct words *ret,
                size_t words_min, size_t words_max) MUST_USE;
/* Lines for a person, no wider than the terminal. */
struct buf;
void cli_print(const struct cli *cli, const struct buf *text);
/* An idempotency key of 128 random bits. -EIO. */
#define CLI_KEY_MAX 40
int cli_new_key(char out[CLI_KEY_MAX], struct err *err) MUST_USE;
/* Prints `object` as one line of JSON; CLI_DONE. */
int cli_json(const struct fields *f, const void *object);

/* "812", "812.17", "812.17.2": job, job.task, job.task.attempt. Parts that weren't given are 0 and false. */
struct job_ref {
    uint64_t job;
    uint32_t task, epoch;
    bool has_task, has_epoch;
};
int job_ref_parse(const char *text, struct job_ref *ret, struct err *err) MUST_USE;

#endif
