"""Manifests and files that a machine is to show in tests."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

END_MS = 4_000_000_000_000


def sha256_of(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


A = sha256_of("a")


def a_manifest(
    *contents: str, each: Mapping[str, Mapping[str, Any]] | None = None, **more: Any
) -> tuple[str, bytes]:
    """The name and the bytes of a manifest of these files, which are in their contents. ``more`` is
    said of all of them, and ``each`` of some.
    """
    items = [
        {
            "sha256": sha256_of(one),
            "bytes": len(one),
            "media_type": "image/png",
            "duration_ms": 8_000,
            "days": 127,
            "from_minute": 0,
            "to_minute": 1_440,
            "priority": 0,
            "not_after_ms": END_MS,
        }
        | more
        | dict((each or {}).get(one, {}))
        for one in contents
    ]
    content = json.dumps({"v": 1, "items": items, "offsets": [[0, 0]]}).encode()
    return hashlib.sha256(content).hexdigest(), content


@dataclass
class Shelf:
    """Where files are fetched. ``fails``: what is raised instead."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fails: Exception | None = None

    def lay(self, *contents: str, **more: Any) -> str:
        """Lay a manifest and its files there; return its name."""
        name, content = a_manifest(*contents, **more)
        self.files |= {name: content, **{sha256_of(one): one.encode() for one in contents}}
        return name

    async def fetch(self, url: str, token: str, most: int) -> bytes:
        """As a machine does."""
        assert "token" == token
        self.asked.append(url.rpartition("/")[2])
        if self.fails is not None:
            raise self.fails
        content = self.files[self.asked[-1]]
        assert len(content) <= most
        return content
