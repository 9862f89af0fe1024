"""What the tests of the server ask for: completions of exact length of the embedded model."""
import asyncio

from server_process import Connection, Refused


def body(tokens: int, *, prompt="Once upon a time", **more) -> dict:
    return {"model": "story", "prompt": prompt, "max_tokens": tokens, "temperature": 0,
            "ignore_eos": True, "stream": True, "stream_options": {"include_usage": True}, **more}


async def complete(connection: Connection, tokens: int, **more) -> tuple[str, dict]:
    """Text and usage of a streamed answer; AssertionError where it ends without [DONE]'s place."""
    text, usage, reason = "", None, None
    async for _, event in connection.stream("/v1/completions", body(tokens, **more)):
        if "error" in event:
            raise Refused(200, {}, str(event).encode())
        for choice in event["choices"]:
            text += choice["text"]
            reason = choice["finish_reason"] or reason
        usage = event.get("usage") or usage
    assert reason and usage, f"the stream ended early: {text!r}"
    return text, usage


async def once(address, tokens: int, **more) -> tuple[str, dict]:
    """complete() on a connection of its own."""
    connection = Connection(address)
    try:
        return await complete(connection, tokens, **more)
    finally:
        connection.close()


async def abandon(address, tokens: int, after_s: float, **more) -> None:
    """Asks, and hangs up after a while, whatever has come."""
    connection = Connection(address)

    async def read():
        async for _ in connection.stream("/v1/completions", body(tokens, **more)):
            pass

    try:
        await asyncio.wait_for(read(), after_s)
    except (asyncio.TimeoutError, Refused, ConnectionError, OSError, asyncio.IncompleteReadError):
        pass
    finally:
        if connection.writer:
            connection.writer.transport.abort()
