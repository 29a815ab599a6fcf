"""What an equation allows that a network does not: poles, responses, where it is stable, how far it goes."""

from .certificate import Certificate, certificate
from .largest_step import LargestStep, largest_step
from .linearisation import LinearisationError, LinearRule, linearise
from .simulation import descend

__all__ = [
    "Certificate",
    "LargestStep",
    "LinearRule",
    "LinearisationError",
    "certificate",
    "descend",
    "largest_step",
    "linearise",
]
