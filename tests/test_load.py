"""Loading the extension costs next to nothing: what it may import, and what stays for later."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.kernels import ROOT, running_kernel

HEAVY = {
    "numpy",
    "matplotlib",
    "pandas",
    "psutil",
    "ipywidgets",
    "anywidget",
    "memray",
    "objgraph",
    "graphviz",
    "memory_profiler",
    "cattrs",
}

LIGHT_ROOMS = ("cells", "errors", "magics", "model", "options", "results", "source", "units")
"""Where the modules come from that loading needs; what measures, draws and writes is imported by the first run."""


def new_modules(code: str) -> set[str]:
    """What `code` imports in a fresh process."""
    program = f"import sys; before = set(sys.modules)\n{code}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    return set(done.stdout.split())


def packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def test_importing_the_package_imports_nothing_of_others() -> None:
    modules = new_modules("import jupyter_profkit")
    assert {module for module in modules if module.startswith("jupyter_profkit")} == {"jupyter_profkit"}
    assert packages(modules) - {"jupyter_profkit"} <= set(sys.stdlib_module_names)


def test_the_names_for_scripts_import_nothing_heavy() -> None:
    modules = new_modules("from jupyter_profkit import cprofile, last, load, mark, memprofile, mprof, objrefs, profile")
    assert packages(modules) - {"jupyter_profkit"} <= set(sys.stdlib_module_names)


@pytest.mark.kernel
def test_loading_the_extension_adds_only_its_light_rooms_to_a_started_kernel() -> None:
    with running_kernel(load=False) as kernel:
        before = kernel.run("import sys; before = set(sys.modules)")
        assert before.status == "ok"
        kernel.run("%load_ext jupyter_profkit")
        modules = set(kernel.run("print(*(set(sys.modules) - before))").stdout.split())
    assert packages(modules) - set(sys.stdlib_module_names) == {"IPython", "jupyter_profkit"}
    assert {module for module in modules if module.startswith("IPython")} <= {"IPython.core.magics.extension"}
    ours = {module.split(".")[1] for module in modules if module.startswith("jupyter_profkit.")}
    assert ours <= set(LIGHT_ROOMS)


def test_loading_the_extension_in_a_terminal_imports_nothing_heavy() -> None:
    shell = "from IPython.core.interactiveshell import InteractiveShell\nInteractiveShell.instance()"
    load = "get_ipython = InteractiveShell.instance; get_ipython().run_line_magic('load_ext', 'jupyter_profkit')"
    assert not packages(new_modules(f"{shell}\n{load}")) & HEAVY


@pytest.mark.kernel
def test_unloading_and_loading_again_leaves_the_shell_as_it_was() -> None:
    state = (
        "sorted(n for kind in get_ipython().magics_manager.magics.values() for n in kind), "
        "len(get_ipython().input_transformers_cleanup), len(get_ipython().Completer.custom_matchers), "
        "{k: len(v) for k, v in get_ipython().events.callbacks.items()}, "
        "[type(c).__name__ for c in get_ipython().configurables if 'ExtensionMagics' not in str(c)]"  # of %load_ext itself
    )
    with running_kernel(load=False) as kernel:
        fresh = kernel.value(state)
        for _ in range(2):
            assert kernel.run("%load_ext jupyter_profkit").status == "ok"
            assert kernel.value(state) != fresh
            assert kernel.run("%unload_ext jupyter_profkit").status == "ok"
            assert kernel.value(state) == fresh
