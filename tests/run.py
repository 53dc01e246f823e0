"""Set up an environment of its own and run the tests there: ``python3 tests/run.py``.

    python3 tests/run.py                          all tests, three at a time (many wait for a kernel)
    python3 tests/run.py --python 3.12            with another interpreter (or PYTHON=3.12)
    python3 tests/run.py tests/cells -k await     anything else goes to pytest
    python3 tests/run.py --no-skips               fail if a test was skipped that could have run
    python3 tests/run.py --only-set-up            make the environment, run nothing

It needs Python 3.11 or newer and the package index, nothing else. The environment is
``.venv-test-3.X``; it is made once, and anew when ``pyproject.toml`` changes. At the end
it says what was skipped, and why.
"""

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN, EXE = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")

RIGHTLY_SKIPPED = (
    (r"\b3\.\d\d\b", "it is about another version of Python"),
    (r"Windows|macOS", "it is about another system"),
)
"""Reasons that ``--no-skips`` lets pass: nothing that could be installed would make the test run."""


def main():
    """Set up, run, and say what was skipped; returns pytest's exit code, or 1 for a skip under ``--no-skips``."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background, and that is inherited
    options, arguments = parse_arguments()
    python = find_python(options.python)
    major, minor = version_of(python)
    if (major, minor) < (3, 11):
        sys.exit(
            f"jupyter_profkit needs Python 3.11 or newer; {python} is {major}.{minor}. "
            "Say which one to use: python3 tests/run.py --python 3.13"
        )
    venv = ROOT / f".venv-test-{major}.{minor}"
    report = venv / "report.xml"
    environment_python = set_up(python, venv)
    if options.only_set_up:
        return 0
    code = run_pytest(environment_python, report, arguments)
    tell(report)
    return check_skips(report, options.no_skips) or code


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--python", default=os.environ.get("PYTHON", ""), help="an interpreter, or its version, as 3.12"
    )
    parser.add_argument("--no-skips", action="store_true", help="fail if a test was skipped that could have run")
    parser.add_argument("--only-set-up", action="store_true", help="make the environment, run nothing")
    return parser.parse_known_args()


def find_python(wanted):
    """The path of the interpreter that `wanted` names: a version, a path, or nothing for this one."""
    if not wanted:
        return sys.executable
    path = shutil.which(wanted)
    if re.match(r"3\.\d+$", wanted):
        pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
        found = sorted(pyenv.glob(f"versions/{wanted}.*/{BIN}/python{EXE}"))
        path = str(found[-1]) if found else shutil.which(f"python{wanted}")
    if path is None:
        sys.exit(f"no interpreter {wanted} was found; give its path: --python /path/to/python")
    return path


def version_of(python):
    code = "import sys; print(*sys.version_info[:2])"
    return tuple(int(part) for part in subprocess.check_output([python, "-c", code]).split())


def set_up(python, venv):
    """An environment with the package, editable, and what its tests need; returns its interpreter."""
    environment_python = str(venv / BIN / f"python{EXE}")
    stamp = venv / "made-for.txt"
    needs = f"{python}\n{ROOT}\n{hashlib.sha256((ROOT / 'pyproject.toml').read_bytes()).hexdigest()}"
    if stamp.exists() and stamp.read_text() == needs:
        say(f"Environment: {venv.name}, as it was")
        return environment_python
    say(f"Environment: {venv.name}, made by {python}; this takes a minute or two")
    pip = [environment_python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    for command in (
        [python, "-m", "venv", "--clear", str(venv)],
        [*pip, "--upgrade", "pip>=25.1"],  # the first one that knows dependency groups
        [*pip, "--editable", ".", "--group", "test"],
    ):
        if subprocess.call(command, cwd=str(ROOT), env=clean_environment()):
            sys.exit(f"this failed, see above: {' '.join(command)}")
    stamp.write_text(needs)
    return environment_python


def clean_environment():
    """The environment without what would lead Python or Jupyter elsewhere."""
    elsewhere = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "JUPYTER", "IPYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(elsewhere)}


def run_pytest(python, report, arguments):
    """Run pytest, in three processes unless `arguments` say otherwise; returns its exit code."""
    if not any(re.match(r"-n|--numprocesses|--pdb", argument) for argument in arguments):
        arguments = ["-n", "3", *arguments]
    command = ["-m", "pytest", f"--junitxml={report.relative_to(ROOT)}", "-o", "junit_family=xunit1", *arguments]
    say(f"$ {Path(python).relative_to(ROOT)} {' '.join(command)}")
    if report.exists():
        report.unlink()
    return subprocess.call([python, *command], cwd=str(ROOT), env=clean_environment())


def tell(report):
    """Say what tests have recorded to be told."""
    for case in cases(report):
        for note in case.iter("property"):
            if note.get("name") == "told":
                say(note.get("value"))


def check_skips(report, strict):
    """Say what was skipped and why; 1 if `strict` and a test was skipped that could have run."""
    to_blame = 0
    for reason, tests in sorted(skipped_tests(report).items()):
        excuse = next((words for pattern, words in RIGHTLY_SKIPPED if re.search(pattern, reason)), "")
        to_blame += not excuse
        say(f"Skipped {len(tests)}: {reason} [{excuse or 'it could run'}]")
        say(f"    {tests[0]}{' …' * (len(tests) > 1)}")
    if strict and to_blame:
        say("--no-skips: tests were skipped that could have run, see above")
    return int(strict and to_blame > 0)


def skipped_tests(report):
    """The names of the skipped tests, by reason."""
    found = {}
    for case in cases(report):
        skip = case.find("skipped")
        if skip is not None and skip.get("type") != "pytest.xfail":
            found.setdefault(reason_of(skip), []).append(f"{case.get('classname')}::{case.get('name')}")
    return found


def reason_of(skip):
    """Why a test was skipped; of a module that was skipped as a whole, pytest has it in the text."""
    whole = re.search(r"'Skipped: (.*)'\)", skip.text or "")
    return whole[1] if whole and skip.get("message") == "collection skipped" else skip.get("message")


def cases(report):
    """The tests in pytest's report; none if it did not come so far."""
    return list(ET.parse(str(report)).iter("testcase")) if report.exists() else []


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
