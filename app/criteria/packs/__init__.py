"""Packs as TOML: read under limits, checked as a whole, every fault told at once with its path and line.

A pack is data from outside and may be hostile: size, nesting and dotted keys are bounded before the TOML reader sees the
text, because that reader is recursive in the one and cubic in the other. Nothing in a pack is ever executed.

How a pack is written: data/lang-son-thon-thong-minh-2022.toml is the model; `document_schema()` gives the JSON Schema.

Where to look: `toml_file` guards and reads the text, `shape` judges each entry alone, `meaning` what entries say of each other.
"""

from app.criteria.packs.faults import Fault
from app.criteria.packs.reading import DATA, document_schema, lint, parse, shipped
