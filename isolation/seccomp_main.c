/*
 * The reeve-seccomp program: reads a profile, writes the filter. Whoever wrote the profile may be hostile, and jansson
 * and libseccomp are large: so this is a process of its own that can read, write and compute, for a limited time, in
 * limited memory, and nothing else. What it writes is checked again by the kernel, and lies above the floor.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io/fd.h"
#include "isolation/seccomp.h"
#include "isolation/seccomp_builtin.h"
#include "isolation/seccomp_compile.h"
#include "isolation/seccomp_read.h"
#include "isolation/seccomp_trace.h"

#define CPU_SECONDS 5
#define MEMORY_BYTES ((rlim_t)256 << 20)
#define NOTES_MAX 4096

static struct sock_filter insns[SECCOMP_INSNS_MAX];

static const char usage_text[] =
    "usage: reeve-seccomp [--notes] < PROFILE > FILTER   compile and verify a profile (OCI JSON)\n"
    "       reeve-seccomp --check < PROFILE              the same, but say what it came to instead of writing it\n"
    "       reeve-seccomp --builtin NAME > FILTER        the same for default, floor or trace\n"
    "       reeve-seccomp --print NAME                   the text of default or floor\n"
    "       reeve-seccomp --from-trace < TRACE           the default and what a traced job asked beyond it, as a "
    "profile\n";

/* --- confined ----------------------------------------------------------------- */

/* So that a bug in a parser is no more than a wrong answer. */
static int confine_calls(void)
{
#ifdef __SANITIZE_ADDRESS__ /* which has calls of its own to make */
    return 0;
#else
    const char *unused[2];
    static const uint16_t allowed[] = {SYS_read,      SYS_write,  SYS_lseek,      SYS_pread64,      SYS_ftruncate,
                                       SYS_mmap,      SYS_munmap, SYS_mremap,     SYS_brk,          SYS_madvise,
                                       SYS_fstat,     SYS_uname,  SYS_exit_group, SYS_rt_sigreturn, SYS_futex,
                                       SYS_getrandom, SYS_close,  SYS_newfstatat, SYS_clock_gettime};
    struct sock_filter code[COUNT_OF(allowed) + 6];
    size_t n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[n++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_native_arch(&unused[0], &unused[1]), 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT_OF(allowed); i++)
        code[n++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], (uint8_t)(COUNT_OF(allowed) - i), 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog program = {(unsigned short)n, code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? -errno : 0;
#endif
}

static int confine(struct err *err)
{
    const struct {
        int what;
        rlim_t most;
    } limits[] = {
        {RLIMIT_CPU, CPU_SECONDS}, {RLIMIT_CORE, 0}, {RLIMIT_NOFILE, 8}, {RLIMIT_NPROC, 0},
#ifndef __SANITIZE_ADDRESS__ /* which maps terabytes for itself */
        {RLIMIT_AS, MEMORY_BYTES},
#endif
    };
    int scratch = memfd_create("filter", MFD_CLOEXEC);
    if (scratch < 0 || dup2(scratch, 3) < 0 || close_range(4, ~0U, 0) < 0)
        return err_set(err, -errno, "memfd: %s", strerror(errno));
    seccomp_set_scratch(3);
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct rlimit both = {limits[i].most, limits[i].most};
        if (setrlimit((__rlimit_resource_t)limits[i].what, &both) < 0)
            return err_set(err, -errno, "rlimit: %s", strerror(errno));
    }
    (void)setpriority(PRIO_PROCESS, 0, 0); /* an agent comes before others, what jobs have it compile doesn't */
    int rc = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : 0;
    rc = rc < 0 ? rc : confine_calls();
    return rc < 0 ? err_set(err, rc, "cannot confine myself: %s", strerror(-rc)) : 0;
}

/* --- what it does ----------------------------------------------------------------- */

