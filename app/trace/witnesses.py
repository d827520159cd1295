"""The witness that a writer may bear for a step of somebody's diary."""

from uuid import UUID

from app.actor import Actor, Right
from app.trace.models import Witness

# The weakest first. A certifier writes findings only, see `record_finding`.
_LADDER = (
    (Right.KEEP_DIARY, Witness.FARMER),
    (Right.VOUCH_AS_COOPERATIVE, Witness.COOPERATIVE),
    (Right.VOUCH_AS_OFFICER, Witness.OFFICER),
    (Right.VOUCH_AS_NEIGHBOUR, Witness.NEIGHBOUR),
)


def witnesses_of(actor: Actor, organisation_id: UUID) -> tuple[Witness, ...]:
    """As what this writer may vouch for a step of this holder; the weakest first. Nobody vouches in another's name.

    - one of its own people? then only as the farmer, whatever they are elsewhere
    - writing for others, as told by them: the farmer; as seen: what the writer is there
    - a farmer of another household: its neighbour
    """
    return tuple(witness for right, witness in _LADDER if actor.may(right, organisation_id))


def usual_witness(actor: Actor, organisation_id: UUID, *, own_work: bool) -> Witness:
    """Who vouches where the writer chose nobody. `own_work`: the writer did it too.

    - one of the holder's own people writes? the farmer
    - somebody from outside wrote down their own work? what the writer is there by office, else the neighbour
    - somebody from outside wrote down another's work? the farmer, as it was told
    """
    offered = witnesses_of(actor, organisation_id)
    if not offered or not own_work or actor.may(Right.REPRESENT, organisation_id):
        return Witness.FARMER
    return next((w for w in offered if w in {Witness.COOPERATIVE, Witness.OFFICER}), offered[-1])
