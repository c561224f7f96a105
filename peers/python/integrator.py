"""A third party's server: keys, tokens, pushes, files (overview §1.3, §3.2.2, §4.1)."""

import base64
import http.server
import json
import queue
import threading
import time
import urllib.request

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

KID = "python-1"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Integrator:
    def __init__(self, whatsapp_jwks):
        self.key = rsa.generate_private_key(65537, 2048)
        self.whatsapp_jwks, self.pushes, self.files = whatsapp_jwks, queue.Queue(), {}
        self.fetches = 0
        integrator = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/.well-known/oauth/openid/jwks":
                    integrator.fetches += 1
                    return self.answer(200, json.dumps(integrator.jwks()).encode(), "application/json")
                file = integrator.files.get(self.path.lstrip("/"))
                return self.answer(200, file, "application/octet-stream") if file else self.answer(404)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                try:
                    integrator.check_push(self.headers.get("authorization", ""))
                except Exception as error:
                    integrator.pushes.put(error)
                    return self.answer(401)
                integrator.pushes.put(json.loads(body)["to"])
                return self.answer(200)

            def answer(self, status, body=b"", kind=None):
                self.send_response(status)
                if kind:
                    self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def jwks(self):
        numbers = self.key.public_key().public_numbers()
        n, e = b64(numbers.n.to_bytes(256, "big")), b64(numbers.e.to_bytes(3, "big"))
        return {"keys": [{"kid": KID, "kty": "RSA", "alg": "RS256", "use": "sig", "n": n, "e": e}]}

    def token(self, user):
        now = int(time.time())
        header = {"kid": KID, "alg": "RS256", "typ": "JWT"}
        claims = {"iss": self.base_url, "sub": user, "aud": "https://whatsapp.com", "iat": now, "exp": now + 600}
        signed = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
        signature = self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{b64(signature)}"

    def check_push(self, authorization):
        """The bearer is a JWT of WhatsApp's for this very server."""
        header, claims, signature = authorization.removeprefix("Bearer ").split(".")
        kid = json.loads(unb64(header))
        if kid["alg"] != "RS256":
            raise ValueError("another algorithm")
        with urllib.request.urlopen(self.whatsapp_jwks) as answer:
            keys = json.load(answer)["keys"]
        key = next(key for key in keys if key["kid"] == kid["kid"])
        n, e = (int.from_bytes(unb64(key[name]), "big") for name in ("n", "e"))
        public = rsa.RSAPublicNumbers(e, n).public_key()
        public.verify(unb64(signature), f"{header}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
        claims = json.loads(unb64(claims))
        if claims["iss"] != "WHATSAPP" or claims["aud"] != self.base_url or claims["exp"] < time.time():
            raise ValueError(f"not for us, or too old: {claims}")
