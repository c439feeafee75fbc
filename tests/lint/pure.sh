#!/bin/sh
# pure.sh BUILD: the objects of pure layers name no system call: what they need from outside is memory and text.
set -eu
build=$1
allowed='malloc|calloc|realloc|reallocarray|free|strdup|strndup|abort|qsort|bsearch|strto(d|ull|ul|ll|l)|'
allowed="$allowed"'mem(cpy|move|set|cmp|chr|rchr|mem)|str(len|nlen|cmp|ncmp|chr|rchr|str|pbrk|cspn|spn|cpy|cat|ncpy)|'
allowed="$allowed"'v?snprintf|__assert_fail|__stack_chk_fail|__errno_location|_GLOBAL_OFFSET_TABLE_|__tls_get_addr|'
allowed="$allowed"'__v?snprintf_chk|__mem(cpy|move|set)_chk|__str(cpy|cat|ncpy)_chk|__isoc2?3?_?strto.*|'
allowed="$allowed"'__u?(div|mod|divmod)ti[34]|__ubsan.*|__asan.*|__sanitizer.*|__sancov.*'
# One exemption, by file: the hash chain's SHA-256 is OpenSSL's.
objects=$(awk '$1 == "layer" && $3 == "pure" { print $2 }' tests/lint/layers.txt |
    while read -r layer; do ls "$build/$layer"/*.o 2>/dev/null || :; done)
[ -n "$objects" ] || { echo "pure.sh: no objects in $build; build first" >&2; exit 1; }
# shellcheck disable=SC2086
defined=$(nm --defined-only $objects | awk 'NF == 3 { print $3 }' | sort -u)
bad=0
for object in $objects; do
    exempt=''
    case $object in */base/sha256.o) exempt='|EVP_.*|SHA256.*' ;; esac
    for symbol in $(nm -u "$object" | awk '{ print $2 }' | grep -Evx "($allowed$exempt)"); do
        if ! printf '%s\n' "$defined" | grep -qx "$symbol"; then
            echo "$object: pure code calls $symbol"
            bad=1
        fi
    done
done
exit $bad
