"""The look keeps its promises: contrast, sizes, vendored hashes, known icons, and nothing inline."""

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import Environment, FileSystemLoader, nodes, pass_context

from app.db import Words
from app.errors import Invalid, InvalidMany
from app.languages import NAMES, address_in
from app.messages import N_

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app"
DEMO = ROOT / "demo" / "templates"
STATIC = APP / "static"
TEMPLATES = sorted((*APP.glob("**/templates/**/*.html"), *DEMO.glob("**/*.html")))
CSS = (STATIC / "hoi.css").read_text(encoding="utf-8")
PUBLIC_CSS = (STATIC / "public.css").read_text(encoding="utf-8")

HOI_CSS_GZIP_LIMIT = 12 * 1024
PUBLIC_CSS_GZIP_LIMIT = 5 * 1024
HOI_JS_LIMIT = 11 * 512  # with the calendar of a field for a day and the names of chosen files
SPRITE_GZIP_LIMIT = 8 * 1024

SURFACES = ("paper", "paper-2", "card")
HUES = ("earth", "red", "blue", "green", "amber", "violet", "teal", "rose")
TONES = ("met", "unmet", "wait", "na", "leaf", "anise")

# (text, ground): WCAG 2.2 AA, 1.4.3.
TEXT_PAIRS = [
    *((text, ground) for text in ("ink", "ink-2", *TONES) for ground in SURFACES),
    *((tone, f"{tone}-soft") for tone in (*TONES, *HUES)),
    *((ink, f"{tone}-soft") for ink in ("ink", "ink-2") for tone in TONES),
    *(("ink", f"s{step}") for step in range(5)),
    *(("gold", ground) for ground in SURFACES),
]
# What a farmer presses or must not miss, in the sun: 1.4.6.
MAIN_PAIRS = [
    *(("ink", f"{hue}-soft") for hue in HUES),
    ("leaf-ink", "leaf"),
    ("leaf", "card"),
    ("wait", "wait-soft"),
    ("wait", "paper"),
    ("ink", "paper"),
    ("ink", "card"),
    ("band-ink", "band"),
    ("care-ink", "care"),
    ("alarm-ink", "alarm"),
]
# Borders of fields and the focus ring: 1.4.11.
EDGE_PAIRS = [(edge, ground) for edge in ("edge", "focus") for ground in SURFACES]
DECORATION = {"line"}  # hairlines carry no meaning


