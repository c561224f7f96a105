"""Signal, version 3: XEdDSA, X3DH, Double Ratchet (overview §3). One peer, one session; enough for a walk."""

import hashlib
import hmac
import os

import xeddsa
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import protobuf

VERSION = b"\x33"


def public_bytes(key):
    return key.public_key().public_bytes_raw()


def private_bytes(key):
    return key.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    )


def sign(key, message):
    """XEdDSA as published, with the sign bit 0: the top bit of the last byte says so."""
    return xeddsa.ed25519_priv_sign(xeddsa.priv_force_sign(private_bytes(key), False), message, os.urandom(64))


def verify(public, message, signature):
    """The top bit of the last byte is the sign of the Edwards point."""
    sign_bit = bool(signature[63] & 0x80)
    plain = signature[:63] + bytes([signature[63] & 0x7F])
    return xeddsa.ed25519_verify(plain, xeddsa.curve25519_pub_to_ed25519_pub(public, sign_bit), message)


def agree(private, public):
    return private.exchange(X25519PublicKey.from_public_bytes(public))


def kdf(salt, secret, info, length):
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def with_type(public):
    """In Signal's own messages and signatures a key has the byte 5 in front; in stanzas it has not."""
    return b"\x05" + public


class Identity:
    """A third party's user: all keys."""

    def __init__(self):
        self.key, self.signed = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        self.signed_id, self.registration = 1, int.from_bytes(os.urandom(2), "big") % 16380 + 1
        self.signature = sign(self.key, with_type(public_bytes(self.signed)))
        self.one_time = {number: X25519PrivateKey.generate() for number in range(1, 31)}


class Session:
    """A session with one device."""

    def __init__(self, identity):
        self.identity, self.skipped = identity, {}
        self.pending = None

    def begin(self, bundle):
        """From the peer's bundle: a dictionary of identity, signed, signed_id, signature, one_time, one_time_id."""
        if not verify(bundle["identity"], with_type(bundle["signed"]), bundle["signature"]):
            raise ValueError("the signed prekey is not signed by the identity")
        base = X25519PrivateKey.generate()
        secret = b"\xff" * 32 + agree(self.identity.key, bundle["signed"])
        secret += agree(base, bundle["identity"]) + agree(base, bundle["signed"])
        if bundle.get("one_time"):
            secret += agree(base, bundle["one_time"])
        out = kdf(bytes(32), secret, b"WhisperText", 64)
        self.peer, self.root = bundle["identity"], out[:32]
        self.theirs, self.receiving, self.received = bundle["signed"], out[32:], 0
        self.turn()
        self.pending = {"base": base, **bundle}
        return self

    def accept(self, message):
        """From the fields of the peer's first message."""
        signed, one_time = self.identity.signed, self.identity.one_time.pop(message.get(1), None)
        base, peer = message[2][1:], message[3][1:]
        secret = b"\xff" * 32 + agree(signed, peer) + agree(self.identity.key, base) + agree(signed, base)
        if one_time:
            secret += agree(one_time, base)
        out = kdf(bytes(32), secret, b"WhisperText", 64)
        self.peer, self.root = peer, out[:32]
        self.mine, self.sending, self.sent = signed, out[32:], 0
        self.theirs, self.receiving, self.received = None, None, 0
        return self

    def turn(self):
        """A new key of ours, and a chain to send with."""
        self.mine = X25519PrivateKey.generate()
        out = kdf(self.root, agree(self.mine, self.theirs), b"WhisperRatchet", 64)
        self.root, self.sending, self.sent = out[:32], out[32:], 0

    def encrypt(self, plain):
        keys = message_keys(self.sending)
        self.sending = mac(self.sending, b"\x02")
        body = [(1, with_type(public_bytes(self.mine))), (2, self.sent), (3, 0), (4, cbc(keys, plain, True))]
        self.sent += 1
        body = VERSION + protobuf.encode(body)
        tag = mac(keys[32:64], self.identities(True) + body)[:8]
        if not self.pending:
            return "msg", body + tag
        outer = [
            (1, self.pending.get("one_time_id")),
            (2, with_type(public_bytes(self.pending["base"]))),
            (3, with_type(public_bytes(self.identity.key))),
            (4, body + tag),
            (5, self.identity.registration),
            (6, self.pending["signed_id"]),
        ]
        return "pkmsg", VERSION + protobuf.encode(outer)

    def decrypt(self, data):
        body, tag = data[:-8], data[-8:]
        fields = protobuf.decode(body[1:])
        ratchet, counter = fields[1][1:], fields[2]
        if ratchet != self.theirs:
            self.theirs = ratchet
            out = kdf(self.root, agree(self.mine, ratchet), b"WhisperRatchet", 64)
            self.root, self.receiving, self.received = out[:32], out[32:], 0
            self.turn()
        while self.received <= counter:
            self.skipped[(ratchet, self.received)] = message_keys(self.receiving)
            self.receiving = mac(self.receiving, b"\x02")
            self.received += 1
        keys = self.skipped.pop((ratchet, counter))
        if not hmac.compare_digest(mac(keys[32:64], self.identities(False) + body)[:8], tag):
            raise ValueError("the message does not authenticate")
        self.pending = None
        return cbc(keys, fields[4], False)

    def identities(self, sending):
        ours, theirs = with_type(public_bytes(self.identity.key)), with_type(self.peer)
        return ours + theirs if sending else theirs + ours


def message_keys(chain):
    return kdf(bytes(32), mac(chain, b"\x01"), b"WhisperMessageKeys", 80)


def cbc(keys, data, encrypts):
    cipher = Cipher(algorithms.AES(keys[:32]), modes.CBC(keys[64:80]))
    pad = padding.PKCS7(128)
    if encrypts:
        worker, padder = cipher.encryptor(), pad.padder()
        return worker.update(padder.update(data) + padder.finalize()) + worker.finalize()
    worker, padder = cipher.decryptor(), pad.unpadder()
    return padder.update(worker.update(data) + worker.finalize()) + padder.finalize()
