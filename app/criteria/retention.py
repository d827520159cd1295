"""An end for the answers of villages: those of the last two years stay whole, older ones as changes and ends of months."""

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.criteria.models import VillageAssessment
from app.retention import MOST, Step

VILLAGES = 100


def thin_answers(session: Session, onward: str) -> Step:
    """Thin the old answers of the next hundred villages; `onward` is the last village before them.

    Of answers older than 24 whole months stay the one that stands, the last of each month, and each one before and after
    which a criterion changed. What goes said the same of every criterion as its neighbours; the database holds the rule.
    """
    query = select(VillageAssessment.village_id).where(VillageAssessment.current).distinct()
    if onward:
        query = query.where(VillageAssessment.village_id > onward)
    villages = list(session.scalars(query.order_by(VillageAssessment.village_id).limit(VILLAGES)))
    if not villages:
        return Step(0, None)
    gone = int(
        session.scalar(text("SELECT hoi_thin_assessments(:villages, :most)"), {"villages": villages, "most": MOST}) or 0
    )
    if gone == MOST:
        return Step(gone, onward)  # the same villages again
    return Step(gone, str(villages[-1]) if len(villages) == VILLAGES else None)
