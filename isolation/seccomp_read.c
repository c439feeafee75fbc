#include "isolation/seccomp_read.h"

#include <ctype.h>
#include <errno.h>
#include <linux/audit.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/io/json.h"
#include "isolation/seccomp.h"
#include "isolation/seccomp_calls.h"
#include "isolation/seccomp_file.h"
#include "isolation/seccomp_lower.h"

/* What can't be had in JSON's own integers: beyond 2^63-1 a number is read as text. */
#define LONG_DIGITS 19

struct reading {
    const struct seccomp_file *file;
    struct seccomp_profile *profile;
    size_t room;
    const char *goarch, *arch_name;
    struct buf *notes;
    struct err *err;
};

static int refuse(struct reading *r, size_t place, const char *format, ...) PRINTF_LIKE(3, 4);
static int refuse(struct reading *r, size_t place, const char *format, ...)
{
    char text[ERR_TEXT_MAX - 32];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(r->err, -EINVAL, "syscalls[%zu]%s%s", place, text[0] == '.' ? "" : ": ", text);
}

/* --- answers ----------------------------------------------------------------- */

static const uint32_t answers[ACTION_COUNT] = {
    [ACTION_KILL] = SECCOMP_RET_KILL_THREAD,
    [ACTION_KILL_THREAD] = SECCOMP_RET_KILL_THREAD,
    [ACTION_KILL_PROCESS] = SECCOMP_RET_KILL_PROCESS,
    [ACTION_TRAP] = SECCOMP_RET_TRAP,
    [ACTION_ERRNO] = SECCOMP_RET_ERRNO,
    [ACTION_TRACE] = SECCOMP_RET_TRACE,
    [ACTION_ALLOW] = SECCOMP_RET_ALLOW,
    [ACTION_LOG] = SECCOMP_RET_LOG,
    [ACTION_NOTIFY] = SECCOMP_RET_USER_NOTIF,
};

/* "EPERM" -> 1; 0: no such name. */
static uint32_t errno_of(const char *name)
{
    for (uint32_t e = 1; e < 256; e++) {
        const char *known = strerrorname_np((int)e);
        if (known != NULL && strcmp(known, name) == 0)
            return e;
    }
    return 0;
}

/* 0 or a sentence. Number and name may both be given, and then must agree. */
static const char *answer_of(uint32_t action, uint32_t number, const char *name, uint32_t *ret)
{
    uint32_t named = name != NULL && name[0] != '\0' ? errno_of(name) : 0;
    if (name != NULL && name[0] != '\0' && named == 0)
        return "is no errno's name";
    if (named != 0 && number != 0 && named != number)
        return "is another errno than the number beside it";
    uint32_t value = number != 0 ? number : named;
    *ret = answers[action];
    if (action == ACTION_ERRNO)
        *ret |= value != 0 ? value : EPERM;
    else if (action == ACTION_TRACE)
        *ret |= value;
    return NULL;
}

/* --- does a rule count here? ----------------------------------------------------------------- */

static bool has_text(const struct strs *s, const char *text)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->v[i], text) == 0)
            return true;
    }
    return false;
}

/* "4.8" -> 4008; 0: no version. */
static uint32_t version_of(const char *text)
{
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return 0;
    unsigned long major = strtoul(text, &end, 10);
    if (*end != '.' || !isdigit((unsigned char)end[1]) || major > 4000)
        return 0;
    unsigned long minor = strtoul(end + 1, &end, 10);
    return minor > 999 ? 0 : (uint32_t)(major * 1000 + minor);
}

static uint32_t own_version(void)
{
    struct utsname u;
    return uname(&u) == 0 ? version_of(u.release) : 0;
}

/* 1: it counts, 0: not here, or a refusal. */
static int counts_here(struct reading *r, size_t place, const struct seccomp_file_call *c)
{
    const struct seccomp_file_filter *in = &c->includes, *out = &c->excludes;
    const char *const kernels[] = {in->min_kernel, out->min_kernel};
    uint32_t versions[2] = {0};
    for (size_t i = 0; i < COUNT_OF(kernels); i++) {
        if (kernels[i] == NULL || kernels[i][0] == '\0')
            continue;
        versions[i] = version_of(kernels[i]);
        if (versions[i] == 0)
            return refuse(r, place, ".%s.minKernel: '%.31s' is not a version like 4.8",
                          i == 0 ? "includes" : "excludes", kernels[i]);
    }
    bool in_fits = in->caps.count == 0 && (in->arches.count == 0 || has_text(&in->arches, r->goarch)) &&
                   (versions[0] == 0 || own_version() >= versions[0]);
    bool out_fits = has_text(&out->arches, r->goarch) || (versions[1] != 0 && own_version() >= versions[1]);
    return in_fits && !out_fits;
}

