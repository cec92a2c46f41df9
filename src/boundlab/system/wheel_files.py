"""What a wheel carries beside the package, so that `boundlab app` opens the dashboard from it: pages, settings, and a small pack.

The build backend loads this file alone (pyproject.toml: cmdclass); nothing else may import it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from setuptools.command.build_py import build_py

# Of data/runs two parts, 1 MB of 47: MNIST over weight decay, width and depth, and the network trained for Theorem D2.
CARRIED = (
    *("app.py", "pages/*.py", ".streamlit/config.toml", "data/examples.json", "data/paper/*.csv"),
    *("data/runs/mnist/**/*", "data/runs/coded/**/*"),
)
FOLDER = "boundlab/dashboard"


class BuildPy(build_py):
    """Copies them into the wheel, below `boundlab/dashboard`; an editable installation has the repository."""

    def run(self) -> None:
        """The package, then these files."""
        super().run()
        for path in [] if self.editable_mode else files_beside():
            target = Path(self.build_lib, FOLDER, path)
            self.mkpath(str(target.parent))
            self.copy_file(str(path), str(target))

    def get_source_files(self) -> list[str]:
        """With these: a source archive has them, too."""
        return [*super().get_source_files(), *map(str, files_beside())]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """With these."""
        return [
            *super().get_outputs(include_bytecode),
            *(str(Path(self.build_lib, FOLDER, path)) for path in files_beside()),
        ]


def files_beside() -> Iterator[Path]:
    """The files, from the project's root, where a build runs."""
    for pattern in CARRIED:
        yield from sorted(path for path in Path().glob(pattern) if path.is_file())
