#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/parse.h"
#include "cli/commands.h"
#include "cli/format.h"

#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 2000
#define LOOK_MS 10000
#define SCHEDULER_SILENT_MS 60000
#define REPORT_SILENT_MS 600000 /* it answers in turn, and its own long questions are of minutes */

/* Calls that may be asked again when their answer was lost: questions, and changes that are the same when made twice.
 * A submission is one because its key makes it one. */
static const bool repeatable[CLIENT_METHOD_COUNT] = {
    [CALL_SUBMIT] = true, [CALL_LIST] = true,    [CALL_SHOW] = true,   [CALL_WHY] = true,    [CALL_CANCEL] = true,
    [CALL_WAIT] = true,   [CALL_LOG] = true,     [CALL_TENANTS] = true, [CALL_POLICY] = true, [CALL_NODES] = true,
    [CALL_DRAIN] = true,  [CALL_STATUS] = true,  [CALL_METRICS] = true,
    [CALL_HEAD] = true,   [CALL_VERIFY] = true, [CALL_ADJUST] = true,
    [CALL_WINDOWS] = true, [CALL_WINDOW_SET] = true, [CALL_TOP] = true, [CALL_SUSPEND] = true,
    [CALL_RESUME] = true,
};

/* ---- the terminal ----------------------------------------------------------------------------------------- */

void cli_init(struct cli *cli)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    bool plain = (no_colour != NULL && no_colour[0] != '\0') || (term != NULL && strcmp(term, "dumb") == 0);
    *cli = (struct cli){
        .progress = isatty(STDOUT_FILENO) && !(term != NULL && strcmp(term, "dumb") == 0),
        .colour_out = !plain && isatty(STDOUT_FILENO),
        .colour_err = !plain && isatty(STDERR_FILENO),
        .patience = {LOOK_MS, SCHEDULER_SILENT_MS, REPORT_SILENT_MS},
    };
    cli_measure(cli);
}

void cli_measure(struct cli *cli)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        cli->width = size.ws_col, cli->height = size.ws_row;
}

void cli_fini(struct cli *cli)
{
    rpc_client_close(cli->scheduler);
    rpc_client_close(cli->report);
    cli->scheduler = cli->report = NULL;
}

/* ---- where the system is ---------------------------------------------------------------------------------- */

