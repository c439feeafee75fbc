/* The warden's command line: the only text it reads, written by whoever starts it as root. */
#include "isolation/warden.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define UID_MAX ((uint64_t)UINT32_MAX - 1)
#define GROUP_NAME_MAX 32
#define PLACE(member) .offset = offsetof(struct warden_options, member)

static int set_cgroup(void *object, const char *text, struct err *err)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    if (len == 0 || len > GROUP_NAME_MAX || text[len] != '\0')
        return err_set(err, -EINVAL, "'%.40s' is not 1 to %d letters, digits, '_' or '-'", text, GROUP_NAME_MAX);
    ((struct warden_options *)object)->cgroup = text;
    return 0;
}

static int add_text(struct text_list *l, const char *text, int max, struct err *err)
{
    if (l->count == max)
        return err_set(err, -E2BIG, "may be given %d times", max);
    l->text[l->count++] = text;
    return 0;
}

static int set_device(void *object, const char *text, struct err *err)
{
    return add_text(&((struct warden_options *)object)->devices, text, NODE_DEVICES_MAX, err);
}

/* One more is the device that --dir lies on. */
static int set_io_device(void *object, const char *text, struct err *err)
{
    return add_text(&((struct warden_options *)object)->io_devices, text, CG_IO_DEVICES_MAX - 1, err);
}

static int set_volume(void *object, const char *text, struct err *err)
{
    return add_text(&((struct warden_options *)object)->volumes, text, VOLUMES_MAX, err);
}

static const struct option_row rows[] = {
    {.name = "dir", .value = "DIR", .kind = OPTION_PATH, PLACE(dir), .required = true, .help = "the system's folder"},
    {.name = "cgroup", .value = "NAME", .kind = OPTION_CALL, PLACE(cgroup), .set = set_cgroup, .required = true,
     .help = "all groups lie below reeve-NAME"},
    {.name = "keeper", .value = "PATH", .kind = OPTION_PATH, PLACE(keeper), .required = true,
     .help = "the keeper's program"},
    {.name = "seccomp", .value = "PATH", .kind = OPTION_PATH, PLACE(seccomp),
     .help = "the program that compiles profiles; else reeve-seccomp beside the keeper"},
    {.name = "profiles", .value = "DIR", .kind = OPTION_PATH, PLACE(profiles),
     .help = "the node's own seccomp profiles, NAME.json each"},
    {.name = "agent", .value = "PATH", .kind = OPTION_PATH, PLACE(agent), .help = "the agent's program"},
    {.name = "agent-uid", .value = "UID", .kind = OPTION_U32, PLACE(agent_uid), .min = 1, .max = UID_MAX,
     .help = "its user, not root"},
    {.name = "agent-gid", .value = "GID", .kind = OPTION_U32, PLACE(agent_gid), .min = 1, .max = UID_MAX,
     .help = "its group, not root's"},
    {.name = "socket-fd", .value = "FD", .kind = OPTION_U32, PLACE(socket_fd), .max = INT32_MAX,
     .help = "take operations from this descriptor instead of an agent of our own"},
    {.name = "uid-base", .value = "N", .kind = OPTION_U32, PLACE(uid_base), .min = SLOT_IDS, .max = UID_MAX,
     .fallback = "1879048192", .help = "the jobs' user ids begin here; a multiple of 65536"},
    {.name = "device", .value = "NAME=PATH", .kind = OPTION_CALL, PLACE(devices), .set = set_device, .repeated = true,
     .help = "a device that jobs may be given by this name"},
    {.name = "io-device", .value = "PATH", .kind = OPTION_CALL, PLACE(io_devices), .set = set_io_device,
     .repeated = true, .help = "a block device, or a path on one, that io limits apply to beside DIR's"},
    {.name = "images", .value = "DIR", .kind = OPTION_PATH, PLACE(images),
     .help = "folder of images, root's alone, that jobs may have as their root"},
    {.name = "volume", .value = "NAME=PATH[:ro][:noexec]", .kind = OPTION_CALL, PLACE(volumes), .set = set_volume,
     .repeated = true, .help = "a folder that jobs may be given by this name"},
    {.name = "private-net", .value = "BRIDGE=ADDRESS/PREFIX[:route]", .kind = OPTION_PATH, PLACE(private_net),
     .help = "the node's network for jobs: a bridge and its address"},
    {.name = "at-root", .kind = OPTION_FLAG, PLACE(at_root),
     .help = "where our own group is shared (v2): groups at the root of the hierarchy"},
    {.name = "kill-on-exit", .kind = OPTION_FLAG, PLACE(kill_on_exit), .help = "leave no attempt behind"},
};

const struct option_table warden_options = {
    .program = "reeve-warden",
    .about = "Makes, reads and removes sandboxes for one agent, which it starts: the one program of a node with\n"
             "privilege. --agent with --agent-uid and --agent-gid, or --socket-fd, must be given.",
    .rows = rows,
    .count = COUNT_OF(rows),
    .rest = "AGENT ARGS...",
    .rest_offset = offsetof(struct warden_options, agent_argv),
};

int warden_options_check(const struct warden_options *o, struct err *err)
{
    if (o->socket_fd < 0 && (o->agent == NULL || o->agent_argv[0] == NULL))
        return err_set(err, -EINVAL, "--agent and, behind --, the agent's own name and arguments must be given");
    if (o->socket_fd < 0 && (o->agent_uid == 0 || o->agent_gid == 0))
        return err_set(err, -EINVAL, "--agent-uid and --agent-gid must be given");
    if (o->uid_base % SLOT_IDS != 0)
        return err_set(err, -EINVAL, "--uid-base: '%" PRIu32 "' is not a multiple of %u", o->uid_base, SLOT_IDS);
    return 0;
}
