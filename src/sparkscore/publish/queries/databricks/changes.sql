/* What differs between two as_ofs: keys that came, went, or have another prediction. */
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
  CASE
    WHEN earlier.as_of IS NULL
    THEN 'added'
    WHEN later.as_of IS NULL
    THEN 'removed'
    ELSE 'changed'
  END AS what,
  earlier.prediction AS prediction_before,
  later.prediction AS prediction_after,
  earlier.model_version AS version_before,
  later.model_version AS version_after
FROM earlier
FULL OUTER JOIN later
  USING (__key__)
WHERE
  earlier.as_of IS NULL
  OR later.as_of IS NULL
  OR earlier.prediction IS DISTINCT FROM later.prediction