/* --- conditions ----------------------------------------------------------------- */

/* A number as the kernel sees it in so many bits; false: it isn't one. -1 in 64 bits is -1 in 32. */
static bool narrow(uint32_t width, uint64_t *value)
{
    uint64_t low = width >= 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    bool fits = (*value & ~low) == 0, negative = (*value | low >> 1) == UINT64_MAX;
    *value &= low;
    return fits || negative;
}

static int read_condition(struct reading *r, size_t place, const char *name, size_t index,
                          const struct seccomp_file_arg *arg, struct seccomp_condition *ret)
{
    uint32_t width = seccomp_call_width(name, arg->index);
    if (width == 0)
        return refuse(r, place, ".args[%zu].index: '%s' has no argument %u that is known here", index, name,
                      arg->index);
    struct seccomp_condition c = {.arg = arg->index, .op = arg->op, .width = width, .value = arg->value};
    if (c.op == SECCOMP_MASKED_EQ) {
        c.mask = arg->value;
        c.value = arg->value_two;
    }
    if (!narrow(width, &c.value) || (c.op == SECCOMP_MASKED_EQ && !narrow(width, &c.mask)))
        return refuse(r, place, ".args[%zu]: the kernel looks at %u bits of argument %u of '%s'; the value has more",
                      index, width, arg->index, name);
    *ret = c;
    return 0;
}

/* Other runtimes take two conditions on one argument for "one or the other". As they are written, both hold: that is
 * never wider where the rule allows; where it denies it would be. */
static int check_pairs(struct reading *r, size_t place, const struct seccomp_rule *rule, const char *name)
{
    bool seen[SECCOMP_ARGS] = {false}, denies = rule->answer != SECCOMP_RET_ALLOW && rule->answer != SECCOMP_RET_LOG;
    for (uint32_t i = 0; i < rule->count; i++) {
        uint32_t arg = rule->when[i].arg;
        if (seen[arg] && denies)
            return refuse(r, place,
                          ".args[%u].index: a second condition on argument %u in a rule that denies is read "
                          "in two ways; write one rule for each",
                          i, arg);
        seen[arg] = true;
        struct seccomp_terms terms;
        int rc = seccomp_lower(rule, arg, &terms);
        if (rc < 0)
            return refuse(r, place, ".args: the conditions on argument %u of '%s' are too many", arg, name);
        if (terms.count == 0)
            return refuse(r, place, ".args[%u]: no value of argument %u of '%s' can meet this", i, arg, name);
    }
    return 0;
}

/* --- rules ----------------------------------------------------------------- */

static int add_rule(struct reading *r, const struct seccomp_rule *rule)
{
    struct seccomp_profile *p = r->profile;
    if (p->count == SECCOMP_RULES_MAX)
        return err_set(r->err, -EINVAL, "syscalls: more than %d rules", SECCOMP_RULES_MAX);
    if (p->count == r->room) {
        size_t room = r->room == 0 ? 512 : r->room * 2;
        struct seccomp_rule *more = realloc(p->rules, room * sizeof *more);
        if (more == NULL)
            return err_set(r->err, -ENOMEM, "out of memory");
        p->rules = more;
        r->room = room;
    }
    p->rules[p->count++] = *rule;
    return 0;
}

