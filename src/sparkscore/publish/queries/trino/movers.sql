/* The 100 keys whose prediction, a number, changed most between two as_ofs. */
WITH earlier AS (
  SELECT
    *
  FROM __predictions__
  WHERE
    as_of = __from__ AND __is_prediction__
), later AS (
  SELECT
    *
  FROM __predictions__
  WHERE
    as_of = __to__ AND __is_prediction__
)
SELECT
  __key__,
  earlier.prediction AS prediction_before,
  later.prediction AS prediction_after,
  later.prediction - earlier.prediction AS change,
  earlier.model_version AS version_before,
  later.model_version AS version_after
FROM earlier
JOIN later
  USING (__key__)
WHERE
  earlier.prediction <> later.prediction
ORDER BY
  ABS(later.prediction - earlier.prediction) DESC,
  __key__ NULLS FIRST
LIMIT 100
