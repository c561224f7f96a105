"""What asyncio adds to the generated interface: events as an iterator, and calls that end with their task.

A task that is cancelled while it awaits a call ends that call in the library as well: the attempt to connect, the transfer of
a file, the wait for a lease.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from .wa_ffi import wa_ffi as _untyped

if TYPE_CHECKING:
    from . import Account, Client, Event, Mailbox, Options, Tokens

_generated: Any = _untyped


async def open_client(account: Account, options: Options) -> Client:
    """Opens the account's client, and makes the account where there is none.

    What the library calls from its own threads, `Tokens` and `Http`, runs on the loop that this is called on.
    """
    _generated.uniffi_set_event_loop(asyncio.get_running_loop())
    client: Client = await _generated.open_client(account, options)
    return client


class Events(AsyncIterator["Event"]):
    """The events of a client, one loop at a time: `async for event in Events(client)`.

    An event is confirmed when the next one is asked for; one on which the loop is left is confirmed by the next confirmation,
    or told again when the account is opened again. The iterator may be cancelled and asked again: no event is lost.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._turn = 0
        self._unconfirmed: int | None = None

    async def __anext__(self) -> Event:
        if self._unconfirmed is not None:
            await self._client.confirm_through(self._unconfirmed)
            self._unconfirmed = None
        told = await self._client.event_after(self._turn)
        # Nothing is awaited from here on: a told event is a handed out one.
        self._turn, self._unconfirmed = told.turn, told.event.number
        return told.event


async def keep_connected(client: Client, tokens: Tokens) -> None:
    """Connects, and again whenever the connection ends; raises why that cannot help any more. Ends with its task."""
    staying = await client.stay_connected(tokens)
    try:
        await staying.ended()
    finally:
        staying.cancel()


async def empty_mailbox(client: Client, budget_millis: int) -> Mailbox:
    """Empties the mailbox beside the loop that takes the events, for so long at most. Ends with its task."""
    draining = await client.drain(budget_millis)
    try:
        return await draining.wait()
    finally:
        draining.cancel()
