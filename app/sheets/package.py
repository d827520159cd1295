"""The parts of an .xlsx: found whatever their names' case and slashes, unpacked under limits, walked by a real XML parser."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from xml.parsers import expat

from app.errors import TooLarge
from app.messages import N_
from app.sheets.problems import Unreadable, unreadable

MAX_UNPACKED = 100 * 1024 * 1024
MAX_PARTS = 2000  # a workbook has tens
MAX_ELEMENTS = 5_000_000
_STEP = 64 * 1024
# All that Excel writes; the others unpack in one step without a limit.
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

Attributes = dict[str, str]
Start = Callable[[str, Attributes], None]
End = Callable[[str], None]
Text = Callable[[str], None]


class Package:
    """The parts by name. Names are compared without regard to case, and a backslash is a slash: Excel opens both."""

    def __init__(self, book: zipfile.ZipFile) -> None:
        infos = book.infolist()
        if any(i.compress_type not in _PACKED for i in infos):
            raise not_xlsx()
        self._book = book
        self._parts = {canonical(i.filename): i for i in infos}
        self._left = MAX_UNPACKED
        self._elements = 0
        if sum(i.file_size for i in infos) > MAX_UNPACKED or len(infos) > MAX_PARTS:
            raise too_large()

    def __contains__(self, name: str) -> bool:
        return canonical(name) in self._parts

    def ends_with(self, ending: str) -> bool:
        return any(name.endswith(ending) for name in self._parts)

    def walk(self, name: str, start: Start, end: End | None = None, text: Text | None = None) -> None:
        """Call back for each element of a part by its local name. Raises KeyError, TooLarge, ExpatError.

        A document type is refused: entities that are made of entities come with it.
        """

        def begin(tag: str, attributes: Attributes) -> None:
            self._elements += 1
            if self._elements > MAX_ELEMENTS:
                raise too_large()
            start(tag[tag.rfind(" ") + 1 :], attributes)

        def finish(tag: str) -> None:
            if end is not None:
                end(tag[tag.rfind(" ") + 1 :])

        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartElementHandler = begin
        parser.EndElementHandler = finish
        if text is not None:
            parser.CharacterDataHandler = text
        for chunk in self._chunks(name):
            parser.Parse(chunk)
        parser.Parse(b"", True)

    def _chunks(self, name: str) -> Iterator[bytes]:
        """A part in small steps: the sizes that a file claims are not believed."""
        with self._book.open(self._parts[canonical(name)]) as part:
            while chunk := part.read(_STEP):
                self._left -= len(chunk)
                if self._left < 0:
                    raise too_large()
                yield chunk


@contextmanager
def opened(raw: bytes) -> Iterator[Package]:
    """The package, with whatever is broken in it said as Unreadable. Raises TooLarge."""
    try:
        with zipfile.ZipFile(BytesIO(raw)) as book:
            yield Package(book)
    except (
        *(zipfile.BadZipFile, LookupError, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error),
        *(expat.ExpatError, UnicodeDecodeError, ValueError, StopIteration),
    ):
        raise not_xlsx() from None


def canonical(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()


def not_xlsx() -> Unreadable:
    return unreadable(
        N_("Tệp này không phải Excel (.xlsx) hoặc bị hỏng."),
        N_("Mở bằng Excel, lưu lại thành .xlsx hoặc CSV UTF-8 rồi gửi lại."),
    )


def too_large() -> TooLarge:
    return TooLarge(
        "import_unpacked",
        N_("Tệp Excel bung ra quá lớn. Hãy chép riêng bảng danh sách sang một tệp mới rồi gửi lại."),
        field="file",
    )


def _refuse_doctype(*_: object) -> None:
    raise not_xlsx()
