"""Faults that a job has to survive, each made to happen, and the one checker after it. `docs/faults.md` tells how.

A child process (`runner.py`, started by `children.py`) does a real run; `points.py` hurts it from outside at a named
point; `checker.py` looks at every row, commit and event afterwards, and `test_checker.py` at the checker.

Crash and restart
    SIGKILL of the driver at each point of a run          test_killed
    ... between chunks of the stage                       test_killed (skipped until there are chunks)
    ... after the commit, before the event                test_killed
    run events emptied; prediction table emptied          pipelines/test_score (TestAgain)
    SIGTERM: of a spark-submit, of the console            test_terminated
    Python worker killed once; always                     test_workers (TestPythonWorker)
    model process killed once; always                     test_workers (TestModelProcess), model/host/test_hosted
    predict hangs                                         model/host/test_hosted (a_batch_that_never_ends)
    executor lost while scoring; inside the MERGE         test_workers (TestExecutor)
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
    alias moved between attempts                          test_killed (what_an_attempt_had_pinned), pipelines/test_score
    version deleted between attempts                      test_model (TestRegistry)
    signature against table                               pipelines/test_score (TestBadInput), model/test_signature
    requirements against the executors' packages          nothing: they are not compared
    model not deterministic                               nothing notices it; the stage is published: test_killed

Input
    duplicate keys; NULL key                              pipelines/test_score (TestGates), gate/test_integrity
    NaN, Inf, NULL in features                            scoring/test_kernel, test_pandas_udf; no policy yet
    predictions NaN, NULL, out of range                   gate/test_integrity, publish/test_columns
    integers, decimals, dates, zones, binary, nested      ingest/test_files, model/test_types, model/test_casts
    too few or too many predictions, wrong type, raises   scoring/test_kernel, pipelines/test_score (a_model_that_fails)
    very long rows                                        ingest/test_files (batches_of_long_rows); 64 MB each: left out
    empty source                                          pipelines/test_score (TestGates)
    empty and skewed partitions                           scoring/test_pandas_udf, ingest/test_files (splits)
    columns extra, missing, renamed, of another type      ingest/test_snapshot, model/test_signature, store/test_tables
    rows changed or deleted upstream after the publish    a replacement: pipelines/test_score; policies: nothing yet
    data file corrupt or missing; ignoreCorruptFiles      ingest/test_files, ingest/test_snapshot, test_transports
    ANSI cast errors                                      ingest/test_values, model/test_types: refused before the run

Hostile
    names of tables, columns, jobs                        store/test_names, ingest/test_snapshot, test_settings
    filter with SQL in it                                 ingest/test_filters
    foreign loader, `..`, links, archives                 model/test_artifact, model/test_registry, model/test_unpacked
    secrets in config                                     test_errors, model/test_registry, store/test_places
    sensitive columns                                     gate/test_judge, gate/test_words, scoring/test_kernel
    socket or temporary folder of another user            model/host/test_hosted, model/test_unpacked
"""
