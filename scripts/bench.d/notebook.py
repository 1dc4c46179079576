"""The notebook that everybody copies, as a script for spark-submit: `notebook.py --input I --output O --weights W --tasks N`.

Written from its description, to be measured: every task builds the network anew and loads the weights from a file, and what it
computed is neither kept nor read back, so that every pass of the scaler and of the PCA sends all images through the network
again. Kinder to it than what is copied: the file is on this machine, where theirs is fetched from the internet. It prints JSON:
images, how many went through the network, and seconds of each action.
"""

import argparse
import io
import json
import time

import numpy as np
import pandas as pd
from PIL import Image
from pyspark.ml.feature import PCA, StandardScaler
from pyspark.ml.functions import array_to_vector
from pyspark.sql import SparkSession, functions as F

asked = argparse.ArgumentParser()
for name in ("--input", "--output", "--weights"):
    asked.add_argument(name, required=True)
asked.add_argument("--tasks", type=int, required=True)
asked = asked.parse_args()
WEIGHTS = asked.weights
spark = SparkSession.builder.getOrCreate()
passed = spark.sparkContext.accumulator(0)
seconds = {}


def model_fn():
    from tensorflow.keras.applications.mobilenet_v2 import MobileNetV2
    model = MobileNetV2(include_top=False, weights=None, pooling="avg", input_shape=(224, 224, 3))
    model.load_weights(WEIGHTS)
    return model


def preprocess(content):
    from tensorflow.keras.applications.mobilenet_v2 import preprocess_input
    return preprocess_input(np.asarray(Image.open(io.BytesIO(content)).convert("RGB").resize((224, 224)), dtype="float32"))


@F.pandas_udf("array<float>", F.PandasUDFType.SCALAR_ITER)
def featurize(batches):
    model = model_fn()
    for contents in batches:
        passed.add(len(contents))
        yield pd.Series(list(model.predict(np.stack(contents.map(preprocess)), verbose=0)))


def timed(name, action):
    began = time.monotonic()
    result = action()
    seconds[name] = round(time.monotonic() - began, 2)
    return result


spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", 1024)
images = spark.read.format("binaryFile").option("pathGlobFilter", "*.jpg").option("recursiveFileLookup", True).load(asked.input)
features = images.repartition(asked.tasks).select("path", featurize("content").alias("features"))
timed("features", lambda: features.write.mode("overwrite").parquet(f"{asked.output}/features"))
once = passed.value
vectors = features.select("path", array_to_vector("features").alias("vector"))
scaler = timed("scaler", lambda: StandardScaler(withMean=True, inputCol="vector", outputCol="scaled").fit(vectors))
pca = timed("pca", lambda: PCA(k=50, inputCol="scaled", outputCol="components").fit(scaler.transform(vectors)))
timed("components", lambda: pca.transform(scaler.transform(vectors)).select("path", "components")
      .write.mode("overwrite").parquet(f"{asked.output}/pca"))
print(json.dumps({"images": once, "through_the_network": passed.value, "seconds": seconds}))
spark.stop()
