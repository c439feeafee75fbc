#include "cli/args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "cli/cli.h"

static const struct option_row global_rows[] = {
    {.name = "dir", .kind = OPTION_TEXT, .value = "DIR", .offset = offsetof(struct cli, dir),
     .help = "the system whose files lie in DIR (else $REEVE_DIR, else /run/reeve)"},
    {.name = "socket", .kind = OPTION_TEXT, .value = "PATH", .offset = offsetof(struct cli, socket),
     .help = "the scheduler's socket (else $REEVE_SOCKET, else DIR/reeve.sock)"},
    {.name = "json", .kind = OPTION_FLAG, .offset = offsetof(struct cli, json),
     .help = "print the answer as one line of JSON"},
};
const struct option_set args_global = OPTION_SET(global_rows);

/* Also among the rows that this set shares with others; *into then moves to their object. */
static const struct option_row *find(const struct option_set *set, const char *name, size_t len, char **into)
{
    const struct option_row *row = NULL;
    for (; set != NULL && (row = option_find(set->rows, set->count, name, len)) == NULL; set = set->also)
        *into += set->also_at;
    return row;
}

static const struct option_row *find_letter(const struct option_set *set, char letter, char **into)
{
    for (; set != NULL; set = set->also) {
        for (size_t i = 0; i < set->count; i++)
            if (set->rows[i].letter == letter)
                return &set->rows[i];
        *into += set->also_at;
    }
    return NULL;
}

struct parser {
    const struct option_set *set;
    void *into;
    struct cli *cli;
    int argc, at;
    char **argv;
    const struct option_row **given; /* of those that go with some words only */
    size_t given_count;
};

static const struct option_row *look_up(const struct parser *p, const char *arg, const char **ret_value,
                                        void **ret_into)
{
    bool is_long = arg[1] == '-';
    size_t len = is_long ? strcspn(arg + 2, "=") : 1;
    *ret_value = is_long ? (arg[2 + len] == '=' ? arg + 3 + len : NULL) : arg[2] != '\0' ? arg + 2 : NULL;
    char *into = p->into;
    const struct option_row *row =
        is_long ? find(p->set, arg + 2, len, &into) : find_letter(p->set, arg[1], &into);
    *ret_into = into;
    if (row != NULL || p->cli == NULL || !is_long)
        return row;
    *ret_into = p->cli;
    return option_find(args_global.rows, args_global.count, arg + 2, len);
}

static int no_option(const struct parser *p, const char *arg, struct err *err)
{
    if (arg[1] >= '0' && arg[1] <= '9')
        return err_set(err, -EINVAL, "'%s' is not an option here; a word that begins with - stands behind --", arg);
    if (strncmp(arg, "--", 2) != 0)
        return err_set(err, -EINVAL, "'%s' is not an option here", arg);
    char name[NEAREST_MAX + 2];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(arg + 2, "="), arg + 2);
    struct nearest meant = nearest_to(name);
    for (const struct option_set *set = p->set; set != NULL; set = set->also)
        for (size_t i = 0; i < set->count; i++)
            nearest_offer(&meant, set->rows[i].name);
    if (meant.name == NULL)
        return err_set(err, -EINVAL, "'%s' is not an option here", arg);
    return err_set(err, -EINVAL, "'%s' is not an option here; did you mean --%s?", arg, meant.name);
}

static int one_option(struct parser *p, struct err *err)
{
    const char *arg = p->argv[p->at];
    const char *value;
    void *into;
    const struct option_row *row = look_up(p, arg, &value, &into);
    if (row == NULL)
        return no_option(p, arg, err);
    if (row->kind == OPTION_FLAG && value != NULL)
        return err_set(err, -EINVAL, "--%s takes no value", row->name);
    if (row->kind != OPTION_FLAG && value == NULL) {
        if (p->at + 1 >= p->argc)
            return err_set(err, -EINVAL, "--%s needs a value: %s", row->name, row->value);
        value = p->argv[++p->at];
    }
    if (row->of != NULL)
        p->given[p->given_count++] = row;
    return option_take(row, into, value, err);
}

static bool goes_with(const struct option_row *row, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = row->of; *at != '\0'; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (n == len && memcmp(at, word, n) == 0)
            return true;
        at += n;
    }
    return false;
}

/* What isn't asked for by the word is said, not passed over. */
static int check_given(const struct parser *p, const struct words *words, struct err *err)
{
    for (size_t i = 0; i < p->given_count && words->count > 0; i++)
        if (!goes_with(p->given[i], words->v[0]))
            return err_set(err, -EINVAL, "--%s doesn't go with '%.40s', only with: %s", p->given[i]->name,
                           words->v[0], p->given[i]->of);
    return 0;
}

static int read_all(struct parser *p, struct words *words, struct err *err)
{
    bool options_over = false;
    int rc = 0;
    for (; p->at < p->argc && rc == 0; p->at++) {
        const char *arg = p->argv[p->at];
        if (!options_over && strcmp(arg, "--") == 0) {
            options_over = true;
        } else if (options_over || arg[0] != '-' || arg[1] == '\0') { /* "-" alone is a file: stdin */
            words->v[words->count++] = arg;
            options_over = options_over || p->set->stop_at_word;
        } else {
            rc = one_option(p, err);
        }
    }
    return rc == 0 ? check_given(p, words, err) : rc;
}

int args_parse(const struct option_set *set, void *into, struct cli *cli, int argc, char **argv, struct words *ret,
                  struct err *err)
{
    struct parser p = {.set = set, .into = into, .cli = cli, .argc = argc, .at = 1, .argv = argv};
    struct words words = {.v = calloc((size_t)argc + 1, sizeof *words.v)};
    p.given = calloc((size_t)argc + 1, sizeof *p.given);
    int rc = words.v == NULL || p.given == NULL ? err_set(err, -ENOMEM, "out of memory") : read_all(&p, &words, err);
    free(p.given);
    if (rc < 0)
        free(words.v);
    else
        *ret = words;
    return rc;
}
