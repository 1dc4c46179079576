"""Makes sample fruit images in the layout of Fruits-360: `sample_images.py DIR`, DIR/Training/<Class>/<n>_100.jpg.

Drawings, not photos: round things on white, whose classes differ in colour, form, skin and stalk, and whose images differ in
turn, size and light, so that a network and a PCA have something to find. The same seed draws the same pixels. It must never
write over a folder that holds anything else.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

SIDE = 100
FINE = 3  # drawn three times as large, then reduced: smooth edges

Colour = tuple[int, int, int]


class Fruit(NamedTuple):
    skin: Colour
    other: Colour          # the skin's second colour
    skin_kind: str         # blush, stripes, spots, rough or plain
    tall: float            # height to width
    narrow: float          # how much the top is narrower than the bottom
    size: float            # of the picture
    shine: float
    stalk: bool


FRUITS = {
    "Apple Red": Fruit((176, 24, 38), (222, 120, 60), "stripes", 0.95, 0.10, 0.86, 0.6, True),
    "Apple Golden": Fruit((218, 190, 72), (170, 176, 60), "spots", 1.00, 0.08, 0.84, 0.4, True),
    "Apricot": Fruit((240, 160, 64), (220, 84, 48), "blush", 0.98, 0.00, 0.70, 0.2, False),
    "Avocado": Fruit((58, 74, 34), (34, 44, 22), "rough", 1.40, 0.45, 0.90, 0.2, False),
    "Blueberry": Fruit((58, 66, 118), (116, 126, 170), "blush", 0.95, 0.00, 0.50, 0.1, False),
    "Lemon": Fruit((240, 214, 50), (226, 188, 30), "rough", 0.74, 0.00, 0.82, 0.5, False),
    "Pear": Fruit((168, 184, 70), (140, 120, 50), "spots", 1.35, 0.55, 0.92, 0.3, True),
    "Watermelon": Fruit((40, 98, 48), (140, 176, 92), "stripes", 0.92, 0.00, 0.95, 0.3, False),
    "Plum": Fruit((78, 32, 78), (130, 60, 110), "blush", 1.10, 0.05, 0.68, 0.3, True),
    "Orange": Fruit((240, 132, 24), (224, 108, 16), "rough", 0.98, 0.00, 0.80, 0.4, False),
    "Cherry": Fruit((140, 12, 30), (84, 6, 20), "plain", 0.96, 0.05, 0.55, 0.9, True),
    "Kiwi": Fruit((122, 96, 56), (90, 70, 40), "rough", 0.80, 0.00, 0.72, 0.0, False),
}


def draw(fruit: Fruit, random: np.random.Generator) -> Image.Image:
    """One image of a fruit: turned, sized, lit and coloured a little otherwise than the next one."""
    side = SIDE * FINE
    turn, grown = random.uniform(-0.5, 0.5), fruit.size * random.uniform(0.90, 1.0)
    rows, columns = np.mgrid[0:side, 0:side] / (side / 2) - 1.0
    x = (columns * np.cos(turn) + rows * np.sin(turn)) / grown
    y = (rows * np.cos(turn) - columns * np.sin(turn)) / grown
    widest = max(fruit.tall, 1.0)
    x, y = x * widest, y * widest / fruit.tall
    x = x * (1 + fruit.narrow * np.clip(0.5 - y, 0, 1.5) ** 2 / 2) * (1 + 0.04 * random.normal() * y)
    distance = np.hypot(x, y)
    depth = np.sqrt(np.clip(1 - distance**2, 0, 1))  # the surface, as a half-sphere

    mixed = skin(fruit, x, y, depth, random)[..., None]
    colour = (1 - mixed) * np.array(fruit.skin, float) + mixed * np.array(fruit.other, float)
    light = np.array([random.uniform(-0.6, 0.6), random.uniform(-0.8, -0.2), 0.8])
    light /= np.linalg.norm(light)
    lit = np.clip(x * light[0] + y * light[1] + depth * light[2], 0, 1)
    colour = colour * (0.45 + 0.65 * lit[..., None]) * random.uniform(0.92, 1.06)
    colour += 255 * fruit.shine * np.clip(lit - 0.9, 0, 1)[..., None] * 6

    picture = np.full((side, side, 3), 255.0)
    if fruit.stalk:
        bend = random.uniform(-0.2, 0.2)
        on_stalk = (np.abs(x - bend * (y + 0.8)) < 0.05) & (y > -1.25) & (y < -0.75)
        picture[on_stalk] = (92, 68, 40)
    picture[distance < 1] = np.clip(colour[distance < 1], 0, 255)
    image = Image.fromarray(picture.astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def skin(fruit: Fruit, x: np.ndarray, y: np.ndarray, depth: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """How much of the second colour each point has, 0 to 1."""
    at = random.uniform(-0.8, 0.8)
    if fruit.skin_kind == "blush":
        return np.clip(0.5 + 0.8 * (x * np.cos(at * 3) + y * np.sin(at * 3)), 0, 1)
    if fruit.skin_kind == "stripes":
        waves = np.arctan2(x, depth + 0.2) * random.uniform(9, 11) + 0.6 * np.sin(6 * y + at) + at
        return np.clip(0.5 + 0.9 * np.sin(waves), 0, 1) * 0.8
    if fruit.skin_kind == "spots":
        centres = random.uniform(-0.9, 0.9, (40, 2))
        return 0.8 * np.any([np.hypot(x - cx, y - cy) < 0.035 for cx, cy in centres], axis=0)
    if fruit.skin_kind == "rough":
        grain = Image.fromarray((random.random((60, 60)) * 255).astype(np.uint8)).resize(x.shape[::-1], Image.Resampling.BICUBIC)
        return np.asarray(grain) / 255
    return np.zeros_like(x)


def spoil(folder: Path) -> None:
    """Adds what a real upload brings along: a cut JPEG, a text and an empty file, all called images."""
    whole = next(folder.glob("*.jpg")).read_bytes()
    (folder / "spoilt_truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "spoilt_text.jpg").write_text("not an image\n")
    (folder / "spoilt_empty.jpg").touch()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dir", type=Path)
    parser.add_argument("--classes", type=int, default=8, choices=range(1, len(FRUITS) + 1), metavar=f"1..{len(FRUITS)}")
    parser.add_argument("--per-class", type=int, default=25)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--spoil", action="store_true", help="add three files that are no images")
    asked = parser.parse_args()
    training = asked.dir / "Training"
    if training.exists() and any(training.iterdir()):
        print(f"error: {training} is not empty", file=sys.stderr)
        return 1
    for number, (name, fruit) in enumerate(list(FRUITS.items())[: asked.classes]):
        folder = training / name
        folder.mkdir(parents=True)
        for n in range(asked.per_class):
            # Seeded by image, so that more of them do not change the first ones.
            draw(fruit, np.random.default_rng([asked.seed, number, n])).save(folder / f"{n}_100.jpg", quality=92)
    if asked.spoil:
        spoil(training / next(iter(FRUITS)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
