"""The report on a loss as JUnit XML, and as a page in a real browser."""

import shutil
from xml.etree import ElementTree

import pytest

from eostheory.report.loss_junit import loss_junit, loss_outcome
from eostheory.report.loss_page import write_loss_page

CASE = {
    "inputs": {"w": {"code": "torch.tensor([0, 1])", "data": {}}},
    "details": {"coordinate": 1},
    "python": "print('<&>')",
}


def finding(check, status, group="derivatives", **more):
    return {
        "check": check,
        "group": group,
        "summary": f"{check} is as it should be.",
        "status": status,
        "message": f"{check} <b>says</b> {status}",
        "counterexample": None,
        "measured": None,
        "expected": None,
        "tolerance": None,
        "examples": 3,
        "seconds": 0.5,
        "claims": [],
        "expected_failure": None,
        "unexpected": status == "fail",
        "series": {},
        "error": None,
        **more,
    }


def report(*findings, **applicability):
    return {
        "name": "my <loss>",
        "kind": "function",
        "size": 2,
        "target": "my_loss.py:loss",
        "profile": "quick",
        "seed": 0,
        "findings": list(findings),
        "also_run": [],
        "applicability": applicability,
        "summary": {
            "exit_code": 1,
            "ok": False,
            "seconds": 2.0,
            "interrupted": False,
            "counts": {"pass": 1, "fail": 1, "not-applicable": 0, "unknown": 0},
            "errors": [],
        },
    }


FOUND = (
    finding("evaluates", "pass", "evaluation"),
    finding("gradient", "fail", counterexample=CASE, measured=2.5, expected=2.0, tolerance=1e-12),
    finding("hessian", "not-applicable"),
    finding("smooth", "unknown", "smoothness"),
    finding("third", "fail", expected_failure="known", unexpected=False),
    finding("fourth", "pass", expected_failure="gone?", unexpected=True),
    finding("fifth", "unknown", error="Traceback: ours"),
    finding("run", "pass", "prediction", series={"step": [0, 1, 2], "sharpness": [1.0, 2.0, 2.5]}),
)


@pytest.mark.parametrize("strict", [False, True])
def test_junit_tells_failures_from_what_was_expected_and_what_was_not_decided(strict):
    root = ElementTree.fromstring(loss_junit(report(*FOUND), strict=strict))
    cases = {case.get("name"): case for case in root.iter("testcase")}
    kinds = {name: [c.tag for c in case if c.tag != "properties"] for name, case in cases.items()}
    assert kinds == {
        "evaluates": [],
        "gradient": ["failure"],
        "hessian": ["skipped"],
        "smooth": ["failure" if strict else "skipped"],
        "third": ["skipped"],
        "fourth": ["failure"],
        "fifth": ["error"],
        "run": [],
    }
    assert root.get("tests") == "8"
    assert root.get("failures") == ("3" if strict else "2")
    assert (root.get("errors"), root.get("skipped")) == ("1", "2" if strict else "3")
    assert [s.get("name") for s in root.iter("testsuite")][:2] == [
        "my <loss>: evaluation",
        "my <loss>: derivatives",
    ]
    text = cases["gradient"].find("failure").text
    assert "w = torch.tensor([0, 1])" in text
    assert "coordinate = 1" in text
    assert "print('<&>')" in text


def test_the_reason_of_an_expected_failure_is_told():
    assert loss_outcome(FOUND[4])[1].startswith("fails as expected (known)")
    assert loss_outcome(FOUND[5])[1].startswith("expected to fail (gone?), but")


CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    flags = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run"
    flags += " --disable-background-networking --disable-sync --disable-dev-shm-usage"
    for flag in [*flags.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_page_shows_everything_at_any_width_and_asks_for_nothing(browser, tmp_path):
    from eostheory.check.html import render

    applies = {"verdict": "applies", "hypothesis": "", "message": "C^2 held", "point": None}
    fails = {
        "verdict": "fails",
        "hypothesis": "scale-invariant",
        "message": "L(2 w) differs from L(w) by 1",
        "point": {"code": "torch.tensor([1.0, 2.0])"},
    }
    theorems = {"damian23/lemma-2": applies, "lyu22/thm-B.7": fails, "lyu22/thm-4.2": fails}
    document = report(*FOUND, **theorems)
    address = write_loss_page(document, render(document), tmp_path).as_uri()
    for width in (1300, 420):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
        )
        browser.get(address)
        script = "return document.documentElement.scrollWidth"
        assert browser.execute_script(script) <= width
        text = browser.find_element("css selector", "main").text
        for words in ("my <loss>", "gradient <b>says</b> fail", "print('<&>')", "do not apply"):
            assert words in text
    groups = [e.text for e in browser.find_elements("css selector", "tr.group")]
    assert groups == ["evaluation", "derivatives", "smoothness", "prediction"]
    summary = next(
        s for s in browser.find_elements("css selector", "summary") if "thm-4.2" in s.text
    )
    summary.click()
    assert "torch.tensor([1.0, 2.0])" in browser.find_element("css selector", "main").text
    assert browser.find_elements("css selector", "figure svg")
    names = "return performance.getEntriesByType('resource').map(r => r.name)"
    assert browser.execute_script(names) == []
    assert not [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]
