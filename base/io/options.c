#include "base/io/options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define HELP_COLUMN 24
#define UID_MAX ((uint64_t)UINT32_MAX - 1) /* the last is the kernel's "nobody" */

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- values ---- */

/* How a number is written: kinds that differ in nothing but that. */
static const struct number {
    int (*parse)(const char *text, uint64_t *ret, struct err *err);
    const char *(*format)(uint64_t value, char out[PARSE_TEXT_MAX]);
} numbers[] = {
    [OPTION_CPU] = {parse_cpu, format_cpu},
    [OPTION_SIZE] = {parse_size, format_size},
    [OPTION_DURATION] = {parse_duration, format_duration},
};

static int take_measure(const struct option_row *row, uint64_t *place, const char *value, struct err *err)
{
    const struct number *n = &numbers[row->kind];
    char least[PARSE_TEXT_MAX], most[PARSE_TEXT_MAX], quoted[PARSE_QUOTE_MAX];
    uint64_t max = row->max != 0 ? row->max : UINT64_MAX, number;
    int rc = n->parse(value, &number, err);
    if (rc < 0)
        return rc;
    if (number < row->min || number > max)
        return err_set(err, -EINVAL, "%s is out of range; write %s to %s", format_quote(value, quoted),
                       n->format(row->min, least), n->format(max, most));
    *place = number;
    return 0;
}

static int take_u32(const struct option_row *row, uint32_t *place, const char *value, struct err *err)
{
    uint64_t number;
    int rc = parse_u64(value, row->min, row->max != 0 ? row->max : UINT32_MAX, &number, err);
    if (rc == 0)
        *place = (uint32_t)number;
    return rc;
}

static int take_user(struct option_user *place, const char *value, struct err *err)
{
    const char *colon = strchr(value, ':');
    char first[PARSE_TEXT_MAX], quoted[PARSE_QUOTE_MAX];
    uint64_t uid, gid;
    if (colon == NULL || (size_t)(colon - value) >= sizeof first)
        return err_set(err, -EINVAL, "%s is not UID:GID; write two numbers, like 990:990",
                       format_quote(value, quoted));
    memcpy(first, value, (size_t)(colon - value));
    first[colon - value] = '\0';
    int rc = parse_u64(first, 0, UID_MAX, &uid, err);
    rc = rc < 0 ? rc : parse_u64(colon + 1, 0, UID_MAX, &gid, err);
    if (rc == 0)
        *place = (struct option_user){.given = true, .uid = (uid_t)uid, .gid = (gid_t)gid};
    return rc;
}

static int take_text(const struct option_row *row, const char **place, const char *value, struct err *err)
{
    int rc = 0;
    if (row->kind == OPTION_NAME)
        rc = parse_name(value, row->max, err);
    else if (row->kind == OPTION_PATH && value[0] == '\0')
        rc = err_set(err, -EINVAL, "'' is not a path; write at least one character");
    if (rc == 0)
        *place = value;
    return rc;
}

static int take(const struct option_row *row, void *object, const char *value, struct err *err)
{
    void *place = (char *)object + row->offset;
    switch ((enum option_kind)row->kind) {
    case OPTION_FLAG:
        *(bool *)place = true;
        return 0;
    case OPTION_TEXT:
    case OPTION_PATH:
    case OPTION_NAME:
        return take_text(row, place, value, err);
    case OPTION_U32:
        return take_u32(row, place, value, err);
    case OPTION_U64:
        return parse_u64(value, row->min, row->max != 0 ? row->max : UINT64_MAX, place, err);
    case OPTION_CPU:
    case OPTION_SIZE:
    case OPTION_DURATION:
        return take_measure(row, place, value, err);
    case OPTION_USER:
        return take_user(place, value, err);
    case OPTION_CALL:
        return row->set(object, value, err);
    }
    BUG(true); /* a kind without a case */
    return -EINVAL;
}

int option_take(const struct option_row *row, void *object, const char *value, struct err *err)
{
    int rc = take(row, object, value, err);
    return rc < 0 ? err_wrap(err, rc, "--%s", row->name) : 0;
}

/* ---- the command line ---- */

const struct option_row *option_find(const struct option_row *rows, size_t count, const char *name, size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(rows[i].name, name, len) == 0 && rows[i].name[len] == '\0')
            return &rows[i];
    return NULL;
}

static int refuse_unknown(const struct option_table *t, const char *arg, struct err *err)
{
    char quoted[PARSE_QUOTE_MAX];
    CLEANUP(buf_fini) struct buf names = {0};
    for (size_t i = 0; i < t->count; i++)
        buf_addf(&names, "--%s, ", t->rows[i].name);
    return err_set(err, -EINVAL, "%s is not an option; there are %s--help and --version", format_quote(arg, quoted),
                   names.failed ? "" : buf_text(&names));
}

