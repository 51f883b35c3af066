"""Makes ``docs/frames/`` from the worked conversations of ``docs/firmware.md``: each as JSON and as
the bytes on the wire. ``--check`` writes nothing and fails when a file is another.

The bytes are framed as gRPC frames them: one byte 0 (not compressed), four bytes of length, big
end first, then the message.
"""

import argparse
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from gateway.v1 import machine_service_pb2 as service_pb

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "frames"
CHAPTER = "## 8. Worked conversations"
_TITLE = re.compile(r"^(?:### (?P<heading>.+)|\*\*(?P<bold>[^*]+?)\.?\*\*)$")
_FRAME = re.compile(r"^([<>]) (\{.*\})$")

Frame = service_pb.ConnectRequest | service_pb.ConnectResponse


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation by the name of its files; each frame with who says it."""

    name: str
    frames: list[tuple[str, Frame]] = field(default_factory=list)

    def binary(self) -> bytes:
        """Return all frames as they go over the wire."""
        return b"".join(framed(frame) for _, frame in self.frames)

    def text(self) -> str:
        """Return all frames as JSON, each with its place among the bytes."""
        told: list[dict[str, Any]] = []
        offset = 0
        for speaker, frame in self.frames:
            size = len(framed(frame))
            told.append(
                {
                    "from": speaker,
                    "message": f"gateway.v1.{frame.DESCRIPTOR.name}",
                    "offset": offset,
                    "bytes": size,
                    "frame": json_format.MessageToDict(frame),
                }
            )
            offset += size
        lines = ",\n".join(f"  {json.dumps(each, ensure_ascii=False)}" for each in told)
        return f'{{"conversation": "{self.name}", "frames": [\n{lines}\n]}}\n'


def framed(frame: Frame) -> bytes:
    """Return one frame as gRPC sends it."""
    body = frame.SerializeToString(deterministic=True)
    return b"\0" + len(body).to_bytes(4, "big") + body


def conversations(page: str) -> list[Conversation]:
    """Return the conversations of the page that have frames, in its order."""
    chapter = page.partition(CHAPTER)[2].partition("\n## ")[0]
    found: list[Conversation] = []
    for line in chapter.splitlines():
        if title := _TITLE.match(line):
            found.append(Conversation(_slug(title["heading"] or title["bold"])))
        elif told := _FRAME.match(line):
            says = service_pb.ConnectRequest if told[1] == ">" else service_pb.ConnectResponse
            speaker = "machine" if told[1] == ">" else "backend"
            found[-1].frames.append((speaker, json_format.Parse(told[2], says())))
    return [each for each in found if each.frames]


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def files() -> dict[str, bytes]:
    """Return what is to be in the folder, by name."""
    made: dict[str, bytes] = {}
    for each in conversations((HERE / "firmware.md").read_text()):
        made[f"{each.name}.json"] = each.text().encode()
        made[f"{each.name}.bin"] = each.binary()
    return made


def main() -> int:
    """Write the folder, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    check = parser.parse_args().check
    made = files()
    there = {path.name: path.read_bytes() for path in FOLDER.glob("*.*")} if FOLDER.is_dir() else {}
    if made == there:
        return 0
    if check:
        print("docs/frames is not what docs/firmware.md says: run python docs/frames.py")
        return 1
    FOLDER.mkdir(exist_ok=True)
    for name in there.keys() - made.keys():
        (FOLDER / name).unlink()
    for name, content in made.items():
        (FOLDER / name).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
