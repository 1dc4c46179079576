"""What the job is measured against: one plain TensorFlow process on the same images, `plain.py LINKS WEIGHTS BATCH KIND`.

No Spark and no second process: TensorFlow has all cores, as it comes. LINKS is a JSON list of URLs, read one after the other
over one connection. KIND is "variables", the network as Keras makes it, or "constants", with its weights as constants of the
graph, as the job has them. It prints JSON: images, seconds from its start to its end, seconds and images after its first batch.
"""

import time

BEGAN = time.monotonic()  # before the imports, which are a part of it

import io  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import urllib3  # noqa: E402
from PIL import Image  # noqa: E402


def main(links: str, weights: str, batch: str, kind: str) -> None:
    with open(links) as file:
        urls = json.load(file)
    size, pool, features, first = int(batch), urllib3.PoolManager(), [], None
    network = tf.keras.applications.MobileNetV2(include_top=False, weights=None, pooling="avg", input_shape=(224, 224, 3))
    network.load_weights(weights)
    learnt = [[weight.numpy() for weight in each] for each in (network.trainable_variables, network.non_trainable_variables)]

    @tf.function(input_signature=[tf.TensorSpec([None, 224, 224, 3], tf.uint8)])
    def compute(images):
        scaled = tf.cast(images, tf.float32) / 127.5 - 1.0
        return network(scaled, training=False) if kind == "variables" else network.stateless_call(*learnt, scaled, training=False)[0]

    for start in range(0, len(urls), size):
        images = [pixels(pool.request("GET", url).data) for url in urls[start:start + size]]
        features.append(compute(np.stack(images)).numpy())
        first = first or time.monotonic()
    ended = time.monotonic()
    print(json.dumps({
        "images": len(urls), "seconds": ended - BEGAN, "steady_seconds": ended - first, "steady_images": len(urls) - size,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))


def pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR))


if __name__ == "__main__":
    main(*sys.argv[1:])
