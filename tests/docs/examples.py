"""examples - the examples of a document, as printed.

A markdown block (```) without a language or with sh or console, and what a manual shows with .Dl or .Bd -literal, is
  a transcript   when a line begins with "$ ": commands, each with the output that the document promises
  a file         when it begins with "#!" (a script) or "key:" (a job or a policy), or its language is yaml or json
  commands       otherwise; lines that belong together ("while ... done", a trailing backslash) are one command
A block of any other language (text) is no example. Nothing here runs anything but `bash -n`.
"""
import re
import subprocess
from dataclasses import dataclass, field


@dataclass
class Example:
    path: str  # the document
    line: int
    kind: str  # command, script, yaml, json
    text: str
    output: str = ""  # what the document promises, for a command

    @property
    def where(self):
        return f"{self.path}:{self.line}"

    @property
    def title(self):
        """Its first line without a comment: how listed.txt names it."""
        return re.sub(r"\s{2,}#.*", "", self.text.splitlines()[0]).strip()


@dataclass
class Block:
    line: int
    language: str
    lines: list = field(default_factory=list)


def markdown_blocks(text):
    blocks, block = [], None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("```"):
            if block is not None:
                block.lines.append(line)
        elif block is None:
            block = Block(number + 1, line[3:].strip())
        else:
            blocks.append(block)
            block = None
    if block is not None:
        raise ValueError(f"line {block.line}: a block that doesn't end")
    return blocks


ROFF = {r"\e": "\\", r"\-": "-", r"\&": "", r"\(dq": '"', r"\(aq": "'"}


def roff_text(line):
    return re.sub(r"\\(\(..|.)", lambda m: ROFF[m.group(0)], line)  # KeyError: an escape nobody has thought about


def manual_blocks(text):
    blocks, block = [], None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(".Dl "):
            blocks.append(Block(number, "", [roff_text(line[4:])]))
        elif re.match(r"\.Bd .*-literal", line):
            block = Block(number + 1, "")
        elif line == ".Ed" and block is not None:
            blocks.append(block)
            block = None
        elif block is not None:
            block.lines.append(roff_text(line))
    return blocks


def is_whole(command):
    """Would a shell run this, or wait for more? (bash -n only warns about a here-document without its end.)"""
    shell = subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True, check=False)
    return shell.returncode == 0 and not shell.stderr and not command.rstrip("\n").endswith("\\")


def split_commands(path, block):
    examples, lines = [], []
    for number, line in enumerate(block.lines, block.line):
        if not lines and (not line.strip() or line.startswith("#")):
            continue
        lines.append(line)
        if is_whole("\n".join(lines)):
            examples.append(Example(path, number - len(lines) + 1, "command", "\n".join(lines)))
            lines = []
    if lines:
        raise ValueError(f"{path}:{block.line}: no shell can read this block")
    return examples


def split_transcript(path, block):
    examples, unfinished = [], False
    for number, line in enumerate(block.lines, block.line):
        if line.startswith("$ "):
            examples.append(Example(path, number, "command", line[2:]))
        elif not examples:
            raise ValueError(f"{path}:{number}: a transcript begins with a command")
        elif unfinished:
            examples[-1].text += "\n" + line
        else:
            examples[-1].output += line + "\n"
        unfinished = examples[-1].output == "" and not is_whole(examples[-1].text)
    return examples


def split_block(path, block):
    text = "\n".join(block.lines) + "\n"
    if block.language not in ("", "sh", "console", "yaml", "json"):
        return []
    if block.language in ("yaml", "json"):
        return [Example(path, block.line, block.language, text)]
    if any(line.startswith("$ ") for line in block.lines):
        return split_transcript(path, block)
    if text.startswith("#!"):
        return [Example(path, block.line, "script", text)]
    if re.match(r"[a-z_]+:( |$)", block.lines[0]):
        return [Example(path, block.line, "yaml", text)]
    return split_commands(path, block)


def read(top, path):
    text = (top / path).read_text()
    blocks = markdown_blocks(text) if path.endswith(".md") else manual_blocks(text)
    return [example for block in blocks for example in split_block(path, block)]
