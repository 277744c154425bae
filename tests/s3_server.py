"""An S3 on loopback that remembers whose requests it got, and the service that gives a task the keys of its role."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from pyarrow import fs
from werkzeug.serving import make_server

Respond = Callable[..., Any]
ROLE_KEY = "ROLEKEY"


@dataclass
class LoopbackS3:
    """The server's address, and the keys with which requests were signed."""

    address: str = ""
    keys: list[str] = field(default_factory=list)
    refusal: bytes | None = None
    """What each request for a file gets instead of the file: S3's error, as XML."""
    store: Respond = field(default_factory=lambda: DomainDispatcherApplication(create_backend_app))

    def __call__(self, environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/role":
            return self._give_role(respond)
        signed = environ.get("HTTP_AUTHORIZATION", "")
        if "Credential=" in signed:
            self.keys.append(signed.partition("Credential=")[2].partition("/")[0])
        if self.refusal is not None:
            respond("400 Bad Request", [("Content-Type", "application/xml")])
            return [b"" if environ["REQUEST_METHOD"] == "HEAD" else self.refusal]
        answer: Iterable[bytes] = self.store(environ, respond)
        return answer

    def _give_role(self, respond: Respond) -> Iterable[bytes]:
        """As ECS and EKS give a task the keys of its role."""
        keys = {
            "AccessKeyId": ROLE_KEY,
            "SecretAccessKey": "hush",
            "Token": "token",
            "Expiration": "2099-01-01T00:00:00Z",
        }
        respond("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(keys).encode()]


@contextmanager
def serve_s3(*buckets: str) -> Iterator[LoopbackS3]:
    """A block with a server that has these buckets."""
    made = LoopbackS3()
    server = make_server("127.0.0.1", 0, made, threaded=True)
    made.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    own = fs.S3FileSystem(
        access_key="owner",
        secret_key="hush",
        endpoint_override=made.address,
        region="us-east-1",
        allow_bucket_creation=True,
    )
    for bucket in buckets:
        own.create_dir(bucket)
    try:
        yield made
    finally:
        server.shutdown()