static int read_name(struct reading *r, size_t place, const struct seccomp_file_call *c, const char *name,
                     uint32_t answer)
{
    int number = seccomp_number(name);
    if (number == -EOPNOTSUPP)
        return 0; /* other architectures have it; theirs are killed */
    if (number < 0 && seccomp_answer_rank(answer) < seccomp_answer_rank(r->profile->other))
        return refuse(r, place, ".names: nobody here knows a system call '%.60s'; it would be let through", name);
    if (number < 0) {
        if (r->notes != NULL)
            buf_addf(r->notes, "syscalls[%zu].names: nobody here knows a system call '%.60s'; it fails\n", place, name);
        return 0;
    }
    struct seccomp_rule rule = {
        .number = number, .answer = answer, .place = (uint32_t)place, .count = (uint32_t)c->args.count};
    const struct seccomp_file_arg *args = c->args.v;
    int rc = number >= SECCOMP_NUMBER_MAX ? refuse(r, place, ".names: '%s' has number %d", name, number) : 0;
    for (uint32_t i = 0; i < rule.count && rc == 0; i++)
        rc = read_condition(r, place, name, i, &args[i], &rule.when[i]);
    rc = rc < 0 ? rc : check_pairs(r, place, &rule, name);
    return rc < 0 ? rc : add_rule(r, &rule);
}

static int check_notify(struct reading *r, size_t place, const struct seccomp_file_call *c)
{
    if (c->action != ACTION_NOTIFY)
        return 0;
    bool write = has_text(&c->names, "write") || (c->name != NULL && strcmp(c->name, "write") == 0);
    return refuse(r, place, ".action: SCMP_ACT_NOTIFY%s",
                  write ? " on write would stop the launch itself" : ": nobody listens to a job's calls here");
}

static int read_call(struct reading *r, size_t place, const struct seccomp_file_call *c)
{
    bool single = c->name != NULL && c->name[0] != '\0';
    if (c->names.count == 0 && !single)
        return refuse(r, place, ".names: is missing or empty");
    int rc = counts_here(r, place, c);
    if (rc <= 0)
        return rc;
    rc = check_notify(r, place, c);
    if (rc < 0)
        return rc;
    uint32_t answer;
    const char *wrong = answer_of(c->action, c->errno_ret, c->errno_name, &answer);
    if (wrong != NULL)
        return refuse(r, place, ".errno: '%s' %s", c->errno_name, wrong);
    for (size_t i = 0; i < c->names.count && rc >= 0; i++)
        rc = read_name(r, place, c, c->names.v[i], answer);
    return rc < 0 || !single ? MIN(rc, 0) : read_name(r, place, c, c->name, answer);
}

/* --- the whole ----------------------------------------------------------------- */

static int check_architectures(struct reading *r)
{
    const struct seccomp_file *f = r->file;
    bool fits = f->architectures.count == 0 && f->arch_map.count == 0;
    fits = fits || has_text(&f->architectures, r->arch_name);
    const struct seccomp_file_arch *map = f->arch_map.v;
    for (size_t i = 0; i < f->arch_map.count; i++)
        fits = fits || strcmp(map[i].architecture, r->arch_name) == 0;
    return fits ? 0
                : err_set(r->err, -EINVAL, "%s: %s, which this machine is, is not among them",
                          f->architectures.count > 0 ? "architectures" : "archMap", r->arch_name);
}

static int check_head(struct reading *r)
{
    const struct seccomp_file *f = r->file;
    if (f->default_action == ACTION_NOTIFY)
        return err_set(r->err, -EINVAL, "defaultAction: SCMP_ACT_NOTIFY would stop the launch itself");
    if (f->listener_path != NULL || f->listener_metadata != NULL)
        return err_set(r->err, -EINVAL, "listener%s: nobody listens to a job's calls here",
                       f->listener_path != NULL ? "Path" : "Metadata");
    for (size_t i = 0; i < f->flags.count; i++) {
        /* A job begins with one thread: the filter is on all of them anyway. */
        if (strcmp(f->flags.v[i], "SECCOMP_FILTER_FLAG_TSYNC") != 0)
            return err_set(r->err, -EINVAL, "flags[%zu]: '%.60s' can't be had; only SECCOMP_FILTER_FLAG_TSYNC", i,
                           f->flags.v[i]);
    }
    const char *wrong = answer_of(f->default_action, f->default_errno_ret, f->default_errno, &r->profile->other);
    if (wrong != NULL)
        return err_set(r->err, -EINVAL, "defaultErrno: '%s' %s", f->default_errno, wrong);
    return check_architectures(r);
}

