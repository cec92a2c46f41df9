"""`python -m tests.meanings`: public names that more than one module defines; each should be there for a reason."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

REASONS = {
    "Array": "NumPy's array, of norms or of pixels; `data` knows no quantities",
    "BOUND": "what a bound's file is for; `bounds.ALL` collects them",
    "published": "a bound's formulas, one per convention",
    "theorem": "a bound's formulas, one per convention",
    "strict": "a bound's formulas, one per convention",
    "depth_factor": "the same factor of two theorems, each as its theorem has it",
    "measure": "what `boundlab bench` runs, a file per subject",
    "add_to": "what a command's file is for; `cli.main` loops over them",
    "SYMBOLS": "what the letters of formulas mean, of bounds and of PAC-Bayes",
    "evaluate": "a bound on measured norms; a network for a notebook, which is `boundlab.evaluate`",
    "main": "a module that is a program, too",
}
SOURCE = Path(__file__).resolve().parents[1] / "src" / "boundlab"


def defined(tree: ast.Module) -> Iterator[str]:
    """The public names that a module's top level binds, imports left out."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
        else:
            names = []
        yield from (name for name in names if not name.startswith("_"))


def shared() -> dict[str, list[str]]:
    """Name -> the modules that define it, where there are several."""
    where: dict[str, list[str]] = defaultdict(list)
    for path in sorted(SOURCE.rglob("*.py")):
        for name in dict.fromkeys(defined(ast.parse(path.read_text()))):
            where[name].append(str(path.relative_to(SOURCE).with_suffix("")).replace("/", "."))
    return {name: modules for name, modules in sorted(where.items()) if len(modules) > 1}


if __name__ == "__main__":
    for name, modules in shared().items():
        print(f"{name:14} {', '.join(modules)}: {REASONS.get(name, 'no reason is known')}")
