"""Whatever a document leads to is there, and every document is led to."""

import pytest
from documents import ROOT, anchors, links, named, pages, paths

PAGES = pages()


@pytest.mark.parametrize("page", PAGES, ids=map(named, PAGES))
def test_links_lead_somewhere(page):
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists() and target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=map(named, PAGES))
def test_files_that_are_named_are_there(page):
    assert [path for path in paths(page) if not (ROOT / path).exists()] == []


def test_every_page_is_reached_from_the_map():
    found, ahead = set(), [ROOT / "docs/README.md"]
    while ahead:
        page = ahead.pop()
        if page not in found and page.suffix == ".md" and page.is_relative_to(ROOT / "docs"):
            found.add(page)
            ahead += [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
    assert set(PAGES) - found == {ROOT / "README.md"}
