#!/usr/bin/env python3
"""Tutti and other programs on the same files and tests, in turns, beside the limits of the machine.

  bench/compare.py --peer "llama.cpp=llama-bench" --tests pp512,tg64,tg32x16 model.gguf...

A peer is the command of a llama-bench; tests with several sequences (xS) run the llama-batched-bench
that lies beside it. The table's numbers are medians over the turns; the limits are those that
`tutti bench` measured in between. docs/benchmarks.md says what the columns mean.
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import xml.sax.saxutils

TEST = re.compile(r"(pp|tg)(\d+)(?:x(\d+))?(?:@(\d+))?$")


class CompareError(Exception):
    """Something outside of this program is wrong: printed as one line."""


def run(command: list[str], timeout_s: int) -> str:
    """The command's stdout."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompareError(f"{shlex.join(command)}: {error}") from error
    if done.returncode != 0:
        tail = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise CompareError(f"{shlex.join(command)}: exit code {done.returncode}\n{tail}")
    return done.stdout


def json_lines(text: str) -> list[dict]:
    """The JSON objects among the lines of a program that also talks."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


class Tutti:
    name = "Tutti"

    def __init__(self, command: str, threads: int):
        self.command = shlex.split(command)
        self.threads = threads

    def command_line(self, file: str, test: str) -> list[str]:
        return [*self.command, "bench", file, "--tests", test, "--repetitions", "1", "--threads",
                str(self.threads), "--json"]

    def parse(self, _test: str, output: str) -> dict:
        answer = json.loads(output)
        return {**answer["results"][0], "machine": answer["machine"]}


class Peer:
    def __init__(self, description: str, file_template: str, threads: int):
        name, equals, command = description.partition("=")
        if not equals or " " in name or "/" in name:
            name, command = "llama-bench", description
        self.name = name
        self.command = shlex.split(command)
        self.file_template = file_template
        self.threads = threads

    def command_line(self, file: str, test: str) -> list[str]:
        kind, tokens, sequences, depth = TEST.match(test).groups()
        path = self.file_template.format(path=file, name=pathlib.Path(file).name)
        common = ["-m", path, "-t", str(self.threads)]
        if sequences is None:
            counts = ["-p", tokens, "-n", "0"] if kind == "pp" else ["-p", "0", "-n", tokens]
            past = [] if depth is None else ["-d", depth]  # which some do not know
            return [*self.command, *common, *counts, *past, "-r", "1", "-o", "json"]
        batched = [re.sub(r"llama-bench(?=[^/]*$)", "llama-batched-bench", word) for word in self.command]
        # A sequence begins with one token at least.
        prompt, generated = (tokens, "1") if kind == "pp" else (depth or "1", tokens)
        context = int(sequences) * (int(prompt) + int(generated) + 1)
        return [*batched, *common, "-c", str(context), "-npp", prompt, "-ntg",
                generated, "-npl", sequences, "--output-format", "jsonl"]

    def parse(self, test: str, output: str) -> dict:
        bench = re.search(r"^\[$.*?^\]$", output, re.MULTILINE | re.DOTALL)
        speed = "avg_ts" if bench else "speed_pp" if test.startswith("pp") else "speed_tg"
        try:
            results = json.loads(bench[0]) if bench else json_lines(output)
            if len(results) == 1:
                return {"tokens_per_s": results[0][speed]}
        except (ValueError, KeyError):
            pass
        raise CompareError(f"{self.name}: not one result with '{speed}' for {test}:\n{output}")


class Busy:
    """A process that keeps one core busy while it is there."""

    def __init__(self, core: int | None):
        self.core = core

    def __enter__(self):
        self.process = None
        if self.core is not None:
            loop = f"import os; os.sched_setaffinity(0, {{{self.core}}})\nwhile True: pass"
            self.process = subprocess.Popen([sys.executable, "-c", loop])

    def __exit__(self, *_):
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def measure(file: str, test: str, programs: list, options: argparse.Namespace) -> list[dict]:
    """All programs in turns on one test of one file: a row, and one more with a busy core if wanted."""
    cores = [None] if options.busy_core is None else [None, options.busy_core]
    turns = {core: {program.name: [] for program in programs} for core in cores}
    for _ in range(options.turns):
        for core in cores:
            for program in programs:
                line = [*shlex.split(options.before), *program.command_line(file, test)]
                with Busy(core):
                    output = run(line, options.timeout)
                turns[core][program.name].append(program.parse(test, output))
    # The limits are those of the undisturbed machine.
    tutti = turns[None][Tutti.name]
    if any(turn["limit_tokens_per_s"] is None for turn in tutti):
        raise CompareError("the machine's read limit is not known: too little memory is free to measure it")
    limit = statistics.median(turn["limit_tokens_per_s"] for turn in tutti)
    rows = []
    for core in cores:
        row = {
            "file": file,
            "test": test,
            "busy_core": core,
            "limit_tokens_per_s": limit,
            "bound_by": tutti[0]["bound_by"],
            "limits": {key: statistics.median(turn["limits"][key] for turn in tutti)
                       for key in tutti[0]["limits"]},
            "machine": tutti[0]["machine"],
            "programs": {},
            "commands": {program.name: shlex.join(program.command_line(file, test)) for program in programs},
        }
        for name, of in turns[core].items():
            values = [turn["tokens_per_s"] for turn in of]
            speed = statistics.median(values)
            row["programs"][name] = {"tokens_per_s": speed, "of_limit": speed / limit, "turns": values}
            if core is not None:
                row["programs"][name]["kept"] = speed / rows[0]["programs"][name]["tokens_per_s"]
        best = max((row["programs"][p.name]["tokens_per_s"] for p in programs if p.name != Tutti.name),
                   default=None)
        if best is not None:
            row["tutti_to_best_peer"] = row["programs"][Tutti.name]["tokens_per_s"] / best
        rows.append(row)
    return rows


def label(row: dict) -> str:
    return row["test"] + ("" if row["busy_core"] is None else f", core {row['busy_core']} busy")


def number(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def markdown(rows: list[dict], names: list[str], options: argparse.Namespace) -> str:
    peers = [name for name in names if name != Tutti.name]
    machine = rows[0]["machine"]
    limits = {key: statistics.median(row["limits"][key] for row in rows) for key in rows[0]["limits"]}
    lines = [
        f"{machine['processor'] or 'processor'}, {machine['threads']} threads; limits of this run: read "
        f"{limits['read_gb_s']:.1f} GB/s, int8 {limits['int8_gops']:.0f} Gop/s, bf16 "
        f"{limits['bf16_gflops']:.0f}, float32 {limits['f32_gflops']:.0f} Gflop/s. Tokens per second, "
        f"medians of {options.turns} turns.",
        "",
    ]
    head = ["file", "test", *names, "limit", "bound by", "Tutti / limit"]
    if peers:
        head += ["best peer / limit", "Tutti / best peer"]
    lines += ["| " + " | ".join(head) + " |",
              "|" + "|".join(["---", "---"] + ["---:"] * (len(names) + 1) + ["---"]
                             + ["---:"] * (len(head) - len(names) - 4)) + "|"]
    for row in rows:
        programs = row["programs"]
        cells = [pathlib.Path(row["file"]).stem, label(row),
                 *[number(programs[name]["tokens_per_s"])
                   + (f" ({100 * programs[name]['kept']:.0f} % kept)" if "kept" in programs[name] else "")
                   for name in names],
                 number(row["limit_tokens_per_s"]), row["bound_by"],
                 f"{100 * programs[Tutti.name]['of_limit']:.0f} %"]
        if peers:
            best = max(programs[name]["of_limit"] for name in peers)
            cells += [f"{100 * best:.0f} %", f"{row['tutti_to_best_peer']:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


COLOURS = ["#0b6e4f", "#9aa5b1", "#c7b198", "#7d8fb3", "#b39bc8"]
BAR, GAP, LEFT, PLOT, RIGHT, TOP = 15, 16, 250, 460, 150, 58


def svg(rows: list[dict], names: list[str], title: str) -> str:
    """Bars of tokens per second as shares of the limit, one group per row of the table."""
    top = max(1.0, max(p["of_limit"] for row in rows for p in row["programs"].values()))
    group = BAR * len(names) + GAP
    height = TOP + group * len(rows) + 34
    out = []

    def x(share):
        return LEFT + PLOT * share / top

    def text(px, py, content, anchor="start", style=""):
        out.append(f'<text x="{px:.1f}" y="{py:.1f}" text-anchor="{anchor}" {style}>'
                   f"{xml.sax.saxutils.escape(content)}</text>")

    bottom = TOP + group * len(rows)
    text(16, 24, title, style='font-size="15" font-weight="bold"')
    px = 16
    for name, colour in zip(names, COLOURS):
        out.append(f'<rect x="{px}" y="36" width="10" height="10" fill="{colour}"/>')
        text(px + 15, 45, name)
        px += 32 + 7 * len(name)
    for tick in range(0, int(top * 100) + 1, 25):
        out.append(f'<line x1="{x(tick / 100):.1f}" y1="{TOP - 4}" x2="{x(tick / 100):.1f}" y2="{bottom}" '
                   f'stroke="{"#444" if tick == 100 else "#ddd"}"/>')
        text(x(tick / 100), bottom + 16, f"{tick} %" + (" of the limit" if tick == 100 else ""), "middle")
    for i, row in enumerate(rows):
        y = TOP + i * group + GAP / 2
        middle = y + BAR * len(names) / 2
        text(LEFT - 12, middle - 2, label(row), "end", 'font-weight="bold"')
        text(LEFT - 12, middle + 12, f"{pathlib.Path(row['file']).stem}, {row['bound_by']}", "end", 'fill="#666"')
        for j, (name, colour) in enumerate(zip(names, COLOURS)):
            program = row["programs"][name]
            bar_y = y + j * BAR
            out.append(f'<rect x="{LEFT}" y="{bar_y:.1f}" width="{x(program["of_limit"]) - LEFT:.1f}" '
                       f'height="{BAR - 2}" fill="{colour}"/>')
            value = f"{number(program['tokens_per_s'])} tok/s, {100 * program['of_limit']:.0f} %"
            for style in ('stroke="white" stroke-width="3"', ""):  # the lines behind stop at the words
                text(x(program["of_limit"]) + 5, bar_y + BAR - 4, value, style=style)
    width = LEFT + PLOT + RIGHT
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="Helvetica, Arial, sans-serif" font-size="11">\n'
            f'<rect width="{width}" height="{height}" fill="white"/>\n' + "\n".join(out) + "\n</svg>\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a GGUF that all programs can read")
    parser.add_argument("--tutti", default="build/release/bin/tutti", metavar="COMMAND")
    parser.add_argument("--peer", action="append", default=[], metavar="[NAME=]COMMAND",
                        help="a llama-bench; may be given again")
    parser.add_argument("--peer-file", default="{path}", metavar="TEMPLATE",
                        help="where peers find a file: {path} as given, {name} its last part")
    parser.add_argument("--tests", default="pp512,tg64", metavar="LIST", help="as for tutti bench")
    parser.add_argument("--turns", type=int, default=3, metavar="N", help="of which the median counts")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--busy-core", type=int, metavar="CORE",
                        help="also while a foreign process keeps this core busy")
    parser.add_argument("--before", default="", metavar="COMMAND",
                        help="put before every single run, for example 'taskset -c 0,1'")
    parser.add_argument("--timeout", type=int, default=1800, metavar="SECONDS", help="of a single run")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE", help="also printed")
    parser.add_argument("--plot", type=pathlib.Path, metavar="FILE.svg")
    parser.add_argument("--title", default="Share of the machine's limit", help="of the plot")
    options = parser.parse_args()
    options.tests = options.tests.split(",")
    for test in options.tests:
        if not TEST.match(test):
            parser.error(f"--tests: '{test}' is not a test; write for example pp512, tg64@8192 or tg32x16")
    if options.turns < 1 or options.threads < 1:
        parser.error("--turns and --threads are at least 1")
    if options.busy_core is not None and options.busy_core not in os.sched_getaffinity(0):
        parser.error(f"--busy-core {options.busy_core}: this process may use {sorted(os.sched_getaffinity(0))}")
    return options


def main() -> int:
    options = parse_arguments()
    programs = [Tutti(options.tutti, options.threads)]
    programs += [Peer(peer, options.peer_file, options.threads) for peer in options.peer]
    names = [program.name for program in programs]
    if len(set(names)) != len(names):
        sys.exit(f"compare.py: names of programs must differ: {', '.join(names)}")
    rows = []
    try:
        for file in options.files:
            for test in options.tests:
                for row in measure(file, test, programs, options):
                    rows.append(row)
                    shown = ", ".join(f"{name} {number(p['tokens_per_s'])}" for name, p in row["programs"].items())
                    print(f"{pathlib.Path(file).stem} {label(row)}: {shown}", file=sys.stderr, flush=True)
    except CompareError as error:
        sys.exit(f"compare.py: {error}")
    table = markdown(rows, names, options)
    print(table, end="")
    if options.markdown:
        options.markdown.write_text(table)
    if options.json:
        options.json.write_text(json.dumps({"turns": options.turns, "rows": rows},
                                           indent=1) + "\n")
    if options.plot:
        options.plot.write_text(svg(rows, names, options.title))
    return 0


if __name__ == "__main__":
    sys.exit(main())
