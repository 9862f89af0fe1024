"""`tutti serve` as a child process of a test: started on a free port, watched, ended."""
import asyncio
import pathlib
import re
import signal
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "serve"))
from client import Connection, Refused, loopback_address  # noqa: E402,F401


class Server:
    """with Server("build/dev/bin/tutti", "--max-queue", "4") as server: ... server.connection()"""

    def __init__(self, binary: str, *options: str, threads: str = "1"):
        self.counts_memory = b"__asan_init" not in pathlib.Path(binary).read_bytes()
        self.process = subprocess.Popen([binary, "serve", "--port", "0", "--threads", threads, *options],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.log, self.url = [], None
        found = threading.Event()

        def read():
            for line in self.process.stderr:
                self.log.append(line)
                if match := re.search(r"https?://127\.0\.0\.1:\d+", line):
                    self.url = self.url or match.group(0)
                    found.set()
            found.set()

        self.reader = threading.Thread(target=read, daemon=True)
        self.reader.start()
        if not found.wait(120) or not self.url:
            self.process.kill()
            raise RuntimeError(f"tutti serve did not start: {''.join(self.log)}")
        self.address = loopback_address(self.url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()

    def connection(self) -> Connection:
        return Connection(self.address)

    def signal(self, number=signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self, timeout_s: float = 120) -> int:
        return self.process.wait(timeout_s)

    async def live(self) -> dict:
        connection = self.connection()
        try:
            return await connection.get_json("/v1/live")
        finally:
            connection.close()

    async def idle(self, timeout_s: float = 60) -> dict:
        """/v1/live once nothing is computed; AssertionError where that never comes."""
        for _ in range(int(timeout_s / 0.02)):
            live = await self.live()
            if live["running"] == live["waiting"] == live["queued_requests"] == 0:
                return live
            await asyncio.sleep(0.02)
        raise AssertionError(f"still busy after {timeout_s} s: {live}")

    def memory_bytes(self) -> int:
        """RssAnon + VmSwap: what the process holds itself, without files it maps. Of no use where
        `counts_memory` is false: the address sanitizer keeps what is freed."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return sum(int(re.search(rf"{name}:\s+(\d+) kB", text).group(1)) * 1024 for name in ("RssAnon", "VmSwap"))

    def descriptors(self) -> int:
        return len(list(pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def threads(self) -> int:
        return len(list(pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()))
