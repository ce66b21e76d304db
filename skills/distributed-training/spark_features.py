"""Features of many rows on Spark, as one Parquet file that ``training_start`` takes.

``spark-submit spark_features.py IN OUT``: IN is a folder of CSV files, OUT a new folder. One row
per person comes out, with what was known before the last visit; replace ``features``.
"""

import sys

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as f


def features(visits: DataFrame) -> DataFrame:
    """Return the last visit of each person beside counts of those before it."""
    by_day = Window.partitionBy("person").orderBy("day")
    before = by_day.rowsBetween(Window.unboundedPreceding, -1)
    counted = visits.withColumn("visits_before", f.count("day").over(before)).withColumn(
        "mean_cost_before", f.avg("cost").over(before)
    )
    last = Window.partitionBy("person").orderBy(f.desc("day"))
    return counted.withColumn("nth", f.row_number().over(last)).where("nth = 1").drop("nth")


if __name__ == "__main__":
    source, target = sys.argv[1:]
    spark = SparkSession.builder.appName("features").getOrCreate()
    read = spark.read.csv(source, header=True, schema="person int, day date, cost double")
    features(read).coalesce(1).write.parquet(target)
    spark.stop()
