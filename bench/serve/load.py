#!/usr/bin/env python3
"""Makes load on a running server of this machine and says how it bears it.

  load.py                                    closed loops of 1, 4, 16 and 64 users
  load.py --shared 96                        the same, prompts beginning with the same 96 tokens
  load.py --compare-shared 96 --plot x.svg   both, and a picture
  load.py --rate 40 --seconds 20             arrivals at random, whatever the server does
  load.py --trace conversation_trace.jsonl --speed 60 --shrink 32

A closed loop: each user asks again as soon as the answer is complete. Figures: tokens generated per
second, requests per second, time to the first token, time per further token (median and 95th
percentile), share of prompts found in the prefix cache, errors by status. Bounded by --requests and
--seconds. Needs nothing but Python.
"""
import argparse
import asyncio
import collections
import json
import sys
import time

from client import Connection, Refused, loopback_address
from plot import write_plot
from workload import TEXT, Words, arrivals, closed_loop, trace


class Run:
    """Requests that are asked and what became of them."""

    def __init__(self, arguments, model: str):
        self.arguments, self.model = arguments, model
        self.records, self.errors = [], collections.Counter()

    async def ask(self, connection: Connection, ask, late_s: float = 0) -> None:
        """One request; `late_s` is how long it had waited for a connection of ours."""
        body = {"model": self.model, "prompt": ask.prompt, "max_tokens": ask.answer_tokens,
                "temperature": 0, "ignore_eos": True, "stream": True,
                "stream_options": {"include_usage": True}}
        begin, first, last, usage = time.perf_counter() - late_s, None, None, {}
        try:
            async for now, event in connection.stream("/v1/completions", body):
                if event.get("error"):
                    raise Refused(200, {}, json.dumps(event).encode())
                if any(choice.get("text") for choice in event["choices"]):
                    first, last = first or now, now
                usage = event.get("usage") or usage
        except Refused as refused:
            self.errors[str(refused.code or refused.status)] += 1
            if refused.status == 200:
                connection.close()
            return
        except (ConnectionError, asyncio.IncompleteReadError, OSError) as error:
            self.errors[type(error).__name__] += 1
            connection.close()
            return
        done = time.perf_counter()
        self.records.append({
            "begin": begin, "done": done, "first_s": (first or done) - begin,
            "between_s": (last - first) / (usage["completion_tokens"] - 1)
                         if first and usage.get("completion_tokens", 0) > 1 else None,
            "prompt": usage.get("prompt_tokens", 0), "generated": usage.get("completion_tokens", 0),
            "cached": (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)})

    async def users(self, address, count: int, asks: list, seconds: float) -> float:
        """A closed loop; returns its seconds."""
        queue, begin = collections.deque(asks), time.perf_counter()

        async def user():
            connection = Connection(address, self.arguments.key)
            while queue and time.perf_counter() - begin < seconds:
                await self.ask(connection, queue.popleft())
            connection.close()

        await asyncio.gather(*(user() for _ in range(count)))
        return time.perf_counter() - begin

    async def open_loop(self, address, asks: list, seconds: float) -> float:
        """Requests at their times; returns the seconds until the last answer."""
        idle, begin = [], time.perf_counter()

        async def one(ask):
            connection = idle.pop() if idle else Connection(address, self.arguments.key)
            late_s = time.perf_counter() - begin - ask.at_s
            await self.ask(connection, ask, late_s)
            idle.append(connection)

        tasks = []
        for ask in asks:
            if ask.at_s > seconds:
                break
            await asyncio.sleep(max(0, begin + ask.at_s - time.perf_counter()))
            tasks.append(asyncio.create_task(one(ask)))
        await asyncio.gather(*tasks)
        for connection in idle:
            connection.close()
        return time.perf_counter() - begin


def percentile(values: list, part: float):
    values = sorted(v for v in values if v is not None)
    return values[min(len(values) - 1, int(part * len(values)))] if values else None


def summary(name: str, run: Run, seconds: float, **more) -> dict:
    r = run.records
    prompt = sum(x["prompt"] for x in r)
    return {"name": name, **more, "seconds": seconds, "requests": len(r), "errors": dict(run.errors),
            "requests_per_s": len(r) / seconds, "generated_per_s": sum(x["generated"] for x in r) / seconds,
            "prompt_per_s": prompt / seconds,
            "cached_share": sum(x["cached"] for x in r) / prompt if prompt else 0,
            "first_token_s": [percentile([x["first_s"] for x in r], p) for p in (.5, .95)],
            "per_token_s": [percentile([x["between_s"] for x in r], p) for p in (.5, .95)]}


