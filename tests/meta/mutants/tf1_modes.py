"""Ways of running tf.compat.v1 that are not what they are called, or lose something."""

from __future__ import annotations

from tests.meta.mutants import Catalogue

CATALOGUES: tuple[Catalogue, ...] = ()
