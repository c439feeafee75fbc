#!/bin/sh
# same_hash.sh PROGRAMS...: the same worlds and the same load come to the same hash, whoever compiled them and however. Each
# argument is a build tree with tests/sim/faults and reeve-sim.
set -eu
worlds=60
jobs=3000
load=$(mktemp)
trap 'rm -f "$load"' EXIT
first=
for build; do
    faults=$("$build/tests/sim/faults" --worlds $worlds | sed -n 's/.*hash //p')
    sim=$("$build/reeve-sim" --json --jobs $jobs 2>"$load" | jq -r '[.histories[].hash] | join(" ")')
    printf '%-14s %d worlds %s, reeve-sim %d jobs %s\n' "$build" $worlds "$faults" $jobs "$sim"
    [ -n "$faults" ] && [ -n "$sim" ] || { cat "$load"; exit 1; }
    first=${first:-$faults $sim}
    [ "$first" = "$faults $sim" ] || { echo "same_hash: $build decides otherwise"; exit 1; }
done
