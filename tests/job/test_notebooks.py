"""Notebooks, as they are rendered: valid, made of the script's own text, and the local one executed on sample images."""

import base64
import json
import os
import re
import shutil
import site
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT, install
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

STACKS = ("demo", "jupyter", "minimal", "spot-graviton")


def read(folder: Path, name: str) -> nbformat.NotebookNode:
    notebook = nbformat.reads((folder / name).read_text(), as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    return notebook


def cell(notebook, name: str) -> nbformat.NotebookNode:
    return next(cell for cell in notebook.cells if cell.id == name)


@pytest.mark.parametrize("stack", STACKS)
def test_both_are_valid_and_made_of_the_script(rendered, stack):
    path = ROOT / "stacks" / f"{stack}.yaml"
    script = (rendered(path, "job")[0] / "job-features.py").read_text()
    out, _ = rendered(path, "notebook")
    titles = re.findall(r"^# (\d)\. (.*)$", script, re.MULTILINE)
    assert [int(n) for n, _ in titles] == list(range(1, len(titles) + 1)) and len(titles) >= 5
    for name in ("notebook-features.ipynb", "notebook-features-local.ipynb"):
        notebook = read(out, name)
        assert not any("spark-submit" in of.source for of in notebook.cells if of.cell_type == "code" and of.id != "opening")
        # Every line of the script is in its cells, in its order, and nothing of it is anywhere else.
        code = [cell(notebook, "opening").source.removeprefix("__doc__ = ")]
        for n, title in titles:
            begins, _, more = title.partition(": ")
            told = cell(notebook, f"section-{n}").source
            assert told.startswith(f"## {n}. {begins}") and told.lower().endswith(more.lower())
            code.append(cell(notebook, f"code-{n}").source)
        rest = script
        for part in code:
            before, found, rest = rest.partition(part)
            assert found and all(line.startswith("#") or not line for line in before.splitlines())
        assert rest.lstrip().startswith("if __name__")
        block = rest.lstrip().partition("\n")[2]
        run = cell(notebook, "run").source
        for line in block.splitlines():
            assert line.strip() in run or line.strip() == "spark.stop()", line
        assert "spark.stop()" not in run


def test_the_one_for_emr_is_as_livy_wants_it(rendered):
    out, _ = rendered(ROOT / "stacks" / "jupyter.yaml", "notebook", "--account", "000000000000")
    notebook = read(out, "notebook-features.ipynb")
    assert notebook.metadata.kernelspec.name == "pysparkkernel"
    first = next(cell for cell in notebook.cells if cell.cell_type == "code").source
    magic, told = first.split("\n", 1)
    assert magic == "%%configure -f" and json.loads(told)["conf"]["spark.executor.memoryOverhead"].endswith("m")
    assert "s3://fruits-lab-data-000000000000/images/" in cell(notebook, "paths").source
    for plot in ("variance", "projection"):
        assert cell(notebook, plot).source.splitlines()[-1] == "%matplot plt"
    text = "".join(cell.source for cell in notebook.cells)
    assert text.isascii() and "%matplotlib" not in text and "master(" not in text
    title = cell(notebook, "title").source
    assert "ssh -N -L 9443:localhost:9443 hadoop@PRIMARY" in title and "203.0.113.7/32" in title
    assert "fruits-lab-notebooks-eu-north-1" in title and "outlive the cluster" in title
    assert "lacks" not in title and "matplotlib" not in title and "<account>" not in title


def test_the_first_cell_says_what_the_stack_lacks(rendered):
    title = cell(read(rendered(ROOT / "stacks" / "demo.yaml", "notebook")[0], "notebook-features.ipynb"), "title").source
    for lacking in ("lacks JupyterHub and Livy", "jupyter-s3-conf", "`matplotlib`", "<account>", "key_pair"):
        assert lacking in title


def test_a_template_without_sections_is_told_so(rendered, tmp_path):
    (tmp_path / "own" / "templates").mkdir(parents=True)
    stack = tmp_path / "own" / "own.yaml"
    stack.write_text((ROOT / "stacks" / "minimal.yaml").read_text().replace("jobs/fruit_features.py.j2", "flat.py.j2"))
    (tmp_path / "own" / "templates" / "flat.py.j2").write_text("import tensorflow\nprint('no sections')\n")
    said = rendered(stack, "notebook", ends=2)[1]
    assert "job `features` cannot become a notebook" in said and "numbered section" in said
    out, said = rendered(stack)
    assert "cannot become a notebook" in said and (out / "job-features.py").is_file()
    assert not list(out.glob("*.ipynb")) and (out / "databricks" / "databricks.yml").is_file()


@pytest.fixture
def kernel(cache, spark_python, tmp_path) -> KernelSpecManager:
    """Spark's Python as a kernel: what it lacks for that is lent by the Python of the tests, after all that is its own."""
    lent = [path for path in site.getsitepackages() if path.endswith("site-packages")]
    start = f"import sys; sys.path.extend({lent!r}); from ipykernel import kernelapp; kernelapp.launch_new_instance()"
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    environment = {"JAVA_HOME": install.ensure("spark", cache)["java_home"], "HOME": str(tmp_path),
                   "IPYTHONDIR": str(tmp_path / "ipython"), "MPLCONFIGDIR": str(tmp_path / "matplotlib"), "PYTHONDONTWRITEBYTECODE": "1",
                   "http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}
    (folder / "kernel.json").write_text(json.dumps({
        "argv": [spark_python, "-c", start, "-f", "{connection_file}"], "display_name": "Spark", "language": "python",
        "env": environment}))
    return KernelSpecManager(kernel_dirs=[str(folder.parent)], ensure_native_kernel=False)


def test_the_local_one_runs_on_sample_images(rendered, kernel, samples, trained, tmp_path):
    path = tmp_path / "local.yaml"
    text = (ROOT / "stacks" / "minimal.yaml").read_text()
    path.write_text(text.replace("output: data/}", "output: data/, model: {weights: registry}}"))
    notebook = read(rendered(path, "notebook")[0], "notebook-features-local.ipynb")
    work = tmp_path / "work"
    shutil.copytree(samples, work / "images")
    shutil.copy(trained, work / "weights.h5")
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=kernel)
    NotebookClient(notebook, km=manager, timeout=400, resources={"metadata": {"path": str(work)}}).execute()
    nbformat.validate(notebook)
    said = "".join(output.get("text", "") for output in cell(notebook, "run").outputs)
    assert "64 rows, 0 failed, 8 labels, 1280 features" in said
    report = json.loads((work / "out" / "report" / "report.json").read_text())
    assert (report["rows"], report["failed"], report["weights"]) == (64, 0, "registry")
    pictures = Path(os.environ.get("FRUITSINFRA_PICTURES") or tmp_path)
    for name in ("variance", "projection"):
        (shown,) = [output["data"]["image/png"] for output in cell(notebook, name).outputs if "image/png" in output.get("data", {})]
        picture = base64.b64decode(shown)
        assert picture.startswith(b"\x89PNG") and len(picture) > 5_000
        (pictures / f"notebook-{name}.png").write_bytes(picture)
