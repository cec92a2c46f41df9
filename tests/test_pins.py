"""An installation by the README's command is the tested one: every package it brings, however indirectly, has its version."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT


def pins(name):
    """Package -> its requirement, of the lines that ask for one."""
    lines = (ROOT / name).read_text().splitlines()
    given = [Requirement(line) for line in lines if re.match(r"[a-z0-9]", line)]
    return {canonicalize_name(one.name): one for one in given}


def exact(one):
    return [part.operator for part in one.specifier] == ["=="] and "*" not in str(one.specifier)


def brought(asked):
    """Name -> who asks for it and how, of everything that these requirements bring on this platform."""
    found, left = {}, [("pyproject.toml", Requirement(line)) for line in asked]
    while left:
        by, one = left.pop()
        name = canonicalize_name(one.name)
        new = not found.get(name)
        found.setdefault(name, []).append((by, one))
        if new:
            try:
                needs = [Requirement(line) for line in requires(name) or []]
            except PackageNotFoundError:
                continue
            extras = one.extras or {""}
            left += [(name, n) for n in needs if not n.marker or any(n.marker.evaluate({"extra": e}) for e in extras)]
    return found


def test_every_package_that_is_installed_has_its_version_in_requirements_or_from_who_asks_for_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    run, tools = pins("requirements.txt"), pins(".ci/constraints.txt")
    every = run | tools
    assert all(exact(one) for one in every.values())
    asked = brought(project["dependencies"])
    assert len(asked) > 40
    free = {name for name, by in asked.items() if name not in run and not any(exact(one) for _, one in by)}
    assert free == set()
    asked |= brought(project["optional-dependencies"]["test"])
    assert {name for name, by in asked.items() if name not in every and not any(exact(one) for _, one in by)} == set()


def test_the_versions_are_those_that_pyproject_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    every = pins("requirements.txt") | pins(".ci/constraints.txt")
    for line in project["dependencies"] + project["optional-dependencies"]["test"]:
        one = Requirement(line)
        (version,) = every[canonicalize_name(one.name)].specifier
        assert one.specifier.contains(version.version), line


def test_nothing_is_pinned_that_exists_on_one_platform_only():
    for name, one in pins("requirements.txt").items():
        assert not name.startswith(("nvidia", "cuda", "triton"))
        assert name != "watchdog" or str(one.marker) == 'platform_system != "Darwin"'
