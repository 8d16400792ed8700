#!/usr/bin/env python3
"""documentation.py TANDEM APP_FOLDER: every verb and option that the program's --help names is in the
manual page, and the manual names no other; bash, zsh and fish offer just these."""
import os
import re
import shutil
import subprocess
import sys


class Command:
    """A verb, what --help says of it, and its own verbs."""

    def __init__(self, tandem, words):
        self.words = words
        text = subprocess.run([tandem, *words, "--help"], text=True, capture_output=True, check=True).stdout
        body = re.split(r"^(\w+):\n", text, flags=re.M)
        sections = dict(zip(body[1::2], body[2::2]))
        names = re.findall(r"^  (-\S+)", sections.get("Options", ""), re.M)
        self.options = {name for group in names for name in group.split(",")} - {"-h", "--help"}
        verbs = re.findall(r"^  (\S+)", sections.get("Subcommands", ""), re.M)
        self.verbs = {verb: Command(tandem, [*words, verb]) for verb in verbs}

    def all_commands(self):
        return [self, *(each for verb in self.verbs.values() for each in verb.all_commands())]


# Each prints what the completion offers after the words of the command line, the last one being begun.
BASH = """source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tandem; printf '%s\\n' "${COMPREPLY[@]}" """
ZSH = """_describe() { print -rl -- ${(P)3} }; _files() { print :files }
source_file=$1; shift; words=("$@"); CURRENT=$#; completion() { source $source_file }; completion"""
FISH = """source $argv[1]; complete -C (string join ' ' -- tandem $argv[3..])"""


def offers(shell, folder, tandem, words):
    script, name = {"bash": (BASH, "tandem.bash"), "zsh": (ZSH, "_tandem"), "fish": (FISH, "tandem.fish")}[shell]
    arguments = {"bash": ["bash"], "zsh": ["zsh"], "fish": []}[shell]
    path = os.path.dirname(tandem) + os.pathsep + os.environ["PATH"]
    run = subprocess.run([shell, "-c", script, *arguments, os.path.join(folder, "completions", name), tandem, *words],
                         text=True, capture_output=True, check=True, env={**os.environ, "PATH": path})
    return {re.split(r"[\t:]", line)[0] for line in run.stdout.split("\n")} - {"", "-h", "--help"}


def main():
    tandem, folder = sys.argv[1:]
    program = Command(tandem, [])
    with open(os.path.join(folder, "tandem.1"), encoding="utf-8") as file:
        manual = file.read().replace("\\-", "-")
    commands = program.all_commands()
    faults = []

    def compare(where, expected, found):
        faults.extend(f"{where}: {name} is missing" for name in sorted(expected - found))
        faults.extend(f"{where}: {name} is not an option or verb of the program" for name in sorted(found - expected))

    # Without commands of the guest and of ssh, and without examples, which are other programs' too.
    text = re.sub(r'"(mount|ssh) .*?"', "", manual[:manual.index(".SH EXAMPLES")])
    described = set(re.findall(r"(?<![\w-])(--?[a-zA-Z][\w-]*)", text))
    compare("tandem.1", set().union(*(command.options for command in commands)), described | program.options)
    for command in commands[1:]:
        if " ".join(["tandem", *command.words[:2]]) not in manual or command.words[-1] not in manual:
            faults.append(f"tandem.1: 'tandem {' '.join(command.words)}' is missing")
    for shell in ("bash", "zsh", "fish"):
        if shutil.which(shell) is None:
            continue
        for command in commands:
            where = " ".join([f"{shell}, after tandem", *command.words])
            compare(where, command.options, offers(shell, folder, tandem, [*command.words, "-"]))
            if command.verbs:
                compare(where, set(command.verbs), offers(shell, folder, tandem, [*command.words, ""]))
    print("\n".join(faults) if faults else f"{len(commands)} verbs and their options agree")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
