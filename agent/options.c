#include "agent/options.h"

#include <errno.h>
#include <string.h>

#include "agent/attempts.h"
#include "base/parse.h"

#define KEEP_BYTES_DEFAULT ((uint64_t)1 << 30)
#define KEEP_AGE_DEFAULT_S (UINT64_C(7) * 86400)
#define NODE_NAME_MAX 63

struct row {
    const char *name, *value; /* value NULL = a flag */
    int (*set)(struct options *o, const char *text, struct err *err);
    const char *help;
};

static int set_dir(struct options *o, const char *text, struct err *err)
{
    return str_set(&o->dir, text) < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int set_name(struct options *o, const char *text, struct err *err)
{
    int rc = parse_name(text, NODE_NAME_MAX, err);
    return rc < 0 ? rc : str_set(&o->name, text);
}

static int set_cpus(struct options *o, const char *text, struct err *err)
{
    int rc = parse_cpu(text, &o->capacity.cpu_milli, err);
    if (rc == 0 && (o->capacity.cpu_milli == 0 || o->capacity.cpu_milli > CPU_MILLI_MAX))
        rc = err_set(err, -EINVAL, "%s cores can't be offered", text);
    return rc;
}

static int set_bytes(uint64_t *at, const char *text, struct err *err)
{
    int rc = parse_size(text, at, err);
    if (rc == 0 && (*at == 0 || *at > MEM_BYTES_MAX))
        rc = err_set(err, -EINVAL, "'%s' is out of range; write 1 to 1024Ti", text);
    return rc;
}

static int set_memory(struct options *o, const char *text, struct err *err)
{
    return set_bytes(&o->capacity.mem_bytes, text, err);
}

static int set_scratch(struct options *o, const char *text, struct err *err)
{
    return set_bytes(&o->capacity.scratch_bytes, text, err);
}

static int split(const char *text, char **ret_key, const char **ret_value, struct err *err)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return err_set(err, -EINVAL, "'%s' is not NAME=VALUE", text);
    *ret_key = strndup(text, (size_t)(equals - text));
    *ret_value = equals + 1;
    return *ret_key == NULL ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int set_generic(struct options *o, const char *text, struct err *err)
{
    CLEANUP(free_p) char *key = NULL;
    const char *value;
    uint64_t count;
    int rc = split(text, &key, &value, err);
    rc = rc < 0 ? rc : parse_name(key, RESOURCE_NAME_MAX, err);
    rc = rc < 0 ? rc : parse_u64(value, 0, GENERIC_MAX, &count, err);
    if (rc == 0 && o->capacity.generic.count >= RESOURCE_GENERIC_MAX)
        rc = err_set(err, -EINVAL, "more than %d generic resources", RESOURCE_GENERIC_MAX);
    return rc < 0 ? rc : counts_set(&o->capacity.generic, key, count);
}

static int set_label(struct options *o, const char *text, struct err *err)
{
    CLEANUP(free_p) char *key = NULL;
    const char *value;
    int rc = split(text, &key, &value, err);
    rc = rc < 0 ? rc : parse_name(key, NODE_NAME_MAX, err);
    return rc < 0 ? rc : pairs_set(&o->labels, key, value);
}

static int set_keep(struct options *o, const char *text, struct err *err)
{
    return parse_size(text, &o->keep.bytes, err);
}

static int set_keep_age(struct options *o, const char *text, struct err *err)
{
    uint64_t ms;
    int rc = parse_duration(text, &ms, err);
    if (rc == 0)
        o->keep.age_s = ms / 1000;
    return rc;
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

static const struct row rows[] = {
    {"--dir", "DIR", set_dir, "the system's folder: DIR/agent/agent.sock, DIR/node (required)"},
    {"--name", "NAME", set_name, "the node's name; default: the host's name"},
    {"--cpus", "N", set_cpus, "cores to offer, 2 or 0.5; default: all that are online"},
    {"--memory", "SIZE", set_memory, "memory to offer; default: three quarters of the machine's, less a reserve"},
    {"--scratch", "SIZE", set_scratch, "scratch to offer; it lies in memory; default: the other quarter"},
    {"--generic", "NAME=N", set_generic, "countable things to offer: gpu=2; may be repeated"},
    {"--label", "NAME=VALUE", set_label, "a label of the node; may be repeated"},
    {"--logs-keep", "SIZE", set_keep, "room for logs of ended attempts, oldest go first; default 1Gi"},
    {"--logs-age", "DURATION", set_keep_age, "how long they are kept at most; default 7d"},
    {"--debug", NULL, set_debug, "log more"},
    {"--help", NULL, set_help, "print this"},
    {"--version", NULL, set_version, "print the version"},
};

static const struct row *find(const char *name, size_t len)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
            return &rows[i];
    return NULL;
}

int options_parse(struct options *o, int argc, char **argv, struct err *err)
{
    o->keep = (struct shelf_limits){.bytes = KEEP_BYTES_DEFAULT, .count = SHELF_MAX, .age_s = KEEP_AGE_DEFAULT_S};
    for (int i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        const struct row *row = find(argv[i], equals == NULL ? strlen(argv[i]) : (size_t)(equals - argv[i]));
        if (row == NULL)
            return err_set(err, -EINVAL, "'%s' is no option; --help lists them", argv[i]);
        const char *text = equals == NULL ? NULL : equals + 1;
        if (row->value == NULL && text != NULL)
            return err_set(err, -EINVAL, "%s takes no value", row->name);
        if (row->value != NULL && text == NULL && ++i < argc)
            text = argv[i];
        if (row->value != NULL && text == NULL)
            return err_set(err, -EINVAL, "%s wants %s", row->name, row->value);
        int rc = row->set(o, text, err);
        if (rc < 0)
            return err_wrap(err, rc, "%s", row->name);
    }
    if (!o->help && !o->version && o->dir == NULL)
        return err_set(err, -EINVAL, "--dir is required");
    return 0;
}

void options_fini(struct options *o)
{
    free(o->dir);
    free(o->name);
    for (size_t i = 0; i < o->labels.count; i++) {
        free(o->labels.v[i].key);
        free(o->labels.v[i].value);
    }
    free(o->labels.v);
    fields_clear(&resources_fields, &o->capacity);
    *o = (struct options){0};
}

void options_usage(struct buf *out)
{
    buf_add_str(out, "usage: reeve-agent --dir DIR [option ...]\n"
                     "Runs a node's attempts. Started by reeve-warden, whose socket it finds as descriptor 3.\n\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t before = out->len;
        buf_addf(out, "  %s%s%s", rows[i].name, rows[i].value == NULL ? "" : " ",
                 rows[i].value == NULL ? "" : rows[i].value);
        buf_addf(out, "%*s%s\n", (int)(24 - MIN(out->len - before, (size_t)23)), "", rows[i].help);
    }
}
