/* How many rows each run has rejected, by reason. */
SELECT
  as_of,
  run_id,
  code,
  error,
  COUNT(*) AS rejected_rows
FROM __rejects__
GROUP BY
  as_of,
  run_id,
  code,
  error
ORDER BY
  as_of,
  run_id,
  rejected_rows DESC,
  code
