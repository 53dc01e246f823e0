"""Front ends and their readers, for the tests: one server on the loopback interface, one browser that reaches nothing else.

    path = front_ends.put(notebook, "a.ipynb")
    with front_ends.reader("light") as someone:
        someone.open(front_ends.lab(path, DARK))
        someone.reports()

JupyterLab, Jupyter Notebook and Voila are served by one process, which has a random token, and
configuration, data and runtime folders of its own. What it saved is trusted. A notebook `from_elsewhere`
has no signature of it, so that its reports are sanitized.
"""

from __future__ import annotations

import contextlib
import json
import math
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
from tests.notebook_files import read, write

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
MOST_SECONDS_TO_RUN = 120
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"

IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed (Debian: apt-get install chromium)"),
]
"""The marks of a test that needs one."""


# The server


_OPTIONS = (
    *("--ServerApp.port_retries=0", "--ServerApp.allow_root=True", "--ServerApp.terminals_enabled=False"),
    "--ServerApp.shutdown_no_activity_timeout=300",  # should this test be killed
    *("--LabApp.news_url=", "--LabApp.extension_manager=readonly"),
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.expose_app_in_browser=True",  # to ask whether the kernel is there
    "--JupyterNotebookApp.expose_app_in_browser=True",
    "--VoilaConfiguration.show_tracebacks=True",
)


@dataclass(frozen=True)
class FrontEnds:
    """What there is to read notebooks with."""

    browser: Any
    address: str
    token: str
    folder: Path
    """The notebooks."""
    settings: Path

    def put(self, notebook: Any, name: str) -> Path:
        path = self.folder / name
        write(notebook, path)
        return path

    def from_elsewhere(self, path: Path) -> Path:
        """A copy of a notebook that has no signature of this server: nobody ran it here."""
        notebook = read(path)
        notebook.metadata["made"] = "elsewhere"
        return self.put(notebook, f"{path.stem}-from-elsewhere.ipynb")

    def lab(self, path: Path, theme: str) -> str:
        """The URL of a notebook in JupyterLab, which begins in `theme`."""
        write_setting(self.settings, "apputils-extension/themes", {"theme": theme, "adaptive-theme": False})
        return f"{self.address}/lab/tree/{path.name}?reset&token={self.token}"

    def notebook_7(self, path: Path, theme: str) -> str:
        write_setting(self.settings, "apputils-extension/themes", {"theme": theme, "adaptive-theme": False})
        return f"{self.address}/notebooks/{path.name}?token={self.token}"

    def voila(self, path: Path) -> str:
        """It runs the notebook for every reader."""
        return f"{self.address}/voila/render/{path.name}?token={self.token}"

    @contextlib.contextmanager
    def reader(self, colours: str) -> Iterator[Reader]:
        """Someone whose system has those colours; the kernels that they started end with them."""
        before = self._kernels()
        context = self.browser.new_context(
            viewport={"width": 1280, "height": 1600}, color_scheme=colours, device_scale_factor=1.5
        )
        try:
            yield reader_of(context)
        finally:
            context.close()
            for kernel in self._kernels() - before:
                with contextlib.suppress(urllib.error.HTTPError):  # its page, closed just now, may have ended it
                    self._ask(f"kernels/{kernel}", "DELETE")

    def _kernels(self) -> set[str]:
        deadline = time.monotonic() + 5
        while True:
            try:
                return {kernel["id"] for kernel in json.loads(self._ask("kernels", "GET"))}
            except urllib.error.HTTPError:  # one has ended while they were listed
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _ask(self, what: str, method: str) -> bytes:
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.address}/api/{what}", headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())


@contextlib.contextmanager
def running_front_ends(folder: Path, state: Path) -> Iterator[FrontEnds]:
    """The server on the notebooks in `folder`; `state` takes all that it keeps: settings, signatures, runtime files."""
    port, token = free_port(), secrets.token_hex(16)
    address = f"http://127.0.0.1:{port}"
    command = [
        *(sys.executable, "-m", "jupyterlab", *_OPTIONS, "--no-browser", "--ip=127.0.0.1"),
        *(f"--ServerApp.root_dir={folder}", f"--port={port}", f"--IdentityProvider.token={token}"),
    ]
    environ, log = environment(state), state / "server.log"
    with log.open("wb") as written, chromium() as browser:
        server = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=written, stderr=written
        )
        try:
            wait_for_answer(server, f"{address}/api?token={token}", log)
            yield FrontEnds(browser, address, token, folder, state / "settings")
        finally:
            end_with_children(server)


