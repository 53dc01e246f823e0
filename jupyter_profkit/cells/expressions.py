"""What the user typed, to objects: expressions of the notebook's, and filters.

    names, objects = evaluate("x [y, z]", namespace)
    test = predicate_of("len(obj) > 3", namespace)

Evaluating it is the only code of the user's that runs here.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from typing import Any

from jupyter_profkit.engines.safe_repr import printable, type_name
from jupyter_profkit.errors import TargetError

__all__ = ["evaluate", "evaluate_one", "expressions", "predicate_of"]


def evaluate(text: str, namespace: dict[str, Any]) -> tuple[list[str], list[Any]]:
    """The expressions in `text`, and what they are in `namespace`.

    The whole text is one expression if it can be (``[x, y]``, ``a + b``); else
    expressions stand side by side, each as long as it can be (``x f(y, z)``).

    Raises
    ------
    TargetError
        If there is none, or one is no expression or raises.
    """
    names = expressions(text)
    return names, [evaluate_one(name, namespace) for name in names]


def predicate_of(value: Any, namespace: dict[str, Any]) -> Callable[[Any], Any] | None:
    """A test of objects, from what a filter was given as.

    ===============================  ====================================
    given                            passes
    ===============================  ====================================
    ``"len(obj) > 3"``               for which the expression is true
    ``"list"``, `list`               its instances
    ``"(list, dict)"``               instances of any of them
    ``"is_mine"``, a function        for which it returns something true
    ===============================  ====================================

    Raises
    ------
    TargetError
        If it is none of these, or the text cannot be evaluated.
    """
    if value is None:
        return None
    if type(value) is str:
        tree = _parse(value)
        if tree is None:
            raise TargetError(f"{printable(value)} is not an expression")
        about_obj = any(type(node) is ast.Name and node.id == "obj" for node in ast.walk(tree))
        value = evaluate_one(f"lambda obj: ({value}\n)" if about_obj else value, namespace)
    classes = value if type(value) is tuple else (value,)
    if classes and all(issubclass(type(one), type) for one in classes):
        return lambda obj: issubclass(type(obj), classes)
    if not callable(value):
        raise TargetError("a filter is an expression over obj, a class, or a function; this is none of them")
    return value  # type: ignore[no-any-return]


def expressions(text: str) -> list[str]:
    """The expressions in `text`, each as long as it can be.

    Raises
    ------
    TargetError
        If there is none, or something is no expression.
    """
    words = list(re.finditer(r"\S+", text))
    names: list[str] = []
    first = 0
    while first < len(words):
        start = words[first].start()
        for last in range(len(words) - 1, first - 1, -1):
            candidate = text[start : words[last].end()]
            if _parse(candidate) is not None:
                names.append(candidate)
                first = last + 1
                break
        else:
            raise TargetError(_refusal(text, text[start:]))
    if not names:
        raise TargetError("give the objects to draw, as variables or expressions: %objrefs x")
    return names


def _refusal(text: str, rest: str) -> str:
    """Why `rest`, the end of `text`, is not taken."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return f"{printable(rest)} is not an expression"
    return f"{printable(text.strip())} is a statement; give variables or expressions: %objrefs x"


def _parse(text: str) -> ast.Expression | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def evaluate_one(text: str, namespace: dict[str, Any]) -> Any:
    """What one expression is in `namespace`.

    Raises
    ------
    TargetError
        If it raises, or is no expression.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            code = compile(text.strip(), "<objrefs>", "eval")
        return eval(code, namespace)  # noqa: S307 - what the user asked to draw
    except Exception as error:
        raise TargetError(f"{printable(text)}: {type_name(type(error))}{_message(error)}") from None


def _message(error: Exception) -> str:
    try:
        return f": {printable(str.__str__(str(error)), 100)}"
    except Exception:  # the user's own exception class, and its __str__ fails
        return ""
