/* Every prediction of every key, and the one before it; add a WHERE on the key. */
SELECT
  __key__,
  as_of,
  prediction,
  LAG(prediction) OVER (PARTITION BY __key__ ORDER BY as_of NULLS FIRST) AS previous_prediction,
  LAG(as_of) OVER (PARTITION BY __key__ ORDER BY as_of NULLS FIRST) AS previous_as_of,
  model_name,
  model_version,
  source_version,
  run_id,
  scored_at
FROM __predictions__
WHERE
  __is_prediction__
