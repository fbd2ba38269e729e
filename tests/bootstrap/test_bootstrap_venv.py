"""`.venv` is made once, filled with what is needed, and repaired when it is not what it should be."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.bootstrap_host import Starter, fill_environment

from bootstrap import environment
from bootstrap.environment import SETS, STAMP, pins


def test_the_first_start_says_what_it_will_do_then_makes_installs_and_hands_over(run_py: Starter) -> None:
    run_py.exit_code = 7
    assert run_py("demo") == 7
    assert run_py.events == [
        "say",
        "run -m venv " + str(run_py.root / ".venv"),
        *["run -m pip install"] * 2,
        "hand over",
    ]
    assert "make .venv" in run_py.said
    assert "requirements.txt" in run_py.said
    assert "then: demo" in run_py.said


def test_a_later_start_hands_over_at_once_and_in_silence(run_py: Starter) -> None:
    run_py("demo")
    run_py.events.clear()
    assert run_py("check", "params/lab.yaml", "--json") == 0
    assert run_py.events == ["hand over"]
    assert run_py.said == ""


def test_a_set_is_installed_when_it_is_first_needed_and_what_it_takes_in_counts_as_installed(run_py: Starter) -> None:
    run_py("test")
    run_py("demo")
    run_py("notebook")
    run_py("test")
    files = [[Path(part).name for part in call if part.endswith(".txt")] for call in run_py.programs.pip_calls()]
    assert files == [["requirements-test.txt"], ["requirements-ui.txt"]]
    assert run_py.programs.made() == 1


def test_setup_installs_every_set_and_hands_over_to_nothing(run_py: Starter) -> None:
    assert run_py("setup") == 0
    (call,) = run_py.programs.pip_calls()
    assert [Path(part).name for part in call if part.endswith(".txt")] == list(SETS.values())
    assert run_py.handed == []


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-test.txt"])
def test_a_changed_pin_is_installed_into_the_environment_there_is(run_py: Starter, file: str) -> None:
    run_py("test")
    pins = run_py.root / file
    pins.write_text(pins.read_text().replace(".0", ".1"), encoding="utf-8")
    run_py("test")
    assert len(run_py.programs.pip_calls()) == 2
    assert run_py.programs.made() == 1


def test_a_changed_comment_or_line_ending_in_a_requirement_file_installs_nothing(run_py: Starter) -> None:
    run_py("demo")
    (run_py.root / "requirements.txt").write_bytes(b"# another comment\r\n\r\ntinydep==1.0\r\n")
    run_py.events.clear()
    run_py("demo")
    assert run_py.events == ["hand over"]


def test_a_changed_pyproject_renews_only_the_package_itself(run_py: Starter) -> None:
    run_py("demo")
    (run_py.root / "pyproject.toml").write_text((run_py.root / "pyproject.toml").read_text() + "\n# changed\n")
    run_py.programs.calls.clear()
    run_py("demo")
    (argv, _), *more = run_py.programs.calls
    assert more == []
    assert argv[-4:-2] == ["-e", str(run_py.root)]
    assert "--no-index" in argv


def _interrupt(argv: list[str]) -> int:
    raise KeyboardInterrupt


def test_an_interrupted_installation_is_replaced_at_the_next_start(run_py: Starter) -> None:
    run_py.programs.on_pip = _interrupt
    assert run_py("demo") == 130
    assert run_py.handed == []
    run_py.programs.on_pip = lambda argv: 0
    (run_py.root / ".venv" / "half-made").touch()
    assert run_py("demo") == 0
    assert "did not finish" in run_py.said
    assert not (run_py.root / ".venv" / "half-made").exists()
    assert [file.name for file in run_py.root.glob(".venv*")] in ([".venv", ".venv.lock"], [".venv.lock", ".venv"])


def test_an_interruption_while_a_further_set_is_installed_counts_as_well(run_py: Starter) -> None:
    run_py("demo")
    run_py.programs.on_pip = _interrupt
    run_py("test")
    run_py.programs.on_pip = lambda argv: 0
    run_py("demo")
    assert run_py.programs.made() == 2


def test_a_failed_installation_shows_what_pip_said_last_and_hands_over_to_nothing(run_py: Starter) -> None:
    run_py.programs.on_pip = lambda argv: 2
    run_py.programs.pip_output = ("Collecting tinydep==1.0", "ERROR: No matching distribution found for tinydep==1.0")
    assert run_py("demo") == 1
    assert "No matching distribution found for tinydep==1.0" in run_py.said
    assert "--offline" in run_py.said
    assert run_py.handed == []


def _say(root: Path, **changes: object) -> None:
    stamp = root / ".venv" / STAMP
    stamp.write_text(json.dumps({**json.loads(stamp.read_text()), **changes}))


def _moved(root: Path) -> None:
    _say(root, location=str(root.parent / "elsewhere" / ".venv"))


def _other_python(root: Path) -> None:
    _say(root, python="cpython-39-linux-64")


def _interpreter_gone(root: Path) -> None:
    shutil.rmtree(root / ".venv" / "bin")
    shutil.rmtree(root / ".venv" / "Scripts")


def _base_gone(root: Path) -> None:
    (root / ".venv" / "pyvenv.cfg").write_text(f"home = {root / 'no such Python'}\n", encoding="utf-8")


def _settings_gone(root: Path) -> None:
    (root / ".venv" / "pyvenv.cfg").unlink()


@pytest.mark.parametrize("spoil", [_moved, _other_python, _interpreter_gone, _base_gone, _settings_gone])
def test_an_environment_that_can_no_longer_work_is_replaced(run_py: Starter, spoil: Callable[[Path], None]) -> None:
    run_py("demo")
    spoil(run_py.root)
    assert run_py("demo") == 0
    assert run_py.programs.made() == 2
    assert "delete .venv" in run_py.said
    run_py.events.clear()
    run_py("demo")
    assert run_py.events == ["hand over"]


def test_an_environment_made_by_other_means_that_works_is_used_and_stays(run_py: Starter) -> None:
    fill_environment(run_py.root / ".venv")
    (run_py.root / ".venv" / "precious").touch()
    assert run_py("demo") == 0
    assert run_py.programs.made() == 0
    assert len(run_py.programs.pip_calls()) == 1
    assert (run_py.root / ".venv" / "precious").exists()


def test_an_environment_made_by_other_means_is_set_aside_and_not_deleted_when_it_breaks(run_py: Starter) -> None:
    fill_environment(run_py.root / ".venv")
    (run_py.root / ".venv" / "precious").touch()
    run_py("demo")
    _interpreter_gone(run_py.root)
    assert run_py("demo") == 0
    assert (run_py.root / ".venv.old-1" / "precious").exists()
    assert run_py.programs.made() == 1


@pytest.mark.parametrize(
    "answer", ["", "cpython-39 True", f"{sys.implementation.cache_tag} False", "No module named pip"]
)
def test_a_folder_that_is_no_environment_for_this_python_is_set_aside(run_py: Starter, answer: str) -> None:
    run_py.programs.answer = answer
    (run_py.root / ".venv").mkdir()
    (run_py.root / ".venv" / "precious").touch()
    (run_py.root / ".venv.old-1").mkdir()
    assert run_py("demo") == 0
    assert (run_py.root / ".venv.old-2" / "precious").exists()
    assert "set .venv aside" in run_py.said


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"complete": true}', b'{"unknown": 1}', b"\xff\xfe"])
def test_an_environment_that_says_nothing_understandable_is_set_aside_when_it_does_not_work(
    run_py: Starter, content: bytes
) -> None:
    run_py("demo")
    (run_py.root / ".venv" / STAMP).write_bytes(content)
    run_py.programs.answer = ""
    assert run_py("demo") == 0
    assert (run_py.root / ".venv.old-1").is_dir()


def test_a_set_is_known_by_its_pins_and_by_the_python(run_py: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pins(run_py.root, "test") == ["tinydep==1.0", "more==2.0"]
    run_py("test")
    run_py.events.clear()
    monkeypatch.setattr(environment, "python_tag", lambda: "cpython-399-linux-64")
    run_py("test")
    assert run_py.programs.made() == 2


def test_a_start_during_the_first_one_waits_and_then_finds_everything_there(checkout: Path) -> None:
    first, second = Starter(checkout), Starter(checkout)
    installing, go_on = threading.Event(), threading.Event()

    def on_pip(argv: list[str]) -> int:
        installing.set()
        return 0 if go_on.wait(10) else 1

    first.programs.on_pip = on_pip
    threads = [threading.Thread(target=starter, args=("demo",)) for starter in (first, second)]
    threads[0].start()
    assert installing.wait(10)
    threads[1].start()
    deadline = time.monotonic() + 10
    while second.events != ["say"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert second.handed == []
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert first.programs.made() == 1
    assert second.events == ["say", "hand over"]
    assert "waiting" in second.said


def test_pip_keeps_its_own_configuration(run_py: Starter) -> None:
    run_py.environ |= {"PIP_INDEX_URL": "an index", "HTTPS_PROXY": "a proxy"}
    run_py("demo")
    (env,) = [env for argv, env in run_py.programs.calls if "-r" in argv]
    assert (env["PIP_INDEX_URL"], env["HTTPS_PROXY"]) == ("an index", "a proxy")
    assert "PYTHONUTF8" not in env  # would change how pip reads its configuration files


def test_jupyterlab_is_told_to_ask_nobody_for_news_and_updates(run_py: Starter) -> None:
    run_py("demo")
    overrides = run_py.root / ".venv" / "share" / "jupyter" / "lab" / "settings" / "overrides.json"
    assert not overrides.exists()
    run_py("notebook")
    assert '"fetchNews": "false"' in overrides.read_text()
    assert '"checkForUpdates": false' in overrides.read_text()
