"""plant.py ROWS NAME FOLDER: each file that this defect changes, changed, below FOLDER.
plant.py ROWS: does every defect still find its place, once?

A row is `name | file | ... | what stands there | what stands there instead`; \\n in it is an end of line. A row named +
is a further place of the defect before it.
"""
import os
import sys


def defects(path):
    """[name, [(file, old, new), ...]]"""
    found = []
    for line in open(path, encoding="utf-8"):
        if line.startswith("#") or not line.strip():
            continue
        name, file, *_, old, new = [f.replace("\\n", "\n") for f in line.rstrip("\n").split(" | ")]
        if name != "+":
            found.append([name, []])
        found[-1][1].append((file, old, new))
    return found


def planted(name, places):
    """file -> its text with all of the defect's places changed"""
    texts = {}
    for file, old, new in places:
        text = texts.get(file) or open(file, encoding="utf-8").read()
        if text.count(old) != 1:
            sys.exit(f"{name}: {file} has it {text.count(old)} times: {old}")
        texts[file] = text.replace(old, new)
    return texts


def main(rows, wanted=None, folder=None):
    all_defects = defects(rows)
    names = [name for name, _ in all_defects]
    if len(set(names)) != len(names):
        sys.exit(f"{rows}: a name is there twice")
    if wanted is not None and wanted not in names:
        sys.exit(f"{rows}: no defect '{wanted}'")
    for name, places in all_defects:
        if wanted not in (None, name):
            continue
        for file, text in planted(name, places).items():
            if folder is not None:
                os.makedirs(os.path.dirname(os.path.join(folder, file)), exist_ok=True)
                with open(os.path.join(folder, file), "w", encoding="utf-8") as f:
                    f.write(text)


main(*sys.argv[1:])
