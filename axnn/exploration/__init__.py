"""Which engine for a network: engines and operating points, counted, priced and compared."""

from axnn.exploration.candidates import Candidate, pareto_front
from axnn.exploration.explore import Exploration, explore, read_candidates
from axnn.exploration.limits import Limits
from axnn.exploration.space import Space

__all__ = [
    "Candidate",
    "Exploration",
    "Limits",
    "Space",
    "explore",
    "pareto_front",
    "read_candidates",
]
