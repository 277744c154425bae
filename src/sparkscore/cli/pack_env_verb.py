"""`pack_env`: lock and pack the environment that the model needs, as an archive that spark-submit ships."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from sparkscore.cli.command import Command
from sparkscore.cli.setting_flags import load_job_settings
from sparkscore.errors import ConfigError
from sparkscore.monitor.screen import people_screen
from sparkscore.records import PackedEnvironment

_NAME = "environment"
"""Of the folder that Spark unpacks the archive into."""


def _add_pack_env_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--archive", metavar="FILE", help=f"the archive; default: {_NAME}.tar.gz, here")
    parser.add_argument(
        "--lock",
        metavar="FILE",
        help="the lock, every package with its hash: used where it is there, else written; default: beside the archive",
    )
    parser.add_argument(
        "--requirements", metavar="FILE", help="packages in the place of those that the model was logged with"
    )
    parser.add_argument("--python", metavar="PATH", help="the Python that it is made with; default: the one that runs")
    parser.add_argument(
        "--node-python", metavar="PATH", help="where the nodes have that Python; default: where this machine has it"
    )
    parser.add_argument(
        "--with-python", action="store_true", help="pack the Python itself, which has to be one that can be moved"
    )
    parser.add_argument(
        "--platform", metavar="NAME", help="of the nodes, if they differ from this machine: manylinux_2_28_x86_64"
    )
    parser.add_argument(
        "--build", action="store_true", help="build packages that have no wheel, which runs their code here"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the packages; write nothing")


def _execute_pack_env(args: Namespace) -> str:
    from sparkscore.model.environment.environment_request import EnvironmentRequest, Platform, read_own_requirements
    from sparkscore.pipelines.pack_env import PackedFiles, pack_env

    name = args.archive or f"{_NAME}.tar.gz"
    _refuse_contradictions(args, name)
    settings = None if args.requirements and not args.config else load_job_settings(args, args.config)
    request = EnvironmentRequest(
        requirements=read_own_requirements(args.requirements) if args.requirements else (),
        python=args.python or sys.executable,
        node_python=args.node_python,
        carries_python=args.with_python,
        platform=Platform.parse(args.platform) if args.platform else None,
        allows_builds=args.build,
    )
    archive = Path(name)
    files = PackedFiles(archive, Path(args.lock) if args.lock else archive.with_name(f"{_stem(archive)}.lock"))
    packed = pack_env(settings, request, files, dry_run=args.dry_run)
    people_screen().print(_describe_packed(packed), soft_wrap=True, markup=False, highlight=False)
    return packed.to_json()


def _refuse_contradictions(args: Namespace, archive: str) -> None:
    if not archive.endswith((".tar.gz", ".tgz")):
        raise ConfigError(f"--archive {archive}", "a name that ends in .tar.gz", "rename it: Spark goes by the name")
    if args.with_python and args.node_python:
        raise ConfigError(
            "--with-python together with --node-python",
            "a Python in the archive, or one on the nodes",
            "leave out one of them",
        )
    if args.build and args.platform:
        raise ConfigError(
            "--build together with --platform", "wheels alone: what is built here runs here", "leave out one of them"
        )


def _stem(archive: Path) -> str:
    return archive.name.removesuffix(".tgz").removesuffix(".tar.gz")


def _describe_packed(packed: PackedEnvironment) -> str:
    """What was made, and how it is used."""
    pins = "\n".join(f"  {name}=={version}" for name, version in sorted(packed.packages.items()))
    lines = [*(f"warning: {text}" for text in packed.warnings), f"{len(packed.packages)} packages:\n{pins}"]
    lines.append(f"lock: {packed.lock}{' (new)' if packed.lock_is_new else ''}")
    if packed.archive is None:
        return "\n".join([*lines, "dry run: nothing was written"])
    where = "in the archive" if packed.node_python is None else f"on each node as {packed.node_python}"
    return "\n".join(
        [
            *lines,
            f"archive: {packed.archive}, {(packed.bytes or 0) / 1e6:,.0f} MB, sha256 {packed.sha256}",
            f"Python {packed.python}: {where}",
            "Use it with:",
            f"  ./spark-submit.sh --master … --archives {packed.archive}#{_NAME} \\",
            f"      --conf spark.pyspark.python=./{_NAME}/bin/python jobs/score.py …",
        ]
    )


PACK_ENV = Command(
    summary="pack the Python environment that the model needs, for executors that lack it",
    examples="""examples:
  {program} --config conf/quickstart.yaml --archive env.tar.gz
  {program} --config conf/quickstart.yaml --platform manylinux_2_28_aarch64 --node-python /usr/bin/python3.11
  {program} --requirements wanted.txt --dry-run

The archive holds the packages that the model was logged with, what Spark needs in a Python worker, and sparkscore; the
nodes need no network. Each package is checked against the hashes of the lock. uv resolves and installs where it is on
the PATH, else pip, from the index that they are set up for. Starts no Spark.""",
    add_arguments=_add_pack_env_arguments,
    execute=_execute_pack_env,
)
