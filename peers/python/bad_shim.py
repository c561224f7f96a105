"""The shim of shim.py with one fault: `bad_shim.py FAULT`."""

import sys

FAULT = sys.argv.pop()

import noise
import shim
from noise import Channel
from shim import Device

honest = {name: getattr(Device, name) for name in ("connect", "send", "handle", "fetch", "decode")}
honest["say"] = Channel.send


def handle(device, channel, node):
    kind = node.attrs.get("type")
    if FAULT == "unacked" and node.tag == "message":
        device.receive(channel, node, node.attrs["id"], node.attrs["from"])
    elif not (FAULT == "silent" and node.tag == "iq" and kind == "get"):
        honest["handle"](device, channel, node)


def unheard(channel, node):
    if node.tag != "receipt":
        honest["say"](channel, node)


def coloured(channel, node):
    if node.tag == "ack":
        node.attrs["colour"] = "blue"
    honest["say"](channel, node)


def decode(device, bytes):
    try:
        return honest["decode"](device, bytes)
    except shim.Refused:
        return {"xml": "<other/>"}


def trusts(*_):
    return True


def connect(device, token):
    try:
        return honest["connect"](device, token)
    except shim.Refused:
        return None


def fetch(device, id):
    return {"sha256": honest["fetch"](device, id)["sha256"][::-1]}


Device.handle = handle
if FAULT == "trusting":
    noise.verify = trusts
if FAULT == "optimist":
    Device.connect = connect
if FAULT == "no-prekeys":
    Device.upload = lambda device: None
if FAULT == "blocks-nobody":
    Device.block = lambda device, user, action="block": None
if FAULT == "other-file":
    Device.fetch = fetch
if FAULT == "unheard":
    Channel.send = unheard
if FAULT == "coloured":
    Channel.send = coloured
if FAULT == "deletes-nothing":
    Device.delete = lambda device: None
if FAULT == "reads-anything":
    Device.decode = decode
if FAULT == "shouts":
    Device.send = lambda device, to, id, text: honest["send"](device, to, id, text.upper())

shim.main()
