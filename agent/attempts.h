/*
 * attempts - every attempt on this node, from the order to the confirmed end (agent/core/life.h is its map).
 *
 * The scheduler's notifications come in through attempts_run/paid/stop/forget, in any order and as often as it likes;
 * what must be told goes out through attempts_next_tell(), until attempts_told() confirms it, across any number of
 * connections. Warden, keepers and log streams answer by handle, so a late answer finds nothing.
 *
 * Bounds: ATTEMPTS_MAX live or untold; beyond, an order is not taken and the scheduler asks again after the next hello.
 *         LAUNCHES_MAX launches under way at once.
 */
#ifndef REEVE_AGENT_ATTEMPTS_H
#define REEVE_AGENT_ATTEMPTS_H

#include "agent/logs.h"
#include "agent/shelf.h"
#include "agent/warden_link.h"
#include "base/proto.h"

#define ATTEMPTS_MAX 8192u
#define SHELF_MAX 16384u
#define EMPTY_SHELF_MAX 8192u
#define LAUNCHES_MAX 16u
#define USAGE_READS_PER_BEAT 32u
#define STOP_PATIENCE_US UINT64_C(10000000) /* after a stop's grace: a keeper that didn't obey is killed */

struct attempts;

struct attempts_setup {
    struct loop *loop;
    struct ring *ring;
    struct fair *fair;        /* whose bytes move next */
    struct warden_link *warden;
    const struct node_abilities *able; /* what the warden can enforce here; looked at when something is launched */
    int compiler;             /* the reeve-seccomp program */
    struct shelf_limits keep; /* logs of attempts that are over */
    void (*on_hurry)(void *arg); /* a beat is due before its time */
    void (*on_log)(void *arg); /* some log grew or ended: readers may look again */
    void *arg;
};

int attempts_new(struct attempts **ret, const struct attempts_setup *setup, struct err *err) MUST_USE;
void attempts_free(struct attempts *a); /* keepers live on */
/* At start: takes up what an earlier agent left behind. `rebooted`: it was left before the node's last boot. */
int attempts_adopt(struct attempts *a, bool rebooted, struct err *err) MUST_USE;
/* Launches what waits; part of the loop's turn. */
void attempts_turn(struct attempts *a);

/* ---- what the scheduler says; the fence was checked ---- */
void attempts_run(struct attempts *a, const struct run_call *order);
void attempts_paid(struct attempts *a, const struct paid_call *call);
void attempts_stop(struct attempts *a, const struct stop_call *call);
void attempts_forget(struct attempts *a, const struct forget_call *call);
/* It has answered something that was sent at `sent_boot_us`: leases count from there. */
void attempts_contact(struct attempts *a, uint64_t sent_boot_us);
void attempts_unlinked(struct attempts *a);
/* What tenants have of the disk has changed: the kernel's limits on what runs follow. */
void attempts_follow(struct attempts *a);

/* ---- what the scheduler is told ---- */
int attempts_states(struct attempts *a, struct list *ret_states) MUST_USE; /* for hello; caller clears */
int attempts_beats(struct attempts *a, struct list *ret_beats) MUST_USE;   /* also asks for fresh usage */
/* The next thing to tell, marked as sent; false = nothing. `ret` borrows. */
bool attempts_next_tell(struct attempts *a, struct attempt_state *ret, uint64_t *ret_token);
void attempts_told(struct attempts *a, uint64_t token, bool ended, bool committed);

/* ---- what is shown on the node ---- */
/* What an attempt has moved since the last call; who moved nothing is left out. */
struct attempt_moved {
    const char *tenant;
    uint64_t job;
    struct io_meter moved, direct; /* by grants; by itself */
};
void attempts_moved(struct attempts *a, void (*fn)(void *arg, const struct attempt_moved *m), void *arg);

/* ---- logs ---- */
struct attempts_log {
    uint64_t size, cap;
    uint32_t epoch;
    bool ended;          /* nothing will follow */
};
/* epoch 0 = the newest known. -ENOENT: never here, or no longer kept. */
int attempts_log(struct attempts *a, struct attempt_id id, enum log_stream which, struct attempts_log *ret) MUST_USE;
/* The file, for reading; the caller's. -ENOENT: nothing was written. */
int attempts_log_open(struct attempts *a, struct attempt_id id, enum log_stream which) MUST_USE;

#endif
