"""What `fringe` says of itself, taken apart: man pages and completion are made of it, so that they cannot say anything else."""
import re
import subprocess
from dataclasses import dataclass, field


@dataclass
class Command:
    name: str
    what: str
    usages: list = field(default_factory=list)  # "fringe keygen --out PREFIX"
    # In the order of the help: ("term", name, text), ("text", line), ("verbatim", line) or ("gap",).
    parts: list = field(default_factory=list)

    def options(self):
        """{"--out": "PREFIX"}; the value is "" for those that take none."""
        found = {"--help": ""}
        shown = self.usages + [part[1] for part in self.parts if part[0] == "term"]
        for text in shown:
            for name, value in re.findall(r"(--[a-z][a-z-]*)(?: ('[^']*'|[A-Za-z/.][^\s\]]*))?", text):
                found[name] = value.strip("'") or found.get(name, "")
        return found

    def choices(self):
        """The words that may stand behind the command's name: {"off", "fetch", ...}."""
        words = set()
        for usage in self.usages:
            for word in re.sub(r"\[.*?\]|--\S+ \S+", " ", usage).split()[2:]:
                if "|" in word and word.islower():
                    words.update(word.split("|"))
        return words


def say(fringe, *args):
    done = subprocess.run([fringe, *args], capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\n").split("\n")


def take_usage(command, lines):
    """The lines behind the usage."""
    for number, line in enumerate(lines):
        text = line.removeprefix("usage:").strip()
        if line.startswith("usage:") or (line.startswith("       ") and text.startswith("fringe ")):
            command.usages.append(text)
        elif line.startswith("          ") and text.startswith(("[", "--")):
            command.usages[-1] += " " + text
        else:
            return lines[number:]
    return []


def take_parts(command, lines):
    for line in lines:
        term = re.match(r"  (\S+(?: \S+)*)  +(\S.*)", line)
        if not line:
            command.parts.append(("gap",))
        elif term:
            command.parts.append(("term", term[1], term[2]))
        elif line.startswith("      ") and command.parts and command.parts[-1][0] == "term":
            command.parts[-1] = (*command.parts[-1][:2], command.parts[-1][2] + " " + line.strip())
        elif line.startswith("    "):
            command.parts.append(("verbatim", line.strip()))
        else:
            command.parts.append(("text", line.strip()))


def commands(fringe):
    found = []
    for line in say(fringe, "--help"):
        row = re.match(r"  (\S+)\s+(\S.*)", line)
        if row:
            command = Command(row[1], row[2])
            take_parts(command, take_usage(command, say(fringe, command.name, "--help")))
            found.append(command)
    return found
