#include "quotas/reports/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io/clock.h"
#include "base/io/log.h"
#include "quotas/reports/http_reply.h"

#define HEADERS_MAX 16384
#define BODY_MAX 4096
#define BACKLOG 64
#define ACCEPT_PAUSE_MS 200
#define FOR_EVER "private, max-age=31536000, immutable"

struct door {
    struct http *http;
    struct evhttp *server;
    struct evconnlistener *listener; /* the server's */
    bool tcp;
};

struct http {
    struct loop *loop;
    struct report *report;
    struct door local, tcp;
    struct timer *accept_again;
    char *socket_path;
};

static const struct route {
    const char *path;
    report_fn *answer;
    uint32_t scope;
    bool whole_cell; /* only for those who may see everything */
    bool tagged;     /* the same journal seq, question and viewer give the same bytes */
    bool anybody;    /* also for somebody whom no tenant names */
    bool browser;    /* a person's browser may ask for the token as a password */
    bool (*is_final)(const struct ask *ask, uint64_t *ret_seq); /* NULL: what is new may change every answer */
} routes[] = {
    {"/", page_answer, SCOPE_COST, .browser = true},
    {"/v1/reports/cost", cost_answer, SCOPE_COST, .tagged = true},
    {"/v1/budgets", budgets_answer, SCOPE_COST, .tagged = false},
    {"/v1/reports/focus", focus_answer, SCOPE_COST, .tagged = true, .is_final = focus_is_final},
    {"/v1/reports/focus/billing-periods", focus_periods_answer, SCOPE_COST, .anybody = true},
    {"/v1/reports/focus/schema", focus_schema_answer, SCOPE_COST, .tagged = true, .anybody = true},
    {"/v1/prices", prices_answer, SCOPE_COST, .tagged = true, .anybody = true},
    {"/v1/ledger/check", check_answer, SCOPE_COST, .whole_cell = true},
    {"/metrics", metrics_answer, SCOPE_METRICS, .anybody = true},
    {"/healthz", health_answer, SCOPE_COST | SCOPE_METRICS, .anybody = true},
};

static const struct route *find_route(const char *path)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        if (strcmp(routes[i].path, path) == 0)
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

