"""The companion page as a document: complete, closed, escaped."""

import re
from html.parser import HTMLParser

import pytest

from eostheory.report import write_html
from eostheory.report.html import render_html

VOID = {"meta", "input", "br", "link", "img", "hr"}


class Checker(HTMLParser):
    """Collects elements and checks that they are closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.ids = [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids.extend(value for name, value in attrs if name == "id")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def parse(page):
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert not checker.open
    return checker


def test_every_claim_has_a_row_and_a_record(sample):
    found = parse(render_html(sample))
    rows = {attrs.get("data-id") for tag, attrs in found.elements if tag == "tr"}
    for claim in sample["claims"]:
        assert claim["id"] in rows
        assert f"claim:{claim['id']}" in found.ids
    assert len(found.ids) == len(set(found.ids))


def test_the_page_needs_nothing_from_outside(sample):
    for tag, attrs in parse(render_html(sample)).elements:
        for name in ("src", "href", "xlink:href", "action"):
            value = attrs.get(name)
            assert value is None or value.startswith("#"), (tag, name, value)
    assert "http" not in re.sub(r"http://www\.w3\.org/\S+?\"", "", render_html(sample)).replace(
        "http-equiv", ""
    )


HOSTILE = "</script></template><script>alert(1)</script><img src=x onerror=alert(1)>\"'{{7*7}}"


def test_text_of_claims_cannot_become_markup_or_script(sample):
    clean = parse(render_html(sample))
    for claim in sample["claims"]:
        for key, value in claim.items():
            if isinstance(value, str) and key not in ("id", "paper", "verdict", "expected"):
                claim[key] = value + HOSTILE
        claim["evidence"] = [
            {"kind": "step", "witness": "derivation", "text": HOSTILE, "latex": HOSTILE},
            {"kind": "table", "text": HOSTILE, "columns": [HOSTILE], "rows": [[HOSTILE]]},
            {"kind": "note", "text": HOSTILE, HOSTILE: HOSTILE},
            {
                "kind": "plot",
                "title": HOSTILE,
                "xlabel": HOSTILE,
                "series": [{"label": HOSTILE, "x": [1, 2], "y": [1, 2], "style": HOSTILE}],
            },
        ]
        claim["witness"] = {"how": HOSTILE, "values": {HOSTILE: HOSTILE}}
    found = parse(render_html(sample))
    assert "img" not in {tag for tag, _ in found.elements}
    assert not any(name.startswith("on") for _, attrs in found.elements for name in attrs)
    scripts = [tag for tag, _ in found.elements if tag == "script"]
    assert len(scripts) == [tag for tag, _ in clean.elements].count("script") == 2
    assert "49" not in "".join(re.findall(r"'(\d+)", render_html(sample)))


def test_verdicts_are_told_by_glyph_and_word_not_by_colour_alone(sample):
    page = render_html(sample)
    for claim in sample["claims"]:
        verdict = claim["verdict"]
        assert f'<use href="#g-{verdict}"/></svg>{verdict}' in page
        assert f'<symbol id="g-{verdict}"' in page


def test_a_verdict_of_a_later_version_is_shown_by_name(sample):
    sample["claims"][0]["verdict"] = "bright"
    page = render_html(sample)
    assert "#g-other" in page
    assert "bright" in page


def test_a_plot_that_is_broken_hides_nothing_else(sample):
    sample["claims"][1]["evidence"] = [
        {"kind": "plot", "series": [{"x": ["one"], "y": [1]}]},
        {"kind": "note", "text": "still here"},
    ]
    page = render_html(sample)
    assert "This plot is broken" in page
    assert "still here" in page


def test_records_with_missing_members_are_shown(samples):
    page = render_html({"claims": [{"id": "a/b"}, {"id": "a/c", "mutants": None, "needs": None}]})
    parse(page)
    with pytest.raises(ValueError, match="without an id"):
        render_html({"claims": [{"paper": "a"}]})


def test_a_run_without_claims_has_a_page_that_says_so(samples, tmp_path):
    path = write_html(samples.report([], exit_code=5), tmp_path / "new")
    assert path.name == "index.html"
    assert "Nothing was selected" in path.read_text("utf-8")


def test_a_page_of_all_the_papers_claims_stays_a_file_one_can_send(samples):
    report = samples.full_report()
    page = render_html(report)
    assert page.count("<template id=") == len(report["claims"]) > 1000
    assert len(page.encode()) < 12_000_000
