#!/usr/bin/env python3
"""Figures of the running server that take longer than a test may: each prints one line.

  figures.py build/release/bin/tutti aborts [--count 10000]   pages after random aborts; time until one frees its sequence
  figures.py build/release/bin/tutti overload [--seconds 20]  answers per second at three times what the server can do
  figures.py build/release/bin/tutti soak [--seconds 600]     memory, descriptors and threads under load
"""
import argparse
import asyncio
import collections
import random
import sys
import time

from server_process import Refused, Server
from work import abandon, body, complete

WORDS = ["king", "queen", "witch", "wood", "lion", "tree"]


async def aborts(server: Server, a) -> str:
    rng, places = random.Random(a.seed), asyncio.Semaphore(32)

    async def one():
        async with places:
            prompt = " ".join(rng.choices(WORDS, k=rng.randint(1, 100)))
            await abandon(server.address, rng.randint(1, 150), rng.expovariate(40), prompt=prompt, n=rng.randint(1, 4))

    begin = time.perf_counter()
    for _ in range(0, a.count, 500):
        await asyncio.gather(*(one() for _ in range(min(500, a.count))))
    seconds, live = time.perf_counter() - begin, await server.idle()
    lost = live["pages"]["total"] - live["pages"]["free"] - live["pages"]["idle"]
    freed = sorted([await time_to_free(server) for _ in range(50)])
    server.signal()
    code = server.wait()
    return (f"aborts: {a.count} in {seconds:.0f} s, {lost} pages lost of {live['pages']['total']}, "
            f"exit code {code}; an abort frees its sequences after {freed[25] * 1000:.1f} ms (median), "
            f"{freed[-1] * 1000:.1f} ms (the longest of 50, asked for every few ms)")


async def time_to_free(server: Server) -> float:
    """Seconds from hanging up in the middle of an answer until no sequence is left."""
    connection, probe = server.connection(), server.connection()
    async for _ in connection.stream("/v1/completions", body(240, n=8)):
        connection.writer.transport.abort()
        break
    begin = time.perf_counter()
    while (live := await probe.get_json("/v1/live"))["running"] + live["waiting"] > 0:
        await asyncio.sleep(0.001)
    probe.close()
    return time.perf_counter() - begin


async def closed(server: Server, users: int, seconds: float, tokens: int) -> float:
    """Answers per second of `users` who ask without a pause."""
    begin, count = time.perf_counter(), 0

    async def user():
        nonlocal count
        connection = server.connection()
        while time.perf_counter() - begin < seconds:
            await complete(connection, tokens)
            count += 1
        connection.close()

    await asyncio.gather(*(user() for _ in range(users)))
    return count / (time.perf_counter() - begin)


async def overload(server: Server, a) -> str:
    await closed(server, 16, 2, 100)
    can = await closed(server, 16, a.seconds / 2, 100)
    done, refused, begin = 0, collections.Counter(), time.perf_counter()
    idle = []

    async def one():
        nonlocal done
        connection = idle.pop() if idle else server.connection()
        try:
            await complete(connection, 100)
            done += 1
        except Refused as error:
            refused[error.status] += 1
        except (ConnectionError, OSError, asyncio.IncompleteReadError):
            refused["connection"] += 1
            connection.close()
        idle.append(connection)

    tasks = []
    for i in range(int(3 * can * a.seconds)):
        await asyncio.sleep(max(0, begin + i / (3 * can) - time.perf_counter()))
        tasks.append(asyncio.create_task(one()))
    in_time, seconds = done, time.perf_counter() - begin
    await asyncio.gather(*tasks)
    return (f"overload: {can:.1f} answers/s with 16 users; asked for {3 * can:.1f} per second, "
            f"{in_time / seconds:.1f} answered ({in_time / seconds / can * 100:.0f} % of what it can), refused: {dict(refused)}")


async def soak(server: Server, a) -> str:
    rng, stop = random.Random(a.seed), time.perf_counter() + a.seconds

    async def user():
        connection = server.connection()
        while time.perf_counter() < stop:
            prompt = " ".join(rng.choices(WORDS, k=rng.randint(1, 60)))
            if rng.random() < .2:
                await abandon(server.address, 150, rng.uniform(0, .1), prompt=prompt)
            else:
                await complete(connection, rng.randint(1, 80), prompt=prompt)
        connection.close()

    users = [asyncio.create_task(user()) for _ in range(16)]
    samples = []
    while time.perf_counter() < stop:
        samples.append((time.perf_counter(), server.memory_bytes(), server.descriptors(), server.threads()))
        await asyncio.sleep(1)
    await asyncio.gather(*users)
    late = samples[len(samples) // 3:]
    t = [s[0] for s in late]
    m = [s[1] / 1e6 for s in late]
    mean_t, mean_m = sum(t) / len(t), sum(m) / len(m)
    slope = sum((x - mean_t) * (y - mean_m) for x, y in zip(t, m)) / sum((x - mean_t) ** 2 for x in t) * 3600
    live = await server.idle()
    return (f"soak: {a.seconds:.0f} s, {live['requests_total']} requests; RssAnon+VmSwap {m[0]:.1f} -> {m[-1]:.1f} MB after the "
            f"first third, slope {slope:+.2f} MB/h; descriptors {min(s[2] for s in late)} to {max(s[2] for s in late)}, "
            f"threads {min(s[3] for s in late)} to {max(s[3] for s in late)}")


OPTIONS = {"aborts": ["--max-running", "24"], "overload": ["--max-running", "16", "--max-queue", "16"], "soak": []}


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("binary")
    p.add_argument("what", choices=OPTIONS)
    p.add_argument("--count", type=int, default=10000)
    p.add_argument("--seconds", type=float, default=20)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    with Server(a.binary, *OPTIONS[a.what]) as server:
        print(asyncio.run({"aborts": aborts, "overload": overload, "soak": soak}[a.what](server, a)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
