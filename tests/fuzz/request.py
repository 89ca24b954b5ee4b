"""What a parser took for a request, as the parsers that differential.py compares say it."""

from dataclasses import dataclass


@dataclass
class Request:
    method: bytes
    target: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""
    state: str = "part"  # whole, part (more is awaited), cut (refused within), other (another protocol's from there)

    def values(self, name: bytes) -> list[bytes]:
        """In the order of the fields, in lower case."""
        return [value.lower() for other, value in self.fields if other.lower() == name]
