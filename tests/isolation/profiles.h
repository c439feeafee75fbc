/*
 * profiles - a small corpus of profiles, and what becomes of each. Written with ' for ", as C has it easier.
 */
#ifndef REEVE_TESTS_ISOLATION_PROFILES_H
#define REEVE_TESTS_ISOLATION_PROFILES_H

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>

#include "isolation/seccomp_read.h"

struct profile_row {
    const char *sentence, *text;
    const char *says; /* in the refusal, or in the notes */
    int nr;
    uint64_t args[3];
    uint32_t answer;
};

static inline int read_quoted(const char *text, struct seccomp_profile *ret, struct buf *notes, struct err *err)
{
    static char plain[16384];
    size_t len = strlen(text);
    BUG(len >= sizeof plain);
    for (size_t i = 0; i <= len; i++)
        plain[i] = text[i] == '\'' ? '"' : text[i];
    return seccomp_read(plain, len, ret, notes, err);
}

#define RUNS "{'names':['execve','exit','exit_group','rt_sigreturn'],'action':'SCMP_ACT_ALLOW'}"
#define DENY(rules) "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[" RUNS "," rules "]}"
#define PASS(rules) "{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[" rules "]}"
#define ALLOW(names, more) "{'names':[" names "],'action':'SCMP_ACT_ALLOW'" more "}"
#define ERRNO(names, more) "{'names':[" names "],'action':'SCMP_ACT_ERRNO'" more "}"
#define ARG(index, value, op) "{'index':" #index ",'value':" #value ",'op':'SCMP_CMP_" op "'}"

static const struct profile_row profile_refusals[] = {
    {"not JSON", "{'defaultAction':", .says = "not JSON"},
    {"no default", "{}", .says = "defaultAction: is missing"},
    {"an unknown key", "{'defaultAction':'SCMP_ACT_ALLOW','defaults':1}", .says = "defaults: unknown key"},
    {"an unknown key in a rule", PASS(ERRNO("'read'", ",'argz':[]")), .says = "syscalls[0].argz: unknown key"},
    {"a key twice", "{'defaultAction':'SCMP_ACT_ALLOW','defaultAction':'SCMP_ACT_ERRNO'}", .says = "duplicate"},
    {"an unknown action", PASS("{'names':['read'],'action':'SCMP_ACT_MAYBE'}"), .says = "syscalls[0].action"},
    {"an unknown comparison", DENY(ALLOW("'read'", ",'args':[" ARG(0, 1, "ABOUT") "]")),
     .says = "syscalls[1].args[0].op"},
    {"a seventh argument", DENY(ALLOW("'read'", ",'args':[" ARG(6, 1, "EQ") "]")), .says = "args[0].index"},
    {"a rule without names", PASS("{'action':'SCMP_ACT_ERRNO'}"), .says = "syscalls[0].names: is missing"},
    {"an errno of zero", PASS(ERRNO("'read'", ",'errnoRet':0")), .says = "errnoRet"},
    {"an errno of nobody's", PASS(ERRNO("'read'", ",'errno':'EFUN'")), .says = "'EFUN' is no errno's name"},
    {"two errnos", PASS(ERRNO("'read'", ",'errno':'EIO','errnoRet':1")), .says = "another errno"},
    {"without exit",
     "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[" ALLOW("'execve','exit_group','rt_sigreturn'", "") "]}",
     .says = "'exit' is not allowed"},
    {"execve only sometimes",
     "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':[" ALLOW("'exit','exit_group','rt_sigreturn'", "") "," ALLOW(
         "'execve'", ",'args':[" ARG(0, 1, "NE") "]") "]}",
     .says = "'execve' is not allowed"},
    {"rt_sigreturn denied beside", PASS(ERRNO("'rt_sigreturn'", "")), .says = "'rt_sigreturn' is not allowed"},
    {"an unknown name that would be let through", PASS(ERRNO("'reed'", "")), .says = "knows a system call 'reed'"},
    {"notify on write", DENY("{'names':['write'],'action':'SCMP_ACT_NOTIFY'}"), .says = "on write"},
    {"notify at all", DENY("{'names':['open'],'action':'SCMP_ACT_NOTIFY'}"), .says = "nobody listens"},
    {"notify as default", "{'defaultAction':'SCMP_ACT_NOTIFY'}", .says = "defaultAction: SCMP_ACT_NOTIFY"},
    {"a listener", "{'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'/run/x'}", .says = "listenerPath"},
    {"a flag we can't keep", "{'defaultAction':'SCMP_ACT_ALLOW','flags':['SECCOMP_FILTER_FLAG_SPEC_ALLOW']}",
     .says = "flags[0]"},
    {"another machine's profile", "{'defaultAction':'SCMP_ACT_ALLOW','architectures':['SCMP_ARCH_S390X']}",
     .says = "architectures"},
    {"two conditions on one argument in a rule that denies",
     PASS(ERRNO("'socket'", ",'args':[" ARG(0, 3, "GT") "," ARG(0, 9, "LT") "]")), .says = "is read in two ways"},
    {"two that can't both hold", DENY(ALLOW("'socket'", ",'args':[" ARG(0, 3, "EQ") "," ARG(0, 4, "EQ") "]")),
     .says = "no value of argument 0"},
    {"less than nothing", DENY(ALLOW("'socket'", ",'args':[" ARG(0, 0, "LT") "]")), .says = "no value of argument 0"},
    {"a condition on bits that the kernel cuts off", DENY(ALLOW("'socket'", ",'args':[" ARG(0, 4294967298, "EQ") "]")),
     .says = "looks at 32 bits"},
    {"a file's mode has 16", PASS(ERRNO("'chmod'", ",'args':[" ARG(1, 65536, "GE") "]")), .says = "looks at 16 bits"},
    {"an argument that the call doesn't have", DENY(ALLOW("'getpid'", ",'args':[" ARG(0, 1, "EQ") "]")),
     .says = "no argument 0"},
    {"an argument of a call we know too little of", DENY(ALLOW("'vserver'", ",'args':[" ARG(0, 1, "EQ") "]")),
     .says = "no argument 0"},
    {"a kernel of nobody's", DENY(ALLOW("'open'", ",'includes':{'minKernel':'new'}")), .says = "minKernel"},
};
#define profile_refusals_count COUNT_OF(profile_refusals)

