"""Keeps the promise to firmware in the field: the machines' protocol changes only in ways that a
machine of yesterday survives.

Flows in: the .proto files, ``machine.options``, and what ``protos/released`` holds of the last
release. Flows out: with ``--check`` a verdict, else the same followed by a new release in that
folder. Works without a network.

``buf breaking`` knows the messages. It does not know the bounds: firmware made by nanopb has memory
of a fixed size, so a text that may become longer on its way to a machine breaks it as surely as a
field that changes its number.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

ROOT = Path(__file__).resolve().parent.parent
BUF = Path(sys.executable).parent / "buf"
FILES = ("protos/gateway/v1/machine.proto", "protos/gateway/v1/machine_service.proto")
"""The machines' protocol. The administrators' is no firmware's and has its own pace."""
OPTIONS = Path("protos/gateway/v1/machine.options")
IMAGE = Path("protos/released/machine.binpb")
RELEASED_OPTIONS = Path("protos/released/machine.options")

_LINE = re.compile(r"gateway\.v1\.(\w+\.\w+) max_(?:length|count):(\d+)")


def bounds(options: str) -> dict[str, int]:
    """Return the bound of each field, by message and field, for example ``Hello.firmware``. A
    line that says none is refused.
    """
    found: dict[str, int] = {}
    for line in options.splitlines():
        if not line or line.startswith("#"):
            continue
        said = _LINE.fullmatch(line)
        if said is None or said[1] in found:
            raise ValueError(
                "expected gateway.v1.<Message>.<field> max_length:<bytes> or "
                f"max_count:<entries>, once, got {line!r}"
            )
        found[said[1]] = int(said[2])
    return found


def broken_bounds(
    image: bytes, before: Mapping[str, int], after: Mapping[str, int]
) -> Iterator[str]:
    """Yield each change of a bound that firmware in the field would not survive; ``image`` is
    the protocol as it was released.
    """
    messages = {
        message.name: message
        for file in FileDescriptorSet.FromString(image).file
        for message in file.message_type
    }

    def reached(name: str) -> Iterator[str]:
        yield name
        for field in messages[name].field:
            if field.type_name and (inner := field.type_name.rsplit(".", 1)[1]) in messages:
                yield from reached(inner)

    said, heard = set(reached("ConnectRequest")), set(reached("ConnectResponse"))
    for field, old in before.items():
        new = after.get(field)
        if new is None:
            yield f"{field}: had the bound {old} and has none"
        elif field.split(".")[0] in heard and new > old:
            yield f"{field}: may not grow from {old} to {new}, machines have no room for more"
        elif field.split(".")[0] in said and new < old:
            yield f"{field}: may not shrink from {old} to {new}, machines say as much"


def check(root: Path) -> bool:
    """Say what is broken; return whether nothing is."""
    against = [str(BUF), "breaking", "--against", str(IMAGE)]  # what the image lacks is free
    sound = subprocess.run(against, cwd=root, check=False).returncode == 0  # noqa: S603 - buf of this environment, fixed arguments
    before, after = (bounds((root / path).read_text()) for path in (RELEASED_OPTIONS, OPTIONS))
    for sentence in broken_bounds((root / IMAGE).read_bytes(), before, after):
        sound = False
        print(f"{OPTIONS}: {sentence}")
    return sound


def write(root: Path) -> None:
    """Make what is there now the release that later changes are held to."""
    (root / IMAGE).parent.mkdir(exist_ok=True)
    paths = [word for file in FILES for word in ("--path", file)]
    build = [str(BUF), "build", "--exclude-source-info", *paths, "-o", str(IMAGE)]
    subprocess.run(build, cwd=root, check=True)  # noqa: S603 - as above
    shutil.copyfile(root / OPTIONS, root / RELEASED_OPTIONS)


def main() -> None:
    """Check, and unless asked for no more, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument(
        "--root", type=Path, default=ROOT, help="the project, if it is not this one"
    )
    asked = parser.parse_args()
    if (asked.check or (asked.root / IMAGE).exists()) and not check(asked.root):
        sys.exit(
            "machines in the field would not survive this change of "
            "protos/gateway/v1; add a field or a message instead"
        )
    if not asked.check:
        write(asked.root)


if __name__ == "__main__":
    main()
