"""The LBAM network and the fields in which its variants differ."""

from variants.lbam.spec import FULL, LBAM, variant

__all__ = ["FULL", "LBAM", "variant"]
