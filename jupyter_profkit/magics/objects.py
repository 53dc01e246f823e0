"""``%objwhy`` and ``%memwhos``: why an object is alive, and whose the memory is."""

from __future__ import annotations

from typing import ClassVar

from IPython.core.magic import line_magic, magics_class, no_var_expand

from jupyter_profkit.magics.base import configurable_magics, usage_errors
from jupyter_profkit.model.result import Result
from jupyter_profkit.options import Values
from jupyter_profkit.options.objects import MEMWHOS, MEMWHOS_DISPLAY, OBJWHY

__all__ = ["ObjectMagics"]


@magics_class
class ObjectMagics(configurable_magics(OBJWHY, MEMWHOS)):  # type: ignore[misc]
    """Objects: what keeps them alive, and who has how much."""

    kind: ClassVar = "holders"
    display_options: ClassVar = MEMWHOS_DISPLAY

    @no_var_expand
    @line_magic
    def objwhy(self, line: str) -> Result | None:
        from jupyter_profkit.cells.expressions import evaluate_one
        from jupyter_profkit.cells.objects import explain_holders
        from jupyter_profkit.cells.walking import walking
        from jupyter_profkit.engines.safe_repr import printable
        from jupyter_profkit.errors import TargetError

        values = self.parse(OBJWHY, line)
        with usage_errors():
            if not values.rest:
                raise TargetError("give the object to explain, as a variable or an expression: %objwhy x")
            with walking(f"who holds {printable(values.rest)}", quiet=values.quiet) as step:
                result = explain_holders(
                    [evaluate_one(values.rest, self.shell.user_ns)],
                    name=values.rest,
                    time_limit=values.time_limit,
                    shell=self.shell,
                    step=step,
                )
        return self._hand_out(result, values)

    objwhy.__doc__ = OBJWHY.help()

    @no_var_expand
    @line_magic
    def memwhos(self, line: str) -> Result | None:
        from jupyter_profkit.cells.objects import weigh_namespace
        from jupyter_profkit.cells.walking import walking

        values = self.parse_alone(MEMWHOS, line)
        with usage_errors(), walking("whose memory it is", quiet=values.quiet) as step:
            result = weigh_namespace(trim=values.trim, shell=self.shell, step=step)
        return self._hand_out(result, values)

    memwhos.__doc__ = MEMWHOS.help()

    def _hand_out(self, result: Result, values: Values) -> Result | None:
        with usage_errors():
            self.deliver(result, values)
        return result if values.return_result else None
