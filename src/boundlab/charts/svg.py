"""SVG on a page: `st.html` lets none through but as an image."""

from __future__ import annotations

import base64


def as_image(svg: str, most: str = "34rem") -> str:
    """HTML of an image as wide as where it stands, at most `most`, with the words of the SVG's title for who cannot see it."""
    words = svg[svg.index("<title>") + len("<title>") : svg.index("</title>")]
    packed = base64.b64encode(svg.encode()).decode()
    return f'<img alt="{words}" src="data:image/svg+xml;base64,{packed}" style="width: 100%; max-width: {most}">'
