"""A real browser, driven over the pipe that Chromium has for it: no driver, no library."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--remote-debugging-pipe", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "about:blank"),
)
_WAIT_S = 60
_KEYS: Mapping[str, tuple[int, str]] = {"Tab": (9, ""), "Enter": (13, "\r")}


class Chromium:
    """One tab."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._buffer, self._last, self._session = b"", 0, ""
        self.requests: list[str] = []
        """Addresses of everything that pages have asked for."""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self._call(f"{domain}.enable")

    def open(self, address: str) -> None:
        """Load a page, to the end."""
        self._loaded = False
        self._call("Page.navigate", url=address)
        self._wait_for_load()

    def evaluate(self, script: str) -> Any:
        """What a script says of the page, as JSON has it."""
        found = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until a script is true, also of a page that comes meanwhile."""
        until = time.monotonic() + _WAIT_S
        while True:
            with suppress(AssertionError):  # the page that was asked is gone
                if self.evaluate(f"Boolean({condition})"):
                    return
            assert time.monotonic() < until, f"never true: {condition}"
            time.sleep(0.05)

    def press(self, key: str, *, loads: bool = False) -> None:
        """Press a key; `loads`: another page comes, and is waited for."""
        code, text = _KEYS[key]
        self._loaded = False
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self._call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **common, text=text)
        self._call("Input.dispatchKeyEvent", type="keyUp", **common)
        if loads:
            self._wait_for_load()

    def resize(self, width: int, height: int = 800, *, is_phone: bool = False) -> None:
        """The size of the window."""
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=is_phone
        )

    def prefer(self, scheme: str) -> None:
        """Whether pages are asked for light or dark colours."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", features=features)

    def save_picture(self, file: Path) -> None:
        """What the window shows, as a PNG."""
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def _call(self, method: str, **params: Any) -> Any:
        self._last += 1
        asked = self._last
        message = {"id": asked, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        for told in self._read():
            if told.get("id") == asked:
                assert "error" not in told, (method, told["error"])
                return told["result"]
        raise AssertionError("Chromium has ended")

    def _wait_for_load(self) -> None:
        until = time.monotonic() + _WAIT_S
        while not self._loaded:
            assert time.monotonic() < until, "the page did not load"
            try:
                self._call("Runtime.evaluate", expression="0")
            except AssertionError as error:  # the page that was asked has gone for the one that is waited for
                if "navigated" not in str(error):
                    raise

    def _read(self) -> Iterator[Mapping[str, Any]]:
        while True:
            while b"\0" not in self._buffer:
                found = os.read(self._from, 1 << 20)
                if not found:
                    return
                self._buffer += found
            line, _, self._buffer = self._buffer.partition(b"\0")
            told = json.loads(line)
            if told.get("method") == "Network.requestWillBeSent":
                self.requests.append(told["params"]["request"]["url"])
            self._loaded = getattr(self, "_loaded", False) or told.get("method") == "Page.loadEventFired"
            yield told


@contextmanager
def start_chromium(folder: Path, options: Sequence[str] = ()) -> Iterator[Chromium]:
    """A browser of its own, with a profile in the folder, until the end of the block."""
    commands, to_browser = os.pipe()
    from_browser, answers = os.pipe()
    # Chromium reads from 3 and writes to 4, whatever those are here
    script = f'exec 3<&{commands} 4>&{answers}; exec "$@"'
    command = ["bash", "-c", script, "chromium", str(CHROMIUM), *options, f"--user-data-dir={folder}", *_OPTIONS]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(command, pass_fds=(commands, answers), stdout=log, stderr=log)
    os.close(commands)
    os.close(answers)
    try:
        yield Chromium(to_browser, from_browser)
    finally:
        os.close(to_browser)
        process.terminate()
        process.wait(20)
        os.close(from_browser)
