"""A page's text as a browser shows it: line ends of the template beside a block are nothing, elsewhere, and within a tag, they are a blank."""

import re

BLOCKS = (
    "html|head|body|title|meta|link|script|div|section|article|aside|main|header|footer|nav|p|ul|ol|li|dl|dt|dd|table|caption|"
    "thead|tbody|tr|th|td|form|fieldset|legend|h[1-6]|details|summary|figure|blockquote|br|option|select"
)
BESIDE_A_BLOCK = re.compile(rf"\s*\n\s*(?=</?(?:{BLOCKS})\b)")
AFTER_A_BLOCK = re.compile(rf"(</?(?:{BLOCKS})\b[^>]*>)\s*\n\s*")
AS_TYPED = re.compile(r"(<(?:textarea|pre)\b.*?</(?:textarea|pre)>)", re.DOTALL)


def as_shown(html: str) -> str:
    """A test of what a page says does not hang on where its template breaks a line."""
    parts = AS_TYPED.split(html)
    return "".join(part if i % 2 else _shown(part) for i, part in enumerate(parts))


def _shown(html: str) -> str:
    return re.sub(r"\s*\n\s*|[ \t]{2,}", " ", AFTER_A_BLOCK.sub(r"\1", BESIDE_A_BLOCK.sub("", html)))
