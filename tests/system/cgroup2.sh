#!/bin/sh
# Runs a test program on a machine whose only cgroups are v2: a user-mode-linux kernel on this host's own files.
# The kernel is a process; it boots in two seconds and is gone afterwards. What the program prints and its exit status
# come back through files.
set -eu
[ $# -ge 1 ] || { echo "usage: cgroup2.sh PROGRAM [ARGS...]" >&2; exit 2; }
command -v linux.uml >/dev/null || { echo "cgroup2.sh: needs Debian's user-mode-linux (packaging/install-deps test)" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "cgroup2.sh: needs root" >&2; exit 1; }

tree=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d /var/tmp/reeve-uml-XXXXXX)
trap 'rm -rf "$work"' EXIT INT TERM
truncate -s 64M "$work/disk" # a block device for io limits
for word; do printf '%s\n' "$word"; done > "$work/words"

# Seen from inside, / is the host's; what is written there is written here. So: own /tmp, /run, /dev/shm. The tree goes to /mnt
# first: it may lie below /tmp itself.
cat > "$work/init" <<INIT
#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root REEVE_TEST_LOG=${REEVE_TEST_LOG:-}
[ -n "\$REEVE_TEST_LOG" ] || unset REEVE_TEST_LOG
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --bind '$tree' /mnt
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mknod /run/disk b 98 0 # ubd0
ip link set lo up
cd /mnt
tests/system/uml_modules.py loop squashfs overlay veth bridge bfq > '$work/out' 2>&1 || { echo 1 > '$work/status'; echo o > /proc/sysrq-trigger; sleep 60; }
set --
while read -r word; do set -- "\$@" "\$word"; done < '$work/words'
"\$@" > '$work/out' 2>&1
echo \$? > '$work/status'
echo o > /proc/sysrq-trigger
sleep 60
INIT
chmod 755 "$work/init"

# UML keeps its memory in a file below TMPDIR; uml_xstate.c says what is loaded into it.
TMPDIR=/dev/shm setsid timeout "${UML_SECONDS:-600}" env LD_PRELOAD="$tree/$(dirname "$1")/../system/uml_xstate.so" linux.uml rootfstype=hostfs root=/dev/root rw init="$work/init" mem="${UML_MEM:-768M}" \
    ubd0="$work/disk" umid="reeve-$$" uml_dir="$work/" con=null con0=fd:0,fd:1 ssl=null quiet < /dev/null > "$work/console" 2>&1 || true
rm -rf "$work/reeve-$$"
cat "$work/out" 2>/dev/null || { echo "cgroup2.sh: the kernel did not get to the test:" >&2; tail -20 "$work/console" >&2; exit 1; }
[ -s "$work/status" ] || { echo "cgroup2.sh: the test did not come to an end:" >&2; tail -20 "$work/console" >&2; exit 1; }
exit "$(cat "$work/status")"
