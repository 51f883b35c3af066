"""Makes ``docs/api.md`` from the protos: every call with its role and its fields, as the comments
in ``protos/gateway/fleet/v1`` and ``protos/gateway/office/v1`` say it, and the names of events.
``--check`` writes nothing and fails when the page is another.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import grpc_tools
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

from actors.machine.events import Event
from gateway.fleet.v1 import role_pb2

ROOT = Path(__file__).resolve().parents[1]
PROTOS = ROOT / "protos"
PACKAGES = (Path("gateway") / "fleet" / "v1", Path("gateway") / "office" / "v1")
PAGE = ROOT / "docs" / "api.md"
HEAD = """# The calls of administrators

Made from the protos by `make docs-reference`; edit the comments there, not here.
grpcurl needs no proto files: `describe gateway.fleet.v1.FleetService` shows calls and types.
What they mean stands only here and in the protos: no server has their comments to show.
A zero, an empty text and the first value of an enum are left out unless `-emit-defaults` is given.
grpcurl takes an `update_mask` as a message, `{"paths": ["policy.idle_refund_ms"]}`;
clients of the JSON mapping write `"policy.idleRefundMs"`.
"""

File = descriptor_pb2.FileDescriptorProto
Message = descriptor_pb2.DescriptorProto
Field = descriptor_pb2.FieldDescriptorProto
Comments = Mapping[tuple[int, ...], str]


def read() -> list[File]:
    """Return the files of the packages with their comments, services first."""
    sources = sorted(
        str(path.relative_to(PROTOS))
        for package in PACKAGES
        for path in (PROTOS / package).glob("*.proto")
    )
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "set"
        well_known = Path(grpc_tools.__file__).parent / "_proto"
        arguments = [f"-I{PROTOS}", f"-I{well_known}", "--include_source_info"]
        if protoc.main(["protoc", *arguments, f"--descriptor_set_out={made}", *sources]):
            sys.exit("protoc cannot read the protos")
        files = descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes()).file
    return sorted(files, key=lambda file: (not file.service, file.name))


def page(files: list[File]) -> str:
    """Return the whole page."""
    lines = HEAD.splitlines()
    for file in files:
        comments = _comments(file)
        for index, service in enumerate(file.service):
            lines += ["", f"## {service.name}", "", f"`{file.package}.{service.name}`.", ""]
            lines += [*_prose(comments.get((6, index), ""))]
            for number, method in enumerate(service.method):
                lines += ["", f"### {service.name}/{method.name}", ""]
                streams = "a stream of " if method.server_streaming else ""
                lines += [
                    f"Takes `{_short(method.input_type)}`.",
                    f"Answers {streams}`{_short(method.output_type)}`.",
                    f"Needs `{_role(method)}`.",
                    "",
                    *_prose(comments.get((6, index, 2, number), "")),
                ]
    for file in files:
        comments = _comments(file)
        for index, message in enumerate(file.message_type):
            lines += ["", f"## {message.name}", "", *_prose(comments.get((4, index), ""))]
            lines += _fields(message, (4, index), comments)
        for index, enum in enumerate(file.enum_type):
            lines += ["", f"## {enum.name}", "", *_prose(comments.get((5, index), ""))]
            for number, value in enumerate(enum.value):
                said = comments.get((5, index, 2, number), "")
                lines += _item(f"`{value.name}`", said)
    lines += [
        "",
        "## Kinds of events",
        "",
        "What `kind` of an `Event` may be, in this version:",
        "",
    ]
    lines += [
        f"* `{one.__name__}`" for one in sorted(get_args(Event), key=lambda one: one.__name__)
    ]
    return _tidy(lines)


def _comments(file: File) -> Comments:
    return {
        tuple(one.path): one.leading_comments.strip()
        for one in file.source_code_info.location
        if one.leading_comments.strip()
    }


def _fields(message: Message, path: tuple[int, ...], comments: Comments) -> Iterator[str]:
    yield ""
    for number, field in enumerate(message.field):
        kind = "repeated " if field.label == Field.LABEL_REPEATED else ""
        kind = "optional " if field.proto3_optional else kind
        named = _short(field.type_name) or Field.Type.Name(field.type).removeprefix("TYPE_").lower()
        said = comments.get((*path, 2, number), "")
        yield from _item(f"`{field.name}` ({kind}{named})", said)


def _item(head: str, said: str) -> list[str]:
    first, *rest = _prose(said) or [""]
    return [f"* {head}{': ' if first else ''}{first}", *(f"  {line}" for line in rest if line)]


def _prose(said: str) -> list[str]:
    """Return the lines of a comment, without the space behind its slashes."""
    return [line.removeprefix(" ") for line in said.splitlines()]


def _short(type_name: str) -> str:
    for package in PACKAGES:
        type_name = type_name.removeprefix(f".{'.'.join(package.parts)}.")
    return type_name.removeprefix(".")


def _role(method: descriptor_pb2.MethodDescriptorProto) -> str:
    return role_pb2.Role.Name(method.options.Extensions[role_pb2.required_role])


def _tidy(lines: list[str]) -> str:
    kept = [line for line, before in zip(lines, ["x", *lines], strict=False) if line or before]
    return "\n".join(kept).rstrip() + "\n"


def main() -> None:
    """Write the page, or with ``--check`` compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it differs")
    made = page(read())
    if not parser.parse_args().check:
        PAGE.write_text(made)
    elif not PAGE.is_file() or PAGE.read_text() != made:
        sys.exit("docs/api.md is not what protos/ says; run 'make docs-reference'")


if __name__ == "__main__":
    main()
