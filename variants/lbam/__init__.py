"""The LBAM network and the fields in which its variants differ."""

from variants.lbam.spec import FULL, Spec, variant

__all__ = ["FULL", "Spec", "variant"]