static const char *given(const char *option, const char *variable)
{
    const char *value = option != NULL ? option : getenv(variable);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

void cli_find_sockets(struct cli *cli)
{
    const char *socket = cli->socket;
    const char *dir = cli->dir;
    if (socket == NULL && dir == NULL) { /* what is closer wins: an option over the environment */
        socket = given(NULL, "REEVE_SOCKET");
        dir = given(NULL, "REEVE_DIR");
    }
    char beside[CLI_SOCKET_PATH_MAX] = CLI_DIR_DEFAULT;
    if (dir != NULL) {
        snprintf(beside, sizeof beside, "%s", dir);
    } else if (socket != NULL) {
        const char *slash = strrchr(socket, '/');
        if (slash != NULL)
            snprintf(beside, sizeof beside, "%.*s", (int)(slash - socket), socket);
        else
            memcpy(beside, ".", 2);
    }
    if (socket != NULL)
        snprintf(cli->scheduler_path, sizeof cli->scheduler_path, "%s", socket);
    else
        snprintf(cli->scheduler_path, sizeof cli->scheduler_path, "%.4000s/reeve.sock", beside);
    snprintf(cli->report_path, sizeof cli->report_path, "%.4000s/report/report.sock", beside);
}

int cli_short_path(const char *path, char out[108], struct err *err)
{
    if (strlen(path) < 108) {
        memcpy(out, path, strlen(path) + 1);
        return 0;
    }
    const char *slash = strrchr(path, '/');
    if (slash == NULL || strlen(slash) > 64)
        return err_set(err, -ENAMETOOLONG, "'%s': too long for a socket", path);
    char dir[CLI_SOCKET_PATH_MAX];
    snprintf(dir, sizeof dir, "%.*s", (int)MIN(slash - path, CLI_SOCKET_PATH_MAX - 1), path);
    int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC); /* stays open: the path leads through it */
    if (fd < 0)
        return err_set(err, -errno, "open '%s': %s", dir, strerror(errno));
    snprintf(out, 108, "/proc/self/fd/%d%s", fd, slash);
    return 0;
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

struct ask {
    const struct cli *cli;
    struct rpc_client **client;
    const char *path;
    const struct method *method;
    const char *status; /* a method that is answered at once by whoever lives there */
    const void *params;
    void *result;
    uint32_t silent_ms;
    bool repeatable;
};

static int open_there(const struct ask *a, struct rpc_client **ret, struct err *err)
{
    char path[108];
    int rc = cli_short_path(a->path, path, err);
    return rc < 0 ? rc : rpc_client_open(ret, path, err);
}

/* Who is busy with another question answers after it: waited for as long as silence is borne. A refusal is a sign of
 * life, too. */
static bool lives(const struct ask *a)
{
    const struct method status = {.name = a->status}; /* what it says is of no interest */
    struct rpc_client *second = NULL;
    struct refusal refusal = {0};
    struct err err = {0};
    int rc = open_there(a, &second, &err);
    if (rc == 0)
        rc = rpc_client_call(second, &status, NULL, a->silent_ms, NULL, &refusal, &err);
    rpc_client_close(second);
    fields_clear(&refusal_fields, &refusal);
    return rc >= 0;
}

static int give_up(const struct ask *a, struct err *err)
{
    struct buf silent = {0};
    format_span(&silent, (uint64_t)a->silent_ms * 1000);
    int rc = err_set(err, -ETIMEDOUT, "%s: no sign of life for %s from '%s'", a->method->name, buf_text(&silent),
                     a->path);
    buf_fini(&silent);
    return rc;
}

/* The answer to the call that was made, as long as there is life. */
static int await(const struct ask *a, struct refusal *refusal, struct err *err)
{
    int rc = -ETIMEDOUT;
    fprintf(stderr, "reeve: %s: waiting for an answer from '%s'\n", a->cli->command, a->path);
    while (rc == -ETIMEDOUT) {
        if (!lives(a))
            return give_up(a, err);
        rc = rpc_client_await(*a->client, a->method, a->cli->patience.look_ms, a->result, refusal, err);
    }
    return rc;
}

static int ask_once(const struct ask *a, struct refusal *refusal, struct err *err)
{
    int rc = *a->client == NULL ? open_there(a, a->client, err) : 0;
    if (rc == 0)
        rc = rpc_client_call(*a->client, a->method, a->params, a->cli->patience.look_ms, a->result, refusal, err);
    if (rc == -ETIMEDOUT && *a->client != NULL)
        rc = await(a, refusal, err);
    if (rc < 0) {
        rpc_client_close(*a->client);
        *a->client = NULL;
    }
    return rc;
}

/* Nobody there at the first try: not there. Lost on the way: asked again, until patience ends. */
static int ask(const struct ask *a, struct refusal *refusal, struct err *err)
{
    bool reached = *a->client != NULL;
    uint64_t until = clock_boot_us() + (uint64_t)REACH_PATIENCE_MS * 1000;
    int pause_ms = PAUSE_FIRST_MS;
    for (;;) {
        int rc = ask_once(a, refusal, err);
        bool lost = rc == -ECONNRESET || (reached && (rc == -ECONNREFUSED || rc == -ENOENT || rc == -EAGAIN));
        if (!lost || !a->repeatable || clock_boot_us() > until)
            return rc;
        reached = true;
        poll(NULL, 0, pause_ms);
        pause_ms = MIN(pause_ms * 2, PAUSE_MAX_MS);
    }
}

static int conclude(struct cli *cli, int rc, struct refusal *refusal, const struct err *err, const char *quiet_code)
{
    if (rc == 0)
        return CLI_DONE;
    if (rc < 0)
        return cli_unreachable(cli, err);
    if (quiet_code != NULL && refusal->code != NULL && strcmp(refusal->code, quiet_code) == 0)
        return CLI_REFUSED;
    int code = cli_refused(cli, refusal);
    fields_clear(&refusal_fields, refusal);
    return code;
}

int cli_try(struct cli *cli, enum client_method method, const void *params, void *result, const char *quiet_code,
            struct refusal *refusal)
{
    const struct ask a = {.cli = cli, .client = &cli->scheduler, .path = cli->scheduler_path,
                          .method = &client_methods[method], .status = client_methods[CALL_STATUS].name,
                          .params = params, .result = result, .silent_ms = cli->patience.scheduler_ms,
                          .repeatable = repeatable[method]};
    struct err err = {0};
    return conclude(cli, ask(&a, refusal, &err), refusal, &err, quiet_code);
}

int cli_call(struct cli *cli, enum client_method method, const void *params, void *result)
{
    struct refusal refusal = {0};
    return cli_try(cli, method, params, result, NULL, &refusal);
}

static int ask_reports(struct cli *cli, enum report_method method, const void *params, void *result,
                       struct refusal *refusal, struct err *err)
{
    const struct ask a = {.cli = cli, .client = &cli->report, .path = cli->report_path,
                          .method = &report_methods[method], .status = report_methods[REPORT_STATUS].name,
                          .params = params, .result = result, .silent_ms = cli->patience.report_ms,
                          .repeatable = true};
    return ask(&a, refusal, err);
}

int cli_report(struct cli *cli, enum report_method method, const void *params, void *result)
{
    struct refusal refusal = {0};
    struct err err = {0};
    return conclude(cli, ask_reports(cli, method, params, result, &refusal, &err), &refusal, &err, NULL);
}

int cli_report_quietly(struct cli *cli, enum report_method method, const void *params, void *result)
{
    struct refusal refusal = {0};
    struct err err = {0};
    int rc = ask_reports(cli, method, params, result, &refusal, &err);
    fields_clear(&refusal_fields, &refusal);
    return rc == 0 ? CLI_DONE : rc > 0 ? CLI_REFUSED : CLI_UNREACHABLE;
}

/* ---- what went wrong -------------------------------------------------------------------------------------- */

/* Unavailable is not a "no": the same request may be accepted a moment later. */
static bool is_unavailable(const struct refusal *r)
{
    return r->code != NULL && strcmp(r->code, "unavailable") == 0;
}

int cli_refused(struct cli *cli, const struct refusal *refusal)
{
    int code = is_unavailable(refusal) ? CLI_UNREACHABLE : CLI_REFUSED;
    if (cli->json) {
        cli_json(&refusal_fields, refusal);
        return code;
    }
    struct buf text = {0};
    const char *word = is_unavailable(refusal) ? "unavailable" : "refused";
    format_styled(&text, cli->colour_err, STYLE_BAD, word);
    buf_add_str(&text, ": ");
    format_safe(&text, refusal->message != NULL ? refusal->message : refusal->code);
    if (refusal->hint != NULL && refusal->hint[0] != '\0') {
        bool never = refusal->code != NULL && strcmp(refusal->code, "never_fits") == 0;
        buf_addf(&text, "\n%*s%s", (int)strlen(word) + 2, "", never ? "smallest change that fits: " : "");
        format_safe(&text, refusal->hint);
    }
    if (refusal->retry_after_ms > 0)
        buf_addf(&text, "\n%*stry again in %.1f s", (int)strlen(word) + 2, "", refusal->retry_after_ms / 1000.0);
    fprintf(stderr, "%s\n", buf_text(&text));
    buf_fini(&text);
    return code;
}

int cli_usage(struct cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "reeve: %s: ", cli->command);
    vfprintf(stderr, format, args);
    va_end(args);
    const struct command *c = commands_find(cli->command);
    if (c != NULL)
        fprintf(stderr, "\nusage: reeve %s\n", c->usage);
    else
        fputc('\n', stderr);
    return CLI_USAGE;
}

