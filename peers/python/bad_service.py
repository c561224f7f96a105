"""The server of service.py with one fault: `bad_service.py PORT URL_OF_WHATSAPPS_KEYS FAULT`."""

import http.server
import re
import sys

FAULT = sys.argv.pop()

import jwt

import service
from service import Handler

honest = service.token
say, get = Handler.answer, Handler.do_GET


def keys(**change):
    return {"keys": [key | change for key in service.JWKS["keys"]]}


def answer(handler, status, body=b"", kind="application/octet-stream"):
    is_file = handler.path in service.FILES
    match FAULT:
        case "late" if is_file and "range" in handler.headers:
            return part(handler, body)
        case "another" if is_file and status == 200:
            body = list(service.FILES.values())[-1]
        case "truncated" if is_file and len(body) > 65_536:
            body = body[:65_536]
        case "longer" if is_file:
            body += b"?"
        case "untyped" if is_file:
            return untyped(handler, status, body)
        case "html" if handler.path.endswith("/jwks"):
            kind = "text/html"
        case "204" if handler.path == "/push" and status == 200:
            status = 204
        case "body" if handler.path == "/push":
            body = b"thank you"
        case "everything" if status == 404:
            status, body = 200, b"here"
    return say(handler, status, body, kind)


def part(handler, file):
    """The part that was asked for, one byte late."""
    first, last = re.fullmatch(r"bytes=(\d*)-(\d*)", handler.headers["range"]).groups()
    start = int(first) if first else max(len(file) - int(last), 0)
    end = min(int(last) if first and last else len(file) - 1, len(file) - 1)
    if start > end:
        return say(handler, 416)
    body = file[start + 1:end + 1] + b"?"
    handler.send_response(206)
    handler.send_header("content-range", f"bytes {start}-{end}/{len(file)}")
    handler.send_header("content-type", "application/octet-stream")
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def untyped(handler, status, body):
    handler.send_response(status)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def anybody(handler):
    handler.headers["authorization"] = handler.headers["authorization"] or service.BACKEND
    get(handler)


def unchecked(bearer):
    if not bearer:
        raise jwt.InvalidTokenError("there is none")


Handler.answer = answer
if FAULT == "private":
    service.JWKS = keys(d="AQAB")
if FAULT == "useless":
    service.JWKS = keys(use="enc")
if FAULT == "anybody":
    Handler.do_GET = anybody
if FAULT == "long":
    service.token = lambda user: honest(user, 7200)
if FAULT == "one-user":
    service.token = lambda user: honest("somebody")
if FAULT == "unchecked":
    service.verify = unchecked
if FAULT == "forgets":
    service.WOKEN = type("Nobody", (dict,), {"__missing__": lambda self, user: 0, "__setitem__": lambda *_: None})()

http.server.ThreadingHTTPServer(("127.0.0.1", service.PORT), Handler).serve_forever()
