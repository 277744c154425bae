# ruff: noqa: E501  a row of the list is a line
"""Faults that a job has to survive, each made to happen, and the one checker after it. `docs/faults.md` tells how.

A child process (`runner.py`, started by `children.py`) does a real run; `points.py` hurts it from outside at a named
point; `checker.py` looks at every row, commit and event afterwards, and `test_checker.py` at the checker.

Crash and restart
    SIGKILL of the driver at each point of a run          test_killed
    ... between chunks of the stage                       test_killed, pipelines/test_chunks, stage/test_chunk_committer
    ... between chunks where Spark reads the rows         test_killed_chunks, pipelines/test_row_chunks
    ... between chunks of inputs that are predicted once  test_killed_chunks, pipelines/test_reuse
    ... inside maintenance                                test_killed, pipelines/test_maintain
    ... inside a micro-batch; SIGTERM there               test_killed_stream
    ... inside an increment, at each of its points        test_killed_increments
    ... inside the join of features                       test_killed_features
    the source's log or files of a range are gone         ingest/test_changed_rows (gap)
    ... inside a rollback, a retry of rejects             test_killed_verbs, pipelines/test_rollback
    ... inside a back-fill; SIGTERM of one                test_killed_verbs (a_backfill), test_terminated (a_backfill)
    ... after the commit, before the event                test_killed
    ... inside the monitoring, all of it on               test_killed (before_its_monitoring_is_over), pipelines/test_run_monitoring (attempt_that_died)
    ... while it exports                                  export/test_database_export (a_killed_process, what_fails), export/test_folder_export (what_fails)
    ... before or after challengers are published         test_killed_challengers
    ... target of an export full, gone, refusing          pipelines/test_exports (an_export_that_fails), export/test_database_export
    ... while a table is made                             test_killed_verbs, store/test_delta_tables
    run events emptied; prediction table emptied          pipelines/test_score (TestAgain)
    SIGTERM of a spark-submit, of the console             test_terminated
    SIGKILL of the JVM alone                              test_terminated
    Connect server or session gone                        spark/test_lost_session
    Python worker killed once; always                     test_workers (TestPythonWorker)
    model process killed once; always                     test_workers (TestModelProcess), model/host/test_model_host
    predict hangs                                         pipelines/test_batch_timeout, model/host/test_model_host
    executor lost while scoring, in the MERGE, after it   test_workers (TestExecutor)
    a slow task that Spark starts a second time           test_workers (TestSpeculation), stage/test_chunk_committer
    disk full: stage, table, Spark's own files            test_disk
    SIGKILL while a source is landed, and after it        test_landing, store/test_landing_tables (killed_writer)
    driver asked to collect too much                      test_disk (TestDriver), ingest/test_snapshot (a_sample_…)

Concurrency
    one run in two processes                              test_at_once (TestOneRun)
    one as_of, another model; another source              test_at_once (TestOneAsOf), pipelines/test_score (other_pins)
    ... in a session that refuses the guard of a MERGE    publish/test_run_rows_commit, pipelines/test_serverless, test_at_once (TestReplacements), test_killed (a_replacement)
    exports of two revisions to one target                export/test_folder_export (never_sets), export/test_database_export (at_once)
    two back-fills of one range                           pipelines/test_backfill (two_at_once)
    two as_ofs, on two dates and on one                   test_at_once (TestTwoAsOfs), store/test_guarded_writes
    MERGE against OPTIMIZE; against ALTER TABLE           test_at_once (TestMaintenance)
    source appended to, overwritten, vacuumed mid-run     test_changed (TestSource), pipelines/test_transports
    rows of a stream updated, deleted, vacuumed upstream  pipelines/test_stream (TestUpstream)
    versions of a stream's source cleaned from its log    pipelines/test_stream (the_log_has_lost)
    checkpoint of a stream lost, or of another job        pipelines/test_stream (assert_checkpoint_is_guarded), store/test_stream_checkpoint
    table restored, deleted, made anew; emptied           test_changed (TestPredictionTable), pipelines/test_score
    an older source version after a newer one             test_changed, store/test_guarded_writes (an_older_as_of)

Model and registry
    artifact truncated, one bit flipped                   test_model (TestFiles), model/trust/test_model_digest, model/host/test_resident_model
    registry down at start                                pipelines/test_score, model/registry/test_model_resolution, jobs/test_submits
    registry down mid-run                                 test_model (TestRegistry)
    ... silent or gone after the publication              test_model (a real server), monitor/test_mlflow_run
    alias moved between attempts                          test_killed (what_an_attempt_had_pinned), pipelines/test_score
    version deleted between attempts                      test_model (TestRegistry)
    signature against table                               pipelines/test_score (TestBadInput), model/signature/test_signature_check
    requirements against the executors' packages          model/trust/test_package_requirements
    model not deterministic                               pipelines/test_repeated_rows, scoring/test_repeated_rows

Input
    duplicate keys; NULL key                              pipelines/test_score (TestGates), gate/test_stage_integrity
    NaN, NULL in features                                 scoring/test_kernel, scoring/test_pandas_udf_transport
    a policy for NaN, Inf and NULL; numbers out of range  pipelines/test_model_inputs_of_a_run, scoring/test_kernel
    a text of 64 MB beside small rows                     pipelines/test_long_texts, ingest/test_batch_cutting
    predictions NaN, NULL, of another shape               gate/test_stage_integrity, publish/test_postprocessing
    integers, decimals, dates, zones, binary, nested      ingest/test_split_reader, model/signature/test_model_inputs, model/signature/test_lossless_casts
    too few or too many predictions, wrong type           scoring/test_kernel, pipelines/test_score (a_model_that_fails)
    raises on one row                                     scoring/test_reject_bisection, pipelines/test_rejects
    very long rows                                        ingest/test_split_reader (batches_of_long_rows)
    empty source, also where rows were expected           pipelines/test_score (TestGates), monitor/test_sla_rules
    empty and skewed partitions                           scoring/test_pandas_udf_transport, ingest/test_split_reader (splits)
    columns extra, missing, renamed, of another type      ingest/test_snapshot, model/signature/test_signature_check, store/test_delta_tables
    rows changed or deleted upstream after the publish    pipelines/test_score (supersedes, deleted_upstream)
    data file corrupt or missing; ignoreCorruptFiles      ingest/test_split_reader, ingest/test_snapshot
    CSV: torn line, delimiter, mark, other header         pipelines/test_source_landing, ingest/landing/test_source_reading
    database changes while it is read                     pipelines/test_source_landing (ranges), ingest/landing/test_jdbc
    database gone, forbids, lacks the table               ingest/landing/test_jdbc
    view over a table that was dropped                    ingest/landing/test_source_reading (TestViews)
    ANSI cast errors                                      predicates/test_value_fitting, model/signature/test_model_inputs: refused before the run

Hostile
    names of tables, columns, jobs                        spark/test_identifiers, ingest/test_snapshot
    filter with SQL in it                                 predicates/test_spark_filter
    foreign loader, `..`, links, archives                 model/trust/test_mlmodel_file, model/distribution/test_unpacked_model
    code beside a model, pickles in disguise, references  model/trust/test_model_trust, model/trust/test_file_formats, model/trust/test_onnx_references
    secrets in config, URIs, errors, flags                 pipelines/test_canary, test_text_writers, cli/test_argument_secrets
    values that are markup, controls, other formats       test_printing, monitor/test_screen, monitor/report/test_page
    stdout, stderr closed, full, broken, in ASCII         test_printing
    settings that the caller left behind                  spark/test_isolated_session, pipelines/test_hostile_session
    sensitive columns                                     pipelines/test_sensitive, gate/test_verdicts, scoring/test_kernel
    socket or temporary folder of another user            model/host/test_model_host, model/distribution/test_unpacked_model

Left out: predictions that are Inf or out of range, which only a suite looks at.
"""
