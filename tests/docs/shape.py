"""shape - does an output look like the one in the document?

JSON      the same keys at every level, values of the same kind (null goes with all); in a list, each like the first
CSV       the same header, as many fields in each row
text      each documented line's first word, digits aside, begins a line of the output, in the same order; so it is with
          addresses (http://...) in a line; a heading (all capitals) is compared word by word
Returns what is wrong, or None.
"""
import csv
import io
import json
import re


def parse_json(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def kind(value):
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def compare_json(want, have, at="answer"):
    if want is None or have is None:
        return None
    if kind(want) != kind(have):
        return f"{at}: the document has a {kind(want)}, the program a {kind(have)}"
    if isinstance(want, dict):
        if set(want) != set(have):
            return f"{at}: only in the document: {sorted(set(want) - set(have))}, only in the program: " \
                   f"{sorted(set(have) - set(want))}"
        pairs = [(want[key], have[key], f"{at}.{key}") for key in want]
    elif isinstance(want, list) and want:
        pairs = [(want[0], item, f"{at}[{i}]") for i, item in enumerate(have)]
    else:
        pairs = []
    return next(filter(None, (compare_json(*pair) for pair in pairs)), None)


def compare_csv(want, have):
    want_rows, have_rows = (list(csv.reader(io.StringIO(text))) for text in (want, have))
    if not have_rows or want_rows[0] != have_rows[0]:
        return f"header: the document has {want_rows[0]}, the program {have_rows[:1]}"
    odd = [row for row in want_rows + have_rows if len(row) != len(want_rows[0])]
    return f"not as many fields as the header has: {odd[0]}" if odd else None


def mark(line):
    """What is compared of a line."""
    words = line.split()
    if len(words) > 1 and all(re.fullmatch(r"[A-Z]+", word) for word in words):
        return " ".join(words)
    return re.sub(r"\d+", "N", " ".join(words[:1] + [word for word in words[1:] if word.startswith("http://")]))


def compare_text(want, have):
    lines = iter([mark(line) for line in have.splitlines()])
    for line in want.splitlines():
        if line.strip() and mark(line) not in lines:  # `in` goes on where the last line was found
            return f"the document goes on with '{line.strip()}', the program doesn't"
    return None


def compare(want, have):
    documented = parse_json(want)
    if isinstance(documented, (dict, list)):
        actual = parse_json(have)
        return "the program's answer is not JSON" if actual is None else compare_json(documented, actual)
    if re.match(r"[a-z_.]+(,[a-z_.]+)+\r?\n", want):
        return compare_csv(want, have)
    return compare_text(want, have)
