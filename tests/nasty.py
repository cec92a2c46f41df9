"""What a link should not contain, and what must not become of it on a page."""

from __future__ import annotations

import re

NASTY = {
    "empty": "",
    "very long": "x" * 5_000,
    "right to left": "\u202e\u05d0\u05d1\u05d2 \u0627\u0628",
    "emoji and marks": "\U0001f989\u200d\U0001f525 Z\u0336\u0331\u0354a\u0351\u030dlgo \ufeff\ufffe",
    "control characters": "a\x00b\x07\x1b[31mc\r\nd\te\x85f\u2028g",
    "markdown": "**zz** [zz](javascript:zz) ![zz](https://zz.invalid/p.png) # zz",
    "breaks out of code": "`` ` ``` zz` [zz](https://zz.invalid) `\n# zz",
    "HTML": "<img src=zz onerror=zz><script>zz</script></style>",
    "LaTeX and colours": "$\\zz{1}$ :red[zz] :material/zz: $$zz$$",
    "not a number": "NaN",
    "infinite": ["inf", "-inf"],
    "too large": "1e400",
    "minus zero": "-0",
    "huge": "9" * 400,
    "digits of another script": "\u0663",
    "repeated": ["zz", "mnist", "3", "theorem", "zz"],
    "another's values": ["0.05", "true", "mnist"],
    "path": "../../../../etc/passwd\\..\\..",
    "SQL": "' OR 1=1; DROP TABLE runs; --",
    "JSON": '{"zz": [1, null, {"$ref": "#"}]}',
    "percent-encoded": "%00%2e%2e%2f%0d%0azz",
    "other spaces": "\u00a03\u2009",
}
_ALIVE = re.compile(
    r"<(?:img|script|/style)|\]\((?:javascript|https://zz)|!\[zz|\*\*zz|:red\[zz|:material/zz|\$\\zz|\$\$zz|^# zz", re.M
)
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.S)
_ESCAPED = re.compile(r"\\[\\`*_\[\]!:$<>#|~(){}.+-]")


def alive(text: str) -> list[str]:
    """What of the injections in `text` a renderer of markdown would act on: neither code nor escaped."""
    return _ALIVE.findall(_ESCAPED.sub("", _CODE.sub("", text)))


def strings(message) -> list[str]:
    """All text of a protobuf message that a browser may render as markdown or HTML."""
    found = []
    for field, value in message.ListFields():
        several = value if field.is_repeated else [value]
        if field.type == field.TYPE_MESSAGE and not field.message_type.GetOptions().map_entry:
            found += [text for one in several for text in strings(one)]
        elif field.type == field.TYPE_STRING and field.name in _RENDERED:
            found += several
    return found


_RENDERED = {"body", "label", "help", "content", "title", "caption", "text", "spec", "alt", "placeholder", "message"}
