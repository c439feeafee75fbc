#!/bin/sh
# planted.sh BUILD [NAME...]: plants each defect of planted.txt in a copy of the sources, builds its test there as the
# Makefile does, and runs it: the named test must fail. One that passes all the same is a failure by its name.
# MUTANT_JOBS at a time, each in a copy of its own.
set -u
rows=tests/mutants/planted.txt

# The sources and what is built of them, with their times: nothing is built anew but what a defect touches.
tree_make() { # DIR
    rm -rf "$1"
    mkdir -p "$1"
    tar -cf - --exclude=./.git --exclude='./build*' . | tar -xf - -C "$1"
    tar -cf - --exclude="$build/mutants" --exclude="$build/up" --exclude="$build/system-*" "$build" | tar -xf - -C "$1"
    touch "$1.mark"
    sleep 0.02 # whatever is made from here on is newer than the mark
}

# Whatever was made since the mark is as it was before.
tree_restore() { # DIR
    find "$1" -newer "$1.mark" -type f -printf '%P\n' | while read -r f; do
        rm -f "$1/$f" # it may still run
        [ ! -f "$f" ] || cp -p "$f" "$1/$f"
    done
}

survives() { # WHY
    printf 'SURVIVES  %s (%s, %s): %s\n' "$name" "$file" "$program:$case" "$1"
    exit 1
}

one() {
    name=$1
    dir=$work/$SLOT
    file=$(awk -F ' [|] ' -v name="$name" '$1 == name { print $2 }' "$rows")
    program=$(awk -F ' [|] ' -v name="$name" '$1 == name { print $3 }' "$rows")
    case=${program#*:}
    program=${program%:*}
    [ -f "$dir.mark" ] || tree_make "$dir"
    tree_restore "$dir"
    python3 tests/mutants/plant.py "$rows" "$name" "$dir" || exit 1
    "${MAKE:-make}" --no-print-directory -C "$dir" BUILD="$build" WERROR= "$build/$program" >"$dir.out" 2>&1 ||
        survives "it doesn't build: $(grep -a -m 1 'rror' "$dir.out")"
    (cd "$dir" && timeout 300 "$build/$program") >"$dir.out" 2>&1 && survives "$(tail -n 1 "$dir.out")"
    line=$(grep -a -m 1 ":$case:" "$dir.out") || survives "others fail, or none to its end: $(tail -n 1 "$dir.out")"
    printf 'caught    %-40s %.100s\n' "$name" "${line#*:[FE]:}"
}

if [ "$1" = --one ]; then
    build=$2 work=$3
    one "$4"
    exit
fi
build=$1
shift
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(awk -F ' [|] ' '!/^[#+]/ && NF { print $1 }' "$rows")
export CK_DEFAULT_TIMEOUT=60
mkdir -p "$build/mutants"
work=$(mktemp -d "$build/mutants/planted-XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
for name; do echo "$name"; done |
    xargs -P "${MUTANT_JOBS:-2}" -n 1 --process-slot-var=SLOT "$0" --one "$build" "$work" >"$work/out" 2>&1
rc=$?
sort "$work/out"
survive=$(($# - $(grep -c '^caught ' "$work/out")))
printf '%d%%: Checks: %d mutants, Failures: %d\n' $((100 * ($# - survive) / $#)) $# "$survive"
exit $((rc != 0))
