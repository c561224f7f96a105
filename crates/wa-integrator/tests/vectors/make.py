"""Writes vectors.json: what a backend in another language makes and checks. `python3 make.py > vectors.json`; Python's own
library alone, so that nothing of ours judges itself."""
import base64
import hashlib
import hmac
import json

SECRET = bytes(range(32))
NOW = 1_700_000_000


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def mac(text):
    return hmac.digest(SECRET, text.encode(), "sha256")


def wau1(user, expiry):
    text = f"wau1.{b64url(user.encode())}.{expiry}"
    return f"{text}.{b64url(mac(text))}"


def jwt(user, expiry):
    part = lambda value: b64url(json.dumps(value, ensure_ascii=False).encode())
    text = part({"alg": "HS256", "typ": "JWT"}) + "." + part({"aud": "wa-integrator", "sub": user, "exp": expiry})
    return f"{text}.{b64url(mac(text))}"


def webhook(user, count, number):
    body = json.dumps({"to": user, "count": count, "received_at": NOW}, ensure_ascii=False, separators=(",", ":"))
    name = hashlib.sha256(f"{number}\n{user}\n{count}\n{NOW}".encode()).hexdigest()
    standard = base64.b64encode(mac(f"{name}.{NOW}.{body}")).decode()
    return {
        "user": user, "count": count, "number": number, "body": body, "webhook-id": name, "webhook-timestamp": str(NOW),
        "webhook-signature": f"v1,{standard}", "wa-integrator-timestamp": str(NOW),
        "wa-integrator-signature": mac(f"wah1.{NOW}.{body}").hex(),
    }


USERS = ["alice", "16505551234", "zoë 🦊", "a/b?c"]
print(json.dumps({
    "secret": SECRET.hex(), "standard_secret": "whsec_" + base64.b64encode(SECRET).decode(), "now": NOW,
    "credentials": [
        {"user": user, "expiry": NOW + 60, "wau1": wau1(user, NOW + 60), "jwt": jwt(user, NOW + 60)} for user in USERS
    ],
    "webhooks": [webhook(user, number + 1, number + 7) for number, user in enumerate(USERS)],
}, ensure_ascii=False, indent=1))
