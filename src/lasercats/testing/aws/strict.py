"""The proxy: as strict, slow and unreliable as AWS, or as it is told to be."""

import http
import threading
from collections import Counter
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Literal
from urllib.parse import parse_qsl

from lasercats.testing.aws.back import Back
from lasercats.testing.aws.faults import Fault, Hold
from lasercats.testing.aws.instances import Instances
from lasercats.testing.aws.moto import HOST, MotoServer
from lasercats.testing.aws.storage import Storage
from lasercats.testing.aws.uses import Uses
from lasercats.testing.aws.web import Web
from lasercats.testing.aws.wire import Answer, Call, Refusal, error


class StrictEc2:
    """A proxy before moto, in threads of this process, as strict, slow and unreliable as it is told to be.

    The settings may be changed at any time: `delay` (seconds that a change of state takes), `invisible`
    (seconds until a launched instance is known to other calls), `max_instances` (pending and running, in
    a region) and `images` (that exist besides moto's own).
    """

    def __init__(
        self,
        server: MotoServer,
        *,
        delay: float = 0.0,
        invisible: float = 0.0,
        max_instances: int | None = None,
        images: Collection[str] = (),
    ) -> None:
        """Plan a proxy before a running server; entering it starts it."""
        self.delay, self.invisible, self.max_instances = delay, invisible, max_instances
        self.images = set(images)
        self.calls: Counter[str] = Counter()
        self.log: list[tuple[str, dict[str, str]]] = []
        self.sts: Counter[str] = Counter()
        """The calls of STS, which is asked whose account it is."""
        self.sts_barred = False
        """Whether STS refuses everything."""
        self._back = Back(server)
        self._turn = threading.RLock()  # one call at a time: what is checked holds while it is done
        self._web: Web | None = None
        self._forget()

    def _forget(self) -> None:
        self._faults: list[Fault] = []
        self._holds: dict[str, Hold] = {}
        self._tokens: dict[tuple[str, str, str], tuple[dict[str, str], Answer]] = {}
        self._instances = Instances(self._back, self)
        self._storage = Storage(self._back, self, self._instances)
        self._uses = Uses(self._back, self._instances)

    @property
    def endpoint(self) -> str:
        """The URL to give to clients."""
        assert self._web is not None, "the endpoint is not entered"
        return f"http://{HOST}:{self._web.server_port}"

    def __enter__(self) -> "StrictEc2":
        """Listen on a free port."""
        self._web = Web(self)
        self._thread = threading.Thread(target=self._web.serve_forever, args=(0.02,), name="strict-ec2")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let held answers go, close every connection and join every thread."""
        assert self._web is not None
        self._web.shutdown()
        self._thread.join()
        self._release()
        self._web.hang_up()
        self._web.server_close()
        self._web = None

    def clear(self) -> None:
        """Forget the calls counted so far."""
        with self._turn:
            self.calls.clear()
            self.sts.clear()
            self.log.clear()

    def reset(self) -> None:
        """Forget everything but the settings, here and in moto."""
        self._release()
        with self._turn:
            self.clear()
            self._forget()
            self._back.reset()

    def settle(self) -> None:
        """End the delays that run: every change is done, every launched instance known."""
        with self._turn:
            self._instances.settle()
            self._storage.settle()

    def throttle(self, action: str, times: int = 1) -> None:
        """Answer the next calls of an action by RequestLimitExceeded; the action `*` is any."""
        self.fail(action, "RequestLimitExceeded", "Request limit exceeded.", 503, times)

    def fail(self, action: str, code: str, message: str, status: int = 400, times: int = 1) -> None:
        """Answer the next calls of an action by an error, and do nothing."""
        self.befall(Fault(action, times, "before", Answer(status, error(code, message))))

    def cut(self, action: str, when: Literal["before", "after"] = "before", times: int = 1) -> None:
        """Close the connection of the next calls of an action, before or after the call is done."""
        self.befall(Fault(action, times, when))

    def befall(self, fault: Fault) -> Fault:
        """Have a fault befall calls from now on; return it, as it tells whether it has."""
        with self._turn:
            self._faults.append(fault)
        return fault

    def twist(self, action: str, twist: Callable[[Answer], Answer], times: int = 1) -> None:
        """Do the next calls of an action, and tell another answer in place of that of each."""
        with self._turn:
            self._faults.append(Fault(action, times, "after", twist=twist))

    def forgive(self) -> None:
        """Let no further call fail that was told to."""
        with self._turn:
            self._faults.clear()

    def hold(self, action: str) -> Hold:
        """Do the calls of an action, and hold their answers back until `set` is called or the proxy ends."""
        with self._turn:
            if action in self._holds:
                self._holds[action].set()
            self._holds[action] = hold = Hold()
        return hold

    def answer(self, body: bytes, headers: dict[str, str]) -> Answer | None:
        """Answer a request; None is to close its connection."""
        call = Call(dict(parse_qsl(body.decode(), keep_blank_values=True)), headers)
        if call.service == "sts":
            return self._sts(call)
        with self._turn:
            self.calls[call.action] += 1
            self.log.append((call.action, call.params))
            fault = self._take(call.action)
            if fault is not None and fault.when == "before":
                return fault.answer
            answer = self._once(call)
            hold = self._holds.get(call.action)
        if hold is not None:
            hold.pass_by()
        if fault is not None and fault.twist is not None:
            return fault.twist(answer)
        return answer if fault is None else None

    def _sts(self, call: Call) -> Answer:
        """Answer a call of STS: another service, counted apart, which fails on its own."""
        with self._turn:
            self.sts[call.action] += 1
            barred = self.sts_barred
        if barred:
            return Answer(403, error("AccessDenied", f"not authorized to perform: sts:{call.action}"))
        return self._back.forward(call)

    def _release(self) -> None:
        with self._turn:
            for hold in self._holds.values():
                hold.set()

    def _take(self, action: str) -> Fault | None:
        return next((fault for fault in self._faults if fault.takes(action)), None)

    def _once(self, call: Call) -> Answer:
        """Do a call, or tell again what its client token has got."""
        try:
            self._instances.check_visible(call)
            token = call.params.get("ClientToken", "")
            if not token or call.dry:
                return self._do(call)
            key = (call.region, call.action, token)
            if key in self._tokens:
                params, answer = self._tokens[key]
                if params == call.params:
                    return answer
                text = "Arguments on this idempotent request are inconsistent with arguments used in previous"
                raise Refusal("IdempotentParameterMismatch", f"{text} request(s).")
            answer = self._do(call)
        except Refusal as refusal:
            return refusal.answer
        if answer.status == http.HTTPStatus.OK:
            self._tokens[key] = (call.params, answer)
        return answer

    def _do(self, call: Call) -> Answer:
        if call.dry:
            return self._back.forward(call)
        answer = self._do_with_instances(call) or self._do_with_storage(call)
        if answer is not None:
            return answer
        if call.action in ("DeleteSecurityGroup", "DeleteSubnet", "DeleteVpc"):
            self._uses.check(call)
        return self._back.forward(call)

    def _do_with_instances(self, call: Call) -> Answer | None:
        """Do a call that is about instances; None for another one."""
        match call.action:
            case "DescribeInstances":
                return self._instances.describe(call, "reservationSet/item/instancesSet")
            case "DescribeInstanceStatus":
                return self._instances.describe(call, "instanceStatusSet")
            case "RunInstances":
                return self._instances.run(call)
            case "StartInstances" | "StopInstances" if call.instances:
                return self._instances.change(call)
            case "TerminateInstances" if call.instances:
                answer = self._instances.change(call)
                for instance in call.instances:
                    self._storage.disassociate(call, instance)
                return answer
            case "RebootInstances":
                return self._instances.reboot(call)
            case "ModifyInstanceAttribute":
                return self._instances.modify(call)
        return None

    def _do_with_storage(self, call: Call) -> Answer | None:
        """Do a call that is about volumes or addresses; None for another one."""
        storage = self._storage
        does = {
            "DescribeVolumes": storage.describe,
            "CreateVolume": storage.create,
            "AttachVolume": storage.attach,
            "DetachVolume": storage.detach,
            "ModifyVolume": storage.modify,
            "DescribeVolumesModifications": storage.modifications,
            "AssociateAddress": storage.associate,
        }
        if call.action in does:
            return does[call.action](call)
        if call.action == "DeleteVolume":
            self._uses.check(call)
            storage.check_detached(call)
        if call.action == "ReleaseAddress":
            storage.check_free(call)
        return None
