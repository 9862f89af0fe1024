#!/usr/bin/env python3
"""Writes src/tutti/text/jinja_unicode_tables.cc from Python's own Unicode data.

The chat templates follow Python's str methods, so Python is asked. Run with Python 3.12
(Unicode 15.0): make_jinja_unicode_tables.py > src/tutti/text/jinja_unicode_tables.cc
"""
import sys
import unicodedata

ALL = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
assert unicodedata.unidata_version == "15.0.0", unicodedata.unidata_version


def ranges(test):
    out = []
    for c in ALL:
        if test(chr(c)):
            if out and out[-1][1] == c - 1:
                out[-1][1] = c
            else:
                out.append([c, c])
    return out


def case_ignorable(ch):
    """Python has no method for it; a capital sigma tells, which looks past such characters."""
    return ("A" + ch + "\u03a3").lower().endswith("\u03c2") and (
        ch + "\u03a3").lower().endswith("\u03c3")


def print_table(kind, name, items):
    """A constant array, as many items in a line as fit."""
    print(f"const {kind} k{name}[] = {{")
    line = "   "
    for item in items:
        if len(line) + len(item) > 98:
            print(line)
            line = "   "
        line += item
    print(line)
    print("};")
    print(f"const size_t k{name}Count = sizeof(k{name}) / sizeof(k{name}[0]);\n")


def print_ranges(name, rows):
    print_table("CharRange", name, (f" {{0x{a:X}, 0x{b:X}}}," for a, b in rows))


def mappings(method):
    """Runs of one-to-one mappings {first, last, step, delta}, and the rest {char, up to three}."""
    runs, special = [], []
    for c in ALL:
        mapped = method(chr(c))
        if mapped == chr(c):
            continue
        if len(mapped) > 1:
            special.append((c, [ord(x) for x in mapped]))
            continue
        delta = ord(mapped) - c
        if runs and runs[-1][3] == delta:
            first, last, step, _ = runs[-1]
            gap = c - last
            if (first == last and gap <= 2) or gap == step:
                runs[-1] = [first, c, gap, delta]
                continue
        runs.append([c, c, 1, delta])
    return runs, special


def print_mappings(name, method):
    runs, special = mappings(method)
    print_table("CaseRun", f"{name}Runs", (
        f" {{0x{first:X}, 0x{last:X}, {step}, {delta}}}," for first, last, step, delta in runs))
    print(f"const CaseSpecial k{name}Special[] = {{")
    for c, to in special or [(0, [0])]:
        print(f"    {{0x{c:X}, {{{', '.join(f'0x{x:X}' for x in to)}}}, {len(to)}}},")
    print("};")
    print(f"const size_t k{name}SpecialCount = sizeof(k{name}Special) / sizeof(k{name}Special[0]);\n")


print("// Written by tools/make_jinja_unicode_tables.py from Unicode 15.0; do not edit.")
print('#include "tutti/text/jinja_unicode_tables.h"\n')
print("namespace tutti::text::jinja {\n")
print_ranges("Space", ranges(str.isspace))
print_ranges("Alpha", ranges(str.isalpha))
print_ranges("Decimal", ranges(str.isdecimal))
print_ranges("Digit", ranges(str.isdigit))
print_ranges("Numeric", ranges(str.isnumeric))
print_ranges("NotPrintable", ranges(lambda ch: not ch.isprintable()))
print_ranges("Upper", ranges(str.isupper))
print_ranges("Lower", ranges(str.islower))
print_ranges("Title", ranges(lambda ch: ch.istitle() and not ch.isupper()))
print_ranges("CaseIgnorable", ranges(case_ignorable))
print_mappings("ToUpper", str.upper)
print_mappings("ToLower", lambda ch: ch.lower())
print_mappings("ToTitle", str.title)
print_mappings("ToFolded", str.casefold)
print("}  // namespace tutti::text::jinja")
sys.stdout.flush()
