"""A small HTTP client for load tests: asyncio, keep-alive, server-sent events, loopback only.

One Connection carries one request at a time. What it cannot read raises ConnectionError.
"""
import asyncio
import ipaddress
import json
import time
import urllib.parse


class Refused(Exception):
    """The server answered with an error status."""

    def __init__(self, status: int, headers: dict, body: bytes):
        self.status, self.headers = status, headers
        try:
            error = json.loads(body)["error"]
            self.code, self.message = error.get("code") or error.get("type"), error["message"]
        except (ValueError, KeyError, TypeError):
            self.code, self.message = None, body[:200].decode(errors="replace")
        super().__init__(f"{status} {self.code}: {self.message}")


def loopback_address(url: str) -> tuple[str, int]:
    """(host, port) of a URL; ValueError where it is not this machine."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"{host} is not this machine; load is only made on the loopback")
    return host, parts.port or 80


class Connection:
    def __init__(self, address: tuple[str, int], key: str = ""):
        self.address, self.key = address, key
        self.reader = self.writer = None

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection(*self.address, limit=1 << 20)

    def close(self) -> None:
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None

    async def _send(self, method: str, path: str, body) -> tuple[int, dict]:
        data = b"" if body is None else json.dumps(body).encode()
        head = [f"{method} {path} HTTP/1.1", f"Host: {self.address[0]}:{self.address[1]}"]
        if body is not None:
            head += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
        if self.key:
            head.append(f"Authorization: Bearer {self.key}")
        if self.writer is None:
            await self.open()
        self.writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + data)
        await self.writer.drain()
        line = await self.reader.readline()
        if not line.startswith(b"HTTP/1.1 "):
            raise ConnectionError(f"no answer: {line[:80]!r}")
        headers = {}
        while (field := (await self.reader.readline()).strip()):
            name, _, value = field.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return int(line.split()[1]), headers

    async def _chunk_size(self) -> int:
        line = await self.reader.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the server closed the connection in the middle of an answer")
        return int(line.split(b";")[0], 16)

    async def _pieces(self, headers: dict):
        """The body as it comes."""
        if "content-length" in headers:
            yield await self.reader.readexactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            while size := await self._chunk_size():
                yield await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            await self.reader.readline()
        else:
            while piece := await self.reader.read(65536):
                yield piece
        if headers.get("connection", "").lower() == "close":
            self.close()

    async def request(self, method: str, path: str, body=None) -> tuple[int, dict, bytes]:
        """Status, headers and the whole body; an idle connection that was closed is opened again."""
        reused = self.writer is not None
        try:
            status, headers = await self._send(method, path, body)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.close()
            if not reused:
                raise
            status, headers = await self._send(method, path, body)
        return status, headers, b"".join([p async for p in self._pieces(headers)])

    async def get_json(self, path: str):
        status, headers, body = await self.request("GET", path)
        if status != 200:
            raise Refused(status, headers, body)
        return json.loads(body)

    async def post_json(self, path: str, body):
        status, headers, data = await self.request("POST", path, body)
        if status != 200:
            raise Refused(status, headers, data)
        return json.loads(data)

    async def stream(self, path: str, body):
        """The objects of an event stream, each with the time at which it had come."""
        status, headers = await self._send("POST", path, body)
        if status != 200:
            raise Refused(status, headers, b"".join([p async for p in self._pieces(headers)]))
        rest = b""
        async for piece in self._pieces(headers):
            now = time.perf_counter()
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line.startswith(b"data:") and (data := line[5:].strip()) != b"[DONE]":
                    yield now, json.loads(data)
