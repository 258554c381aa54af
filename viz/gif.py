"""Frames as an animated GIF, with Pillow.

Pillow is optional: it is imported here, where a GIF is asked for, and nowhere else.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from tinygrad_bp.errors import DrawingError

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = 64
"""Pictures have some ten colours; the others smooth their edges."""


def gif(pictures: Sequence[bytes], durations: Sequence[int]) -> bytes:
    """The pictures, one after the other, again and again.

    Args:
        pictures: each a PNG, all of one size.
        durations: how long each is shown, in milliseconds; it is ignored for a single one.

    Raises:
        DrawingError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise DrawingError(
            "a GIF needs Pillow: pip install 'tinygrad-bp[gif]', or save as .svg, which moves too"
        ) from None
    frames = [Image.open(io.BytesIO(each)).convert("RGB") for each in pictures]
    # One table of colours for all, from the last frame, which has most: else still parts flicker.
    table = frames[-1].quantize(COLOURS)
    frames = [frame.quantize(palette=table, dither=Image.Dither.NONE) for frame in frames]
    output = io.BytesIO()
    moving = {"append_images": frames[1:], "duration": list(durations), "loop": 0}
    frames[0].save(
        output, "GIF", save_all=True, optimize=True, **(moving if len(frames) > 1 else {})
    )
    return output.getvalue()
