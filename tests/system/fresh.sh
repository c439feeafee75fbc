#!/bin/sh
# fresh.sh: both README commands inside a bare Debian 12 root, so that no missing install step hides.
# The root is made by debootstrap, becomes "/" of a mount and pid namespace of its own (a chroot would not do: the kernel makes no
# user namespace inside one), gets git and make, clones this checkout's HEAD, and runs `make demo` and `make test`.
set -eu
top=$(git rev-parse --show-toplevel)
work=${FRESH_DIR:-$top/build-fresh}
root=$work/root

if [ "${1:-}" = inside ]; then # already in namespaces of our own
    mount --make-rprivate /
    mount --bind "$root" "$root"
    mount --rbind /dev "$root/dev"
    mount --rbind /sys "$root/sys"
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/tmp"
    mkdir -p "$root/src" "$root/mnt"
    mount --bind "$top" "$root/src"
    mount -o remount,bind,ro "$root/src"
    cd "$root"
    pivot_root . mnt
    exec /bin/sh -euc '
        umount -l /mnt
        export DEBIAN_FRONTEND=noninteractive HOME=/root LC_ALL=C
        apt-get update -q >/dev/null
        apt-get install -y -q --no-install-recommends git make >/dev/null
        git config --global --add safe.directory "*"
        git clone -q /src /root/reeve
        cd /root/reeve
        git checkout -q "'"$FRESH_HEAD"'"
        echo "== make demo"
        make demo
        echo "== make test"
        make test
    '
fi

[ "$(id -u)" = 0 ] || { echo "fresh.sh: needs root, for debootstrap and namespaces" >&2; exit 1; }
command -v debootstrap >/dev/null || apt-get install -y -q --no-install-recommends debootstrap >/dev/null
trap 'rm -rf --one-file-system "$work"' EXIT
rm -rf --one-file-system "$work"
mkdir -p "$work"
echo "== debootstrap"
debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$work/debootstrap.log" 2>&1 || {
    tail -20 "$work/debootstrap.log" >&2
    exit 1
}
cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || :
FRESH_HEAD=$(git rev-parse HEAD)
export FRESH_HEAD
unshare --mount --pid --fork --kill-child sh "$0" inside
echo "fresh: both commands passed in a bare root"
