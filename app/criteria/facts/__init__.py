"""The fact providers: what Hồi's own records and people's records say of villages, for the rules to judge.

Set-wise: a fixed number of statements whatever the number of villages. A fact that nobody recorded is not given.
"""

from app.criteria.facts.models import TALLIED
from app.criteria.facts.sheets import provide
