"""Photograph the explorer for the documentation: ``python docs/screenshots.py``.

It needs what the browser's tests need, and Pillow.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

import viz
from tinygrad_bp import Network

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PICTURES = Path(__file__).parent / "pictures"
SIZE = {"width": 1180, "height": 700}
FRAMES = 24
BEAT = 700  # milliseconds


def photograph(browser: Browser, file: Path) -> None:
    """The page in light and dark, and a film of its pass, the last steps and then the paths."""
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport=SIZE, color_scheme=scheme)
        page.goto(file.as_uri())
        page.focus("#terms tbody tr:first-child button")
        _save_png(page.screenshot(), PICTURES / f"explorer-{scheme}.png")
        page.close()
    page = browser.new_page(viewport=SIZE, color_scheme="light")
    page.goto(file.as_uri())
    steps = int(page.get_attribute("#slider", "max") or 0)
    shots = []
    for k in range(FRAMES):
        index = round(k * steps / (FRAMES - 1))
        page.evaluate(
            "(index) => { const slider = document.querySelector('#slider'); slider.value = index;"
            " slider.dispatchEvent(new Event('input')); }",
            index,
        )
        shots.append(page.screenshot())
    for button in page.locator("#terms tbody button").all():
        button.focus()
        page.evaluate("scrollTo(0, 0)")
        shots.append(page.screenshot())
    _save_gif(shots, PICTURES / "explorer.gif")


def _save_png(shot: bytes, file: Path) -> None:
    """In a table of colours, which makes it three times smaller."""
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(200).save(file, optimize=True)


def _save_gif(shots: list[bytes], file: Path) -> None:
    """One table of colours for all, which has the rare ones too."""
    frames = [Image.open(io.BytesIO(shot)).convert("RGB") for shot in shots]
    table = frames[FRAMES // 2].quantize(96, method=Image.Quantize.MAXCOVERAGE)
    first, *others = [each.quantize(palette=table, dither=Image.Dither.NONE) for each in frames]
    first.save(file, save_all=True, append_images=others, duration=BEAT, loop=0, optimize=True)


def main() -> None:
    """Write the pictures."""
    net = Network.random([2, 3, 3, 2], seed=1)
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder, "explorer.html")
        run = net.forward([0.8, -0.5], [0.3, -0.2])
        viz.explore(run, file, weight=(1, 2, 1), title="A 2-3-3-2 network of tanh")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        photograph(browser, file)
        browser.close()


if __name__ == "__main__":
    main()
