/*
 * uml_xstate - loaded into user-mode-linux, so that it runs on processors with AMX.
 *
 * Its kernel keeps 2,696 bytes of a guest's extended registers. Where the processor has more of them (AMX: 11,008),
 * Linux refuses to set only a part (PTRACE_SETREGSET with NT_X86_XSTATE: EFAULT), and user-mode-linux 6.1 dies before
 * its init runs. Here a part that is refused is laid over what the guest has, and all of it is set: what lies beyond is
 * the tile state, which no guest can have asked for, because the kernel inside doesn't know how to permit it.
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#define XSTATE_BV 512 /* offset of the bits that say which components are there */
#define TILES (UINT64_C(3) << 17)

typedef long (*ptrace_fn)(enum __ptrace_request request, pid_t pid, void *addr, void *data);

static long set_part(ptrace_fn real, pid_t pid, const struct iovec *part)
{
    static _Alignas(64) unsigned char bytes[65536];
    struct iovec whole = {bytes, sizeof bytes};
    void *which = (void *)(uintptr_t)NT_X86_XSTATE;
    uint64_t had, has;
    if (real(PTRACE_GETREGSET, pid, which, &whole) < 0)
        return -1;
    if (part->iov_len >= whole.iov_len || part->iov_len < XSTATE_BV + sizeof had) {
        errno = EFAULT;
        return -1;
    }
    memcpy(&had, bytes + XSTATE_BV, sizeof had);
    memcpy(bytes, part->iov_base, part->iov_len);
    memcpy(&has, bytes + XSTATE_BV, sizeof has);
    has = (has & ~TILES) | (had & TILES);
    memcpy(bytes + XSTATE_BV, &has, sizeof has);
    return real(PTRACE_SETREGSET, pid, which, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
    static ptrace_fn real;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "ptrace");
    va_list args;
    va_start(args, request);
    pid_t pid = va_arg(args, pid_t);
    void *addr = va_arg(args, void *), *data = va_arg(args, void *);
    va_end(args);
    long rc = real(request, pid, addr, data);
    if (rc < 0 && request == PTRACE_SETREGSET && (uintptr_t)addr == NT_X86_XSTATE && errno == EFAULT)
        rc = set_part(real, pid, data);
    return rc;
}