int cli_none_of(struct cli *cli, const struct words *words, const char *forms)
{
    struct buf text = {0};
    for (size_t i = 0; i < words->count; i++) {
        buf_add_str(&text, i > 0 ? " " : "");
        format_safe(&text, words->v[i]);
    }
    int code = cli_usage(cli, "'%.80s' is none of: %s", buf_text(&text), forms);
    buf_fini(&text);
    return code;
}

int cli_failed(struct cli *cli, const struct err *err)
{
    struct buf text = {0};
    format_safe(&text, err_text(err));
    fprintf(stderr, "reeve: %s: %s\n", cli->command, buf_text(&text));
    buf_fini(&text);
    return CLI_UNREACHABLE;
}

int cli_unreachable(struct cli *cli, const struct err *err)
{
    int code = cli_failed(cli, err);
    if (err->code == -ENOENT || err->code == -ECONNREFUSED)
        fprintf(stderr, "       no system answers there; name it with --dir DIR, --socket PATH or REEVE_SOCKET\n");
    if (err->code == -ETIMEDOUT)
        fprintf(stderr, "       the program there stands still (stopped, a disk that hangs) or is overloaded:"
                        " see its log, start it again, then ask once more\n");
    return code;
}

/* ---- shared pieces of commands ---------------------------------------------------------------------------- */

