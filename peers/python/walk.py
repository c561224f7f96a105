"""A third party in Python walks through the five milestones at a local WhatsApp, started strict.

It shares no code with the workspace: the only file of it that it reads is the list of the dictionary's words.
"""

import argparse
import hashlib
import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import media
import protobuf
from integrator import Integrator, b64
from nodes import SERVER, Jid, Node
from noise import Channel
from signals import Identity, Session, public_bytes

INTEGRATOR, USER, PHONE = 2, "alice", "14155551001"
PEER = Jid(PHONE, "s.whatsapp.net")


class Walk:
    def __init__(self, addresses):
        self.addresses, self.noise, self.identity = addresses, X25519PrivateKey.generate(), Identity()
        self.integrator = Integrator(addresses["jwks"])
        self.sessions, self.waiting, self.names = {}, [], 0

    # The control interface, for what a WhatsApp user's fingers would do.

    def control(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.addresses["control"] + path, data, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.read().decode()}") from None

    # Milestone 1

    def enlist(self):
        self.control("POST", "integrators", {"id": INTEGRATOR, "base_url": self.integrator.base_url})
        key = self.identity
        form = {
            "authkey": b64(public_bytes(self.noise)),
            "e_keytype": b64(b"\x05"),
            "e_regid": b64(key.registration.to_bytes(4, "big")),
            "e_ident": b64(public_bytes(key.key)),
            "e_skey_id": b64(key.signed_id.to_bytes(3, "big")),
            "e_skey_val": b64(public_bytes(key.signed)),
            "e_key_sig": b64(key.signature),
            "integrator_id": str(INTEGRATOR),
            "user_identifier": USER,
            "token": self.integrator.token(USER),
        }
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(self.addresses["enlist"], data) as answer:
            answer = json.load(answer)
        assert answer["status"] == "ok", answer
        self.login = answer["login"]
        assert self.integrator.fetches == 1

    # Milestone 2

    def connect(self):
        digits = int(self.login.split("@")[0].split("-")[1])
        payload = protobuf.encode([
            (5, [(2, [(1, 1), (2, 0), (3, 3)])]),
            (20, 2),
            (38, [(1, digits), (2, self.integrator.token(USER)), (3, True)]),
        ])
        root = bytes.fromhex(self.addresses["noise_root"])
        self.channel = Channel(self.addresses["chat"], root, self.noise, payload, int(time.time()))
        preview = self.until(lambda node: node.tag == "ib")
        return int(preview.child("offline_preview").attrs["count"])

    def name(self):
        self.names += 1
        return f"PY{self.names:06}"

    def ask(self, kind, xmlns, content=None):
        name = self.name()
        self.channel.send(Node("iq", {"id": name, "type": kind, "xmlns": xmlns, "to": SERVER}, content))
        answer = self.until(lambda node: node.tag == "iq" and node.attrs.get("id") == name)
        assert answer.attrs["type"] == "result", answer
        return answer

    def until(self, wanted):
        """The next stanza that is wanted. What else comes is kept; pings are answered, what must be acked is."""
        for index, node in enumerate(self.waiting):
            if wanted(node):
                return self.waiting.pop(index)
        while True:
            node = self.channel.read()
            if node.tag == "stream:error":
                raise ConnectionError(f"{node} {[str(child) for child in node.children()]}")
            if node.tag == "iq" and node.attrs.get("type") == "get":
                self.channel.send(Node("iq", {"id": node.attrs["id"], "type": "result", "to": SERVER}))
                continue
            if node.tag in ("message", "receipt", "notification"):
                ack = {"class": node.tag, "id": node.attrs["id"], "to": node.attrs["from"]}
                if node.tag != "message" and "type" in node.attrs:
                    ack["type"] = node.attrs["type"]
                self.channel.send(Node("ack", ack))
            if wanted(node):
                return node
            self.waiting.append(node)

    def upload(self):
        key = self.identity
        number = lambda value: value.to_bytes(3, "big")
        prekey = lambda tag, name, value, more=(): Node(
            tag, {}, [Node("id", {}, number(name)), Node("value", {}, public_bytes(value)), *more]
        )
        signature = Node("signature", {}, key.signature)
        self.ask("set", "encrypt", [
            Node("registration", {}, key.registration.to_bytes(4, "big")),
            Node("type", {}, b"\x05"),
            Node("identity", {}, public_bytes(key.key)),
            Node("list", {}, [prekey("key", name, value) for name, value in key.one_time.items()]),
            prekey("skey", key.signed_id, key.signed, [signature]),
        ])
        count = self.ask("get", "encrypt", [Node("count")]).child("count")
        assert int(count.attrs["value"]) == len(key.one_time)

    def fetch(self):
        answer = self.ask("get", "encrypt", [Node("key", {}, [Node("user", {"jid": PEER})])])
        user = answer.child("list").children()[0]
        part = lambda node, tag: node.child(tag).content
        skey, key = user.child("skey"), user.child("key")
        bundle = {
            "identity": part(user, "identity"),
            "signed": part(skey, "value"),
            "signed_id": int.from_bytes(part(skey, "id"), "big"),
            "signature": part(skey, "signature"),
        }
        if key:
            bundle |= {"one_time": part(key, "value"), "one_time_id": int.from_bytes(part(key, "id"), "big")}
        return bundle

    # Milestone 3

    def send(self, content, kind="text", mediatype=None):
        if PEER not in self.sessions:
            self.sessions[PEER] = Session(self.identity).begin(self.fetch())
        enc, data = self.sessions[PEER].encrypt(protobuf.encode(content) + b"\x01")
        attrs = {"v": "2", "type": enc} | ({"mediatype": mediatype} if mediatype else {})
        name = self.name()
        self.channel.send(Node("message", {"to": PEER, "id": name, "type": kind}, [Node("enc", attrs, data)]))
        ack = self.until(lambda node: node.tag == "ack" and node.attrs["id"] == name)
        assert "error" not in ack.attrs, ack
        return name

    def receive(self):
        message = self.until(lambda node: node.tag == "message")
        enc, sender = message.child("enc"), message.attrs["from"]
        data = enc.content
        if enc.attrs["type"] == "pkmsg":
            outer = protobuf.decode(data[1:])
            if sender not in self.sessions:
                self.sessions[sender] = Session(self.identity).accept(outer)
            data = outer[4]
        plain = self.sessions[sender].decrypt(data)
        self.channel.send(Node("receipt", {"to": sender, "id": message.attrs["id"]}))
        return protobuf.decode(plain[:-plain[-1]])

    def delivered(self, name):
        self.until(lambda node: node.tag == "receipt" and node.attrs["id"] == name)

    def phone_writes(self, what):
        return self.control("POST", f"phones/{PHONE}/send", {"to": self.login, **what})

    def texts(self):
        for text in ("Hello from Python", "Ein zweiter Text, mit Ümlaut"):
            self.delivered(self.send([(1, text)]))
            assert self.receive()[1].decode() == f"echo: {text}"
        for number in range(3):
            self.phone_writes({"text": f"number {number}"})
        for number in range(3):
            assert self.receive()[1].decode() == f"number {number}"

    def push(self):
        self.channel.close()
        while self.control("GET", f"accounts/{self.login}")["connected"]:
            time.sleep(0.01)
        self.phone_writes({"text": "Are you there?"})
        pushed = self.integrator.pushes.get(timeout=10)
        assert pushed == USER, pushed
        assert self.connect() >= 1
        self.channel.send(Node("ib", {}, [Node("offline_batch", {"count": "100"})]))
        assert self.receive()[1].decode() == "Are you there?"
        self.until(lambda node: node.tag == "ib" and node.child("offline"))

    # Milestone 4

    def picture_out(self):
        plain = b"\xff\xd8\xff" + bytes(range(256)) * 40
        key, blob = media.encrypt(plain)
        self.integrator.files["picture"] = blob
        sha256, enc_sha256 = hashlib.sha256(plain).digest(), hashlib.sha256(blob).digest()
        path = f"/interop/whatsapp/download/{INTEGRATOR}/picture/"
        image = [(2, "image/jpeg"), (4, sha256), (5, len(plain)), (8, key), (9, enc_sha256), (11, path)]
        self.delivered(self.send([(3, image)], "media", "image"))
        shown = self.control("GET", f"phones/{PHONE}")["received"][-1]["content"]["media"]
        wanted = {name: shown[name] for name in ("direct_path", "key", "sha256", "enc_sha256", "length")}
        opened = self.control("POST", "media/open", wanted | {"class": "image"})
        assert opened == {"opened": sha256.hex(), "length": len(plain)}, opened

    def picture_in(self):
        self.phone_writes({"picture": {"width": 64, "height": 48, "caption": "Look"}})
        image = protobuf.decode(self.receive()[3])
        with urllib.request.urlopen(self.addresses["media"] + image[11].decode()) as answer:
            blob = answer.read()
        plain = media.decrypt(blob, image[8], image[4], image[9])
        assert plain.startswith(b"\xff\xd8\xff") and len(plain) == image[5] and image[3] == b"Look"

    def block(self):
        item = lambda action: [Node("item", {"action": action, "jid": PEER})]
        self.ask("set", "blocklist", item("block"))
        self.phone_writes({"text": "You will not see this"})
        listed = self.ask("get", "blocklist").child("list").children()
        assert [item.attrs["jid"] for item in listed] == [PEER]
        self.ask("set", "blocklist", item("unblock"))
        self.phone_writes({"text": "You will see this"})
        assert self.receive()[1].decode() == "You will see this"

    # Milestone 5

    def delete(self):
        self.ask("set", "urn:xmpp:whatsapp:account", [Node("remove")])
        assert self.control("GET", "accounts")["accounts"] == []


