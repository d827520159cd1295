"""Lists of villages and premises: their rows judged one by one, compared with what is there; never half of it.

`columns` describes the lists, `rows` checks each row alone, `villages` and `premises` compare them with what is in force;
applying a plan is a verb of service. How a file is read is the business of `app.sheets`.
"""

from app.places.imports.columns import COLUMNS, VILLAGE_WORDS
from app.places.imports.plans import AddPremises, AddVillage, Plan, RenameVillage, refuse_problems
from app.places.imports.preview import current_list, plan
