"""Loads a saved PCA as anyone would, with Spark, and prints the shape of its components: `load_model.py FOLDER`."""

import json
import sys

from pyspark.ml import PipelineModel
from pyspark.sql import SparkSession

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", False).getOrCreate()
scaler, pca = PipelineModel.load(f"file://{sys.argv[1]}").stages
print(json.dumps(list(pca.pc.toArray().shape)))