int cli_options(struct cli *cli, const struct option_set *set, void *into, int argc, char **argv, struct words *ret,
                size_t words_min, size_t words_max)
{
    struct err err = {0};
    struct words words = {0};
    if (args_parse(set, into, cli, argc, argv, &words, &err) < 0) {
        cli_usage(cli, "%s", err.text);
        return -1;
    }
    if (words.count < words_min || words.count > words_max) {
        if (words.count > words_max)
            cli_usage(cli, "'%s' is one word too many", words.v[words_max]);
        else
            cli_usage(cli, "something is missing");
        free(words.v);
        return -1;
    }
    cli_find_sockets(cli);
    *ret = words;
    return 0;
}

int cli_new_key(char out[CLI_KEY_MAX], struct err *err)
{
    uint64_t random[2];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return err_set(err, -EIO, "make a key: %s", strerror(errno));
    snprintf(out, CLI_KEY_MAX, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    return 0;
}

int cli_json(const struct fields *f, const void *object)
{
    struct buf text = {0};
    if (json_write(f, object, &text) == 0)
        printf("%s\n", buf_text(&text));
    buf_fini(&text);
    return CLI_DONE;
}

int job_ref_parse(const char *text, struct job_ref *ret, struct err *err)
{
    static const uint64_t least[] = {1, 0, 1}, most[] = {INT64_MAX, UINT32_MAX - 1, UINT32_MAX};
    uint64_t parts[COUNT_OF(most)] = {0};
    size_t count = 0;
    char copy[64];
    bool good = strlen(text) < sizeof copy;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *at = copy, *next; at != NULL && good; at = next, count++) {
        next = strchr(at, '.');
        if (next != NULL)
            *next++ = '\0';
        good = count < COUNT_OF(most) && parse_u64(at, least[count], most[count], &parts[count], NULL) == 0;
    }
    if (!good)
        return err_set(err, -EINVAL, "'%.40s' is not a job; write 812, or 812.17 for one task", text);
    *ret = (struct job_ref){parts[0], (uint32_t)parts[1], (uint32_t)parts[2], count > 1, count > 2};
    return 0;
}

void cli_print(const struct cli *cli, const struct buf *text)
{
    struct buf lines = {0};
    format_fold(&lines, buf_text(text), cli->width);
    fputs(buf_text(&lines), stdout);
    buf_fini(&lines);
}
