"""Third-party chats with WhatsApp: the client, for asyncio. Written by stubs.py from the library's own interface."""

import enum
import typing

from .aio import (
    Events as Events,
    empty_mailbox as empty_mailbox,
    keep_connected as keep_connected,
    open_client as open_client,
)

class AddedDevice:
    """A device and its identity key."""
    device: int
    identity: bytes
    def __init__(self, *, device: int, identity: bytes) -> None: ...

class Cause(enum.Enum):
    """How a connection ended, as far as an application acts on it."""
    IMPOSTOR = 0
    TOKEN = 1
    NOT_ENLISTED = 2
    BUSY = 3
    REPLACED = 4
    LOST = 5
    CLOSED = 6
    OTHER = 7

class Reply:
    """The message that is answered."""
    message: str
    author: str
    quoted: bytes
    def __init__(self, *, message: str, author: str, quoted: bytes) -> None: ...

class Kind(enum.Enum):
    """Kinds of media."""
    IMAGE = 0
    VIDEO = 1
    GIF = 2
    AUDIO = 3
    VOICE = 4
    DOCUMENT = 5
    STICKER = 6

class Media:
    """A file that a message carries. `key` and the path are all that it takes to read it."""
    kind: Kind
    direct_path: str
    key: bytes
    sha256: bytes
    enc_sha256: bytes
    length: int
    mime: str
    caption: typing.Optional[str]
    file_name: typing.Optional[str]
    width: typing.Optional[int]
    height: typing.Optional[int]
    seconds: typing.Optional[int]
    thumbnail: typing.Optional[bytes]
    sidecar: typing.Optional[bytes]
    waveform: typing.Optional[bytes]
    reply: typing.Optional[Reply]
    mentions: typing.List[str]
    def __init__(self, *, kind: Kind, direct_path: str, key: bytes, sha256: bytes, enc_sha256: bytes, length: int, mime: str, caption: typing.Optional[str], file_name: typing.Optional[str], width: typing.Optional[int], height: typing.Optional[int], seconds: typing.Optional[int], thumbnail: typing.Optional[bytes], sidecar: typing.Optional[bytes], waveform: typing.Optional[bytes], reply: typing.Optional[Reply], mentions: typing.List[str]) -> None: ...

class Content:
    """The decrypted body of a message."""
    class TEXT(Content):
        """Text, perhaps in reply to something."""
        body: str
        reply: typing.Optional[Reply]
        mentions: typing.List[str]
        def __init__(self, body: str, reply: typing.Optional[Reply], mentions: typing.List[str]) -> None: ...
    class REACTION(Content):
        """A reaction to a message."""
        message: str
        by_sender: bool
        emoji: str
        def __init__(self, message: str, by_sender: bool, emoji: str) -> None: ...
    class EDIT(Content):
        """New text for an earlier message of the same sender."""
        message: str
        body: str
        reply: typing.Optional[Reply]
        mentions: typing.List[str]
        def __init__(self, message: str, body: str, reply: typing.Optional[Reply], mentions: typing.List[str]) -> None: ...
    class REVOKE(Content):
        """An earlier message of the same sender is taken back."""
        message: str
        def __init__(self, message: str) -> None: ...
    class FILE(Content):
        """A file, which lies elsewhere."""
        media: Media
        def __init__(self, media: Media) -> None: ...
    class UNKNOWN(Content):
        """What this version does not read, as its protobuf bytes."""
        protobuf: bytes
        def __init__(self, protobuf: bytes) -> None: ...

class Status(enum.Enum):
    """What became of a message."""
    SENT = 0
    DELIVERED = 1
    READ = 2
    PLAYED = 3
    MEDIA_UNAVAILABLE = 4

