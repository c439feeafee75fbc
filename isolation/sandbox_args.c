#include "isolation/sandbox_args.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "isolation/spec/ops.h"

struct args_head {
    uint32_t magic, argc, envc, script_len, stages;
};

static char *const env_defaults[] = {
    "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
    "HOME=/tmp", "TMPDIR=/tmp", "USER=job", "LOGNAME=job", "SHELL=/bin/sh", "LANG=C.UTF-8",
};

static void *map_words(size_t count)
{
    void *at = mmap(NULL, count * sizeof(char *), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

/* The next NUL-terminated text, NULL when there is none before `end`. */
static char *take_text(char **at, char *end)
{
    char *text = *at, *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;
    if (nul != NULL)
        *at = nul + 1;
    return nul != NULL ? text : NULL;
}

static bool names_same_variable(const char *a, const char *b)
{
    size_t name = strcspn(a, "=") + 1;
    return strncmp(a, b, name) == 0;
}

static void add_env_defaults(char **envp, size_t count)
{
    size_t given = count;
    for (size_t i = 0; i < COUNT_OF(env_defaults); i++) {
        bool have = false;
        for (size_t k = 0; k < given && !have; k++)
            have = names_same_variable(env_defaults[i], envp[k]);
        if (!have)
            envp[count++] = env_defaults[i];
    }
    envp[count] = NULL;
}

static int fill_words(char **words, size_t count, char **at, char *end)
{
    for (size_t i = 0; i < count; i++) {
        words[i] = take_text(at, end);
        if (words[i] == NULL)
            return -EBADMSG;
    }
    return 0;
}

int sandbox_args_stage(struct sandbox_args *a, struct stage_item *ret, const char **ret_from, const char **ret_to)
{
    if (a->stages_end - a->stages < (ptrdiff_t)sizeof *ret)
        return -EBADMSG;
    memcpy(ret, a->stages, sizeof *ret);
    a->stages += sizeof *ret;
    *ret_from = take_text(&a->stages, a->stages_end);
    *ret_to = take_text(&a->stages, a->stages_end);
    return *ret_from != NULL && *ret_to != NULL && (ret->flags & ~(uint32_t)STAGE_FLAGS) == 0 ? 0 : -EBADMSG;
}

int sandbox_args_load(int fd, struct sandbox_args *ret)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_size < (off_t)sizeof(struct args_head) || st.st_size > (off_t)ARGS_BYTES_MAX)
        return -EBADMSG;
    size_t size = (size_t)st.st_size;
    char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return -errno;
    struct args_head head;
    memcpy(&head, bytes, sizeof head);
    if (head.magic != ARGS_MAGIC || head.argc > ARGS_WORDS_MAX || head.envc > ARGS_WORDS_MAX ||
        head.stages > STAGE_ITEMS_MAX || (head.argc == 0 && head.script_len == 0))
        return -EBADMSG;
    struct sandbox_args args = {.argv = map_words(head.argc + 3), /* room for a script, a shell and NULL */
                                .envp = map_words(head.envc + COUNT_OF(env_defaults) + 1)};
    if (args.argv == NULL || args.envp == NULL)
        return -ENOMEM;
    char *at = bytes + sizeof head, *end = bytes + size;
    int rc = fill_words(args.argv, head.argc, &at, end);
    rc = rc < 0 ? rc : fill_words(args.envp, head.envc, &at, end);
    args.cwd = rc < 0 ? NULL : take_text(&at, end);
    if (args.cwd == NULL || (size_t)(end - at) < head.script_len)
        return -EBADMSG;
    args.stages = at + head.script_len;
    args.stages_end = end;
    args.stages_count = head.stages;
    if (head.stages == 0 && args.stages != end)
        return -EBADMSG;
    add_env_defaults(args.envp, head.envc);
    if (args.cwd[0] == '\0')
        args.cwd = "/tmp";
    args.script = at;
    args.script_len = head.script_len;
    *ret = args;
    return 0;
}
