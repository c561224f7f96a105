"""Bad targets, each with one fault: the suite must find exactly it. `bad.py SUITE [--few]`, the program wa-conformance."""

import json
import random
import socket
import subprocess
import sys

HERE = "peers/python"
PUSHES = {"push-http1", "push-refused", "push-sample", "push-malformed"}
SERVERS = {
    "html": {"jwks-type"},
    "private": {"jwks-public"},
    "useless": {"jwks-public", "push-http1"},
    "anybody": {"token-anonymous"},
    "long": {"token-life", "push-http1"},
    "one-user": {"token-verifies", "token-own-users", "push-http1"},
    "204": {"push-http1", "push-refused", "push-malformed"},
    "body": PUSHES,
    "forgets": {"push-http1"},
    "unchecked": {"push-refused", "push-sample"},
    "everything": {"media-unknown", "push-malformed"},
}
MEDIA = {
    "late": {"media-range"},
    "another": {"media-apart"},
    "truncated": {"media-hosted"},
    "longer": {"media-hosted", "media-apart", "media-range"},
    "untyped": {"media-hosted"},
}
CLIENTS = {
    "trusting": {"server-proof"},
    "optimist": {"login-expired-token", "login-other-user", "login-busy", "server-proof", "away-30-days"},
    "blocks-nobody": {"block"},
    "other-file": {"media-fetched"},
    "silent": {"server-ping"},
    "no-prekeys": {"prekeys-uploaded"},
    "shouts": {"text-out", "text-in", "long-text", "login-busy", "deleted", "away-30-days"},
    "unacked": {"offline", "offline-batches"},
    "unheard": {"delivered"},
    "deletes-nothing": {"deleted"},
    "reads-anything": {"codec-refused"},
}


def is_free(port):
    with socket.socket() as listener:
        return listener.connect_ex(("127.0.0.1", port)) != 0


def ports():
    """Of the service and of the local WhatsApp, which takes three more: below those that the system gives to clients."""
    first = random.randrange(20_000, 30_000, 5)
    return (first + 4, first) if all(map(is_free, range(first, first + 5))) else ports()


def red(command):
    """The checks that failed, each with what was seen, of a run's lines of JSON."""
    run = subprocess.run([*command, "--json", "--document", "1.0.3"], capture_output=True, text=True)
    results = [json.loads(line) for line in run.stdout.splitlines()]
    assert results and "passed" in results[-1], run.stderr
    return {result["id"]: result["failure"] for result in results if result.get("result") == "fail"}


def server(suite, fault):
    service, whatsapp = ports()
    jwks = f"http://127.0.0.1:{whatsapp}/.well-known/jwks"
    command = [sys.executable, f"{HERE}/bad_service.py", str(service), jwks, fault]
    target = ["--integrator", f"http://127.0.0.1:{service}", "--integrator-file", f"{HERE}/service.toml"]
    more = ["--accepted", f"{HERE}/accepted.toml", "--port", str(whatsapp)]
    with subprocess.Popen(command) as process:
        try:
            return red([suite, *target, *more])
        finally:
            process.kill()


def client(suite, fault):
    return red([suite, "--client", f"{sys.executable} {HERE}/bad_shim.py {fault}", *CLIENT_CHECKS])


# Those that end soon in each of these clients' hands.
CLIENT_CHECKS = sorted({"handshake", "ping", "enlist-ok", "enlist-form"} | set().union(*CLIENTS.values()))


def main():
    suite, few, wrong = sys.argv[1], "--few" in sys.argv, 0
    kinds = (("server", server, SERVERS), ("media server", server, MEDIA), ("client", client, CLIENTS))
    for kind, judge, faults in kinds:
        for fault, expected in [*faults.items()][:1 if few else None]:
            found = judge(suite, fault)
            is_right = set(found) == expected
            wrong += not is_right
            print(f"a {kind} with the fault {fault}: {'found' if is_right else 'NOT FOUND exactly'}", flush=True)
            for check in [] if is_right else sorted(expected ^ set(found)):
                print(f"    {check}: {found.get(check, 'passed')}", flush=True)
    sys.exit(f"{wrong} faults were not found exactly" if wrong else 0)


if __name__ == "__main__":
    main()
