"""Plain data of all that the library answers: what `--json` prints is made of it, and each has a JSON Schema.

    data.results(results)         what commands did              `apply --json`
    data.plan(plan)               a plan                         `plan --json`
    data.observation(seen)        a look                         `drift --json`
    data.happening(happened)      a line of history              `log --json`

They are structs: `data.plain` makes dicts and lists of them, `msgspec.json.encode` makes JSON. `SCHEMAS` has
the type behind each name, and `schema` its JSON Schema, which `lasercats schema --of NAME` prints.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from lasercats.core.errors import UnknownName
from lasercats.operate.data import acts, orders, past, things
from lasercats.operate.data.acts import (
    adopted,
    held,
    observation,
    plan,
    recovered,
    resources,
    result,
    results,
    reverted,
)
from lasercats.operate.data.base import Changes, Data, Sides, changes, plain
from lasercats.operate.data.orders import reported, work_order
from lasercats.operate.data.past import bisected, blame, detail, happening, replayed, rewriting, traced
from lasercats.operate.data.things import (
    accepted,
    check,
    machine,
    resealed,
    secrets,
    shredded,
    verified,
)

__all__ = [
    "SCHEMAS",
    "Changes",
    "Data",
    "Sides",
    "accepted",
    "acts",
    "adopted",
    "bisected",
    "blame",
    "changes",
    "check",
    "detail",
    "happening",
    "held",
    "machine",
    "observation",
    "orders",
    "past",
    "plain",
    "plan",
    "recovered",
    "replayed",
    "reported",
    "resealed",
    "resources",
    "result",
    "results",
    "reverted",
    "rewriting",
    "schema",
    "secrets",
    "shredded",
    "things",
    "traced",
    "verified",
    "work_order",
]

SCHEMAS: Mapping[str, Any] = {
    "results": acts.Results,
    "plan": acts.Plan,
    "observation": acts.Observation,
    "reverted": acts.Reverted,
    "adopted": acts.Adopted,
    "recovered": list[acts.Recovered],
    "held": list[acts.Held],
    "state": acts.Resources,
    "changes": Changes,
    "history": list[past.Happening],
    "command": past.Detail,
    "trace": list[past.Traced],
    "blame": list[past.Blame],
    "replay": past.Replayed,
    "bisect": past.Bisected,
    "rewrite": past.Rewriting,
    "rows": list[dict[str, Any]],
    "tables": dict[str, dict[str, str]],
    "head": things.Head,
    "verified": things.Verified,
    "project": things.Project,
    "trust": things.Trust,
    "trusted": list[things.Trusted],
    "added": things.Added,
    "removed": things.Removed,
    "machines": list[things.Machine],
    "checks": list[things.Check],
    "accepted": things.Accepted,
    "secrets": things.Secrets,
    "root_key": things.RootKey,
    "resealed": things.Resealed,
    "shredded": things.Shredded,
    "work_orders": list[orders.WorkOrder],
    "work_order": orders.WorkOrder,
    "reported": orders.Reported,
}
"""The type of what is printed under each name."""


def schema(name: str, more: Mapping[str, Any] = {}) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the data of a name; `more` are names beside ours, of a plugin.

    Raises:
        UnknownName: there is no data of that name.

    """
    known = {**more, **SCHEMAS}
    if name not in known:
        raise UnknownName("data", name, known)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(known[name])}
