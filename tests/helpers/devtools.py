"""A headless Chromium, driven through its devtools protocol: just enough to use a page as a person does."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import websocket

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)


class Page:
    """One page. Expressions are JavaScript; what waits gives up with TimeoutError, naming what it waited for."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, suppress_origin=True, timeout=60)
        self._number = 0

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One devtools command; its result. A dialog that opens meanwhile (unsaved changes) is accepted."""
        number = self._post(method, parameters)
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("method") == "Page.javascriptDialogOpening":
                self._post("Page.handleJavaScriptDialog", {"accept": True})
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def _post(self, method: str, parameters: dict[str, Any]) -> int:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        return self._number

    def value(self, expression: str) -> Any:
        """What an expression evaluates to."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression: str, timeout_s: float = 60) -> Any:
        """Wait until an expression is true; its value."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            with contextlib.suppress(RuntimeError):  # the page is being replaced
                if found := self.value(expression):
                    return found
            time.sleep(0.1)
        raise TimeoutError(expression)

    def open(self, url: str) -> None:
        """Go to a page."""
        self.send("Page.navigate", url=url)

    def click(self, element: str) -> None:
        """Click in the middle of the element that an expression gives, once it is there."""
        where = f"(() => {{ const e = {element}; if (!e) return null; e.scrollIntoView({{block: 'center'}});"
        where += " const r = e.getBoundingClientRect(); return r.width && [r.x + r.width / 2, r.y + r.height / 2] })()"
        x, y = self.wait(where)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self.send("Input.insertText", text=text)

    def press(self, key: str, code: int, modifiers: int = 0) -> None:
        """Press a key. `modifiers`: 2 is Ctrl, 8 is Shift."""
        for kind in ("rawKeyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                modifiers=modifiers,
            )

    def size(self, width: int, height: int) -> None:
        """Set the viewport."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, file: Path) -> None:
        """Save what the viewport shows."""
        file.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


@contextlib.contextmanager
def chromium(program: str, profile: Path) -> Iterator[Page]:
    """A page of a new browser with an empty profile; the browser ends with it."""
    command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        port_file = profile / "DevToolsActivePort"
        until = time.monotonic() + 30
        while not (port_file.is_file() and port_file.read_text().strip()):
            if child.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the browser did not start")
            time.sleep(0.1)
        port = port_file.read_text().splitlines()[0]
        targets = requests.get(f"http://127.0.0.1:{port}/json", timeout=10).json()
        page = Page(next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page"))
        try:
            page.send("Page.enable")
            yield page
        finally:
            page.close()
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
