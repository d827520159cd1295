"""Lists of villages and premises from CSV or XLSX: read, judged row by row, compared with what is there; never half of it.

`table` reads a file (`csv_file`, `xlsx_file`), `rows` checks each row alone, `preview` compares; applying a plan is a verb of service.
"""

from app.places.imports.columns import COLUMNS, MAX_ROWS, VILLAGE_WORDS, template
from app.places.imports.preview import AddPremises, AddVillage, Plan, RenameVillage, plan, refuse_problems
from app.places.imports.problems import Problem, clip, problems_csv
from app.places.imports.rows import NAME_CHARACTERS
from app.places.imports.table import read_table

__all__ = [
    "COLUMNS",
    "MAX_ROWS",
    "NAME_CHARACTERS",
    "VILLAGE_WORDS",
    "AddPremises",
    "AddVillage",
    "Plan",
    "Problem",
    "RenameVillage",
    "clip",
    "plan",
    "problems_csv",
    "read_table",
    "refuse_problems",
    "template",
]
