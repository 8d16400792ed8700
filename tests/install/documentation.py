#!/usr/bin/env python3
"""documentation.py TANDEM APP_FOLDER: every verb and option that the program's --help names is in the
manual page and in the completions of bash, zsh and fish, and none of these has one that is not there."""
import os
import re
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

    def all_options(self):
        return self.options.union(*(verb.all_options() for verb in self.verbs.values()))

    def all_verbs(self):
        return set(self.verbs).union(*(verb.all_verbs() for verb in self.verbs.values()))


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


def bash_offers(folder, words):
    """What the completion offers after these words, the last of which has been begun."""
    script = """source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tandem; printf '%s\\n' "${COMPREPLY[@]}" """
    run = subprocess.run(["bash", "-c", script, "bash", os.path.join(folder, "completions/tandem.bash"), "tandem", *words],
                         text=True, capture_output=True, check=True)
    return set(run.stdout.split())


def zsh_part(text, verb):
    """The branch of a verb: the last one is that of `run`."""
    image, run = re.search(r"\$words\[1\] == image(.*?)\nelif (.*)", text, re.S).groups()
    return image if verb == "image" else run


def main():
    tandem, folder = sys.argv[1:]
    program = Command(tandem, [])
    manual = read(folder, "tandem.1").replace("\\-", "-")
    zsh, fish = read(folder, "completions/_tandem"), read(folder, "completions/tandem.fish")
    faults = []

    def compare(where, expected, found):
        faults.extend(f"{where}: {name} is missing" for name in sorted(expected - found))
        faults.extend(f"{where}: {name} is not an option or verb of the program" for name in sorted(found - expected))

    options_of = {verb: command.all_options() for verb, command in program.verbs.items()}
    dashed = r"(?<![\w-])(--?[a-z][\w-]*)"
    examples = manual.index(".SH EXAMPLES")
    compare("tandem.1", set().union(*options_of.values()), set(re.findall(dashed, manual[:examples])) - {"-"})
    for verb, command in program.verbs.items():
        expected = options_of[verb]
        compare(f"tandem.bash, {verb}", expected, bash_offers(folder, [verb, *list(command.verbs)[:1], "-"]) - {"--help"})
        compare(f"_tandem, {verb}", expected, set(re.findall(r"'[*]?(--?[a-z][\w-]*)\[", zsh_part(zsh, verb))))
        lines = re.findall(rf"^complete -c tandem -n \${verb} .*", fish, re.M)
        found = {f"--{name}" for line in lines for name in re.findall(r" -l (\S+)", line)}
        found |= {f"-{name}" for line in lines for name in re.findall(r" -s (\S+)", line)}
        compare(f"tandem.fish, {verb}", expected, found)
        compare(f"tandem.bash, verbs of {verb}", set(command.verbs), bash_offers(folder, [verb, ""]) if command.verbs else set())
        for name in command.verbs:
            if f"tandem {verb} {name}" not in manual:
                faults.append(f"tandem.1: 'tandem {verb} {name}' is missing")
            for shell, text in (("_tandem", zsh), ("tandem.fish", fish)):
                if not re.search(rf"[( ']{name}[) ']", text):
                    faults.append(f"{shell}: the verb '{verb} {name}' is missing")
    compare("tandem.bash", set(program.verbs) | program.options, bash_offers(folder, [""]) - {"--help"})
    for shell, text in (("_tandem", zsh), ("tandem.fish", fish)):
        faults.extend(f"{shell}: the verb '{verb}' is missing" for verb in program.verbs if not re.search(rf"[( ]{verb}[) ]", text))

    print("\n".join(faults) if faults else f"{len(program.all_options())} options and {len(program.all_verbs())} verbs agree")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
