"""How the operator wants posters to look, and what of it cannot be used. Needs nothing of the extra
``poster``: without it files are only looked for.

The gateway starts whatever stands here: a poster that cannot be drawn must not keep machines from
selling. ``vendgate config check`` refuses it, and so does whoever asks for a poster.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from gateway.posters.layout import WHITE
from gateway.posters.refusals import PosterRefused
from gateway.process.sections import Posters

PARTS = ("reportlab", "pypdfium2", "fontTools", "PIL")
"""What the extra brings."""
CONTRAST_MIN = 4.5
"""Of a text and what it stands on (WCAG 2.2, 1.4.3)."""


def installed() -> bool:
    """Return whether what draws posters is there."""
    return all(importlib.util.find_spec(part) is not None for part in PARTS)


def pictures_of(section: Posters) -> Mapping[str, Path]:
    """Return the files of the operator's pictures, by what they are."""
    named = {"logo": section.logo_file, "mark": section.mark_file}
    return {which: path for which, path in named.items() if path is not None}


def problems(section: Posters) -> list[str]:
    """Return a sentence for everything that cannot be used."""
    found = []
    if len(set(section.languages)) < len(section.languages):
        found.append("posters.languages: one stands there twice; name each once.")
    for name, colour in (("ink", section.ink), ("accent", section.accent)):
        if contrast(colour, WHITE) < CONTRAST_MIN:
            found.append(
                f"posters.{name}: {colour} is too bright to be read beside white; take a darker "
                "colour."
            )
    return found + _of_files(section)


def _of_files(section: Posters) -> list[str]:
    named = {f"{which}_file": path for which, path in pictures_of(section).items()}
    if section.font_file is not None:
        named["font_file"] = section.font_file
    if not installed():
        return [
            f"posters.{name}: {path} is no file; name one that is there."
            for name, path in named.items()
            if not path.is_file()
        ]
    from gateway.posters import pictures, typefaces  # the extra

    found = []
    for name, path in named.items():
        try:
            if name == "font_file":
                typefaces.Typeface(path)
            else:
                pictures.read(name, path)
        except PosterRefused as error:
            found.append(str(error))
    return found


def contrast(one: str, other: str) -> float:
    """Return how well a colour is told from another, 1 to 21 (WCAG 2.2)."""
    darker, brighter = sorted((_luminance(one), _luminance(other)))
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
