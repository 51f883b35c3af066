"""The worked conversations of ``docs/firmware.md`` as files: what ``docs/frames`` holds, each frame
with its bytes.
"""

import json
from pathlib import Path
from typing import Any

FRAMES = Path(__file__).resolve().parents[2] / "docs" / "frames"


def fixtures() -> dict[str, list[dict[str, Any]]]:
    """Return the frames of each conversation by its name, with ``body``: the message's bytes."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(FRAMES.glob("*.json")):
        binary = path.with_suffix(".bin").read_bytes()
        told = json.loads(path.read_text())["frames"]
        for each in told:
            start = each["offset"] + 5
            each["body"] = binary[start : start + each["bytes"] - 5]
            assert binary[start - 5 : start] == b"\0" + len(each["body"]).to_bytes(4, "big")
        assert len(binary) == told[-1]["offset"] + told[-1]["bytes"]
        found[path.stem] = told
    return found
