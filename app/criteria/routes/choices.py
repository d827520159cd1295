"""Writing down what the province chose."""

from flask import Response, url_for
from flask_babel import gettext as _
from pydantic import BaseModel, ConfigDict
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.actor import Right
from app.criteria import queries
from app.criteria.choices import choose_parameter
from app.criteria.routes.base import blueprint
from app.criteria.rules import Parameter
from app.criteria.schemas import NewParameterChoice
from app.errors import not_found
from app.fields import ClientId, Day, Whole
from app.forms import DecidedBy
from app.web import done, page, parse, require, signed_in, transaction


class Chosen(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: ClientId
    valid_from: Day
    decided_by: DecidedBy


class ChosenNumber(Chosen):
    value: Whole


class ChosenWord(Chosen):
    value: str


@blueprint.get("/tinh/lua-chon")
def choices() -> Response:
    signed_in()
    pack = queries.pack()
    with transaction() as session:
        actor = signed_in()
        in_force = queries.choices_in_force(session, pack.id, as_of=clock.today(), known_at=clock.now())
        return page(
            "criteria/choices.html",
            pack=pack,
            in_force=in_force,
            to_come=queries.choices_to_come(session, pack.id, after=clock.today()),
            values=pack.settings({name: row.value for name, row in in_force.items()}),
            may_choose=actor.may_everywhere(Right.SET_PROVINCE_RULES),
        )


def _parameter(name: str) -> Parameter:
    found = queries.pack().parameters_by_name.get(name)
    if found is None:
        raise not_found()
    return found


@blueprint.get("/tinh/lua-chon/<name>")
def choose(name: str) -> Response:
    require(Right.SET_PROVINCE_RULES)
    parameter = _parameter(name)
    pack = queries.pack()
    with transaction() as session:
        chosen = queries.choices(session, pack.id, as_of=clock.today(), known_at=clock.now())
        return page(
            "criteria/choose.html",
            pack=pack,
            parameter=parameter,
            value=pack.settings(chosen)[name],
            history=[r for r in queries.choice_history(session, pack.id) if r.name == name],
        )


@blueprint.post("/tinh/lua-chon/<name>")
def choose_send(name: str) -> BaseResponse:
    actor = require(Right.SET_PROVINCE_RULES)
    parameter = _parameter(name)
    form = parse(ChosenNumber) if parameter.type == "integer" else parse(ChosenWord)
    with transaction() as session:
        choose_parameter(
            session,
            actor,
            NewParameterChoice(
                id=form.id,
                pack_id=queries.SMART_VILLAGE,
                name=parameter.name,
                value=form.value,
                valid_from=form.valid_from,
                decided_by=form.decided_by,
            ),
        )
    return done(_("Đã lưu lựa chọn. Kết quả của các thôn tự tính lại từ ngày áp dụng."), url_for("criteria.choices"))
