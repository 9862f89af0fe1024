#!/usr/bin/env python3
"""Style as a test: what a reviewer would otherwise have to say again and again.

Checks C++ files below src/tutti/, tests/ and bench/: length of files and functions, banned calls,
headers without an opening contract, sources that no CMake target builds, tests disabled by comment.
Existing exceptions stand in tools/tidy_ratchet.txt with a number that may only fall; an entry that
is no longer needed is an error too. `tidy.py --update` rewrites the ratchet where it falls.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RATCHET = ROOT / "tools" / "tidy_ratchet.txt"

FILE_LINES_MAX = 900      # no file is longer
FILE_LINES_MOST = 450     # nine of ten files are at most this long
FUNCTION_LINES_MAX = 70
LINE_COLUMNS_MAX = 100
# Tables that a script wrote or that a format defines.
TABLE_FILE = re.compile(r"_tables?(_\w+)?\.(cc|h)$")

# (pattern, files where it is allowed, what to do instead)
NOWHERE = r"^$"
BANNED = [
    (r"\babort\s*\(", NOWHERE, "return a Status, or TUTTI_CHECK for a bug"),
    (r"(?<![\w.>])(?:std::|::)?_?exit\s*\(", r"tutti/cli/\w*main\.cc", "return a Status"),
    (r"\bgetenv\s*\(", r"tutti/cli/|tests/|_test\.cc", "only cli/ reads the environment"),
    (r"(?<!\w)(?:std::)?printf\s*\(|std::cout|std::cerr", r"tutti/cli/|bench/|tests/|_test\.cc",
     "the library does not print"),
    (r"\bnew\s+[A-Za-z_:]+\s*[({\[<]", NOWHERE, "std::make_unique or a container"),
    (r"(?<!= )\bdelete\b\s*(\[\])?\s+[A-Za-z_]", NOWHERE, "let an owner delete it"),
    (r"std::regex", NOWHERE, "it overflows the stack on long input"),
    (r"\b(strcpy|sprintf|gets|atoi|strtok)\s*\(", NOWHERE, "it checks no size and no error"),
    (r"using namespace std\b", NOWHERE, "name what you use"),
    (r"std::rand\b|\brand\s*\(\)", NOWHERE, "tutti::Rng with a seed"),
]
DISABLED = [
    (r"^\s*//+\s*(TEST|TEST_P|TEST_F|TYPED_TEST)\s*\(", "a test disabled by comment"),
    (r"\bDISABLED_", "a disabled test"),
    (r"^\s*#\s*if\s+0\b", "code disabled by #if 0"),
]

LITERALS = re.compile(
    r'R"(?P<d>[^()\s\\]{0,16})\((?:.|\n)*?\)(?P=d)"|//[^\n]*|/\*(?:.|\n)*?\*/'
    r'|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'')
NOT_A_FUNCTION = re.compile(
    r"\b(if|for|while|switch|catch|do|namespace|class|struct|enum|return|else|extern)\b")
FUNCTION_HEAD = re.compile(r"\)\s*(const|noexcept|override|final|HWY_ATTR|&&?|->.*|:.*|\s)*$")


def strip_code(text: str) -> str:
    """The text with comments and literals blanked, line structure kept."""
    return LITERALS.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def functions(code: str):
    """Yields (first line, lines) of every brace block whose opening looks like a function's."""
    stack, head = [], ""
    for number, line in enumerate(code.split("\n"), 1):
        if line.lstrip().startswith("#"):
            continue
        for char in line + " ":
            if char == "{":
                is_function = bool(FUNCTION_HEAD.search(head)) and not NOT_A_FUNCTION.search(head)
                is_function = is_function and "=" not in head.split("(")[0] and "[" not in head
                stack.append((number, is_function))
                head = ""
            elif char == "}":
                if stack:
                    start, is_function = stack.pop()
                    if is_function:
                        yield start, number - start + 1
                head = ""
            elif char == ";":
                head = ""
            else:
                head += char


