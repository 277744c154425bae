#!/bin/sh
# fetch-jars.sh [PACKAGES]: puts Delta's jars into the image's Spark, and further ones, as Maven names them.
#
# Delta's have to be what the wheel says they are. Once they are there, spark.jars.packages is set to nothing, and no pod
# asks Maven.
set -eu
root=/opt/sparkscore
folder=$(mktemp -d)
export SPARK_LOCAL_IP=127.0.0.1 # the name of a builder's host may not resolve
: >"$folder/nothing.py"

fetch() { # OPTION OF SPARK-SUBMIT...
    PYSPARK_PYTHON=$root/env/bin/python /opt/spark/bin/spark-submit --master 'local[1]' --conf "spark.jars.ivy=$folder" "$@" "$folder/nothing.py"
}

fetch --properties-file $root/conf/spark/cluster.conf
digests=$(ls $root/env/lib/python3*/site-packages/sparkscore/spark/delta-jars.sha256)
(cd "$folder/jars" && sha256sum --check --strict "$digests")
[ -z "${1:-}" ] || fetch --packages "$1"
cp "$folder"/jars/*.jar /opt/spark/jars/
rm -rf "$folder"
