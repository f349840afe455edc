"""Holds the help of every command against the options that its source takes, and against man pages and completion.

  options.py FRINGE TREE   TREE: the package, unpacked
"""
import gzip
import re
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "installer/lib"))
import commands  # noqa: E402


def table_in(source):
    """The names in a file's table for getopt_long; none when the command leaves its options to client_options.c."""
    if not source.exists():
        return set()
    found = re.search(r"static const struct option \w+\[\] = \{(.*?)\n\};", source.read_text(), re.S)
    return set(re.findall(r'\{"([a-z-]+)",', found[1])) if found else set()


def main():
    fringe, tree = sys.argv[1], Path(sys.argv[2])
    everything = commands.commands(fringe)
    pages = {name: gzip.open(tree / path, "rt").read().replace("\\-", "-") for name, path in
             (("fringe.1", "usr/share/man/man1/fringe.1.gz"), ("fringe-supernode.8", "usr/share/man/man8/fringe-supernode.8.gz"))}
    completion = (tree / "usr/share/bash-completion/completions/fringe").read_text()
    faults, shared = [], set()

    for command in everything:
        options = set(command.options())
        taken = {"--" + name for name in table_in(REPO / f"host/app/cmd_{command.name.replace('-', '_')}.c")}
        if taken and taken != options:
            faults.append(f"fringe {command.name}: takes, or says, one more than the other: {sorted(taken ^ options)}")
        if not taken:
            shared |= options
        page = pages["fringe-supernode.8" if command.name == "supernode" else "fringe.1"]
        row = re.search(rf"^ *\[{command.name}\]='(.*)'$", completion, re.M)
        completed = {word.split("=")[0] for word in row[1].split()} if row else set()
        for option in options:
            if option != "--help" and option not in page:
                faults.append(f"fringe {command.name} {option}: not on its man page")
            if option not in completed:
                faults.append(f"fringe {command.name} {option}: not completed")
        if f'.SS "fringe {command.name}"' not in pages["fringe.1"]:
            faults.append(f"fringe {command.name}: not on the man page")

    taken = {"--" + name for name in table_in(REPO / "host/app/client_options.c")}
    if taken != shared:
        faults.append(f"the commands that ask the host: {sorted(taken ^ shared)} is in the table or in a help, not in both")
    listed = set(re.findall(r'^    \{"([a-z-]+)", "', (REPO / "host/app/main.c").read_text(), re.M))
    if listed != {command.name for command in everything} or len(listed) < 10:
        faults.append("the table in main.c and `fringe --help` differ")
    print("\n".join(faults))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
