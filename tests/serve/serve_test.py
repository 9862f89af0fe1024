#!/usr/bin/env python3
"""The running server under aborts, overload, shutdown and too little memory: small runs that decide
by counts, never by time. figures.py makes the long runs.

  serve_test.py build/dev/bin/tutti [NAME...]
"""
import asyncio
import json
import pathlib
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import unittest

from server_process import Refused, Server
from work import abandon, body, once

BINARY = "build/dev/bin/tutti"
LOAD = str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "serve" / "load.py")


def cached(usage) -> int:
    return usage["prompt_tokens_details"]["cached_tokens"]


async def metric(server, name) -> float:
    """The first value of the metric's, whatever its labels."""
    connection = server.connection()
    try:
        text = (await connection.request("GET", "/metrics"))[2].decode()
    finally:
        connection.close()
    return float(re.search(rf"^{name}(?:{{.*}})? (\S+)$", text, re.M).group(1))


class ServeTest(unittest.IsolatedAsyncioTestCase):
    async def test_aborts_leak_no_page_and_hurt_nobody(self):
        with Server(BINARY, "--max-running", "8") as server:
            alone, _ = await once(server.address, 40)
            rng = random.Random(1)
            places = asyncio.Semaphore(24)

            async def one(number):
                async with places:
                    if number % 10 == 0:  # somebody who stays gets what he would get alone
                        text, usage = await once(server.address, 40)
                        self.assertEqual((text, usage["completion_tokens"]), (alone, 40))
                    else:
                        words = " ".join(rng.choices(["king", "queen", "witch", "wood"], k=rng.randint(1, 60)))
                        await abandon(server.address, 150, rng.uniform(0, 0.05), prompt=words, n=rng.randint(1, 2))

            await asyncio.gather(*(one(i) for i in range(400)))
            live = await server.idle()
            self.assertEqual(live["pages"]["free"] + live["pages"]["idle"], live["pages"]["total"])
            server.signal()
            self.assertEqual(server.wait(), 0, server.log)

    async def test_more_than_the_queue_holds_is_refused_and_the_rest_is_served(self):
        with Server(BINARY, "--max-running", "2", "--max-queue", "4") as server:
            alone, _ = await once(server.address, 30)

            async def one():
                try:
                    return await once(server.address, 30)
                except Refused as refused:
                    return refused

            results = await asyncio.gather(*(one() for _ in range(60)))
            refused = [r for r in results if isinstance(r, Refused)]
            self.assertGreater(len(refused), 0)
            self.assertGreaterEqual(len(results) - len(refused), 4)
            for error in refused:
                self.assertEqual(error.status, 429)
                self.assertGreaterEqual(int(error.headers["retry-after"]), 1)
            for result in results:
                if not isinstance(result, Refused):
                    self.assertEqual(result[0], alone)
            await server.idle()

    async def test_sigterm_lets_running_answers_end(self):
        with Server(BINARY) as server:
            alone, _ = await once(server.address, 150)
            begun = asyncio.Semaphore(0)

            async def read():
                connection, text, ended, first = server.connection(), "", False, True
                async for _, event in connection.stream("/v1/completions", body(150)):
                    if first:
                        begun.release()
                    first = False
                    for choice in event["choices"]:
                        text += choice["text"]
                        ended = ended or choice["finish_reason"] == "length"
                connection.close()
                return text, ended

            waiting = server.connection()  # open before the signal: afterwards nobody may come in
            self.assertEqual((await waiting.request("GET", "/ready"))[0], 200)
            streams = [asyncio.create_task(read()) for _ in range(8)]
            for _ in streams:
                await begun.acquire()
            server.signal()
            try:
                while (status := (await waiting.request("GET", "/ready"))[0]) == 200:
                    await asyncio.sleep(0.001)  # the signal is on its way
                self.assertEqual(status, 503)
            except (ConnectionError, OSError, asyncio.IncompleteReadError):
                pass  # the port is closed already: as clear
            waiting.close()
            for text, ended in await asyncio.gather(*streams):
                self.assertEqual((text, ended), (alone, True))
            self.assertEqual(server.wait(), 0, server.log)

    async def test_a_second_signal_ends_at_once(self):
        with Server(BINARY, "--max-running", "1") as server:
            streams = [asyncio.create_task(abandon(server.address, 200, 60)) for _ in range(64)]
            while (await server.live())["running"] == 0:
                await asyncio.sleep(0.01)
            server.signal()
            server.signal(signal.SIGINT)
            self.assertEqual(server.wait(30), 130)
            self.assertNotIn("without waiting", "".join(server.log))
            await asyncio.gather(*streams)

    async def test_answers_that_take_too_long_are_broken_off_in_order(self):
        with tempfile.TemporaryDirectory() as folder:
            with Server(BINARY, "--max-running", "1", "--drain", "0", "--prefix-disk", folder) as server:
                streams = [asyncio.create_task(abandon(server.address, 200, 60)) for _ in range(64)]
                while (await server.live())["running"] == 0:
                    await asyncio.sleep(0.01)
                server.signal()
                self.assertEqual(server.wait(60), 0)
                self.assertNotIn("without waiting", "".join(server.log))
                await asyncio.gather(*streams)

    async def test_prompts_on_disk_outlive_an_end_and_a_kill(self):
        prompt = "Once upon a time there was a king who lived in a castle. " * 8
        for how in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(how=how), tempfile.TemporaryDirectory() as folder:
                with Server(BINARY, "--prefix-disk", folder) as server:
                    first, usage = await once(server.address, 30, prompt=prompt)
                    pages = usage["prompt_tokens"] // 32
                    self.assertGreater(pages, 2)
                    self.assertEqual(cached(usage), 0)
                    if how == signal.SIGKILL:  # what is idle for a moment is written behind
                        while await metric(server, "tutti_prefix_disk_written_total") < pages:
                            await asyncio.sleep(0.01)
                    server.signal(how)
                    server.wait()
                with Server(BINARY, "--prefix-disk", folder) as server:
                    again, usage = await once(server.address, 30, prompt=prompt)
                    self.assertEqual(again, first)
                    self.assertGreaterEqual(cached(usage), 32 * (pages - 1))

    async def test_a_disk_that_takes_nothing_costs_nobody_an_answer(self):
        prompt = "The witch of the north said that she would not come. " * 8
        with Server(BINARY) as server:
            alone, _ = await once(server.address, 20, prompt=prompt)
        for folder in ("/dev/full", "/proc"):  # no folder, and one in which nothing can be made
            with Server(BINARY, "--prefix-disk", folder) as server:
                self.assertIn("goes without --prefix-disk", "".join(server.log))
                self.assertEqual((await once(server.address, 20, prompt=prompt))[0], alone)
        with tempfile.TemporaryDirectory() as folder, Server(BINARY, "--prefix-disk", folder) as server:
            # Files may not grow: as a disk that is full.
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
            for _ in range(2):
                self.assertEqual((await once(server.address, 20, prompt=prompt))[0], alone)
            await server.idle()
            server.signal()
            self.assertEqual(server.wait(), 0, server.log)

    async def test_the_same_answers_whoever_else_asks(self):
        prompts = ["Once upon a time", "The king", "The witch of the north said", "In a wood"]
        with Server(BINARY, "--max-running", "1") as server:
            alone = [await once(server.address, 60, prompt=p) for p in prompts]
        with Server(BINARY) as server:
            together = await asyncio.gather(
                *(once(server.address, 60, prompt=p) for p in prompts * 8))
        for i, (text, usage) in enumerate(together):
            self.assertEqual(text, alone[i % len(prompts)][0])
            for field in ("prompt_tokens", "completion_tokens", "total_tokens"):
                self.assertEqual(usage[field], alone[i % len(prompts)][1][field])

    def test_the_load_generator_asks_what_it_says(self):
        lines = [{"timestamp": 50 * i, "input_length": 1024, "output_length": 10, "hash_ids": [7, i]}
                 for i in range(4)]
        with Server(BINARY) as server, tempfile.TemporaryDirectory() as folder:
            trace, plot = pathlib.Path(folder, "t.jsonl"), pathlib.Path(folder, "p.svg")
            trace.write_text("".join(json.dumps(line) + "\n" for line in lines))

            def load(*options):
                run = subprocess.run([sys.executable, LOAD, "--url", server.url, "--json", *options],
                                     capture_output=True, text=True, timeout=300)
                self.assertEqual(run.returncode, 0, run.stderr)
                return json.loads(run.stdout)

            loops = load("--users", "1,3", "--requests", "6", "--prompt", "64", "--answer", "8",
                         "--compare-shared", "48", "--plot", str(plot))
            self.assertEqual([(r["users"], r["shared"]) for r in loops], [(1, 0), (3, 0), (1, 48), (3, 48)])
            for r in loops:
                self.assertEqual((r["requests"], r["errors"]), (6, {}))
                self.assertAlmostEqual(r["generated_per_s"] * r["seconds"], 48)
                self.assertAlmostEqual(r["prompt_per_s"] * r["seconds"], 6 * 64)
            self.assertEqual(loops[0]["cached_share"], 0)
            self.assertGreater(loops[2]["cached_share"], 0.3)
            self.assertEqual(plot.read_text().count("<polyline"), 2 * 5)
            [replay] = load("--trace", str(trace), "--shrink", "10", "--max-prompt", "90")
            self.assertEqual((replay["requests"], replay["errors"]), (4, {}))
            self.assertAlmostEqual(replay["prompt_per_s"] * replay["seconds"], 4 * 90)
            self.assertAlmostEqual(replay["generated_per_s"] * replay["seconds"], 4)
            self.assertGreater(replay["cached_share"], 0)
        elsewhere = subprocess.run([sys.executable, LOAD, "--url", "http://192.0.2.1:80"],
                                   capture_output=True, text=True, timeout=60)
        self.assertIn("not this machine", elsewhere.stderr)
        self.assertEqual(elsewhere.returncode, 69)

    def test_memory_that_is_not_there_is_refused_with_numbers(self):
        run = subprocess.run([BINARY, "serve", "--port", "0", "--kv-memory", "900000000"],
                             capture_output=True, text=True, timeout=60)
        self.assertIn(run.returncode, (64, 71, 75), run.stderr)
        self.assertEqual(len(run.stderr.strip().splitlines()), 1, run.stderr)
        self.assertRegex(run.stderr, r"\d[\d.,]* ?(GiB|TiB|MiB)")


if __name__ == "__main__":
    BINARY = sys.argv.pop(1)
    unittest.main(verbosity=2)
