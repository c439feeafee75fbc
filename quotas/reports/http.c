#include "quotas/reports/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io/log.h"
#include "quotas/reports/http_door.h"

#define HEADERS_MAX 16384
#define BODY_MAX 16384
#define BACKLOG 64
#define ACCEPT_PAUSE_MS 200

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
    /* All but CONNECT, which libevent leaves unanswered: those that are none of ours are refused in our own words. */
    evhttp_set_allowed_methods(door->server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
                                                 EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE |
                                                 EVHTTP_REQ_PATCH);
    evhttp_set_max_headers_size(door->server, HEADERS_MAX);
    evhttp_set_max_body_size(door->server, BODY_MAX);
    evhttp_set_timeout(door->server, HTTP_IDLE_S);
    evhttp_set_gencb(door->server, http_on_request, door);
    return http_conns_new(&door->conns, door->http->loop, door->server, HTTP_CONNECTIONS_MAX, door->http->report, err);
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
    http_conns_free(h->local.conns);
    http_conns_free(h->tcp.conns);
    timer_free(h->accept_again);
    if (h->socket_path != NULL)
        unlink(h->socket_path);
    free(h->socket_path);
    free(h);
}
