"""A request that comes twice, or after the question about it, is not run: what the client concludes from `seen` is certain."""

from __future__ import annotations

import json
from typing import Any

from helpers.questions import Quiz, b64, run
from helpers.recorded import Driven

from s2slab.winrm.launch import Engine
from s2slab.winrm.powershell_line import read_command_line
from s2slib.remoting.shell.process import BOOTSTRAP, script_text


def line(number: int, **request: Any) -> str:
    return b64(json.dumps({**request, "id": number})) + "\n"


def test_what_comes_twice_or_behind_the_question_about_it_is_not_run(engine: Engine) -> None:
    started = ["-NoProfile", "-NonInteractive", "-EncodedCommand", b64(BOOTSTRAP.encode("utf-16-le"))]
    process = Driven(engine.program(read_command_line(started), Quiz(), None, {}))
    zoo = run("Get-Zoo")
    try:
        assert process.ask(f"{b64(script_text())}\n{'0' * 32}\n".encode(), 0)
        assert process.ask(line(1, op="open", runspace="local").encode(), 1)
        half = line(3, **zoo)[:40]
        came = process.ask((line(2, **zoo) + line(2, **zoo) + half + "\n" + line(4, op="again")).encode(), 4)
        assert came is not None
        assert came["seen"] == 2
        late = line(3, **zoo) + line(4, op="again") + line(5, op="again")
        last = process.ask(late.encode(), 5)
        assert last is not None
        assert last["seen"] == 4
    finally:
        process.end()
    # half a line has no number; 2 is run once, and its answer is the last one each time
    assert [answer["id"] for answer in process.heard] == [0, 1, 2, -1, -1, 4, -1, 5]
