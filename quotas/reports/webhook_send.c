#include "quotas/reports/webhook_send.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX ((size_t)64 << 10)

struct sending {
    struct sending *next, **link;
    struct sender *sender;
    CURL *curl;
    struct curl_slist *headers;
    sender_done *on_done;
    void *arg;
    size_t answered;
    char why[CURL_ERROR_SIZE];
};

struct sender {
    struct loop *loop;
    CURLM *multi;
    struct timer *timer;
    struct sending *first;
};

static void sending_free(struct sending *p)
{
    *p->link = p->next;
    if (p->next != NULL)
        p->next->link = p->link;
    if (p->curl != NULL) {
        curl_multi_remove_handle(p->sender->multi, p->curl);
        curl_easy_cleanup(p->curl);
    }
    curl_slist_free_all(p->headers);
    free(p);
}

static void finish(CURL *curl, CURLcode code)
{
    struct sending *p = NULL;
    long status = 0;
    char why[CURL_ERROR_SIZE];
    curl_easy_getinfo(curl, CURLINFO_PRIVATE, &p);
    if (code == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    memcpy(why, p->why, sizeof why);
    if (code != CURLE_OK && why[0] == '\0')
        strncpy(why, curl_easy_strerror(code), sizeof why - 1);
    sender_done *on_done = p->on_done;
    void *arg = p->arg;
    sending_free(p);
    on_done(arg, status, why);
}

/* on_done may begin others: one is taken off at a time. */
static void collect(struct sender *s)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(s->multi, &left)) != NULL;)
        if (m->msg == CURLMSG_DONE)
            finish(m->easy_handle, m->data.result);
}

/* ---- libcurl's sockets and its one timer, on our loop ----------------------------------------------------------- */
struct spot {
    struct sender *sender;
    curl_socket_t fd;
    struct watch *watch;
};

static void on_socket(void *arg, int what)
{
    const struct spot *spot = arg;
    struct sender *s = spot->sender;
    int running, mask = (what & WATCH_READ ? CURL_CSELECT_IN : 0) | (what & WATCH_WRITE ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(s->multi, spot->fd, mask, &running); /* may free the spot */
    collect(s);
}

static void on_timer(void *arg)
{
    struct sender *s = arg;
    int running;
    curl_multi_socket_action(s->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(s);
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
    struct sender *s = arg;
    (void)multi;
    if (ms < 0)
        timer_cancel(s->timer);
    else
        timer_set_ms(s->timer, (uint64_t)ms);
    return 0;
}

static int set_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct sender *s = arg;
    struct spot *spot = socket_arg;
    (void)curl;
    if (spot != NULL && spot->watch != NULL) {
        watch_free(spot->watch);
        spot->watch = NULL;
    }
    if (what == CURL_POLL_REMOVE) {
        free(spot);
        return 0;
    }
    if (spot == NULL) {
        spot = calloc(1, sizeof *spot);
        if (spot == NULL)
            return -1;
        *spot = (struct spot){.sender = s, .fd = fd};
        curl_multi_assign(s->multi, fd, spot);
    }
    int wanted = (what & CURL_POLL_IN ? WATCH_READ : 0) | (what & CURL_POLL_OUT ? WATCH_WRITE : 0);
    return wanted == 0 ? 0 : watch_new(&spot->watch, s->loop, fd, wanted, on_socket, spot);
}

int sender_new(struct sender **ret, struct loop *loop, struct err *err)
{
    struct sender *s = calloc(1, sizeof *s);
    if (s == NULL)
        return err_set(err, -ENOMEM, "no memory");
    s->loop = loop;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || (s->multi = curl_multi_init()) == NULL ||
        timer_new(&s->timer, loop, on_timer, s) < 0) {
        sender_free(s);
        return err_set(err, -ENOMEM, "no memory");
    }
    curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s);
    curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s);
    *ret = s;
    return 0;
}

void sender_free(struct sender *s)
{
    if (s == NULL)
        return;
    while (s->first != NULL)
        sending_free(s->first);
    if (s->multi != NULL)
        curl_multi_cleanup(s->multi);
    if (s->timer != NULL)
        timer_free(s->timer);
    free(s);
    curl_global_cleanup();
}

/* ---- one POST --------------------------------------------------------------------------------------------------- */
static size_t swallow(char *bytes, size_t size, size_t count, void *arg)
{
    struct sending *p = arg;
    (void)bytes;
    p->answered += size * count;
    return p->answered <= ANSWER_MAX ? size * count : 0;
}

static bool set_options(struct sending *p, const char *url, const char *body)
{
    CURL *c = p->curl;
    return curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)WEBHOOK_TIMEOUT_MS) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_USERAGENT, "reeve-reportd/" REEVE_VERSION) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)strlen(body)) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, body) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HTTPHEADER, p->headers) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, swallow) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, p) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, p->why) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PRIVATE, p) == CURLE_OK;
}

static bool set_headers(struct sending *p, const struct strs *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        struct curl_slist *grown = curl_slist_append(p->headers, headers->v[i]);
        if (grown == NULL)
            return false;
        p->headers = grown;
    }
    return true;
}

int sender_post(struct sender *s, const char *url, const struct strs *headers, const char *body, sender_done *on_done,
                void *arg, struct err *err)
{
    struct sending *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(err, -ENOMEM, "no memory");
    *p = (struct sending){.sender = s, .on_done = on_done, .arg = arg, .next = s->first, .link = &s->first};
    if (p->next != NULL)
        p->next->link = &p->next;
    s->first = p;
    p->curl = curl_easy_init();
    if (p->curl == NULL || !set_headers(p, headers) || !set_options(p, url, body) ||
        curl_multi_add_handle(s->multi, p->curl) != CURLM_OK) {
        sending_free(p);
        return err_set(err, -ENOMEM, "no memory");
    }
    return 0;
}
