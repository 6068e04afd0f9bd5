"""The small digits that scikit-learn bundles: the one set that needs no download."""

import numpy as np

from axnn.data.labels import Classes
from axnn.data.parts import DataSet, stratified_split
from qcnpe.tools.extras import require_modules


def load_digits8x8(seed: int) -> DataSet:
    """The 1,797 handwritten digits of 8x8 pixels, split 60/20/20.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI repository
    (the test part, 16 grey levels).
    """
    require_modules("sklearn")
    from sklearn.datasets import load_digits

    images, target = load_digits(return_X_y=True)
    inputs = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    labels = target.astype(np.int64)
    test, validation, train = stratified_split(inputs, labels, (0.2, 0.2), seed=seed)
    return DataSet(
        name="digits8x8",
        classes=Classes.numbered(10),
        train=train,
        validation=validation,
        test=test,
    )
