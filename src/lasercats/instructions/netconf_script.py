"""Instructions for a switch as a shell script that sends RPCs of NETCONF by `ssh` (RFC 6242, 4.3 framing)."""

import re
from collections.abc import Sequence

from msgspec.structs import replace

from lasercats.core.visible import hides
from lasercats.instructions.netconf import (
    AGGREGATE,
    BASE,
    ETHERNET,
    IETF,
    INSTANCE,
    LACP,
    OC,
    VLAN,
    Models,
)
from lasercats.instructions.netconf_edit import configuration, text
from lasercats.instructions.shell import ending
from lasercats.instructions.switch import Configure, Settings, Surveyed, values_of, whole
from lasercats.instructions.switch_model import with_lags

END = "]]>]]>"
MARK = "LASERCATS_NETCONF_END"
ALL = Models({IETF, OC, ETHERNET, AGGREGATE, VLAN, INSTANCE, LACP})
HELLO = f"""<hello xmlns="{BASE}">
  <capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities>
</hello>"""


def script(name: str, wanted: Sequence[Configure], ssh: str, instance: str, *, alone: bool) -> str:
    """Return a part of a POSIX script that configures all or nothing, and fails where a switch says so."""
    before, after = _sides(wanted)
    config = _seen(text(configuration(before, after, Models(ALL.namespaces, instance)), indent=True))
    steps = [
        "<lock><target><candidate/></target></lock>",
        f"<edit-config><target><candidate/></target><error-option>rollback-on-error</error-option>\n{config}\n"
        "</edit-config>",
        "<commit/>",
        "<unlock><target><candidate/></target></unlock>",
        "<close-session/>",
    ]
    rpcs = [f'<rpc xmlns="{BASE}" message-id="{n}">{step}</rpc>' for n, step in enumerate(steps, 1)]
    sent = "\n".join(f"{part}\n{END}" for part in (HELLO, *rpcs))
    mark = ending(sent, MARK)
    lines = [
        f"# {name}: NETCONF, as one edit of the candidate",
        'lc_dir=$(mktemp -d) && mkfifo "$lc_dir/in" || exit 1',
        f'{ssh} <"$lc_dir/in" >"$lc_dir/out" & lc_pid=$!',
        f"exec 3>\"$lc_dir/in\"; cat >&3 <<'{mark}'\n{sent}\n{mark}",
        'wait "$lc_pid" || lc_failed=1  # the switch ends the session when it has answered all',
        "exec 3>&-",
        'if grep -q rpc-error "$lc_dir/out" || ! grep -q rpc-reply "$lc_dir/out"; then',
        '    cat "$lc_dir/out" >&2; lc_failed=1',
        "fi",
        'rm -r "$lc_dir"',
    ]
    return "\n".join([*lines, 'exit "${lc_failed:-0}"'] if alone else lines)


def _seen(xml: str) -> str:
    """Return XML with references in place of characters that a terminal obeys or does not show."""
    return re.sub(
        r"[^\t\n\x20-\x7e]", lambda found: f"&#{ord(found[0])};" if hides(found[0]) else found[0], xml
    )


def _sides(wanted: Sequence[Configure]) -> tuple[Surveyed, Surveyed]:
    """Return what is touched, before and after, as far as it is known."""
    before, after = Surveyed(), Surveyed()
    for one in wanted:
        there, then = before.of(one.what), after.of(one.what)
        if one.before is not None and one.name not in then:
            stays = {**values_of(one.rest), **values_of(one.before)}  # what is not changed is not written
            there.setdefault(one.name, Settings(**stays))
        settings = whole(one)
        then.pop(one.name, None)
        if settings is not None:
            then[one.name] = settings
    held = [
        (side, port) for side in (before, after) for lag in side.lags.values() for port in lag.members or ()
    ]
    for side, port in held:
        side.ports.setdefault(port, Settings())
    for name in before.ports.keys() | after.ports.keys():
        before.ports.setdefault(name, Settings())
        after.ports.setdefault(name, Settings())
    return _with_lags(before), _with_lags(after)


def _with_lags(side: Surveyed) -> Surveyed:
    return replace(side, ports=with_lags(side.ports, side.lags))
