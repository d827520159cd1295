"""Queries of an official's pages: stored answers rolled up, and one village with everything behind its answer."""

from app.doors.official.queries.own import own_places, place_of
from app.doors.official.queries.proof import FactLine, ProductLine, proof, proofs, records
from app.doors.official.queries.roll_ups import (
    CommuneLine,
    VillageLine,
    clause_line,
    clause_lines,
    commune_lines,
    total,
    village_lines,
    villages_named,
)
from app.doors.official.queries.village import Clause, Named, VillageView, village
