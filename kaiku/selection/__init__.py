"""Which clips a dataset takes, why it leaves the others, and into which split each goes: decisions over stored facts.

`decide` looks at one shard at a time and says of each row the same whatever else the shard holds; only `subset.hours`
looks at a shard's other clips.
"""

from kaiku.selection.accounting import account, account_ms, added
from kaiku.selection.deciding import COLUMNS, decide, warnings_in, widened
from kaiku.selection.settings import (
    DECIDES,
    FEW_RECORDINGS,
    Bounds,
    ConsentSettings,
    CorpusBounds,
    DatasetSettings,
    GateSettings,
    SplitSettings,
    SubsetSettings,
)

__all__ = [
    "COLUMNS",
    "DECIDES",
    "FEW_RECORDINGS",
    "Bounds",
    "ConsentSettings",
    "CorpusBounds",
    "DatasetSettings",
    "GateSettings",
    "SplitSettings",
    "SubsetSettings",
    "account",
    "account_ms",
    "added",
    "decide",
    "warnings_in",
    "widened",
]
