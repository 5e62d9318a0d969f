"""The companion in a real browser: filters, focus, links, graph, narrow and wide."""

import shutil

import pytest

pytestmark = [
    pytest.mark.browser,
    # selenium leaves its sockets to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
DRIVER = shutil.which("chromedriver")
if CHROMIUM is None:
    pytest.skip("no chromium on this machine", allow_module_level=True)

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--disable-dev-shm-usage --window-size=1600,1000"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER or None))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def address(samples, tmp_path_factory):
    """The page of all the papers' claims, as a file."""
    from eostheory.report import write_html

    return write_html(samples.full_report(), tmp_path_factory.mktemp("page")).as_uri()


class Page:
    """What a reader does and sees."""

    def __init__(self, driver, address):
        self.driver, self.address = driver, address

    def open(self, hash="", width=1600, height=1000):
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        self.driver.get("about:blank")
        self.driver.get(self.address + hash)
        return self

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def one(self, selector):
        return self.driver.find_element("css selector", selector)

    def rows(self):
        return self.run(
            "return [...document.querySelectorAll('tr[data-id]')]"
            ".filter(r => r.offsetParent !== null).map(r => r.dataset.id)"
        )

    def focused(self):
        found = self.all("#detail article h2")
        return found[0].text if found else None

    def hash(self):
        return self.run("return location.hash")

    def choose(self, field, value):
        from selenium.webdriver.support.select import Select

        Select(self.one(f"#{field}")).select_by_visible_text(value)

    def press(self, *keys):
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()


@pytest.fixture
def page(browser, address):
    shown = Page(browser, address)
    yield shown
    errors = [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert not errors, errors


def test_the_page_opens_on_encoded_claims_and_offers_the_others(page, samples):
    listed = len(samples.full_report()["claims"])
    page.open()
    encoded = page.rows()
    assert 50 < len(encoded) < 500
    assert page.one("#count").text == f"{len(encoded)} of {listed} claims"
    page.one("#all").click()
    assert len(page.rows()) == listed


def test_filters_combine_and_can_be_cleared(page):
    page.open()
    page.choose("paper", "damian23")
    of_paper = page.rows()
    assert of_paper
    assert all(name.startswith("damian23/") for name in of_paper)
    page.one(".chip[data-verdict=proved]").click()
    proved = page.rows()
    assert 0 < len(proved) < len(of_paper)
    page.one("#q").send_keys("gradient")
    assert 0 < len(page.rows()) < len(proved)
    assert "paper=damian23" in page.hash()
    assert "q=gradient" in page.hash()
    page.one("#clear").click()
    assert len(page.rows()) > len(of_paper)


def test_kind_and_check_filters_narrow_the_table(page):
    page.open("#all=1")
    page.choose("kind", "theorem")
    theorems = page.rows()
    page.choose("check", "existence")
    assert 0 < len(page.rows()) < len(theorems) < 1000


def test_a_filter_that_matches_nothing_says_so(page):
    page.open("#q=zzzz")
    assert page.rows() == []
    assert page.one("#nothing").text == "No claim matches these filters."


def test_filters_can_be_linked(page):
    page.open("#paper=lyu22&verdict=refuted")
    assert page.rows() == ["lyu22/lemma-E.1"]
    assert page.one(".chip[data-verdict=refuted]").get_attribute("aria-pressed") == "true"


def test_a_click_focuses_a_claim_and_back_returns(page):
    page.open()
    page.one("tr[data-id='lyu22/lemma-E.1'] a").click()
    assert page.hash() == "#claim=lyu22/lemma-E.1"
    assert page.focused() == "lemma-E.1"
    page.one("#detail .lineage a").click()
    assert page.focused() != "lemma-E.1"
    page.driver.back()
    assert page.focused() == "lemma-E.1"
    page.driver.back()
    assert page.focused() is None
    page.driver.forward()
    assert page.focused() == "lemma-E.1"


def test_a_linked_claim_shows_its_record_in_full(page):
    page.open("#claim=lyu22/lemma-E.1")
    text = page.one("#detail").text
    for part in ("refuted", "As printed", "As encoded", "Witness", "5/9", "Corrected", "Rests on"):
        assert part in text
    assert page.all("#detail math mfrac")
    assert "lyu22/eq-1" in [a.text for a in page.all("#detail .lineage a")]


def test_a_claim_that_nobody_encoded_can_be_linked_too(page):
    page.open("#claim=lyu22/thm-B.9")
    assert "Nobody has encoded this claim yet." in page.one("#detail").text


def test_a_link_to_an_unknown_claim_says_so(page):
    page.open("#claim=lyu22/%3Cimg%20src=x%3E")
    assert "This report has no claim lyu22/<img src=x>." in page.one("#detail").text
    assert not page.all("img")


def test_ancestors_are_marked_in_the_table_and_lit_in_the_graph(page):
    page.open("#claim=lyu22/lemma-E.1&all=1")
    kin = {row.get_attribute("data-id") for row in page.all("tr.kin")}
    assert "lyu22/eq-1" in kin
    page.open("#claim=lyu22/lemma-E.1&view=graph&scope=shown")
    lit = {node.get_attribute("data-id") for node in page.all(".node.on")}
    assert {"lyu22/lemma-E.1", "lyu22/eq-1"} <= lit
    assert len(lit) < len(page.all(".node"))


def test_the_graph_around_a_claim_has_all_its_ancestors_left_of_it(page):
    page.open("#claim=lyu22/thm-B.7&view=graph")
    at = page.run(
        "return Object.fromEntries([...document.querySelectorAll('.node')]"
        ".map(n => [n.dataset.id, n.transform.baseVal[0].matrix.e]))"
    )
    edges = page.run(
        "return [...document.querySelectorAll('.edge')].map(e => [e.dataset.from, e.dataset.to])"
    )
    assert edges
    assert all(at[a] < at[b] for a, b in edges)
    assert "lyu22/eq-1" in at


def test_a_node_leads_to_its_claim(page):
    page.open("#claim=lyu22/lemma-E.1&view=graph")
    page.one(".node[data-id='lyu22/eq-1']").click()
    assert page.focused() == "eq-1"
    assert "view=graph" in page.hash()


def test_too_many_claims_are_not_drawn_as_a_hairball(page):
    page.open("#view=graph&all=1")
    assert not page.all(".node")
    assert "too many to read" in page.one("#nograph").text
    page.one("#nograph button").click()
    assert len(page.all(".node")) == 489


def test_the_keyboard_suffices(page):
    from selenium.webdriver.common.keys import Keys

    page.open()
    page.press("/")
    page.press("lemma-E.1", Keys.ESCAPE)
    assert "lyu22/lemma-E.1" in page.rows()
    page.run("document.querySelector('tr[data-id=\"lyu22/lemma-E.1\"] a').focus()")
    page.press(Keys.ENTER)
    assert page.focused() == "lemma-E.1"
    page.press(Keys.ESCAPE)
    assert page.focused() is None
    assert page.run("return document.activeElement.textContent") == "lemma-E.1"


def test_plots_are_drawn_in_line(page):
    page.open("#claim=lyu22/fig-5")
    assert len(page.all("#detail figure svg[role=img]")) == 4
    assert page.run("return document.querySelector('#detail figure svg').clientWidth") > 150


@pytest.mark.parametrize(
    "hash", ["", "#claim=lyu22/lemma-E.1", "#claim=li22/lemma-C.3.p8", "#view=graph"]
)
@pytest.mark.parametrize("width", [400, 800, 1600])
def test_nothing_overflows_sideways(page, hash, width):
    page.open(hash, width=width, height=800)
    assert page.run("return document.documentElement.scrollWidth") <= width


def test_on_a_narrow_screen_a_claim_takes_the_page_and_gives_it_back(page):
    page.open("#claim=lyu22/lemma-E.1", width=400, height=800)
    assert not page.one("#table").is_displayed()
    page.one("#detail .close").click()
    assert page.one("#table").is_displayed()


def test_colours_follow_the_system_and_the_reader(page):
    ground = "return getComputedStyle(document.body).backgroundColor"
    page.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    page.open()
    dark = page.run(ground)
    page.one("#theme").click()
    light = page.run(ground)
    assert dark != light
    assert page.one("#theme").text == "Light"
    page.one("#theme").click()
    assert page.run(ground) == dark
    page.one("#theme").click()
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_the_page_asks_for_nothing_but_itself(page):
    page.open("#claim=lyu22/fig-5")
    names = page.run("return performance.getEntriesByType('resource').map(r => r.name)")
    assert names == []


def test_filtering_a_thousand_claims_takes_a_moment_only(page):
    page.open("#all=1")
    spent = page.run(
        "const t = performance.now(); const q = document.getElementById('q');"
        "q.value = 'lemma'; q.dispatchEvent(new Event('input')); document.body.offsetHeight;"
        "return performance.now() - t"
    )
    assert spent < 3000
