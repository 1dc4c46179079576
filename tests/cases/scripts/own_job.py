"""Counts the objects below a prefix: the smallest job of one's own."""

import sys

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print(spark.read.format("binaryFile").load(sys.argv[2]).count())
