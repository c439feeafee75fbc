/*
 * reeved - the scheduler of one cell: accepts jobs, decides, commits, drives the agents.
 *
 *   lock the journal's folder -> open the sockets -> drop root -> read snapshot and journal -> connect Redis -> run
 *
 * Only the process that has the lock touches the sockets. Redis is waited for, never assumed: until both copies of
 * the journal are equal, nothing is committed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/log.h"
#include "scheduler/api.h"
#include "scheduler/effects.h"
#include "scheduler/exit_codes.h"
#include "scheduler/heads.h"
#include "scheduler/reeved_options.h"
#include "scheduler/own_user.h"
#include "scheduler/recover.h"

enum { PATH_BYTES = 4096, SOCKET_PATH_MAX = 107 };

struct reeved {
    struct reeved_options options;
    char scheduler_dir[PATH_BYTES], journal_dir[PATH_BYTES], client_socket[PATH_BYTES], agent_socket[PATH_BYTES];
    char writer[64];
    struct loop *loop;
    struct journal *journal;
    struct heads *heads;
    struct core *core;
    struct waiters *waiters;
    struct agents *agents;
    struct api *api;
    struct turn *turn;
    struct effect_targets targets;
    int exit_code;
};

/* ---- what the turn tells ---- */
static void on_durable(void *arg, uint64_t seq, const struct fact *fact)
{
    struct reeved *r = arg;
    effects_release(&r->targets, seq, fact);
}

static void on_ready(void *arg)
{
    struct reeved *r = arg;
    struct turn_stats stats;
    turn_stats(r->turn, &stats);
    agents_set_term(r->agents, stats.term);
    log_line(LOG_INFO, "reeved.ready", "cell=%s writer=%s term=%" PRIu64, log_quote(r->options.cell),
             log_quote(r->writer), stats.term);
}

static void on_rotated(void *arg)
{
    struct reeved *r = arg;
    heads_note(r->heads);
}

static void on_fatal(void *arg, int exit_code, const char *why)
{
    struct reeved *r = arg;
    r->exit_code = exit_code;
    log_line(LOG_ERROR,
             exit_code == EXIT_FENCED ? "reeved.fenced"
             : exit_code == EXIT_HOLD ? "reeved.hold"
                                      : "reeved.failed",
             "why=%s", log_quote(why));
    loop_stop(r->loop);
}

static void on_stop(void *arg)
{
    struct reeved *r = arg;
    turn_stop(r->turn);
}

static struct core_now now(void *arg)
{
    struct reeved *r = arg;
    return turn_now(r->turn);
}

/* ---- the way up ---- */
static int path_make(char out[PATH_BYTES], const char *dir, const char *tail, size_t max, struct err *err)
{
    int len = snprintf(out, PATH_BYTES, "%s%s", dir, tail);
    return len < 0 || (size_t)len > max ? err_set(err, -ENAMETOOLONG, "'%s%s' is too long for a path", dir, tail) : 0;
}

static int folders_make(struct reeved *r, struct err *err)
{
    const struct reeved_options *o = &r->options;
    char agent_dir[PATH_BYTES];
    uid_t uid = o->user.given ? o->user.uid : (uid_t)-1;
    gid_t gid = o->user.given ? o->user.gid : (gid_t)-1;
    int rc = path_make(r->scheduler_dir, o->dir, "/scheduler", PATH_BYTES - 1, err);
    if (rc == 0)
        rc = path_make(agent_dir, o->dir, "/agent", PATH_BYTES - 1, err);
    if (rc == 0)
        rc = path_make(r->journal_dir, o->dir, "/scheduler/journal", PATH_BYTES - 1, err);
    if (rc == 0)
        rc = path_make(r->client_socket, o->dir, "/reeve.sock", SOCKET_PATH_MAX, err);
    if (rc == 0)
        rc = path_make(r->agent_socket, o->dir, "/agent/agent.sock", SOCKET_PATH_MAX, err);
    if (rc == 0)
        rc = dir_make(o->dir, 0755, err);
    if (rc == 0)
        rc = own_user_folder(r->scheduler_dir, 0750, uid, gid, err);
    if (rc == 0)
        rc = own_user_folder(r->journal_dir, 0700, uid, gid, err);
    if (rc == 0)
        rc = own_user_folder(agent_dir, 0750, o->agent_uid, gid, err);
    if (rc == 0 && o->archive != NULL)
        rc = own_user_folder(o->archive, 0700, uid, gid, err);
    return rc;
}

