"""The server of service.py with one fault: `bad_service.py PORT WHATSAPP_JWKS FAULT`."""

import sys

FAULT = sys.argv.pop()

import service
from service import Handler

honest = {name: getattr(service, name) for name in ("jwks", "token", "is_whatsapps")}
say, get, post = Handler.answer, Handler.do_GET, Handler.do_POST
is_keys = lambda handler: handler.path.endswith("/jwks")


def keys(**change):
    return {"keys": [key | change for key in honest["jwks"]()["keys"]]}


def answer(handler, status, body=b"", kind="application/octet-stream"):
    match FAULT:
        case "html" if is_keys(handler):
            kind = "text/html"
        case "204" if handler.path == "/push" and status == 200:
            status = 204
        case "body" if handler.path == "/push":
            body = b"thank you"
        case "cut" if handler.path[1:] in service.FILES:
            body = body[:-1]
        case "everything" if status == 404:
            status, body = 200, b"here"
    say(handler, status, body, kind)


def anybody(handler):
    handler.headers["authorization"] = handler.headers["authorization"] or service.BACKEND
    get(handler)


def long(user, life=7200):
    time = service.time
    service.time = type("Later", (), {"time": staticmethod(lambda: time.time())})
    dumps = service.json.dumps
    service.json.dumps = lambda part: dumps(part | {"exp": part["iat"] + life} if "exp" in part else part)
    try:
        return honest["token"](user)
    finally:
        service.time, service.json.dumps = time, dumps


Handler.answer = answer
if FAULT == "private":
    service.jwks = lambda: keys(d="AQAB")
if FAULT == "useless":
    service.jwks = lambda: keys(use="enc")
if FAULT == "anybody":
    Handler.do_GET = anybody
if FAULT == "long":
    service.token = long
if FAULT == "one-user":
    service.token = lambda user: honest["token"]("somebody")
if FAULT == "unchecked":
    service.is_whatsapps = lambda bearer: bool(bearer)
if FAULT == "forgets":
    service.WOKEN = type("Nobody", (dict,), {"__missing__": lambda self, user: 0, "__setitem__": lambda *_: None})()

service.serve()
