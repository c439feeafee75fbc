#include "quotas/reports/options.h"

#define CELL_MAX 63
#define PLACE(member) .offset = offsetof(struct report_options, member)

static const struct option_row rows[] = {
    {.name = "dir", .value = "DIR", .kind = OPTION_PATH, PLACE(dir), .required = true,
     .help = "where the system lives; the reports are in DIR/report"},
    {.name = "redis", .value = "URL", .kind = OPTION_TEXT, PLACE(redis),
     .help = "unix:/path/redis.sock or tcp:host:port; default: unix:DIR/redis/redis.sock"},
    {.name = "cell", .value = "NAME", .kind = OPTION_NAME, PLACE(cell), .max = CELL_MAX, .fallback = "default",
     .help = "the cell's name"},
    {.name = "http-port", .value = "N", .kind = OPTION_U32, PLACE(http_port), .max = UINT16_MAX,
     .help = "also HTTP on 127.0.0.1, with tokens; 0 = choose a port (DIR/report/http.port)"},
    {.name = "webhooks", .value = "FILE", .kind = OPTION_PATH, PLACE(webhooks),
     .help = "who is told of events, with secrets; default: DIR/report/webhooks, if it is there"},
    {.name = "user", .value = "UID:GID", .kind = OPTION_USER, PLACE(user),
     .help = "become this user before anything is opened (only as root)"},
    {.name = "debug", .kind = OPTION_FLAG, PLACE(debug), .help = "log more"},
};

const struct option_table report_options = {
    .program = "reeve-reportd",
    .about = "Follows the scheduler's journal into SQLite and answers from there: history, costs, dashboards.",
    .rows = rows,
    .count = COUNT_OF(rows),
};
