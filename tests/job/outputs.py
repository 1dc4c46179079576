"""Measures what a job wrote, apart from the job: `outputs.py FOLDER` prints JSON. Run with Spark's Python.

It computes the PCA again, with NumPy alone and by another road (a singular value decomposition of the rows).
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.dataset as dataset

folder = Path(sys.argv[1])


def table(name: str):
    return dataset.dataset(folder / name, format="parquet").to_table().to_pandas().sort_values("path", ignore_index=True)


rows = table("features")
good = rows[rows.error.isna()].reset_index(drop=True)
projected = table("pca/parquet")
features = np.stack(good.features.to_numpy()).astype(float)
components = np.stack(projected.components.to_numpy())

unit = features - features.mean(axis=0)
unit /= np.linalg.norm(unit, axis=1, keepdims=True)
same = good.label.to_numpy()[:, None] == good.label.to_numpy()[None, :]
cosine, others = unit @ unit.T, ~np.eye(len(good), dtype=bool)

deviation = features.std(axis=0, ddof=1)
standard = (features - features.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
left, singular, _ = np.linalg.svd(standard, full_matrices=False)
shares = singular**2 / np.sum(singular**2)
expected = (left * singular)[:, : components.shape[1]]
signs = np.sign(np.sum(expected * components, axis=0))

print(json.dumps({
    "rows": len(rows), "paths": len(set(rows.path)), "listing": sorted(rows.path), "good": len(good), "length": features.shape[1],
    "same_order": bool((good.path == projected.path).all() and (good.label == projected.label).all()),
    "cosine_within": float(cosine[same & others].mean()), "cosine_between": float(cosine[~same].mean()),
    "components": components.shape[1], "wanted": int(np.searchsorted(np.cumsum(shares), 0.90) + 1),
    "variance": float(shares[: components.shape[1]].sum()),
    "projection_error": float(np.abs(expected * signs - components).max() / np.abs(expected).max()),
}))
