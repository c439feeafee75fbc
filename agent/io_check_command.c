/*
 * io_check_command - `reeve-agent io-check`: do the two meters of this node's disk agree?
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/io_check.h"
#include "agent/options.h"
#include "base/io/fd.h"
#include "base/io/json.h"
#include "base/parse.h"

#define PATH_BYTES 4096

static int load(const char *dir, struct io_check *ret, struct err *err)
{
    char path[PATH_BYTES];
    CLEANUP(buf_fini) struct buf text = {0};
    if (snprintf(path, sizeof path, "%s/" IO_CHECK_PATH, dir) >= (int)sizeof path)
        return err_set(err, -ENAMETOOLONG, "--dir: too long");
    int rc = file_read(path, 65536, &text, err);
    return rc < 0 ? rc : json_read(&io_check_fields, buf_text(&text), text.len, JSON_LENIENT, ret, err);
}

/* "since 2026-11-26T02:00:00Z: agrees: ...". False: they differ. */
static bool print_window(const struct io_window *w)
{
    char from[PARSE_TEXT_MAX], to[PARSE_TEXT_MAX];
    CLEANUP(buf_fini) struct buf text = {0};
    struct io_verdict v = io_verdict(&w->sums);
    io_verdict_text(&v, &text);
    format_second(w->from_utc_us, from);
    if (w->to_utc_us != 0)
        printf("%s to %s %s\n", from, format_second(w->to_utc_us, to), buf_text(&text));
    else
        printf("since %s %s\n", from, buf_text(&text));
    printf("  billed beside that: %" PRIu64 " bytes moved in memory, %" PRIu64 " of logs; %" PRIu64
           " of the disk's went through the page cache\n", w->sums.memory_bytes, w->sums.log_bytes,
           w->sums.cached_bytes);
    return v.agrees;
}

static int run(const struct io_check_options *o, struct err *err)
{
    struct io_check c = {0};
    int rc = load(o->dir, &c, err);
    if (rc < 0)
        return rc;
    bool agrees = io_verdict(&c.now.sums).agrees && io_verdict(&c.before.sums).agrees;
    if (o->json) {
        CLEANUP(buf_fini) struct buf text = {0};
        if (json_write_pretty(&io_check_fields, &c, &text) < 0)
            return err_set(err, -ENOMEM, "out of memory");
        puts(buf_text(&text));
        return agrees ? 0 : 1;
    }
    if (c.before.from_utc_us != 0)
        print_window(&c.before);
    print_window(&c.now);
    return agrees ? 0 : 1;
}

int io_check_command(int argc, char **argv)
{
    struct io_check_options o = {0};
    struct err err = {0};
    int rc = options_read(&io_check_options, &o, argc, argv);
    if (rc != OPTIONS_GO)
        return rc;
    rc = run(&o, &err);
    if (rc < 0)
        fprintf(stderr, "reeve-agent io-check: %s%s\n", err_text(&err),
                rc == -ENOENT ? "; no agent has run there" : "");
    return rc < 0 ? 2 : rc;
}
