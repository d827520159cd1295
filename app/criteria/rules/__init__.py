"""The rules engine: a closed table of predicate kinds over a sheet of facts; pure, bounded, and it always says why.

Four answers: met, unmet, insufficient, not_applicable. What is missing is never zero and never a pass.

Kinds, frozen: a change of meaning is a new kind (`ratio_at_least@2`), so that an old answer can always be computed again.
    flag@1                    the fact is true
    count_at_least@1          met: have >= k. unmet: have + unknown < k. Else insufficient
    ratio_at_least@1          met: num * 100 >= den * percent, whatever the unknown items turn out to be. unmet: not even if
                              all of them turn out well. Else insufficient. No float. A denominator known to be zero is what
                              `zero_denominator` says: not_applicable, unmet or insufficient, never met
    all_of@1                  unmet > insufficient > met; children that do not apply are left out
    any_of@1                  met > insufficient > unmet; children that do not apply are left out
    k_of_n@1                  met: k children met. unmet: not reachable even with the insufficient ones. k does not shrink
                              with children that do not apply
    threshold_by_attribute@1  count or ratio whose threshold depends on an attribute of the place (commune_group)
A composite of nothing but not_applicable is not_applicable.

A fact cannot be used, and the answer is insufficient, when nobody recorded it, when nothing proves it, when `max_age_days`
is set and its evidence is older or undated, when it is dated after the day asked about, or when its own `next_change_on` has come.

Facts are the contract with the providers: each pack declares the name, type, meaning and parameters of every fact it reads.

Where to look: what a pack may say is in `kinds` and `pack`, what providers give in `sheet`, what comes out in `answers`; a
kind's meaning is in the module of its name (`leaf` for flag@1, `composite` for the three that join others), its use of dates
in `run`; `engine` puts them together, `departures` compares two assessments, `words` has what their sentences share.
"""

from app.criteria.rules.answers import VALUE_LABELS, VALUE_WORDS, Answer, Assessment, Choice, Value
from app.criteria.rules.composite import all_of_1, any_of_1, k_of_n_1
from app.criteria.rules.departures import Departure, carried, compare
from app.criteria.rules.engine import NOT_CHOSEN, NOT_FROM_LETTER, evaluate, outside_period
from app.criteria.rules.kinds import CountAtLeast, Flag, KOfN, RatioAtLeast, Rule, ThresholdByAttribute
from app.criteria.rules.pack import Criterion, FactDeclaration, Pack, Parameter
from app.criteria.rules.sheet import Fact, Item, ItemSet, Source
from app.criteria.rules.words import Both, percentage
