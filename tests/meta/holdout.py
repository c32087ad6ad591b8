"""How often the first guess is right: `python -m tests.meta.holdout` prints it.

Each mutant's failures are put to the patterns of all others that are of another framework, wherever
one of these has the same fault: so a guess is right only if it finds the fault by what it does
elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fixtures.adapters import outside
from fixtures.records.diagnosis import NEAR, candidates, nearest, weights_of
from fixtures.records.patterns import Pattern, patterns


@dataclass(frozen=True)
class HeldOut:
    """A mutant, and the place of its fault among the guesses: 1 if the first is right, 0 if it is
    not among them."""

    pattern: Pattern
    place: int
    first: str
    score: float


def held_out(known: Sequence[Pattern], kerases_are_one: bool = False) -> Iterator[HeldOut]:
    """Of every mutant that has kin in another framework. Keras 2 and 3 are two frameworks, and have
    much code in common: they may be held out together."""

    def framework(one: Pattern) -> str:
        name = outside(one.adapter)
        return "keras" if kerases_are_one and name.startswith("keras") else name

    elsewhere = {
        name: [one for one in known if framework(one) != name] for name in {*map(framework, known)}
    }
    weights = {name: weights_of(others) for name, others in elsewhere.items()}
    for one in known:
        name = framework(one)
        others = candidates(one.adapter, elsewhere[name])
        if any(other.fault == one.fault for other in others):
            guesses = nearest(one.tries, others, weights[name])
            faults = [guess.fault for guess in guesses]
            place = faults.index(one.fault) + 1 if one.fault in faults else 0
            yield HeldOut(one, place, *((faults[0], guesses[0].score) if guesses else ("", 0.0)))


def share(found: Sequence[HeldOut], most: int = 1) -> str:
    right = sum(0 < one.place <= most for one in found)
    return f"{right} of {len(found)} ({right / max(len(found), 1):.0%})"


def main() -> None:
    known = patterns()
    found = list(held_out(known))
    for one in found:
        if one.place != 1:
            said = f"first {one.first} ({one.score:.2f})" if one.first else "nothing is near"
            print(f"{one.pattern.mutant}: {one.pattern.fault}: place {one.place}, {said}")
    for name in dict.fromkeys(outside(one.pattern.adapter) for one in found):
        own = [one for one in found if outside(one.pattern.adapter) == name]
        print(f"{name}: {share(own)}")
    print(f"right in the first guess: {share(found)}; among the first three: {share(found, 3)}")
    together = list(held_out(known, kerases_are_one=True))
    print(f"with both Kerases held out together: {share(together)}; {share(together, 3)}")
    said = [one for one in found if one.score >= NEAR]
    print(f"of those of which anything is said: {share(said)}")


if __name__ == "__main__":
    main()
