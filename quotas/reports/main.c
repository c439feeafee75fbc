/*
 * reeve-reportd - follows the journal into SQLite and answers from there: history, cost reports, dashboards.
 *
 *   own folder -> give up root -> lock and open the books -> sockets -> follow and answer
 *
 * It only reads from the store; slow questions hold up nobody but itself.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/fd.h"
#include "base/io/log.h"
#include "quotas/reports/door.h"
#include "quotas/reports/http.h"
#include "quotas/reports/io_days.h"
#include "quotas/reports/options.h"
#include "quotas/reports/privileges.h"
#include "quotas/reports/tell.h"
#include "quotas/reports/webhooks.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, PATH_BYTES = 4096 };

struct reportd {
    struct report_options options;
    char folder[PATH_BYTES], database[PATH_BYTES], rpc_socket[PATH_BYTES], http_socket[PATH_BYTES], reeved[PATH_BYTES];
    char token[PATH_BYTES], tokens[PATH_BYTES], port[PATH_BYTES], redis[PATH_BYTES];
    char page_key[PATH_BYTES], webhooks[PATH_BYTES];
    struct loop *loop;
    struct link link;
    struct report report;
    struct door_rpc *door;
    struct http *http;
    struct io_watch *io_watch;
};

static int make_paths(struct reportd *d, struct err *err)
{
    const struct {
        char *out;
        const char *before, *tail;
    } paths[] = {
        {d->folder, "", "/report"},
        {d->database, "", "/report/reeve.sqlite"},
        {d->rpc_socket, "", "/report/report.sock"},
        {d->http_socket, "", "/report/http.sock"},
        {d->token, "", "/report/token"},
        {d->tokens, "", "/report/tokens"},
        {d->port, "", "/report/http.port"},
        {d->page_key, "", "/report/page.key"},
        {d->webhooks, "", "/report/webhooks"},
        {d->reeved, "", "/reeve.sock"},
        {d->redis, "unix:", "/redis/redis.sock"},
    };
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        int n = snprintf(paths[i].out, PATH_BYTES, "%s%s%s", paths[i].before, d->options.dir, paths[i].tail);
        if (n < 0 || n >= PATH_BYTES)
            return err_set(err, -ENAMETOOLONG, "--dir: '%.100s...' is too long for a path", d->options.dir);
    }
    if (d->options.redis != NULL) {
        if (strlen(d->options.redis) >= PATH_BYTES)
            return err_set(err, -ENAMETOOLONG, "--redis: too long");
        memcpy(d->redis, d->options.redis, strlen(d->options.redis) + 1);
    }
    return 0;
}

static int become_user(struct reportd *d, struct err *err)
{
    const struct report_options *o = &d->options;
    int r = dir_make(o->dir, 0755, err);
    if (r == 0)
        r = report_folder_make(d->folder, o->user.given ? o->user.uid : (uid_t)-1,
                               o->user.given ? o->user.gid : (gid_t)-1, err);
    if (r == 0 && o->user.given && (geteuid() == 0 || geteuid() != o->user.uid))
        r = report_user_become(o->user.uid, o->user.gid, err);
    return r;
}

static int open_tcp(struct reportd *d, struct err *err)
{
    uint16_t port;
    char text[16];
    int r = tokens_create(d->tokens, d->token, clock_utc_us(), err);
    if (r == 0)
        r = tokens_refresh(&d->report.tokens, err);
    if (r == 0)
        r = http_listen_tcp(d->http, (uint16_t)d->options.http_port, &port, err);
    if (r < 0)
        return r;
    int n = snprintf(text, sizeof text, "%u\n", port);
    log_line(LOG_INFO, "http.listen", "address=127.0.0.1:%u", port);
    return file_write_durable(d->port, text, (size_t)n, 0644, err);
}

static void on_archived(void *arg, uint64_t seq)
{
    struct reportd *d = arg;
    tell_archived(d->report.tell, seq);
    webhooks_poke(d->report.webhooks);
}

static int start(struct reportd *d, struct err *err)
{
    int r = become_user(d, err);
    if (r == 0)
        r = book_open(&d->report.book, d->database, d->options.cell, err);
    if (r == 0)
        r = page_key_load(d->page_key, d->report.page_key, err);
    if (r == 0)
        r = loop_new(&d->loop, err);
    if (r < 0)
        return r;
    d->link = (struct link){.url = d->redis, .cell = d->options.cell};
    d->report.database = d->database;
    d->report.cell = d->options.cell;
    d->report.link = &d->link;
    d->report.tokens.path = d->tokens;
    r = tell_new(&d->report.tell, d->loop, d->reeved, err);
    if (r == 0)
        r = webhooks_new(&d->report.webhooks, d->loop, d->report.book,
                         d->options.webhooks != NULL ? d->options.webhooks : d->webhooks, WEBHOOK_RETRY_MS, err);
    if (r == 0)
        r = follow_new(&d->report.follow, d->loop, d->report.book, &d->link, on_archived, d, err);
    if (r == 0)
        r = io_watch_new(&d->io_watch, d->loop, &d->report, err);
    if (r == 0)
        r = http_new(&d->http, d->loop, &d->report, err);
    if (r == 0)
        r = http_listen_unix(d->http, d->http_socket, err);
    if (r == 0 && d->options.http_port != HTTP_PORT_NONE)
        r = open_tcp(d, err);
    /* The last: who waits for this socket finds all the others, and the port's file. */
    if (r == 0)
        r = door_open(&d->door, d->loop, &d->report, d->rpc_socket, err);
    return r;
}

static void stop(struct reportd *d)
{
    http_free(d->http);
    io_watch_free(d->io_watch);
    webhooks_free(d->report.webhooks);
    tell_free(d->report.tell); /* log reads under way are answered through the door */
    door_close(d->door);
    follow_free(d->report.follow);
    link_fini(&d->link);
    store_accounts_clear(&d->report.budgets.accounts);
    tokens_fini(&d->report.tokens);
    book_close(d->report.book);
    loop_free(d->loop);
    if (d->options.http_port != HTTP_PORT_NONE && d->http != NULL)
        unlink(d->port);
}

static int run(struct reportd *d)
{
    struct err err = {0};
    int r = start(d, &err);
    if (r == 0) {
        log_line(LOG_INFO, "report.ready", "cell=%s cursor=%" PRIu64, log_quote(d->options.cell),
                 book_mark(d->report.book).cursor);
        r = loop_run(d->loop, &err);
    }
    stop(d);
    if (r < 0)
        fprintf(stderr, "reeve-reportd: %s\n", err_text(&err));
    return r < 0 ? EXIT_FAILED : 0;
}

int main(int argc, char **argv)
{
    static struct reportd d;
    struct err err = {0};
    d.options.http_port = HTTP_PORT_NONE;
    int code = options_read(&report_options, &d.options, argc, argv);
    if (code != OPTIONS_GO)
        return code;
    log_init("reeve-reportd", d.options.debug ? LOG_DEBUG : LOG_INFO);
    signal(SIGPIPE, SIG_IGN);
    umask(0022);
    if (make_paths(&d, &err) < 0) {
        fprintf(stderr, "reeve-reportd: %s\n", err_text(&err));
        return EXIT_USAGE;
    }
    return run(&d);
}