def environment(state: Path) -> dict[str, str]:
    """Folders of its own, this Python's kernel, the package from here, and the settings of a reader."""
    for name in ("config", "data", "runtime", "ipython", "settings", "workspaces"):
        (state / name).mkdir(parents=True)
    settings: dict[str, dict[str, object]] = {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "docmanager-extension/plugin": {"autosave": False},
        "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page, seen or not
    }
    for name, values in settings.items():
        write_setting(state / "settings", name, values)
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


def write_setting(settings: Path, name: str, values: dict[str, object]) -> None:
    path = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")


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

    def look(self, url: str, n_reports: int) -> None:
        """Open a notebook, to read it only: all reports are there, and all pictures loaded; the kernel may come later."""
        self.page.goto(url, wait_until="domcontentloaded", timeout=MOST_SECONDS_TO_RUN * 1000)  # Voila runs it first
        self.page.wait_for_function(
            "n => document.querySelectorAll('.jpk:not(.jupyter-widgets .jpk)').length >= n"
            " && !document.querySelector('#jupyterlab-splash')"
            " && [...document.images].every(image => image.complete)",
            arg=n_reports,
            timeout=MOST_SECONDS_TO_RUN * 1000,
        )

    def turn(self, theme: str) -> None:
        """Change the theme in place; the system's colours are the opposite, which breaks whoever looks at the system."""
        light = theme == LIGHT
        self.page.emulate_media(color_scheme="dark" if light else "light")
        self.page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
        self.page.wait_for_selector(f"body[data-jp-theme-light={str(light).lower()}]", state="attached")

    def wait_for_controls(self, n_reports: int) -> None:
        """Until the reports above controls are folded: the last thing that controls do."""
        self.page.wait_for_function(
            "n => document.querySelectorAll('details.jpk-static').length === n", arg=n_reports, timeout=30_000
        )

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
  for (const fold of document.querySelectorAll('details.jpk-static')) fold.open = true;  // controls fold the report above
  return [...document.querySelectorAll('.jp-OutputArea-output .jpk:not(.jupyter-widgets .jpk)')].map(report => {
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
    r"|[Mm]odel not found|Could not create a view|widget model"  # controls of a kernel that is gone
    r"|reading 'schema'|filebrowser:open-path"  # Jupyter Notebook 7.6 itself, when it starts
    r"|the server responded with a status of 404"  # settings and translations that nobody installed
)
ELSEWHERE = re.compile(r"^(https?|wss?)://(?!127\.0\.0\.1[:/])")


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser."""
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
        try:
            yield browser
        finally:
            browser.close()


def reader_of(context: Any) -> Reader:
    """Someone with a page of their own, which reaches this machine only."""
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
    return someone


def keep_pictures(someone: Reader, names: list[str]) -> None:
    """Keep each cell with a report as it is seen, where `PROFKIT_PICTURES` says: to look at, and for the README."""
    folder = os.environ.get("PROFKIT_PICTURES")
    if not folder:
        return
    cells = someone.page.locator(".jp-CodeCell").filter(has=someone.page.locator(".jpk"))
    for index, name in enumerate(names):
        cells.nth(index).screenshot(path=Path(folder) / f"{name}.png", style=HIDDEN)


def keep_page(someone: Reader, name: str) -> None:
    """Keep the whole page, likewise; the window grows until the notebook has room in it, a long one in several pictures."""
    folder = os.environ.get("PROFKIT_PICTURES")
    if not folder:
        return
    height = int(someone.page.evaluate(HEIGHT))
    someone.page.set_viewport_size({"width": 1280, "height": min(height + BARS, TALLEST)})
    for part in range(math.ceil(height / (TALLEST - BARS))):
        someone.page.evaluate(
            "top => { for (const node of document.querySelectorAll('*')) node.scrollTop = top; }",
            part * (TALLEST - BARS),
        )
        someone.page.wait_for_timeout(300)
        someone.page.screenshot(path=Path(folder) / f"{name}-{part + 1}.png", style=HIDDEN)


HEIGHT = """
() => {
  const cells = [...document.querySelectorAll('.jp-Cell')].map(cell => cell.getBoundingClientRect());
  return Math.max(...cells.map(cell => cell.bottom)) - Math.min(...cells.map(cell => cell.top));
}
"""
"""Pixels from the first cell to the last; below, JupyterLab has as much room as the window is high."""
BARS = 250
"""Pixels of the window that are not the notebook's, at most."""
TALLEST = 12_000
"""Pixels of the page in one picture, as browsers have a limit."""
HIDDEN = ".jp-Toolbar, .jp-cell-toolbar, .jp-Collapser, #jp-MainLogo {visibility: hidden !important}"
"""What is on the page only because the mouse is somewhere."""
