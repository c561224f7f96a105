"""Takes the sample out of docs/MOBILE.md and runs it against a local WhatsApp: with texts that wait, and beside an
application that is awake.
"""

from __future__ import annotations

import argparse
import asyncio
import pathlib
import tempfile
from typing import Any

import wa_ffi

from sandbox import PEER, USER, Http, Sandbox, running

PAGE = pathlib.Path(__file__).parents[2] / "docs/MOBILE.md"


def sample() -> str:
    """The page's one block in Python."""
    before, found, behind = PAGE.read_text().partition("```python\n")
    assert found and "```python\n" not in behind, f"{PAGE.name} has one sample in Python"
    return behind.partition("```")[0]


async def wake(sandbox: Sandbox, directory: pathlib.Path) -> None:
    names: dict[str, Any] = {}
    exec(compile(sample(), str(PAGE), "exec"), names)
    path, key, shown = str(directory / "store.db"), wa_ffi.new_store_key(), list[tuple[str, str]]()
    store = wa_ffi.Store.create(path, key)
    lease = await store.lease(USER, "app", 10_000)
    client = await wa_ffi.open_client(lease.account(), sandbox.options())
    login = await client.enlist(Http(), 1, USER, sandbox.token())
    await client.connect(sandbox.token())
    await client.shut_down()

    async def push() -> None:
        show = lambda sender, body: shown.append((sender, body))
        await names["on_push"](path, key, USER, sandbox.options(), sandbox.token(), show)

    for number in range(3):
        sandbox.write(login, f"text {number}")
    await push()
    assert shown == [], "the application is awake, and the extension takes its messages"
    await lease.release()
    await store.shut_down()
    await push()
    assert shown == [(PEER, f"text {number}") for number in range(3)], shown
    await push()
    assert len(shown) == 3, "a message is shown twice"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sandbox", required=True, help="the program wa-sandbox")
    with running(parser.parse_args().sandbox) as sandbox, tempfile.TemporaryDirectory() as directory:
        asyncio.run(asyncio.wait_for(wake(sandbox, pathlib.Path(directory)), 60))
    print("the sample of docs/MOBILE.md in Python runs", flush=True)


if __name__ == "__main__":
    main()
