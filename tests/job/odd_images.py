"""Draws images that are odd but sound, and two that a listing must not lose: `odd_images.py FOLDER`. Run with Spark's Python."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

folder = Path(sys.argv[1])
folder.mkdir(parents=True)
image = Image.fromarray(np.random.default_rng(7).integers(0, 255, (80, 120, 3), dtype=np.uint8))
image.convert("L").save(folder / "gray.jpg")
image.convert("CMYK").save(folder / "cmyk.jpg")
image.convert("P").save(folder / "palette.PNG")
image.save(folder / "a png.jpg", format="PNG")
image.save(folder / "UPPER 50%.JPG", format="JPEG")
image.save(folder / "_hidden.jpg")
(folder / "notes.txt").write_text("not an image, and not called one")
