#!/usr/bin/env python3
"""What grammars of JSON schemas accept and write, judged by the `jsonschema` package.

    check_grammars.py PROGRAM [SUITE [SEED]]

PROGRAM is grammar_samples (beside this file). SUITE is a folder of JSON-Schema-Test-Suite, such as
.../tests/draft2020-12; without it the schemas below are checked. Every text that a grammar accepts
or that was written under its masks must be valid: the exit code is 1 where one is not.
Exit code 77 where the package is not there: CTest shows the check as skipped.
"""
import json
import pathlib
import subprocess
import sys

try:
    import jsonschema
except ImportError as error:
    print(f"SKIPPED: {error}; this check did not run (pip install jsonschema)", file=sys.stderr)
    sys.exit(77)

SCHEMAS = [
    {"type": "object", "properties": {"name": {"type": "string", "minLength": 2, "maxLength": 5},
                                      "age": {"type": "integer", "minimum": 0, "maximum": 150}},
     "required": ["name"], "additionalProperties": False},
    {"type": "object", "properties": {"ab": {"type": "integer"}, "a": {"type": "null"}},
     "additionalProperties": {"type": "boolean"}, "maxProperties": 4},
    {"type": "array", "items": {"enum": ["x", 1, None, [1], {"k": 2.5}]}, "minItems": 1,
     "maxItems": 4},
    {"prefixItems": [{"type": "string"}, {"type": "number"}], "items": False, "type": "array"},
    {"$defs": {"node": {"type": "object", "properties": {
        "value": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/node"},
                                                         {"type": "null"}]}},
        "required": ["value", "next"]}}, "$ref": "#/$defs/node"},
    {"type": "number", "minimum": -1.5, "exclusiveMaximum": 2.25},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    {"type": "integer", "exclusiveMinimum": -12, "maximum": 1234},
    {"type": "integer", "minimum": 17},
    {"type": "integer", "maximum": -5},
    {"type": "string", "pattern": "^[A-Z]{2}-\\d+$"},
    {"type": "string", "pattern": "a\"|\\\\b"},
    {"type": "string", "pattern": "^[a-z]+$", "minLength": 3, "maxLength": 6},
    {"oneOf": [{"type": "object", "properties": {"kind": {"const": "a"}, "n": {"type": "integer"}},
                "required": ["kind"]},
               {"type": "object", "properties": {"kind": {"const": "b"}, "s": {"type": "string"}},
                "required": ["kind", "s"]}]},
    {"allOf": [{"type": "object", "properties": {"a": {"minimum": 3}}, "required": ["a"]},
               {"properties": {"a": {"type": "integer", "maximum": 9}, "b": {"type": "boolean"}}}]},
    {"type": ["string", "null"], "maxLength": 3},
    {"minLength": 2, "maximum": 5, "maxItems": 1, "maxProperties": 1},
    {"type": "object", "patternProperties": {"^[a-z]{1,3}$": {"type": "integer"}},
     "additionalProperties": False, "minProperties": 1},
    {"type": "object", "properties": {"a": True, "b": True, "c": True}, "minProperties": 2,
     "maxProperties": 2},
    {"type": "object", "required": ["z"], "additionalProperties": {"type": "integer"}},
    {},
] + [{"type": "string", "format": name} for name in (
    "date", "time", "date-time", "duration", "uuid", "ipv4", "ipv6", "hostname", "email", "uri")]


JUDGES = {"draft6": jsonschema.Draft6Validator, "draft7": jsonschema.Draft7Validator,
          "draft2019-09": jsonschema.Draft201909Validator}


def ways_to_write(value):
    """The texts of a value that a grammar may accept."""
    yield json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    yield json.dumps(value, ensure_ascii=True, indent=2)
    yield json.dumps(value, ensure_ascii=False, sort_keys=True)


def main():
    program = sys.argv[1]
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    cases = []  # (name, schema, [(data, valid)])
    if len(sys.argv) > 2:
        for path in sorted(pathlib.Path(sys.argv[2]).rglob("*.json")):
            for group in json.loads(path.read_text()):
                tests = [(test["data"], test["valid"]) for test in group["tests"]]
                cases.append((f"{path.name}: {group['description']}", group["schema"], tests))
    else:
        cases = [(json.dumps(schema), schema, []) for schema in SCHEMAS]
    judge = JUDGES.get(pathlib.Path(sys.argv[2]).name if len(sys.argv) > 2 else "",
                       jsonschema.Draft202012Validator)
    requests = []
    for _, schema, tests in cases:
        texts = [text for data, _ in tests for text in ways_to_write(data)]
        requests.append(json.dumps({"schema": schema, "texts": texts, "samples": 40, "seed": seed}))
    run = subprocess.run([program], input="\n".join(requests) + "\n", text=True,
                         capture_output=True, check=True)
    counts = dict.fromkeys(("schemas", "compiled", "refused", "invalid texts", "false accepts",
                            "valid texts", "accepted", "written", "written wrong"), 0)
    bad = []
    for (name, schema, tests), line in zip(cases, run.stdout.rstrip("\n").split("\n"), strict=True):
        answer = json.loads(line)
        counts["schemas"] += 1
        if "error" in answer:
            counts["refused"] += 1
            if len(sys.argv) <= 2:
                bad.append(f"{name}: {answer['error']}")
            continue
        counts["compiled"] += 1
        matches = iter(answer["matches"])
        for data, valid in tests:
            accepted = any([next(matches) for _ in ways_to_write(data)])
            counts["valid texts" if valid else "invalid texts"] += 1
            if valid:
                counts["accepted"] += accepted
            elif accepted:
                counts["false accepts"] += 1
                bad.append(f"{name}: accepts {json.dumps(data)}")
        validator = judge(schema, format_checker=judge.FORMAT_CHECKER)
        for text in answer["samples"]:
            counts["written"] += 1
            try:
                errors = [e.message for e in validator.iter_errors(json.loads(text))]
            except json.JSONDecodeError as error:
                errors = [str(error)]
            except Exception as error:  # references that this validator does not follow
                errors = [] if "ref" in type(error).__name__.lower() else [repr(error)]
            if errors:
                counts["written wrong"] += 1
                bad.append(f"{name}: wrote {text}: {errors[0][:200]}")
    for line in bad:
        print(line)
    print(", ".join(f"{value} {key}" for key, value in counts.items()))
    return 1 if bad or counts["written"] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
