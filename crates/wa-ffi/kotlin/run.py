"""Compiles the Kotlin bindings and `Conversation.kt` beside this file, and runs them against a local WhatsApp.

The compiler comes with the package kotlin-jupyter-kernel (kotlinc and coroutines, as jars), JNA from the system.
"""

import argparse
import pathlib
import subprocess
import sys
import zipfile

KERNEL = "kotlin-jupyter-kernel==0.19.0.944"
COMPILER = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"


def jars(directory):
    """The compiler's jars, fetched once."""
    if not any(directory.glob("**/*.jar")):
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*fetch, "--dest", directory, KERNEL], check=True)
        for wheel in directory.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(directory)
    return sorted(directory.glob("**/*.jar"))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    for name, what in [
        ("sandbox", "the program wa-sandbox"),
        ("library", "the directory of the built library"),
        ("bindings", "the directory of the generated sources"),
        ("compiler", "where the compiler's jars are kept"),
        ("jna", "the jar of JNA"),
    ]:
        arguments.add_argument(f"--{name}", required=True, type=pathlib.Path, help=what)
    arguments = arguments.parse_args()
    compiler = jars(arguments.compiler)
    classes = arguments.bindings / "classes"
    path = lambda *parts: ":".join(map(str, parts))
    needed = path(*compiler, arguments.jna)
    sources = [*arguments.bindings.glob("uniffi/**/*.kt"), pathlib.Path(__file__).with_name("Conversation.kt")]
    options = ["-no-stdlib", "-no-reflect", "-nowarn", "-cp", needed, "-d", classes]
    subprocess.run(["java", "-cp", path(*compiler), COMPILER, *options, *sources], check=True)
    command = [arguments.sandbox, "--port", "0", "--strict"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as sandbox:
        try:
            run = ["java", f"-Djna.library.path={arguments.library}", "-cp", path(classes, needed), "ConversationKt"]
            subprocess.run([*run, sandbox.stdout.readline()], check=True, timeout=120)
        finally:
            sandbox.terminate()


if __name__ == "__main__":
    main()
