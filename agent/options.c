#include "agent/options.h"

#include <errno.h>
#include <string.h>

#include "agent/calibrate.h"
#include "base/parse.h"
#include "base/proto.h"

#define NODE_NAME_MAX 63
#define PLACE(member) .offset = offsetof(struct agent_options, member)

static int split(const char *text, char **ret_key, const char **ret_value, struct err *err)
{
    const char *equals = strchr(text, '=');
    char quoted[PARSE_QUOTE_MAX];
    if (equals == NULL || equals == text)
        return err_set(err, -EINVAL, "%s is not NAME=VALUE", format_quote(text, quoted));
    *ret_key = strndup(text, (size_t)(equals - text));
    *ret_value = equals + 1;
    return *ret_key == NULL ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int set_generic(void *object, const char *text, struct err *err)
{
    struct agent_options *o = object;
    CLEANUP(free_p) char *key = NULL;
    const char *value;
    uint64_t count;
    int rc = split(text, &key, &value, err);
    rc = rc < 0 ? rc : parse_name(key, RESOURCE_NAME_MAX, err);
    rc = rc < 0 ? rc : parse_u64(value, 0, GENERIC_MAX, &count, err);
    if (rc == 0 && o->capacity.generic.count >= RESOURCE_GENERIC_MAX)
        rc = err_set(err, -EINVAL, "'%s' is one too many; a node has at most %d generic resources", key,
                     RESOURCE_GENERIC_MAX);
    return rc < 0 ? rc : counts_set(&o->capacity.generic, key, count);
}

static int set_label(void *object, const char *text, struct err *err)
{
    struct agent_options *o = object;
    CLEANUP(free_p) char *key = NULL;
    const char *value;
    int rc = split(text, &key, &value, err);
    rc = rc < 0 ? rc : parse_name(key, NODE_NAME_MAX, err);
    rc = rc < 0 ? rc : parse_utf8(value, strlen(value), err);
    return rc < 0 ? rc : pairs_set(&o->labels, key, value);
}

static const struct option_row rows[] = {
    {.name = "dir", .value = "DIR", .kind = OPTION_PATH, PLACE(dir), .required = true,
     .help = "the system's folder: DIR/agent/agent.sock, DIR/node"},
    {.name = "name", .value = "NAME", .kind = OPTION_NAME, PLACE(name), .max = NODE_NAME_MAX,
     .help = "the node's name; default: the host's name"},
    {.name = "cpus", .value = "N", .kind = OPTION_CPU, PLACE(capacity.cpu_milli), .min = 1, .max = CPU_MILLI_MAX,
     .help = "cores to offer, 2 or 0.5; default: all that are online"},
    {.name = "memory", .value = "SIZE", .kind = OPTION_SIZE, PLACE(capacity.mem_bytes), .min = 1,
     .max = MEM_BYTES_MAX, .help = "memory to offer; default: three quarters of the machine's, less a reserve"},
    {.name = "scratch", .value = "SIZE", .kind = OPTION_SIZE, PLACE(capacity.scratch_bytes), .min = 1,
     .max = MEM_BYTES_MAX, .help = "scratch to offer; it lies in memory; default: what --memory leaves"},
    {.name = "generic", .value = "NAME=N", .kind = OPTION_CALL, .set = set_generic, .repeated = true,
     .help = "countable things to offer: gpu=2"},
    {.name = "label", .value = "NAME=VALUE", .kind = OPTION_CALL, .set = set_label, .repeated = true,
     .help = "a label of the node"},
    {.name = "max-attempts", .value = "N", .kind = OPTION_U32, PLACE(max_attempts), .min = 1, .max = NODE_ATTEMPTS_MAX,
     .help = "attempts to run at once; default: as many as there is room for"},
    {.name = "logs-keep", .value = "SIZE", .kind = OPTION_SIZE, PLACE(keep_bytes), .fallback = "1Gi",
     .help = "room for logs of ended attempts, oldest go first"},
    {.name = "logs-age", .value = "DURATION", .kind = OPTION_DURATION, PLACE(keep_ms), .fallback = "7d",
     .help = "how long they are kept at most"},
    {.name = "debug", .kind = OPTION_FLAG, PLACE(debug), .help = "log more"},
};

const struct option_table agent_options = {
    .program = "reeve-agent",
    .about = "Runs a node's attempts. Started by reeve-warden, whose socket it finds as descriptor 3.\n"
             "`reeve-agent calibrate` measures the node's disk for the fair queue, `reeve-agent io-check` says\n"
             "whether its two meters agree.",
    .rows = rows,
    .count = COUNT_OF(rows),
};

static const struct option_row calibrate_rows[] = {
    {.name = "dir", .value = "DIR", .kind = OPTION_PATH, .offset = offsetof(struct calibrate_options, dir),
     .required = true, .help = "the system's folder; what is found is written to DIR/node/io.json"},
    {.name = "file", .value = "SIZE", .kind = OPTION_SIZE, .offset = offsetof(struct calibrate_options, file_bytes),
     .min = CALIBRATE_FILE_MIN, .max = (uint64_t)1 << 40, .fallback = "1Gi",
     .help = "size of the file that is read and written"},
    {.name = "time", .value = "DURATION", .kind = OPTION_DURATION,
     .offset = offsetof(struct calibrate_options, time_ms), .min = 100, .max = 3600000, .fallback = "20s",
     .help = "how long it measures"},
};

const struct option_table calibrate_options = {
    .program = "reeve-agent calibrate",
    .about = "Measures the disk below DIR/node for the fair queue, best while nothing else uses it.",
    .rows = calibrate_rows,
    .count = COUNT_OF(calibrate_rows),
};

static const struct option_row io_check_rows[] = {
    {.name = "dir", .value = "DIR", .kind = OPTION_PATH, .offset = offsetof(struct io_check_options, dir),
     .required = true, .help = "the system's folder; the agent's sums are in DIR/node/io.check"},
    {.name = "json", .kind = OPTION_FLAG, .offset = offsetof(struct io_check_options, json), .help = "as JSON"},
};

const struct option_table io_check_options = {
    .program = "reeve-agent io-check",
    .about = "Do the two meters of a node's disk agree: what the kernel counted for the attempts there, and what was\n"
             "told of their bills? Exit status 1: they are more than 2 % apart.",
    .rows = io_check_rows,
    .count = COUNT_OF(io_check_rows),
};

void agent_options_fini(struct agent_options *o)
{
    for (size_t i = 0; i < o->labels.count; i++) {
        free(o->labels.v[i].key);
        free(o->labels.v[i].value);
    }
    free(o->labels.v);
    fields_clear(&resources_fields, &o->capacity);
    *o = (struct agent_options){0};
}
