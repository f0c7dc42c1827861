"""``bench --help``: the commands by what one wants, each with its whole first sentence."""

from typing import Any

from typer.core import TyperGroup

GROUPS = {
    "Run": ("doctor", "train", "stage", "status"),
    "Look at results": ("table", "report", "compare", "record", "sweep"),
    "Is it real?": ("verify", "audit"),
    "Add a method": ("new", "methods", "check"),
    "Data, classes, splits": ("data", "words", "splits"),
    "From elsewhere": ("classify", "score", "checkpoint"),
}


class Grouped(TyperGroup):
    """The top of the command line; a command of no group stands under "More"."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each group with its commands."""
        left = dict.fromkeys(self.list_commands(ctx))
        groups = [(title, [n for n in names if n in left]) for title, names in GROUPS.items()]
        known = {name for _, names in groups for name in names}
        width = max(map(len, left), default=0)
        for title, names in [*groups, ("More", [name for name in left if name not in known])]:
            if not names:
                continue
            with formatter.section(title):
                said = [(n, self.commands[n].get_short_help_str(limit=200)) for n in names]
                formatter.write_dl([(f"{name:<{width}}", text) for name, text in said])
