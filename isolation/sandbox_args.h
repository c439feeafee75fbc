/*
 * sandbox_args - argv, environment, cwd and script out of the args memfd (its layout: isolation/spec/ops.h).
 * The bytes come from the tenant by way of the agent: everything is checked. Only the payload's process looks at them.
 */
#ifndef REEVE_ISOLATION_SANDBOX_ARGS_H
#define REEVE_ISOLATION_SANDBOX_ARGS_H

#include <stddef.h>
#include <stdint.h>

#define ARGS_WORDS_MAX 65536

struct sandbox_args {
    char **argv, **envp; /* NULL-terminated; envp has the defaults (PATH, HOME, …) that were left out */
    const char *cwd;     /* "/tmp" when empty */
    const char *script;
    size_t script_len;
};

/* Reads from the start of `fd`. 0 or -errno; what it maps is never given back. */
int sandbox_args_load(int fd, struct sandbox_args *ret);

#endif
