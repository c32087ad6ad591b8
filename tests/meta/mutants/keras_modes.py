"""Ways of running Keras that are not what they are called, or lose something on the way."""

from __future__ import annotations

from tests.meta.mutants import Catalogue

CATALOGUES: tuple[Catalogue, ...] = ()
