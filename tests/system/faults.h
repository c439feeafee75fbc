/*
 * faults - makes the n-th system call of one of a launch's processes fail, or kills the process there; by ptrace, from
 * outside: what is tested is the program as it is shipped.
 *
 * One at a time: faults_arm() says what is to happen, then faults_wait_*() drive everything on while it does.
 */
#ifndef REEVE_TESTS_SYSTEM_FAULTS_H
#define REEVE_TESTS_SYSTEM_FAULTS_H

#include <stdbool.h>
#include <sys/types.h>

/* Whose calls are counted. The keeper's from its birth as a sandbox to the answer; the payload's up to its exec. */
enum fault_role { FAULT_WARDEN, FAULT_ZYGOTE, FAULT_KEEPER, FAULT_PAYLOAD, FAULT_ROLES };
extern const char *const fault_role_names[FAULT_ROLES];

struct fault {
    enum fault_role role;
    int n;         /* 1 = the first call after faults_arm() */
    int error;     /* errno; 0: SIGKILL instead */
    bool happened;
    long call;     /* which it was */
    bool exec_done; /* the payload's exec was seen before it */
};

/* True where it can: registers are known for x86-64 only. */
bool faults_possible(void);
/* Traces the warden or its zygote, as the role needs. */
void faults_attach(enum fault_role role, pid_t warden, pid_t zygote);
void faults_arm(struct fault *fault);
/* Until `fd` can be read (true) or the warden is gone (false). Longer than the launch's own deadline: false, too. */
bool faults_wait_readable(int fd);
/* From here on nothing is counted; everybody runs on untraced but warden and zygote. */
void faults_disarm(void);
/* The warden ended: its wait status. Its zygote has ended too. */
bool faults_warden_ended(int *ret_status);
/* True only of a zygote that is traced. */
bool faults_zygote_ended(void);
/* Lets go of everybody. */
void faults_detach(void);

#endif
