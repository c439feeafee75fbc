"""docs_test BUILD: are the documents true? Runs their examples as printed (see run, stage), looks for what they lack."""
import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import examples
import shape
import stage
from shell import SECONDS, Shell, Stays

MANUALS = ["reeve-tenants.5", "reeve-job.5", "reeve.1", "reeved.8", "reeve-reportd.8", "reeve-warden.8",
           "reeve-agent.8", "reeve-agent-calibrate.8", "reeve-agent-io-check.8", "reeve-keeper.8", "reeve-seccomp.8", "reeve-sim.1"]
# In the order in which they are read: each may count on what an earlier one has left.
DOCUMENTS = ["README.md", "docs/protocol.md", "docs/reports.md", "docs/focus.md"] + ["docs/man/" + page for page in MANUALS]
# Files that others use by these names, and whose example they are.
FILES = {"tenants.yaml": ("docs/man/reeve-tenants.5", "yaml"), "backfill.yaml": ("docs/man/reeve-job.5", "yaml"),
         "nightly.sh": ("docs/man/reeve.1", "script")}


class Tally:
    def __init__(self):
        self.passed, self.failures = 0, []

    def note(self, where, what, wrong, output=""):
        """One example or fact; `wrong` is None when all is well."""
        if wrong is None:
            self.passed += 1
            return
        self.failures.append(where)
        print(f"{where}: {what}\n    {wrong}")
        for line in output.splitlines()[-12:]:
            print(f"    | {line}")


def read_listed(path):
    rows = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            how, document, title, why = (part.strip() for part in line.split(" | ", 3))
            if how not in ("not run", "stays", "refused", "settles") or not why:
                raise ValueError(f"{path}: {line}")
            rows[document, title] = (how, why)
    return rows


class Reader:
    """Somebody who types a document's examples, from the first to the last."""

    def __init__(self, tally, listed, theatre, document, folder):
        self.tally, self.listed, self.theatre, self.folder = tally, listed, theatre, folder
        self.env = dict(theatre.env)
        if document != "README.md":
            self.env["REEVE_DIR"] = str(stage.SYSTEM)
        self.shell, self.background = Shell(folder, self.env), []

    def type(self, example):
        how, why = self.listed.pop((example.path, example.title), ("run", ""))
        if how == "not run":
            return
        if how == "stays":
            wrong, output = self.start(example, why)
        elif example.kind == "command":
            wrong, output = self.run(example, 1 if how == "refused" else 0)
        else:
            wrong, output = self.accepted(example)
        if wrong is None:
            wrong = shape.compare(example.output, output)
        until = time.monotonic() + SECONDS
        while how == "settles" and wrong is not None and time.monotonic() < until:
            wrong, output = self.run(example, 0)
            wrong = wrong or shape.compare(example.output, output)
        self.tally.note(example.where, example.title, wrong, output)

    def run(self, example, code):
        got, output = self.shell.run(example.text)
        if got is None:
            return f"ended the shell, or took more than {SECONDS} s", output
        return None if got == code else f"exit code {got}, not {code}", output

    def start(self, example, up):
        self.background.append((example, Stays(self.folder, self.env, example.text)))
        process = self.background[-1][1]
        says_so = lambda: shape.compare(example.output, process.output()) is None
        ready = self.theatre.answers(self.folder, up, process.bash, says_so)
        return None if ready else f"did not get there in time: '{up}'", process.output()

    def accepted(self, example):
        if example.kind == "json":
            return None if shape.parse_json(example.text) is not None else "not JSON", ""
        path = self.folder / (".shown.sh" if example.kind == "script" else ".shown.yaml")
        path.write_text(example.text)
        is_policy = example.kind == "yaml" and re.search(r"^(tenants|prices):", example.text, re.MULTILINE)
        code, output = self.theatre.reeve(*(["admin", "diff"] if is_policy else ["submit", "--dry-run"]), str(path))
        return None if code == 0 else f"not accepted: exit code {code}", output

    def leave(self):
        for example, process in self.background:
            ended = process.interrupt()
            wrong = None if ended else "did not end"
            self.tally.note(example.where, example.title + ", then Ctrl-C", wrong, process.output())
        self.shell.close()