def show(result: dict) -> None:
    def ms(pair):
        return "{:>8} {:>8}".format(*("-" if v is None else f"{v * 1000:.1f}" for v in pair))
    errors = " ".join(f"{count} x {name}" for name, count in result["errors"].items())
    print(f"{result['name']:<24} {result['requests']:>6} {result['generated_per_s']:>9.1f} "
          f"{result['requests_per_s']:>8.2f} {ms(result['first_token_s'])} {ms(result['per_token_s'])} "
          f"{result['cached_share'] * 100:>6.0f}%  {errors}", flush=True)


HEAD = (f"{'':<24} {'':>6} {'generated':>9} {'requests':>8} {'first token, ms':>17} "
        f"{'per token, ms':>17} {'cached':>7}\n"
        f"{'':<24} {'done':>6} {'tok/s':>9} {'per s':>8} {'p50':>8} {'p95':>8} {'p50':>8} {'p95':>8}")


async def run_all(a) -> list:
    address = loopback_address(a.url)
    control = Connection(address, a.key)
    models = (await control.get_json("/v1/models"))["data"]
    model = a.model or models[0]["id"]
    ids = (await control.post_json("/tokenize", {"model": model, "content": TEXT, "prompt": TEXT}))["tokens"]
    control.close()
    words = Words(ids, a.seed)
    results = []
    if not a.json:
        print(HEAD)

    def note(result):
        results.append(result)
        if not a.json:
            show(result)

    if a.trace or a.rate:
        run = Run(a, model)
        asks = (trace(a.trace, words, count=a.requests, speed=a.speed, shrink=a.shrink,
                      longest=a.max_prompt) if a.trace
                else arrivals(words, a.rate, a.seconds, a.prompt, a.answer))
        seconds = await run.open_loop(address, asks, a.seconds)
        note(summary(a.trace.split("/")[-1] if a.trace else f"{a.rate:g} per s", run, seconds))
        return results
    for shared in [a.shared] if a.compare_shared is None else [0, a.compare_shared]:
        for users in a.users:
            run = Run(a, model)
            # Other seeds for other levels: nothing but what is meant to be shared is.
            level = Words(words.ids, a.seed * 1000 + users)
            asks = closed_loop(level, max(a.requests, users * 2), a.prompt, shared, a.answer)
            seconds = await run.users(address, users, asks, a.seconds)
            name = f"{users} user{'s' * (users > 1)}" + (f", {shared} shared" if shared else "")
            note(summary(name, run, seconds, users=users, shared=shared))
    return results


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--url", default="http://127.0.0.1:8080")
    p.add_argument("--key", default="", help="API key")
    p.add_argument("--model", help="default: the first of the server")
    p.add_argument("--users", default="1,4,16,64", type=lambda t: [int(n) for n in t.split(",")])
    p.add_argument("--requests", type=int, default=64, help="per closed loop, or of the trace")
    p.add_argument("--seconds", type=float, default=60, help="no new requests afterwards")
    p.add_argument("--prompt", type=int, default=128, help="tokens")
    p.add_argument("--answer", type=int, default=64, help="tokens")
    p.add_argument("--shared", type=int, default=0, help="tokens with which all prompts begin")
    p.add_argument("--compare-shared", type=int, metavar="N", help="first without, then with N shared")
    p.add_argument("--rate", type=float, help="requests per second instead of users")
    p.add_argument("--trace", help="Mooncake (.jsonl) or Azure (.csv)")
    p.add_argument("--speed", type=float, default=1, help="the trace's time passes so much faster")
    p.add_argument("--shrink", type=float, default=1, help="the trace's lengths are divided by it")
    p.add_argument("--max-prompt", type=int, default=1 << 30, help="longer prompts of a trace are cut")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--json", action="store_true")
    p.add_argument("--plot", metavar="FILE.svg")
    a = p.parse_args()
    if not 0 < a.requests <= 100000 or not 0 < a.seconds <= 3600 or not all(0 < u <= 1024 for u in a.users):
        p.error("at most 100,000 requests, 3,600 seconds and 1,024 users")
    if max(a.shared, a.compare_shared or 0) >= a.prompt:
        p.error(f"--shared must be less than --prompt ({a.prompt})")
    if a.plot and (a.trace or a.rate):
        p.error("--plot draws closed loops")
    try:
        results = asyncio.run(run_all(a))
    except (OSError, ValueError, Refused) as error:
        print(f"load: {error}", file=sys.stderr)
        return 69
    if a.json:
        print(json.dumps(results, indent=1))
    if a.plot:
        write_plot(a.plot, results)
    return 0 if any(r["requests"] for r in results) else 69


if __name__ == "__main__":
    sys.exit(main())
