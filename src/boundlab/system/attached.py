"""`python -m boundlab.system.attached MODULE [ARGUMENT ...]`: run a module as `python -m` does, in a process that ends with its parent.

The watch begins before the module's imports: torch alone takes seconds, in which a killed server would leave it behind.
"""

from __future__ import annotations

import runpy
import sys

from boundlab.system.processes import end_with_parent


def main() -> None:
    """Watch, then be the module."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m boundlab.system.attached MODULE [ARGUMENT ...]")
    end_with_parent()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
