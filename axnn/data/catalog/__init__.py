"""The published collections that the applications use, each with its routes and hashes.

The hashes are of the decoded arrays, so that every route to a collection gives the same samples.
The counts agree with the publishers' documentation.
"""

from axnn.data.catalog.adult import ADULT
from axnn.data.catalog.cifar import CIFAR10
from axnn.data.catalog.letter import LETTER
from axnn.data.catalog.mnist import FASHION_MNIST, MNIST
from axnn.data.catalog.orl import ORL

__all__ = ["ADULT", "CIFAR10", "COLLECTIONS", "FASHION_MNIST", "LETTER", "MNIST", "ORL"]

COLLECTIONS = {entry.name: entry for entry in (MNIST, FASHION_MNIST, CIFAR10, ORL, ADULT, LETTER)}
"""Every collection by name."""
