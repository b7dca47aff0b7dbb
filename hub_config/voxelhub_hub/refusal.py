"""A sentence for the person at the terminal, who gets no traceback."""


class Refusal(RuntimeError):
    """Something is missing, wrong or in the way; the text says what would make it right."""
