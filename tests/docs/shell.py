"""shell - a bash that a document's examples are typed into, one after another; variables and functions stay.

Each command must end with 0 within its time. Its standard output and standard error are read together, as on a terminal.
"""
import contextlib
import os
import select
import signal
import subprocess

SECONDS = 30


def end_group(process, sign):
    try:
        os.killpg(process.pid, sign)
    except ProcessLookupError:
        pass


class Shell:
    def __init__(self, folder, env):
        self.folder, self.env = folder, env
        self.start()

    def start(self):
        self.says, says = os.pipe()
        # 9: where the exit codes go; what runs in the background must not hold it.
        self.bash = subprocess.Popen(["bash", "--norc", "--noprofile"], cwd=self.folder, env=self.env, text=True,
                                     stdin=subprocess.PIPE, pass_fds=[says], start_new_session=True)
        self.bash.stdin.write(f"set -o pipefail; exec 9>&{says} {says}>&-\n")
        self.bash.stdin.flush()
        os.close(says)

    def run(self, text):
        """(exit code, or None when it took too long or ended the shell; what it printed)"""
        typed, printed = self.folder / ".typed", self.folder / ".printed"
        typed.write_text(text + "\n")
        self.bash.stdin.write(". ./.typed >.printed 2>&1 </dev/null 9>&-; echo $? >&9\n")
        self.bash.stdin.flush()
        code = os.read(self.says, 16) if select.select([self.says], [], [], SECONDS)[0] else b""
        output = printed.read_text(errors="replace") if printed.exists() else ""
        if not code.strip():
            self.close()
            self.start()
            return None, output
        return int(code), output

    def close(self):
        """Ends it and what it left in the background; a shell that waits for its child notices at the child's end."""
        end_group(self.bash, signal.SIGTERM)
        try:
            self.bash.wait(SECONDS)
        except subprocess.TimeoutExpired:
            end_group(self.bash, signal.SIGKILL)
            self.bash.wait()
        os.close(self.says)
        with contextlib.suppress(BrokenPipeError):
            self.bash.stdin.close()


class Stays:
    """A command that stays in the foreground until Ctrl-C."""

    def __init__(self, folder, env, text):
        self.printed = folder / f".stays-{abs(hash(text))}"
        with self.printed.open("w") as out:
            self.bash = subprocess.Popen(["bash", "-c", text], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                                         stdout=out, stderr=subprocess.STDOUT, start_new_session=True)

    def output(self):
        return self.printed.read_text(errors="replace")

    def interrupt(self):
        """Ctrl-C; True if it then ended by itself."""
        end_group(self.bash, signal.SIGINT)
        try:
            self.bash.wait(SECONDS)
            return True
        except subprocess.TimeoutExpired:
            end_group(self.bash, signal.SIGKILL)
            self.bash.wait()
            return False
