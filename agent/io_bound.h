/*
 * io_bound - how far an attempt may go with its bytes: what is paid of them, or the job's own limits.io_bytes.
 *
 *   half of what was paid last is used   a beat at once, which asks for more
 *   what is paid                         grants stop at the last whole block, and after IO_LAST_US at the byte
 *   beyond it, by what it does itself    its keeper halts it at once. It goes on when more is paid, and is stopped
 *     or writes to its logs              when the scheduler says so, which knows that nobody will pay
 *   it has waited IO_WAIT_US for grants  the same
 *   the job's own limit                  grants stop at the byte, and it is stopped
 *
 * Where the job is to save what it has done once nobody pays any more (at_paid_end: checkpoint), a part of what was
 * paid last is kept back until its signal is due, so that one that is faster than the answer isn't halted with nothing
 * left to do it with. Whoever stands still for that goes on with the signal, or after IO_SPARE_US, whatever the reason:
 * only its scheduler knows.
 *
 * What it writes to its logs is seen at once, what it does itself when its group is read: IO_READ_US after the last
 * time where the disk could bring it to the next of these marks by the reading after that, else less often. What goes
 * beyond until then is the platform's (docs/adr/0002), as is what its pipes still hold when it has ended. Logs aren't
 * held back: a job that hangs on its own output pays for its time and knows no reason.
 */
#ifndef REEVE_AGENT_IO_BOUND_H
#define REEVE_AGENT_IO_BOUND_H

#include "base/fields.h"

#define IO_READ_US UINT64_C(100000)
#define IO_READ_SELDOM_US UINT64_C(10000000)
#define IO_LAST_US UINT64_C(1000000)
#define IO_WAIT_US UINT64_C(5000000)
#define IO_SPARE_PARTS 4u               /* of what was paid last, one is kept back */
#define IO_SPARE_US UINT64_C(5000000)
#define IO_HALT_US UINT64_C(5000000) /* a keeper that can't be halted: it is stopped after that */

struct attempt;

struct io_bound {
    struct measure paid;     /* absent: no bound */
    uint64_t step;           /* what was paid last */
    uint64_t limit;          /* the job's own; 0: none */
    bool saves;              /* it is to save what it has done, and wasn't told yet that it is time to */
    uint64_t spare;          /* of `paid`: kept back until then */
    bool asked;              /* for more than `paid` */
    uint64_t read_boot_us;   /* when its group was read last */
    uint64_t waits_boot_us;  /* since when it wants more; 0: it doesn't */
    uint64_t halted_boot_us; /* when its keeper was told; 0: it wasn't */
};

/* So much is paid from now on; what it was before counts where that isn't `newer` and more. True: it is another. */
bool io_bound_take(struct io_bound *b, struct measure paid, bool newer);
/* Whether something is kept back. */
void io_bound_saves(struct io_bound *b, bool saves);
bool io_bound_is_set(const struct io_bound *b);
/* It was read, is paid for, or wants more: whatever is due is done. */
void io_bound_check(struct attempt *t);
/* It stands still, and what else is paid for lets it go on no more: its bytes are used up. */
bool io_bound_stands(const struct attempt *t);
/* When to read its group; CLOCK_BOOTTIME. UINT64_MAX: whenever. */
uint64_t io_bound_due_us(const struct attempt *t);

#endif
