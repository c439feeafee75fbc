#include "cli/job_request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "base/io/yaml.h"
#include "base/parse.h"
#include "cli/cli.h"

#define SCRIPT_WORDS_MAX 128
#define MARK "#REEVE"

/* ---- files ------------------------------------------------------------------------------------------------ */

void job_request_fini(struct job_request *r)
{
    fields_clear(&submit_call_fields, &r->call);
}

/* The rows of a job file: those of a job, and what belongs to the submission. */
struct job_file {
    struct job_spec spec;
    char *tenant, *key;
};

static const struct fields *job_file_fields(void)
{
    static struct field rows[FIELD_ROWS_MAX];
    static struct fields table = {.what = "job", .size = sizeof(struct job_file), .rows = rows};
    static const struct field extra[] = {
        FIELD_ROW(job_file, 1001, "tenant", FIELD_STR, tenant, .max = 255),
        FIELD_ROW(job_file, 1002, "key", FIELD_STR, key, .max = JOB_KEY_MAX),
    };
    _Static_assert(offsetof(struct job_file, spec) == 0, "the job's rows are used as they are");
    assert(job_spec_fields.count + COUNT_OF(extra) <= COUNT_OF(rows));
    memcpy(rows, job_spec_fields.rows, job_spec_fields.count * sizeof rows[0]);
    memcpy(rows + job_spec_fields.count, extra, sizeof extra);
    table.count = job_spec_fields.count + COUNT_OF(extra);
    return &table;
}

static int read_yaml(struct job_request *r, const char *name, const char *text, size_t len, struct err *err)
{
    struct job_file file = {0};
    int rc = yaml_read(job_file_fields(), name, text, len, &file, err);
    if (rc < 0)
        return rc;
    r->call.spec = file.spec;
    r->call.tenant = file.tenant;
    r->call.key = file.key;
    return 0;
}

int words_split(char *line, char **words, size_t max, size_t *ret_count, struct err *err)
{
    size_t count = 0;
    char *in = line, *out = line;
    for (;;) {
        in += strspn(in, " \t\r");
        if (*in == '\0' || *in == '#')
            break;
        if (count == max)
            return err_set(err, -EINVAL, "more than %zu words", max);
        words[count++] = out;
        char quote = '\0';
        for (; *in != '\0' && (quote != '\0' || strchr(" \t\r", *in) == NULL); in++) {
            if (quote == '\0' && (*in == '\'' || *in == '"'))
                quote = *in;
            else if (quote != '\0' && *in == quote)
                quote = '\0';
            else if (*in == '\\' && quote != '\'' && in[1] != '\0')
                *out++ = *++in;
            else
                *out++ = *in;
        }
        if (quote != '\0')
            return err_set(err, -EINVAL, "a quote %c is not closed", quote);
        in += *in != '\0'; /* before the next word's end may be written over it */
        *out++ = '\0';
    }
    *ret_count = count;
    return 0;
}

static int script_line(struct job_request *r, char *line, struct err *err)
{
    char *argv[SCRIPT_WORDS_MAX + 1] = {line}; /* argv[0] is not looked at */
    size_t count = 0;
    struct words rest = {0};
    int rc = words_split(line, argv + 1, SCRIPT_WORDS_MAX, &count, err);
    if (rc == 0)
        rc = args_parse(&submit_options, r, NULL, (int)count + 1, argv, &rest, err);
    if (rc == 0 && rest.count > 0)
        rc = err_set(err, -EINVAL, "'%s' is not an option", rest.v[0]);
    free(rest.v);
    return rc;
}

/* Is this line ours? "#REEVE" alone or followed by space; "#REEVED" is a comment. */
static bool is_marked(const char *line, size_t len)
{
    size_t mark = sizeof MARK - 1;
    return len >= mark && memcmp(line, MARK, mark) == 0 && (len == mark || strchr(" \t\r", line[mark]) != NULL);
}

static int script_options(struct job_request *r, const char *name, const char *text, size_t len, struct err *err)
{
    unsigned number = 1;
    for (const char *at = text, *end = text + len; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t line_len = newline != NULL ? (size_t)(newline - at) : (size_t)(end - at);
        if (is_marked(at, line_len)) {
            char *line = strndup(at + sizeof MARK - 1, line_len - (sizeof MARK - 1));
            int rc = line == NULL ? err_set(err, -ENOMEM, "out of memory") : script_line(r, line, err);
            free(line);
            if (rc < 0)
                return err_wrap(err, rc, "%s:%u", name, number);
        }
        at += line_len + 1;
    }
    return 0;
}

static int read_script(struct job_request *r, const char *name, const char *text, size_t len, struct err *err)
{
    if (len > JOB_SCRIPT_MAX)
        return err_set(err, -EINVAL, "%s: a script has at most %d bytes", name, JOB_SCRIPT_MAX);
    if (parse_utf8(text, len, err) < 0)
        return err_wrap(err, -EINVAL, "%s", name);
    struct job_spec *spec = &r->call.spec;
    const char *slash = strrchr(name, '/');
    const char *base = slash != NULL ? slash + 1 : name;
    char short_name[JOB_NAME_MAX + 1];
    snprintf(short_name, sizeof short_name, "%.*s", (int)strcspn(base, "."), base);
    if ((spec->script = strndup(text, len)) == NULL)
        return err_set(err, -ENOMEM, "%s: out of memory", name);
    if (parse_name(short_name, JOB_NAME_MAX, NULL) == 0 && str_set(&spec->name, short_name) < 0)
        return err_set(err, -ENOMEM, "%s: out of memory", name);
    return script_options(r, name, text, len, err);
}

int job_request_read_text(struct job_request *r, const char *name, const char *text, size_t len, struct err *err)
{
    return len >= 2 && memcmp(text, "#!", 2) == 0 ? read_script(r, name, text, len, err)
                                                  : read_yaml(r, name, text, len, err);
}

int job_request_read(struct job_request *r, const char *path, struct err *err)
{
    bool standard = strcmp(path, "-") == 0;
    struct buf text = {0};
    int rc = standard ? fd_read_all(STDIN_FILENO, "stdin", YAML_FILE_MAX, &text, err)
                      : file_read(path, YAML_FILE_MAX, &text, err);
    if (rc == 0)
        rc = job_request_read_text(r, standard ? "stdin" : path, buf_text(&text), text.len, err);
    buf_fini(&text);
    return rc;
}

int job_request_make_key(struct job_request *r, struct err *err)
{
    if (r->call.key != NULL)
        return 0;
    char key[CLI_KEY_MAX];
    int rc = cli_new_key(key, err);
    if (rc == 0 && str_set(&r->call.key, key) < 0)
        rc = err_set(err, -ENOMEM, "out of memory");
    return rc;
}