static int read_input(struct buf *out, struct err *err)
{
    static char bytes[SECCOMP_TEXT_MAX + 1];
    ssize_t n = fd_read_full(0, bytes, sizeof bytes);
    if (n < 0)
        return err_set(err, (int)n, "stdin: %s", strerror((int)-n));
    buf_add(out, bytes, (size_t)n);
    return out->failed ? err_set(err, -ENOMEM, "out of memory") : 0;
}

static int write_output(const void *bytes, size_t len, struct err *err)
{
    int rc = fd_write_all(1, bytes, len);
    return rc < 0 ? err_set(err, rc, "stdout: %s", strerror(-rc)) : 0;
}

static int read_profile(struct seccomp_profile *ret, struct buf *notes, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};
    int rc = read_input(&text, err);
    return rc < 0 ? rc : seccomp_read(buf_text(&text), text.len, ret, notes, err);
}

static int build(const struct seccomp_profile *p, bool write, struct err *err)
{
    size_t count;
    int rc = seccomp_build(p, insns, &count, err);
    if (rc < 0 || write)
        return rc < 0 ? rc : write_output(insns, count * sizeof insns[0], err);
    char line[128];
    int n =
        snprintf(line, sizeof line, "fine: %zu rules, %zu instructions, calls up to %d\n", p->count, count, p->highest);
    return write_output(line, (size_t)n, err);
}

static int compile(const char *argument, struct err *err)
{
    bool check = argument != NULL && strcmp(argument, "--check") == 0;
    struct seccomp_profile p;
    CLEANUP(buf_fini) struct buf notes = {.max = NOTES_MAX};
    int rc = read_profile(&p, &notes, err);
    if (rc < 0)
        return rc;
    rc = build(&p, !check, err);
    if (rc == 0 && argument != NULL)
        rc = fd_write_all(2, buf_text(&notes), notes.len);
    seccomp_profile_fini(&p);
    return rc;
}

static int builtin(const char *name, struct err *err)
{
    struct seccomp_profile p;
    int rc = seccomp_builtin_read(name, &p, err);
    if (rc < 0)
        return rc;
    rc = build(&p, true, err);
    seccomp_profile_fini(&p);
    return rc;
}

static int print(const char *name, struct err *err)
{
    size_t len;
    const char *text = seccomp_builtin_text(name, &len);
    return text != NULL ? write_output(text, len, err) : err_set(err, -ENOENT, "there is no text '%.60s'", name);
}

static int from_trace(const char *argument, struct err *err)
{
    (void)argument;
    CLEANUP(buf_fini) struct buf trace = {0};
    CLEANUP(buf_fini) struct buf text = {0};
    int rc = read_input(&trace, err);
    rc = rc < 0 ? rc : seccomp_trace_profile(trace.data, trace.len, &text, err);
    return rc < 0 ? rc : write_output(buf_text(&text), text.len, err);
}

static const struct way_row {
    const char *option;
    int words;
    int (*run)(const char *argument, struct err *err);
} ways[] = {
    {"--notes", 1, compile}, {"--check", 1, compile},         {"--builtin", 2, builtin},
    {"--print", 2, print},   {"--from-trace", 1, from_trace},
};

int main(int argc, char **argv)
{
    struct err err = {0};
    int rc = -ENOENT;
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--version") == 0)) {
        fputs(argv[1][2] == 'h' ? usage_text : "reeve-seccomp " REEVE_VERSION "\n", stdout);
        return 0;
    }
    const struct way_row *way = NULL;
    for (size_t i = 0; i < COUNT_OF(ways) && argc > 1; i++) {
        if (strcmp(ways[i].option, argv[1]) == 0 && ways[i].words == argc - 1)
            way = &ways[i];
    }
    if (argc > 1 && way == NULL) {
        fputs(usage_text, stderr);
        return 2;
    }
    rc = confine(&err);
    if (rc == 0)
        rc = way == NULL ? compile(NULL, &err) : way->run(argv[argc - 1], &err);
    if (rc < 0)
        dprintf(2, "%s\n", err_text(&err));
    return rc < 0 ? 1 : 0;
}
