"""A network drawn on an image, as SVG: the image, every layer's maps as stacked sheets, the classes; one neuron and all that it
sees are lit."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from boundlab.charts.theme import INK, STYLES
from boundlab.quantities.receptive_fields import Field, fields_of_last
from boundlab.specs.arch import ArchSpec
from boundlab.specs.shapes import LayerShape

_WIDTH, _HEIGHT = 384, 172
_IMAGE = 150  # the side of the image
_LAYERS = (168, 330)  # where layers may stand, left to right
_CLASSES = 350
_SHEET = 132  # the height of a map as large as the image
_SLANT = 0.3  # sheets are seen from the side
_STEP = 7  # from one sheet of a stack to the next
_SHEETS = 3
_MOST_MAPS, _MOST_DENSE, _MOST_NEURONS, _MOST_CLASSES = 4, 2, 5, 10
_TONES = 7  # of grey, in the image
_PAPER = ("#F4F4F0", "#1C2026")
_EDGE = ("#6A6D72", "#9AA0A8")
_FRAME = ("#DCDDDA", "#3A4048")


@dataclass(frozen=True)
class _Look:
    ink: str
    paper: str
    edge: str
    frame: str
    lit: str


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class _Stage:
    """One part of the drawing. `svg`: without what is lit; `whole`: all of it; `lit`: what the one neuron sees of it; `mark`:
    that, drawn; `dense`: whether each of its neurons sees all of the stage before."""

    svg: str
    whole: _Box
    lit: _Box
    mark: str
    dense: bool = False

    def seen(self, before: _Stage) -> _Box:
        """What the lit neuron here sees of the stage before."""
        return before.whole if self.dense else before.lit


def _look(dark: bool) -> _Look:
    return _Look(INK[dark], _PAPER[dark], _EDGE[dark], _FRAME[dark], STYLES["sparse"].colour(dark))


def _rect(box: _Box, fill: str, stroke: str = "none", width: float = 1.0, opacity: float = 1.0) -> str:
    size = f'width="{box.right - box.left:.1f}" height="{box.bottom - box.top:.1f}"'
    paint = f'fill="{fill}" fill-opacity="{opacity:g}" stroke="{stroke}" stroke-width="{width:g}"'
    return f'<rect x="{box.left:.1f}" y="{box.top:.1f}" {size} {paint}/>'


def _circle(x: float, y: float, radius: float, fill: str, stroke: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}" stroke="{stroke}"/>'


def _text(x: float, y: float, words: str, colour: str, bold: bool = False) -> str:
    weight = ' font-weight="700"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="13" fill="{colour}"{weight}>{escape(words)}</text>'


def _inside(box: _Box, field: Field, size: tuple[int, int], least: float = 0.0) -> _Box:
    """Where a field of a map of that size lies on a box, at least `least` wide and high."""
    tall, wide = (box.bottom - box.top) / size[0], (box.right - box.left) / size[1]
    left, right = box.left + field.left * wide, box.left + (field.right + 1) * wide
    top, bottom = box.top + field.top * tall, box.top + (field.bottom + 1) * tall
    x, y = max(0.0, least - (right - left)) / 2, max(0.0, least - (bottom - top)) / 2
    return _Box(left - x, top - y, right + x, bottom + y)


def _pixels(image: np.ndarray, box: _Box, ink: str) -> str:
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


def _picture(arch: ArchSpec, image: np.ndarray | None, field: Field, look: _Look) -> _Stage:
    size = arch.in_shape[1:]
    tall, wide = (_IMAGE * side / max(size) for side in size)
    box = _Box(1, (_HEIGHT - tall) / 2, 1 + wide, (_HEIGHT + tall) / 2)
    lit = _inside(box, field, size, 4)
    svg = _rect(box, "none", look.frame) + ("" if image is None else _pixels(image, box, look.ink))
    return _Stage(svg, box, lit, _rect(lit, look.lit, look.lit, 2, 0.25))


def _maps(layer: LayerShape, field: Field, x: float, room: float, side: int, look: _Look) -> _Stage:
    """A stack of sheets, one per channel and at most three; without shared weights the front one has a lattice. `room`: its
    width at most; `side`: of the image."""
    size = layer.passed_size
    tall, wide = (min(1.0, length / side) * _SHEET for length in size)
    tall, wide = max(10.0, tall), max(6.0, min(room - (_SHEETS - 1) * _STEP, wide * _SLANT))
    sheets = min(_SHEETS, layer.out_channels)
    shift = [(i - (sheets - 1) / 2) * _STEP for i in range(sheets)]
    left, top = x - wide / 2, (_HEIGHT - tall) / 2
    boxes = [_Box(left + by, top + by, left + wide + by, top + tall + by) for by in shift]
    svg = "".join(_rect(box, look.paper, look.edge) for box in boxes)
    if layer.kind == "local":
        svg += _lattice(boxes[-1], size, look)
    lit = _inside(boxes[-1], field, size, 4)
    return _Stage(svg, boxes[-1], lit, _rect(lit, look.lit))


def _lattice(box: _Box, size: tuple[int, int], look: _Look) -> str:
    rows, columns = (min(8, side) for side in size)
    lines = [
        f"M{box.left:.1f} {box.top + i * (box.bottom - box.top) / rows:.1f}H{box.right:.1f}" for i in range(1, rows)
    ]
    lines += [
        f"M{box.left + i * (box.right - box.left) / columns:.1f} {box.top:.1f}V{box.bottom:.1f}"
        for i in range(1, columns)
    ]
    return f'<path d="{"".join(lines)}" stroke="{look.edge}" stroke-width="0.6" fill="none"/>'


def _dense(layer: LayerShape, x: float, look: _Look) -> _Stage:
    """A column of neurons, the middle one lit."""
    count = min(_MOST_NEURONS, layer.out_channels)
    places = [_HEIGHT / 2 + (i - (count - 1) / 2) * 22 for i in range(count)]
    svg = "".join(_circle(x, y, 6, look.paper, look.edge) for y in places)
    middle = places[count // 2]
    lit, whole = _Box(x - 6, middle - 6, x + 6, middle + 6), _Box(x - 6, places[0] - 6, x + 6, places[-1] + 6)
    return _Stage(svg, whole, lit, _circle(x, middle, 6, look.lit, look.lit), dense=True)


def _stages(arch: ArchSpec, image: np.ndarray | None, look: _Look) -> list[_Stage]:
    """The image and the layers before the output layer; of many the first ones and the last."""
    shapes = arch.shapes()
    fields = fields_of_last(shapes, arch.in_shape[1:])
    spatial = sum(shape.spatial for shape in shapes)
    kept = [*_kept(range(spatial), _MOST_MAPS), *_kept(range(spatial, len(shapes) - 1), _MOST_DENSE)]
    left, right = _LAYERS
    pitch = (right - left) / max(1, len(kept))
    stages = [_picture(arch, image, fields[0], look)]
    for place, number in enumerate(kept):
        x = left + (place + 0.5) * pitch
        if number < spatial:
            stages.append(_maps(shapes[number], fields[number + 1], x, pitch - 6, max(arch.in_shape[1:]), look))
        else:
            stages.append(_dense(shapes[number], x, look))
    return stages


def _classes(names: Sequence[str], predicted: int | None, seen: _Box, look: _Look) -> str:
    """One circle each, the predicted one filled; of many the first, and an ellipsis. `seen`: what each of them sees."""
    many = len(names) > _MOST_CLASSES
    shown = list(range(_MOST_CLASSES - 1 if many else len(names)))
    if many and predicted is not None and predicted not in shown:
        shown[-1] = predicted
    out = []
    for row, number in enumerate(shown):
        y, mine = _class_height(row, len(shown) + many), number == predicted
        if mine:
            out.append(_fan(seen, _Box(_CLASSES - 5, y, _CLASSES, y), look, 0.35))
        out.append(_circle(_CLASSES, y, 5, look.lit if mine else "none", look.lit if mine else look.edge))
        out.append(_text(_CLASSES + 11, y + 4, _short(names[number]), look.ink if mine else look.edge, mine))
    if many:
        out.append(_text(_CLASSES + 11, _class_height(_MOST_CLASSES - 1, _MOST_CLASSES) + 4, "…", look.edge))
    return "".join(out)


def _class_height(row: int, count: int) -> float:
    return _HEIGHT / 2 + (row - (count - 1) / 2) * min(16.0, (_HEIGHT - 14) / max(1, count))


def _short(name: str) -> str:
    return name if len(name) <= 4 else name[:3] + "…"


def _fan(seen: _Box, seer: _Box, look: _Look, opacity: float = 1.0) -> str:
    """From what is seen to who sees it."""
    ends = ((seen.top, seer.top), (seen.bottom, seer.bottom))
    lines = "".join(f"M{seen.right:.1f} {a:.1f}L{seer.left:.1f} {b:.1f}" for a, b in ends)
    return f'<path d="{lines}" stroke="{look.lit}" stroke-opacity="{opacity:g}" stroke-width="1.4" fill="none"/>'


def _kept(items: Iterable[int], most: int) -> list[int]:
    """At most so many of them: the first ones, and the last."""
    every = list(items)
    return every if len(every) <= most else [*every[: most - 1], every[-1]]


def sketch_words(arch: ArchSpec, predicted: str | None = None) -> str:
    """What the drawing shows, for who cannot see it."""
    shapes, size = arch.shapes(), arch.in_shape[1:]
    field = fields_of_last(shapes, size)[0]
    spatial, image = sum(shape.spatial for shape in shapes), f"{size[0]} × {size[1]} pixels"
    if spatial:
        seen = f"{field.bottom - field.top + 1} × {field.right - field.left + 1} of the {image}"
        words = f"The image goes through {spatial} layer{'s' * (spatial > 1)} of maps; a neuron of the last sees {seen}"
    else:
        words = f"Every neuron of the first layer sees all {image}"
    return f"{words}; of {arch.classes} classes the network chooses {predicted}." if predicted else f"{words}."


def network_sketch(
    arch: ArchSpec,
    image: np.ndarray | None,
    predicted: int | None,
    dark: bool,
    names: Sequence[str] | None = None,
) -> str:
    """SVG text. `image`: (height, width) in [0, 1], as large as the network looks at, or None: an
    empty frame; `predicted`: the number of the class that the network chooses, or None; `names`: of the classes, else their
    numbers. Raises ValueError where image, class or names do not fit the network."""
    size, names = arch.in_shape[1:], [str(i) for i in range(arch.classes)] if names is None else list(names)
    if image is not None and image.shape != size:
        raise ValueError(f"the image must be {size[0]} by {size[1]} as the network's input is, got shape {image.shape}")
    if len(names) != arch.classes:
        raise ValueError(f"names must be one per class, {arch.classes} of them, got {len(names)}")
    if predicted is not None and not 0 <= predicted < arch.classes:
        raise ValueError(f"predicted must be a class from 0 to {arch.classes - 1}, got {predicted}")
    look = _look(dark)
    stages = _stages(arch, image, look)
    parts = [stage.svg for stage in stages]
    parts += [_fan(seer.seen(seen), seer.lit, look) for seen, seer in itertools.pairwise(stages)]
    parts += [stage.mark for stage in stages]
    parts.append(_classes(names, predicted, stages[-1].whole, look))
    words = escape(sketch_words(arch, None if predicted is None else names[predicted]), quote=True)
    head = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="Source Sans, Source Sans Pro, Helvetica, Arial, sans-serif" role="img" aria-label="{words}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {head}><title>{words}</title>{"".join(parts)}</svg>'
