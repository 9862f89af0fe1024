#!/usr/bin/env python3
"""The running server against clients that mean no good: decided by what others still get, never by time.

  attack_test.py build/dev/bin/tutti [NAME...]
"""
import asyncio
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import unittest

from server_process import Server
from work import body, once

BINARY = "build/dev/bin/tutti"


def connect(server, receive_bytes=0) -> socket.socket:
    plain = socket.socket()
    if receive_bytes:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    plain.settimeout(60)
    plain.connect(server.address)
    return plain


def receive_all(connection) -> bytes:
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data


def request(method="GET", path="/health", headers=(), content=b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    if content:
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


def ask(server, *args, **more) -> bytes:
    """The whole answer as it came."""
    with connect(server) as connection:
        connection.sendall(request(*args, **more))
        return receive_all(connection)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


@unittest.skipUnless(shutil.which("openssl"), "needs the program openssl to make a certificate")
class TlsAttackTest(unittest.TestCase):
    def serve(self, folder, *options) -> Server:
        key, certificate = pathlib.Path(folder, "k.pem"), pathlib.Path(folder, "c.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost"],
                       check=True, capture_output=True)
        self.client = ssl.create_default_context(cafile=str(certificate))
        self.client.check_hostname = False
        return Server(BINARY, "--tls-cert", str(certificate), "--tls-key", str(key), *options)

    def healthy(self, server) -> bool:
        with self.client.wrap_socket(connect(server)) as connection:
            connection.sendall(request())
            return status(receive_all(connection)) == 200

    def test_what_is_no_handshake_ends_and_hurts_nobody(self):
        hello = ssl.MemoryBIO()
        half = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
        self.assertRaises(ssl.SSLWantReadError, half.do_handshake)
        greeting = hello.read()
        ended = [  # answered with an alert or nothing, and closed
            request(), b"\x00" * 4096, os.urandom(4096), b"\x80\x2e\x01\x00\x02" + b"\x00" * 43,
            b"\x16\x03\x01\xff\xff" + b"\x01" * 65535,  # a record larger than any may be
            greeting[:9] + b"\xff" * (len(greeting) - 9),
            greeting + b"\x17\x03\x03\x40\x00" + os.urandom(1 << 14),  # data before the handshake has ended
            b"\x15\x03\x01\x00\x02\x02\x28",
        ]
        with tempfile.TemporaryDirectory() as folder, self.serve(folder) as server:
            slow = [connect(server) for _ in range(100)]  # that never get anywhere
            for i, connection in enumerate(slow):
                connection.sendall(greeting[:i])
            for data in ended * 2:
                with connect(server) as connection:
                    try:
                        connection.sendall(data)
                    except ConnectionError:
                        pass
                    self.assertNotIn(b"HTTP", receive_all(connection), data[:20])
                self.assertTrue(self.healthy(server))
            for connection in slow:
                connection.close()
            server.signal()
            self.assertEqual(server.wait(), 0, server.log)

    def test_many_signals_to_read_files_again(self):
        with tempfile.TemporaryDirectory() as folder:
            keys = pathlib.Path(folder, "keys")
            made = subprocess.run([BINARY, "keys", "add", str(keys), "one"], capture_output=True, text=True)
            key = next(word for word in (made.stdout + made.stderr).split() if word.startswith("tt-"))
            with self.serve(folder, "--keys", str(keys)) as server:
                question = json.dumps(body(3, stream=False, stream_options=None)).encode()
                for i in range(200):
                    server.signal(signal.SIGHUP)
                    if i % 20:
                        continue
                    with self.client.wrap_socket(connect(server)) as connection:
                        connection.sendall(request("POST", "/v1/completions", [f"Authorization: Bearer {key}"], question))
                        self.assertEqual(status(receive_all(connection)), 200)
                keys.write_text("nonsense")  # a mistake changes nothing
                server.signal(signal.SIGHUP)
                while not any("stay as they were" in line for line in server.log):
                    self.assertTrue(self.healthy(server))
                server.signal()
                self.assertEqual(server.wait(), 0, server.log)


