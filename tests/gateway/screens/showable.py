"""Pictures that machines may show."""

import io

from PIL import Image


def picture(
    form: str, width: int = 30, height: int = 20, colour: str = "red", **more: object
) -> bytes:
    """A picture of a format."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, form, **more)
    return file.getvalue()
