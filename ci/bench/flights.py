"""The quickstart's flights and model, made as the quickstart makes them, in a home of the benchmark's own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).resolve().parents[2] / "conf" / "quickstart.yaml"


def prepared(home: Path, log: Path) -> dict[str, Any]:
    """The options of the flights' contenders. A process of its own makes the tables, once: it needs a JVM."""
    note = home / "options.json"
    if not note.exists():
        home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "bench.flights", str(home)]
        with log.open("w") as words:
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=words, stderr=words)
    options: dict[str, Any] = json.loads(note.read_text())
    return options


def main(home: Path) -> None:
    """Tables, model, options."""
    from sparkscore.demo import flights, registry
    from sparkscore.demo.train import train_champion
    from sparkscore.spark.session import start_local_session

    uri = f"sqlite:///{home}/mlflow.db"
    frames = flights.load_tables()
    flights.write_tables(start_local_session("bench flights", master="local[2]"), str(home), frames=frames)
    train_champion(frames.flights, tracking_uri=uri, artifact_root=f"{home}/mlartifacts")
    options = {
        "config": str(CONFIG),
        "home": str(home),
        "source": str(home / "tables" / "flights"),
        "tracking_uri": uri,
        "uri": f"models:/{registry.MODEL_NAME}@champion",
    }
    (home / "options.json").write_text(json.dumps(options))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
