"""moto as a process of its own, which keeps the instances."""

import contextlib
import http.client
import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from types import TracebackType

HOST = "127.0.0.1"
PATIENCE = 60.0
"""Seconds that moto may take to start or to answer."""


def why_not() -> str | None:
    """Return why the endpoint cannot run here, None when it can."""
    for module in ("moto", "flask", "flask_cors"):
        if importlib.util.find_spec(module) is None:
            return "the EC2 endpoint needs moto[ec2,server]"
    return None


def environment(endpoint: str) -> dict[str, str]:
    """Return the variables by which boto3 and its like talk to the endpoint, and to nothing else."""
    return {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL_EC2": endpoint,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": HOST,
    }


class MotoServer:
    """moto as a process of its own, on a free port; entering it starts it."""

    def __init__(self) -> None:
        """Plan a server."""
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """The URL of moto itself, lenient as it is."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process, while it runs."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> "MotoServer":
        """Start it, wait until it answers, and warm it up: its first call takes a second.

        Raises:
            RuntimeError: it is not installed, or does not start.

        """
        reason = why_not()
        if reason is not None:
            raise RuntimeError(reason)
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.port = free.getsockname()[1]
        with tempfile.TemporaryFile() as log:
            command = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self.port)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                self._wait()
                self.post("/", {"Authorization": credential("us-east-1")}, b"Action=DescribeRegions")
            except BaseException as error:
                self._end()
                log.seek(0)
                error.add_note(log.read().decode(errors="replace"))
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self._end()

    def reset(self) -> None:
        """Forget every resource."""
        self.post("/moto-api/reset", {}, b"")

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Post a form and return the status and body of the answer."""
        with contextlib.closing(http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE)) as connection:
            form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
            connection.request("POST", path, body, {**form, **headers})
            response = connection.getresponse()
            return response.status, response.read()

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 0.5):
                return
            time.sleep(0.01)
        raise RuntimeError(f"moto does not answer on port {self.port}")

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()  # it keeps nothing, and would take its time
            self._process.wait()
            self._process = None


def credential(region: str) -> str:
    """Return a header that names a region; nobody checks the signature."""
    scope = f"testing/20260101/{region}/ec2/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
