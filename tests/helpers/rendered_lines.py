"""Lines typed one after the other into one powershell.exe of a simulated server, and values that are hard to render."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from s2slab.engine.real import RealEngine
from s2slab.engine.registry import Machine
from s2slab.winrm.powershell_line import read_command_line
from s2slab.winrm.process import ThreadProcess
from s2slib.remoting.values.quoting import InvalidCommand, check_value

PIECES = [
    "'", "’", "‘", "‚", "‛", '"', "“", "”", "„", "$", "`", "(", ")", "{", "}", "@", ";", "|", "&", "<", ">", "#", ",", "\r", "\n",
    "\t", " ", "\u00a0", "\u2028", "\u2029", "\u0085", "–", "—", "―", "-", "--", "--%", "%", "!", "\\", "/", "*", "?", "[", "]",
    "\x1b", "\x07", "\ufeff", "\u200b", "\u202e", "é", "ß", "日本", "\U0001f600", "a", "Z", "0", "$(", "$env:PATH", "@'", "'@",
    "\r\n", "`n", "_x0041_", "]]>", "</S>", "<#", "#>", "''", "’’", "'’",
]  # fmt: skip
READER = r"""
$utf8 = New-Object Text.UTF8Encoding $false
$in = New-Object IO.StreamReader ([Console]::OpenStandardInput()), $utf8
while ($null -ne ($line = $in.ReadLine())) {
  $text = $utf8.GetString([Convert]::FromBase64String($line))
  try { $shown = @(. ([scriptblock]::Create($text)) 2>$null) -join '|' } catch { $shown = "failed: $_" }
  [Console]::Out.WriteLine([Convert]::ToBase64String($utf8.GetBytes("$shown")) + '!')
}
"""


class Typist:
    """Somebody who types at a machine."""

    def __init__(self, pwsh: RealEngine, machine: Machine) -> None:
        encoded = base64.b64encode(READER.encode("utf-16-le")).decode("ascii")
        program = pwsh.program(read_command_line(["-NoProfile", "-EncodedCommand", encoded]), machine, None, {})
        self._process = ThreadProcess(program)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.feed(b"", True)
        if not self._process.join(10):
            self._process.terminate()

    def type(self, line: str) -> str:
        """What a line shows."""
        self._process.feed(base64.b64encode(line.encode("utf-8", "surrogatepass")) + b"\n", False)
        out = b""
        for _ in range(60):
            chunks, code = self._process.output(1.0, 1 << 20)
            out += b"".join(data for stream, data in chunks if stream == "stdout")
            if out.rstrip().endswith(b"!"):
                return base64.b64decode(out.strip().rstrip(b"!").rsplit(b"\n", 1)[-1]).decode("utf-8")
            assert code is None, f"powershell.exe ended with {code}"
        raise AssertionError(f"no answer to {line!r}")


def text(rng: random.Random) -> str:
    """A text of hard pieces."""
    return "".join(rng.choice(PIECES) for _ in range(rng.randrange(0, 9)))


def parameters(rng: random.Random) -> dict[str, Any]:
    """Parameters of the desk's commands that can be rendered, of every kind."""
    makers: dict[str, Callable[[], Any]] = {
        "Text": lambda: text(rng),
        "Texts": lambda: tuple(text(rng) for _ in range(rng.randrange(0, 4))),
        "Number": lambda: rng.choice([0, -1, 2**31 - 1, -(2**31), rng.randrange(-(10**6), 10**6)]),
        "Big": lambda: rng.choice([2**63 - 1, -(2**63), rng.randrange(-(2**63), 2**63)]),
        "Flag": lambda: rng.random() < 0.5,
        "Force": lambda: rng.random() < 0.5,
        "Raw": lambda: rng.randbytes(rng.randrange(1, 9)),
        "When": lambda: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=rng.randrange(4 * 10**15)),
    }
    while True:
        made = {name: make() for name, make in makers.items() if rng.random() < 0.4}
        try:
            for name, value in made.items():
                check_value(value, name)
        except InvalidCommand:
            continue
        return made
