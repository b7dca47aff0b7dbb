"""A sentence for the person at the terminal, who gets no traceback."""


class Refusal(RuntimeError):
    """Something is missing, wrong or in the way; the text says what would make it right."""


ON_KUBERNETES = "On Kubernetes the state is in a database server, volumes and a Secret, which no command in one pod reaches: " \
                "docs/administrator.md says how to copy them and how to bring them back."
