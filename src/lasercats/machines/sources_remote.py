"""Secrets that are kept in HashiCorp Vault or AWS Secrets Manager, read by their own clients."""

import json
import os
import re
from typing import Any

from lasercats.core.errors import BadInput
from lasercats.machines.sources import Sources

_ARN = re.compile(r"arn:[^:]*:secretsmanager:([^:]+):")


def vault(name: str, sources: Sources) -> bytes:
    """Return a field of a secret in HashiCorp Vault; the server and the token are those of its command line.

    Raises:
        BadInput: it cannot be had.

    """
    del sources
    path, _, field = name.partition("#")
    try:
        import hvac  # noqa: PLC0415 - an extra, and heavy
    except ImportError:
        raise BadInput(
            "HashiCorp Vault needs hvac; install it with `pip install 'lasercats[vault]'`"
        ) from None
    try:
        client = hvac.Client(namespace=os.environ.get("VAULT_NAMESPACE"))
        data = _of_vault(client, path.strip("/"))
    except (hvac.exceptions.VaultError, OSError, ValueError, LookupError, TypeError) as error:
        text = _reason(error)
        raise BadInput(
            f"vault:{path} cannot be read from Vault ({text}); see that VAULT_ADDR and VAULT_TOKEN are right"
        ) from None
    return _field(data, field, f"vault:{path}")


def _of_vault(client: Any, path: str) -> Any:  # noqa: ANN401
    """Read a secret; which engine is mounted there is asked first, as the command line of Vault does."""
    answer = client.adapter.get(f"/v1/sys/internal/ui/mounts/{path}")
    mount = (answer.json() if hasattr(answer, "json") else answer)["data"]
    point = str(mount["path"]).strip("/")
    below = path.removeprefix(point).strip("/")
    if mount["type"] != "kv":
        return (client.read(path) or {})["data"]
    if (mount.get("options") or {}).get("version") == "2":
        found = client.secrets.kv.v2.read_secret_version(
            path=below, mount_point=point, raise_on_deleted_version=True
        )
        return found["data"]["data"]
    return client.secrets.kv.v1.read_secret(path=below, mount_point=point)["data"]


def aws(name: str, sources: Sources) -> bytes:
    """Return a secret in AWS Secrets Manager, or a key of it where it is a JSON object.

    Credentials and region are those of the AWS command line; an ARN tells its own region.

    Raises:
        BadInput: it cannot be had.

    """
    del sources
    import boto3  # noqa: PLC0415 - heavy
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    id_, _, key = name.partition("#")
    arn = _ARN.match(id_)
    try:
        client = boto3.session.Session().client("secretsmanager", region_name=arn[1] if arn else None)
        answer = client.get_secret_value(SecretId=id_)
    except (BotoCoreError, ClientError, ValueError) as error:
        raise BadInput(
            f"aws:{id_} cannot be read from Secrets Manager ({_reason(error)}); see that the region and the "
            "credentials are right, as `aws secretsmanager describe-secret` does"
        ) from None
    if "SecretString" not in answer:
        return bytes(answer["SecretBinary"])
    text = answer["SecretString"]
    if not key:
        return text.encode()
    try:
        data = json.loads(text)
    except ValueError:
        raise BadInput(f"aws:{id_} is no JSON object, so it has no key {key!r}; leave that out") from None
    return _field(data, key, f"aws:{id_}")


def _field(data: Any, field: str, what: str) -> bytes:  # noqa: ANN401
    """Return a field of a secret that has several."""
    if not isinstance(data, dict):
        raise BadInput(f"{what} has no fields; leave {field!r} out")
    names = ", ".join(sorted(data))
    if not field and len(data) != 1:
        raise BadInput(
            f"{what} has the fields {names}; name one, as {what}#{next(iter(sorted(data)), 'NAME')}"
        )
    if field and field not in data:
        raise BadInput(f"{what} has no field {field!r}; it has {names or 'none'}")
    value = data[field] if field else next(iter(data.values()))
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def _reason(error: Exception) -> str:
    """Return what an error of a client says, in one short line; what came back may hold the secret."""
    if isinstance(error, LookupError | TypeError | ValueError):
        return f"the answer is none that is understood, {type(error).__name__}"
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__
