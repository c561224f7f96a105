"""Writes the types of the generated module as a stub: the interface that the package has, in Python's own words.

`cargo xtask bindings stubs` writes `src/wa_ffi/__init__.pyi`, `cargo xtask bindings python` compares.
"""

import argparse
import ast
import importlib.util
import pathlib
import textwrap

HEAD = '''\
"""Third-party chats with WhatsApp: the client, for asyncio. Written by stubs.py from the library's own interface."""

import enum
import typing

from .aio import (
    Events as Events,
    empty_mailbox as empty_mailbox,
    keep_connected as keep_connected,
    open_client as open_client,
)

'''
OF_AIO = {"open_client"}
ANYTHING = "typing.Union[object, "
INDENT = "    "


def is_public(name):
    return not name.startswith("_") and not name.endswith(("Protocol", "Impl")) and name != "InternalError"


def document(node):
    text = textwrap.dedent(ast.get_docstring(node) or "")
    if not text:
        return []
    lines = text.splitlines()
    return [f'"""{lines[0]}"""'] if len(lines) == 1 else ['"""' + lines[0], *lines[1:], '"""']


def indented(lines):
    return [INDENT + line if line else line for line in lines]


def signature(function):
    """One function: its arguments with types, and what it does; a default is only said to be there."""
    arguments = function.args
    for defaults in (arguments.defaults, arguments.kw_defaults):
        defaults[:] = [default and ast.Constant(...) for default in defaults]
    for argument in arguments.args + arguments.kwonlyargs:
        annotation = ast.unparse(argument.annotation) if argument.annotation else ""
        # What has a default is generated as anything at all.
        if annotation.startswith(ANYTHING):
            argument.annotation = ast.parse(annotation.removeprefix(ANYTHING).removesuffix("]"), mode="eval").body
    returns = ast.unparse(function.returns) if function.returns else "None"
    before = "async def" if isinstance(function, ast.AsyncFunctionDef) else "def"
    decorators = [f"@{ast.unparse(it)}" for it in function.decorator_list]
    line = f"{before} {function.name}({ast.unparse(arguments)}) -> {returns}:"
    body = document(function)
    return decorators + ([line, *indented(body)] if body else [line + " ..."])


def functions(node):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [it for it in node.body if isinstance(it, kinds) and (is_public(it.name) or it.name == "__init__")]


def kind_of(converter):
    """The type that a converter of the generated module reads."""
    name = converter.removeprefix("_UniffiFfiConverter")
    if name.startswith("Optional"):
        return f"typing.Optional[{kind_of(name.removeprefix('Optional'))}]"
    if name.startswith("Sequence"):
        return f"typing.List[{kind_of(name.removeprefix('Sequence'))}]"
    if name.startswith(("UInt", "Int")):
        return "int"
    plain = {"String": "str", "Boolean": "bool", "Bytes": "bytes"}
    return plain.get(name) or name.removeprefix("Type")


class Module:
    def __init__(self, source):
        self.classes = {}
        tree = ast.parse(source)
        # Errors are there twice; the second one has the kinds.
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
        self.functions = [it for it in functions(tree) if it.name not in OF_AIO and not it.name.startswith("uniffi_")]

    def stub(self):
        public = [node for name, node in self.classes.items() if is_public(name)]
        parts = [self.stub_of(node) for node in public] + [signature(it) for it in self.functions]
        return HEAD + "\n".join("\n".join(part) + "\n" for part in parts)

    def stub_of(self, node):
        bases = {ast.unparse(base) for base in node.bases}
        if "enum.Enum" in bases:
            return self.enumeration(node)
        nested = [it for it in node.body if isinstance(it, ast.ClassDef)]
        if nested:
            is_error = all(ast.unparse(it.bases[0]).startswith("_UniffiTemp") for it in nested if it.bases)
            is_error = is_error and bool(nested[0].bases)
            return self.choice(node, nested, "Exception" if is_error else None)
        return self.plain(node)

    @staticmethod
    def enumeration(node):
        members = [ast.unparse(it) for it in node.body if isinstance(it, ast.Assign)]
        return [f"class {node.name}(enum.Enum):", *indented(document(node) + members)]

    def choice(self, node, nested, base):
        lines = document(node)
        for kind in nested:
            types = self.read(node.name, kind.name) if base else None
            lines += [f"class {kind.name}({node.name}):", *indented(self.fields(kind, types) or ["..."])]
        head = f"class {node.name}({base}):" if base else f"class {node.name}:"
        return [head, *indented(lines)]

    def fields(self, kind, types=None):
        """The members that a constructor takes, and the constructor."""
        constructor = next((it for it in functions(kind) if it.name == "__init__"), None)
        lines = document(kind)
        if not constructor:
            return lines
        taken = constructor.args.args[1:] + constructor.args.kwonlyargs
        for argument, type_ in zip(taken, types or [None] * len(taken), strict=True):
            if type_:
                argument.annotation = ast.parse(type_, mode="eval").body
            lines.append(f"{argument.arg}: {ast.unparse(argument.annotation)}")
        constructor.body = [ast.Pass()]
        return lines + signature(constructor)

    def read(self, error, kind):
        """The types of an error's members, which only its converter knows."""
        for call in ast.walk(self.classes[f"_UniffiFfiConverterType{error}"]):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == f"{error}.{kind}":
                return [kind_of(ast.unparse(argument.func.value)) for argument in call.args]
        return []

    def plain(self, node):
        """A record, an object, or what the platform implements."""
        is_object = f"{node.name}Protocol" in self.classes
        members = functions(node)
        if not is_object and any(it.name == "__init__" for it in members):
            return [f"class {node.name}:", *indented(self.fields(node))]
        lines = document(node)
        for function in members:
            # The generated constructor of what only the library makes takes anything, and throws.
            if not (function.name == "__init__" and function.args.vararg):
                lines += signature(function)
        return [f"class {node.name}:", *indented(lines or ["..."])]


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true", help="only compare")
    arguments = arguments.parse_args()
    package = importlib.util.find_spec("wa_ffi")
    if not package or not package.origin:
        raise SystemExit("the package is not installed")
    generated = pathlib.Path(package.origin).with_name("wa_ffi") / "wa_ffi.py"
    stub = Module(generated.read_text()).stub()
    path = pathlib.Path(__file__).with_name("src") / "wa_ffi/__init__.pyi"
    if not arguments.check:
        path.write_text(stub)
    elif not path.exists() or path.read_text() != stub:
        raise SystemExit(f"{path.name} is not what the library has: cargo xtask bindings stubs")


if __name__ == "__main__":
    main()
