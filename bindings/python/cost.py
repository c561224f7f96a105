"""What calls and messages cost through Python, beside the same calls in Rust: `cargo xtask bindings cost`.

Both are processes of their own with a connection of their own to one local WhatsApp; they take turns, and the medians of the
rounds are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import pathlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable

import wa_ffi
from wa_ffi import Client, Content, Happened, Status

from sandbox import PHONE, Http, Sandbox, running

ROUNDS = 9
COUNTS = {"plain calls": 20_000, "awaited calls": 2_000, "messages": 100}


async def plain(client: Client, count: int) -> None:
    for _ in range(count):
        wa_ffi.version()


async def awaited(client: Client, count: int) -> None:
    for _ in range(count):
        await client.login()


async def messages(client: Client, count: int) -> None:
    """Each is sent when the server has the one before."""
    events = wa_ffi.Events(client)
    for number in range(count):
        text = Content.TEXT(body=f"text {number}", reply=None, mentions=[])
        await client.send(f"+{PHONE}", f"{time.monotonic_ns()}", text)
        async for event in events:
            if isinstance(event.what, Happened.RECEIPT) and event.what.status == Status.SENT:
                break


WORK: dict[str, Callable[[Client, int], Awaitable[None]]] = {
    "plain calls": plain,
    "awaited calls": awaited,
    "messages": messages,
}


async def opened(sandbox: Sandbox, path: str, key: bytes, user: str) -> tuple[Client, str]:
    """An enlisted account's client, and a token for it."""
    store = wa_ffi.Store.create(path, key)
    client = await wa_ffi.open_client(store.account(user), sandbox.options())
    await client.enlist(Http(), 1, user, sandbox.token(user))
    return client, sandbox.token(user)


async def measure(sandbox: Sandbox, directory: pathlib.Path, program: str) -> None:
    key, other = wa_ffi.new_store_key(), str(directory / "rust.db")
    client, token = await opened(sandbox, other, key, "rust")
    await client.shut_down()
    place = [sandbox.addresses["chat"], sandbox.addresses["noise_root"]]
    command = [program, other, key.hex(), "rust", *place, token]
    client, token = await opened(sandbox, str(directory / "python.db"), key, "python")
    await client.connect(token)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as rust:
        assert rust.stdin and rust.stdout

        def in_rust(what: str, count: int) -> float:
            assert rust.stdin and rust.stdout
            print(f"{what.split()[0]} {count} {PHONE}", file=rust.stdin, flush=True)
            return int(rust.stdout.readline()) / count

        for what, count in COUNTS.items():
            times: dict[str, list[float]] = {"Python": [], "Rust": []}
            for _ in range(ROUNDS):
                begun = time.perf_counter_ns()
                await WORK[what](client, count)
                times["Python"].append((time.perf_counter_ns() - begun) / count)
                times["Rust"].append(await asyncio.to_thread(in_rust, what, count))
            for language, found in times.items():
                nanos = statistics.median(found)
                spread = f"{min(found) / 1000:.1f} to {max(found) / 1000:.1f}"
                print(f"{what}, {language}: {nanos / 1000:.1f} µs ({spread}), {1e9 / nanos:,.0f} a second", flush=True)
        rust.stdin.close()
    await client.shut_down()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sandbox", required=True, help="the program wa-sandbox")
    parser.add_argument("--rust", required=True, help="the example cost of wa-ffi")
    arguments = parser.parse_args()
    with running(arguments.sandbox) as sandbox, tempfile.TemporaryDirectory() as directory:
        asyncio.run(measure(sandbox, pathlib.Path(directory), arguments.rust))


if __name__ == "__main__":
    main()