/* Libraries have another way when the kernel doesn't know these calls, and none when it forbids them: a profile that
 * merely doesn't name them gets ENOSYS for its default errno. */
static int add_unknown(struct reading *r)
{
    static const char *const calls[] = {"clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"};
    struct seccomp_profile *p = r->profile;
    int rc = 0;
    if ((p->other & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO)
        return 0;
    for (size_t i = 0; i < COUNT_OF(calls) && rc == 0; i++) {
        size_t count;
        int number = seccomp_number(calls[i]);
        seccomp_profile_rules(p, number, &count);
        struct seccomp_rule rule = {.number = number, .answer = SECCOMP_RET_ERRNO | ENOSYS, .place = UINT32_MAX};
        rc = count > 0 ? 0 : add_rule(r, &rule);
        seccomp_profile_sort(p);
    }
    return rc;
}

/* Without these nothing starts, or what started can't end. */
static int check_runs(struct reading *r)
{
    static const char *const needed[] = {"execve", "exit", "exit_group", "rt_sigreturn"};
    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        if (!seccomp_profile_allows(r->profile, seccomp_number(needed[i])))
            return err_set(r->err, -EINVAL, "syscalls: '%s' is not allowed; nothing runs or ends without it",
                           needed[i]);
    }
    return 0;
}

static int interpret(struct reading *r)
{
    const struct seccomp_file_call *calls = r->file->syscalls.v;
    struct seccomp_profile *p = r->profile;
    p->arch = seccomp_native_arch(&r->goarch, &r->arch_name);
    p->highest = seccomp_highest();
    if (p->arch == 0)
        return err_set(r->err, -ENOTSUP, "there are no filters for this machine's architecture");
    int rc = check_head(r);
    for (size_t i = 0; i < r->file->syscalls.count && rc == 0; i++)
        rc = read_call(r, i, &calls[i]);
    if (rc < 0)
        return rc;
    seccomp_profile_sort(p);
    rc = add_unknown(r);
    return rc < 0 ? rc : check_runs(r);
}

/* A copy in which integers that may be beyond 2^63-1 are texts. */
static int quote_long_numbers(const char *text, size_t len, struct buf *out)
{
    bool inside = false;
    for (size_t i = 0; i < len; i++) {
        size_t digits = 0;
        while (!inside && i + digits < len && isdigit((unsigned char)text[i + digits]))
            digits++;
        bool whole = digits >= LONG_DIGITS && (i == 0 || strchr(" \t\r\n:[,", text[i - 1]) != NULL) &&
                     (i + digits == len || strchr(" \t\r\n,]}", text[i + digits]) != NULL);
        if (whole && (digits > LONG_DIGITS || memcmp(text + i, "9223372036854775807", LONG_DIGITS) > 0)) {
            buf_addf(out, "\"%.*s\"", (int)digits, text + i);
            i += digits - 1;
            continue;
        }
        if (digits > 0) {
            buf_add(out, text + i, digits);
            i += digits - 1;
            continue;
        }
        if (inside && text[i] == '\\' && i + 1 < len)
            buf_add(out, text + i++, 1);
        else if (text[i] == '"')
            inside = !inside;
        buf_add(out, text + i, 1);
    }
    return out->failed ? -ENOMEM : 0;
}

int seccomp_read(const char *text, size_t len, struct seccomp_profile *ret, struct buf *notes, struct err *err)
{
    if (len > SECCOMP_TEXT_MAX)
        return err_set(err, -EFBIG, "the profile has more than %zu KiB", SECCOMP_TEXT_MAX >> 10);
    struct seccomp_file file = {0};
    struct seccomp_profile profile = {0};
    CLEANUP(buf_fini) struct buf plain = {0};
    if (quote_long_numbers(text, len, &plain) < 0)
        return err_set(err, -ENOMEM, "out of memory");
    int rc = json_read(&seccomp_file_fields, buf_text(&plain), plain.len, JSON_FOREIGN, &file, err);
    if (rc < 0)
        return rc;
    struct reading r = {.file = &file, .profile = &profile, .notes = notes, .err = err};
    rc = interpret(&r);
    fields_clear(&seccomp_file_fields, &file);
    if (rc < 0)
        seccomp_profile_fini(&profile);
    else
        *ret = profile;
    return rc;
}
