"""Questions about people and organisations, scoped in SQL to the one who asks: one module for each noun, the names others use listed here."""

from app.accounts.queries.consents import (
    agrees,
    consents_now,
    data_request_page,
    data_requests_of,
    open_data_requests,
    who_said_no,
)
from app.accounts.queries.organisations import (
    cooperatives_of,
    households_labelled,
    member_household,
    member_household_ids,
    member_household_page,
    organisation,
    organisation_names,
    organisations,
    organisations_to_choose,
)
from app.accounts.queries.people import (
    Member,
    addressed,
    farms,
    given_name,
    greeting,
    known_people,
    looked_after,
    member,
    member_page,
    members,
    person_by_phone,
    public_person_labels,
    roles_in,
)
from app.accounts.queries.roles import (
    administrators,
    administrators_exist,
    all_roles,
    is_official,
    offers_of,
    offers_to,
    organisations_ever,
    people_answering_for,
    people_of,
    role_page,
    roles_of,
)
from app.accounts.queries.scope import among, lying_in, opened, visible
from app.accounts.queries.sign_ins import (
    device_page,
    devices_of,
    open_card,
    open_sign_ins,
    sign_in_lines,
    waiting,
    waiting_count,
    waiting_phones,
    waiting_requests,
)