/* Clients, nodes and files: as many as we may have. */
static void raise_fds(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The lock first: a second reeved must not take the sockets of the first. */
static int journal_lock(struct reeved *r, struct err *err)
{
    const struct reeved_options *o = &r->options;
    int rc = o->user.given ? own_user_begin(o->user.uid, o->user.gid, err) : 0;
    if (rc == 0)
        rc = journal_open(&r->journal, r->journal_dir, o->cell, err);
    if (o->user.given) {
        struct err back = {0};
        int back_rc = own_user_end(&back);
        if (rc == 0 && back_rc < 0)
            rc = err_set(err, back_rc, "%s", err_text(&back));
    }
    return rc;
}

static int sockets_open(struct reeved *r, struct err *err)
{
    const struct reeved_options *o = &r->options;
    struct agents_setup agents = {.loop = r->loop, .socket_path = r->agent_socket, .agent_uid = o->agent_uid};
    int rc = agents_new(&r->agents, &agents, err);
    if (rc < 0)
        return rc;
    struct api_setup api = {.loop = r->loop, .agents = r->agents, .waiters = r->waiters, .cell = o->cell,
                            .writer = r->writer, .socket_path = r->client_socket, .report_uid = o->report_uid};
    return api_new(&r->api, &api, err);
}

static int state_read(struct reeved *r, struct recovered_files *files, struct err *err)
{
    uint64_t begun_us = clock_boot_us();
    struct core_limits limits = core_limits_default;
    limits.slice_ms = r->options.slice_ms;
    limits.pause_max_ms = r->options.pause_max_ms;
    int rc = recover_files(r->journal, r->options.cell, &limits, &r->core, files, err);
    if (rc < 0) {
        if (rc != -ENOMEM)
            r->exit_code = EXIT_HOLD;
        return rc;
    }
    log_line(files->bad_snapshots > 0 ? LOG_ERROR : LOG_INFO, "journal.read",
             "snapshot=%" PRIu64 " entries=%" PRIu64 " bad_snapshots=%u torn_bytes=%" PRIu64 " took_ms=%" PRIu64,
             files->snapshot_seq, files->replayed, files->bad_snapshots, journal_torn_bytes(r->journal),
             (clock_boot_us() - begun_us) / 1000);
    return 0;
}

static int turn_start(struct reeved *r, const struct recovered_files *files, struct err *err)
{
    struct turn_setup setup = {
        .loop = r->loop,
        .core = r->core,
        .journal = r->journal,
        .redis_url = r->options.redis,
        .cell = r->options.cell,
        .writer = r->writer,
        .term_floor = files->term,
        .snapshot_seq = files->snapshot_seq,
        .at_utc_us = files->at_utc_us,
        .on_durable = on_durable,
        .on_ready = on_ready,
        .on_fatal = on_fatal,
        .on_rotated = on_rotated,
        .arg = r,
    };
    int rc = turn_new(&r->turn, &setup, err);
    if (rc < 0)
        return rc;
    r->targets = (struct effect_targets){r->core, r->agents, r->waiters};
    waiters_start(r->waiters, r->core, api_server(r->api));
    agents_start(r->agents, r->core, r->turn);
    struct api_audit audit = {r->heads, {journal_folder(r->journal), journal_archive_folder(r->journal),
                                         r->options.redis, r->options.cell, 0}};
    api_start(r->api, r->core, r->turn, &audit);
    loop_on_turn(r->loop, turn_run, r->turn);
    loop_on_stop(r->loop, on_stop, r);
    return 0;
}

/* As the user that the files will be read as. */
static int history_keep(struct reeved *r, struct err *err)
{
    CLEANUP(close_p) int folder = open(r->scheduler_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return err_set(err, -errno, "open '%s': %s", r->scheduler_dir, strerror(errno));
    int rc = heads_new(&r->heads, r->loop, r->journal, r->options.cell, folder, err);
    if (rc < 0 || r->options.archive == NULL)
        return rc;
    CLEANUP(close_p) int archive = open(r->options.archive, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (archive < 0)
        return err_set(err, -errno, "open '%s': %s", r->options.archive, strerror(errno));
    return journal_archive(r->journal, archive, err);
}

static void writer_name(char out[64])
{
    char host[33] = "";
    gethostname(host, sizeof host - 1);
    snprintf(out, 64, "%s-%d-%" PRIx64, host, (int)getpid(), clock_boot_us());
}

static int start(struct reeved *r, struct err *err)
{
    const struct reeved_options *o = &r->options;
    struct recovered_files files = {0};
    writer_name(r->writer);
    raise_fds();
    int rc = folders_make(r, err);
    if (rc == 0)
        rc = journal_lock(r, err);
    if (rc == 0)
        rc = loop_new(&r->loop, err);
    if (rc == 0)
        rc = waiters_new(&r->waiters, &(struct waiters_setup){.loop = r->loop, .now = now, .arg = r}, err);
    if (rc == 0)
        rc = sockets_open(r, err);
    if (rc == 0 && o->user.given)
        rc = own_user_for_ever(o->user.uid, o->user.gid, err);
    if (rc == 0)
        rc = history_keep(r, err);
    if (rc == 0)
        rc = state_read(r, &files, err);
    return rc == 0 ? turn_start(r, &files, err) : rc;
}

/* ---- the way down ---- */
static void stop(struct reeved *r)
{
    struct err err = {0};
    if (r->turn != NULL && turn_close(r->turn, &err) < 0)
        log_line(LOG_ERROR, "reeved.stop", "why=%s", log_quote(err_text(&err)));
    if (r->turn != NULL)
        heads_note(r->heads);
    turn_free(r->turn);
    agents_free(r->agents); /* log reads under way are answered through the clients' door */
    waiters_free(r->waiters);
    api_free(r->api);
    heads_free(r->heads);
    journal_close(r->journal); /* its ring hangs in the loop */
    loop_free(r->loop);
    core_free(r->core);
}

int main(int argc, char **argv)
{
    struct reeved r = {.options = {.agent_uid = (uid_t)-1, .report_uid = (uid_t)-1}};
    struct err err = {0};
    int code = options_read(&reeved_options, &r.options, argc, argv);
    if (code != OPTIONS_GO)
        return code;
    if (r.options.user.given && geteuid() != 0) {
        fprintf(stderr, "reeved: --user needs root to start with\n");
        return EXIT_USAGE;
    }
    log_init("reeved", r.options.debug ? LOG_DEBUG : LOG_INFO);
    signal(SIGPIPE, SIG_IGN);
    int rc = start(&r, &err);
    if (rc == 0)
        rc = loop_run(r.loop, &err);
    if (rc < 0) {
        log_line(LOG_ERROR, "reeved.failed", "why=%s", log_quote(err_text(&err)));
        r.exit_code = r.exit_code == EXIT_DONE ? EXIT_FAILED : r.exit_code;
    }
    stop(&r);
    return r.exit_code;
}
