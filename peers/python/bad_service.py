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


def answer(handler, status, body=b"", kind="application/octet-stream", more=()):
    is_file = handler.path[1:] in service.FILES
    match FAULT:
        case "late" if status == 206:
            body = body[1:] + b"?"
        case "another" if is_file and status == 200:
            body = list(service.FILES.values())[-1]
        case "truncated" if is_file and len(body) > 65_536:
            body = body[:65_536]
        case "longer" if is_file:
            body += b"?"
        case "untyped" if is_file:
            return untyped(handler, status, body, more)
        case "html" if is_keys(handler):
            kind = "text/html"
        case "204" if handler.path == "/push" and status == 200:
            status = 204
        case "body" if handler.path == "/push":
            body = b"thank you"
        case "everything" if status == 404:
            status, body = 200, b"here"
    return say(handler, status, body, kind, more)


def untyped(handler, status, body, more):
    handler.send_response(status)
    for name, value in (("content-length", str(len(body))), *more):
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


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