def check_file(path: pathlib.Path, found: dict, errors: list) -> int:
    rel = path.relative_to(ROOT).as_posix()
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    code = strip_code(text)
    if not TABLE_FILE.search(rel):
        if len(lines) > FILE_LINES_MAX:
            found[f"file-lines {rel}"] = len(lines)
        longest = max((n for _, n in functions(code)), default=0)
        if longest > FUNCTION_LINES_MAX:
            found[f"function-lines {rel}"] = longest
        for number, line in enumerate(lines, 1):
            if len(line) > LINE_COLUMNS_MAX and '"' not in line and "http" not in line:
                errors.append(f"{rel}:{number}: {len(line)} columns, at most {LINE_COLUMNS_MAX}")
    for number, line in enumerate(code.split("\n"), 1):
        for pattern, allowed, instead in BANNED:
            if re.search(pattern, line) and not re.search(allowed, rel):
                errors.append(f"{rel}:{number}: {line.strip()[:60]!r} is banned: {instead}")
    for number, line in enumerate(lines, 1):
        for pattern, what in DISABLED:
            if re.search(pattern, line):
                errors.append(f"{rel}:{number}: {what}")
    if path.suffix == ".h":
        if not lines[0].startswith("//"):
            errors.append(f"{rel}:1: a header opens with its contract: "
                          "what, shapes, ownership, threads, errors")
        # Highway includes "-inl.h" once per instruction set, on purpose.
        if "#pragma once" not in text and not rel.endswith("-inl.h"):
            errors.append(f"{rel}:1: no #pragma once")
    return len(lines)


def check_cmake(errors: list) -> None:
    """Folders of src/tutti/ glob their sources; elsewhere a CMakeLists.txt must name them."""
    for path in sorted((ROOT / "src").rglob("*.cc")):
        cmake = path.parent / "CMakeLists.txt"
        if not cmake.exists() or "tutti_library" not in cmake.read_text():
            errors.append(f"{path.relative_to(ROOT)}: in no CMake target")
    for top in ("tests", "bench"):
        for path in sorted((ROOT / top).rglob("*.cc")):
            cmake = [p / "CMakeLists.txt" for p in path.parents if ROOT in (p / "x").parents]
            texts = "\n".join(p.read_text() for p in cmake if p.exists())
            if path.stem not in texts and "*.cc" not in texts:
                errors.append(f"{path.relative_to(ROOT)}: in no CMake target")


def read_ratchet() -> dict:
    if not RATCHET.exists():
        return {}
    lines = [l for l in RATCHET.read_text().splitlines() if l and not l.startswith("#")]
    return {key: int(number) for key, number in (l.rsplit(" ", 1) for l in lines)}


def compare_with_ratchet(found: dict, errors: list) -> None:
    ratchet = read_ratchet()
    if "--update" in sys.argv:
        ratchet = {k: min(v, ratchet.get(k, v)) for k, v in found.items()}
        RATCHET.write_text("# Exceptions of tools/tidy.py; the numbers may only fall.\n"
                           + "".join(f"{k} {v}\n" for k, v in sorted(ratchet.items())))
    for key, value in sorted(found.items()):
        limit = FILE_LINES_MAX if key.startswith("file") else FUNCTION_LINES_MAX
        if value > ratchet.get(key, limit):
            errors.append(f"{key}: {value}, at most {ratchet.get(key, limit)}")
    for key, value in sorted(ratchet.items()):
        if found.get(key, 0) < value:
            errors.append(f"tools/tidy_ratchet.txt: {key} is better than {value} now: "
                          "run tools/tidy.py --update")


def main() -> int:
    found, errors, sizes = {}, [], []
    for top in ("src/tutti", "tests", "bench"):
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".h", ".cc"):
                size = check_file(path, found, errors)
                if not TABLE_FILE.search(path.name):
                    sizes.append(size)
    check_cmake(errors)
    compare_with_ratchet(found, errors)
    sizes.sort()
    if sizes and sizes[len(sizes) * 9 // 10] > FILE_LINES_MOST:
        errors.append(f"nine of ten files should have at most {FILE_LINES_MOST} lines; "
                      f"the 90th percentile is {sizes[len(sizes) * 9 // 10]}")
    for error in errors:
        print(error)
    print(f"tidy: {len(sizes)} files, {sum(sizes)} lines, {len(errors)} findings")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