def blocks(selector: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for body in re.findall(re.escape(selector) + r"\{([^{}]*)\}", CSS):
        found.update(re.findall(r"--([\w-]+):(#[0-9a-f]{6})\b", body))
    return found


LIGHT = blocks("\n:root")
DARK = blocks("@media screen and (prefers-color-scheme:dark){:root:not([data-theme=light])")
CHOSEN_DARK = blocks("@media screen{:root[data-theme=dark]")
THEMES = {"light": LIGHT, "dark": DARK}


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def too_weak(theme: str, pairs: list[tuple[str, str]], least: float) -> list[str]:
    colours = THEMES[theme]
    ratios = [(text, ground, contrast(colours[text], colours[ground])) for text, ground in pairs]
    return [f"{text} on {ground}: {ratio:.2f}" for text, ground, ratio in ratios if ratio < least]


def test_contrast_formula_agrees_with_wcag_examples() -> None:
    assert round(contrast("#000000", "#ffffff"), 2) == 21.0
    assert round(contrast("#767676", "#ffffff"), 2) == 4.54


@pytest.mark.parametrize("theme", THEMES)
def test_every_text_colour_has_4_5_to_1_on_every_ground_it_stands_on(theme: str) -> None:
    assert too_weak(theme, TEXT_PAIRS, 4.5) == []


@pytest.mark.parametrize("theme", THEMES)
def test_farmers_main_actions_and_the_scan_verdict_have_7_to_1(theme: str) -> None:
    assert too_weak(theme, MAIN_PAIRS, 7.0) == []


@pytest.mark.parametrize("theme", THEMES)
def test_field_borders_and_the_focus_ring_have_3_to_1(theme: str) -> None:
    assert too_weak(theme, EDGE_PAIRS, 3.0) == []


def test_both_themes_define_the_same_colours_and_each_is_checked() -> None:
    checked = {name for pair in (*TEXT_PAIRS, *MAIN_PAIRS, *EDGE_PAIRS) for name in pair}
    assert set(LIGHT) == set(DARK)
    assert set(LIGHT) - checked == DECORATION
    assert CHOSEN_DARK == DARK


def test_targets_are_48_px_and_56_on_the_farmers_phone() -> None:
    assert "--hit:48px" in CSS
    assert "html.phone{font-size:112.5%;--hit:56px}" in CSS
    for rule in (".btn", ".input", ".check", ".brand"):
        assert re.search(rf"\n{re.escape(rule)}\{{[^}}]*min-height:var\(--hit\)", CSS), rule


def test_public_sheet_repeats_the_first_four_sections_word_for_word() -> None:
    def sections(sheet: str) -> list[str]:
        return [part.strip() for part in re.split(r"(?m)^(?=/\* == \w+ == \*/)", sheet)[1:]]

    assert sections(PUBLIC_CSS) == sections(CSS)[:4]


def test_sheets_script_and_sprite_stay_small() -> None:
    def zipped(name: str) -> int:
        return len(gzip.compress((STATIC / name).read_bytes(), 9))

    assert zipped("hoi.css") <= HOI_CSS_GZIP_LIMIT
    assert zipped("public.css") <= PUBLIC_CSS_GZIP_LIMIT
    assert zipped("icons.svg") <= SPRITE_GZIP_LIMIT
    assert (STATIC / "hoi.js").stat().st_size <= HOI_JS_LIMIT


def test_public_sheet_loads_no_font_and_no_image() -> None:
    assert "@font-face" not in PUBLIC_CSS
    assert "url(" not in PUBLIC_CSS


def test_every_address_in_the_sheet_is_a_vendored_file() -> None:
    addresses = re.findall(r"url\(([^)]+)\)", CSS)
    assert len(addresses) == 4
    for address in addresses:
        assert (STATIC / address).is_file(), address


def test_vendored_files_are_exactly_those_of_the_manifest() -> None:
    vendor = STATIC / "vendor"
    manifest = json.loads((vendor / "manifest.json").read_text(encoding="utf-8"))
    listed: dict[str, str] = {}
    for package in manifest:
        assert package["version"] in package["folder"]
        assert package["licence"]
        assert "LICENSE" in package["files"]
        listed |= {f"{package['folder']}/{name}": digest for name, digest in package["files"].items()}
    present = {
        str(file.relative_to(vendor)): "sha384-" + base64.b64encode(hashlib.sha384(file.read_bytes()).digest()).decode()
        for file in vendor.rglob("*")
        if file.is_file() and file.name != "manifest.json"
    }
    assert present == listed


# --- icons ---------------------------------------------------------------------------------------------------------


def symbols() -> dict[str, tuple[str, str]]:
    sprite = (STATIC / "icons.svg").read_text(encoding="utf-8")
    found = re.findall(r'<symbol id="([\w-]+)" viewBox="([^"]+)">(.*?)</symbol>', sprite)
    assert len({name for name, _, _ in found}) == len(found)
    return {name: (box, drawing) for name, box, drawing in found}


# Where the macros take an icon's name, by position.
ICON_ARGUMENT = {"icon": 0, "button": 1, "link_button": 2, "post_button": 2, "tile": 1, "empty_state": 4, "plot": 4}


def constants(expression: nodes.Node | None) -> set[str]:
    """Every text an expression may answer: a constant, either branch of a condition, a value of a written-out dict."""
    match expression:
        case nodes.Const(value=str(value)):
            return {value} if value else set()
        case nodes.CondExpr():
            return constants(expression.expr1) | constants(expression.expr2)
        case nodes.Call(node=nodes.Getattr(attr="get", node=nodes.Dict() as table)):
            return {v for pair in table.items for v in constants(pair.value)} | constants(expression.args[-1])
    return set()


def icons_named_in(template: Path) -> set[str]:
    tree = Environment(autoescape=True).parse(template.read_text(encoding="utf-8"))
    names: set[str] = set()
    for call in tree.find_all(nodes.Call):
        macro = getattr(call.node, "attr", None) or getattr(call.node, "name", "")
        if macro not in ICON_ARGUMENT:
            continue
        position = ICON_ARGUMENT[macro]
        given = call.args[position] if len(call.args) > position else None
        named = [k.value for k in call.kwargs if k.key == "icon_name"]
        names |= constants(given).union(*(constants(n) for n in named))
    for pair in tree.find_all(nodes.Pair):
        if isinstance(pair.key, nodes.Const) and pair.key.value == "icon":
            names |= constants(pair.value)
    return names


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_icon_a_template_names_is_drawn(template: Path) -> None:
    assert icons_named_in(template) <= set(symbols())


def test_icon_check_would_notice_an_unknown_icon(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('{{ ui.link_button("x", "/", "no-such-icon") }}{{ ui.icon("a" if b else "c") }}', encoding="utf-8")
    assert icons_named_in(page) == {"no-such-icon", "a", "c"}


def test_inlined_drawings_are_those_of_the_sprite() -> None:
    module = environment().get_template("glyphs.html").module
    assert module.glyphs == symbols()


# --- nothing inline ------------------------------------------------------------------------------------------------

INLINE = re.compile(r"""\sstyle\s*=|<style|<script(?![^>]*\ssrc=)|\son[a-z]+\s*=\s*["']|javascript:""", re.IGNORECASE)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_template_holds_no_inline_style_script_or_handler(template: Path) -> None:
    assert INLINE.findall(template.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "bad", ['<p style="x">', "<style>", "<script>1</script>", '<a onclick="x()">', '<a href="javascript:1">']
)
def test_inline_check_would_notice(bad: str) -> None:
    assert INLINE.search(bad)


# --- the rendered parts --------------------------------------------------------------------------------------------


def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader((APP / "templates", DEMO)),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_null_translations(newstyle=True)
    made.globals.update(
        asset=lambda path: f"/static/{path}",
        csrf_token=lambda: "token",
        form_language=lambda: "vi",
        FORM_LANGUAGE="form_language",
        LANGUAGE_NAMES=NAMES,
        url_for=lambda endpoint: f"/{endpoint}",
        get_flashed_messages=lambda **_kwargs: [("met", "Đã ghi.")],
        request=SimpleNamespace(cookies={}, full_path="/_style?"),
    )
    made.filters["address_in"] = address_in
    made.filters["number"] = made.filters["form_day"] = str
    made.filters["words"] = pass_context(lambda context, said: said.text(context.get("lang", "vi")))
    return made


def rendered(template: str, **context: object) -> str:
    return environment().get_template(template).render(lang="vi", request_id="0123456789abcdef", **context)


class Page(HTMLParser):
    """Collects what must hang together: ids, what points at them, classes, and tags left open."""

    VOID = frozenset({"meta", "link", "input", "img", "br", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.pointers: list[str] = []
        self.classes: set[str] = set()
        self.open: list[str] = []
        self.sprite: set[str] = set()
        self.images_without_alt = 0
        self.feed(html)
        self.close()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.read(tag, attrs)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.read(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def read(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.ids.append(values["id"])
        for name in ("for", "aria-describedby", "aria-labelledby"):
            self.pointers += values.get(name, "").split()
        self.classes |= set(values.get("class", "").split())
        if tag == "use":
            self.sprite.add(values["href"].rpartition("#")[2])
        self.images_without_alt += tag == "img" and "alt" not in values


ERROR = SimpleNamespace(status=404, text=lambda _language: "Không có trang này.")
PAGES = {
    "demo/style.html": {},
    "phone.html": {},
    "desk.html": {},
    "public.html": {},
    "print.html": {},
    "error.html": {"error": ERROR},
}


@pytest.mark.parametrize("template", PAGES)
def test_page_is_well_formed_and_its_labels_point_somewhere(template: str) -> None:
    page = Page(rendered(template, form_errors={"sai": "Hãy xem lại ngày."}, **PAGES[template]))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert set(page.pointers) <= set(page.ids)
    assert page.images_without_alt == 0
    assert "main" in page.ids
    assert page.sprite <= set(symbols())


@pytest.mark.parametrize("template", PAGES)
def test_page_uses_only_classes_the_sheet_knows(template: str) -> None:
    known = set(re.findall(r"\.([a-z][\w-]*)", re.sub(r"/\*.*?\*/", "", CSS, flags=re.DOTALL)))
    hooks = {
        "tick",
        "small",
        "list",
        "law",
        "shell",
        "flashes",
    }  # carried for meaning, styled by their parent or not at all
    assert Page(rendered(template, **PAGES[template])).classes <= known | hooks


def test_public_page_needs_one_sheet_and_no_script_or_sprite() -> None:
    html = rendered("public.html")
    assert re.findall(r'<link rel="stylesheet" href="([^"]+)"', html) == ["/static/public.css"]
    assert "<script" not in html
    assert "icons.svg" not in html


def test_field_ties_its_hint_and_error_and_keeps_what_was_typed() -> None:
    macro = '{% import "macros.html" as ui with context %}{{ ui.field("ngay", "Ngày", "01/01/2026", hint="Ví dụ", required=true) }}'
    html = (
        environment()
        .from_string(macro)
        .render(form_errors={"ngay": "Không có ngày 31/02."}, form_values={"ngay": '31/02/2026"><b>'})
    )
    assert 'aria-describedby="ngay-hint ngay-error" aria-invalid="true"' in html
    assert 'value="31/02/2026&#34;&gt;&lt;b&gt;"' in html
    assert '<p class="error" id="ngay-error">' in html
    assert " required" in html


def test_the_box_of_a_form_tells_also_what_stands_beside_no_field_of_it() -> None:
    macro = '{% import "macros.html" as ui with context %}{{ ui.form_problem_box(said_below=("pin",), labels={"lot": "Mã lô"}) }}'
    wrong = [
        Invalid("missing", N_("Thiếu mã."), field="lot"),
        Invalid("bad", N_("Cần một số."), field="sources.0.quantity"),
        Invalid("bad", N_("Cần một số."), field="sources.1.quantity"),
        Invalid("bad", N_("Không mở được."), field="pin"),
        Invalid("bad", Words(vi="Không khớp nhau.", en="They do not fit.")),
    ]
    for problem in (InvalidMany(wrong), InvalidMany(wrong[::-1])):
        html = environment().from_string(macro).render(form_problem=problem, form_errors={"lot": "Thiếu mã."})
        assert sorted(re.findall(r"<p>\s*(.*?)\s*</p>", html)) == ["Cần một số.", "Không khớp nhau."]
        assert re.findall(r"<li>(.*?)</li>", html) == ['<a href="#lot">Mã lô</a>: Thiếu mã.']
    html = environment().from_string(macro).render(form_problem=wrong[4], form_errors={}, lang="en")
    assert re.findall(r"<p>\s*(.*?)\s*</p>", html) == ["They do not fit."]


def test_the_input_for_files_says_its_words_on_a_button_of_ours() -> None:
    macro = (
        '{% import "macros.html" as ui with context %}{{ ui.file("photo", "Ảnh", required=true) }}'
        '{{ ui.file("list", "Danh sách", ".csv", hint="Tối đa 5 MB") }}{{ ui.file_input("shot", capture="environment") }}'
    )
    html = environment().from_string(macro).render(form_errors={"photo": "Ảnh quá lớn."})
    said = re.findall(r'<label class="btn" for="(\w+)">.*?<span>(.*?)</span></label><span class="chosen">', html)
    assert said == [("photo", "Chọn ảnh"), ("list", "Chọn tệp"), ("shot", "Chụp ảnh")]
    assert 'aria-describedby="photo-error" aria-invalid="true"' in html
    assert 'aria-describedby="list-hint"' in html
    assert re.search(r'id="photo" name="photo" type="file"\s+accept="image/\*" required', html)


def test_password_field_never_repeats_what_was_typed() -> None:
    macro = '{% import "macros.html" as ui with context %}{{ ui.field("pin", "Mã PIN", type="password") }}'
    html = environment().from_string(macro).render(form_values={"pin": "246810"})
    assert "246810" not in html


@pytest.mark.parametrize(
    ("status", "tone", "word"),
    [
        ("met", "met", "Đạt"),
        ("unmet", "unmet", "Chưa đạt"),
        ("insufficient", "wait", "Thiếu dữ liệu"),
        ("not_applicable", "na", "Không áp dụng"),
        ("live", "met", "Đang bán"),
        ("rejected", "unmet", "Bị từ chối"),
    ],
)
def test_status_is_colour_sign_and_word(status: str, tone: str, word: str) -> None:
    macro = '{% import "macros.html" as ui with context %}{{ ui.chip(status) }}'
    html = environment().from_string(macro).render(status=status)
    assert f'<span class="chip {tone}"><svg class="ico"' in html
    assert f"</svg> {word}</span>" in html


@pytest.mark.parametrize(
    ("have", "need", "full", "empty", "tone"),
    [(2, 3, 2, 1, "unmet"), (3, 3, 3, 0, "met"), (5, 3, 3, 0, "met"), (0, 3, 0, 3, "unmet")],
)
def test_meter_draws_each_countable_thing(have: int, need: int, full: int, empty: int, tone: str) -> None:
    macro = '{% import "macros.html" as ui with context %}{{ ui.meter(have, need, "sản phẩm") }}'
    html = environment().from_string(macro).render(have=have, need=need)
    assert html.count('class="have"') == full
    assert html.count('class="lack"') == empty
    assert f'class="need {tone}"' in html
    assert f"<b>{have}/{need}</b> sản phẩm" in html


def test_meter_without_data_draws_nothing_and_says_so() -> None:
    macro = '{% import "macros.html" as ui with context %}{{ ui.meter(none, 3) }}'
    html = environment().from_string(macro).render()
    assert "<svg" not in html
    assert "?/3" in html


def test_flower_has_a_petal_for_each_criterion_and_says_the_count() -> None:
    macro = '{% import "patterns.html" as pat with context %}{{ pat.flower(statuses) }}'
    html = environment().from_string(macro).render(statuses=["met", "insufficient", "unmet", "not_applicable"])
    assert re.findall(r'<g class="(\w+)"', html) == ["met", "wait", "unmet", "na"]
    assert html.count('class="seed"') == 1
    assert 'aria-label="Đạt 1 trên 4 tiêu chí"' in html
