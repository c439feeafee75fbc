#!/bin/sh
# make_image.sh FOLDER: a root with a shell and a few tools, for tests. Root's, as images must be.
set -eu
umask 022
d=$1
mkdir -p "$d/bin" "$d/dev" "$d/proc" "$d/sys" "$d/tmp" "$d/mnt" "$d/etc" "$d/data" "$d/var"
for b in sh cat ls id stat mkdir rm head touch ln mv cp chmod readlink grep wc sync; do cp -L "/bin/$b" "$d/bin/$b"; done
for l in $(for b in "$d"/bin/*; do ldd "$b"; done | grep -o '/[^ ]*' | grep -v ':$' | sort -u); do cp -L --parents "$l" "$d"; done
echo 'of the image' > "$d/etc/issue"
echo '10.0.0.1 image' > "$d/etc/hosts"
: > "$d/etc/resolv.conf"
echo old > "$d/var/old"
echo secret > "$d/etc/shadow"
chmod 600 "$d/etc/shadow"
