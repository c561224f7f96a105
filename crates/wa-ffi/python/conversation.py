"""A conversation through the Python bindings, against a local WhatsApp that runs strict: what an application does.

`cargo xtask bindings python` makes the bindings and runs this.
"""

import argparse
import asyncio
import json
import pathlib
import subprocess
import tempfile
import urllib.error
import urllib.request

import wa_ffi
from wa_ffi import Content, Happened, Mailbox, NoToken, Status, WaError

USER, PHONE = "python", "14155551002"
PEER = f"{PHONE}@s.whatsapp.net"


class Http(wa_ffi.Http):
    """HTTP as this platform has it: no TLS stack of the library's is used."""

    async def send(self, question):
        return await asyncio.to_thread(self.send_now, question)

    def send_now(self, question):
        headers = {header.name: header.value for header in question.headers}
        request = urllib.request.Request(question.url, question.body, headers, method=question.method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return self.answer(answer.status, answer)
        except urllib.error.HTTPError as refused:
            return self.answer(refused.code, refused)
        except urllib.error.URLError:
            raise wa_ffi.HttpFailed.Unreachable()

    @staticmethod
    def answer(status, answer):
        headers = [wa_ffi.HttpHeader(name=name, value=value) for name, value in answer.headers.items()]
        return wa_ffi.HttpAnswer(status=status, headers=headers, body=answer.read())


class Sandbox:
    """What a WhatsApp user's fingers would do, and the service's own backend."""

    def __init__(self, addresses):
        self.addresses = addresses

    def ask(self, base, path, body=None, method="POST"):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(base + path, data, {"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def token(self):
        return self.ask(self.addresses["integrator"], "/token", {"user": USER})["token"]

    def control(self, path, body=None, method="POST"):
        return self.ask(self.addresses["control"], path, body, method)

    def write(self, login, text):
        self.control(f"phones/{PHONE}/send", {"to": login, "text": text})

    def texts(self):
        received = self.control(f"phones/{PHONE}", method="GET")["received"]
        return [it["content"]["text"] for it in received if "text" in it["content"]]


class Tokens(wa_ffi.Tokens):
    def __init__(self, sandbox, gone=False):
        self.sandbox, self.gone, self.asked = sandbox, gone, 0

    async def fetch(self):
        self.asked += 1
        if self.gone:
            raise NoToken.Never()
        return await asyncio.to_thread(self.sandbox.token)


class Application:
    def __init__(self, sandbox, directory):
        self.sandbox, self.path, self.key = sandbox, str(directory / "store.db"), wa_ffi.new_store_key()
        addresses = sandbox.addresses
        self.options = wa_ffi.Options(
            profile="1.0.3",
            chat=addresses["chat"],
            root=bytes.fromhex(addresses["noise_root"]),
            enlist=addresses["enlist"],
        )

    async def open(self):
        self.store = wa_ffi.Store.open(self.path, self.key)
        self.lease = await self.store.lease(USER, "app", 10_000)
        self.client = await wa_ffi.open_client(self.lease.account(), self.options)
        self.login = await self.client.enlist(Http(), 1, USER, self.sandbox.token())

    async def close(self):
        await self.client.shut_down()
        await self.lease.release()
        await self.store.shut_down()

    async def until(self, wanted):
        """Takes events, confirming each, until one is wanted."""
        while True:
            event = await self.client.next_event(20_000)
            assert event is not None, "nothing comes"
            if event.number is not None:
                await self.client.confirm_through(event.number)
            found = wanted(event.what)
            if found is not None:
                return found

    async def text(self):
        def body(what):
            if isinstance(what, Happened.MESSAGE) and isinstance(what.content, Content.TEXT):
                return what.content.body, what
            return None

        return await self.until(body)

    async def status(self, wanted):
        def found(what):
            return True if isinstance(what, Happened.RECEIPT) and what.status == wanted else None

        return await self.until(found)


def text(body):
    return Content.TEXT(body=body, reply=None, mentions=[])


async def enlists(app):
    wa_ffi.Store.create(app.path, app.key)
    await app.open()
    assert app.login.startswith("1-") and app.login.endswith("@interop"), app.login
    assert await app.client.login() == app.login


async def errors_are_typed(app):
    for wrong, error in [
        (lambda: wa_ffi.Store.open(app.path, bytes(32)), WaError.Store),
        (lambda: wa_ffi.Store.open(app.path, b"short"), WaError.Argument),
        (lambda: wa_ffi.Store.open("/nowhere/at/all", app.key), WaError.Store),
        (lambda: app.store.try_lease(USER, "extension", 10_000), WaError.Held),
    ]:
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
    except WaError.Disconnected as thrown:
        assert thrown.is_final, thrown
    else:
        raise AssertionError("a bad token was taken")


async def talks(app):
    tokens = Tokens(app.sandbox)
    staying = await app.client.stay_connected(tokens)
    await app.until(lambda what: True if isinstance(what, Happened.CONNECTED) else None)
    assert tokens.asked == 1
    await app.client.send(f"+{PHONE}", "first", text("Hello from Python"))
    await app.client.send(f"+{PHONE}", "first", text("Hello from Python"))
    await app.status(Status.SENT)
    await app.status(Status.DELIVERED)
    assert app.sandbox.texts() == ["Hello from Python"], app.sandbox.texts()
    app.sandbox.write(app.login, "Hello, <b>Python</b>")
    body, message = await app.text()
    assert (body, getattr(message, "_from", None) or message.from_) == ("Hello, <b>Python</b>", PEER), message
    await app.client.mark_read(PEER, [message.id], False)
    safety = await app.client.safety_number(PEER)
    assert len(safety.digits.replace(" ", "")) == 60, safety
    assert await app.client.reach(PEER) and not await app.client.reach("+19998887766")
    await app.client.block(PEER, True)
    assert await app.client.blocklist() == [PEER]
    await app.client.block(PEER, False)
    staying.cancel()
    await asyncio.wait_for(staying.ended(), 20)
    await app.client.disconnect()


async def cancels(app):
    await app.until(lambda what: True if isinstance(what, Happened.DISCONNECTED) else None)
    assert await app.client.next_event(10) is None
    draining = await app.client.drain(3_600_000)
    draining.cancel()
    assert await asyncio.wait_for(draining.wait(), 20) == Mailbox.TIME_UP
    staying = await app.client.stay_connected(Tokens(app.sandbox, gone=True))
    try:
        await asyncio.wait_for(staying.ended(), 20)
    except WaError.NoToken:
        pass
    else:
        raise AssertionError("it stays without a token")


async def wakes(app):
    """Push → lease → drain → leave, in a process of its own: what was written before is there in order."""
    lost = asyncio.ensure_future(app.lease.lost())
    await app.close()
    await asyncio.wait_for(lost, 20)
    for number in range(5):
        app.sandbox.write(app.login, f"number {number}")
    await app.open()
    shown = []

    async def take(drained):
        while not drained.done():
            event = await app.client.next_event(50)
            if event and isinstance(event.what, Happened.MESSAGE):
                shown.append(event.what.content.body)
            if event and event.number is not None:
                await app.client.confirm_through(event.number)

    await app.client.connect(app.sandbox.token())
    draining = await app.client.drain(20_000)
    drained = asyncio.ensure_future(draining.wait())
    await take(drained)
    assert await drained == Mailbox.EMPTY
    assert shown == [f"number {number}" for number in range(5)], shown


async def sends_files(app, directory):
    if not hasattr(wa_ffi, "Files"):
        return
    addresses, sandbox = app.sandbox.addresses, app.sandbox
    sandbox.control(f"phones/{PHONE}/send", {"to": app.login, "picture": {"width": 64, "height": 48}})
    media = await app.until(
        lambda what: what.content.media
        if isinstance(what, Happened.MESSAGE) and isinstance(what.content, Content.FILE)
        else None
    )
    moved = []

    class Progress(wa_ffi.Progress):
        def moved(self, bytes):
            moved.append(bytes)

    files = wa_ffi.Files("1.0.3", addresses["media"], str(directory))
    target = directory / "picture"
    await files.download(media, str(target), Progress())
    assert target.read_bytes()[:3] == b"\xff\xd8\xff" and moved[-1] > media.length, moved
    assert await files.download_bytes(media) == target.read_bytes()
    assert repr(media.key) not in repr(files)


async def deletes(app):
    await app.client.delete_account()
    try:
        while True:
            await app.client.next_event(20_000)
    except WaError.Ended as ended:
        assert "deleted" in str(ended), ended


async def converse(sandbox, directory):
    # What the library calls from its own threads (tokens, progress) runs on this loop.
    wa_ffi.uniffi_set_event_loop(asyncio.get_running_loop())
    app = Application(sandbox, directory)
    steps = [enlists, errors_are_typed, talks, cancels, wakes]
    for step in steps:
        await step(app)
        print(step.__name__.replace("_", " "), flush=True)
    await sends_files(app, directory)
    print("fetches a file", flush=True)
    await deletes(app)
    print("deletes", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sandbox", required=True, help="the program wa-sandbox")
    arguments = arguments.parse_args()
    command = [arguments.sandbox, "--port", "0", "--strict"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        try:
            sandbox = Sandbox(json.loads(running.stdout.readline()))
            with tempfile.TemporaryDirectory() as directory:
                asyncio.run(converse(sandbox, pathlib.Path(directory)))
            records = sandbox.control("deviations", method="GET")["deviations"]
            # One login was refused on purpose.
            assert len(records) == 1, json.dumps(records, indent=2)
        finally:
            running.terminate()
    print(f"wa_ffi {wa_ffi.version()}: all of it works from Python", flush=True)


if __name__ == "__main__":
    main()
