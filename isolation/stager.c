#include "isolation/stager.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "isolation/own_filter.h"
#include "isolation/sandbox_args.h"

#define TELL_BYTES ((uint64_t)4 << 20)
#define TELL_FILES 64u

static struct stager stager;

/* ---- what it says ---- */

/* A disk without room for it: the next one may have it. */
static void tell(struct stager *s)
{
    stage_report_seal(&s->report);
    (void)!pwrite(STAGER_REPORT_FD, &s->report, sizeof s->report, 0);
    s->told_bytes = s->report.bytes;
    s->told_files = s->report.files;
}

bool stage_fail(struct stager *s, uint32_t why, int error)
{
    if (s->report.why != STAGE_WHY_NONE)
        return false;
    s->report.why = why;
    s->report.error = error;
    s->report.about = s->at;
    size_t len = MIN(s->path_len, sizeof s->report.path - 1);
    memcpy(s->report.path, s->path, len);
    s->report.path[len] = '\0';
    return false;
}

void stage_moved(struct stager *s, uint64_t files, uint64_t bytes)
{
    s->report.files += files;
    s->report.bytes += bytes;
    bool all = s->report.files >= s->report.files_all;
    if (all || s->report.bytes - s->told_bytes >= TELL_BYTES || s->report.files - s->told_files >= TELL_FILES)
        tell(s);
}

bool stage_enter(struct stager *s, const char *name, size_t *ret_len)
{
    size_t len = strlen(name);
    *ret_len = s->path_len;
    if (s->path_len + 1 + len >= sizeof s->path)
        return stage_fail(s, STAGE_WHY_DEEP, 0);
    s->path[s->path_len] = '/';
    memcpy(s->path + s->path_len + 1, name, len + 1);
    s->path_len += 1 + len;
    return true;
}

void stage_leave(struct stager *s, size_t len)
{
    s->path_len = len;
    s->path[len] = '\0';
}

static void say(uint32_t kind, int error)
{
    struct stage_word word = {kind, error};
    if (packet_send(STAGER_INBOX_FD, &word, sizeof word, NULL, 0) < 0)
        _exit(0); /* the keeper is gone, and the sandbox with it */
}

/* ---- what it is told ---- */

static struct stage_word hear(void)
{
    struct stage_word word;
    if (packet_recv(STAGER_INBOX_FD, &word, sizeof word, NULL, NULL) != (ssize_t)sizeof word)
        _exit(0);
    return word;
}

bool stage_wait(struct stager *s)
{
    struct pollfd at[] = {{STAGER_INBOX_FD, POLLIN, 0}, {STAGER_MOVER_FD, POLLIN, 0}};
    while (!s->stopped) {
        if (poll(at, COUNT_OF(at), -1) < 0)
            continue;
        if (at[0].revents != 0)
            s->stopped = hear().kind == STAGE_WORD_STOP;
        else if (at[1].revents != 0)
            return true;
    }
    return false;
}

/* STOP may come first; what is answered after it is meant for nobody. */
bool stage_may_publish(struct stager *s)
{
    say(STAGE_WORD_MAY, 0);
    if (!s->stopped && hear().kind == STAGE_WORD_YES)
        return true;
    s->stopped = true;
    return false;
}

/* ---- a phase ---- */

/* What a command that failed did not make is not missed. */
static bool is_wanted(const struct stage_source *i, bool out, bool failed)
{
    if (((i->item.flags & STAGE_OUT) != 0) != out || (failed && (i->item.flags & STAGE_IF_FAILED) == 0))
        return false;
    int place = failed ? place_find(i->from) : -1;
    bool missing = failed && place == -ENOENT;
    close_fd(&place);
    return !missing;
}

static bool all(struct stager *s, const bool *wanted, bool (*does)(struct stager *s, const struct stage_source *i))
{
    for (s->at = 0; s->at < s->count; s->at++) {
        s->report.at = s->at;
        if (wanted[s->at] && !does(s, &s->items[s->at]))
            return false;
    }
    return true;
}

static int bring(struct stager *s, bool out, bool failed)
{
    bool wanted[STAGE_ITEMS_MAX];
    for (uint32_t i = 0; i < s->count; i++)
        wanted[i] = is_wanted(&s->items[i], out, failed);
    s->durable = out;
    s->report.phase = out ? STAGE_BRINGS_OUT : STAGE_IN;
    s->report.files = s->report.bytes = s->report.files_all = s->report.bytes_all = 0;
    tell(s);
    bool good = all(s, wanted, tree_weigh);
    tell(s);
    good = good && all(s, wanted, tree_bring);
    s->report.phase = good && !out ? STAGE_RUN : STAGE_OVER;
    tell(s);
    return good ? 0 : s->report.error != 0 ? s->report.error : EIO;
}

/* ---- the process ---- */

static int load(struct stager *s)
{
    struct sandbox_args args;
    int rc = sandbox_args_load(STAGER_ARGS_FD, &args);
    for (uint32_t i = 0; rc == 0 && i < args.stages_count; i++) {
        struct stage_source *to = &s->items[s->count++];
        rc = sandbox_args_stage(&args, &to->item, &to->from, &to->to);
        if (rc == 0 && (to->from[0] != '/' || to->to[0] != '/'))
            rc = -EBADMSG;
    }
    close(STAGER_ARGS_FD);
    return rc;
}

static int prepare(struct stager *s, const struct sandbox *box)
{
    s->report = (struct stage_report){.id = box->spec.id, .about = STAGE_ABOUT_NONE};
    prctl(PR_SET_NAME, "reeve-stager");
    int rc = sandbox_help_job(STAGER_ID);
    rc = rc < 0 ? rc : load(s); /* a tenant's bytes: without privilege. They are mapped, so the filter comes later */
    if (rc < 0)
        return rc;
    s->report.items = s->count;
    s->report.phase = (box->spec.stages & STAGE_INPUTS) != 0 ? STAGE_IN : STAGE_RUN;
    tell(s);
    return own_filter_load(&own_filter_stager);
}

noreturn void stager_main(const struct sandbox *box)
{
    struct stager *s = &stager;
    int rc = prepare(s, box);
    say(STAGE_WORD_READY, -rc);
    while (rc == 0) {
        struct stage_word word = hear();
        if (word.kind == STAGE_WORD_BRING_IN) {
            say(STAGE_WORD_DONE, bring(s, false, false));
        } else if (word.kind == STAGE_WORD_BRING_OUT) {
            kill(-1, SIGKILL); /* whom the job may signal: what it left running. Not the helpers */
            say(STAGE_WORD_DONE, bring(s, true, word.error != 0));
        } else {
            break;
        }
    }
    _exit(rc == 0 ? 0 : 1);
}
