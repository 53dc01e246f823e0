"""Code that is measured without being a cell: a magic's statement, or another magic's body.

    block = Block(shell, "df = clean(df)", "%memprofile")
    value = block.run()

The text is transformed and compiled as the shell does it, each top-level
statement by itself, under a name that tracebacks and line tables can look up.
"""

from __future__ import annotations

import ast
import inspect
import itertools
from types import CodeType
from typing import Any

from jupyter_profkit.errors import OptionError
from jupyter_profkit.source import register_lines

__all__ = ["Block"]

_numbers = itertools.count(1)


class Block:
    """A compiled piece of source.

    Parameters
    ----------
    shell : the InteractiveShell that transforms it and in whose namespace it runs.
    source : the text, magics and ``!cmd`` included.
    name : what the reader knows it by: ``%memprofile``.
    local_ns : the variables of the function that it is part of, if it is of one; it sees them, but binds none.

    Raises
    ------
    SyntaxError
        As the shell itself would raise it.
    OptionError
        If the text awaits something at its top level.
    """

    def __init__(self, shell: Any, source: str, name: str, local_ns: Any = None) -> None:
        self._shell = shell
        self._globals, self._locals = shell.user_global_ns, shell.user_ns
        if local_ns is not None and local_ns is not shell.user_ns:
            self._globals = self._locals = {**shell.user_global_ns, **local_ns}  # seen by its inner functions, too
        self.filename = f"<{name} {next(_numbers)}>"
        text = shell.transform_cell(source)
        register_lines(self.filename, text)
        tree = shell.transform_ast(shell.compile.ast_parse(text, filename=self.filename))
        self._steps = [self._compile(statement) for statement in tree.body]

    def _compile(self, statement: ast.stmt) -> CodeType:
        is_expression = isinstance(statement, ast.Expr)
        tree = ast.Expression(statement.value) if isinstance(statement, ast.Expr) else ast.Module([statement], [])
        with self._shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT):
            code: CodeType = self._shell.compile(tree, self.filename, "eval" if is_expression else "exec")
        if inspect.CO_COROUTINE & code.co_flags:
            raise OptionError("a statement that awaits needs the cell form: %% on the first line of its cell")
        return code

    def run(self) -> Any:
        """Run the statements.

        Returns the value of the last statement, None if it is no expression. An
        exception of the code goes through unchanged.
        """
        __tracebackhide__ = True
        value = None
        for code in self._steps:
            value = eval(code, self._globals, self._locals)  # noqa: S307 - the user's own code
        return value
