#!/usr/bin/python3
"""uml_modules.py NAME...: loads modules of the running user-mode-linux kernel, with what they depend on."""
import ctypes
import errno
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
folder = "/usr/lib/uml/modules/" + os.uname().release
needs = {}
for line in open(folder + "/modules.dep"):
    path, after = line.split(":", 1)
    needs[os.path.basename(path).split(".")[0]] = [path] + after.split()


FINIT_MODULE = 313  # on amd64, as user-mode-linux is


def load(path):
    fd = os.open(os.path.join(folder, path), os.O_RDONLY | os.O_CLOEXEC)
    if libc.syscall(FINIT_MODULE, fd, b"", 0) < 0 and ctypes.get_errno() != errno.EEXIST:
        sys.exit("uml_modules: %s: %s" % (path, os.strerror(ctypes.get_errno())))
    os.close(fd)


for name in sys.argv[1:]:
    for path in reversed(needs.get(name, [])):  # the farthest is loaded first; what is built in has no row
        load(path)
