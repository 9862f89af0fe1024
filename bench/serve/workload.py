"""What is asked: synthetic prompts of exact lengths, closed loops, and traces of real services.

Prompts are lists of token ids, drawn with a seed from the ids of an ordinary text, so that their
lengths are exact and two runs ask the same. A trace says when a request came, how long its prompt
and its answer were, and (Mooncake) the hashes of its 512-token blocks: equal hashes become equal
tokens, so prefixes are shared exactly as they were.
"""
import csv
import datetime
import json
import pathlib
import random
from dataclasses import dataclass

MOONCAKE_BLOCK = 512

TEXT = """It was the best of times, it was the worst of times, it was the age of wisdom, it was the
age of foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season
of Light, it was the season of Darkness, it was the spring of hope, it was the winter of despair."""


@dataclass
class Ask:
    at_s: float        # after the start; closed loops ignore it
    prompt: list       # token ids
    answer_tokens: int


class Words:
    """Makes token ids; `ids` are those that may occur."""

    def __init__(self, ids: list, seed: int):
        self.ids, self.seed = sorted(set(ids)), seed

    def draw(self, name, count: int) -> list:
        """`count` ids that depend on the seed and the name alone."""
        return random.Random(f"{self.seed}/{name}").choices(self.ids, k=count)


def closed_loop(words: Words, count: int, prompt: int, shared: int, answer: int) -> list:
    """`count` requests whose prompts begin with the same `shared` tokens."""
    common = words.draw(f"shared {shared}", shared)
    return [Ask(0, common + words.draw(f"own {shared} {i}", prompt - shared), answer)
            for i in range(count)]


def arrivals(words: Words, rate: float, seconds: float, prompt: int, answer: int) -> list:
    """Requests that come at random (Poisson), `rate` per second."""
    rng, at, asks = random.Random(f"{words.seed}/arrivals"), 0.0, []
    while (at := at + rng.expovariate(rate)) < seconds:
        asks.append(Ask(at, words.draw(f"arrival {len(asks)}", prompt), answer))
    return asks


def _mooncake(path: pathlib.Path, words: Words, shrink: float):
    block = max(1, round(MOONCAKE_BLOCK / shrink))
    with path.open() as lines:
        for line in lines:
            row = json.loads(line)
            length = max(1, round(row["input_length"] / shrink))
            prompt = []
            for name in row["hash_ids"]:
                if len(prompt) >= length:
                    break
                prompt += words.draw(f"block {name}", block)
            yield row["timestamp"] / 1000, prompt[:length], row["output_length"] / shrink


def _azure(path: pathlib.Path, words: Words, shrink: float):
    with path.open() as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            at = datetime.datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp()
            length = max(1, round(int(row["ContextTokens"]) / shrink))
            yield at, words.draw(f"azure {number}", length), int(row["GeneratedTokens"]) / shrink


def trace(path: str, words: Words, *, count: int, speed: float, shrink: float, longest: int) -> list:
    """The first `count` requests, `speed` times as fast, lengths divided by `shrink`; prompts are
    cut to `longest` tokens."""
    file = pathlib.Path(path)
    rows = (_mooncake if file.suffix == ".jsonl" else _azure)(file, words, shrink)
    asks, start = [], None
    for at, prompt, answer in rows:
        start = at if start is None else start
        asks.append(Ask((at - start) / speed, prompt[:longest], max(1, round(answer))))
        if len(asks) == count:
            break
    return asks
