"""A network drawn on an image, as SVG: the image, every layer's maps as stacked sheets, the classes; one neuron and all that it
sees are lit."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from html import escape

import numpy as np

from boundlab.charts.sketch_parts import Box, Inks, circle, inks_of, sight_lines, text
from boundlab.charts.sketch_stages import DRAWING_HEIGHT, stages_of
from boundlab.quantities.receptive_fields import fields_of_last
from boundlab.specs.arch import ArchSpec

_WIDTH = 384
_CLASSES = 350  # where they stand
_MOST_CLASSES = 10


def _classes(names: Sequence[str], predicted: int | None, seen: Box, inks: Inks) -> str:
    """One circle each, the predicted one filled; of many the first, and an ellipsis. `seen`: what each of them sees."""
    many = len(names) > _MOST_CLASSES
    shown = list(range(_MOST_CLASSES - 1 if many else len(names)))
    if many and predicted is not None and predicted not in shown:
        shown[-1] = predicted
    out = []
    for row, number in enumerate(shown):
        y, mine = _class_height(row, len(shown) + many), number == predicted
        if mine:
            out.append(sight_lines(seen, Box(_CLASSES - 5, y, _CLASSES, y), inks, 0.35))
        out.append(circle(_CLASSES, y, 5, inks.lit if mine else "none", inks.lit if mine else inks.edge))
        out.append(text(_CLASSES + 11, y + 4, _short(names[number]), inks.ink if mine else inks.edge, mine))
    if many:
        out.append(text(_CLASSES + 11, _class_height(_MOST_CLASSES - 1, _MOST_CLASSES) + 4, "…", inks.edge))
    return "".join(out)


def _class_height(row: int, count: int) -> float:
    return DRAWING_HEIGHT / 2 + (row - (count - 1) / 2) * min(16.0, (DRAWING_HEIGHT - 14) / max(1, count))


def _short(name: str) -> str:
    return name if len(name) <= 4 else name[:3] + "…"


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
    inks = inks_of(dark)
    stages = stages_of(arch, image, inks)
    parts = [stage.svg for stage in stages]
    parts += [sight_lines(seer.seen(seen), seer.lit, inks) for seen, seer in itertools.pairwise(stages)]
    parts += [stage.mark for stage in stages]
    parts.append(_classes(names, predicted, stages[-1].whole, inks))
    words = escape(sketch_words(arch, None if predicted is None else names[predicted]), quote=True)
    head = f'viewBox="0 0 {_WIDTH} {DRAWING_HEIGHT}" font-family="Source Sans, Source Sans Pro, Helvetica, Arial, sans-serif" role="img" aria-label="{words}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {head}><title>{words}</title>{"".join(parts)}</svg>'
