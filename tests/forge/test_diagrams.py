"""The diagrams of every stack: Mermaid read and drawn by Mermaid itself, and ours looked at in a browser, by day and by
night. Mermaid's parser needs a document around it, so it is the browser that runs it."""

import os
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from conftest import ROOT, SCHEMES
from playwright.sync_api import Error

STACKS = ("demo", "jupyter", "minimal", "spot-graviton")
# What a text could do to a diagram, where it is not kept a text.
HOSTILE = 'a "b" <c> & #d; ]:::x %% `e` {f} | g'
TEXT = f"""stack: fruits-odd
region: eu-west-3
owner: data@fruits.example
buckets: {{data: {{}}, old: {{existing: bucket-of-somebody-else}}}}
uploads: [{{from: '{HOSTILE}', to: data/images/}}]
"""
# Every text of a picture within the box that it belongs to, and every box and text within the picture.
OUTSIDE = """() => {
  const svg = document.querySelector('svg'), found = [], all = svg.getBoundingClientRect();
  const out = (a, b) => a.left < b.left - 0.5 || a.right > b.right + 0.5 || a.top < b.top - 0.5 || a.bottom > b.bottom + 0.5;
  for (const text of svg.querySelectorAll('text')) {
    const box = text.closest('g') ? text.closest('g').querySelector('rect').getBoundingClientRect() : all;
    if (out(text.getBoundingClientRect(), box)) found.push(text.textContent);
  }
  for (const box of svg.querySelectorAll('rect, path.link')) if (out(box.getBoundingClientRect(), all)) found.push(box.outerHTML);
  return found;
}"""
# How far the colour of a text is from that of its ground, as WCAG counts it.
CONTRAST = """() => {
  const light = colour => {
    const [r, g, b] = colour.match(/\\d+/g).slice(0, 3).map(n => n / 255).map(n => n <= 0.03928 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const worst = [...document.querySelectorAll('text')].map(text => {
    const ground = text.closest('g') ? text.closest('g').querySelector('rect') : document.querySelector('.ground');
    const pair = [light(getComputedStyle(text).fill), light(getComputedStyle(ground).fill)].sort((a, b) => b - a);
    return (pair[0] + 0.05) / (pair[1] + 0.05);
  });
  return Math.min(...worst);
}"""


@pytest.fixture
def drawn(ours, tmp_path):
    def draw(stack: str) -> tuple[Path, Path]:
        path = ROOT / "stacks" / f"{stack}.yaml" if stack in STACKS else Path(stack)
        ours("render", str(path), "diagram", "--out", f"of-{path.stem}")
        return tmp_path / f"of-{path.stem}" / "diagram.mmd", tmp_path / f"of-{path.stem}" / "diagram.svg"
    return draw


@pytest.fixture
def odd(tmp_path) -> str:
    path = tmp_path / "odd.yaml"
    path.write_text(TEXT)
    return str(path)


@pytest.fixture
def mermaid(browser, tools):
    """Mermaid in a page that may ask for nothing."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.set_content("<!doctype html><title>Mermaid</title><main></main>")
    page.add_script_tag(path=tools.modules / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js")
    page.evaluate("mermaid.initialize({startOnLoad: false})")
    yield page
    context.close()


def texts_of(page, text: str) -> str:
    """What one reads in Mermaid's picture of a text."""
    assert page.evaluate("async text => (await mermaid.parse(text)).diagramType", text) == "flowchart-v2"
    page.evaluate("async text => { document.querySelector('main').innerHTML = (await mermaid.render('drawn', text)).svg }", text)
    return page.inner_text("main")


@pytest.mark.parametrize("stack", STACKS)
def test_mermaid_draws_every_stack(drawn, mermaid, stack):
    text = drawn(stack)[0].read_text()
    seen = texts_of(mermaid, text)
    for word in ("European Union: eu-", "bucket/data", "bucket/home", "cluster/main", "role/nodes", "job features", "1. python"):
        assert word in seen
    assert drawn(stack)[0].read_text() == text, "the same each time"


def test_a_text_stays_a_text(drawn, mermaid, odd):
    mmd, svg = drawn(odd)
    seen = texts_of(mermaid, mmd.read_text())
    assert HOSTILE in seen and "bucket-of-somebody-else" in seen
    with pytest.raises(Error, match="Parse error|Syntax error"):
        texts_of(mermaid, mmd.read_text().replace("[\"", "[[\"", 1))
    texts = [element.text for element in ElementTree.fromstring(svg.read_text()).iter("{http://www.w3.org/2000/svg}text")]
    assert HOSTILE.replace(" ", "") in "".join(texts).replace(" ", "")


@pytest.mark.parametrize("stack", [*STACKS, "odd"])
def test_ours_is_read_by_day_and_by_night(drawn, browser, tmp_path, odd, stack):
    svg = drawn(odd if stack == "odd" else stack)[1]
    root = ElementTree.fromstring(svg.read_text())
    assert root.get("role") == "img" and root.get("aria-labelledby") == "title says"
    width, height = (int(root.get(side)) for side in ("width", "height"))
    pictures, contrasts = Path(os.environ.get("FRUITSINFRA_PICTURES") or tmp_path), {}
    for scheme in SCHEMES:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
        page = context.new_page()
        page.goto(svg.as_uri())
        page.screenshot(path=pictures / f"diagram-{stack}-{scheme}.png")
        assert page.evaluate(OUTSIDE) == []
        contrasts[scheme] = page.evaluate(CONTRAST)
        context.close()
    assert min(contrasts.values()) >= 4.5, contrasts
    assert not re.search(r"https?://(?!www\.w3\.org/)", svg.read_text()), "it asks for nothing"
