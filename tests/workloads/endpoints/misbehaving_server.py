"""An OpenAI-compatible server on loopback that misbehaves as a script says, and counts what would have been paid."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

MODEL = "small-model-1"


@dataclass(frozen=True)
class Asked:
    """A request, as the server has got it."""

    number: int
    """From 0, of those that ask for an answer."""
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def prompt(self) -> str:
        """The last message, the prompt, or the first text."""
        if "messages" in self.body:
            return str(self.body["messages"][-1]["content"])
        return str(self.body.get("prompt") or self.body["input"][0])


Reaction = Callable[["Script", Asked, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Script:
    """What the server does, and what it has seen."""

    react: Callable[[Asked], Reaction]
    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    paid: list[Asked] = field(default_factory=list)
    """Those for which an answer was made, whether or not it arrived whole."""
    models: list[Mapping[str, Any]] = field(default_factory=lambda: [{"id": MODEL, "object": "model"}])
    models_status: int = 200
    lookups: int = 0
    at_once: int = 0
    most_at_once: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


def complete(text: str | Callable[[Asked], str] = lambda asked: f"re: {asked.prompt}", **parts: Any) -> Reaction:
    """A whole answer; `parts` replace those of the body, and `finish_reason` that of the choice."""

    async def react(script: Script, asked: Asked, writer: asyncio.StreamWriter) -> None:
        script.paid.append(asked)
        await send(writer, 200, build_answer(asked, text if isinstance(text, str) else text(asked), **parts))

    return react


def build_answer(asked: Asked, text: str, **parts: Any) -> dict[str, Any]:
    reason = parts.pop("finish_reason", "stop")
    prompt_tokens = len(asked.prompt.split())
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": len(text.split())}
    if asked.path.endswith("/embeddings"):
        texts = asked.body["input"]
        data = [{"index": place, "embedding": embed(one)} for place, one in enumerate(texts)]
        usage = {"prompt_tokens": sum(len(one.split()) for one in texts)}
        return {"object": "list", "model": MODEL, "data": data, "usage": usage, **parts}
    said = {"message": {"role": "assistant", "content": text}} if "messages" in asked.body else {"text": text}
    choices = [{"index": 0, **said, "finish_reason": reason}]
    return {"id": "1", "model": MODEL, "choices": choices, "usage": usage, **parts}


def embed(text: str) -> list[float]:
    return [float(len(text)), float(len(text.split())), 0.5]


def refuse(status: int, *headers: str, **error: Any) -> Reaction:
    """A status with the error's parts in the body. Nothing is paid."""

    async def react(script: Script, asked: Asked, writer: asyncio.StreamWriter) -> None:
        await send(writer, status, {"error": {"message": "no", **error}}, *headers)

    return react


def wait(seconds: float, then: Reaction) -> Reaction:
    async def react(script: Script, asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        await then(script, asked, writer)

    return react


def wait_until(is_time: Callable[[], bool], then: Reaction) -> Reaction:
    async def react(script: Script, asked: Asked, writer: asyncio.StreamWriter) -> None:
        while not is_time():
            await asyncio.sleep(0.02)
        await then(script, asked, writer)

    return react


async def hang(script: Script, asked: Asked, writer: asyncio.StreamWriter) -> None:
    """An answer is made, and never sent."""
    script.paid.append(asked)
    await asyncio.sleep(3600)


async def drip(script: Script, asked: Asked, writer: asyncio.StreamWriter) -> None:
    """A byte now and then, for ever: no time-out between two bytes ends it."""
    script.paid.append(asked)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def send_half(script: Script, asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Half of the JSON, and the end of the connection."""
    script.paid.append(asked)
    content = json.dumps(build_answer(asked, "half")).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content) + content[: len(content) // 2])
    await writer.drain()
    writer.close()


async def send_half_as_whole(script: Script, asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Half of the JSON, as if it were all."""
    script.paid.append(asked)
    content = json.dumps(build_answer(asked, "half")).encode()
    await send_content(writer, 200, content[: len(content) // 2])


async def close(script: Script, asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Nothing at all."""
    writer.close()


async def send(writer: asyncio.StreamWriter, status: int, body: Any, *headers: str) -> None:
    await send_content(writer, status, json.dumps(body).encode(), *headers)


async def send_content(writer: asyncio.StreamWriter, status: int, content: bytes, *headers: str) -> None:
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(content)}", *headers]
    writer.write("\r\n".join([*lines, "", ""]).encode() + content)
    await writer.drain()


def in_turn(*reactions: Reaction) -> Callable[[Asked], Reaction]:
    """The first request gets the first one, and so on; the last one is for all that follow."""
    return lambda asked: reactions[min(asked.number, len(reactions) - 1)]


@contextmanager
def serving(react: Callable[[Asked], Reaction] | Reaction | None = None, **parts: Any) -> Iterator[Script]:
    """The server, in a thread of its own. `react` chooses a reaction for each request; by default all are answered."""
    script = Script(react if react is not None else lambda asked: complete(), **parts)  # type: ignore[arg-type]
    loop, started = asyncio.new_event_loop(), threading.Event()

    async def main() -> None:
        server = await asyncio.start_server(lambda *streams: _serve(script, *streams), "127.0.0.1", 0)
        script.port = server.sockets[0].getsockname()[1]
        started.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        server.close()
        rest = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
        for one in rest:
            one.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0.01)  # what is closed is closed in the next rounds of the loop

    task = loop.create_task(main())

    def run() -> None:
        loop.run_until_complete(task)
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield script
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(timeout=10)


async def _serve(script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        while not writer.is_closing():
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *lines = head.rstrip().split("\r\n")
            method, path, _ = line.split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
            content = await reader.readexactly(int(headers.get("content-length", "0")))
            if method == "GET":
                script.lookups += 1
                await send(writer, script.models_status, {"object": "list", "data": script.models})
                continue
            asked = Asked(len(script.asked), path, headers, json.loads(content))
            script.asked.append(asked)
            script.at_once += 1
            script.most_at_once = max(script.most_at_once, script.at_once)
            try:
                await script.react(asked)(script, asked, writer)
            finally:
                script.at_once -= 1
    writer.close()
