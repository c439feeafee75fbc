#include "scheduler/reeved_options.h"

#include "base/journal_record.h"

#define PLACE(member) .offset = offsetof(struct reeved_options, member)
#define UID_MAX ((uint64_t)UINT32_MAX - 1)

static const struct option_row rows[] = {
    {.name = "dir", .value = "DIR", .kind = OPTION_PATH, PLACE(dir), .required = true,
     .help = "where sockets and the journal live"},
    {.name = "redis", .value = "URL", .kind = OPTION_TEXT, PLACE(redis), .required = true,
     .help = "unix:/path/redis.sock or tcp:host:port"},
    {.name = "cell", .value = "NAME", .kind = OPTION_NAME, PLACE(cell), .max = JOURNAL_CELL_MAX,
     .fallback = "default", .help = "the cell's name"},
    {.name = "user", .value = "UID:GID", .kind = OPTION_USER, PLACE(user),
     .help = "become this user once the sockets are open (only as root)"},
    {.name = "agent-uid", .value = "UID", .kind = OPTION_U32, PLACE(agent_uid), .max = UID_MAX,
     .help = "the agents' user"},
    {.name = "report-uid", .value = "UID", .kind = OPTION_U32, PLACE(report_uid), .max = UID_MAX,
     .help = "the user of reeve-reportd"},
    {.name = "archive", .value = "FOLDER", .kind = OPTION_PATH, PLACE(archive),
     .help = "keep the whole journal: segments that are no longer needed are moved there, not removed"},
    {.name = "slice", .value = "DURATION", .kind = OPTION_DURATION, PLACE(slice_ms), .min = 2000, .max = 86400000,
     .fallback = "15m", .help = "hold money for so much run time at a time"},
    {.name = "pause-max", .value = "DURATION", .kind = OPTION_DURATION, PLACE(pause_max_ms), .min = 1000,
     .max = UINT64_C(366) * 86400000, .fallback = "24h",
     .help = "stop what has been paused for want of money for longer"},
    {.name = "debug", .kind = OPTION_FLAG, PLACE(debug), .help = "log more"},
};

const struct option_table reeved_options = {
    .program = "reeved",
    .about = "The scheduler of a cell: accepts jobs, decides what runs where, holds the money for it.",
    .rows = rows,
    .count = COUNT_OF(rows),
};
