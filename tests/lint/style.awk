# awk -f style.awk FILES...: lengths, and calls that have no place here. An exception is a comment on the same line:
# /* lint: allow <reason> */
function complain(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; wrong++ }
FNR == 1 { lines[FILENAME] = 0; start = 0 }
{ lines[FILENAME]++ }
/lint: allow/ { next }
length($0) > 120 { complain("longer than 120 columns") }
/[ \t]$/ { complain("space at the end of the line") }
/^\{/ { start = FNR }
/^\}/ { if (start && FNR - start > 80) complain("function of " FNR - start " lines (at most 80)"); start = 0 }
/(^|[^a-zA-Z0-9_>.])(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|system|popen|alloca|usleep|sleep)[ \t]*\(/ {
    if ($0 !~ /^ *\*|\/\*.*(sleep|system)/) complain("call that has no place here")
}
/(^|[^a-zA-Z0-9_])(TODO|FIXME|XXX|HACK)([^a-zA-Z0-9_]|$)/ { complain("a note to oneself: finish it or write an issue") }
END {
    for (file in lines)
        if (lines[file] > 700) { printf "%s: %d lines (at most 700)\n", file, lines[file]; wrong++ }
    exit wrong > 0
}
