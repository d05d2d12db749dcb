"""A group of verbs that suggests the nearest name for one that it does not have."""

import click

from lasercats.core.errors import UnknownName


class VerbGroup(click.Group):
    """A group of verbs."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb.

        Raises:
            UnknownName: there is none of that name.

        """
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            remedy = f"`{ctx.command_path} --help` lists them"
            raise UnknownName("verb", args[0], self.list_commands(ctx), remedy)
        return super().resolve_command(ctx, args)
