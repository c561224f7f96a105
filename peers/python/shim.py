"""The client in Python behind the protocol of shims: `wa-conformance --client 'python3 peers/python/shim.py'`.

It reads a JSON command a line and writes a JSON answer a line (docs/SHIM.md).
"""

import hashlib
import json
import queue
import sys
import threading
import time
import urllib.parse
import urllib.request

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import media
import nodes
import protobuf
from integrator import b64
from nodes import SERVER, Jid, Node
from noise import CertificateError, Channel, LoginFailed
from signals import Identity, Session, public_bytes
from xml_text import from_xml, to_xml

HELLO = {"hello": 1, "name": "python 1", "can": ["block", "fetch", "delete", "codec"]}
WHY = {401: "token", 415: "not_enlisted", 503: "busy"}
BATCH = 100


class Refused(Exception):
    def __init__(self, why, said):
        super().__init__(said)
        self.why = why


def peer(number):
    return Jid(number, "s.whatsapp.net")


class Device:
    def __init__(self):
        self.noise, self.identity = X25519PrivateKey.generate(), Identity()
        self.sessions, self.media, self.answers, self.seen = {}, {}, {}, set()
        self.events, self.lock = queue.Queue(), threading.RLock()
        self.channel, self.names, self.uploaded = None, 0, False

    # Commands

    def open(self, **place):
        self.place = place

    def enlist(self, user, token):
        key = self.identity
        form = {
            "authkey": b64(public_bytes(self.noise)),
            "e_keytype": b64(b"\x05"),
            "e_regid": b64(key.registration.to_bytes(4, "big")),
            "e_ident": b64(public_bytes(key.key)),
            "e_skey_id": b64(key.signed_id.to_bytes(3, "big")),
            "e_skey_val": b64(public_bytes(key.signed)),
            "token": token,
        }
        if self.place["profile"] == "overview":
            more = {"integrator_id": str(self.place["integrator"]), "user_identifier": user}
            form |= {"e_key_sig": b64(key.signature)} | more
        else:
            form |= {"e_skey_sig": b64(key.signature)}
        with urllib.request.urlopen(self.place["enlist"], urllib.parse.urlencode(form).encode()) as answer:
            answer = json.load(answer)
        if answer["status"] != "ok":
            raise Refused("other", answer["reason"])
        self.login = answer["login"]
        return {"login": self.login}

    def connect(self, token):
        digits = int(self.login.split("@")[0].split("-")[1])
        version = [(5, [(2, [(1, 1), (2, 0), (3, 3)])])]
        payload = protobuf.encode(version + [(20, 2), (38, [(1, digits), (2, token), (3, True)])])
        root = bytes.fromhex(self.place["noise_root"])
        try:
            channel = Channel(self.place["chat"], root, self.noise, payload, int(time.time()))
        except CertificateError as error:
            raise Refused("certificate", str(error)) from None
        except LoginFailed as error:
            raise Refused(WHY.get(error.reason, "other"), str(error)) from None
        except ConnectionError as error:
            raise Refused("lost", str(error)) from None
        channel.socket.settimeout(None)
        self.channel, self.handled = channel, 0
        threading.Thread(target=self.listen, args=[channel], daemon=True).start()
        if not self.uploaded:
            self.upload()
        self.pull()

    def disconnect(self):
        if self.channel:
            self.channel.end()
            self.channel = None

    def send(self, to, id, text):
        with self.lock:
            session = self.sessions.get(to)
        if not session:
            session = Session(self.identity).begin(self.fetch_keys(to))
        with self.lock:
            session = self.sessions.setdefault(to, session)
            kind, data = session.encrypt(protobuf.encode([(1, text)]) + b"\x01")
            enc = Node("enc", {"v": "2", "type": kind}, data)
            self.channel.send(Node("message", {"to": peer(to), "id": id, "type": "text"}, [enc]))

    def next(self, within):
        try:
            return {"event": self.events.get(timeout=within / 1000)}
        except queue.Empty:
            return {}

    def blocklist(self):
        listed = self.ask("get", "blocklist").child("list")
        return {"blocked": [item.attrs["jid"].user for item in (listed.children() if listed else [])]}

    def block(self, user, action="block"):
        self.ask("set", "blocklist", [Node("item", {"action": action, "jid": peer(user)})])

    def unblock(self, user):
        self.block(user, "unblock")

    def fetch(self, id):
        image = self.media[id]
        with urllib.request.urlopen(self.place["media"] + image[11].decode()) as answer:
            plain = media.decrypt(answer.read(), image[8], image[4], image[9])
        return {"sha256": hashlib.sha256(plain).hexdigest()}

    def delete(self):
        self.ask("set", "urn:xmpp:whatsapp:account", [Node("remove")])

    def decode(self, bytes):
        try:
            data = bytes_of(bytes)
            node, at = nodes.read_node(data, 0)
            if at != len(data):
                raise ValueError(f"{len(data) - at} bytes follow the node")
        except (ValueError, IndexError, KeyError) as error:
            raise Refused("other", str(error)) from None
        return {"xml": to_xml(node)}

    def encode(self, xml):
        return {"bytes": nodes.encode(from_xml(xml)).hex()}

    # The channel

    def ask(self, kind, xmlns, content=None):
        with self.lock:
            self.names += 1
            name, answer = f"PY{self.names:06}", queue.Queue()
            self.answers[name] = answer
            self.channel.send(Node("iq", {"id": name, "type": kind, "xmlns": xmlns, "to": SERVER}, content))
        node = answer.get(timeout=10)
        if node.attrs["type"] != "result":
            raise Refused("other", to_xml(node))
        return node

    def upload(self):
        key, number = self.identity, lambda value: value.to_bytes(3, "big")
        prekey = lambda tag, name, value, more=(): Node(
            tag, {}, [Node("id", {}, number(name)), Node("value", {}, public_bytes(value)), *more]
        )
        self.ask("set", "encrypt", [
            Node("registration", {}, key.registration.to_bytes(4, "big")),
            Node("type", {}, b"\x05"),
            Node("identity", {}, public_bytes(key.key)),
            Node("list", {}, [prekey("key", name, value) for name, value in key.one_time.items()]),
            prekey("skey", key.signed_id, key.signed, [Node("signature", {}, key.signature)]),
        ])
        self.uploaded = True

    def fetch_keys(self, number):
        answer = self.ask("get", "encrypt", [Node("key", {}, [Node("user", {"jid": peer(number)})])])
        user = answer.child("list").children()[0]
        part = lambda node, tag: node.child(tag).content
        skey, key = user.child("skey"), user.child("key")
        bundle = {"identity": part(user, "identity"), "signed": part(skey, "value")}
        bundle |= {"signed_id": int.from_bytes(part(skey, "id"), "big"), "signature": part(skey, "signature")}
        if key:
            bundle |= {"one_time": part(key, "value"), "one_time_id": int.from_bytes(part(key, "id"), "big")}
        return bundle

    def pull(self):
        with self.lock:
            self.handled = 0
            self.channel.send(Node("ib", {}, [Node("offline_batch", {"count": str(BATCH)})]))

    def listen(self, channel):
        said = "the server closed the connection"
        try:
            while True:
                node = channel.read()
                if node.tag == "stream:error":
                    said = to_xml(node)
                    break
                with self.lock:
                    self.handle(channel, node)
        except (ConnectionError, OSError) as error:
            said = str(error)
        self.events.put({"is": "disconnected", "said": said})

    def handle(self, channel, node):
        if node.tag == "iq" and node.attrs["type"] == "get":
            return channel.send(Node("iq", {"id": node.attrs["id"], "type": "result", "to": SERVER}))
        if node.tag == "iq" and node.attrs.get("id") in self.answers:
            return self.answers.pop(node.attrs["id"]).put(node)
        if node.tag not in ("message", "receipt", "notification"):
            return None
        name, sender = node.attrs["id"], node.attrs["from"]
        if node.tag == "message" and (sender.user, name) not in self.seen:
            # An ack may be lost with its connection; then the message comes again, and its key is gone.
            self.receive(channel, node, name, sender)
        elif node.tag == "receipt" and node.attrs.get("type") in (None, "read"):
            kind = "read" if "type" in node.attrs else "delivered"
            listed = node.child("list")
            ids = [name] + [item.attrs["id"] for item in (listed.children() if listed else [])]
            self.events.put({"is": kind, "by": sender.user, "ids": ids})
        ack = {"class": node.tag, "id": name, "to": sender}
        if node.tag != "message" and "type" in node.attrs:
            ack["type"] = node.attrs["type"]
        channel.send(Node("ack", ack))
        self.handled += 1
        if self.handled == BATCH:
            self.pull()
        return None

    def receive(self, channel, node, name, sender):
        enc = node.child("enc")
        data = enc.content
        if enc.attrs["type"] == "pkmsg":
            outer = protobuf.decode(data[1:])
            if sender.user not in self.sessions:
                self.sessions[sender.user] = Session(self.identity).accept(outer)
            data = outer[4]
        plain = self.sessions[sender.user].decrypt(data)
        self.seen.add((sender.user, name))
        content = protobuf.decode(plain[:-plain[-1]])
        if 1 in content:
            self.events.put({"is": "text", "from": sender.user, "id": name, "text": content[1].decode()})
        elif 3 in content:
            self.media[name] = protobuf.decode(content[3])
            self.events.put({"is": "media", "from": sender.user, "id": name})
        channel.send(Node("receipt", {"to": sender, "id": name}))


def bytes_of(text):
    return bytes.fromhex(text)


def answer(device, line):
    command = json.loads(line)
    try:
        return {"ok": getattr(device, command.pop("do"))(**command) or {}}
    except Refused as refused:
        return {"refused": {"why": refused.why, "said": str(refused)}}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}


def main():
    print(json.dumps(HELLO), flush=True)
    device = Device()
    for line in sys.stdin:
        print(json.dumps(answer(device, line)), flush=True)


if __name__ == "__main__":
    main()
