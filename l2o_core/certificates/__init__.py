"""What an equation allows that a network does not: poles, responses, and where it is stable."""

from .certificate import Certificate, certificate
from .linearisation import LinearisationError, LinearRule, linearise
from .simulation import descend

__all__ = ["Certificate", "LinearRule", "LinearisationError", "certificate", "descend", "linearise"]
