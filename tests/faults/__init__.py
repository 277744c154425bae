"""Faults that a job has to survive, each made to happen, and the one checker after it. `docs/faults.md` tells how.

A child process (`runner.py`, started by `children.py`) does a real run; `points.py` hurts it from outside at a named
point; `checker.py` looks at every row, commit and event afterwards, and `test_checker.py` at the checker.

Crash and restart
    SIGKILL of the driver at each point of a run          test_killed
    ... between chunks of the stage                       test_killed, pipelines/test_chunks, publish/test_chunks
    ... inside maintenance                                test_killed, pipelines/test_maintain
    ... inside a rollback, a retry of rejects             test_killed_verbs, pipelines/test_rollback, test_rejects
    ... after the commit, before the event                test_killed
    ... inside the monitoring, all of it on               test_killed (before_its_monitoring_is_over)
    ... while a table is made                             test_killed_verbs, store/test_tables
    run events emptied; prediction table emptied          pipelines/test_score (TestAgain)
    SIGTERM of a spark-submit, of the console             test_terminated
    SIGKILL of the JVM alone                              test_terminated
    Python worker killed once; always                     test_workers (TestPythonWorker)
    model process killed once; always                     test_workers (TestModelProcess), model/host/test_hosted
    predict hangs                                         pipelines/test_batch_timeout, model/host/test_hosted
    executor lost while scoring, in the MERGE, after it   test_workers (TestExecutor)
    disk full: stage, table, Spark's own files            test_disk
    driver asked to collect too much                      test_disk (TestDriver), ingest/test_snapshot (a_sample_…)

Concurrency
    one run in two processes                              test_at_once (TestOneRun)
    one as_of, another model; another source              test_at_once (TestOneAsOf), pipelines/test_score (other_pins)
    two as_ofs, on two dates and on one                   test_at_once (TestTwoAsOfs), store/test_writes
    MERGE against OPTIMIZE; against ALTER TABLE           test_at_once (TestMaintenance)
    source appended to, overwritten, vacuumed mid-run     test_changed (TestSource), pipelines/test_transports
    table restored, deleted, made anew; emptied           test_changed (TestPredictionTable), pipelines/test_score
    an older source version after a newer one             test_changed, store/test_writes (an_older_as_of)

Model and registry
    artifact truncated, one bit flipped                   test_model (TestFiles), model/test_digest, model/test_resident
    registry down at start                                pipelines/test_score, model/test_registry, test_submits
    registry down mid-run                                 test_model (TestRegistry)
    ... silent or gone after the publication              test_model (a real server), monitor/test_mlflow_run
    alias moved between attempts                          test_killed (what_an_attempt_had_pinned), pipelines/test_score
    version deleted between attempts                      test_model (TestRegistry)
    signature against table                               pipelines/test_score (TestBadInput), model/test_signature
    requirements against the executors' packages          nothing: they are not compared
    model not deterministic                               pipelines/test_repeated_rows, scoring/test_repeated_rows

Input
    duplicate keys; NULL key                              pipelines/test_score (TestGates), gate/test_integrity
    NaN, NULL in features                                 scoring/test_kernel, scoring/test_pandas_udf
    a policy for NaN, Inf and NULL; numbers out of range  pipelines/test_model_inputs_of_a_run, scoring/test_kernel
    a text of 64 MB beside small rows                     pipelines/test_long_texts, ingest/test_batch_cutting
    predictions NaN, NULL, of another shape               gate/test_integrity, publish/test_columns
    integers, decimals, dates, zones, binary, nested      ingest/test_files, model/test_types, model/test_casts
    too few or too many predictions, wrong type           scoring/test_kernel, pipelines/test_score (a_model_that_fails)
    raises on one row                                     scoring/test_bisect, pipelines/test_rejects
    very long rows                                        ingest/test_files (batches_of_long_rows)
    empty source, also where rows were expected           pipelines/test_score (TestGates), monitor/test_sla_rules
    empty and skewed partitions                           scoring/test_pandas_udf, ingest/test_files (splits)
    columns extra, missing, renamed, of another type      ingest/test_snapshot, model/test_signature, store/test_tables
    rows changed or deleted upstream after the publish    pipelines/test_score (supersedes, deleted_upstream)
    data file corrupt or missing; ignoreCorruptFiles      ingest/test_files, ingest/test_snapshot, test_transports
    ANSI cast errors                                      ingest/test_values, model/test_types: refused before the run

Hostile
    names of tables, columns, jobs                        store/test_names, ingest/test_snapshot, test_settings
    filter with SQL in it                                 ingest/test_filters
    foreign loader, `..`, links, archives                 model/test_artifact, model/test_registry, model/test_unpacked
    secrets in config                                     test_errors, model/test_registry, store/test_places
    values that are markup, controls, other formats       test_printing, monitor/test_screen, report/test_page
    stdout, stderr closed, full, broken, in ASCII         test_printing
    settings that the caller left behind                  store/test_isolation, pipelines/test_hostile_session
    sensitive columns                                     pipelines/test_sensitive, gate/test_judge, scoring/test_kernel
    socket or temporary folder of another user            model/host/test_hosted, model/test_unpacked

Left out: predictions that are Inf or out of range, which only a suite looks at.
"""
