"""Media encrypted by PyCA cryptography, with sidecars in both readings: crates/wa-media/tests/vectors/reference.json.

    python3 reference.py > ../../../crates/wa-media/tests/vectors/reference.json

Byte i of every plaintext is (7 i + i // 256) mod 256, so only lengths are recorded.
"""

import hashlib
import hmac
import json
import sys

import cryptography
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LENGTHS = [0, 1, 15, 16, 31, 32, 1000, 65500, 65536, 131056, 200003]
INFO = {name: f"WhatsApp {name.capitalize()} Keys".encode() for name in ("image", "video", "audio", "document")}


def sidecar(key: bytes, covered: bytes) -> str:
    starts = range(0, len(covered), 65536)
    return b"".join(hmac.digest(key, covered[at : at + 65552], "sha256")[:10] for at in starts).hex()


def vector(media_class: str, length: int) -> dict:
    key = hashlib.sha256(f"{media_class} {length}".encode()).digest()
    derived = HKDF(hashes.SHA256(), 112, None, INFO[media_class]).derive(key)
    iv, cipher_key, mac_key, reference_key = derived[:16], derived[16:48], derived[48:80], derived[80:]
    plain = bytes((7 * i + (i >> 8)) & 255 for i in range(length))
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    blob = ciphertext + hmac.digest(mac_key, iv + ciphertext, "sha256")[:10]
    made = {
        "media_class": media_class, "length": length, "key": key.hex(), "reference_key": reference_key.hex(),
        "sha256": hashlib.sha256(plain).hexdigest(), "enc_sha256": hashlib.sha256(blob).hexdigest(),
        "blob_length": len(blob), "blob_sha256": hashlib.sha256(blob).hexdigest(),
        "sidecar_without_iv": sidecar(mac_key, blob), "sidecar_with_iv": sidecar(mac_key, iv + blob),
    }
    if length <= 1000:
        made["blob"] = blob.hex()
    return made


vectors = [vector(media_class, length) for media_class in INFO for length in LENGTHS]
json.dump({"made_by": f"PyCA cryptography {cryptography.__version__}", "vectors": vectors}, sys.stdout, indent=1)
print()
