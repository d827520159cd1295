"""The box at the top of a refused form."""

import re
from html import unescape

from werkzeug.test import TestResponse


def named_in_box(answer: TestResponse) -> list[tuple[str, str]]:
    """The id that each link of the box leads to, which is on the page once, and the words of the link."""
    assert answer.status_code == 422, answer.status_code
    box = answer.text.partition('role="alert"')[2].partition("</div></div>")[0]
    found = [(at, unescape(words)) for at, words in re.findall(r'<a href="#([^"]+)">([^<]+)</a>', box)]
    for at, words in found:
        assert answer.text.count(f' id="{at}"') == 1, (at, words)
    return found
