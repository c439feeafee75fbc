/*
 * Any bytes as an agent's request: what the check lets through is a sandbox whose every limit can be written down,
 * whose group has a name of ours, and whose name can be shown; the warden itself answers each packet and goes on.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/io/fd.h"
#include "base/io/log.h"
#include "isolation/spec/step.h"
#include "isolation/warden.h"
#include "tests/base/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Its main's; here time stands still. */
uint64_t warden_now_us(void)
{
    return 1;
}

uint64_t warden_boot_us(void)
{
    return 1;
}

static void check_values(const struct sandbox_spec *spec, bool v2)
{
    struct cg cg = {.count = 1, .leaf = 0, .protect = true};
    struct cg_value values[CG_VALUES_MAX];
    cg.at[0].v2 = v2;
    int count = cg_values(&cg, spec, values);
    sample_must(count > 0 && count <= CG_VALUES_MAX);
    for (int i = 0; i < count; i++) {
        sample_must(memchr(values[i].file, '/', sizeof values[i].file) == NULL);
        sample_must(memchr(values[i].text, '\0', sizeof values[i].text) != NULL);
        for (const char *c = values[i].text; *c != '\0'; c++) /* numbers, devices, "rbps=max": never a second line */
            sample_must(islower((unsigned char)*c) || isdigit((unsigned char)*c) || strchr(" :=,.-", *c) != NULL);
    }
}

static void check_group(struct attempts *a, struct attempt_id id)
{
    const struct attempt *attempt = attempts_add(a, id);
    struct attempt_id again;
    uint32_t slot;
    sample_must(attempt != NULL && strlen(attempt->group) < CG_NAME_MAX - 1);
    sample_must(attempt_group_parse(attempt->group, &again, &slot) && slot == attempts_slot(a, attempt));
    sample_must(again.job == id.job && again.task == id.task && again.epoch == id.epoch);
    sample_must(attempts_find(a, id) == attempt);
    attempts_drop(a, attempts_find(a, id));
}

static void check_spec(struct warden *w, const struct sandbox_spec *spec)
{
    struct err err = {0};
    if (sandbox_spec_check(spec, &err) < 0) {
        sample_must(err.text[0] != '\0');
        return;
    }
    sample_must(memchr(spec->hostname, '\0', sizeof spec->hostname) != NULL);
    for (const char *c = spec->hostname; *c != '\0'; c++)
        sample_must(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '-');
    sample_must(spec->mem_bytes + spec->scratch_bytes >= spec->mem_bytes);
    check_values(spec, false);
    check_values(spec, true);
    check_group(&w->attempts, spec->id);
}

/* The packet as it is, to a warden that has no sandbox: one answer, and it still listens. */
static void say(struct warden *w, int agent, const uint8_t *data, size_t size)
{
    static char answer[sizeof(struct op_reply) + OPS_LIST_MAX * sizeof(struct attempt_id)];
    if (size == 0 || send(agent, data, size, MSG_DONTWAIT) < 0)
        return;
    warden_ops_read(w);
    sample_must(w->agent.sock >= 0);
    ssize_t n = recv(agent, answer, sizeof answer, MSG_DONTWAIT);
    sample_must(n >= (ssize_t)sizeof(struct op_reply));
    struct op_reply reply;
    memcpy(&reply, answer, sizeof reply);
    sample_must(reply.status == OP_BAD_REQUEST || reply.status == OP_GONE ||
                (reply.status == OP_DONE && reply.kind == OP_LIST && reply.count == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct warden w;
    static int ends[2] = {-1, -1};
    if (ends[0] < 0) {
        log_init("fuzz", LOG_ERROR);
        sample_must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
        w.attempts.slots = ATTEMPTS_MAX;
        w.agent = (struct agent_process){.sock = ends[0], .generation = 1};
    }
    struct op_request request = {.version = OPS_VERSION};
    memcpy(&request, data, MIN(size, sizeof request));
    check_spec(&w, &request.sandbox);
    say(&w, ends[1], data, MIN(size, 4 * sizeof request));
    request.version = OPS_VERSION;
    request.kind = OP_LAUNCH + request.kind % 5;
    say(&w, ends[1], (const uint8_t *)&request, sizeof request);
    return 0;
}
