"""The binary form of stanzas: nodes with attributes and content (overview §2.1.2)."""

import pathlib
import zlib
from dataclasses import dataclass, field

DICTIONARY = pathlib.Path(__file__).parents[2] / "crates/wa-binary/data/tokens-v3.tsv"
NIBBLES, HEX = "0123456789-.", "0123456789ABCDEF"


def dictionary():
    """Words by their position: (None, index) in the single dictionary, (page, index) in the four others."""
    words = {}
    lines = DICTIONARY.read_text().splitlines()
    for line in (line for line in lines if not line.startswith("#")):
        page, index, word = line.split("\t")
        words[(None if page == "single" else int(page), int(index))] = word
    return words


WORDS = dictionary()
POSITIONS = {word: position for position, word in WORDS.items() if word}


@dataclass(frozen=True)
class Jid:
    user: str
    server: str
    device: int = 0
    integrator: int = 0

    def __str__(self):
        user = f"{self.integrator}-{self.user}" if self.integrator else self.user
        device = f":{self.device}" if self.device else ""
        return f"{user}{device}@{self.server}" if user else self.server


SERVER = Jid("", "s.whatsapp.net")


@dataclass
class Node:
    tag: str
    attrs: dict = field(default_factory=dict)
    content: object = None

    def child(self, tag):
        return next((child for child in self.children() if child.tag == tag), None)

    def children(self):
        return self.content if isinstance(self.content, list) else []


def pack(node):
    """A frame's body before it is sealed: the flag byte, then the node, uncompressed."""
    return b"\0" + encode(node)


def unpack(body):
    flags, rest = body[0], body[1:]
    if flags == 2:
        rest = zlib.decompress(rest)
    elif flags:
        raise ValueError(f"flags {flags}")
    node, at = read_node(rest, 0)
    if at != len(rest):
        raise ValueError("bytes follow the node")
    return node


def encode(node):
    size = 1 + 2 * len(node.attrs) + (node.content is not None)
    out = list_head(size) + text(node.tag)
    for name, value in node.attrs.items():
        out += text(name) + (jid(value) if isinstance(value, Jid) else text(str(value)))
    if isinstance(node.content, list):
        out += list_head(len(node.content)) + b"".join(map(encode, node.content))
    elif node.content is not None:
        out += raw(node.content)
    return out


def list_head(size):
    if size == 0:
        return b"\0"
    return bytes([248, size]) if size < 256 else bytes([249]) + size.to_bytes(2, "big")


def text(value):
    position = POSITIONS.get(value)
    if position is None:
        return raw(value.encode())
    page, index = position
    return bytes([index]) if page is None else bytes([236 + page, index])


def raw(value):
    if len(value) < 256:
        return bytes([252, len(value)]) + value
    if len(value) < 1 << 20:
        return bytes([253]) + len(value).to_bytes(3, "big") + value
    return bytes([254]) + len(value).to_bytes(4, "big") + value


def jid(value):
    if value.device:
        return bytes([247, 0, value.device]) + text(value.user)
    return bytes([250]) + (text(value.user) if value.user else b"\0") + text(value.server)


def read_node(data, at):
    size, at = read_size(data, at)
    tag, at = read_value(data, at)
    attrs = {}
    for _ in range((size - 1) // 2):
        name, at = read_value(data, at)
        attrs[name], at = read_value(data, at)
    if size % 2:
        return Node(tag, attrs), at
    if data[at] in (0, 248, 249):
        count, at = read_size(data, at)
        children = []
        for _ in range(count):
            child, at = read_node(data, at)
            children.append(child)
        return Node(tag, attrs, children), at
    content, at = read_value(data, at, as_bytes=True)
    return Node(tag, attrs, content), at


def read_size(data, at):
    if data[at] == 0:
        return 0, at + 1
    if data[at] == 248:
        return data[at + 1], at + 2
    if data[at] == 249:
        return int.from_bytes(data[at + 1:at + 3], "big"), at + 3
    raise ValueError(f"no list at {at}: {data[at]}")


def read_value(data, at, as_bytes=False):
    tag, at = data[at], at + 1
    if 0 < tag < 236:
        return WORDS[(None, tag)], at
    if 236 <= tag <= 239:
        return WORDS[(tag - 236, data[at])], at + 1
    if tag in (252, 253, 254):
        width = {252: 1, 253: 3, 254: 4}[tag]
        length, at = int.from_bytes(data[at:at + width], "big"), at + width
        value = data[at:at + length]
        if len(value) != length:
            raise ValueError("a string is longer than its frame")
        return (value if as_bytes else value.decode()), at + length
    if tag in (251, 255):
        head, alphabet = data[at], HEX if tag == 251 else NIBBLES
        count = head & 0x7F
        halves = [half for byte in data[at + 1:at + 1 + count] for half in (byte >> 4, byte & 15)]
        if head & 0x80:
            halves.pop()
        return "".join(alphabet[half] for half in halves), at + 1 + count
    if tag == 250:
        user, at = ("", at + 1) if data[at] == 0 else read_value(data, at)
        server, at = read_value(data, at)
        return Jid(user, server), at
    if tag == 247:
        server = {0: "s.whatsapp.net", 1: "lid"}[data[at]]
        device = data[at + 1]
        user, at = read_value(data, at + 2)
        return Jid(user, server, device), at
    if tag == 245:
        user, at = read_value(data, at)
        device, integrator = int.from_bytes(data[at:at + 2], "big"), int.from_bytes(data[at + 2:at + 4], "big")
        at += 4
        if data[at:at + 9] == b"\xfc\x07interop":
            at += 9
        return Jid(user, "interop", device, integrator), at
    raise ValueError(f"unknown tag {tag} at {at - 1}")