#define EPERM_ (SECCOMP_RET_ERRNO | EPERM)
#define ENOSYS_ (SECCOMP_RET_ERRNO | ENOSYS)

static const struct profile_row profile_acceptances[] = {
    {"what is named", DENY(ALLOW("'read'", "")), "", SYS_read, {0}, SECCOMP_RET_ALLOW},
    {"what is not", DENY(ALLOW("'read'", "")), "", SYS_open, {0}, EPERM_},
    {"nulls where others write them",
     DENY(ALLOW("'read'", ",'args':null,'includes':null,'errnoRet':null")),
     "",
     SYS_read,
     {0},
     SECCOMP_RET_ALLOW},
    {"a comment, empty lists, empty objects",
     DENY(ALLOW("'read'", ",'args':[],'comment':'','includes':{},'excludes':{},'errno':''")),
     "",
     SYS_read,
     {0},
     SECCOMP_RET_ALLOW},
    {"the older way to write a name",
     DENY("{'name':'open','action':'SCMP_ACT_ALLOW'}"),
     "",
     SYS_open,
     {0},
     SECCOMP_RET_ALLOW},
    {"the default's errno by name",
     "{'defaultAction':'SCMP_ACT_ERRNO','defaultErrno':'ENOSYS','defaultErrnoRet':38,'syscalls':[" RUNS "]}",
     "",
     SYS_open,
     {0},
     ENOSYS_},
    {"an errno by name", PASS(ERRNO("'open'", ",'errno':'EACCES'")), "", SYS_open, {0}, SECCOMP_RET_ERRNO | EACCES},
    {"no capability here: included by one",
     DENY(ALLOW("'open'", ",'includes':{'caps':['CAP_SYS_ADMIN']}")),
     "",
     SYS_open,
     {0},
     EPERM_},
    {"excluded by one",
     DENY(ALLOW("'open'", ",'excludes':{'caps':['CAP_SYS_ADMIN']}")),
     "",
     SYS_open,
     {0},
     SECCOMP_RET_ALLOW},
    {"another architecture's rule",
     DENY(ALLOW("'open'", ",'includes':{'arches':['s390x']}")),
     "",
     SYS_open,
     {0},
     EPERM_},
    {"not for this architecture", DENY(ALLOW("'open'", ",'excludes':{'arches':['amd64']}")), "", SYS_open, {0}, EPERM_},
    {"an older kernel is enough",
     DENY(ALLOW("'open'", ",'includes':{'minKernel':'4.8'}")),
     "",
     SYS_open,
     {0},
     SECCOMP_RET_ALLOW},
    {"a kernel to come", DENY(ALLOW("'open'", ",'includes':{'minKernel':'99.1'}")), "", SYS_open, {0}, EPERM_},
    {"a name of tomorrow that would be allowed",
     DENY(ALLOW("'open','teleport'", "")),
     "syscalls[1].names: nobody here knows a system call 'teleport'",
     SYS_open,
     {0},
     SECCOMP_RET_ALLOW},
    {"newer than the library, by our own table", DENY(ALLOW("'mseal'", "")), "", 462, {0}, SECCOMP_RET_ALLOW},
    {"another architecture's call",
     DENY(ALLOW("'open','s390_runtime_instr'", "")),
     "",
     SYS_open,
     {0},
     SECCOMP_RET_ALLOW},
    {"not A and not B, for A",
     DENY(ALLOW("'ioctl'", ",'args':[" ARG(1, 7, "NE") "," ARG(1, 9, "NE") "]")),
     "",
     SYS_ioctl,
     {0, 7},
     EPERM_},
    {"not A and not B, for B behind a high bit",
     DENY(ALLOW("'ioctl'", ",'args':[" ARG(1, 7, "NE") "," ARG(1, 9, "NE") "]")),
     "",
     SYS_ioctl,
     {0, UINT64_C(1) << 63 | 9},
     EPERM_},
    {"not A and not B, for C",
     DENY(ALLOW("'ioctl'", ",'args':[" ARG(1, 7, "NE") "," ARG(1, 9, "NE") "]")),
     "",
     SYS_ioctl,
     {0, 8},
     SECCOMP_RET_ALLOW},
    {"a mask",
     DENY(ALLOW("'clone'", ",'args':[{'index':0,'value':256,'valueTwo':256,'op':'SCMP_CMP_MASKED_EQ'}]")),
     "",
     SYS_clone,
     {0x311},
     SECCOMP_RET_ALLOW},
    {"what libseccomp merges wrongly: socket(1, 16) meets neither of two rules",
     DENY(ALLOW("'socket'", ",'args':[" ARG(0, 1, "NE") "]") "," ALLOW(
         "'socket'", ",'args':[" ARG(1, 16, "NE") "," ARG(0, 16, "NE") "]")),
     "",
     SYS_socket,
     {1, 16},
     EPERM_},
    {"what it merges wrongly: 0x27 beside ranges",
     DENY(ALLOW("'read'", ",'args':[" ARG(2, 8, "LT") "]") "," ALLOW(
         "'read'", ",'args':[" ARG(2, 40, "EQ") "]") "," ALLOW("'read'", ",'args':[" ARG(2, 4294967296, "GT") "]")),
     "",
     SYS_read,
     {0, 0, 0x27},
     EPERM_},
    {"and beyond the word",
     DENY(ALLOW("'read'", ",'args':[" ARG(2, 4294967296, "GT") "]")),
     "",
     SYS_read,
     {0, 0, 0x100000001},
     SECCOMP_RET_ALLOW},
    {"-1 as 64 bits have it",
     DENY(ALLOW("'personality'", ",'args':[" ARG(0, 18446744073709551615, "EQ") "]")),
     "",
     SYS_personality,
     {0xffffffff},
     SECCOMP_RET_ALLOW},
    {"killing",
     PASS("{'names':['open'],'action':'SCMP_ACT_KILL_PROCESS'}"),
     "",
     SYS_open,
     {0},
     SECCOMP_RET_KILL_PROCESS},
    {"killing the thread, as the word has always meant",
     PASS("{'names':['open'],'action':'SCMP_ACT_KILL'}"),
     "",
     SYS_open,
     {0},
     SECCOMP_RET_KILL_THREAD},
    {"a default that allows still knows no call of tomorrow", PASS(ERRNO("'open'", "")), "", 4000, {0}, ENOSYS_},
    {"clone3 under a default that denies, so that libraries fall back",
     DENY(ALLOW("'open'", "")),
     "",
     SYS_clone3,
     {0},
     ENOSYS_},
    {"clone3 as a rule has it", DENY(ERRNO("'clone3'", ",'errnoRet':1")), "", SYS_clone3, {0}, EPERM_},
    {"threads at once, which there are none of",
     "{'defaultAction':'SCMP_ACT_ALLOW','flags':['SECCOMP_FILTER_FLAG_TSYNC']}",
     "",
     SYS_open,
     {0},
     SECCOMP_RET_ALLOW},
    {"one architecture among others",
     "{'defaultAction':'SCMP_ACT_ALLOW','archMap':[{'architecture':'SCMP_ARCH_X86_64','subArchitectures':['SCMP_ARCH_"
     "X86']}]}",
     "",
     SYS_open,
     {0},
     SECCOMP_RET_ALLOW},
};
#define profile_acceptances_count COUNT_OF(profile_acceptances)

#endif
