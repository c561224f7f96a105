"""Stanzas as XML: text for people, JIDs written out, bytes in hexadecimal (the attribute wa:bytes)."""

import xml.etree.ElementTree as tree
from xml.sax.saxutils import quoteattr

from nodes import Jid, Node

WA = "urn:wa"


def to_xml(node):
    attrs = "".join(f" {name}={quoteattr(str(value))}" for name, value in node.attrs.items())
    if isinstance(node.content, list):
        inside = "".join(map(to_xml, node.content))
        return f"<{node.tag}{attrs}>{inside}</{node.tag}>" if inside else f"<{node.tag}{attrs}/>"
    if node.content is None:
        return f"<{node.tag}{attrs}/>"
    content = node.content if isinstance(node.content, bytes) else node.content.encode()
    return f'<{node.tag}{attrs} wa:bytes="{content.hex()}"/>'


def from_xml(text):
    # The prefix is never declared.
    root = tree.fromstring(f'<root xmlns:wa="{WA}">{text}</root>')[0]
    return read(root)


def read(element):
    attrs = {name: value(text) for name, text in element.attrib.items() if not name.startswith("{")}
    content = element.attrib.get(f"{{{WA}}}bytes")
    if content is not None:
        return Node(element.tag, attrs, bytes.fromhex(content))
    if len(element):
        return Node(element.tag, attrs, [read(child) for child in element])
    return Node(element.tag, attrs, element.text.encode() if element.text else None)


def value(text):
    """An address is a JID on the wire, never text."""
    user, at, server = text.partition("@")
    if server == "s.whatsapp.net":
        return Jid(user, server)
    return Jid("", text) if text == "s.whatsapp.net" and not at else text
