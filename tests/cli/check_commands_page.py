#!/usr/bin/env python3
"""Compares docs/commands.md with what --help says.

  check_commands_page.py PROGRAM PAGE [--update]

Every command has a heading "## NAME" in the page, followed by a code block with its help, to the
letter. Every help fits on a screen: 80 columns, 40 lines. --update writes the blocks anew.
"""
import re
import subprocess
import sys


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main():
    program, path = sys.argv[1], sys.argv[2]
    update = "--update" in sys.argv[3:]
    overview = output(program, "help")
    names = re.findall(r"^  ([a-z]+) +[A-Z]", overview, re.M)
    helps = {"tutti": overview} | {name: output(program, "help", name) for name in names}
    problems = []
    if len(names) < 5:
        problems.append("'tutti help' lists hardly any commands")
    for name, text in helps.items():
        lines = text.split("\n")
        problems += [f"{name}: wider than 80 columns: {line}" for line in lines if len(line) > 80]
        if len(lines) > 40:
            problems.append(f"{name}: {len(lines)} lines do not fit on a screen")
        for line in lines:
            described = re.match(r"^  (-\S.*|[A-Z]+) +(\S.*)$", line)
            if described and re.match(r"[A-Z][a-z]", described.group(2)):
                problems.append(f"{name}: a description begins with a capital: {line}")
        if name != "tutti" and output(program, name, "--help") != text:
            problems.append(f"{name}: --help and help differ")

    # Headings and texts in turns: before, "NAME", its section, "NAME", its section, ...
    parts = re.split(r"^## (.*)\n", open(path, encoding="utf-8").read(), flags=re.M)
    for i in range(1, len(parts), 2):
        name, section = parts[i], parts[i + 1]
        if name not in helps:
            problems.append(f"{path}: there is no command '{name}'")
            continue
        begin = section.find("```text\n")
        end = section.find("```\n", begin + 8)
        if begin < 0 or end < 0:
            problems.append(f"{path}: '## {name}' has no ```text block")
        elif section[begin + 8:end] != helps[name]:
            if update:
                parts[i + 1] = section[:begin + 8] + helps[name] + section[end:]
            else:
                problems.append(f"{path}: the help of '{name}' has changed (--update writes it)")
    problems += [f"{path} has no '## {name}'" for name in helps if name not in parts[1::2]]
    if update:
        page = parts[0] + "".join(f"## {name}\n{section}"
                                  for name, section in zip(parts[1::2], parts[2::2]))
        open(path, "w", encoding="utf-8").write(page)
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
