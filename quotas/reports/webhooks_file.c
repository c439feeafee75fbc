#include "quotas/reports/webhooks_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io/fd.h"
#include "base/parse.h"
#include "base/policy.h"

#define FILE_MAX ((size_t)1 << 18)
#define SECRET_MIN 16

static const char *const type_names[] = {[EVENT_BUDGET_CROSSED] = "budget.crossed",
                                         [EVENT_PERIOD_CLOSED] = "period.closed",
                                         [EVENT_POLICY_PROPOSED] = "policy.proposed"};
_Static_assert(COUNT_OF(type_names) == EVENT_TYPE_COUNT, "a name for each");
const struct names event_type_names = {type_names, COUNT_OF(type_names)};

void webhooks_clear(struct list *hooks)
{
    struct webhook *v = hooks->v;
    for (size_t i = 0; i < hooks->count; i++) {
        free(v[i].name);
        free(v[i].url);
        free(v[i].secret);
        free(v[i].tenant);
    }
    free(v);
    *hooks = (struct list){0};
}

static bool read_events(char *text, uint32_t *ret)
{
    *ret = 0;
    for (char *save = NULL, *word = strtok_r(text, ",", &save); word != NULL; word = strtok_r(NULL, ",", &save)) {
        int found = names_find(&event_type_names, word);
        if (found < 0)
            return false;
        *ret |= 1u << found;
    }
    return *ret != 0;
}

static bool is_url(const char *text)
{
    size_t scheme = strncmp(text, "https://", 8) == 0 ? 8 : strncmp(text, "http://", 7) == 0 ? 7 : 0;
    return scheme > 0 && text[scheme] != '\0' && text[scheme] != '/';
}

static bool is_known(const struct list *hooks, const char *name)
{
    const struct webhook *v = hooks->v;
    for (size_t i = 0; i < hooks->count; i++)
        if (strcmp(v[i].name, name) == 0)
            return true;
    return false;
}

static int add_hook(struct list *hooks, char *const words[5], uint32_t events)
{
    struct webhook *hook = list_add(hooks, sizeof *hook);
    if (hook == NULL)
        return -ENOMEM;
    *hook = (struct webhook){.events = events};
    return str_set(&hook->name, words[0]) < 0 || str_set(&hook->url, words[1]) < 0 ||
                   str_set(&hook->secret, words[2]) < 0 || str_set(&hook->tenant, words[3]) < 0
               ? -ENOMEM : 0;
}

static int read_line(char *line, size_t number, struct list *hooks, struct err *err)
{
    char *save = NULL, *words[6] = {0};
    size_t count = 0;
    uint32_t events = (1u << EVENT_TYPE_COUNT) - 1;
    for (char *word = strtok_r(line, " \t\r", &save); word != NULL && count < 6; word = strtok_r(NULL, " \t\r", &save))
        words[count++] = word;
    if (count == 0 || words[0][0] == '#')
        return 0;
    const char *wrong = NULL;
    if (count != 4 && count != 5)
        wrong = "name, url, secret, tenant and, if not all, events";
    else if (parse_name(words[0], WEBHOOK_NAME_MAX, NULL) < 0)
        wrong = "a name";
    else if (is_known(hooks, words[0]))
        wrong = "a name that no other line has";
    else if (!is_url(words[1]))
        wrong = "a url, http:// or https://";
    else if (strlen(words[2]) < SECRET_MIN)
        wrong = "a secret of at least 16 characters";
    else if (strcmp(words[3], TENANT_ROOT) != 0 && parse_tenant_path(words[3], NULL) < 0)
        wrong = "a tenant's path, or /";
    else if (count == 5 && !read_events(words[4], &events))
        wrong = "events: budget.crossed, period.closed, policy.proposed";
    if (wrong != NULL)
        return err_set(err, -EINVAL, "line %zu: needs %s", number, wrong);
    if (hooks->count == WEBHOOKS_MAX)
        return err_set(err, -E2BIG, "more than %d webhooks", WEBHOOKS_MAX);
    return add_hook(hooks, words, events) < 0 ? err_set(err, -ENOMEM, "no memory") : 0;
}

int webhooks_parse(const char *text, struct list *ret, struct err *err)
{
    CLEANUP(free_p) char *copy = strdup(text);
    struct list hooks = {0};
    size_t number = 0;
    int r = copy == NULL ? err_set(err, -ENOMEM, "no memory") : 0;
    for (char *at = copy, *end; at != NULL && r == 0; at = end) {
        end = strchr(at, '\n');
        if (end != NULL)
            *end++ = '\0';
        r = read_line(at, ++number, &hooks, err);
    }
    if (r < 0)
        webhooks_clear(&hooks);
    else
        *ret = hooks;
    return r;
}

int webhooks_load(const char *path, struct list *ret, struct err *err)
{
    struct buf text = {0};
    struct stat st;
    *ret = (struct list){0};
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : err_set(err, -errno, "%s: %s", path, strerror(errno));
    if ((st.st_mode & 077) != 0)
        return err_set(err, -EPERM, "%s: holds secrets, but others can read it; chmod 600", path);
    int r = file_read(path, FILE_MAX, &text, err);
    if (r == 0 && memchr(buf_text(&text), '\0', text.len) != NULL)
        r = err_set(err, -EINVAL, "is no text");
    if (r == 0)
        r = webhooks_parse(buf_text(&text), ret, err);
    buf_fini(&text);
    return r < 0 ? err_wrap(err, r, "%s", path) : 0;
}
