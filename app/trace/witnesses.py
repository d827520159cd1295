"""As what a writer may vouch for a step of somebody's diary."""

from uuid import UUID

from app.actor import Actor, Role
from app.trace.models import Witness

# A certifier writes findings only, see `record_finding`.
_WITNESSES_FOR_OTHERS = (
    (Role.COOPERATIVE_MANAGER, Witness.COOPERATIVE),
    (Role.EXTENSION_OFFICER, Witness.OFFICER),
)


def witnesses_of(actor: Actor, organisation_id: UUID) -> tuple[Witness, ...]:
    """As what this writer may vouch for a step of this holder; the weakest first. Nobody vouches in another's name.

    - one of its own people? then only as the farmer, whatever they are elsewhere
    - writing for others, as told by them: the farmer; as seen: what the writer is there
    - a farmer of another household: its neighbour
    """
    at_home = actor.has(Role.FARMER, organisation_id=organisation_id)
    manages = actor.has(Role.COOPERATIVE_MANAGER, organisation_id=organisation_id)
    found = [Witness.FARMER] if at_home or manages else []
    if manages:
        found.append(Witness.COOPERATIVE)
    elif not at_home and organisation_id in actor.organisations:
        for role, witness in _WITNESSES_FOR_OTHERS:
            if actor.has(role):
                found += [w for w in (Witness.FARMER, witness) if w not in found]
        if actor.has(Role.FARMER):
            found.append(Witness.NEIGHBOUR)
    return tuple(found)


def usual_witness(actor: Actor, organisation_id: UUID, *, own_work: bool) -> Witness:
    """Who vouches where the writer chose nobody. `own_work`: the writer did it too.

    - one of the holder's own people writes? the farmer
    - somebody from outside wrote down their own work? what the writer is there by office, else the neighbour
    - somebody from outside wrote down another's work? the farmer, as it was told
    """
    offered = witnesses_of(actor, organisation_id)
    at_home = actor.has(Role.FARMER, Role.COOPERATIVE_MANAGER, organisation_id=organisation_id)
    if not offered or at_home or not own_work:
        return Witness.FARMER
    return next((w for w in offered if w in {Witness.COOPERATIVE, Witness.OFFICER}), offered[-1])
