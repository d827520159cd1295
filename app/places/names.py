"""Names of places with the word for their kind, put together as the reader's language does it."""

from dataclasses import dataclass

from app.messages import N_

_NAME = "%(name)s"
_KINDS = {
    said.vietnamese.removesuffix(f" {_NAME}"): said
    for said in (
        N_("tỉnh %(name)s"),
        N_("thành phố %(name)s"),
        N_("huyện %(name)s"),
        N_("thị xã %(name)s"),
        N_("xã %(name)s"),
        N_("phường %(name)s"),
        N_("thị trấn %(name)s"),
        N_("thôn %(name)s"),
        N_("bản %(name)s"),
        N_("làng %(name)s"),
        N_("xóm %(name)s"),
        N_("khối phố %(name)s"),
        N_("khối %(name)s"),
        N_("khu phố %(name)s"),
        N_("khu %(name)s"),
        N_("tổ dân phố %(name)s"),
    )
}


@dataclass(frozen=True, slots=True)
class Called:
    """A place by the word for its kind and its name: “xã Chi Lăng”, “Chi Lăng Commune”.

    A number stands behind its word in every language: “thôn 3”, “Village 3”. `first`: it begins a heading or a sentence.
    """

    kind_word: str
    name: str
    first: bool = False

    def text(self, language: str) -> str:
        pattern = _KINDS[self.kind_word].text(language) if self.kind_word in _KINDS else f"{self.kind_word} {_NAME}"
        if self.name[:1].isdigit():
            pattern = f"{pattern.replace(_NAME, '').strip()} {_NAME}"
        said = pattern.replace(_NAME, self.name)
        return said[:1].upper() + said[1:] if self.first else said