class Happened:
    """What a client says to its application."""
    class CONNECTED(Happened):
        """The login stands; messages flow."""
        def __init__(self) -> None: ...
    class DISCONNECTED(Happened):
        """The connection ended."""
        why: str
        reason: Cause
        is_final: bool
        def __init__(self, why: str, reason: Cause, is_final: bool) -> None: ...
    class MESSAGE(Happened):
        """A message has come."""
        sender: str
        device: int
        id: str
        timestamp: int
        content: Content
        is_accepted: bool
        push_name: typing.Optional[str]
        waited: bool
        def __init__(self, sender: str, device: int, id: str, timestamp: int, content: Content, is_accepted: bool, push_name: typing.Optional[str], waited: bool) -> None: ...
    class MAILBOX_WAITS(Happened):
        """So many messages wait in the mailbox."""
        messages: int
        def __init__(self, messages: int) -> None: ...
    class MAILBOX_EMPTY(Happened):
        """All that was in the mailbox has been told."""
        def __init__(self) -> None: ...
    class RECEIPT(Happened):
        """A receipt for messages we sent."""
        by: str
        ids: typing.List[str]
        status: Status
        def __init__(self, by: str, ids: typing.List[str], status: Status) -> None: ...
    class IDENTITY_CHANGED(Happened):
        """A peer has another identity key: what was verified about them holds no longer."""
        peer: str
        device: int
        identity: typing.Optional[bytes]
        def __init__(self, peer: str, device: int, identity: typing.Optional[bytes]) -> None: ...
    class DEVICES_CHANGED(Happened):
        """Messages to a peer go to other devices from now on."""
        peer: str
        added: typing.List[AddedDevice]
        removed: typing.List[int]
        is_first: bool
        def __init__(self, peer: str, added: typing.List[AddedDevice], removed: typing.List[int], is_first: bool) -> None: ...
    class SAME_USER(Happened):
        """Two addresses are one user's: from now on both lead to the first."""
        peer: str
        other: str
        def __init__(self, peer: str, other: str) -> None: ...
    class REACHED(Happened):
        """A user makes themselves known: they can be written to."""
        sender: str
        display_name: typing.Optional[str]
        def __init__(self, sender: str, display_name: typing.Optional[str]) -> None: ...
    class UNDECRYPTABLE(Happened):
        """A message could not be decrypted."""
        sender: str
        id: str
        why: str
        is_hidden: bool
        def __init__(self, sender: str, id: str, why: str, is_hidden: bool) -> None: ...
    class FAILED(Happened):
        """A message of ours did not leave, and never will."""
        to: str
        id: str
        why: str
        def __init__(self, to: str, id: str, why: str) -> None: ...
    class WAITING(Happened):
        """Messages to a peer wait."""
        peer: str
        why: str
        def __init__(self, peer: str, why: str) -> None: ...
    class TYPING(Happened):
        """What a peer is doing right now."""
        sender: str
        is_active: bool
        def __init__(self, sender: str, is_active: bool) -> None: ...
    class OTHER(Happened):
        """Something else, in words for a log."""
        what: str
        def __init__(self, what: str) -> None: ...

class Event:
    """Something that happened. One with a number is told again after a restart until it is confirmed."""
    number: typing.Optional[int]
    what: Happened
    def __init__(self, *, number: typing.Optional[int], what: Happened) -> None: ...

class HttpHeader:
    """One header of a request or an answer."""
    name: str
    value: str
    def __init__(self, *, name: str, value: str) -> None: ...

class HttpAnswer:
    """An answer with its whole body."""
    status: int
    headers: typing.List[HttpHeader]
    body: bytes
    def __init__(self, *, status: int, headers: typing.List[HttpHeader], body: bytes) -> None: ...

class HttpQuestion:
    """A request. It may hold what nobody else should read: a token, a credential."""
    method: str
    url: str
    headers: typing.List[HttpHeader]
    body: bytes
    def __init__(self, *, method: str, url: str, headers: typing.List[HttpHeader], body: bytes) -> None: ...

class Options:
    """Under which rules, and with whom, a client speaks."""
    profile: str
    chat: typing.Optional[str]
    root: typing.Optional[bytes]
    enlist: typing.Optional[str]
    hold_new_identities: bool
    def __init__(self, *, profile: str, chat: typing.Optional[str]=..., root: typing.Optional[bytes]=..., enlist: typing.Optional[str]=..., hold_new_identities: bool=...) -> None: ...

