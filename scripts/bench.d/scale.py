"""The part `job`: job.py, which has packages of its own and so is a process, and its figures as a table."""

import json
import subprocess
from pathlib import Path

from embedded import Broken


def measure(python: Path, images: Path | None, runs: int) -> dict:
    command = [python, Path(__file__).with_name("job.py"), "--runs", str(runs), *(["--images", images] if images else [])]
    measured = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if measured.returncode != 0:
        raise Broken("the job could not be measured")
    return json.loads(measured.stdout)


def table(found: dict) -> list[str]:
    lines = [f"{found['images']} images, {found['cores']} cores, batches of {found['batch']}", "",
             f"{'images a second':<18}  {'steady':>7}  {'with start-up':>13}  {'MB a worker':>11}"]
    for who, shown in (("job", "the job"), ("plain", "plain TensorFlow"), ("plain, constants", "plain, constants"), ("one core", "the job, one core")):
        row = found["medians"][who]
        lines.append(f"{shown:<18}  {row['steady']:>7.1f}  {row['stage']:>13.1f}  {row['memory_mb']:>11.0f}")
    lines += ["", f"{'ratio':<44}  {'median':>6}  {'lowest':>6}  {'highest':>7}  {'promised':>8}"]
    for name, shown in (("steady", "steady: the job to plain TensorFlow"), ("constants", "steady: the job to plain, weights as constants"),
                        ("stage", "features stage with start-up to plain, steady"),
                        ("cores", "steady: two cores to one")):
        row = found["ratios"][name]
        promised = "" if row["promised"] is None else f"{row['promised']:.2f}"
        lines.append(f"{shown:<44}  {row['median']:>6.2f}  {row['from']:>6.2f}  {row['to']:>7.2f}  {promised:>8}{'' if row['well'] else '  NOT WELL'}")
    if notebook := found["notebook"]:
        lines += ["", f"the notebook that everybody copies: {notebook['passes']:.1f} passes of the network over each image; for {found['images']} "
                  f"images {notebook['extrapolated_seconds']:.0f} s (from {notebook['images']} images, its PCA's decomposition left out), "
                  f"{notebook['ratio']:.1f} times the job's {found['medians']['job']['chain']:.0f} s"]
    return lines
