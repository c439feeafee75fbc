/* One request: who asks, what for, and the answer's headers. */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/io/clock.h"
#include "base/io/log.h"
#include "quotas/reports/http_door.h"
#include "quotas/reports/http_relay.h"
#include "quotas/reports/http_reply.h"

#define FOR_EVER "private, max-age=31536000, immutable"

/* Charges are only ever added: as of one entry, or on a later page, there is one answer for ever. */
static bool names_its_entry(const struct ask *ask, uint64_t *ret_seq)
{
    if (params_get(ask->params, "as_of") == NULL && params_get(ask->params, "page_token") == NULL)
        return false;
    *ret_seq = 0; /* the question says it */
    return true;
}

static const struct route {
    const char *path;
    report_fn *answer;
    uint32_t scope;
    bool whole_cell; /* only for those who may see everything */
    bool tagged;     /* the same journal seq, question and viewer give the same bytes */
    bool anybody;    /* also for somebody whom no tenant names */
    bool browser;    /* a person's browser may ask for the token as a password */
    const char *relay; /* a method of reeved's that answers it instead */
    bool post;         /* then POST is how it is asked */
    bool (*is_final)(const struct ask *ask, uint64_t *ret_seq); /* NULL: what is new may change every answer */
} routes[] = {
    {"/", page_answer, SCOPE_COST, .browser = true},
    {"/v1/reports/cost", cost_answer, SCOPE_COST, .tagged = true, .is_final = names_its_entry},
    {"/v1/reports/top", top_answer, SCOPE_COST, .tagged = true, .is_final = names_its_entry},
    {"/v1/reports/waste", waste_answer, SCOPE_COST, .tagged = true},
    {"/v1/reports/units", units_answer, SCOPE_COST, .tagged = true},
    {"/v1/reports/idle", idle_answer, SCOPE_COST, .tagged = true, .whole_cell = true},
    {"/v1/reports/allocation", allocation_answer, SCOPE_COST, .tagged = true, .whole_cell = true},
    {"/v1/reports/anomalies", anomalies_answer, SCOPE_COST, .tagged = true},
    {"/v1/reports/focus", focus_answer, SCOPE_COST, .tagged = true, .is_final = focus_is_final},
    {"/v1/reports/focus/billing-periods", focus_periods_answer, SCOPE_COST, .anybody = true},
    {"/v1/reports/focus/schema", focus_schema_answer, SCOPE_COST, .tagged = true, .anybody = true},
    {"/v1/budgets", budgets_answer, SCOPE_COST, .tagged = false},
    {"/v1/budgets/*/forecast", forecast_answer, SCOPE_COST, .tagged = false},
    {"/v1/forecast", forecast_answer, SCOPE_COST, .tagged = false},
    {"/v1/prices", prices_answer, SCOPE_COST, .tagged = true, .anybody = true},
    {"/v1/ledger/check", check_answer, SCOPE_COST, .whole_cell = true},
    {"/v1/ledger/adjustments", NULL, SCOPE_LEDGER_WRITE, .relay = "ledger.adjust", .post = true},
    {"/metrics/scheduler", NULL, SCOPE_METRICS, .relay = "system.metrics", .whole_cell = true},
    {"/metrics", metrics_answer, SCOPE_METRICS, .anybody = true},
    {"/healthz", health_answer, SCOPE_COST | SCOPE_METRICS, .anybody = true},
};

/* A path with a "*" in it stands for those with a tenant's path there. */
static bool matches(const char *pattern, const char *path, char tenant[256])
{
    const char *star = strchr(pattern, '*');
    size_t before = star != NULL ? (size_t)(star - pattern) : strlen(pattern);
    size_t after = star != NULL ? strlen(star + 1) : 0, len = strlen(path);
    if (star == NULL)
        return strcmp(pattern, path) == 0;
    if (len <= before + after || strncmp(path, pattern, before) != 0 || strcmp(path + len - after, star + 1) != 0)
        return false;
    size_t n = len - before - after;
    snprintf(tenant, 256, "%.*s", (int)MIN(n, (size_t)255), path + before);
    return n < 256;
}

static const struct route *find_route(const char *path, char tenant[256])
{
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        if (matches(routes[i].path, path, tenant))
            return &routes[i];
    return NULL;
}

