"""Projects by NumPy what the job projected: `projected.py FITTED PROJECTED` (two folders of a job's outputs) prints JSON.

By two roads: with the scaler and the matrix as they lie in model/, and with a decomposition of the fitted features by NumPy
alone, which only shares the signs. Spark is not asked. Run with Spark's Python.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.dataset as dataset

fitted, projected = map(Path, sys.argv[1:])


def table(path: Path):
    return dataset.dataset(path, format="parquet").to_table().to_pandas()


def features_and_components(folder: Path):
    rows = table(folder / "features").merge(table(folder / "pca" / "parquet"), on="path", validate="one_to_one")
    return rows.path.to_list(), np.stack(rows.features.to_numpy()).astype(float), np.stack(rows.components.to_numpy())


fit_paths, fit_features, fit_components = features_and_components(fitted)
paths, features, components = features_and_components(projected)
stages = sorted((fitted / "model" / "fitted" / "stages").iterdir())
scaler, pca = (table(stage / "data").iloc[0] for stage in stages)
mean, deviation = scaler["mean"]["values"], scaler["std"]["values"]
directions = np.reshape(pca.pc["values"], (pca.pc["numRows"], pca.pc["numCols"]), order="C" if pca.pc["isTransposed"] else "F")
by_model = (features - mean) / np.where(deviation > 0, deviation, np.inf) @ directions

own = fit_features.std(axis=0, ddof=1)
own_scaled = (fit_features - fit_features.mean(axis=0)) / np.where(own > 0, own, np.inf)
own_directions = np.linalg.svd(own_scaled, full_matrices=False)[2][: components.shape[1]].T
own_directions *= np.sign(np.sum(own_directions * directions, axis=0))
by_own = (features - fit_features.mean(axis=0)) / np.where(own > 0, own, np.inf) @ own_directions

before = dict(zip(fit_paths, fit_components, strict=True))
again = [(row, before[path]) for path, row in zip(paths, components, strict=True) if path in before]
twins = [row for path, row in zip(paths, features, strict=True) if "twin" in path]
print(json.dumps({
    "rows": len(paths), "again": len(again), "components": components.shape[1], "largest": float(np.abs(components).max()),
    "by_model": float(np.abs(by_model - components).max()), "by_own": float(np.abs(by_own - components).max()),
    "again_error": max(float(np.abs(new - old).max()) for new, old in again),
    "twins": len(twins), "twins_apart": float(np.abs(twins[0] - twins[-1]).max()),
}))
