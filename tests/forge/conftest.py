"""What the tests of pages, workflows and hooks stand on: the binary, a real browser with axe-core in it, and the forges' linters.

The linters come from registries and are pinned; the browser is the machine's own, and where there is none its tests skip aloud.
Pages are files, and no test may need a network.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import built  # noqa: E402
from local_aws import install  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# What a page may be looked at by: a telephone and a desk, by day and by night.
WIDTHS, SCHEMES = (360, 1280), ("light", "dark")


class Tools(NamedTuple):
    bin: Path      # of Python
    node: Path
    modules: Path  # of npm


@pytest.fixture(scope="session")
def tools() -> Tools:
    facts = install.ensure("forge", install.usual_cache())
    return Tools(Path(facts["python"]).parent, Path(facts["node"]), Path(facts["path"]))


@pytest.fixture(scope="session")
def binary() -> Path:
    return built.binary(ROOT)


@pytest.fixture
def ours(binary, tmp_path) -> Callable[..., subprocess.CompletedProcess]:
    """Runs `fruitsinfra` in a folder of its own."""
    def run(*arguments: str, ends: int = 0) -> subprocess.CompletedProcess:
        ran = subprocess.run([binary, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert ran.returncode == ends, ran.stderr
        return ran
    return run


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"there is no browser here: none of {', '.join(BROWSERS)}")
    with sync_playwright() as playwright:
        # A browser that root started has no sandbox to go into.
        browser = playwright.chromium.launch(executable_path=found, chromium_sandbox=os.getuid() != 0)
        yield browser
        browser.close()


@pytest.fixture
def look(browser, tools, tmp_path) -> Callable[[Path], Iterator[Page]]:
    """Opens a page at every width and in every scheme, and holds what must be so of every page of ours."""
    axe = (tools.modules / "axe-core" / "axe.min.js").read_text()
    pictures = Path(os.environ.get("FRUITSINFRA_PICTURES") or tmp_path)

    def at_every_size(path: Path) -> Iterator[Page]:
        for scheme in SCHEMES:
            for width in WIDTHS:
                context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True)
                page, asked, said = context.new_page(), [], []
                page.on("request", lambda request: asked.append(request.url))
                page.on("console", lambda message: said.append(message.text))
                page.goto(path.as_uri())
                assert asked == [path.as_uri()], "a page asks for nothing but itself"
                page.screenshot(path=pictures / f"{path.stem}-{scheme}-{width}.png", full_page=True)
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, f"at {width} one must scroll to the side: {wide}"
                broken = faults(page, axe)
                assert broken == [], f"{path.stem}, {scheme}, {width}"
                yield page
                assert said == []
                context.close()
    return at_every_size


def faults(page: Page, axe: str) -> list[str]:
    """What axe-core finds, rule by rule, with all that is folded open."""
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    page.evaluate(axe)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    assert found["passes"], "axe-core looked at nothing"
    return [f"{rule['id']}: {node['html']}" for rule in found["violations"] for node in rule["nodes"]]
