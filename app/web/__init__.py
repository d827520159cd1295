"""The needs of every route: the transaction, the actor, parsing, the page, and one place that renders errors."""

from app.web.cookies import cookie_name, keep_cookie, read_cookie
from app.web.errors import problem, wants_json
from app.web.formats import UNITS, counting, form_number, number, quantity, unit_options, vn_date, vn_datetime, words
from app.web.installation import csrf, install
from app.web.kept import Kept, unseal
from app.web.languages import LANGUAGE_COOKIE, language, own_address
from app.web.origin import foreign_page, surely_ours
from app.web.pages import done, page
from app.web.parsing import (
    MAX_FORM_BYTES,
    OUR_FIELDS,
    most_bytes,
    parse,
    parse_data,
    parse_query,
    picked,
    sent_file,
    takes_files,
)
from app.web.process import Web, is_https, web
from app.web.requests import SECURITY_HEADERS, UNSAFE, takes_html
from app.web.visitor import (
    SIGN_IN_COOKIE,
    actor,
    become,
    clear_sign_in_cookie,
    page_transaction,
    require,
    set_sign_in_cookie,
    signed_in,
    transaction,
    visitor_address,
)
