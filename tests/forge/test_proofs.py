"""What a jury is shown, in a real browser: the page of a run's results and the proof in both languages, of a stack that has
run on the embedded AWS with real Spark. The pictures are kept where FRUITSINFRA_PICTURES says.
"""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
import rfc8785
from conftest import ROOT
from local_aws import install

STACK = "minimal.yaml"


@pytest.fixture(scope="module")
def proofs(binary, tmp_path_factory) -> dict[str, Path]:
    """The pages, by name."""
    folder = tmp_path_factory.mktemp("proofs")
    text = (ROOT / "stacks" / STACK).read_text()
    assert "\nbootstrap:" in text
    (folder / STACK).write_text(text.replace("\nbootstrap:", "\nuploads: [{from: samples, to: data/images/}]\n\nbootstrap:", 1))
    subprocess.run([ROOT / "scripts/sample-images", folder / "samples", "--classes", "5", "--per-class", "8", "--spoil"], check=True)
    environment = {**os.environ, "FRUITSINFRA_LOCAL": str(folder / "aws"), "FRUITSINFRA_CACHE": str(install.usual_cache())}

    def ours(*arguments: str) -> str:
        command = [binary, "--local", *arguments]
        ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
        assert ran.returncode == 0, f"{arguments}: {ran.stderr}{ran.stdout[-2000:]}"
        return ran.stdout

    started = [binary, "local", "start", "--port", "0", "--rate", "120"]
    subprocess.run(started, cwd=folder, env=environment, check=True, capture_output=True, timeout=600)
    try:
        ours("up", STACK, "--yes", "--weights", "untrained")
        ours("run", STACK, "features", "--weights", "untrained")
        pages = {
            "results": ours("--output", "html", "results", STACK, "features"),
            "evidence": ours("--output", "html", "evidence", STACK),
            "preuve": ours("--output", "html", "evidence", STACK, "--lang", "fr"),
        }
        document = json.loads(ours("--output", "json", "evidence", STACK))
    finally:
        subprocess.run([binary, "local", "stop"], cwd=folder, env=environment, check=True, capture_output=True, timeout=60)
    (folder / "document.json").write_text(json.dumps(document))
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page)
    return {name: folder / f"{name}.html" for name in pages} | {"document": folder / "document.json"}


def test_results_are_a_page_with_plots_that_can_be_looked_at(look, proofs):
    for shown in look(proofs["results"]):
        for plot in shown.locator("svg").all():
            box = plot.bounding_box()
            assert box["width"] > 300 and box["height"] > 100
            outside = plot.evaluate(
                "svg => { const all = svg.getBoundingClientRect(); return [...svg.querySelectorAll('circle, rect, text')]"
                ".filter(e => { const b = e.getBoundingClientRect();"
                " return b.left < all.left - 1 || b.right > all.right + 1 || b.top < all.top - 1 || b.bottom > all.bottom + 1 })"
                ".map(e => e.outerHTML) }")
            assert outside == []
        assert shown.locator("svg").count() == 2
        circles = shown.locator("circle").evaluate_all("all => all.map(e => [e.getAttribute('cx'), e.getAttribute('cy')])")
        assert len(circles) == 40 and len({tuple(circle) for circle in circles}) > 30
        assert "not an image" in shown.locator("main").inner_text()


@pytest.mark.parametrize(("name", "language", "words"), [
    ("evidence", "en", ("went all the way", "Not shown.", "Critical review")),
    ("preuve", "fr", ("a parcouru toute la chaîne", "Non établi.", "Revue critique")),
])
def test_a_proof_is_a_page_that_everybody_can_read(look, proofs, name, language, words):
    for shown in look(proofs[name]):
        assert shown.evaluate("document.documentElement.lang") == language
        text = shown.locator("main").inner_text()
        for word in words:
            assert word in text
        assert shown.locator("h2").count() >= 12
        assert shown.locator("li.against").count() == 0


def test_the_seal_is_what_any_implementation_of_rfc_8785_computes(proofs):
    document = json.loads(proofs["document"].read_text())
    seal = document.pop("sha256")
    assert hashlib.sha256(rfc8785.dumps(document)).hexdigest() == seal