/* ---- who asks ----------------------------------------------------------------------------------------------- */
static int unauthorized(struct evhttp_request *req, const struct route *route, struct problem *problem)
{
    if (route != NULL && route->browser)
        http_header(req, "WWW-Authenticate",
                    "Basic realm=\"reeve: any name, the token as password\", charset=\"UTF-8\"");
    else
        http_header(req, "WWW-Authenticate", "Bearer realm=\"reeve\"");
    return problem_set(problem, 401, NULL, NULL, "needs a valid token: Authorization: Bearer <token>");
}

static int viewer_of_token(struct http *h, struct evhttp_request *req, const struct route *route, struct viewer *ret,
                           struct problem *problem)
{
    char secret[TOKEN_SECRET_MAX];
    struct err err = {0};
    if (tokens_refresh(&h->report->tokens, &err) < 0)
        log_line(LOG_ERROR, "report.tokens", "error=%s", log_quote(err_text(&err))); /* there are none now */
    const char *header = evhttp_find_header(evhttp_request_get_input_headers(req), "Authorization");
    bool basic = route != NULL && route->browser;
    if (!token_of_header(header, basic, secret) ||
        tokens_viewer(&h->report->tokens, secret, clock_utc_us(), ret) < 0)
        return unauthorized(req, route, problem);
    return 0;
}

static int viewer_of_peer(struct evhttp_request *req, sqlite3 *db, struct viewer *ret, struct problem *problem)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    struct err err = {0};
    int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evhttp_request_get_connection(req)));
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return problem_set(problem, 403, NULL, NULL, "the kernel doesn't say who you are");
    if (viewer_of_uid(ret, db, peer.uid, &err) < 0)
        return ask_failed(problem, &err);
    return 0;
}

static int nothing_here(struct problem *problem)
{
    struct buf paths = {0};
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        buf_addf(&paths, "%s%s", i > 0 ? ", " : "", routes[i].path);
    problem_set(problem, 404, NULL, buf_text(&paths), "there is nothing here");
    buf_fini(&paths);
    return -EINVAL;
}

static int check_access(const struct route *route, const struct viewer *viewer, struct problem *problem)
{
    if (route == NULL)
        return nothing_here(problem);
    if ((route->scope & viewer->scopes) == 0)
        return problem_set(problem, 403, NULL, NULL, "this token's scope doesn't cover it");
    if (route->whole_cell && !viewer_sees(viewer, TENANT_ROOT))
        return problem_set(problem, 403, NULL, NULL, "only for admins of the whole cell");
    if (!route->anybody && !viewer->all && viewer->subtrees.count == 0)
        return problem_set(problem, 403, NULL, NULL, "no tenant's users name you; an admin can change that");
    return 0;
}

/* ---- one request ---------------------------------------------------------------------------------------------- */
/* "<seq>-<hash of what was asked, by whom>" */
static void make_tag(const struct ask *ask, uint64_t seq, const char *uri, char *out, size_t size)
{
    struct buf viewer = {0};
    uint8_t hash[SHA256_BYTES];
    char hex[SHA256_HEX_MAX];
    viewer_key(ask->viewer, &viewer);
    const struct sha256_part parts[] = {{uri, strlen(uri) + 1}, {buf_text(&viewer), viewer.len + 1},
                                        {REEVE_VERSION, sizeof REEVE_VERSION}};
    sha256(parts, COUNT_OF(parts), hash);
    buf_fini(&viewer);
    snprintf(out, size, "\"%" PRIu64 "-%.16s\"", seq, sha256_hex(hash, hex));
}

/* If-None-Match: a list of tags, or *. */
static bool has_tag(const char *header, const char *tag)
{
    return header != NULL && (strcmp(header, "*") == 0 || strstr(header, tag) != NULL);
}

static void common_headers(struct evhttp_request *req)
{
    http_header(req, "X-Content-Type-Options", "nosniff");
    http_header(req, "Referrer-Policy", "no-referrer");
    http_header(req, "Content-Security-Policy",
                "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    http_header(req, "Cache-Control", "private, no-cache");
}

/* The same question, but for where it goes on. */
static void link_next(struct evhttp_request *req, const char *token)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *query = evhttp_uri_get_query(uri);
    struct buf link = {0};
    buf_addf(&link, "<%s?", evhttp_uri_get_path(uri));
    while (query != NULL && *query != '\0') {
        size_t len = strcspn(query, "&");
        if (len > 0 && strncmp(query, "page_token=", 11) != 0)
            buf_addf(&link, "%.*s&", (int)len, query);
        query += len + (query[len] == '&');
    }
    buf_addf(&link, "page_token=%s>; rel=\"next\"", token);
    if (!link.failed)
        http_header(req, "Link", buf_text(&link));
    buf_fini(&link);
}

