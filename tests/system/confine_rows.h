/*
 * confine_rows - what a job sees and can't do, one small program for each: run it, compare what it prints.
 */
#ifndef REEVE_TESTS_SYSTEM_CONFINE_ROWS_H
#define REEVE_TESTS_SYSTEM_CONFINE_ROWS_H

#include <stddef.h>

/* argv that runs a text: valid until the next call. */
const char *const *shell(const char *text);
const char *const *python(const char *text);

/* call(number, arguments...) gives the result or -errno, without the C library's own ideas. */
#define PY_HEAD                                                                                                    \
    "import ctypes,os,socket,sys;c=ctypes.CDLL(None,use_errno=True)\n"                                             \
    "def call(n,*a):\n"                                                                                            \
    " ctypes.set_errno(0);r=c.syscall(ctypes.c_long(n),*[ctypes.c_long(x) for x in a]);return r if r>=0 else "     \
    "-ctypes.get_errno()\n"


struct confine_row {
    const char *sentence;
    const char *const *(*with)(const char *text);
    const char *program, *out;
    int exit_code;
};
extern const struct confine_row confine_rows[];
extern const size_t confine_rows_count;

#endif
