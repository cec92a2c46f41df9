"""The stages of a drawn network, left to right: the image, and every layer's maps as stacked sheets or neurons as a column."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from boundlab.charts.sketch_parts import Box, Inks, circle, inside, rect
from boundlab.quantities.receptive_fields import Field, fields_of_last
from boundlab.specs.arch import ArchSpec
from boundlab.specs.shapes import LayerShape

DRAWING_HEIGHT = 172
_IMAGE = 150  # the side of the image
_LAYERS = (168, 330)  # where layers may stand, left to right
_SHEET = 132  # the height of a map as large as the image
_SLANT = 0.3  # sheets are seen from the side
_STEP = 7  # from one sheet of a stack to the next
_SHEETS = 3
_MOST_MAPS, _MOST_DENSE, _MOST_NEURONS = 4, 2, 5
_TONES = 7  # of grey, in the image


@dataclass(frozen=True)
class DrawnStage:
    """One part of the drawing. `svg`: without what is lit; `whole`: all of it; `lit`: what the one neuron sees of it; `mark`:
    that, drawn; `dense`: whether each of its neurons sees all of the stage before."""

    svg: str
    whole: Box
    lit: Box
    mark: str
    dense: bool = False

    def seen(self, before: DrawnStage) -> Box:
        """What the lit neuron here sees of the stage before."""
        return before.whole if self.dense else before.lit


def _pixels(image: np.ndarray, box: Box, ink: str) -> str:
    """(height, width) in [0, 1] as ink, one path per tone."""
    tones = np.rint(np.clip(image, 0, 1) * _TONES).astype(int)
    tall, wide = (box.bottom - box.top) / image.shape[0], (box.right - box.left) / image.shape[1]
    paths = []
    for tone in range(1, _TONES + 1):
        squares = "".join(
            f"M{box.left + x * wide:.1f} {box.top + y * tall:.1f}h{wide + 0.1:.2f}v{tall + 0.1:.2f}h-{wide + 0.1:.2f}z"
            for y, x in zip(*np.nonzero(tones == tone), strict=True)
        )
        paths.append(f'<path d="{squares}" fill="{ink}" fill-opacity="{tone / _TONES:.2f}"/>' if squares else "")
    return "".join(paths)


def _picture(arch: ArchSpec, image: np.ndarray | None, field: Field, inks: Inks) -> DrawnStage:
    size = arch.in_shape[1:]
    tall, wide = (_IMAGE * side / max(size) for side in size)
    box = Box(1, (DRAWING_HEIGHT - tall) / 2, 1 + wide, (DRAWING_HEIGHT + tall) / 2)
    lit = inside(box, field, size, 4)
    svg = rect(box, "none", inks.frame) + ("" if image is None else _pixels(image, box, inks.ink))
    return DrawnStage(svg, box, lit, rect(lit, inks.lit, inks.lit, 2, 0.25))


def _maps(layer: LayerShape, field: Field, x: float, room: float, side: int, inks: Inks) -> DrawnStage:
    """A stack of sheets, one per channel and at most three; without shared weights the front one has a lattice. `room`: its
    width at most; `side`: of the image."""
    size = layer.passed_size
    tall, wide = (min(1.0, length / side) * _SHEET for length in size)
    tall, wide = max(10.0, tall), max(6.0, min(room - (_SHEETS - 1) * _STEP, wide * _SLANT))
    sheets = min(_SHEETS, layer.out_channels)
    shift = [(i - (sheets - 1) / 2) * _STEP for i in range(sheets)]
    left, top = x - wide / 2, (DRAWING_HEIGHT - tall) / 2
    boxes = [Box(left + by, top + by, left + wide + by, top + tall + by) for by in shift]
    svg = "".join(rect(box, inks.paper, inks.edge) for box in boxes)
    if layer.kind == "local":
        svg += _lattice(boxes[-1], size, inks)
    lit = inside(boxes[-1], field, size, 4)
    return DrawnStage(svg, boxes[-1], lit, rect(lit, inks.lit))


def _lattice(box: Box, size: tuple[int, int], inks: Inks) -> str:
    rows, columns = (min(8, side) for side in size)
    lines = [
        f"M{box.left:.1f} {box.top + i * (box.bottom - box.top) / rows:.1f}H{box.right:.1f}" for i in range(1, rows)
    ]
    lines += [
        f"M{box.left + i * (box.right - box.left) / columns:.1f} {box.top:.1f}V{box.bottom:.1f}"
        for i in range(1, columns)
    ]
    return f'<path d="{"".join(lines)}" stroke="{inks.edge}" stroke-width="0.6" fill="none"/>'


def _dense(layer: LayerShape, x: float, inks: Inks) -> DrawnStage:
    """A column of neurons, the middle one lit."""
    count = min(_MOST_NEURONS, layer.out_channels)
    places = [DRAWING_HEIGHT / 2 + (i - (count - 1) / 2) * 22 for i in range(count)]
    svg = "".join(circle(x, y, 6, inks.paper, inks.edge) for y in places)
    middle = places[count // 2]
    lit, whole = Box(x - 6, middle - 6, x + 6, middle + 6), Box(x - 6, places[0] - 6, x + 6, places[-1] + 6)
    return DrawnStage(svg, whole, lit, circle(x, middle, 6, inks.lit, inks.lit), dense=True)


def stages_of(arch: ArchSpec, image: np.ndarray | None, inks: Inks) -> list[DrawnStage]:
    """The image and the layers before the output layer; of many the first ones and the last."""
    shapes = arch.shapes()
    fields = fields_of_last(shapes, arch.in_shape[1:])
    spatial = sum(shape.spatial for shape in shapes)
    kept = [*_kept(range(spatial), _MOST_MAPS), *_kept(range(spatial, len(shapes) - 1), _MOST_DENSE)]
    left, right = _LAYERS
    pitch = (right - left) / max(1, len(kept))
    stages = [_picture(arch, image, fields[0], inks)]
    for place, number in enumerate(kept):
        x = left + (place + 0.5) * pitch
        if number < spatial:
            stages.append(_maps(shapes[number], fields[number + 1], x, pitch - 6, max(arch.in_shape[1:]), inks))
        else:
            stages.append(_dense(shapes[number], x, inks))
    return stages


def _kept(items: Iterable[int], most: int) -> list[int]:
    """At most so many of them: the first ones, and the last."""
    every = list(items)
    return every if len(every) <= most else [*every[: most - 1], every[-1]]
