"""How a frozen value of the core becomes another one.

``msgspec.structs.replace`` takes a fortieth of the time of ``dataclasses.replace`` on the state
(docs/performance.md), and any name for a field. To the type checker it is the latter, which knows
the names and the types.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import replace
else:
    from msgspec.structs import replace

__all__ = ["replace"]
