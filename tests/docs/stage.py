"""stage - a real system, brought to where the documents' examples are true as printed.

clone   what a newcomer has after `git clone` and `make`: README.md
desk    where everybody else sits: DIR and dir lead to a system of one node, node-07; beside them the files that the
        manuals show. When reeve(1) is read, 812 is an array of twenty tasks and 813 waits for a GPU.

/tmp is ours alone (tests/docs/run), control groups are not: a cell's are named by its folder, whose name is random.
"""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

BASE = Path(tempfile.mkdtemp(prefix="docs-"))
CLONE, DESK, SYSTEM = BASE / "clone", BASE / "desk", BASE / "system"
CELLS = [SYSTEM, CLONE / "build/up", DESK / "reeve"]  # each system with a node that comes to be here
JOB, LATE_JOB = 812, 813


class Stage:
    def __init__(self, top, build):
        self.top, self.build = top, build
        self.volumes = Path(tempfile.mkdtemp(prefix="docs-volumes-", dir=build))  # on a disk, which maps ids
        for folder in ("days", "results"):
            (self.volumes / folder).mkdir()
        self.volumes.chmod(0o755)
        path = f"{build}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.env = {"PATH": path, "HOME": str(DESK), "CURL_HOME": str(DESK), "LC_ALL": "C.UTF-8"}
        for folder in (CLONE, DESK):
            folder.mkdir()
        (DESK / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")  # an HTTP error is an exit code
        for name in ("DIR", "dir"):
            (DESK / name).symlink_to(SYSTEM)
        for entry in top.iterdir():
            if entry.name not in (".git", "build") and not entry.name.startswith("build-"):
                (CLONE / entry.name).symlink_to(entry)
        (CLONE / "build").mkdir()
        for entry in build.iterdir():
            if entry.is_file() or (top / entry.name).is_dir() or entry.name == "lib":
                (CLONE / "build" / entry.name).symlink_to(entry)

    def reeve(self, *words):
        """(exit code, output) of a reeve command in the system's name"""
        done = subprocess.run(["reeve", *words], cwd=DESK, env={**self.env, "REEVE_DIR": str(SYSTEM)}, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def must(self, *words):
        code, output = self.reeve(*words)
        if code != 0:
            raise RuntimeError(f"reeve {' '.join(words)}: {output}")
        return output

    def up(self):
        for day in "123":
            (self.volumes / "days" / day).write_text(f"day {day}\n")
        os.chown(self.volumes / "results", 4321, 4321)  # not root's: then jobs can't write there
        self.must("up", "--volume", f"days={self.volumes}/days:ro", "--volume", f"results={self.volumes}/results", "--dir", str(SYSTEM), "--name", "node-07", "--cpus", "4", "--memory", "8Gi",
                  "--generic", "gpu=2", "--http-port", "0", "--detach")
        self.must("admin", "apply", "tenants.yaml")
        until = time.monotonic() + 60
        while '"seen"' not in self.must("nodes", "--json") and time.monotonic() < until:  # a column of `reeve nodes`
            time.sleep(0.02)

    def down(self):
        """Stops every system that is still there; what went wrong, or None"""
        ends = [self.reeve("down", "--dir", str(folder)) for folder in CELLS if (folder / "up.lock").exists()]
        shutil.rmtree(self.volumes)
        return next((output for code, output in ends if code != 0), None)

    def prepare_jobs(self):
        """Numbers up to 811 are used up by jobs that never run: the node is drained meanwhile."""
        self.must("drain", "node-07")
        spec = {"command": ["/bin/true"]}
        with Peer(SYSTEM / "reeve.sock") as peer:
            last = 0
            while last < JOB - 2:
                last = peer.call("job.submit", {"tenant": "acme/etl", "spec": spec})["result"]["job"]
                peer.call("job.cancel", {"job": last})
        self.must("undrain", "node-07")
        hog = {"command": ["/bin/sleep", "600"], "resources": {"generic": {"gpu": 2}}}
        with Peer(SYSTEM / "reeve.sock") as peer:
            jobs = [peer.call("job.submit", {"tenant": "acme/ml", "spec": hog})["result"]["job"]]
        for options in (["--array", "1-20"], ["--array", "0-0", "--name", "train", "--gpu", "1"]):
            jobs.append(json.loads(self.must("submit", "--json", *options, "backfill.yaml"))["job"])
        if jobs != [JOB - 1, JOB, LATE_JOB]:
            raise RuntimeError(f"the stage has jobs {jobs}")

    def answers(self, folder, command, process, says_so):
        """Waits until `command` succeeds and says_so(); False when `process` ended before, or a minute passed."""
        until = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            done = subprocess.run(command, shell=True, cwd=folder, env=self.env, capture_output=True, check=False)
            if done.returncode == 0 and says_so():
                return True
            time.sleep(0.05)
        return False


class Peer:
    """One connection of docs/protocol.md."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rwb")
        self.id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def call(self, method, params):
        self.id += 1
        message = {"jsonrpc": "2.0", "id": self.id, "method": method, "params": params}
        self.file.write(json.dumps(message).encode() + b"\n")
        self.file.flush()
        for line in self.file:
            answer = json.loads(line)
            if answer.get("id") == self.id and "method" not in answer:
                return answer
        raise ConnectionError(f"{method}: the connection was cut")


def left_behind():
    """What is there besides ourselves: processes (this is pid 1 of its namespace), and control groups of our cells."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            status = Path("/proc", pid, "status").read_text()
        except OSError:
            continue
        if int(pid) != os.getpid() and "\nState:\tZ" not in status:
            found.append(f"process {pid}: {status.split()[1]}")
    names = {cell_name(str(folder)) for folder in CELLS}
    for path, folders, _ in os.walk("/sys/fs/cgroup"):
        found += [f"{path}/{folder}" for folder in folders if folder.removeprefix("reeve-") in names]
    return found


def cell_name(folder):
    value = 14695981039346656037  # as cli/up.c
    for byte in folder.encode():
        value = (value ^ byte) * 1099511628211 % 2**64
    return f"up-{(value ^ value >> 32) % 2**32:08x}"