static int check_access(const struct route *route, const struct viewer *viewer, struct problem *problem)
{
    if (route == NULL)
        return problem_set(problem, 404, NULL,
                           "/, /v1/reports/cost, /v1/reports/focus, /v1/reports/focus/billing-periods, "
                           "/v1/reports/focus/schema, /v1/budgets, /v1/prices, /v1/ledger/check, /metrics, /healthz",
                           "there is nothing here");
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

static int send_answer(struct http *h, struct evhttp_request *req, const struct route *route, struct ask *ask,
                       struct problem *problem)
{
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
    if (h->report->streams >= HTTP_STREAMS_MAX) {
        problem->retry_after_s = 5;
        return problem_set(problem, 503, NULL, NULL, "%d reports are being sent already", HTTP_STREAMS_MAX);
    }
    int r = route->answer(h->report, ask, &answer, problem);
    if (r == 0 && tag[0] != '\0')
        http_header(req, "ETag", tag);
    if (r == 0 && final)
        http_header(req, "Cache-Control", FOR_EVER);
    if (r == 0 && answer.rows != NULL) {
        r = http_reply_rows(req, h->loop, &answer, &h->report->streams);
        if (r < 0)
            r = problem_set(problem, 503, NULL, NULL, "no memory");
    } else if (r == 0) {
        http_reply_body(req, &answer);
    }
    if (answer.rows != NULL)
        answer.rows->free(answer.rows);
    buf_fini(&answer.body);
    return r;
}

static int answer_request(struct door *door, struct evhttp_request *req, struct problem *problem)
{
    struct http *h = door->http;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
    const struct route *route = path != NULL ? find_route(path) : NULL;
    struct viewer viewer = {0};
    struct params params = {0};
    struct ask ask = {.viewer = &viewer, .params = &params};
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
        r = params_parse(evhttp_uri_get_query(uri), &params, problem);
    if (r == 0)
        r = send_answer(h, req, route, &ask, problem);
    ask_fini(&ask);
    params_fini(&params);
    viewer_fini(&viewer);
    return r;
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct door *door = arg;
    struct problem problem = {0};
    common_headers(req);
    door->http->report->requests_total++;
    if (answer_request(door, req, &problem) < 0) {
        door->http->report->refused_total++;
        http_reply_problem(req, &problem);
    }
}

/* ---- doors ------------------------------------------------------------------------------------------------------ */
/* libevent hands its own server to the error callback, not us; a process has one struct http. */
static struct http *accepting;

/* Out of descriptors: the listener would spin, so it rests. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    (void)arg;
    log_line(LOG_WARN, "http.accept", "error=%s", log_quote(strerror(errno)));
    evconnlistener_disable(listener);
    timer_set_ms(accepting->accept_again, ACCEPT_PAUSE_MS);
}

static void accept_again(void *arg)
{
    struct http *h = arg;
    if (h->local.listener != NULL)
        evconnlistener_enable(h->local.listener);
    if (h->tcp.listener != NULL)
        evconnlistener_enable(h->tcp.listener);
}

int http_new(struct http **ret, struct loop *loop, struct report *report, struct err *err)
{
    struct http *h = calloc(1, sizeof *h);
    if (h == NULL || timer_new(&h->accept_again, loop, accept_again, h) < 0) {
        free(h);
        return err_set(err, -ENOMEM, "no memory");
    }
    h->loop = loop;
    h->report = report;
    h->local = (struct door){.http = h};
    h->tcp = (struct door){.http = h, .tcp = true};
    accepting = h;
    *ret = h;
    return 0;
}

static int open_door(struct door *door, const struct sockaddr *address, socklen_t size, struct err *err)
{
    struct event_base *base = loop_base(door->http->loop);
    door->server = evhttp_new(base);
    struct evconnlistener *listener =
        evconnlistener_new_bind(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
                                BACKLOG, address, (int)size);
    if (listener == NULL)
        return err_set(err, -errno, "listen: %s", strerror(errno));
    if (door->server == NULL || evhttp_bind_listener(door->server, listener) == NULL) {
        evconnlistener_free(listener);
        return err_set(err, -ENOMEM, "no memory");
    }
    door->listener = listener;
    evconnlistener_set_error_cb(listener, on_accept_error);
    evhttp_set_allowed_methods(door->server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(door->server, HEADERS_MAX);
    evhttp_set_max_body_size(door->server, BODY_MAX);
    evhttp_set_timeout(door->server, HTTP_IDLE_S);
    evhttp_set_gencb(door->server, on_request, door);
    return 0;
}

int http_listen_unix(struct http *h, const char *path, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return err_set(err, -ENAMETOOLONG, "%s: too long for a socket's path", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    unlink(path); /* of a predecessor: the lock on the books says that there is only one of us */
    int r = open_door(&h->local, (const struct sockaddr *)&address, sizeof address, err);
    if (r < 0)
        return err_wrap(err, r, "%s", path);
    h->socket_path = strdup(path);
    if (chmod(path, 0666) < 0)
        return err_set(err, -errno, "%s: %s", path, strerror(errno));
    return h->socket_path != NULL ? 0 : err_set(err, -ENOMEM, "no memory");
}

int http_listen_tcp(struct http *h, uint16_t port, uint16_t *ret_port, struct err *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int r = open_door(&h->tcp, (const struct sockaddr *)&address, sizeof address, err);
    if (r < 0)
        return err_wrap(err, r, "127.0.0.1:%u", port);
    if (getsockname(evconnlistener_get_fd(h->tcp.listener), (struct sockaddr *)&address, &size) < 0)
        return err_set(err, -errno, "getsockname: %s", strerror(errno));
    *ret_port = ntohs(address.sin_port);
    return 0;
}

void http_free(struct http *h)
{
    if (h == NULL)
        return;
    if (h->local.server != NULL)
        evhttp_free(h->local.server);
    if (h->tcp.server != NULL)
        evhttp_free(h->tcp.server);
    timer_free(h->accept_again);
    if (h->socket_path != NULL)
        unlink(h->socket_path);
    free(h->socket_path);
    free(h);
}
