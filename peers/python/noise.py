"""The channel: Noise XX as WhatsApp speaks it, certificates, frames (overview §2)."""

import hashlib
import socket

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import nodes
import protobuf
from signals import public_bytes, verify

PROLOGUE = b"WA\x06\x03"


class CertificateError(ConnectionError):
    """The server did not prove itself."""


class LoginFailed(ConnectionError):
    """The server refused the login, for this reason."""

    def __init__(self, answer):
        super().__init__(f"the login failed: {answer}")
        self.reason = int(answer.attrs.get("reason", 0))


def nonce(counter):
    return bytes(4) + counter.to_bytes(8, "big")


class Handshake:
    def __init__(self):
        # The name is shorter than 32 bytes, so it is not hashed but padded.
        self.hash = self.chain = b"Noise_XX_25519_AESGCM_SHA256".ljust(32, b"\0")
        self.key, self.counter = None, 0
        self.mix_hash(PROLOGUE)

    def mix_hash(self, data):
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, secret):
        self.chain, self.key = self.derive(secret)
        self.counter = 0

    def derive(self, secret):
        out = HKDF(hashes.SHA256(), 64, self.chain, b"").derive(secret)
        return out[:32], out[32:]

    def open(self, data):
        plain = AESGCM(self.key).decrypt(nonce(self.counter), data, self.hash)
        self.counter += 1
        self.mix_hash(data)
        return plain

    def seal(self, data):
        sealed = AESGCM(self.key).encrypt(nonce(self.counter), data, self.hash)
        self.counter += 1
        self.mix_hash(sealed)
        return sealed


class Channel:
    """A logged-in connection, or the server's failure."""

    def __init__(self, address, root, static, payload, now):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.buffer = b""
        self.sent = self.received = 0
        noise, ephemeral = Handshake(), X25519PrivateKey.generate()
        mine = public_bytes(ephemeral)
        # The dialect: Noise would hash the empty payload of this message too, WhatsApp does not.
        noise.mix_hash(mine)
        self.socket.sendall(PROLOGUE + framed(protobuf.encode([(2, [(1, mine)])])))
        hello = protobuf.decode(protobuf.decode(self.frame())[3])
        noise.mix_hash(hello[1])
        theirs = X25519PublicKey.from_public_bytes(hello[1])
        noise.mix_key(ephemeral.exchange(theirs))
        server = noise.open(hello[2])
        noise.mix_key(ephemeral.exchange(X25519PublicKey.from_public_bytes(server)))
        check_certificates(noise.open(hello[3]), root, server, now)
        identity = noise.seal(public_bytes(static))
        noise.mix_key(static.exchange(theirs))
        finish = [(4, [(1, identity), (2, noise.seal(payload))])]
        self.socket.sendall(framed(protobuf.encode(finish)))
        send, receive = noise.derive(b"")
        self.sender, self.receiver = AESGCM(send), AESGCM(receive)
        answer = self.read()
        if answer.tag != "success":
            raise LoginFailed(answer)

    def frame(self):
        while len(self.buffer) < 3 or len(self.buffer) < 3 + int.from_bytes(self.buffer[:3], "big"):
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("the server closed the connection")
            self.buffer += more
        length = int.from_bytes(self.buffer[:3], "big")
        body, self.buffer = self.buffer[3:3 + length], self.buffer[3 + length:]
        return body

    def read(self):
        body = self.receiver.decrypt(nonce(self.received), self.frame(), None)
        self.received += 1
        return nodes.unpack(body)

    def send(self, node):
        sealed = self.sender.encrypt(nonce(self.sent), nodes.pack(node), None)
        self.sent += 1
        self.socket.sendall(framed(sealed))

    def close(self):
        self.socket.close()

    def end(self):
        """Ends the connection, also for whoever waits for a frame."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def framed(body):
    return len(body).to_bytes(3, "big") + body


def check_certificates(chain, root, server, now):
    """Root signs intermediate, intermediate signs leaf, leaf names the server's key; both are valid now."""
    chain = protobuf.decode(chain)
    issuer, issuer_serial, last = root, 0, None
    for number in (2, 1):
        certificate = protobuf.decode(chain[number])
        details = protobuf.decode(certificate[1])
        if details.get(2) != issuer_serial:
            raise CertificateError("a certificate has another issuer")
        if not verify(issuer, certificate[1], certificate[2]):
            raise CertificateError("a certificate's signature does not hold")
        if not details[4] <= now <= details[5]:
            raise CertificateError("a certificate is not valid now")
        issuer, issuer_serial, last = details[3], details[1], details[3]
    if last != server:
        raise CertificateError("the leaf names another key")
