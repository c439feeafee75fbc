#!/bin/sh
# lint.sh BUILD: everything a reader would otherwise have to check by eye. Silent when all is well but for its count.
set -u
build=$1
bad=0
say() { printf 'lint: %s\n' "$1"; }
check() { # check NAME COMMAND...
    name=$1
    shift
    if ! "$@"; then
        say "$name: failed"
        bad=$((bad + 1))
    fi
}
files=$(git ls-files '*.[ch]')
product=$(printf '%s\n' "$files" | grep -v '^tests/')

headers_alone() {
    printf '%s\n' "$product" | grep '\.h$' | while read -r h; do
        gcc -std=gnu17 -D_GNU_SOURCE -I. -I"$build" -Wall -Wextra -fsyntax-only -x c "$h" || echo "$h" >&2
    done 2>&1 | grep . && return 1
    return 0
}
privileged_calls() { # mount, setns and friends stay in isolation/
    # shellcheck disable=SC2046
    ! grep -nE '(^|[^a-z_])(mount|umount2|setns|unshare|pivot_root|capset)\(' \
        $(printf '%s\n' "$product" | grep -v '^isolation/') | grep -v 'lint: allow'
}
manuals() {
    # shellcheck disable=SC2046
    ! mandoc -Tlint -Wwarning $(git ls-files 'docs/man/*') 2>&1 | grep -v 'referenced manual not found' | grep .
}
every_program_has_a_manual() {
    for p in reeved.8 reeve-agent.8 reeve-warden.8 reeve-keeper.8 reeve-seccomp.8 reeve-reportd.8 reeve.1 reeve-sim.1; do
        [ -f "docs/man/$p" ] || { echo "docs/man/$p is missing"; return 1; }
    done
}
shell_scripts() { # they parse; the first line says which shell
    git ls-files | while read -r f; do
        case $(head -c 40 "$f" 2>/dev/null | head -1) in
        '#!/bin/sh'*) sh -n "$f" || echo "$f" ;;
        '#!'*bash*) bash -n "$f" || echo "$f" ;;
        esac
    done | grep . && return 1
    return 0
}
mutants() { # every planted defect still finds its place
    for rows in tests/sim/mutants.txt tests/mutants/planted.txt; do python3 tests/mutants/plant.py $rows || return 1; done
}
json_files() { # they parse
    git ls-files '*.json' | while read -r f; do jq empty "$f" || echo "$f"; done 2>&1 | grep . && return 1
    return 0
}
# shellcheck disable=SC2086
check layers awk -f tests/lint/layers.awk tests/lint/layers.txt $product
check pure sh tests/lint/pure.sh "$build"
# shellcheck disable=SC2086
check style awk -f tests/lint/style.awk $files
check headers headers_alone
check privileged privileged_calls
check manuals manuals
check programs every_program_has_a_manual
check scripts shell_scripts
check json json_files
check mutants mutants
[ "$bad" -eq 0 ] && say "10 checks, $(printf '%s\n' "$files" | wc -l) files: clean"
exit "$bad"
