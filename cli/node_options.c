#include "cli/node_options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/proto.h"

void node_options_fini(struct node_options *o)
{
    struct strs *const lists[] = {&o->warden, &o->agent};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        for (size_t k = 0; k < lists[i]->count; k++)
            free(lists[i]->v[k]);
        free(lists[i]->v);
        *lists[i] = (struct strs){0};
    }
}

static int pass(struct strs *words, const char *option, const char *value, struct err *err)
{
    if (words->count + 2 > NODE_OPTION_WORDS_MAX)
        return err_set(err, -E2BIG, "too many options of a node; at most %d", NODE_OPTION_WORDS_MAX / 2);
    if (strs_add(words, option) < 0 || strs_add(words, value) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    return 0;
}

/* The path lies between the name and the words behind it; either may be missing. */
static int pass_path(struct node_options *o, const char *option, const char *value, size_t before, size_t behind,
                     struct err *err)
{
    char given[PATH_MAX], real[PATH_MAX], all[2 * PATH_MAX];
    size_t len = strlen(value) - before - behind;
    if (len >= sizeof given || before >= PATH_MAX - 1)
        return err_set(err, -ENAMETOOLONG, "'%.40s...' is too long", value);
    snprintf(given, sizeof given, "%.*s", (int)len, value + before);
    if (realpath(given, real) == NULL)
        return err_set(err, -errno, "'%s': %s", given, strerror(errno));
    snprintf(all, sizeof all, "%.*s%s%s", (int)before, value, real, value + before + len);
    return pass(&o->warden, option, all, err);
}

static bool cut_end(const char *value, size_t *behind, const char *word)
{
    size_t len = strlen(value) - *behind, word_len = strlen(word);
    bool found = len >= word_len && memcmp(value + len - word_len, word, word_len) == 0;
    *behind += found ? word_len : 0;
    return found;
}

static int pass_named(struct node_options *o, const char *option, const char *value, size_t behind, struct err *err)
{
    size_t name = strcspn(value, "=");
    if (name == 0 || value[name] == '\0' || strlen(value) - behind <= name + 1)
        return err_set(err, -EINVAL, "'%s' is not of the form NAME=PATH", value);
    return pass_path(o, option, value, name + 1, behind, err);
}

int node_options_volume(struct node_options *o, const char *value, struct err *err)
{
    size_t behind = 0;
    while (cut_end(value, &behind, ":ro") || cut_end(value, &behind, ":noexec"))
        continue;
    return pass_named(o, "--volume", value, behind, err);
}

/* ---- the warden's ----------------------------------------------------------------------------------------- */

static int set_images(void *into, const char *value, struct err *err)
{
    return pass_path(into, "--images", value, 0, 0, err);
}

static int set_profiles(void *into, const char *value, struct err *err)
{
    return pass_path(into, "--profiles", value, 0, 0, err);
}

static int set_private_net(void *into, const char *value, struct err *err)
{
    return pass(&((struct node_options *)into)->warden, "--private-net", value, err);
}

static int set_device(void *into, const char *value, struct err *err)
{
    return pass_named(into, "--device", value, 0, err);
}

static int set_io_device(void *into, const char *value, struct err *err)
{
    return pass_path(into, "--io-device", value, 0, 0, err);
}

static int set_uid_base(void *into, const char *value, struct err *err)
{
    uint64_t base;
    int rc = parse_u64(value, 65536, UINT32_MAX, &base, err);
    return rc < 0 ? rc : pass(&((struct node_options *)into)->warden, "--uid-base", value, err);
}

#define CALL(name_, value_, repeated_, set_, help_)                                                                   \
    {.name = (name_), .kind = OPTION_CALL, .value = (value_), .repeated = (repeated_), .set = (set_), .help = (help_)}
const struct option_row node_option_rows[NODE_OPTION_ROWS] = {
    CALL("images", "DIR", false, set_images, "folder of images that jobs may have as their root"),
    CALL("profiles", "DIR", false, set_profiles, "folder of seccomp profiles that jobs may name, NAME.json each"),
    CALL("private-net", "BRIDGE=ADDRESS/PREFIX[:route]", false, set_private_net,
         "the bridge that jobs with a private network are on"),
    CALL("device", "NAME=PATH", true, set_device, "a device that jobs may be given by this name; may be repeated"),
    CALL("io-device", "PATH", true, set_io_device, "a block device that io limits apply to; may be repeated"),
    CALL("uid-base", "N", false, set_uid_base, "the jobs' user ids begin here; a multiple of 65536"),
};

/* ---- the agent's ------------------------------------------------------------------------------------------ */

static int pass_agent(void *into, const char *option, const char *value, int rc, struct err *err)
{
    return rc < 0 ? rc : pass(&((struct node_options *)into)->agent, option, value, err);
}

static int set_name(void *into, const char *value, struct err *err)
{
    return pass_agent(into, "--name", value, parse_name(value, 63, err), err);
}

static int set_cpus(void *into, const char *value, struct err *err)
{
    uint64_t milli;
    return pass_agent(into, "--cpus", value, parse_cpu(value, &milli, err), err);
}

static int set_memory(void *into, const char *value, struct err *err)
{
    uint64_t bytes;
    return pass_agent(into, "--memory", value, parse_size(value, &bytes, err), err);
}

static int set_scratch(void *into, const char *value, struct err *err)
{
    uint64_t bytes;
    return pass_agent(into, "--scratch", value, parse_size(value, &bytes, err), err);
}

static int set_generic(void *into, const char *value, struct err *err)
{
    return pass_agent(into, "--generic", value, 0, err);
}

static int set_label(void *into, const char *value, struct err *err)
{
    return pass_agent(into, "--label", value, 0, err);
}

static int set_max_attempts(void *into, const char *value, struct err *err)
{
    uint64_t count;
    return pass_agent(into, "--max-attempts", value, parse_u64(value, 1, NODE_ATTEMPTS_MAX, &count, err), err);
}

static int set_logs_keep(void *into, const char *value, struct err *err)
{
    uint64_t bytes;
    return pass_agent(into, "--logs-keep", value, parse_size(value, &bytes, err), err);
}

static int set_logs_age(void *into, const char *value, struct err *err)
{
    uint64_t ms;
    return pass_agent(into, "--logs-age", value, parse_duration(value, &ms, err), err);
}

static int set_volume(void *into, const char *value, struct err *err)
{
    return node_options_volume(into, value, err);
}

static const struct option_set warden_set = OPTION_SET(node_option_rows);
static const struct option_row agent_rows[] = {
    CALL("name", "NODE", false, set_name, "the node's name (default: the host's)"),
    CALL("cpus", "N", false, set_cpus, "cores to offer (default: all)"),
    CALL("memory", "SIZE", false, set_memory, "memory to offer (default: most of it)"),
    CALL("scratch", "SIZE", false, set_scratch, "scratch to offer; it lies in memory"),
    CALL("generic", "NAME=N", true, set_generic, "another resource to offer; may be repeated"),
    CALL("label", "NAME=VALUE", true, set_label, "a label of the node; may be repeated"),
    CALL("max-attempts", "N", false, set_max_attempts, "attempts to run at once (default: while there is room)"),
    CALL("logs-keep", "SIZE", false, set_logs_keep, "room for logs of ended attempts (default 1Gi)"),
    CALL("logs-age", "DURATION", false, set_logs_age, "how long they are kept at most (default 7d)"),
    CALL("volume", "NAME=PATH[:ro][:noexec]", true, set_volume,
         "a folder that jobs may be given by this name; may be repeated"),
};
const struct option_set node_options = {.rows = agent_rows, .count = COUNT_OF(agent_rows), .also = &warden_set};
