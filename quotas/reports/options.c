#include "quotas/reports/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define CELL_MAX 63

static int set_dir(struct options *o, const char *text, struct err *err)
{
    (void)err;
    o->dir = text;
    return 0;
}

static int set_redis(struct options *o, const char *text, struct err *err)
{
    (void)err;
    o->redis = text;
    return 0;
}

static int set_cell(struct options *o, const char *text, struct err *err)
{
    o->cell = text;
    return parse_name(text, CELL_MAX, err);
}

static int set_port(struct options *o, const char *text, struct err *err)
{
    uint64_t port = 0;
    int r = parse_u64(text, 0, UINT16_MAX, &port, err);
    o->has_port = true;
    o->port = (uint16_t)port;
    return r;
}

static int set_user(struct options *o, const char *text, struct err *err)
{
    const char *colon = strchr(text, ':');
    char first[PARSE_TEXT_MAX];
    uint64_t uid = 0, gid = 0;
    if (colon == NULL || (size_t)(colon - text) >= sizeof first)
        return err_set(err, -EINVAL, "'%s' is not UID:GID; write two numbers, like 990:990", text);
    memcpy(first, text, (size_t)(colon - text));
    first[colon - text] = '\0';
    int r = parse_u64(first, 0, UINT32_MAX - 1, &uid, err);
    if (r == 0)
        r = parse_u64(colon + 1, 0, UINT32_MAX - 1, &gid, err);
    o->drop = true;
    o->uid = (uid_t)uid;
    o->gid = (gid_t)gid;
    return r;
}

static int set_debug(struct options *o, const char *text, struct err *err)
{
    (void)text, (void)err;
    o->debug = true;
    return 0;
}

static int set_help(struct options *o, const char *text, struct err *err)
{
    (void)text, (void)err;
    o->help = true;
    return 0;
}

static int set_version(struct options *o, const char *text, struct err *err)
{
    (void)text, (void)err;
    o->version = true;
    return 0;
}

static const struct option_row {
    const char *name, *value, *help;
    int (*set)(struct options *o, const char *text, struct err *err);
} rows[] = {
    {"--dir", "DIR", "where the system lives; the reports are in DIR/report (required)", set_dir},
    {"--redis", "URL", "unix:/path/redis.sock or tcp:host:port; default unix:DIR/redis/redis.sock", set_redis},
    {"--cell", "NAME", "the cell's name, default 'default'", set_cell},
    {"--http-port", "N", "also HTTP on 127.0.0.1, with tokens; 0 = choose a port (DIR/report/http.port)", set_port},
    {"--user", "UID:GID", "become this user before anything is opened (only as root)", set_user},
    {"--debug", NULL, "log more", set_debug},
    {"--help", NULL, "this text", set_help},
    {"--version", NULL, "the version", set_version},
};

const char *report_options_usage(void)
{
    static char text[2048];
    size_t at = (size_t)snprintf(text, sizeof text, "usage: reeve-reportd --dir DIR [options]\n");
    for (size_t i = 0; i < COUNT_OF(rows) && at < sizeof text; i++) {
        char left[40];
        snprintf(left, sizeof left, "%s %s", rows[i].name, rows[i].value == NULL ? "" : rows[i].value);
        at += (size_t)snprintf(text + at, sizeof text - at, "  %-20s %s\n", left, rows[i].help);
    }
    return text;
}

static const struct option_row *row_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

int report_options_parse(int argc, char **argv, struct options *ret, struct err *err)
{
    struct options o = {.cell = "default"};
    for (int i = 1; i < argc; i++) {
        const struct option_row *row = row_find(argv[i]);
        if (row == NULL)
            return err_set(err, -EINVAL, "unknown option '%s'", argv[i]);
        if (row->value != NULL && i + 1 == argc)
            return err_set(err, -EINVAL, "%s needs %s", row->name, row->value);
        int r = row->set(&o, row->value != NULL ? argv[++i] : NULL, err);
        if (r < 0)
            return err_wrap(err, r, "%s", row->name);
    }
    if (!o.help && !o.version && o.dir == NULL)
        return err_set(err, -EINVAL, "--dir is required");
    *ret = o;
    return 0;
}
