"""Why there is no poster: one exception that carries a constant for programs and a sentence."""

NOT_INSTALLED = (
    "what draws posters is not installed here: pip install 'vendgate[poster]' (the image has it)"
)


class PosterRefused(Exception):
    """Nothing was printed. ``reason`` is a constant, ``machine_id`` the machine that it is about,
    empty if it is about none; the text says what to do.
    """

    def __init__(self, reason: str, sentence: str, machine_id: str = "") -> None:
        super().__init__(sentence)
        self.reason, self.machine_id = reason, machine_id

    def of(self, machine_id: str) -> "PosterRefused":
        """Return the same refusal, about that machine."""
        return PosterRefused(self.reason, f"machine {machine_id}: {self}", machine_id)
