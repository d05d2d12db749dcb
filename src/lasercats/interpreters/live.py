"""`live`: looks at the machines, decides on what is there, acts, and records what really changed.

    accept ─▶ look (a batch a machine) ─▶ decide ─▶ act (a batch a machine) ─▶ event

Every step is in the log before it is taken (`lasercats.interpreters.journal`), so that what a crash cut off
can be finished, and what waits for a person goes on in another process.
"""

from collections.abc import Sequence

from lasercats.core.command import Command, Effect
from lasercats.core.errors import Fenced, LogError
from lasercats.interpreters.accepting import accept, predicted
from lasercats.interpreters.acting import Acting
from lasercats.interpreters.context import Context, Result
from lasercats.interpreters.deciding import Deciding
from lasercats.interpreters.driver import Driver
from lasercats.interpreters.journal import Journal
from lasercats.interpreters.run import Run


class Live:
    """Carries commands out."""

    async def run(self, commands: Sequence[Command], context: Context) -> Sequence[Result]:
        """Carry commands out, in order where they touch each other, at once where they do not.

        Raises:
            LogConflict: an address is being changed by someone else; nothing was done.
            UnknownName: a machine is not bound; nothing was done.
            BadInput: a machine is of another sort than the command is for; nothing was done.

        """
        for command in commands:
            for address in command.on:
                machine = context.kinds.machine_of(address)
                if machine is not None and command.effect is not Effect.RECORD:
                    context.machines.check(machine, context.kinds.domain(address))
        return await carry_out(commands, Journal(context)) if commands else ()


async def carry_out(commands: Sequence[Command], journal: Journal) -> Sequence[Result]:
    """Carry commands out by a journal: fresh ones, or those of its past."""
    run = Run(commands, journal)
    targets = predicted(run)
    accept(run, targets)
    try:
        deciding = Deciding(run, targets)
        acting = Acting(run, await deciding.decide(), deciding.unseen)
        await Driver(journal.context, journal, acting.ended).run(acting.tasks)
        acting.all_ended()
        await acting.renew()
        journal.commit()
        journal.release()
    except Fenced as error:
        raise journal.fenced_off(error) from None
    except LogError as error:
        reported = [address for one in run.progress for address in one.reports]
        raise journal.unrecorded(error, reported, run.doubtful) from None
    except BaseException:
        journal.give_up()
        raise
    return [one.result(journal.orders.get(one.position)) for one in run.progress]
