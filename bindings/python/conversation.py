"""A conversation through the package, against a local WhatsApp that runs strict: what an application does.

`cargo xtask bindings python` builds the package and runs this.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import pathlib
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import wa_ffi
from wa_ffi import Canceller, Cause, Content, Event, Happened, Mailbox, Media, Status, WaError

from sandbox import PEER, PHONE, USER, Http, Sandbox, Tokens, running

Found = TypeVar("Found")


class Application:
    def __init__(self, sandbox: Sandbox, directory: pathlib.Path) -> None:
        self.sandbox, self.path, self.key = sandbox, str(directory / "store.db"), wa_ffi.new_store_key()
        self.directory = directory

    async def open(self) -> None:
        self.store = wa_ffi.Store.open(self.path, self.key)
        self.lease = await self.store.lease(USER, "app", 10_000)
        self.client = await wa_ffi.open_client(self.lease.account(), self.sandbox.options())
        self.events = wa_ffi.Events(self.client)
        self.login = await self.client.enlist(Http(), 1, USER, self.sandbox.token())

    async def close(self) -> None:
        await self.client.shut_down()
        await self.lease.release()
        await self.store.shut_down()

    async def until(self, wanted: Callable[[object], Found | None]) -> Found:
        """Takes events until one is wanted."""
        async with asyncio.timeout(20):
            async for event in self.events:
                found = wanted(event.what)
                if found is not None:
                    return found
        raise AssertionError("the events end")

    async def message(self) -> Happened.MESSAGE:
        return await self.until(lambda what: what if isinstance(what, Happened.MESSAGE) else None)

    async def status(self, wanted: Status) -> None:
        await self.until(lambda what: isinstance(what, Happened.RECEIPT) and what.status == wanted or None)


def text(body: str) -> Content:
    return Content.TEXT(body=body, reply=None, mentions=[])


async def enlists(app: Application) -> None:
    wa_ffi.Store.create(app.path, app.key)
    await app.open()
    assert app.login.startswith("1-") and app.login.endswith("@interop"), app.login
    assert await app.client.login() == app.login


async def errors_are_typed(app: Application) -> None:
    wrongs: list[tuple[Callable[[], object], type[WaError]]] = [
        (lambda: wa_ffi.Store.open(app.path, bytes(32)), WaError.Store),
        (lambda: wa_ffi.Store.open(app.path, b"short"), WaError.Argument),
        (lambda: wa_ffi.Store.open("/nowhere/at/all", app.key), WaError.Store),
        (lambda: app.store.try_lease(USER, "extension", 10_000), WaError.Held),
    ]
    for wrong, error in wrongs:
        try:
            wrong()
        except error as thrown:
            assert str(thrown), thrown
        else:
            raise AssertionError(f"{error} was not thrown")
    try:
        await app.client.send("+1415", "id", text("no number"))
    except WaError.Argument as thrown:
        assert "international form" in str(thrown), thrown
    else:
        raise AssertionError("a bad number was taken")
    try:
        await app.client.connect("no token")
    except WaError.Disconnected as refused:
        assert refused.is_final and refused.reason == Cause.TOKEN, refused
    else:
        raise AssertionError("a bad token was taken")


async def talks(app: Application) -> None:
    tokens = Tokens(app.sandbox)
    staying = asyncio.ensure_future(wa_ffi.keep_connected(app.client, tokens))
    await app.until(lambda what: isinstance(what, Happened.CONNECTED) or None)
    assert tokens.asked == 1
    await app.client.send(f"+{PHONE}", "first", text("Hello from Python"))
    await app.client.send(f"+{PHONE}", "first", text("Hello from Python"))
    await app.status(Status.SENT)
    await app.status(Status.DELIVERED)
    assert app.sandbox.texts() == ["Hello from Python"], app.sandbox.texts()
    app.sandbox.write(app.login, "Hello, <b>Python</b>")
    message = await app.message()
    assert isinstance(message.content, Content.TEXT)
    assert (message.content.body, message.sender) == ("Hello, <b>Python</b>", PEER), message
    await app.client.mark_read(PEER, [message.id], False)
    safety = await app.client.safety_number(PEER)
    assert safety and len(safety.digits.replace(" ", "")) == 60, safety
    assert await app.client.reach(PEER) and not await app.client.reach("+19998887766")
    await app.client.block(PEER, True)
    assert await app.client.blocklist() == [PEER]
    await app.client.block(PEER, False)
    staying.cancel()
    assert await ended(staying) == []
    await app.client.disconnect()


async def ended(task: asyncio.Future[Found]) -> list[Found]:
    """What a task came to; nothing where it was cancelled."""
    async with asyncio.timeout(20):
        try:
            return [await task]
        except asyncio.CancelledError:
            return []


@contextlib.asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[str, asyncio.Queue[str]]]:
    """A server that says nothing, and what happens to it: a connection comes, and ends."""
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait("a connection")
        while await reader.read(4096):
            pass
        heard.put_nowait("its end")
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"127.0.0.1:{port}", heard


async def cancelled_calls_end(app: Application) -> None:
    """A call that is cancelled ends in the library as well: by its task, or by a canceller."""
    await app.until(lambda what: isinstance(what, Happened.DISCONNECTED) or None)
    assert await app.client.next_event(10) is None
    async with silent_server() as (address, heard), asyncio.timeout(20):
        client = await wa_ffi.open_client(app.store.account("other"), app.sandbox.options(address))
        await client.enlist(Http(), 1, "other", app.sandbox.token("other"))
        # The task ends, and so does its attempt: the server sees the end.
        connecting = asyncio.ensure_future(client.connect("token"))
        assert await heard.get() == "a connection"
        connecting.cancel()
        assert await heard.get() == "its end"
        assert await ended(connecting) == []
        canceller = Canceller()
        connecting = asyncio.ensure_future(client.connect("token", canceller))
        assert await heard.get() == "a connection"
        canceller.cancel()
        assert await heard.get() == "its end"
        try:
            await connecting
        except WaError.Cancelled:
            pass
        await client.shut_down()


async def cancelled_waits_end(app: Application) -> None:
    # Whoever waits for the account and is cancelled does not get it when it is free.
    wanted = asyncio.ensure_future(app.lease.wanted())
    waiting = asyncio.ensure_future(app.store.lease(USER, "extension", 10_000))
    async with asyncio.timeout(20):
        await wanted
    waiting.cancel()
    assert await ended(waiting) == []
    draining = asyncio.ensure_future(wa_ffi.empty_mailbox(app.client, 3_600_000))
    draining.cancel()
    assert await ended(draining) == []
    handle = await app.client.drain(3_600_000)
    handle.cancel()
    assert await asyncio.wait_for(handle.wait(), 20) == Mailbox.TIME_UP
    try:
        await asyncio.wait_for(wa_ffi.keep_connected(app.client, Tokens(app.sandbox, gone=True)), 20)
    except WaError.NoToken:
        pass
    else:
        raise AssertionError("it stays without a token")


async def no_event_is_lost_by_cancelling(app: Application) -> None:
    """Two hundred texts, taken by calls each of which is cancelled at another moment of its life, and asked again."""
    count, shown, cancelled = 200, list[str](), 0
    await app.client.connect(app.sandbox.token())
    for number in range(count):
        app.sandbox.write(app.login, f"text {number}")
    loop = asyncio.get_running_loop()
    while len(shown) < count:
        taking = asyncio.ensure_future(taken(app.events))
        # So many turns of the loop, or so much time: the answer is on its way, is here, or has been taken.
        turns = (len(shown) + cancelled) % 7
        if turns % 2:
            loop.call_later(turns / 2_000, taking.cancel)
        else:
            for _ in range(turns):
                await asyncio.sleep(0)
            taking.cancel()
        came = await ended(taking)
        cancelled += not came
        # Cancelled again and again it would never come to anything.
        event = came[0] if came else await asyncio.wait_for(taken(app.events), 20)
        if isinstance(event.what, Happened.MESSAGE) and isinstance(event.what.content, Content.TEXT):
            shown.append(event.what.content.body)
            assert event.number is not None
            await app.client.confirm_through(event.number)
    assert shown == [f"text {number}" for number in range(count)], shown
    assert cancelled > count // 4, cancelled
    await app.client.disconnect()


async def taken(events: AsyncIterator[Event]) -> Event:
    return await anext(events)


async def wakes(app: Application) -> None:
    """Push → lease → drain → leave, in a process of its own: what was written before is there in order."""
    lost = asyncio.ensure_future(app.lease.lost())
    await app.close()
    await asyncio.wait_for(lost, 20)
    for number in range(5):
        app.sandbox.write(app.login, f"number {number}")
    await app.open()
    shown: list[str] = []

    async def take() -> None:
        async for event in app.events:
            if isinstance(event.what, Happened.MESSAGE) and isinstance(event.what.content, Content.TEXT):
                shown.append(event.what.content.body)

    await app.client.connect(app.sandbox.token())
    taking = asyncio.ensure_future(take())
    assert await wa_ffi.empty_mailbox(app.client, 20_000) == Mailbox.EMPTY
    taking.cancel()
    assert await ended(taking) == []
    assert shown == [f"number {number}" for number in range(5)], shown


class Moved(wa_ffi.Progress):
    def __init__(self) -> None:
        self.bytes: list[int] = []

    def moved(self, bytes: int) -> None:
        self.bytes.append(bytes)


async def fetches_a_file(app: Application) -> None:
    app.sandbox.control(f"phones/{PHONE}/send", {"to": app.login, "picture": {"width": 64, "height": 48}})

    def file(what: object) -> Media | None:
        if isinstance(what, Happened.MESSAGE) and isinstance(what.content, Content.FILE):
            return what.content.media
        return None

    media, progress = await app.until(file), Moved()
    files = wa_ffi.Files("1.0.3", app.sandbox.addresses["media"], str(app.directory))
    target = app.directory / "picture"
    await files.download(media, str(target), progress)
    assert target.read_bytes()[:3] == b"\xff\xd8\xff" and progress.bytes[-1] > media.length, progress.bytes
    assert await files.download_bytes(media) == target.read_bytes()
    assert repr(media.key) not in repr(files)


async def deletes(app: Application) -> None:
    await app.client.delete_account()
    try:
        await app.until(lambda what: None)
    except WaError.Ended as over:
        assert "deleted" in str(over), over


STEPS = [
    enlists,
    errors_are_typed,
    talks,
    cancelled_calls_end,
    cancelled_waits_end,
    no_event_is_lost_by_cancelling,
    wakes,
    fetches_a_file,
    deletes,
]


async def converse(sandbox: Sandbox, directory: pathlib.Path) -> None:
    app = Application(sandbox, directory)
    for step in STEPS:
        await step(app)
        print(step.__name__.replace("_", " "), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sandbox", required=True, help="the program wa-sandbox")
    with running(parser.parse_args().sandbox) as sandbox:
        with tempfile.TemporaryDirectory() as directory:
            asyncio.run(converse(sandbox, pathlib.Path(directory)))
        records = sandbox.control("deviations", method="GET")["deviations"]
        # One login was refused on purpose.
        assert len(records) == 1, json.dumps(records, indent=2)
    print(f"wa_ffi {wa_ffi.version()}: all of it works from Python", flush=True)


if __name__ == "__main__":
    main()
