"""Exports to databases: PostgreSQL, and DuckDB for drivers in general."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import adbc_driver_duckdb.dbapi
import pyarrow as pa
import pytest

from sparkscore.errors import ConfigError, ExportFailed
from sparkscore.export.database_connection import DatabaseAddress, find_address
from sparkscore.export.database_export import DatabaseExport
from sparkscore.records import TargetState
from tests.export.rows import AS_OF, published
from tests.postgres import PASSWORD, Postgres, needs_postgres, serve_postgres

HOSTILE = 'pre"d; DROP TABLE x; --'
QUOTED = '"pre""d; DROP TABLE x; --"'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with serve_postgres(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
def postgres(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    server.run_sql("DROP SCHEMA IF EXISTS lake CASCADE; CREATE SCHEMA lake")
    monkeypatch.setenv("WAREHOUSE", server.uri)
    return server


def target(*table: str, variable: str = "WAREHOUSE") -> DatabaseExport:
    return DatabaseExport(find_address("postgresql", None, (None, variable)), name="bi", table=table or ("lake", "bi"))


@needs_postgres
class TestPostgres:
    def test_rows_replace_those_of_their_as_of_alone(self, postgres: Postgres) -> None:
        other = AS_OF + timedelta(days=1)
        target().replace_rows(*published(4, as_of=other))
        target().replace_rows(*published(5))
        run, rows = published(3, revision=2)
        assert target().replace_rows(run, rows) == TargetState(run.run_id, 2)
        counted = "SELECT as_of AT TIME ZONE 'UTC', count(*), max(id), min(run_id) FROM lake.bi GROUP BY 1 ORDER BY 1"
        assert postgres.run_sql(counted).splitlines() == [
            f"2013-12-31 00:00:00|3|2|{2:064x}",
            f"2014-01-01 00:00:00|4|3|{1:064x}",
        ]

    def test_the_keys_and_as_of_are_the_key_of_the_table(self, postgres: Postgres) -> None:
        target().replace_rows(*published(3))
        key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'lake.bi'::regclass"
        assert postgres.run_sql(key) == "PRIMARY KEY (id, as_of)"

    def test_hostile_names_are_names(self, postgres: Postgres) -> None:
        target("lake", HOSTILE).replace_rows(*published(3))
        assert postgres.run_sql(f'SELECT "Order ""No" FROM lake.{QUOTED} WHERE id = 1') == "o1"  # noqa: S608
        assert target("lake", HOSTILE).find_owner() == "late"

    def test_a_second_call_changes_nothing(self, postgres: Postgres) -> None:
        run, rows = published(3)
        target().replace_rows(run, rows)
        before = postgres.run_sql("SELECT xmin, * FROM lake.sparkscore_exports")
        assert target().replace_rows(run, rows) == TargetState(run.run_id, 1)
        assert postgres.run_sql("SELECT xmin, * FROM lake.sparkscore_exports") == before

    def test_a_slow_export_of_an_older_revision_is_not_visible_after_a_newer_one(self, postgres: Postgres) -> None:
        slow = published(4, then=lambda: target().replace_rows(*published(2, revision=2)))
        assert target().replace_rows(*slow).revision == 2
        assert postgres.run_sql("SELECT count(*), min(run_id) FROM lake.bi") == f"2|{2:064x}"

    def test_exports_of_many_revisions_at_once_end_with_the_newest(self, postgres: Postgres) -> None:
        work = [
            threading.Thread(target=target().replace_rows, args=published(count, revision=count))
            for count in (3, 6, 5, 2)
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        assert postgres.run_sql("SELECT count(*), count(DISTINCT run_id), min(run_id) FROM lake.bi") == f"6|1|{6:064x}"

    def test_what_fails_in_the_middle_leaves_the_table_as_it_was(self, postgres: Postgres) -> None:
        def fail() -> None:
            raise ConfigError("a data file is gone")

        target().replace_rows(*published(2))
        with pytest.raises(ConfigError, match="a data file is gone"):
            target().replace_rows(*published(3000, revision=2, then=fail))
        assert postgres.run_sql("SELECT count(*), min(run_id) FROM lake.bi") == f"2|{1:064x}"
        assert (
            postgres.run_sql("SELECT count(*) FROM pg_class WHERE relname LIKE 'sparkscore_%' AND relkind = 'r'") == "2"
        )

    def test_a_table_of_another_job_is_refused(self, postgres: Postgres) -> None:
        target().replace_rows(*published(3))
        with pytest.raises(ConfigError, match="belongs to an export of the job late"):
            target().replace_rows(*published(3, job="other"))

    def test_a_table_that_is_there_takes_the_rows_in_its_own_types(self, postgres: Postgres) -> None:
        postgres.run_sql(
            'CREATE TABLE lake.bi (as_of timestamptz, id int, prediction numeric, "Order ""No" varchar(9),'
            " run_id char(64), note text DEFAULT 'kept')"
        )
        target().replace_rows(*published(3))
        assert postgres.run_sql("SELECT id, round(prediction, 3), note FROM lake.bi ORDER BY id").splitlines() == [
            "0|0.000|kept",
            "1|0.143|kept",
            "2|0.286|kept",
        ]

    def test_a_table_without_one_of_the_columns_is_told_and_left_alone(self, postgres: Postgres) -> None:
        postgres.run_sql("CREATE TABLE lake.bi (as_of timestamptz, id int, prediction numeric, run_id text)")
        with pytest.raises(ExportFailed, match="Order"):
            target().replace_rows(*published(3))
        assert postgres.run_sql("SELECT count(*) FROM lake.bi") == "0"

    def test_values_of_sensitive_sources_are_not_shown(self, postgres: Postgres) -> None:
        postgres.run_sql(
            'CREATE TABLE lake.bi (as_of timestamptz, id int, prediction numeric, run_id text, "Order ""No" int)'
        )
        address = replace(find_address("postgresql", None, (None, "WAREHOUSE")), hides_values=True)
        with pytest.raises(ExportFailed, match="SQLSTATE") as failed:
            DatabaseExport(address, name="bi", table=("lake", "bi")).replace_rows(*published(3))
        assert "Order" not in str(failed.value)

    def test_no_password_is_shown(self, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ELSEWHERE", postgres.uri.replace(PASSWORD, "wr0ng-pw"))
        with pytest.raises(ExportFailed) as failed:
            target(variable="ELSEWHERE").replace_rows(*published(3))
        shown = f"{failed.value} {failed.value!r} {target(variable='ELSEWHERE').description}"
        assert "password authentication failed" in shown
        assert "wr0ng-pw" not in shown
        assert PASSWORD not in repr(find_address("postgresql", None, (None, "WAREHOUSE")))

    def test_a_server_that_is_not_there_may_be_back_later(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GONE", "postgresql://me:s3cret-pw@127.0.0.1:1/db")
        with pytest.raises(ExportFailed, match="Connection refused"):
            target(variable="GONE").replace_rows(*published(3))

    @pytest.mark.slow
    @pytest.mark.parametrize("moment", ["while it copies", "in its transaction"])
    def test_a_killed_process_leaves_the_table_as_it_was_and_the_next_call_does_it(
        self, postgres: Postgres, tmp_path: Path, moment: str
    ) -> None:
        target().replace_rows(*published(2))
        marker = tmp_path / "marker"
        holder = None
        if moment == "in its transaction":  # whoever deletes rows waits for this lock
            holder = threading.Thread(
                target=postgres.run_sql, args=("BEGIN; LOCK TABLE lake.bi IN SHARE MODE; SELECT pg_sleep(8); COMMIT",)
            )
            holder.start()
            time.sleep(1)
        code = (
            "import sys, time, pathlib\n"
            "from tests.export.rows import published\n"
            "from tests.export.test_database_export import target\n"
            "def reached():\n"
            f"    pathlib.Path({str(marker)!r}).touch()\n"
            f"    time.sleep({60 if holder is None else 0})\n"
            "target().replace_rows(*published(4000, revision=2, then=reached))\n"
        )
        child = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2], env=os.environ)
        while not marker.exists():
            time.sleep(0.05)
        if holder is not None:
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE%'"
            while postgres.run_sql(waits) != "1":
                time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        if holder is not None:
            holder.join()
        assert postgres.run_sql("SELECT count(*), min(run_id) FROM lake.bi") == f"2|{1:064x}"
        assert postgres.run_sql("SELECT revision FROM lake.sparkscore_exports") == "1"
        target().replace_rows(*published(4000, revision=2))
        assert postgres.run_sql("SELECT count(*), min(run_id) FROM lake.bi") == f"4000|{2:064x}"


def test_any_driver_with_transactions_will_do(tmp_path: Path) -> None:
    address = DatabaseAddress("adbc", "adbc_driver_duckdb", str(tmp_path / "db.duckdb"))
    export = DatabaseExport(address, name="bi", table=("main", HOSTILE))
    export.replace_rows(*published(5))
    export.replace_rows(*published(3, revision=2))
    assert export.replace_rows(*published(5)).revision == 2
    with adbc_driver_duckdb.dbapi.connect(address.uri) as connection, connection.cursor() as cursor:
        cursor.execute(f'SELECT count(*), min(run_id), min("Order ""No") FROM main.{QUOTED}')  # noqa: S608
        assert cursor.fetchone() == (3, f"{2:064x}", "o1")


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.struct([("a", pa.int64())]), pa.uint32(), pa.null()])
def test_types_that_databases_do_not_have_are_refused_with_the_cure(kind: pa.DataType) -> None:
    export = DatabaseExport(DatabaseAddress("postgresql", "", ""), name="bi", table=("bi",))
    with pytest.raises(ConfigError, match="`columns`"):
        export.check_columns(pa.schema([("id", pa.int64()), ("scores", kind)]), ("id",))


@pytest.mark.parametrize("uri", ["host=db password=s3cret-pw", "mysql://me:s3cret-pw@db/x"])
def test_a_uri_of_another_form_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("WAREHOUSE", uri)
    with pytest.raises(ConfigError, match="begins with postgresql://") as refused:
        find_address("postgresql", None, (None, "WAREHOUSE"))
    assert "s3cret" not in str(refused.value)
