"""Two processes at the same time: one stands still at a point, another does its whole work, then the first goes on."""

from typing import Any

import pytest
from delta.tables import DeltaTable

from sparkscore.errors import PinsConflict
from tests.faults.checker import Expected
from tests.faults.scene import ROWS, Scene
from tests.world import AS_OF, source_rows

MORNING, EVENING, NEXT_DAY = f"{AS_OF}T06:00:00", f"{AS_OF}T18:00:00", "2014-01-01"


class TestOneRun:
    @pytest.mark.parametrize(
        ("at", "do"),
        [
            ("before stage", "hold"),
            ("before publish", "hold"),
            pytest.param("in merge", "stop", marks=pytest.mark.smoke),
            ("published", "hold"),
        ],
    )
    def test_in_two_processes_makes_one_commit_and_both_end_well(self, scene: Scene, at: str, do: str) -> None:
        with scene.halted(at, do) as child:
            mine = scene.run()
        theirs = child.answer()
        assert theirs is not None
        first = at == "published"  # it had committed before it stood still
        assert mine.status == ("already_published" if first else "published")
        assert (theirs["status"], theirs["exit_code"]) == ("published" if first else "already_published", 0), theirs
        assert theirs["run_id"] == mine.run_id
        assert scene.world.version() == 1
        assert scene.thrown_away() == int(at == "in merge")
        scene.check()

    def test_scored_by_both_has_one_stage(self, scene: Scene) -> None:
        before = scene.traps.paid()
        with scene.halted("before stage", "hold") as child:
            scene.run()
        theirs = child.answer()
        assert theirs is not None
        assert scene.traps.paid() - before == 2 * ROWS
        assert scene.staged() == [1]
        scene.check()


class TestOneAsOf:
    @pytest.mark.parametrize(
        ("at", "do"), [("before publish", "hold"), pytest.param("in merge", "stop", marks=pytest.mark.smoke)]
    )
    def test_with_another_model_the_later_one_is_refused_and_they_are_never_mixed(
        self, scene: Scene, at: str, do: str
    ) -> None:
        with scene.halted(at, do) as child:
            mine = scene.run(model={"uri": "models:/late/2"})
        theirs = child.answer()
        assert theirs is not None
        assert mine.status == "published"
        assert (theirs["exit_code"], theirs["error"]["class"]) == (2, "PinsConflict"), theirs
        scene.check(Expected(scene.rows, version=2))

    def test_with_another_source_too_and_a_replacement_supersedes_it(self, scene: Scene) -> None:
        scene.world.write_source(source_rows(500, first=50), name="other")
        other: dict[str, Any] = {"source": {"table": "other"}}
        with scene.halted("in merge", "stop") as child:
            with pytest.raises(PinsConflict, match="--restart"):  # an attempt with other pins is at work
                scene.run(**other)
            scene.run(restart=True, **other)
        theirs = child.answer()
        assert theirs is not None
        assert (theirs["exit_code"], theirs["error"]["class"]) == (2, "PinsConflict"), theirs
        scene.check(Expected(source_rows(500, first=50)))
        with scene.child() as again:
            assert again.does(scene.order(replace=True))["status"] == "published"
        scene.check()
        with pytest.raises(PinsConflict, match="source_id"):
            scene.run(**other)


class TestTwoAsOfs:
    @pytest.mark.parametrize("second", [NEXT_DAY, EVENING], ids=["on two dates", "on one date"])
    def test_both_succeed_and_neither_scores_again(self, scene: Scene, second: str) -> None:
        before = scene.traps.paid()
        with scene.halted("in merge", "stop", as_of=MORNING) as child:
            mine = scene.run(as_of=second)
        theirs = child.answer()
        assert theirs is not None
        assert (mine.status, theirs["status"], theirs["attempt"]) == ("published", "published", 1), theirs
        assert scene.traps.paid() - before == 2 * ROWS
        assert scene.thrown_away() == 0  # neither needs another try: both append
        scene.check(Expected(scene.rows, MORNING), Expected(scene.rows, second))


class TestMaintenance:
    """Of a table while a replacement, which updates what is there, stands still inside its MERGE."""

    @pytest.fixture
    def published(self, scene: Scene) -> Scene:
        scene.begin_with(as_of=MORNING)
        scene.begin_with(as_of=EVENING)  # two files in one partition: there is something to compact
        scene.world.registry.alias(2)
        return scene

    @pytest.mark.parametrize("session", [pytest.param("", marks=pytest.mark.smoke), "serverless"])
    def test_optimize_wins_and_the_publish_is_tried_again(self, published: Scene, session: str) -> None:
        table = DeltaTable.forPath(published.world.spark, published.world.path("predictions"))
        paid = published.traps.paid()
        with published.halted("in merge", "stop", as_of=EVENING, replace=True, session=session) as child:
            told = table.optimize().executeCompaction().collect()
        theirs = child.answer()
        assert told[0]["metrics"]["numFilesRemoved"] == 2
        assert theirs is not None
        assert (theirs["status"], theirs["revision"], theirs["attempt"]) == ("published", 2, 1), theirs
        assert (published.thrown_away(), published.traps.paid() - paid) == (1, ROWS)
        published.check(Expected(published.rows, MORNING), Expected(published.rows, EVENING, version=2))

    @pytest.mark.parametrize("session", [pytest.param("", marks=pytest.mark.smoke), "serverless"])
    def test_a_column_that_is_added_meanwhile_is_null_in_what_is_published(
        self, published: Scene, session: str
    ) -> None:
        path, spark = published.world.path("predictions"), published.world.spark
        with published.halted("in merge", "stop", as_of=EVENING, replace=True, session=session) as child:
            spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMN extra INT")
        theirs = child.answer()
        assert theirs is not None
        assert (theirs["status"], theirs["revision"], theirs["attempt"]) == ("published", 2, 1), theirs
        assert published.world.table().where("extra IS NOT NULL").count() == 0
        published.check(Expected(published.rows, MORNING), Expected(published.rows, EVENING, version=2))


class TestReplacements:
    @pytest.mark.parametrize("session", ["", "serverless"])
    def test_of_one_as_of_at_once_are_never_mixed_and_the_one_that_commits_first_stays(
        self, scene: Scene, session: str
    ) -> None:
        scene.world.write_source(source_rows(500, first=50), name="other")
        scene.begin_with()
        scene.world.registry.alias(2)
        with scene.halted("in merge", "stop", replace=True, session=session) as child:
            mine = scene.run(replace=True, restart=True, source={"table": "other"})
        theirs = child.answer()
        assert theirs is not None
        assert (theirs["exit_code"], theirs["error"]["class"]) == (2, "PinsConflict"), theirs
        assert (mine.status, mine.revision, scene.thrown_away()) == ("published", 2, 1)
        scene.check(Expected(source_rows(500, first=50), version=2))
