"""The demo's pictures are sound."""

import io

from PIL import Image

from gateway.demo.pictures import HEIGHT, WIDTH, gradient
from gateway.screens.pictures import found_in


def test_a_gradient_goes_from_one_colour_to_another() -> None:
    """As any program reads it, ours too."""
    content = gradient((255, 0, 9), (0, 128, 9))
    with Image.open(io.BytesIO(content)) as image:
        assert (WIDTH, HEIGHT) == image.size
        assert (255, 0, 9) == image.getpixel((0, 0))
        assert (0, 128, 9) == image.getpixel((WIDTH - 1, HEIGHT - 1))
    assert "image/png" == found_in(content).media_type