class AttackTest(unittest.IsolatedAsyncioTestCase):
    def test_only_the_key_is_the_key(self):
        with tempfile.TemporaryDirectory() as folder:
            keys = pathlib.Path(folder, "keys")
            made = subprocess.run([BINARY, "keys", "add", str(keys), "one"], capture_output=True, text=True)
            key = next(word for word in (made.stdout + made.stderr).split() if word.startswith("tt-"))
            self.assertNotIn(key, keys.read_text())
            with Server(BINARY, "--keys", str(keys)) as server:
                for right in ([f"Authorization: Bearer {key}"], [f"x-api-key: {key}"], [f"authorization: bearer {key}"]):
                    self.assertEqual(status(ask(server, path="/v1/models", headers=right)), 200, right)
                other = key[:-1] + ("a" if key[-1] != "a" else "b")
                for wrong in ("", " ", "Bearer", "Bearer ", f"Bearer{key}", f"Basic {key}", key, f"Bearer {key}x",
                              f"Bearer {key[:-1]}", f"Bearer {other}", f"Bearer {key.upper()}", f"Bearer {key} {key}",
                              f"Bearer {key},", f'Bearer "{key}"', "Bearer tt-", "Bearer " + "x" * 8000,
                              "Bearer \xff\xfe\x80", "Bearer " + "../" * 100, "Bearer null", "Bearer *"):
                    answer = ask(server, path="/v1/models", headers=[f"Authorization: {wrong}"])
                    self.assertIn(status(answer), (400, 401), wrong)
                    self.assertNotIn(b"story", answer)
                for odd in ([f"Authorization: Bearer {other}", f"Authorization: Bearer {key}"],
                            ["Authorization: Bearer a\0b"], [f"x-api-key: {other}"], [f"x-api-key : {key}"],
                            ["Authorization: Bearer " + "x" * 20000], [f"X: y\r\n Authorization: Bearer {key}"]):
                    self.assertIn(status(ask(server, path="/v1/models", headers=odd)), (400, 401, 431), odd)
                server.signal()
                self.assertEqual(server.wait(), 0, server.log)

    def test_a_budget_is_for_life(self):
        with tempfile.TemporaryDirectory() as folder:
            keys = pathlib.Path(folder, "keys")
            made = subprocess.run([BINARY, "keys", "add", str(keys), "one", "--token-budget", "10"],
                                  capture_output=True, text=True)
            key = next(word for word in made.stdout.split() if word.startswith("tt-"))
            one = {"path": "/v1/completions", "method": "POST", "headers": [f"x-api-key: {key}"],
                   "content": json.dumps(body(20)).encode()}
            with Server(BINARY, "--keys", str(keys)) as server:
                self.assertEqual(status(ask(server, **one)), 200)
                refused = ask(server, **one)
                self.assertEqual(status(refused), 429)
                self.assertIn(b"insufficient_quota", refused)
                server.signal()
                self.assertEqual(server.wait(), 0, server.log)
            with Server(BINARY, "--keys", str(keys)) as server:
                self.assertEqual(status(ask(server, **one)), 429)
            listed = subprocess.run([BINARY, "keys", "list", str(keys)], capture_output=True, text=True)
            self.assertRegex(listed.stdout, r"# one: [0-9]{2} of 10 tokens used")

    async def test_those_who_do_not_read_are_given_up_alone(self):
        with Server(BINARY, "--max-running", "64") as server:
            alone, _ = await once(server.address, 20)
            before = server.memory_bytes()
            content = json.dumps(body(200, n=8, logprobs=5)).encode()
            unread = [connect(server, receive_bytes=4096) for _ in range(16)]
            for connection in unread:
                connection.sendall(request("POST", "/v1/completions", content=content))
            for _ in range(20):
                self.assertEqual((await once(server.address, 20))[0], alone)
            live = await server.idle()
            self.assertEqual(live["pages"]["free"] + live["pages"]["idle"], live["pages"]["total"])
            # 256 KB each in the server, and what is read of the kernel's own buffers is no whole answer.
            if server.counts_memory:
                self.assertLess(server.memory_bytes() - before, 16 * (1 << 20))
            for connection in unread:
                self.assertNotIn(b"[DONE]", receive_all(connection))
                connection.close()
            server.signal()
            self.assertEqual(server.wait(), 0, server.log)

    async def test_large_requests_leave_no_memory_behind(self):
        with Server(BINARY) as server:
            alone, _ = await once(server.address, 20)
            before = server.memory_bytes()
            head = json.dumps(body(5))[:-1]
            for tail in ('[' + '1,' * (4 << 20) + '1]', '["' + 'x' * (8 << 20) + '"]', '[' + '{"a":1},' * (1 << 20) + '1]'):
                for field in ("metadata", "prompt"):
                    content = f'{head},"{field}":{tail}}}'.encode()
                    self.assertIn(status(ask(server, "POST", "/v1/completions", content=content)), (200, 400, 413))
            self.assertEqual((await once(server.address, 20))[0], alone)
            if not server.counts_memory:
                return
            for _ in range(600):  # it goes back within seconds
                if (kept := server.memory_bytes() - before) < 4 << 20:
                    break
                await asyncio.sleep(0.1)
            self.assertLess(kept, 4 << 20)  # of 8 MB each, and several times that while they are read

    async def test_clients_that_reset_and_those_that_only_end_sending(self):
        with Server(BINARY) as server:
            alone, _ = await once(server.address, 20)
            whole = json.dumps(body(20, stream=False, stream_options=None)).encode()
            for i in range(60):
                with connect(server) as connection:
                    connection.sendall(request("POST", "/v1/completions", content=whole if i % 3 else whole[:-1]))
                    if i % 2:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            for stream in (False, True):
                asked = body(20) if stream else body(20, stream=False, stream_options=None)
                with connect(server) as connection:
                    connection.sendall(request("POST", "/v1/completions", content=json.dumps(asked).encode()))
                    connection.shutdown(socket.SHUT_WR)
                    answer = receive_all(connection)
                self.assertIn(b"HTTP/1.1 200 ", answer)
                if stream:
                    self.assertIn(b"[DONE]", answer)
                else:
                    self.assertEqual(json.loads(answer[answer.index(b"{"):])["choices"][0]["text"], alone)
            await server.idle()

    async def test_many_models_take_turns(self):
        names = [f"m{i}" for i in range(12)]
        with Server(BINARY, *(f"{name}=story" for name in names), "--max-models", "2") as server:
            alone, _ = await once(server.address, 10, model="m0")
            answers = await asyncio.gather(*(self.patient(server, name) for name in names * 3))
            self.assertEqual(set(answers), {alone})
            # What was counted of those that are not in memory any more, too; counted is behind the answer's last byte.
            wanted = {f'tutti_generation_tokens_total{{model_name="{name}"}} {30 if name != "m0" else 40}' for name in names}
            for _ in range(600):
                connection = server.connection()
                text = (await connection.request("GET", "/metrics"))[2].decode()
                connection.close()
                if wanted <= set(text.splitlines()):
                    break
                await asyncio.sleep(0.02)
            self.assertEqual(wanted - set(text.splitlines()), set())
            self.assertGreaterEqual(text.count("tutti_steps_total{"), len(names))
            server.signal()
            self.assertEqual(server.wait(), 0, server.log)

    async def patient(self, server, model) -> str:
        """What the model says, asked again as long as others are in its place."""
        while True:
            connection = server.connection()
            asked = body(10, model=model, stream=False, stream_options=None)
            code, _, data = await connection.request("POST", "/v1/completions", asked)
            connection.close()
            if code == 200:
                return json.loads(data)["choices"][0]["text"]
            self.assertEqual(code, 429, data)
            await asyncio.sleep(0.01)

    def test_a_draft_that_cannot_be_is_said_at_the_start(self):
        for draft, code in (("/nowhere/draft.gguf", 66), ("/dev/null", 74), (BINARY, 65)):
            run = subprocess.run([BINARY, "serve", "--port", "0", "--draft", draft],
                                 capture_output=True, text=True, timeout=60)
            self.assertEqual(run.returncode, code, run.stderr)
            self.assertEqual(len(run.stderr.strip().splitlines()), 1, run.stderr)


if __name__ == "__main__":
    BINARY = sys.argv.pop(1)
    unittest.main(verbosity=2)
