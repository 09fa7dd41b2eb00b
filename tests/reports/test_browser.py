"""Report pages in a real browser without a network: sorting, cells, keyboard, colours.

They need playwright and a Chromium (Debian: apt-get install chromium), by its name or
`TSN_KERAS_CHROMIUM`.
"""

import dataclasses
import os
import shutil

import pages
import pytest

import tsn_keras as tsn
from tsn_keras.reports import drawing, gathering
from tsn_keras.reports.page import html

pytest.importorskip("vl_convert", reason="needs the extra `report`")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = os.environ.get("TSN_KERAS_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium is installed (or TSN_KERAS_CHROMIUM names it)"
)
CLASSES = ["walk", "<b>run</b>", "jump", "sit", "turn", "10", "9", "wave"]
SETS = [(k % 5, 5 + k % 3) for k in range(30)]


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as started:
        # Containers that run as root have no sandbox.
        made = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=120_000
        )
        yield made
        made.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pages of one label a video, and of several."""
    root = tmp_path_factory.mktemp("pages")
    for name, sets in (("one", None), ("several", SETS)):
        scores = [pages.draw(40 if sets is None else 30, 8, k, sets) for k in (1, 2)]
        files = [
            pages.write(root / f"{m}.h5", one, classes=CLASSES, sets=sets)
            for m, one in zip(("rgb", "flow"), scores, strict=True)
        ]
        text = "iteration,loss,learning_rate,videos_per_s\n1,5,1,1\n2,4,1,1\n"
        (root / "log.csv").write_text(text)
        found = tsn.fuse(files, weights=[1, 1.5])
        tsn.report(found, root / name)
        if sets is None:
            made = gathering.of_fusion(found)
            tests = [
                dataclasses.replace(made.tests[0], title=f"split {k}") for k in "12"
            ]
            (root / "splits").mkdir()
            (root / "splits/index.html").write_bytes(
                html(dataclasses.replace(made, tests=tuple(tests)))
            )
    return root


@pytest.fixture
def opened(browser, folder):
    """Opens a page; whatever its console says is an error in the end."""
    told, contexts = [], []

    def opened(name, **options):
        options = {"viewport": {"width": 1200, "height": 900}, **options}
        contexts.append(browser.new_context(offline=True, **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: told.append(request.url))
        address = (folder / name / "index.html").as_uri()
        page.goto(address)
        page.wait_for_selector("[data-drawn=true]", state="attached")
        told.remove(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [one for one in told if not one.startswith("data:image/jpeg")] == []


def column(page, place):
    rows = page.locator(".test table.sortable tbody tr")
    return [one.split("\t")[place] for one in rows.all_inner_texts()]


def test_headings_sort(opened):
    page = opened("one")
    assert column(page, 0) == CLASSES
    heading = page.get_by_role("button", name="fusion", exact=True)
    heading.focus()
    page.keyboard.press("Enter")
    found = [float(text) for text in column(page, 2)]
    assert found == sorted(found, reverse=True)
    assert heading.locator("..").get_attribute("aria-sort") == "descending"
    heading.click()
    assert [float(text) for text in column(page, 2)] == sorted(found)
    page.get_by_role("button", name="class", exact=True).click()
    # Numbers by their size.
    assert column(page, 0) == [
        *("<b>run</b>", "9", "10", "jump", "sit", "turn", "walk", "wave"),
    ]


def expected_cell(page, label, best):
    videos = page.evaluate("JSON.parse(document.getElementById('data').textContent)")[
        0
    ]["videos"]
    rows = zip(videos["id"], videos["labels"], videos["best"], strict=True)
    return [name for name, (own,), found in rows if (own, found) == (label, best)]


def listed(page):
    rows = page.locator("#videos tbody tr")
    return [text.split("\t")[0] for text in rows.all_inner_texts()]


def test_cells_by_keyboard(opened):
    page = opened("one")
    page.locator(".matrix").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowDown", "ArrowRight", "+"):
        page.keyboard.press(key)
    # Zoomed, and the whole cell is seen.
    low, high = page.evaluate("document.querySelector('.matrix').report.y")
    assert high - low == 6
    assert low <= 2 < 3 <= high
    # The first arrow enters at class 0; two further ones down, and two to the right.
    assert page.locator(".cell").inner_text().startswith("jump right: ")
    page.keyboard.press("Enter")
    assert page.locator("#videos").is_visible()
    assert listed(page) == expected_cell(page, 2, 2)
    assert len(listed(page)) >= 1
    page.keyboard.press("Escape")
    assert not page.locator("#videos").is_visible()
    assert page.evaluate("document.activeElement.matches('.matrix')")


def test_cells_by_pointer_and_zoom(opened):
    page = opened("one")
    page.locator(".matrix").scroll_into_view_if_needed()

    def centre(label, best, first=0.0, span=8):
        # Where Vega says that the cells are.
        box = page.locator(".matrix canvas").bounding_box()
        told = page.evaluate(
            "(() => {const m = document.querySelector('.matrix').report;"
            "return [...m.view.origin(), m.view.width(), m.view.height(), ...m.x]})()"
        )
        x, y, width, height, low, high = told
        assert (low, high) == pytest.approx((first, first + span))
        across = (best + 0.5 - low) / span * width
        down = (label + 0.5 - low) / span * height
        return box["x"] + x + across, box["y"] + y + down

    page.mouse.click(*centre(3, 3))
    assert listed(page) == expected_cell(page, 3, 3)
    page.get_by_role("button", name="Close").click()
    page.mouse.move(*centre(0, 0))
    for _ in range(9):
        page.mouse.wheel(0, -100)
    page.wait_for_function("document.querySelector('.matrix').report.x[1] < 7")
    # Zoomed as far as it goes: 6 classes; class 0 stays under the pointer.
    first = page.evaluate("document.querySelector('.matrix').report.x[0]")
    page.mouse.click(*centre(2, 2, first, 6))
    assert listed(page) == expected_cell(page, 2, 2)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Show all").click()
    centre(0, 0)


def test_lists_are_searched_sorted_and_of_streams(opened):
    page = opened("one")
    page.get_by_role("button", name="All videos").click()
    assert len(listed(page)) == 40
    page.get_by_label("Name or class").fill("video_3")
    assert listed(page) == ["video_3", *(f"video_{k}" for k in range(30, 40))]
    page.locator("#videos thead button").first.click()
    assert listed(page)[:2] == ["video_3", "video_30"]
    page.locator("#videos thead button").first.click()
    assert listed(page)[0] == "video_39"
    page.keyboard.press("Escape")
    button = page.locator("[data-list=effect][data-effect='1']").first
    count = int(button.inner_text())
    button.click()
    assert len(listed(page)) == count > 0
    page.keyboard.press("Escape")
    button = page.locator("[data-list=pattern]").first
    count = int(button.inner_text())
    button.click()
    assert len(listed(page)) == count


def test_of_several_labels(opened):
    page = opened("several")
    assert page.locator(".matrix").count() == 0
    assert "Average precision" in page.locator("main").inner_text()
    assert page.locator("[data-charts=calibration] svg").count() == 3
    page.get_by_role("button", name="walk", exact=True).first.click()
    assert len(listed(page)) == sum(0 in labels for labels in SETS)


def test_dark_and_light(opened):
    grounds = {}
    for scheme in ("light", "dark"):
        page = opened("one", color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        chart = page.locator("[data-charts] svg").first
        grounds[scheme] = colour, chart.get_attribute("style")
        assert page.locator("[data-charts=curves] svg").count() == 1
    assert grounds["light"][0] == "rgb(255, 255, 255)"
    assert grounds["dark"][0] == "rgb(20, 23, 27)"
    # Who changes the preference sees it at once.
    page.emulate_media(color_scheme="light")
    page.wait_for_function(
        "getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)'"
    )
    page.wait_for_selector("[data-drawn=true]", state="attached")


def test_splits_are_shown_one_at_a_time(opened):
    page = opened("splits")
    page.get_by_role("button", name="split 2", exact=True).click()
    page.wait_for_selector("[data-test='1'][data-drawn=true]")
    assert not page.locator("[data-test='0']").is_visible()
    assert page.locator("[data-test='1'] .matrix canvas").is_visible()
    page.locator("[data-test='1'] .matrix").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert listed(page) == expected_cell(page, 0, 0)


def test_what_can_be_reached_has_a_name(opened):
    page = opened("one")
    nameless = page.evaluate(
        "Array.from(document.querySelectorAll('button, a, input, [tabindex]'))"
        ".filter((e) => !(e.textContent.trim() || e.getAttribute('aria-label')"
        " || e.getAttribute('aria-labelledby') || e.labels?.length))"
        ".map((e) => e.outerHTML)"
    )
    assert nameless == []
    found = page.evaluate("document.querySelectorAll('img:not([alt])').length")
    assert found == 0
    assert page.evaluate("window.hacked") is None


def test_vega_is_whole():
    assert "window.vegaEmbed=" in drawing.script()
