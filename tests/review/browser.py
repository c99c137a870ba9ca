"""A real browser, driven by the WebDriver protocol (W3C) over loopback: keys, scripts, screenshots."""

import base64
import http.client
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
WHY_NOT = "needs chromium and chromedriver, which are not installed"
KEYS = {"enter": "\ue007", "escape": "\ue00c", "left": "\ue012", "right": "\ue014", "control": "\ue009"}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--window-size=1280,900",
)


class Browser:
    """One window. folder: an empty one, for the browser's own files and for downloads."""

    def __init__(self, folder: Path, *, dark: bool = False):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.driver = subprocess.Popen([DRIVER, f"--port={self.port}"], stdout=subprocess.DEVNULL)
        try:
            self._begin(folder, dark)
        except BaseException:
            self.driver.kill()
            raise

    def _begin(self, folder: Path, dark: bool) -> None:
        self.session = ""
        self._wait_for_driver()
        arguments = [*ARGUMENTS, f"--user-data-dir={folder / 'profile'}"]
        if dark:
            arguments.append("--blink-settings=preferredColorScheme=0")
        options = {"binary": CHROMIUM, "args": arguments, "prefs": {"download.default_directory": str(folder)}}
        wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
        made = self._ask("POST", "/session", {"capabilities": wanted})
        self.session = f"/session/{made['sessionId']}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.session:
            self._ask("DELETE", "")
        self.driver.terminate()
        self.driver.wait()

    def open(self, url: str) -> None:
        self._ask("POST", "/url", {"url": url})

    def new_tab(self) -> str:
        """Open another tab and turn to it; returns the one before."""
        before = self._ask("GET", "/window")
        self.turn_to(self._ask("POST", "/window/new", {"type": "tab"})["handle"])
        return before

    def turn_to(self, tab: str) -> None:
        self._ask("POST", "/window", {"handle": tab})

    def press(self, *keys: str) -> None:
        """Press keys one after another, as a person does: each goes to where the focus is."""
        actions = []
        for key in (KEYS.get(key, key) for key in keys):
            actions += [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def type(self, text: str) -> None:
        """Write a text, whatever its script, into what has the focus."""
        element = self._ask("GET", "/element/active")[ELEMENT]
        self._ask("POST", f"/element/{element}/value", {"text": text})

    def run(self, script: str):
        """What a script returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": []})

    def until(self, script: str, what: str = "", seconds: float = 20) -> object:
        """Wait until an expression is true in the page; returns its value."""
        end = time.monotonic() + seconds
        while not (found := self.run(f"return {script}")):
            assert time.monotonic() < end, f"{what or script} did not come true: {self.complaints()}"
            time.sleep(0.05)
        return found

    def complaints(self) -> list[str]:
        """Errors and refusals that the page's console shows."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))

    def _ask(self, method: str, path: str, body: dict | None = None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        text = None if body is None else json.dumps(body)
        connection.request(method, self._prefix() + path, text, {"Content-Type": "application/json"})
        value = json.loads(connection.getresponse().read())["value"]
        connection.close()
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError(f"{value['error']}: {value['message']}")
        return value

    def _prefix(self) -> str:
        return self.session

    def _wait_for_driver(self) -> None:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("chromedriver did not start")
