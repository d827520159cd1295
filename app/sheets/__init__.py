"""Lists from CSV or XLSX, as people really send them: which rows and cells they hold, and every problem with its cell.

A list is described by its `Column`s. `read_table` finds the sheet, the headings and the rows; a `Row` gives its cells as clean
texts and gathers what is wrong; `template` is the file to fill in. What the list means is its own part's business.
"""

from app.sheets.cells import MAX_COLUMNS, MAX_ROWS, Cell, Kind
from app.sheets.columns import Column, spreadsheet_csv, template
from app.sheets.problems import Choice, Problem, Unreadable, clip, problems_csv
from app.sheets.rows import NAME_CHARACTERS, Row
from app.sheets.table import Table, read_table
