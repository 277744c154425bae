/* How good each model version was, over all windows with known truths; metrics are means by labelled rows. */
SELECT
  model_name,
  model_version,
  granularity,
  COUNT(*) AS windows,
  MIN(as_of) AS first_window,
  MAX(as_of) AS last_window,
  SUM(count) AS published_rows,
  SUM(labelled_count) AS labelled_rows,
  SUM(roc_auc_score * labelled_count) / NULLIF(SUM(CASE WHEN NOT roc_auc_score IS NULL THEN labelled_count END), 0) AS roc_auc_score,
  SUM(brier_score * labelled_count) / NULLIF(SUM(CASE WHEN NOT brier_score IS NULL THEN labelled_count END), 0) AS brier_score,
  SUM(accuracy_score * labelled_count) / NULLIF(SUM(CASE WHEN NOT accuracy_score IS NULL THEN labelled_count END), 0) AS accuracy_score,
  SUM(mean_absolute_error * labelled_count) / NULLIF(SUM(CASE WHEN NOT mean_absolute_error IS NULL THEN labelled_count END), 0) AS mean_absolute_error
FROM __performance__
WHERE
  slice_key IS NULL
GROUP BY
  model_name,
  model_version,
  granularity
ORDER BY
  model_name,
  first_window,
  model_version,
  granularity
