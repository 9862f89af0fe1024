#!/usr/bin/env python3
"""Proves that includes obey the layers of docs/ARCHITECTURE.md.

Reads every #include below src/tutti/ and every tutti_library() call, compares them with the tables
here, and prints "file:line: base may not include kernels" for each violation. Exit code 1 then.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Who may include whom, besides base and the folder itself. "*": everything.
MAY_INCLUDE = {
    "base": "",
    "os": "",
    "spec": "",
    "tensor": "os spec",
    "comm": "os spec",
    "meter": "os spec",
    "text": "os spec",
    "plan": "spec",
    "kernels": "os spec tensor",
    "format": "os spec tensor",
    "memory": "os spec tensor",
    "store": "os spec meter",
    "model": "os spec tensor kernels memory comm",
    "engine": "os spec tensor kernels format comm memory model meter",
    "train": "os spec tensor kernels format text comm memory model meter",
    "scheduler": "os spec memory engine meter",
    "server": "os spec text scheduler meter store",
    "cluster": "os spec comm plan memory engine scheduler meter",
    "cli": "*",
    "": "spec",  # the public headers directly in tutti/
}
# Public headers (tutti/engine.h, ...) may be included from these folders only.
MAY_INCLUDE_PUBLIC = {"engine", "train", "scheduler", "server", "cluster", "cli", ""}

# Third-party headers behind a fence: pattern of the header -> pattern of the files that may.
FENCES = [
    (r"hwy/|immintrin\.h|arm_neon\.h|arm_sve\.h|riscv_vector\.h|cpuid\.h",
     r"tutti/kernels/|bench/micro/"),
    (r"boost/json|boost/multiprecision", r"tutti/(format|text|server|cli)/|tutti/base/json|tests/"),
    (r"boost/asio", r"tutti/server/http_server"),
    (r"boost/beast", r"tests/fuzz/"),  # as another opinion about requests
    (r"openssl/", r"tutti/server/(http_|keys)|tests/"),
    (r"mpi\.h", r"tutti/comm/mpi_"),
    (r"sqlite3\.h|libpq-fe\.h", r"tutti/store/"),
    (r"CLI/|histedit\.h|editline/|replxx", r"tutti/cli/"),
    (r"hwloc\.h|sys/mman\.h|sched\.h|linux/", r"tutti/os/|tutti/kernels/cpu_features|_test\.cc"),
    (r"gtest/|gmock/", r"_test\.(cc|h)$|tests/"),
    (r"benchmark/benchmark\.h", r"bench/"),
]

INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]')


def folder_of(path: str) -> str:
    """'tutti/kernels/moe.h' -> 'kernels'; 'tutti/engine.h' -> ''."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""


def layer_error(folder: str, target: str) -> str:
    """Why a file of `folder` may not include one of `target`; empty where it may."""
    if target in (folder, "base") or (target == "" and folder in MAY_INCLUDE_PUBLIC):
        return ""
    allowed = MAY_INCLUDE.get(folder)
    if allowed is None:
        return f"folder {folder} has no row in tools/check_layers.py"
    if allowed == "*" or target in allowed.split():
        return ""
    return f"{folder or 'a public header'} may not include {target or 'the public headers'}"


def check_file(path: pathlib.Path) -> list[str]:
    rel = path.relative_to(ROOT).as_posix().removeprefix("src/")
    errors = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        header = match.group(1)
        for pattern, allowed in FENCES:
            if re.match(pattern, header) and not re.search(allowed, rel):
                errors.append(f"{rel}:{number}: {header} belongs behind the fence {allowed}")
        if rel.startswith("tutti/") and header.startswith("tutti/"):
            error = layer_error(folder_of(rel), folder_of(header))
            if error:
                errors.append(f"{rel}:{number}: {error}")
    return errors


def check_cmake(path: pathlib.Path) -> list[str]:
    rel = path.relative_to(ROOT).as_posix()
    errors = []
    for match in re.finditer(r"tutti_library\(([^)]*)\)", path.read_text(encoding="utf-8")):
        arguments, key = {"NAME": [], "DEPS": [], "LIBS": []}, ""
        for word in match.group(1).split():
            if word in arguments:
                key = word
            elif key:
                arguments[key].append(word)
        name = "".join(arguments["NAME"])
        for dep in arguments["DEPS"]:
            error = layer_error(name, dep)
            if error:
                errors.append(f"{rel}: {error.replace('include', 'depend on')}")
    return errors


def main() -> int:
    sources = [p for top in ("src/tutti", "tests", "bench") for p in sorted((ROOT / top).rglob("*"))
               if p.suffix in (".h", ".cc")]
    errors = [e for p in sources for e in check_file(p)]
    errors += [e for p in sorted((ROOT / "src").rglob("CMakeLists.txt")) for e in check_cmake(p)]
    for error in errors:
        print(error)
    print(f"layers: {len(sources)} files, {len(errors)} violations")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
