#!/bin/sh
# Runs a test program under a Debian kernel with cgroup v2 alone: an emulated machine (no KVM) on this host's own files,
# which it sees read-only by 9p. What the program prints and its exit status come back through a folder shared with it.
# The kernel is Debian's package, fetched and unpacked into a folder beside the programs; nothing is installed.
set -eu
[ $# -ge 1 ] || { echo "usage: qemu.sh PROGRAM [ARGS...]" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "qemu.sh: needs root" >&2; exit 1; }
for tool in qemu-system-x86_64 busybox; do
    command -v "$tool" >/dev/null || { echo "qemu.sh: needs $tool (packaging/install-deps qemu)" >&2; exit 1; }
done

tree=$(cd "$(dirname "$0")/../.." && pwd)
case $1 in /*) build=build ;; *) build=${1%%/*} ;; esac
cache=${REEVE_QEMU_CACHE:-$tree/$build/qemu}
modules='9p 9pnet_virtio virtio_pci virtio_blk overlay loop squashfs bridge veth crc32c_generic ext4 bfq'

# The kernel that linux-image-amd64 stands for today. A cache that holds one with these modules is used as it is.
fetch_kernel() {
    package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
    [ -n "$package" ] || { echo "qemu.sh: apt knows no linux-image-amd64 (try apt-get update)" >&2; exit 1; }
    part=$cache.part.$$
    mkdir -p "$part/deb"
    (cd "$part/deb" && apt-get download -q "$package" >log 2>&1) || { cat "$part/deb/log" >&2; rm -rf "$part"; exit 1; }
    dpkg-deb -x "$part"/deb/*.deb "$part/root"
    version=$(ls "$part/root/lib/modules")
    mv "$part/root/boot/vmlinuz-$version" "$part/vmlinuz"
    make_initramfs "$part" "$version"
    echo "$modules" > "$part/modules"
    rm -rf "$part/root" "$part/deb" "$cache"
    mv "$part" "$cache"
}

# busybox, the modules that the root needs and those that a root-less machine could not load later, and an init.
make_initramfs() {
    initramfs=$1/initramfs
    mkdir -p "$initramfs/bin" "$initramfs/proc" "$initramfs/root" "$initramfs/lib/modules/$2"
    cp "$(command -v busybox)" "$initramfs/bin/busybox"
    busybox depmod -b "$1/root" "$2"
    for name in $modules; do
        sed -n "s|^\([^:]*/$name\.ko\):|\1|p" "$1/root/lib/modules/$2/modules.dep"
    done | tr ' ' '\n' | sort -u | while read -r file; do
        mkdir -p "$initramfs/lib/modules/$2/${file%/*}"
        cp "$1/root/lib/modules/$2/$file" "$initramfs/lib/modules/$2/$file"
    done
    busybox depmod -b "$initramfs" "$2"
    cat > "$initramfs/init" <<INIT
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
for name in $modules; do /bin/busybox modprobe \$name; done
options=trans=virtio,version=9p2000.L,msize=512000,access=any
/bin/busybox mount -t 9p -o \$options,ro,cache=loose host /root &&
    /bin/busybox mount -t tmpfs tmpfs /root/run && /bin/busybox mkdir /root/run/work /root/run/tree &&
    /bin/busybox mount -t 9p -o \$options work /root/run/work && /bin/busybox umount /proc &&
    exec /bin/busybox switch_root /root /bin/sh /run/work/init
echo "init: no root"
/bin/busybox poweroff -f
INIT
    chmod 755 "$initramfs/init"
    (cd "$initramfs" && find . | busybox cpio -o -H newc 2>/dev/null) | gzip -1 > "$1/initrd"
    rm -rf "$initramfs"
}

[ "$(cat "$cache/modules" 2>/dev/null)" = "$modules" ] || fetch_kernel

work=$(mktemp -d /var/tmp/reeve-qemu-XXXXXX)
trap 'rm -rf "$work"' EXIT INT TERM
truncate -s 8M "$work/disk" # a block device for io limits
for word; do printf '%s\n' "$word"; done > "$work/words"
cat > "$work/init" <<INIT
#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root REEVE_TEST_LOG=${REEVE_TEST_LOG:-}
[ -n "\$REEVE_TEST_LOG" ] || unset REEVE_TEST_LOG
exec < /dev/null
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --bind '$tree' /run/tree
mknod /run/disk b \$(tr : ' ' < /sys/block/vda/dev)
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /var/tmp
ip link set lo up
echo "booted \$(uname -r) in \$(cut -d' ' -f1 /proc/uptime) s" > /run/work/boot
cd /run/tree
set --
while read -r word; do set -- "\$@" "\$word"; done < /run/work/words
export CK_DEFAULT_TIMEOUT=1800 CK_TIMEOUT_MULTIPLIER=10
"\$@" > /run/work/out 2>&1
echo \$? > /run/work/status
sync
echo o > /proc/sysrq-trigger
sleep 60
INIT

# Everything that could wait on a terminal, a network or a graphics card is left away.
timeout "${QEMU_SECONDS:-1800}" qemu-system-x86_64 -accel tcg,thread=multi -M q35 -cpu "${QEMU_CPU:-max}" -smp 2 -m "${QEMU_MEM:-2560M}" \
    -nodefaults -no-user-config -no-reboot -nographic -serial "file:$work/console" -monitor none \
    -kernel "$cache/vmlinuz" -initrd "$cache/initrd" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off cgroup_no_v1=all hugepagesz=1G hugepages=1" \
    -fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=host,mount_tag=host \
    -fsdev local,id=work,path="$work",security_model=none -device virtio-9p-pci,fsdev=work,mount_tag=work \
    -drive file="$work/disk",format=raw,if=none,id=disk -device virtio-blk-pci,drive=disk \
    < /dev/null > "$work/qemu" 2>&1 || true
cat "$work/out" 2>/dev/null || { echo "qemu.sh: the kernel did not get to the test:" >&2; cat "$work/qemu" >&2; tail -20 "$work/console" >&2; exit 1; }
cat "$work/boot" >&2
[ -s "$work/status" ] || { echo "qemu.sh: the test did not come to an end:" >&2; tail -20 "$work/console" >&2; exit 1; }
exit "$(cat "$work/status")"
