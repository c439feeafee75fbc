#!/bin/sh
# mutants.sh BUILD [NAME...]: plants each defect of mutants.txt in a copy of its file, links the fault worlds with it and lets
# them live for up to MUTANT_SECONDS of processor time: a rule must break. One that survives is a failure by its name.
# MUTANT_CC and MUTANT_LINK: how to compile and to link, as the Makefile does. MUTANT_JOBS at a time.
set -u
build=$1
shift
rows=$(dirname "$0")/mutants.txt
seconds=${MUTANT_SECONDS:-60}

one() {
    name=$1
    file=$(awk -F ' [|] ' -v name="$name" '$1 == name { print $2 }' "$rows")
    dir=$build/mutants/$name
    mkdir -p "$dir"
    python3 tests/mutants/plant.py "$rows" "$name" "$dir" || exit 1
    eval "$MUTANT_CC -w -c -o '$dir/changed.o' '$dir/$file'" || exit 1
    objects=
    for o in "$build"/tests/sim/fault_*.o "$build/tests/sim/faults.o"; do
        [ "$o" = "$build/${file%.c}.o" ] || objects="$objects $o"
    done
    # What is linked first isn't looked for in an archive.
    eval "$MUTANT_LINK -o '$dir/faults' '$dir/changed.o' $objects -Wl,--start-group '$build'/lib/*.a -Wl,--end-group \
        $MUTANT_LIBS" || exit 1
    # A world that doesn't go on is stopped after ten times as long; that is no rule, so it isn't caught.
    timeout $((seconds * 10)) "$dir/faults" --for "$seconds" >"$dir/out" 2>&1
    code=$?
    last=$(tail -n 1 "$dir/out")
    if [ $code -eq 0 ] || [ $code -eq 124 ]; then
        printf 'SURVIVES  %s (%s): %s\n' "$name" "$file" "$last"
        exit 1
    fi
    [ $code -ge 128 ] && last="a bug check: $last"
    printf 'caught    %-32s %s\n' "$name" "$last"
    rm -rf "$dir"
}

if [ "${1:-}" = --one ]; then
    one "$2"
    exit
fi
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(awk -F ' [|] ' '!/^[#+]/ && NF { print $1 }' "$rows")
for name; do echo "$name"; done | xargs -P "${MUTANT_JOBS:-2}" -n 1 "$0" "$build" --one >"$build/mutants.out" 2>&1
rc=$?
sort "$build/mutants.out"
survive=$(grep -vc '^caught ' "$build/mutants.out")
printf '%d%%: Checks: %d mutants, Failures: %d\n' $((100 * ($# - survive) / $#)) $# "$survive"
exit $((rc != 0))
