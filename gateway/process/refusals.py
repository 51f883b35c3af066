"""What is raised where settings cannot be used: apart from what reads them, which takes most of a
second to load, so that whoever only ends commands need not wait for it.
"""


class SettingsRefused(Exception):
    """The settings cannot be used. ``problems`` are sentences that say what to change."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
