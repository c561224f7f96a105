"""A third party's server, whole, as one file: keys, tokens, wake-ups, files. `service.py PORT WHATSAPP_JWKS`."""

import base64, collections, http.server, json, re, secrets, sys, time, urllib.request

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

PORT, WHATSAPP_JWKS = int(sys.argv[1]), sys.argv[2]
BASE_URL, KEY, BACKEND = f"http://127.0.0.1:{PORT}", rsa.generate_private_key(65537, 2048), "Bearer backend"
FILES, WOKEN = {}, collections.Counter()


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def jwks():
    n, e = (number.to_bytes((number.bit_length() + 7) // 8, "big") for number in
            (KEY.public_key().public_numbers().n, KEY.public_key().public_numbers().e))
    return {"keys": [{"kid": "1", "kty": "RSA", "alg": "RS256", "use": "sig", "n": b64(n), "e": b64(e)}]}


def token(user):
    claims = {"iss": BASE_URL, "sub": user, "aud": "https://whatsapp.com", "iat": int(time.time())}
    claims["exp"] = claims["iat"] + 600
    signed = ".".join(b64(json.dumps(part).encode()) for part in ({"kid": "1", "alg": "RS256"}, claims))
    return f"{signed}.{b64(KEY.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def is_whatsapps(bearer):
    header, payload, signature = bearer.removeprefix("Bearer ").split(".")
    head, claims, now = json.loads(unb64(header)), json.loads(unb64(payload)), time.time()
    keys = json.load(urllib.request.urlopen(WHATSAPP_JWKS))["keys"]
    key = next(key for key in keys if key["kid"] == head["kid"])
    public = rsa.RSAPublicNumbers(*(int.from_bytes(unb64(key[name]), "big") for name in "en")).public_key()
    public.verify(unb64(signature), f"{header}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    return (head["alg"] == "RS256" and "crit" not in head and claims["iss"] == "WHATSAPP"
            and claims["aud"] == BASE_URL and claims["iat"] <= now + 60 and claims["exp"] > now - 60
            and claims["exp"] - claims["iat"] <= 3600)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/.well-known/oauth/openid/jwks":
            return self.answer(200, json.dumps(jwks()).encode(), "application/json")
        if self.path.startswith("/backend/") and self.headers["authorization"] == BACKEND:
            what, user = self.path.removeprefix("/backend/").split("/")
            return self.answer(200, {"token": token, "woken": lambda user: str(WOKEN[user])}[what](user).encode())
        file = FILES.get(self.path[1:])
        if file:
            return self.part(file) if "range" in self.headers else self.answer(200, file)
        return self.answer(401 if "/backend/" in self.path else 404)

    def part(self, file):
        first, last = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers["range"]).groups()
        start = int(first) if first else max(len(file) - int(last), 0)
        end = min(int(last) if first and last else len(file) - 1, len(file) - 1)
        if start > end:
            return self.answer(416, more=[("content-range", f"bytes */{len(file)}")])
        said = [("content-range", f"bytes {start}-{end}/{len(file)}")]
        return self.answer(206, file[start:end + 1], more=said)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/backend/files" and self.headers["authorization"] == BACKEND:
            FILES[name := secrets.token_urlsafe(16)] = body
            return self.answer(201, name.encode())
        try:
            if self.path != "/push" or not is_whatsapps(self.headers["authorization"]):
                return self.answer(404 if self.path != "/push" else 401)
        except Exception:
            return self.answer(401)
        try:
            user = json.loads(body)["to"]
            WOKEN[user if isinstance(user, str) else {}[user]] += 1
        except Exception:
            return self.answer(400)
        return self.answer(200)

    def answer(self, status, body=b"", kind="application/octet-stream", more=()):
        self.send_response(status)
        for name, value in (("content-type", kind), ("content-length", str(len(body))), *more):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve():
    http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()


if __name__ == "__main__":
    serve()
