/*
 * exit_codes - how reeved ends; reeved(8) lists them.
 */
#ifndef REEVE_SCHEDULER_EXIT_CODES_H
#define REEVE_SCHEDULER_EXIT_CODES_H

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1, /* it says why; starting again may help */
    EXIT_USAGE = 2,
    EXIT_FENCED = 4, /* another reeved has the cell's term */
    EXIT_HOLD = 5,   /* journal or books are damaged: starting again will not help, a person must look */
};

#endif
