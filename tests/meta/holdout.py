"""How often the first guess is right: `python -m tests.meta.holdout` prints it.

Each mutant's failures are put to the patterns of all others that are of another framework, wherever
one of these has the same fault: so a guess is right only if it finds the fault by what it does
elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fixtures.adapters import outside
from fixtures.records.diagnosis import nearest
from fixtures.records.patterns import Pattern, patterns


@dataclass(frozen=True)
class HeldOut:
    """A mutant, and the place of its fault among the guesses: 1 if the first is right, 0 if it is
    not among them."""

    pattern: Pattern
    place: int
    first: str
    score: float


def held_out(known: Sequence[Pattern]) -> Iterator[HeldOut]:
    for one in known:
        own = outside(one.adapter)
        others = [other for other in known if outside(other.adapter) != own]
        if any(failure for failure in one.tries.values()) and any(
            other.fault == one.fault for other in others
        ):
            guesses = nearest(one.tries, others)
            faults = [guess.fault for guess in guesses]
            place = faults.index(one.fault) + 1 if one.fault in faults else 0
            first = guesses[0] if guesses else None
            yield HeldOut(one, place, first.fault if first else "", first.score if first else 0.0)


def main() -> None:
    found = list(held_out(patterns()))
    for one in found:
        if one.place != 1:
            print(f"{one.pattern.mutant}: {one.pattern.fault}: place {one.place}, "
                  f"first {one.first} ({one.score:.2f})")  # fmt: skip
    for name in dict.fromkeys(outside(one.pattern.adapter) for one in found):
        own = [one for one in found if outside(one.pattern.adapter) == name]
        right = sum(one.place == 1 for one in own)
        print(f"{name}: {right} of {len(own)} ({right / len(own):.0%})")
    right, three = (sum(0 < one.place <= most for one in found) for most in (1, 3))
    print(f"right in the first guess: {right} of {len(found)} ({right / len(found):.0%}); "
          f"among three: {three} ({three / len(found):.0%})")  # fmt: skip


if __name__ == "__main__":
    main()
