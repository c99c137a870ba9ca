"""Keys: what a result depends on, and nothing that only changes its speed."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kaiku.store import code, digest

FORMAT = 1
"""Goes up when keys are made differently: every result is then computed again."""


@dataclass(frozen=True)
class StageKey:
    """Everything but an item's own inputs that a stage's result depends on.

    labelling: modules whose outcome shows without computing an item, in the columns that `Item.label` gives or in the
    item's inputs. Their edit runs the job, and computes no item whose inputs stay.
    """

    stage: str
    params: dict[str, Any]
    modules: tuple[str, ...]
    weights: dict[str, str] = field(default_factory=dict)
    labelling: tuple[str, ...] = ()

    def text(self) -> str:
        """The one canonical string that a rule declares as `params: key`, readable for `plan`."""
        return digest.canonical(self._value(*self.labelling))

    def item(self, *inputs: str) -> str:
        """Key of one item by the digests of its inputs."""
        return digest.of_value([self._digest, *inputs])

    @cached_property
    def _digest(self) -> str:
        return digest.of_value(self._value())

    def _value(self, *more: str) -> dict[str, Any]:
        modules = (*self.modules, *more)
        libraries = sorted({name for module in modules for name in code.libraries(module)})
        return {
            "format": FORMAT,
            "stage": self.stage,
            "params": self.params,
            "code": {module: code.code_version(module) for module in modules},
            "libraries": {name: code.library_version(name) for name in libraries},
            "weights": self.weights,
        }
