"""Where lies what the package needs beside itself: app.py, pages/ and data/ of the repository, or what a wheel carries of them."""

from __future__ import annotations

from pathlib import Path

_CARRIED = Path(__file__).resolve().parents[1] / "dashboard"  # as `system/wheel_files.py` puts it there
BESIDE = _CARRIED if (_CARRIED / "app.py").is_file() else Path(__file__).resolve().parents[3]