def read_documents(tally, theatre, shown):
    listed = read_listed(theatre.top / "tests/docs/listed.txt")
    for document in DOCUMENTS:
        if document == "docs/protocol.md":
            theatre.up()
        if document == "docs/man/reeve.1":
            theatre.prepare_jobs()
        began, passed = time.monotonic(), tally.passed
        reader = Reader(tally, listed, theatre, document, stage.CLONE if document == "README.md" else stage.DESK)
        for example in shown[document]:
            reader.type(example)
        reader.leave()
        took = time.monotonic() - began
        print(f"{document}: {len(shown[document])} examples, {tally.passed - passed} passed, {took:.1f} s", flush=True)
    for document, title in listed:
        tally.note("tests/docs/listed.txt", f"{document}: {title}", "fits no example")


def printed_as_read(tally, top, shown):
    """What a manual shows on a terminal is what was run here."""
    for document in DOCUMENTS:
        if not document.startswith("docs/man/"):
            continue
        page = subprocess.check_output(["mandoc", "-Tutf8", document], cwd=top, text=True)
        page = " ".join(re.sub(".\b", "", page).split())
        missing = [line for example in shown[document] for line in example.text.splitlines()
                   if " ".join(line.split()) not in page]
        tally.note(document, "as a terminal shows it", f"is not there: {missing[0]}" if missing else None)


def every_document_is_read(tally, top):
    for path in sorted([*top.glob("*.md"), *(top / "docs").glob("**/*")]):
        name = str(path.relative_to(top))
        if path.is_dir() or name in DOCUMENTS or path.suffix not in (".md", ".1", ".5", ".8"):
            continue
        found = examples.read(top, name)
        tally.note(name, "has no examples", f"{found[0].where} is not run: add it to docs_test.py" if found else None)


def links_lead_somewhere(tally, top):
    for name in [document for document in DOCUMENTS if document.endswith(".md")] + ["docs/ARCHITECTURE.md"]:
        text = (top / name).read_text()
        for target in re.findall(r"\]\(([^)]*)\)", text):
            path, _, section = target.partition("#")
            page = (top / name).parent / path if path else top / name
            headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE) if section else []
            slugs = [re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings]
            there = page.exists() and (not section or section in slugs)
            tally.note(name, f"link to {target}", None if there else "leads nowhere")
        for path in re.findall(r"`((?:docs|tests|packaging)/[\w./-]+)`", text):
            tally.note(name, path, None if (top / path).exists() else "there is no such file")


def every_command_has_its_example(tally, theatre, shown):
    """`reeve help` knows the commands, `reeve help COMMAND` its example: the same as the manual's."""
    in_manual = {example.text for example in shown["docs/man/reeve.1"]}
    commands = re.findall(r"^  ([a-z]+) +\S", theatre.must("help").split("\n\n")[1], re.MULTILINE)
    for command in commands:
        example = re.search(r"^example: (.*)$", theatre.must("help", command), re.MULTILINE).group(1)
        tally.note("docs/man/reeve.1", example, None if example in in_manual else "is the example of reeve help only")


def cell_names(cell):
    """The names in a cell of a table of protocol.md, without what is said about them in brackets."""
    return re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", cell))


def present_policy():
    with stage.Peer(stage.SYSTEM / "reeve.sock") as peer:
        policy = peer.call("admin.policy", {})["result"]["policy"]
    return {**policy, "prices": [{key: price[key] for key in ("from", "per_hour", "per_gib")} for price in policy["prices"]]}


def every_method_answers_as_documented(tally, theatre):
    hello = {"node": "paper", "boot_id": "b", "instance": "i", "version": "0", "term_seen": 0, "attempts": [],
             "capacity": {"cpu": "1", "memory": "1Gi", "scratch": "1Gi"}}
    ended = {"attempt": {"job": 1, "task": 0, "epoch": 9}, "ended": True, "record": {"cause": "exit"}}
    calls = {
        "reeve.sock": {
            "job.submit": {"tenant": "acme/etl", "dry_run": True, "spec": {"command": ["/bin/true"]}},
            "job.list": {"finished": True}, "job.show": {"job": 1}, "job.why": {"job": 1}, "job.cancel": {"job": 1},
            "job.wait": {"job": 1, "timeout_ms": 1}, "log.read": {"job": 1}, "tenant.list": {}, "node.list": {},
            "system.status": {}, "system.metrics": {}, "admin.policy": {},
            "admin.apply": {"policy": present_policy(), "dry_run": True},
            "node.drain": {"node": "node-07", "drain": False}, "window.list": {},
            "window.set": {"nodes": ["node-07"], "from": "2099-01-01T00:00:00Z", "until": "2099-01-02T00:00:00Z"},
            "journal.archived": {"seq": 1}, "journal.head": {},
            "ledger.verify": {}},
        "report/report.sock": {"history.list": {"limit": 1}, "history.show": {"job": 1}, "report.status": {},
                               "ledger.check": {},
                               "ledger.rerate": {"from": "2026-01-01", "to": "2100-01-01"}},
        "agent/agent.sock": {"node.hello": hello, "node.beat": {"boot_us": 1, "attempts": []}, "attempt.state": ended},
    }
    text = (theatre.top / "docs/protocol.md").read_text()
    rows = {row[0]: cell_names(row[1]) for row in re.findall(r"^\| `(\w+\.\w+)` \|.*\|([^|]*)\|$", text, re.MULTILINE)}
    for path, methods in calls.items():
        with stage.Peer(stage.SYSTEM / path) as peer:
            for method, params in methods.items():
                answer = peer.call(method, params)
                extra = sorted(set(answer.get("result", {})) - set(rows.get(method, [])))
                wrong = "was refused" if "result" not in answer else f"not documented: {extra}" if extra else None
                tally.note("docs/protocol.md", method, wrong, json.dumps(answer))


