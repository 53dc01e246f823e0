"""Front ends and their readers, for the tests: servers on the loopback interface, a browser that reaches nothing else.

    with jupyterlab(folder, state, "JupyterLab Dark") as url, reader("light") as someone:
        someone.open(url.format(name="a.ipynb"))
        someone.reports()

Every server has a random token, and configuration, data and runtime folders of its own. One
with fresh folders has no signature for a saved notebook, so that it sanitizes the reports.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.kernels import ROOT

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
MOST_SECONDS_TO_RUN = 120

IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed (Debian: apt-get install chromium)"),
]
"""The marks of a test that needs one."""


# The server


_SERVER = (
    *("--ServerApp.port_retries=0", "--ServerApp.allow_root=True", "--ServerApp.terminals_enabled=False"),
    "--ServerApp.shutdown_no_activity_timeout=300",  # should this test be killed
)


@contextlib.contextmanager
def jupyterlab(folder: Path, state: Path, theme: str) -> Iterator[str]:
    """JupyterLab on the notebooks in `folder`; yields its URL with the token in it.

    `state` takes all that it keeps: configuration, settings, signatures, runtime files.
    """
    options = (
        *(f"--ServerApp.root_dir={folder}", *_SERVER, "--LabApp.news_url=", "--LabApp.extension_manager=readonly"),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.expose_app_in_browser=True",  # to ask whether the kernel is there
    )
    with serving("jupyterlab", options, folder, environment(state, theme), state) as (address, token):
        yield f"{address}/lab/tree/{{name}}?reset&token={token}"


@contextlib.contextmanager
def notebook_7(folder: Path, state: Path, theme: str) -> Iterator[str]:
    """The same with Jupyter Notebook."""
    options = (f"--ServerApp.root_dir={folder}", *_SERVER)
    with serving("notebook", options, folder, environment(state, theme), state) as (address, token):
        yield f"{address}/notebooks/{{name}}?token={token}"


@contextlib.contextmanager
def voila(path: Path, state: Path) -> Iterator[str]:
    """Voila on one notebook, which it runs for every reader."""
    options = (str(path), "--Voila.ip=127.0.0.1", "--show_tracebacks=True")
    with serving("voila", options, path.parent, environment(state, "JupyterLab Light"), state) as (address, token):
        yield f"{address}/?token={token}"


@contextlib.contextmanager
def serving(
    module: str, options: tuple[str, ...], folder: Path, environ: dict[str, str], state: Path
) -> Iterator[tuple[str, str]]:
    """A server on a port of its own; yields its address and its token."""
    port, token = free_port(), secrets.token_hex(16)
    given = f"--token={token}" if module == "voila" else f"--IdentityProvider.token={token}"
    own = () if module == "voila" else ("--ip=127.0.0.1",)
    command = [sys.executable, "-m", module, *options, "--no-browser", *own, f"--port={port}", given]
    address = f"http://127.0.0.1:{port}"
    ready = f"{address}/static/favicons/favicon.ico" if module == "voila" else f"{address}/api?token={token}"
    with (state / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_for_answer(server, ready, state / "server.log")
            yield address, token
        finally:
            end_with_children(server)


def environment(state: Path, theme: str) -> dict[str, str]:
    """Folders of its own, this Python's kernel, the package from here, and the settings of a reader."""
    for name in ("config", "data", "runtime", "ipython", "settings", "workspaces"):
        (state / name).mkdir(parents=True)
    settings = {
        "apputils-extension/themes": {"theme": theme, "adaptive-theme": False},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "docmanager-extension/plugin": {"autosave": False},
        "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page, seen or not
    }
    for name, values in settings.items():
        path = state / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON"))}
    return {
        **inherited,
        "JUPYTER_CONFIG_DIR": str(state / "config"),
        "JUPYTER_DATA_DIR": str(state / "data"),
        "JUPYTER_RUNTIME_DIR": str(state / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(state / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(state / "workspaces"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "IPYTHONDIR": str(state / "ipython"),
        "PYTHONPATH": str(ROOT),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def free_port() -> int:
    with socket.socket() as a_socket:
        a_socket.bind(("127.0.0.1", 0))
        return int(a_socket.getsockname()[1])


def wait_for_answer(server: subprocess.Popen[bytes], url: str, log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert server.poll() is None, f"it ended at once:\n{log.read_text(errors='replace')}"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"it did not answer:\n{log.read_text(errors='replace')}")


def end_with_children(server: subprocess.Popen[bytes]) -> None:
    """End the server and the kernels that it started, and nothing else."""
    children = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


# The browser


@dataclass
class Reader:
    """Someone in front of JupyterLab: opens a notebook, uses its menus, and looks."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    """Errors on the console of the browser."""
    requests: list[str] = field(default_factory=list)
    """What was asked of another machine; it is not let through."""

    def open(self, url: str) -> None:
        self.page.goto(url, wait_until="domcontentloaded")
        self.page.wait_for_selector(".jp-NotebookPanel:visible .jp-Cell", timeout=60_000)
        self.page.wait_for_function("() => !document.querySelector('#jupyterlab-splash')", timeout=60_000)
        self.page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000)

    def choose(self, menu: str, item: str) -> None:
        """Choose `item` of a menu in the bar at the top."""
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.locator(".lm-Menu-item").filter(has_text=re.compile(rf"^{item}")).first.click()

    def run_all(self, n_errors: int = 0) -> None:
        self.choose("Run", "Run All Cells")
        self.page.wait_for_function(
            "() => { const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(p => p.innerText);"
            " return prompts.every(text => /[0-9]/.test(text)); }",  # one after the other: between two, none is running
            timeout=MOST_SECONDS_TO_RUN * 1000,
        )
        self.page.wait_for_function(KERNEL_IS_IDLE)
        errors = self.page.locator("[data-mime-type='application/vnd.jupyter.stderr']")  # tracebacks too
        assert len(errors.all_inner_texts()) == n_errors, "\n".join(text[-300:] for text in errors.all_inner_texts())

    def save(self) -> None:
        self.choose("File", "Save Notebook")
        self.page.wait_for_selector(".lm-DockPanel-tabBar .lm-TabBar-tab:not(.jp-mod-dirty)", timeout=15_000)

    def clear_outputs(self) -> None:
        """So that what is seen later was drawn by this run."""
        self.choose("Edit", "Clear Outputs of All Cells")
        assert self.reports() == []

    def reports(self) -> list[dict[str, Any]]:
        """What is on the page of each of our reports."""
        found: list[dict[str, Any]] = self.page.evaluate(LOOK)
        return found


KERNEL_IS_IDLE = """
() => {
  const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
  const kernel = context?.isReady && context.session?.kernel;
  return kernel && kernel.status === 'idle' && kernel.connectionStatus === 'connected';
}
"""

LOOK = """
() => {
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const over = ([r, g, b, a = 1], below) => [r, g, b].map((v, i) => v * a + below[i] * (1 - a));
  const background = node => {  // what is behind a node, translucent layers included
    const layers = [];
    for (let n = node; n; n = n.parentElement) {
      const colour = rgb(getComputedStyle(n).backgroundColor);
      if (colour.length === 4 && colour[3] === 0) continue;
      layers.push(colour);
      if (colour.length === 3) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const contrast = node => {
    const behind = background(node);
    const [a, b] = [luminance(over(rgb(getComputedStyle(node).color), behind)), luminance(behind)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  return [...document.querySelectorAll('.jp-OutputArea-output .jpk')].map(report => {
    const box = report.getBoundingClientRect();
    const words = [...report.querySelectorAll('b, th, td, pre, summary, li')].filter(n => n.innerText.trim());
    return {
      text: report.innerText.trim(),
      width: box.width,
      height: box.height,
      rows: [...report.querySelectorAll('tbody tr')].filter(row => row.getBoundingClientRect().height > 5).length,
      images: [...report.querySelectorAll('img')].map(image => {
        const shown = image.hasAttribute('data-live') ? image.previousElementSibling : image;  // a live one in its place
        return {drawn: image.complete && image.naturalWidth > 0, width: shown.getBoundingClientRect().width, alt: image.alt};
      }),
      code: [...report.querySelectorAll('td.highlight')].filter(n => !n.querySelector('details')).map(n => n.textContent),
      allRows: report.querySelectorAll('tbody tr').length,
      bars: [...report.querySelectorAll('td')].filter(n => getComputedStyle(n).backgroundImage.includes('gradient')).length,
      marks: [...report.querySelectorAll('td')].filter(n => getComputedStyle(n).borderLeftWidth === '3px').length,
      inks: new Set([...report.querySelectorAll('td.highlight span')].map(n => getComputedStyle(n).color)).size,
      wider: report.scrollWidth > report.clientWidth + 2,
      scripts: report.querySelectorAll('script').length,
      styles: report.querySelectorAll('style').length,
      contrast: Math.min(...words.map(contrast)),
      typeset: report.querySelectorAll('mjx-container').length,
    };
  });
}
"""

NOT_OURS = re.compile(
    r"favicon|workspaces|blocked by client|ERR_BLOCKED_BY_CLIENT|ERR_FAILED"  # we block what leaves this machine
    r"|reading 'schema'"  # Jupyter Notebook 7.6 itself, when it starts
    r"|the server responded with a status of 404"  # settings and translations that nobody installed
)
ELSEWHERE = re.compile(r"^(https?|wss?)://(?!127\.0\.0\.1[:/])")


@contextlib.contextmanager
def reader(colours: str) -> Iterator[Reader]:
    """A headless browser that reaches this machine only."""
    from playwright.sync_api import sync_playwright

    arguments = [
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=arguments)
        context = browser.new_context(
            viewport={"width": 1280, "height": 1600}, color_scheme=colours, device_scale_factor=1.5
        )
        someone = Reader(context.new_page())

        def refuse(route: Any) -> None:
            someone.requests.append(route.request.url)
            route.abort("blockedbyclient")

        def listen(message: Any) -> None:
            told = f"{message.text} {message.location.get('url', '')}"
            if message.type == "error" and not NOT_OURS.search(told):
                someone.complaints.append(told)

        def complain(error: Any) -> None:
            if not NOT_OURS.search(str(error)):
                someone.complaints.append(str(error))

        context.route(ELSEWHERE, refuse)
        someone.page.on("console", listen)
        someone.page.on("pageerror", complain)
        try:
            yield someone
        finally:
            browser.close()


def keep_pictures(someone: Reader, names: list[str]) -> None:
    """Keep each cell with a report as it is seen, where `PROFKIT_PICTURES` says: to look at, and for the README."""
    folder = os.environ.get("PROFKIT_PICTURES")
    if not folder:
        return
    cells = someone.page.locator(".jp-CodeCell").filter(has=someone.page.locator(".jpk"))
    for index, name in enumerate(names):
        cells.nth(index).screenshot(path=Path(folder) / f"{name}.png", style=HIDDEN)


def keep_page(someone: Reader, name: str) -> None:
    """Keep the whole page, likewise; the window grows until the notebook has room in it."""
    folder = os.environ.get("PROFKIT_PICTURES")
    if not folder:
        return
    height = someone.page.evaluate(
        "() => Math.max(...[...document.querySelectorAll('*')].map(node => node.scrollHeight)) + 120"
    )
    someone.page.set_viewport_size({"width": 1280, "height": min(int(height), 16_000)})
    someone.page.wait_for_timeout(500)
    someone.page.screenshot(path=Path(folder) / f"{name}.png", style=HIDDEN)


HIDDEN = ".jp-Toolbar, .jp-cell-toolbar, .jp-Collapser, #jp-MainLogo {visibility: hidden !important}"
"""What is on the page only because the mouse is somewhere."""