/* One option at argv[*at], with its value; *at stays at the last word taken. */
static int one_option(const struct option_table *t, void *object, int argc, char **argv, int *at, struct err *err)
{
    const char *arg = argv[*at];
    size_t len = strncmp(arg, "--", 2) == 0 ? strcspn(arg + 2, "=") : 0;
    const struct option_row *row = len == 0 ? NULL : option_find(t->rows, t->count, arg + 2, len);
    if (row == NULL)
        return refuse_unknown(t, arg, err);
    const char *value = arg[2 + len] == '=' ? arg + 3 + len : NULL;
    char quoted[PARSE_QUOTE_MAX];
    if (row->value == NULL && value != NULL)
        return err_set(err, -EINVAL, "--%s: %s is too much; it takes no value", row->name,
                       format_quote(value, quoted));
    if (row->value != NULL && value == NULL) {
        if (*at + 1 >= argc)
            return err_set(err, -EINVAL, "--%s: its value is missing; write --%s %s", row->name, row->name,
                           row->value);
        value = argv[++*at];
    }
    return option_take(row, object, value, err);
}

static void take_fallbacks(const struct option_table *t, void *object)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct option_row *row = &t->rows[i];
        int rc = row->fallback == NULL ? 0 : option_take(row, object, row->fallback, NULL);
        BUG(rc < 0); /* a row that refuses its own default */
    }
}

static int check_required(const struct option_table *t, const void *object, struct err *err)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct option_row *row = &t->rows[i];
        if (row->required && *(const char *const *)((const char *)object + row->offset) == NULL)
            return err_set(err, -EINVAL, "--%s is missing; write --%s %s", row->name, row->name, row->value);
    }
    return 0;
}

static void take_rest(const struct option_table *t, void *object, char **rest)
{
    if (t->rest != NULL)
        *(char ***)((char *)object + t->rest_offset) = rest;
}

int options_parse(const struct option_table *t, void *object, int argc, char **argv, struct err *err)
{
    take_fallbacks(t, object);
    take_rest(t, object, argv + argc); /* argv[argc] is NULL */
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return OPTIONS_HELP;
        if (strcmp(argv[i], "--version") == 0)
            return OPTIONS_VERSION;
        if (strcmp(argv[i], "--") == 0 && t->rest != NULL) {
            take_rest(t, object, argv + i + 1);
            break;
        }
        int rc = one_option(t, object, argc, argv, &i, err);
        if (rc < 0)
            return rc;
    }
    int rc = check_required(t, object, err);
    return rc < 0 ? rc : OPTIONS_RUN;
}

/* ---- what is printed ---- */

static void put_row(struct buf *out, const struct option_row *row)
{
    size_t before = out->len;
    buf_addf(out, "  --%s%s%s", row->name, row->value == NULL ? "" : " ", row->value == NULL ? "" : row->value);
    size_t used = out->len - before;
    buf_addf(out, "%*s%s", used < HELP_COLUMN ? (int)(HELP_COLUMN - used) : 2, "", row->help);
    if (row->required)
        buf_add_str(out, " (required)");
    if (row->fallback != NULL)
        buf_addf(out, "; default: %s", row->fallback);
    if (row->repeated)
        buf_add_str(out, "; may be repeated");
    buf_add_str(out, "\n");
}

void options_help(const struct option_table *t, struct buf *out)
{
    buf_addf(out, "usage: %s", t->program);
    for (size_t i = 0; i < t->count; i++)
        if (t->rows[i].required)
            buf_addf(out, " --%s %s", t->rows[i].name, t->rows[i].value);
    buf_add_str(out, " [option ...]");
    if (t->rest != NULL)
        buf_addf(out, " [-- %s]", t->rest);
    buf_addf(out, "\n%s%s\n", t->about == NULL ? "" : t->about, t->about == NULL ? "" : "\n");
    for (size_t i = 0; i < t->count; i++)
        put_row(out, &t->rows[i]);
    put_row(out, &(struct option_row){.name = "help", .help = "print this"});
    put_row(out, &(struct option_row){.name = "version", .help = "print the version"});
}

int options_read(const struct option_table *t, void *object, int argc, char **argv)
{
    struct err err = {0};
    CLEANUP(buf_fini) struct buf text = {0};
    int wish = options_parse(t, object, argc, argv, &err);
    if (wish == OPTIONS_RUN)
        return OPTIONS_GO;
    if (wish < 0) {
        fprintf(stderr, "%s: %s\n", t->program, err_text(&err));
        return wish == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
    }
    if (wish == OPTIONS_HELP)
        options_help(t, &text);
    else
        buf_addf(&text, "%s " REEVE_VERSION "\n", t->program);
    return !text.failed && fputs(buf_text(&text), stdout) >= 0 && fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}
