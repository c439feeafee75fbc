# awk -f layers.awk layers.txt FILES...: every #include is held against layers.txt. Prints file:line: what is wrong.
function layer_of(path,   folder, best) {
    for (folder in knows)
        if (index(path, folder "/") == 1 && length(folder) > length(best))
            best = folder
    return best
}
function complain(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; wrong++ }
BEGIN {
    n = split("assert errno inttypes limits stdarg stdbool stddef stdint stdio stdlib string", words, " ")
    for (i = 1; i <= n; i++)
        harmless[words[i] ".h"] = 1
}
FNR == NR {
    if ($1 == "layer") {
        kind[$2] = $3
        knows[$2] = " "
        for (i = 4; i <= NF; i++)
            knows[$2] = knows[$2] $i " "
    } else if ($1 == "only") {
        for (i = 3; i <= NF; i++)
            owners[$2] = owners[$2] " " $i
    }
    next
}
FNR == 1 {
    here = layer_of(FILENAME)
    if (here == "")
        complain("its folder has no line in layers.txt")
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\"")
    if (index(part[2], "/") == 0 && part[2] !~ /^library\.h$/)
        complain("\"" part[2] "\" is not relative to the root")
    else if (index(knows[here], " " layer_of(part[2]) " ") == 0)
        complain(here " may not know " part[2])
}
/^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, part, /[<>]/)
    owned = 0
    for (prefix in owners)
        if (index(part[2], prefix) == 1) {
            owned = 1
            n = split(owners[prefix], file, " ")
            fine = 0
            for (i = 1; i <= n; i++)
                if (index(FILENAME, file[i]) == 1)
                    fine = 1
            if (!fine)
                complain("<" part[2] "> belongs to" owners[prefix])
        }
    if (!owned && kind[here] == "pure" && !(part[2] in harmless))
        complain(here " is pure: no <" part[2] ">")
}
END { exit wrong > 0 }
