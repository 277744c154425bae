/* How much each publication read, scored and rejected, by which model and source version; the current one of each as_of. */
/* Two attempts that scored one run at the same time have an event each: one of them counts. */
WITH published AS (
  SELECT
    runs.*,
    ROW_NUMBER() OVER (PARTITION BY as_of, revision, run_id ORDER BY attempt DESC, at DESC) AS newest_first
  FROM __runs__ AS runs
  WHERE
    event = 'published'
)
SELECT
  as_of,
  revision,
  rows_read,
  rows_scored,
  rows_rejected,
  CASE WHEN rows_read > 0 THEN rows_rejected * 1E0 / NULLIF(rows_read, 0) END AS rejected_share,
  model_name,
  model_version,
  source_version,
  run_id,
  at AS published_at,
  revision = MAX(revision) OVER (PARTITION BY as_of) AS is_current
FROM published
WHERE
  newest_first = 1
ORDER BY
  as_of,
  revision
