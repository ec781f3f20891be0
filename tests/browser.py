"""A browser without a window, for tests of pages: Chromium, if it is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
TELL = "const tell = (value) => parent.postMessage(encodeURIComponent(JSON.stringify(value)), '*');"
LISTEN = (
    "addEventListener('message', (event) => {"
    " if (typeof event.data === 'string') document.getElementById('told').textContent = event.data;"
    " });"
)


def chromium() -> str:
    """Return the browser's path; without one skip the test, or fail it where it has to be."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        if os.environ.get("HIERSTAN_REQUIRE_CHROMIUM") == "1":
            pytest.fail("HIERSTAN_REQUIRE_CHROMIUM=1 is set, but there is no Chromium")
        pytest.skip("no Chromium")
    return found


def visit(page: Path, folder: Path, *flags: str, width: int = 1280, height: int = 1000) -> str:
    """Open a page in a browser that has never been used; return what it writes."""
    browser = chromium()
    profile = folder / "profile"
    command = [browser, *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"]
    done = subprocess.run(
        [*command, *flags, page.as_uri()], capture_output=True, encoding="utf-8", timeout=120
    )
    assert done.returncode == 0, done.stderr
    shutil.rmtree(profile, ignore_errors=True)
    return done.stdout


def evaluate(page: Path, folder: Path, script: str, *, width: int = 1280) -> Any:
    """Run a script in a copy of a page that permits scripts; return what it gives to `tell`.

    The copy stands in a frame of that width, since windows cannot be as narrow as a phone.
    """
    text = page.read_text(encoding="utf-8")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    copy, frame = folder / "scripted.html", folder / "frame.html"
    copy.write_text(text.replace("</body>", f"<script>{TELL}{script}</script></body>"), "utf-8")
    style = f"border: 0; width: {width}px; height: 900px"
    frame.write_text(
        f"<!DOCTYPE html><body style='margin: 0'><pre id='told'></pre><script>{LISTEN}</script>"
        f"<iframe src='{copy.name}' style='{style}'></iframe>",
        "utf-8",
    )
    dom = visit(frame, folder, "--dump-dom", "--virtual-time-budget=20000")
    told = re.search(r'<pre id="told">([^<]+)</pre>', dom)
    assert told, "the script told nothing"
    return json.loads(unquote(told[1]))
