/*
 * sandbox_args - argv, environment, cwd and script out of the args memfd (its layout: isolation/spec/ops.h).
 * The bytes come from the tenant by way of the agent: everything is checked. Only
 * the payload and the stager look at them.
 */
#ifndef REEVE_ISOLATION_SANDBOX_ARGS_H
#define REEVE_ISOLATION_SANDBOX_ARGS_H

#include <stddef.h>
#include <stdint.h>

#include "isolation/spec/stage.h"

#define ARGS_WORDS_MAX 65536

struct sandbox_args {
    char **argv, **envp; /* NULL-terminated; envp has the defaults (PATH, HOME, …) that were left out */
    const char *cwd;     /* "/tmp" when empty */
    const char *script;
    size_t script_len;
    char *stages, *stages_end; /* for sandbox_args_stage() */
    uint32_t stages_count;
};

/* Reads from the start of `fd`. 0 or -errno; what it maps is never given back. */
int sandbox_args_load(int fd, struct sandbox_args *ret);
/* The next input or output; its texts live as long as the process. -EBADMSG. */
int sandbox_args_stage(struct sandbox_args *a, struct stage_item *ret, const char **ret_from, const char **ret_to);

#endif
