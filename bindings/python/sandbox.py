"""A local WhatsApp to try the package with, and what a platform brings: HTTP and tokens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import wa_ffi
from wa_ffi import HttpAnswer, HttpFailed, HttpHeader, HttpQuestion, NoToken, Options

USER, PHONE = "python", "14155551003"
PEER = f"{PHONE}@s.whatsapp.net"


class Http(wa_ffi.Http):
    """HTTP as this platform has it: no TLS stack of the library's is used."""

    async def send(self, question: HttpQuestion) -> HttpAnswer:
        return await asyncio.to_thread(self.send_now, question)

    def send_now(self, question: HttpQuestion) -> HttpAnswer:
        headers = {header.name: header.value for header in question.headers}
        request = urllib.request.Request(question.url, question.body, headers, method=question.method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return self.answer(answer.status, answer)
        except urllib.error.HTTPError as refused:
            return self.answer(refused.code, refused)
        except urllib.error.URLError:
            raise HttpFailed.Unreachable() from None

    @staticmethod
    def answer(status: int, answer: Any) -> HttpAnswer:
        headers = [HttpHeader(name=name, value=value) for name, value in answer.headers.items()]
        return HttpAnswer(status=status, headers=headers, body=answer.read())


class Sandbox:
    """What a WhatsApp user's fingers would do, and the service's own backend."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.addresses = addresses

    def ask(self, base: str, path: str, body: Any = None, method: str = "POST") -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(base + path, data, {"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def token(self, user: str = USER) -> str:
        token: str = self.ask(self.addresses["integrator"], "/token", {"user": user})["token"]
        return token

    def control(self, path: str, body: Any = None, method: str = "POST") -> Any:
        return self.ask(self.addresses["control"], path, body, method)

    def write(self, login: str, text: str) -> None:
        self.control(f"phones/{PHONE}/send", {"to": login, "text": text})

    def texts(self) -> list[str]:
        received = self.control(f"phones/{PHONE}", method="GET")["received"]
        return [it["content"]["text"] for it in received if "text" in it["content"]]

    def options(self, chat: str | None = None) -> Options:
        return Options(
            profile="1.0.3",
            chat=chat or self.addresses["chat"],
            root=bytes.fromhex(self.addresses["noise_root"]),
            enlist=self.addresses["enlist"],
        )


class Tokens(wa_ffi.Tokens):
    def __init__(self, sandbox: Sandbox, gone: bool = False) -> None:
        self.sandbox, self.gone, self.asked = sandbox, gone, 0

    async def fetch(self) -> str:
        self.asked += 1
        if self.gone:
            raise NoToken.Never()
        return await asyncio.to_thread(self.sandbox.token)


@contextlib.contextmanager
def running(program: str) -> Iterator[Sandbox]:
    """The program wa-sandbox, strict, until the block is left."""
    command = [program, "--port", "0", "--strict"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield Sandbox(json.loads(process.stdout.readline()))
        finally:
            process.terminate()
