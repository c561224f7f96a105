"""The package behind the protocol of shims (docs/SHIM.md): `cargo xtask bindings python` has the suite judge it.

It reads a JSON command a line and writes a JSON answer a line. `next` waits for an event by a call that it cancels when the
time is over, so that every check asks as well whether an event gets lost by that.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import pathlib
import sys
from typing import Any

import wa_ffi
from wa_ffi import Cause, Content, Event, Happened, Media, Options, Status, WaError

from sandbox import Http

CAN = ["block", "mark", "typing", "fetch", "delete", "codec", "keep", "queue", "retry"]
ACCOUNT = "conformance"
WHY = {
    Cause.IMPOSTOR: "certificate",
    Cause.TOKEN: "token",
    Cause.NOT_ENLISTED: "not_enlisted",
    Cause.BUSY: "busy",
    Cause.LOST: "lost",
}
# What the protocol has no word for, and what is no news to it.
PASSED_OVER = (Happened.CONNECTED, Happened.DEVICES_CHANGED, Happened.MAILBOX_WAITS, Happened.MAILBOX_EMPTY)


class Refused(Exception):
    def __init__(self, why: str, said: str) -> None:
        super().__init__(said)
        self.why = why


class Device:
    """The client of one user, over a store in a directory. A method a command."""

    async def open(self, **place: Any) -> None:
        self.place, self.media = place, dict[str, Media]()
        state = pathlib.Path(place["state"])
        path, key = state / "store.db", state / "store.key"
        if not path.exists():
            key.write_bytes(wa_ffi.new_store_key())
            wa_ffi.Store.create(str(path), key.read_bytes())
        self.store = wa_ffi.Store.open(str(path), key.read_bytes())
        root = bytes.fromhex(place["noise_root"])
        options = Options(profile=place["profile"], chat=place["chat"], root=root, enlist=place["enlist"])
        self.client = await wa_ffi.open_client(self.store.account(ACCOUNT), options)
        self.events = wa_ffi.Events(self.client)

    async def enlist(self, user: str, token: str) -> dict[str, Any]:
        return {"login": await self.client.enlist(Http(), self.place["integrator"], user, token)}

    async def connect(self, token: str) -> None:
        await self.client.connect(token)

    async def disconnect(self) -> None:
        await self.client.disconnect()

    async def send(self, to: str, id: str, text: str) -> None:
        await self.client.send(f"+{to}", id, Content.TEXT(body=text, reply=None, mentions=[]))

    async def next(self, within: int) -> dict[str, Any]:
        """The next event that the protocol knows; it is confirmed before it is given."""
        try:
            async with asyncio.timeout(within / 1000):
                while True:
                    event = await anext(self.events)
                    said = self.said(event)
                    if said:
                        break
        except TimeoutError:
            return {}
        if event.number is not None:
            await self.client.confirm_through(event.number)
        return {"event": said}

    async def blocklist(self) -> dict[str, Any]:
        return {"blocked": [number(user) for user in await self.client.blocklist()]}

    async def block(self, user: str) -> None:
        await self.client.block(f"+{user}", True)

    async def unblock(self, user: str) -> None:
        await self.client.block(f"+{user}", False)

    async def mark(self, ids: list[str], **more: str) -> None:
        await self.client.mark_read(f"+{more['from']}", ids, False)

    async def typing(self, to: str) -> None:
        await self.client.typing(f"+{to}", True)

    async def fetch(self, id: str) -> dict[str, Any]:
        files = wa_ffi.Files(self.place["profile"], self.place["media"], self.place["state"])
        plain = await files.download_bytes(self.media[id])
        return {"sha256": hashlib.sha256(plain).hexdigest()}

    async def delete(self) -> None:
        await self.client.delete_account()

    async def decode(self, bytes: str) -> dict[str, Any]:
        try:
            return {"xml": wa_ffi.decode_stanza(bytes_of(bytes))}
        except WaError.Argument as error:
            raise Refused("other", error.why) from None

    async def encode(self, xml: str) -> dict[str, Any]:
        return {"bytes": wa_ffi.encode_stanza(xml).hex()}

    def said(self, event: Event) -> dict[str, Any] | None:
        """What the protocol says of an event; nothing for what it passes over."""
        match event.what:
            case Happened.MESSAGE(sender=sender, id=id, content=Content.TEXT(body=body)):
                return {"is": "text", "from": number(sender), "id": id, "text": body}
            case Happened.MESSAGE(sender=sender, id=id, content=Content.FILE(media=media)):
                self.media[id] = media
                return {"is": "media", "from": number(sender), "id": id}
            case Happened.RECEIPT(by=by, ids=ids, status=Status.DELIVERED):
                return {"is": "delivered", "by": number(by), "ids": ids}
            case Happened.RECEIPT(by=by, ids=ids, status=Status.READ):
                return {"is": "read", "by": number(by), "ids": ids}
            case Happened.TYPING(sender=sender, is_active=is_active):
                return {"is": "typing", "from": number(sender)} if is_active else None
            case Happened.UNDECRYPTABLE(sender=sender, id=id):
                return {"is": "undecryptable", "from": number(sender), "id": id}
            case Happened.DISCONNECTED(why=why):
                return {"is": "disconnected", "said": why}
            case Happened.RECEIPT():
                return None
        return None if isinstance(event.what, PASSED_OVER) else {"is": "other", "said": str(event.what)}


def number(address: str) -> str:
    return address.split("@")[0]


def bytes_of(text: str) -> bytes:
    return bytes.fromhex(text)


async def answer(device: Device, line: str) -> dict[str, Any]:
    command = json.loads(line)
    try:
        return {"ok": await getattr(device, command.pop("do"))(**command) or {}}
    except Refused as refused:
        return {"refused": {"why": refused.why, "said": str(refused)}}
    except WaError.Disconnected as ended:
        return {"refused": {"why": WHY.get(ended.reason, "other"), "said": ended.why}}
    except (WaError.Refused, WaError.Enlistment) as refused:
        return {"refused": {"why": "other", "said": refused.why}}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}


async def serve() -> None:
    print(json.dumps({"hello": 1, "name": f"wa_ffi {wa_ffi.version()} in Python", "can": CAN}), flush=True)
    device = Device()
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await answer(device, line)), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