class Safety:
    """What two people compare to know that nobody stands between them."""
    digits: str
    scannable: bytes
    def __init__(self, *, digits: str, scannable: bytes) -> None: ...

class Told:
    """An event, and its turn among those that a client object has told."""
    turn: int
    event: Event
    def __init__(self, *, turn: int, event: Event) -> None: ...

class HttpFailed(Exception):
    """Why there is no answer."""
    class Unreachable(HttpFailed):
        """There was no connection: the request has not arrived."""
        def __init__(self) -> None: ...
    class TimedOut(HttpFailed):
        """It took too long."""
        def __init__(self) -> None: ...
    class Interrupted(HttpFailed):
        """The connection ended before the answer was whole."""
        def __init__(self) -> None: ...

class Mailbox(enum.Enum):
    """How far a mailbox was emptied."""
    EMPTY = 0
    TIME_UP = 1

class NoToken(Exception):
    """Why there is no token."""
    class Later(NoToken):
        """There is none now; it is asked for again later."""
        def __init__(self) -> None: ...
    class Never(NoToken):
        """There will be none: the user has left, or must log in anew."""
        def __init__(self) -> None: ...

class WaError(Exception):
    """Why something was not done; `why` is for people and logs."""
    class Argument(WaError):
        """An argument is malformed: an address, a key, a profile. The caller's fault."""
        why: str
        def __init__(self, why: str) -> None: ...
    class Store(WaError):
        """The store could not be opened, or failed for good."""
        why: str
        def __init__(self, why: str) -> None: ...
    class Restored(WaError):
        """The store is an older copy that was put back."""
        def __init__(self) -> None: ...
    class Held(WaError):
        """Another process holds the account."""
        holder: str
        left_millis: int
        def __init__(self, holder: str, left_millis: int) -> None: ...
    class NotReady(WaError):
        """The account cannot connect as it is: it is not enlisted, or connected already. The caller's fault."""
        why: str
        def __init__(self, why: str) -> None: ...
    class Unreachable(WaError):
        """There is no way to the server."""
        why: str
        def __init__(self, why: str) -> None: ...
    class Disconnected(WaError):
        """The connection ended."""
        why: str
        reason: Cause
        is_final: bool
        def __init__(self, why: str, reason: Cause, is_final: bool) -> None: ...
    class Refused(WaError):
        """WhatsApp refused, or gave no answer."""
        why: str
        code: typing.Optional[int]
        def __init__(self, why: str, code: typing.Optional[int]) -> None: ...
    class Unsendable(WaError):
        """What was to be sent cannot be: the same again is refused again."""
        why: str
        def __init__(self, why: str) -> None: ...
    class NoToken(WaError):
        """There is no token, and will not be."""
        def __init__(self) -> None: ...
    class Enlistment(WaError):
        """The account could not be enlisted."""
        why: str
        def __init__(self, why: str) -> None: ...
    class Media(WaError):
        """A file was not sent or fetched."""
        why: str
        def __init__(self, why: str) -> None: ...
    class Cancelled(WaError):
        """A `Canceller` ended the call."""
        def __init__(self) -> None: ...
    class Fenced(WaError):
        """Another process owns the account by now."""
        def __init__(self) -> None: ...
    class Ended(WaError):
        """The client has ended."""
        why: str
        def __init__(self, why: str) -> None: ...

class Account:
    """One account of a store: what a client is opened on."""

class Canceller:
    """What ends calls that take long, where the language's own cancellation does not: those that it was given to, and those that
    it is given to later. In Kotlin and Python a cancelled coroutine or task ends its call without it.
    """
    def __init__(self) -> None:
        """One that has not been used."""
    def cancel(self) -> None:
        """Ends the calls; each throws `Cancelled`."""

class Draining:
    """A mailbox that is being emptied."""
    def cancel(self) -> None:
        """Waits no longer; nothing is changed by it."""
    async def wait(self) -> Mailbox:
        """Waits until the mailbox is empty, or there is no time left.

        # Errors
        The client has ended.
        """

