"""Features by Keras alone, as its documentation has it: `direct_keras.py FEATURES IMAGES WEIGHTS` prints how the job's agree.

Nothing of the job is used: images are read from files, one at a time, and Keras scales the pixels. Run with Spark's Python.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras  # noqa: E402
import numpy as np  # noqa: E402
import pyarrow.dataset as dataset  # noqa: E402
from keras.applications import mobilenet_v2  # noqa: E402

rows = dataset.dataset(sys.argv[1], format="parquet").to_table().to_pandas()
network = mobilenet_v2.MobileNetV2(include_top=False, weights=None, pooling="avg", input_shape=(224, 224, 3))
network.load_weights(sys.argv[3])
files = [Path(sys.argv[2], *path.split("/")[-2:]) for path in rows.path]
images = np.stack([keras.utils.img_to_array(keras.utils.load_img(file, target_size=(224, 224), interpolation="bilinear")) for file in files])
expected = network.predict(mobilenet_v2.preprocess_input(images), verbose=0)
features = np.stack(rows.features.to_numpy())
cosine = np.sum(expected * features, axis=1) / np.linalg.norm(expected, axis=1) / np.linalg.norm(features, axis=1)
print(json.dumps({"images": len(rows), "cosine": float(cosine.min()), "difference": float(np.abs(expected - features).max())}))
