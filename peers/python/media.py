"""Files: encrypted under keys that the message tells (overview §4.1; observed)."""

import hashlib
import hmac
import os

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def keys(media_key, info):
    out = HKDF(hashes.SHA256(), 112, None, info).derive(media_key)
    return out[:16], out[16:48], out[48:80]


def encrypt(plain, info=b"WhatsApp Image Keys"):
    media_key = os.urandom(32)
    iv, cipher_key, mac_key = keys(media_key, info)
    padder = padding.PKCS7(128).padder()
    worker = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).encryptor()
    body = worker.update(padder.update(plain) + padder.finalize()) + worker.finalize()
    blob = body + hmac.new(mac_key, iv + body, hashlib.sha256).digest()[:10]
    return media_key, blob


def decrypt(blob, media_key, sha256, enc_sha256, info=b"WhatsApp Image Keys"):
    iv, cipher_key, mac_key = keys(media_key, info)
    body, tag = blob[:-10], blob[-10:]
    if hashlib.sha256(blob).digest() != enc_sha256:
        raise ValueError("the file is another")
    if not hmac.compare_digest(hmac.new(mac_key, iv + body, hashlib.sha256).digest()[:10], tag):
        raise ValueError("the file does not authenticate")
    worker = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    plain = unpadder.update(worker.update(body) + worker.finalize()) + unpadder.finalize()
    if hashlib.sha256(plain).digest() != sha256:
        raise ValueError("the file has another content")
    return plain