static int send_it(struct door *door, struct evhttp_request *req, struct answer *answer, struct problem *problem)
{
    if (answer->next_page[0] != '\0')
        link_next(req, answer->next_page);
    if (answer->rows == NULL) {
        http_reply_body(req, answer);
        return 0;
    }
    int r = http_reply_rows(req, door, answer);
    return r < 0 ? problem_set(problem, 503, NULL, NULL, "no memory") : 0;
}

static int send_answer(struct door *door, struct evhttp_request *req, const struct route *route, struct ask *ask,
                       struct problem *problem)
{
    struct report *report = door->http->report;
    struct answer answer = {0};
    char tag[64] = "";
    uint64_t seq = ask->as_of;
    bool final = route->is_final != NULL && route->is_final(ask, &seq);
    if (route->tagged) {
        make_tag(ask, seq, evhttp_request_get_uri(req), tag, sizeof tag);
        if (has_tag(evhttp_find_header(evhttp_request_get_input_headers(req), "If-None-Match"), tag)) {
            http_header(req, "ETag", tag);
            if (final)
                http_header(req, "Cache-Control", FOR_EVER);
            http_reply_not_modified(req);
            return 0;
        }
    }
    if (report->streams >= HTTP_STREAMS_MAX) {
        problem->retry_after_s = 5;
        return problem_set(problem, 503, NULL, NULL, "%d reports are being sent already", HTTP_STREAMS_MAX);
    }
    int r = route->answer(report, ask, &answer, problem);
    if (r == 0 && tag[0] != '\0')
        http_header(req, "ETag", tag);
    if (r == 0 && final)
        http_header(req, "Cache-Control", FOR_EVER);
    if (r == 0)
        r = send_it(door, req, &answer, problem);
    if (answer.rows != NULL)
        answer.rows->free(answer.rows);
    buf_fini(&answer.body);
    return r;
}

static int check_verb(struct evhttp_request *req, const struct route *route, struct problem *problem)
{
    const char *allowed = route->post ? "POST" : "GET, HEAD";
    int fine = route->post ? EVHTTP_REQ_POST : EVHTTP_REQ_GET | EVHTTP_REQ_HEAD;
    if (((int)evhttp_request_get_command(req) & fine) != 0)
        return 0;
    http_header(req, "Allow", allowed);
    return problem_set(problem, 405, NULL, allowed, "%s",
                       route->post ? "this changes something" : "nothing is changed here");
}

static int answer_request(struct door *door, struct evhttp_request *req, struct problem *problem)
{
    struct http *h = door->http;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
    char tenant[256] = "";
    const struct route *route = path != NULL ? find_route(path, tenant) : NULL;
    struct viewer viewer = {0};
    struct params params = {0};
    struct ask ask = {.viewer = &viewer, .params = &params, .path = path, .path_tenant = tenant};
    /* On TCP nothing at all is told before the token is known, not even that the books can't be read. */
    int r = door->tcp ? viewer_of_token(h, req, route, &viewer, problem) : 0;
    if (r == 0) {
        follow_now(h->report->follow);
        r = ask_open(&ask, h->report, problem);
    }
    if (r == 0 && !door->tcp)
        r = viewer_of_peer(req, ask.db, &viewer, problem);
    if (r == 0)
        r = check_access(route, &viewer, problem);
    if (r == 0)
        r = check_verb(req, route, problem);
    if (r == 0)
        r = params_parse(evhttp_uri_get_query(uri), &params, problem);
    if (r == 0 && route->relay != NULL)
        r = http_relay(door, req, route->relay, &ask, problem);
    else if (r == 0)
        r = send_answer(door, req, route, &ask, problem);
    ask_fini(&ask);
    params_fini(&params);
    viewer_fini(&viewer);
    return r;
}

void http_on_request(struct evhttp_request *req, void *arg)
{
    struct door *door = arg;
    struct problem problem = {0};
    http_conns_touch(door->conns, evhttp_request_get_connection(req));
    common_headers(req);
    door->http->report->requests_total++;
    if (answer_request(door, req, &problem) < 0) {
        door->http->report->refused_total++;
        http_reply_problem(req, &problem);
    }
}
