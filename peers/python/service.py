"""A third party's server, whole: keys, tokens, wake-ups, files. `service.py PORT URL_OF_WHATSAPPS_KEYS`."""
import collections, http.server, json, jwt, secrets, sys, time
from cryptography.hazmat.primitives.asymmetric import rsa

PORT, WHATSAPP = int(sys.argv[1]), jwt.PyJWKClient(sys.argv[2], cache_jwk_set=False)
BASE_URL, BACKEND = f"http://127.0.0.1:{PORT}", "Bearer backend"
KEY, FILES, WOKEN = rsa.generate_private_key(65537, 2048), {}, collections.Counter()
PUBLIC = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
JWKS = {"keys": [PUBLIC | {"kid": "1", "alg": "RS256", "use": "sig"}]}
ROUTES = {"/backend/token": lambda user: token(user), "/backend/woken": lambda user: str(WOKEN[user])}


def token(user, life=600):
    claims = {"iss": BASE_URL, "sub": user, "aud": "https://whatsapp.com", "iat": int(time.time())}
    return jwt.encode(claims | {"exp": claims["iat"] + life}, KEY, "RS256", {"kid": "1"})


def verify(bearer):
    signed, rules = str(bearer).removeprefix("Bearer "), {"require": ["iss", "aud", "iat", "exp"]}
    key = WHATSAPP.get_signing_key_from_jwt(signed)
    claims = jwt.decode(signed, key, ["RS256"], rules, audience=BASE_URL, issuer="WHATSAPP", leeway=60)
    if claims["exp"] - claims["iat"] > 3600 or "crit" in jwt.get_unverified_header(signed):
        raise jwt.InvalidTokenError("lives too long, or demands what is not understood")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, log_message = "HTTP/1.1", lambda *_: None
    def do_GET(self):
        place, user = self.path.rsplit("/", 1)
        if self.path == "/.well-known/oauth/openid/jwks":
            self.answer(200, json.dumps(JWKS).encode(), "application/json")
        elif place in ROUTES and self.headers["authorization"] == BACKEND:
            self.answer(200, ROUTES[place](user).encode())
        else:
            self.answer(401 if place in ROUTES else 200 if self.path in FILES else 404, FILES.get(self.path, b""))

    def do_POST(self):
        body, bearer = self.rfile.read(int(self.headers["content-length"])), self.headers["authorization"]
        if self.path == "/backend/files" and bearer == BACKEND:
            FILES["/" + (name := secrets.token_urlsafe(16))] = body
            return self.answer(201, name.encode())
        try:
            verify(bearer)
            WOKEN["" + json.loads(body)["to"]] += 1
            self.answer(200 if self.path == "/push" else 404)
        except jwt.PyJWTError:
            self.answer(401)
        except (ValueError, TypeError, KeyError):
            self.answer(400)

    def answer(self, status, body=b"", kind="application/octet-stream"):
        self.send_response(status)
        for name, value in (("content-type", kind), ("content-length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