def what_a_job_file_names_is_brought(tally, theatre, shown):
    """The job file with inputs and outputs, for once not a dry run."""
    example = next(e for e in shown["docs/man/reeve-job.5"] if e.kind == "yaml" and "inputs:" in e.text)
    (stage.DESK / "digest.yaml").write_text(example.text)
    job = json.loads(theatre.must("submit", "--json", "digest.yaml"))["job"]
    code, output = theatre.reeve("wait", str(job))
    came = {path.name: path.read_text() for path in (theatre.volumes / "results" / str(job)).glob("*")}
    wrong = None if came == {day: f"DAY {day}\n" for day in "123"} else f"exit code {code}, there is {came}"
    tally.note(example.where, example.title, wrong, output + theatre.reeve("show", str(job))[1])


def tables_are_as_documented(tally, top):
    text = (top / "docs/reports.md").read_text()
    books = sqlite3.connect(f"file:{stage.SYSTEM}/report/reeve.sqlite?mode=ro", uri=True)
    section = text.split("## The tables")[1]
    for names, columns in re.findall(r"^\| ((?:`\w+`,? ?)+) \|[^|]*\|([^|]*)\|$", section, re.MULTILINE):
        tables = re.findall(r"`(\w+)`", names)
        there = {row[1] for table in tables for row in books.execute(f"pragma table_info({table})")}
        wanted = re.findall(r"`([\w/]+)`", columns)
        wanted = [first + "_utc_us" if "/" in name else first for name in wanted
                  for first in name.removesuffix("_utc_us" if "/" in name else "").split("/")]
        missing = sorted(set(wanted) - there)
        wrong = f"there is no {missing}" if missing else None if there else "there is no such table"
        tally.note("docs/reports.md", f"table {names}", wrong)
    books.close()


def broken_examples_fail(tally, theatre):
    """A check that can't fail is none: each example of broken.md is wrong in another way."""
    for example in examples.read(theatre.top, "tests/docs/broken.md"):
        inner = Tally()
        inner.note = lambda where, what, wrong, output="": inner.failures.append(wrong) if wrong else None
        reader = Reader(inner, {}, theatre, "broken.md", stage.DESK)
        reader.type(example)
        reader.leave()
        tally.note(example.where, example.title, None if inner.failures else "is wrong, and was taken for right")


def check(tally, top, build):
    shown = {document: examples.read(top, document) for document in DOCUMENTS}
    every_document_is_read(tally, top)
    links_lead_somewhere(tally, top)
    printed_as_read(tally, top, shown)
    theatre = stage.Stage(top, build)
    for name, (document, kind) in FILES.items():
        text = next(example.text for example in shown[document] if example.kind == kind)
        (stage.DESK / name).write_text(text)
    every_command_has_its_example(tally, theatre, shown)
    try:
        read_documents(tally, theatre, shown)
        broken_examples_fail(tally, theatre)
        what_a_job_file_names_is_brought(tally, theatre, shown)
        tables_are_as_documented(tally, top)
        every_method_answers_as_documented(tally, theatre)
    finally:
        tally.note("tests/docs", "reeve down", theatre.down())
    left = stage.left_behind()
    tally.note("tests/docs", "nothing is left behind", f"there is {left}" if left else None)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # process 1 would not hear of it
    tally = Tally()
    check(tally, Path.cwd(), Path(sys.argv[1]).resolve())
    print(f"{tally.passed} passed, {len(tally.failures)} failed")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