def walk(addresses):
    third_party = Walk(addresses)
    for milestone, what, step in [
        (1, "keys are fetched, a user is enlisted", third_party.enlist),
        (2, "the handshake completes, the login holds", third_party.connect),
        (2, "a ping is answered", lambda: third_party.ask("get", "w:p")),
        (2, "keys are uploaded and counted", third_party.upload),
        (3, "texts go both ways, with receipts", third_party.texts),
        (3, "a push arrives and its token holds; the mailbox is fetched", third_party.push),
        (4, "a picture is sent and opened by the phone", third_party.picture_out),
        (4, "a picture is received and opened", third_party.picture_in),
        (4, "a user is blocked and unblocked", third_party.block),
        (5, "the user is deleted", third_party.delete),
    ]:
        step()
        print(f"milestone {milestone}: {what}", flush=True)
    records = third_party.control("GET", "deviations")["deviations"]
    assert records == [], json.dumps(records, indent=2, ensure_ascii=False)
    print("the sandbox had nothing to remark", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sandbox", required=True, help="the program wa-sandbox")
    arguments = arguments.parse_args()
    command = [arguments.sandbox, "--port", "0", "--strict"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as sandbox:
        try:
            walk(json.loads(sandbox.stdout.readline()))
        finally:
            sandbox.terminate()


if __name__ == "__main__":
    main()
