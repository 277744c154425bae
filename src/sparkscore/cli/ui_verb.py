"""`ui`: a web page of jobs, runs and what was measured of them."""

import json
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sparkscore.cli.command import Command, CommandOutcome
from sparkscore.cli.setting_flags import setting_values
from sparkscore.errors import ConfigError
from sparkscore.monitor.screen import people_screen

if TYPE_CHECKING:
    from sparkscore.settings import Settings
    from sparkscore.ui.web_server import WebServer

_PORT = 8470


def _add_ui_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        nargs="?",
        metavar="HOME",
        help="a home folder: all jobs with run events in it; default: SPARKSCORE_HOME",
    )
    parser.add_argument(
        "--job-config",
        action="append",
        default=[],
        metavar="FILE",
        help="the config of one more job, by itself: its home and its SLA; may be repeated, while --config layers",
    )
    parser.add_argument("--host", metavar="ADDRESS", help="the address to listen on; default: 127.0.0.1")
    parser.add_argument("--port", type=int, metavar="N", help=f"the port; 0 takes a free one; default: {_PORT}")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name by which browsers may ask for this server, as behind a proxy; may be repeated",
    )


def _execute_ui(args: Namespace) -> CommandOutcome:
    import uvicorn  # noqa: F401  the extra that is missing is named before anything is read

    from sparkscore.settings.layers import to_absolute_path
    from sparkscore.ui.served_jobs import JobShelf
    from sparkscore.ui.web_server import DEFAULT_HOST, DEFAULT_PORT, open_web_server

    flags = setting_values(args)
    folder = args.folder
    if folder is None and not args.config and not args.job_config:
        folder = flags.pop("home", None) or os.environ.get("SPARKSCORE_HOME")
    configs = _load_configs(args, flags)
    if not configs and folder is None:
        raise ConfigError(
            "no home folder", "`sparkscore ui HOME`, or --config FILE of a job", "name the folder of the jobs' tables"
        )
    shelf = JobShelf([] if folder is None else [to_absolute_path(folder, Path.cwd())], configs)
    host, port = args.host or DEFAULT_HOST, DEFAULT_PORT if args.port is None else args.port
    server = open_web_server(shelf, host=host, port=port, allowed=args.allow_host)
    app = server.prepare_app()
    _show_address(server)
    line = json.dumps(
        {"schema": 1, "url": server.url, "port": server.port, "homes": shelf.homes, "jobs": len(shelf.list_jobs())}
    )
    return CommandOutcome(0, line, then=lambda: server.serve(app))


def _load_configs(args: Namespace, flags: Mapping[str, str]) -> "list[Settings]":
    from sparkscore.ui.served_jobs import load_served_configs

    if flags and not args.config:
        raise ConfigError(
            f"--{next(iter(flags))} without --config", "a setting of the job that --config describes", "name the config"
        )
    layered = load_served_configs([args.config], flags) if args.config else []
    return [*layered, *load_served_configs([[file] for file in args.job_config], {})]


def _show_address(server: "WebServer") -> None:
    screen = people_screen()
    address = f"{server.url}{server.rules.login_path}" if server.is_token_new else server.url
    screen.print(f"sparkscore ui: {address}", soft_wrap=True)
    if server.is_token_new:
        screen.print("The address signs a browser in; it is shown this once.", soft_wrap=True)
    elif server.rules.token is not None:
        screen.print("Sign in at /login/ and the token of SPARKSCORE_UI_TOKEN.", soft_wrap=True)
    screen.print("Ctrl+C ends it.", soft_wrap=True)


UI = Command(
    summary="serve a web page of jobs, runs, gates, drift, performance, rejects and tables; it reads and never writes",
    examples="""examples:
  {program} .sparkscore
  {program} --config conf/quickstart.yaml --port 0
  {program} /data/sparkscore --job-config conf/churn.yaml --job-config conf/fraud.yaml
  {program} s3://bucket/sparkscore --host 0.0.0.0 --allow-host scores.example.com

Needs the extra ui; starts no Spark. The result line, with the address, is printed when it listens; then it answers
until SIGINT (exit code 0) or SIGTERM (143). Bound elsewhere than to this machine it asks for a token: the one of the
variable SPARKSCORE_UI_TOKEN, or one that is made and shown once. It speaks HTTP: put a proxy with TLS before it for
other machines.""",
    add_arguments=_add_ui_arguments,
    execute=_execute_ui,
)