class Http:
    """Sends one request and waits for the whole answer. It follows no redirects, and bounds the answer's body; any status is
    an answer. The platform implements it.
    """
    async def send(self, question: HttpQuestion) -> HttpAnswer:
        """Sends a request and returns its whole answer."""

class Tokens:
    """Where tokens and credentials come from: the service's own server, asked anew each time. The platform implements it."""
    async def fetch(self) -> str:
        """One that has not been used yet."""

class Staying:
    """A client that is kept connected."""
    def cancel(self) -> None:
        """Ends the attempts; a connection that stands stays."""
    async def ended(self) -> None:
        """Waits for the end: it ends when it is cancelled, or when trying again cannot help.

        # Errors
        Why that cannot help; none where it was cancelled.
        """

class Client:
    """One account's client. It ends with `shut_down`, or with this object."""
    async def accept_identity(self, peer: str, key: bytes) -> None:
        """Accepts a peer's new identity: what is held because of it goes out. `address` has the device's number.

        # Errors
        The client has ended.
        """
    async def block(self, who: str, is_blocked: bool) -> None:
        """Blocks somebody, or no longer.

        # Errors
        See `blocklist`.
        """
    async def blocklist(self) -> typing.List[str]:
        """Whom the user has blocked.

        # Errors
        There is no connection, or WhatsApp refuses; so for all that follow.
        """
    async def confirm_through(self, number: int) -> None:
        """Says that this event and every one before it were dealt with; returns when that is durable.

        # Errors
        The client has ended.
        """
    async def connect(self, token: str, canceller: typing.Optional[Canceller]=...) -> None:
        """Connects and logs in with a fresh token, once.

        # Errors
        Why the login does not stand.
        """
    async def delete_account(self) -> None:
        """Deletes the account on WhatsApp, and every row of it here.

        # Errors
        See `blocklist`.
        """
    async def disconnect(self) -> None:
        """Ends the connection, or the attempt to make one.

        # Errors
        The client has ended.
        """
    async def drain(self, budget_millis: int) -> Draining:
        """Empties the mailbox beside the loop that takes the events, for so long at most."""
    async def enlist(self, http: Http, integrator: int, user: str, token: str) -> str:
        """Has the account enlisted over the platform's HTTP, if it has no login yet; gives the login.

        # Errors
        WhatsApp refuses, or does not answer.
        """
    async def event_after(self, turn: int, canceller: typing.Optional[Canceller]=...) -> Told:
        """The event after this turn, 0 before the first; waits as long as it takes. The turn before it is done with.

        Cancel it as you like: an event whose answer was lost is the answer to the next call with the same turn. The streams
        of each language (`Events`) are this call in a loop.

        # Errors
        Why there will be none any more; `Cancelled`.
        """
    async def login(self) -> typing.Optional[str]:
        """The login that WhatsApp assigned; none before the enlistment.

        # Errors
        The client has ended.
        """
    async def mark_read(self, _from: str, ids: typing.List[str], played: bool) -> None:
        """Says that the user has read messages, or played them.

        # Errors
        The client has ended.
        """
    async def next_event(self, within_millis: int) -> typing.Optional[Event]:
        """The next event; none if none comes within this time. One call at a time.

        Give it a time instead of cancelling it: the event that was on its way to a cancelled call comes again only when the
        account is opened again. `event_after` can be cancelled.

        # Errors
        Why there will be none any more.
        """
    async def reach(self, who: str) -> bool:
        """Pings a WhatsApp user who does not know this one yet; whether there is one.

        # Errors
        See `blocklist`.
        """
    async def safety_number(self, peer: str) -> typing.Optional[Safety]:
        """What to compare with a peer; none before the first contact.

        # Errors
        The client has ended.
        """
    async def send(self, to: str, id: str, content: Content) -> None:
        """Sends content; returns when it is durable. The same id again is the same message. `to` is an address, or a phone
        number with a +.

        # Errors
        It is too long, or the client has ended.
        """
    async def shut_down(self) -> None:
        """Ends the client: what is under way becomes durable first."""
    async def stay_connected(self, tokens: Tokens) -> Staying:
        """Connects, and again whenever the connection ends, until that cannot help or it is cancelled."""
    async def typing(self, to: str, is_active: bool) -> None:
        """Shows what the user is doing right now, if there is a connection.

        # Errors
        The client has ended.
        """

