"""The pinned sets of packages: which file pins them, who needs them, and a digest that changes when they do.

    set    file                    first needed by     why apart
    run    requirements.txt        demo, lab, s2s      papermill, ipywidgets, pywinrm, requests and the lab: about 20 s
    test   requirements-test.txt   test                pytest, nbval
    ui     requirements-ui.txt     notebook            jupyterlab: as much again as `run`, and not needed headless
    dev    requirements-dev.txt    .ci/run             ruff, mypy

A set is installed when it is first needed, so that the first `demo` is quick; `setup` installs them all.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bootstrap.errors import SetupError

FILES: Mapping[str, str] = MappingProxyType(
    {
        "run": "requirements.txt",
        "test": "requirements-test.txt",
        "ui": "requirements-ui.txt",
        "dev": "requirements-dev.txt",
    }
)


@dataclass(frozen=True)
class PinnedSet:
    """One set as it is in the checkout now.

    `pins` are the lines of its file and of those it takes in with `-r`; `digests` maps the sets installed with it,
    itself among them, to their digests.
    """

    name: str
    file: Path
    pins: tuple[str, ...]
    digests: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Changes with the pins and with the Python that they are installed for."""
        return self.digests[self.name]


def python_tag() -> str:
    """The interpreter that wheels are chosen for, e.g. `cpython-311-linux-64`. Patch releases share it."""
    return f"{sys.implementation.cache_tag}-{sys.platform}-{64 if sys.maxsize > 2**32 else 32}"


def load(root: Path, name: str) -> PinnedSet:
    """A set with the sets that its file takes in. SetupError if there is no such set or the checkout lacks a file."""
    if name not in FILES:
        raise SetupError(f"there is no set {name!r} of packages; the sets are {', '.join(FILES)}")
    files: list[str] = []
    pins = tuple(_pins(root, FILES[name], files))
    names = [each for each, file in FILES.items() if file in files]
    digests = {each: _digest(pins if each == name else tuple(_pins(root, FILES[each], []))) for each in names}
    return PinnedSet(name, root / FILES[name], pins, digests)


def load_all(root: Path, names: Iterable[str]) -> tuple[PinnedSet, ...]:
    """The named sets, each once, in the order given."""
    return tuple(load(root, name) for name in dict.fromkeys(names))


def _digest(pins: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join((python_tag(), *pins)).encode()).hexdigest()


def _pins(root: Path, file: str, seen: list[str]) -> Iterable[str]:
    if file in seen:
        return
    seen.append(file)
    try:
        text = (root / file).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SetupError(f"{file} is missing from {root}: the checkout is not complete") from None
    for line in map(str.strip, text.splitlines()):
        if line.startswith("-r "):
            yield from _pins(root, line[3:].strip(), seen)
        elif line and not line.startswith("#"):
            yield line
