/* The newest prediction of every key: the row with the greatest as_of. */
SELECT
  ranked.*
FROM (
  SELECT
    predictions.*,
    ROW_NUMBER() OVER (PARTITION BY __key__ ORDER BY as_of DESC) AS newest_first
  FROM __predictions__ AS predictions
) AS ranked
WHERE
  ranked.newest_first = 1 AND __is_prediction__