class Progress:
    """Hears how far a transfer is. The platform implements it."""
    def moved(self, bytes: int) -> None:
        """So many bytes of the encrypted file have travelled."""

class Files:
    """Sends and fetches files."""
    def __init__(self, profile: str, origin: typing.Optional[str], directory: str) -> None:
        """Under a profile's rules; `origin` is where WhatsApp users' files lie, if not at WhatsApp's media host, and
        `directory` where encrypted files are on their way.

        # Errors
        The profile is malformed.
        """
    async def download(self, media: Media, path: str, progress: typing.Optional[Progress]=..., canceller: typing.Optional[Canceller]=...) -> None:
        """Fetches, verifies and decrypts a file to a path.

        # Errors
        It is gone, was changed, or cannot be written.
        """
    async def download_bytes(self, media: Media, canceller: typing.Optional[Canceller]=...) -> bytes:
        """Fetches, verifies and decrypts a file into memory.

        # Errors
        As `download`.
        """
    async def upload(self, path: str, server: str, integrator: int, credentials: Tokens, progress: typing.Optional[Progress]=..., canceller: typing.Optional[Canceller]=...) -> Media:
        """Encrypts the file at a path and brings it to the service's server; gives what a message carries, with type, size,
        duration and thumbnail.

        # Errors
        The file cannot be read, or the server does not take it.
        """

class Lease:
    """An account that this process holds until it releases it or is overtaken."""
    def account(self) -> Account:
        """The account that is held."""
    async def lost(self) -> None:
        """Waits until the account is another's, or was released."""
    async def release(self) -> None:
        """Gives the account back; others can take it when this returns."""
    async def wanted(self) -> None:
        """Waits until another process asks for the account, or has it."""

class Store:
    """Many accounts in one file, every value encrypted with a key of the caller's."""
    @classmethod
    def create(cls, path: str, key: bytes) -> Store:
        """Makes a store at a path where nothing is.

        # Errors
        There is a file, or it cannot be made; the key has not 32 bytes.
        """
    @classmethod
    def open(cls, path: str, key: bytes) -> Store:
        """Opens a store that is there.

        # Errors
        There is none, it is damaged, newer, or an older copy, or the key is another's.
        """
    def account(self, name: str) -> Account:
        """The account of this name, taken from its present owner. Where several processes take turns, `lease` is the way.

        # Errors
        The file cannot be written; the name has not 1 to 128 bytes.
        """
    async def lease(self, name: str, holder: str, term_millis: int, canceller: typing.Optional[Canceller]=...) -> Lease:
        """Takes the account as `try_lease` does, but waits for the other holder, who is told.

        # Errors
        The file cannot be written; `Cancelled`.
        """
    def number(self) -> int:
        """How far the store has come: kept elsewhere, it recognises a snapshot that was put back."""
    async def shut_down(self) -> None:
        """Lets go of the files. Call it before the process is suspended: no lock is held then."""
    def try_lease(self, name: str, holder: str, term_millis: int) -> Lease:
        """Takes the account if no other holder has it; `holder` is this process's part ("app", "extension").

        # Errors
        `Held`, or the file cannot be written.
        """

def decode_stanza(bytes: bytes) -> str:
    """The XML of a stanza's bytes, which begin behind the byte of flags.

    # Errors
    They are no stanza.
    """

def encode_stanza(xml: str) -> bytes:
    """The bytes of a stanza in XML, with only its addresses packed.

    # Errors
    It is no XML, or no stanza.
    """

def new_store_key() -> bytes:
    """A fresh key, 32 bytes. Keep it where the platform keeps secrets: without it the store is lost."""

def version() -> str:
    """The version of this library."""
