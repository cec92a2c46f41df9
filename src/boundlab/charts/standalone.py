"""A picture that moves without a server: one HTML file with Plotly, the figure and its frames in it."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from plotly.io.json import to_json_plotly
from plotly.offline import get_plotlyjs

from boundlab.charts.theme import INK
from boundlab.charts.trend import Picture
from boundlab.version import __version__

_GROUND = ("#FFFFFF", "#14161B")
_CLEAR = {"paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "template": {}, "autosize": True}
_PAGE = Template((Path(__file__).parent / "standalone.html").read_text())


def standalone(
    picture: Picture,
    name: str,
    labels: Sequence[str],
    at: int,
    caption: str,
    words: Sequence[str] = (),
    dark: bool = False,
) -> str:
    """The file's text, some 5 MB, nearly all of it Plotly. `name`: of the handle; `labels`: one per position, `at` the first shown;
    `caption`: what the picture is of; `words`: per position what is said above it. What comes from outside is text in it, never markup."""
    drawn = picture.figure.to_dict()
    if picture.shift:  # the figure was drawn with another ground
        shift = json.loads(picture.shift)
        drawn = {"data": shift["data"], "layout": drawn["layout"] | shift["layout"]}
    layout = {key: value for key, value in drawn["layout"].items() if key not in ("updatemenus", "meta", "width")}
    layout = _CLEAR | layout | {"template": {}}
    film = {
        "data": drawn["data"],
        "layout": layout,
        "frames": json.loads(picture.written) if picture.written else list(picture.frames),
        "traces": picture.moving,
        "labels": list(labels),
        "words": [text.replace("**", "") for text in words],
        "at": at,
    }
    return _PAGE.substitute(
        title=html.escape(caption),
        caption=html.escape(f"Saved at {name.strip(' =')} {labels[at]}: {caption}"),
        name=html.escape(name),
        version=__version__,
        ground=_GROUND[dark],
        ink=INK[dark],
        lead="#C25A0A",
        plotly=get_plotlyjs().replace("</script", r"<\/script"),
        film=_in_script(film),
    )


def _in_script(film: dict[str, Any]) -> str:
    """As JSON that cannot end the script around it."""
    return str(to_json_plotly(film)).replace("<", r"\u003c")
