#include "scheduler/reeved_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "scheduler/journal_record.h"

enum option_kind { OPTION_TEXT, OPTION_NAME, OPTION_UID, OPTION_USER, OPTION_FLAG };

static const struct option_row {
    const char *name, *value, *help;
    enum option_kind kind;
    size_t offset;
} rows[] = {
    {"--dir", "DIR", "where sockets and the journal live (required)", OPTION_TEXT,
     offsetof(struct reeved_options, dir)},
    {"--redis", "URL", "unix:/path/redis.sock or tcp:host:port (required)", OPTION_TEXT,
     offsetof(struct reeved_options, redis)},
    {"--cell", "NAME", "the cell's name, default 'default'", OPTION_NAME, offsetof(struct reeved_options, cell)},
    {"--user", "UID:GID", "become this user once the sockets are open (only as root)", OPTION_USER, 0},
    {"--agent-uid", "UID", "the agents' user", OPTION_UID, offsetof(struct reeved_options, agent_uid)},
    {"--report-uid", "UID", "the user of reeve-reportd", OPTION_UID, offsetof(struct reeved_options, report_uid)},
    {"--debug", NULL, "log more", OPTION_FLAG, offsetof(struct reeved_options, debug)},
    {"--help", NULL, "this text", OPTION_FLAG, offsetof(struct reeved_options, help)},
    {"--version", NULL, "the version", OPTION_FLAG, offsetof(struct reeved_options, version)},
};

const char *reeved_options_usage(void)
{
    static char text[2048];
    size_t at = (size_t)snprintf(text, sizeof text, "usage: reeved --dir DIR --redis URL [options]\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char left[40];
        snprintf(left, sizeof left, "%s %s", rows[i].name, rows[i].value == NULL ? "" : rows[i].value);
        at += (size_t)snprintf(text + at, sizeof text - at, "  %-20s %s\n", left, rows[i].help);
    }
    return text;
}

static int user_parse(const char *text, struct reeved_options *o, struct err *err)
{
    const char *colon = strchr(text, ':');
    char uid[PARSE_TEXT_MAX];
    uint64_t u, g;
    if (colon == NULL || (size_t)(colon - text) >= sizeof uid)
        return err_set(err, -EINVAL, "--user: '%s' is not UID:GID; write two numbers, like 990:990", text);
    memcpy(uid, text, (size_t)(colon - text));
    uid[colon - text] = '\0';
    int rc = parse_u64(uid, 0, UINT32_MAX - 1, &u, err);
    if (rc == 0)
        rc = parse_u64(colon + 1, 0, UINT32_MAX - 1, &g, err);
    if (rc < 0)
        return err_wrap(err, rc, "--user");
    o->drop = true;
    o->uid = (uid_t)u;
    o->gid = (gid_t)g;
    return 0;
}

static int value_parse(const struct option_row *row, const char *text, struct reeved_options *o, struct err *err)
{
    void *at = (char *)o + row->offset;
    uint64_t number = 0;
    int rc = 0;
    switch (row->kind) {
    case OPTION_NAME:
        rc = parse_name(text, JOURNAL_CELL_MAX, err);
        /* fall through */
    case OPTION_TEXT:
        *(const char **)at = text;
        break;
    case OPTION_UID:
        rc = parse_u64(text, 0, UINT32_MAX - 1, &number, err);
        *(uid_t *)at = (uid_t)number;
        break;
    case OPTION_USER:
        return user_parse(text, o, err);
    case OPTION_FLAG:
        *(bool *)at = true;
        break;
    }
    return rc < 0 ? err_wrap(err, rc, "%s", row->name) : 0;
}

static const struct option_row *row_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

int reeved_options_parse(int argc, char **argv, struct reeved_options *ret, struct err *err)
{
    struct reeved_options o = {.cell = "default", .agent_uid = (uid_t)-1, .report_uid = (uid_t)-1};
    for (int i = 1; i < argc; i++) {
        const struct option_row *row = row_find(argv[i]);
        if (row == NULL)
            return err_set(err, -EINVAL, "unknown option '%s'", argv[i]);
        if (row->value != NULL && i + 1 == argc)
            return err_set(err, -EINVAL, "%s needs %s", row->name, row->value);
        int rc = value_parse(row, row->value != NULL ? argv[++i] : NULL, &o, err);
        if (rc < 0)
            return rc;
    }
    if (!o.help && !o.version && (o.dir == NULL || o.redis == NULL))
        return err_set(err, -EINVAL, "%s is required", o.dir == NULL ? "--dir" : "--redis");
    *ret = o;
    return 0;
}
