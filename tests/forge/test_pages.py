"""The pages that people are given, in a real browser: read by day and by night, on a telephone, by keyboard and by ear."""

from conftest import ROOT

MOVED = {
    "region: eu-west-3": "region: eu-central-1",
    "core: {type: m5.xlarge, count: 2}": "core: {type: m5.2xlarge, count: 6}",
    "tensorflow-cpu: 2.19.1": "tensorflow-cpu: 2.18.0",
}
WIDER = {
    "write: [data/features/,": "write: [data,",
    "buckets:\n  data: {expire: {features/: 30d}}": "buckets:\n  data: {versioning: true, expire: {features/: 10d}}",
    "variance: 0.90": "variance: 0.95",
}


def changed(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


def stacks(folder, **texts: str) -> None:
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)


def test_a_stack_that_moves_is_a_page_that_everybody_can_read(ours, look, tmp_path):
    demo = (ROOT / "stacks" / "demo.yaml").read_text()
    stacks(tmp_path / "old", demo=demo)
    stacks(tmp_path / "new", demo=changed(demo, MOVED))
    page = tmp_path / "one.html"
    page.write_text(ours("--output", "html", "diff", "old/demo.yaml", "new/demo.yaml").stdout)
    for shown in look(page):
        assert shown.locator(".box").inner_text().startswith("Data is lost")
        assert "eu-central-1" in shown.locator("main").inner_text()


def test_a_folder_of_stacks_is_gone_through_with_a_keyboard(ours, look, tmp_path):
    demo = (ROOT / "stacks" / "demo.yaml").read_text()
    other = demo.replace("fruits-demo", "fruits-other")
    stacks(tmp_path / "old", demo=demo, gone=demo.replace("fruits-demo", "fruits-gone"), other=other)
    stacks(tmp_path / "new", demo=changed(demo, WIDER), new=demo.replace("fruits-demo", "fruits-new"),
           other=other.replace("region: eu-west-3", "region: us-east-1"))
    page = tmp_path / "many.html"
    page.write_text(ours("--output", "html", "diff", "old", "new", ends=2).stdout)
    for shown in look(page):
        shown.evaluate("document.querySelectorAll('details').forEach(each => { each.open = false })")
        # The first stop leads past the list of stacks; each further one is seen, and what is folded opens by Enter.
        shown.keyboard.press("Tab")
        assert shown.evaluate("document.activeElement.className") == "skip"
        shown.keyboard.press("Enter")
        assert shown.evaluate("document.activeElement.id") == "main"
        stops, opened = 0, 0
        while stops < 200:
            shown.keyboard.press("Tab")
            at = shown.evaluate(
                "(() => { const e = document.activeElement, box = e.getBoundingClientRect();"
                " return {tag: e.tagName, outline: getComputedStyle(e).outlineStyle, seen: box.width > 0 && box.height > 0} })()")
            if at["tag"] == "BODY":
                break
            stops += 1
            assert at["seen"] and at["outline"] != "none", at
            if at["tag"] == "SUMMARY":
                shown.keyboard.press("Enter")
                opened += shown.evaluate("document.activeElement.parentElement.open")
        assert opened == shown.locator("details").count() > 0
        assert 5 < stops < 200
