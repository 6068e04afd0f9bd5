"""The precision control register changes only when it is loaded; its ceiling."""

from qcnpe.rtl.layouts import mode_bits
from qcnpe.rtl.precision import PrecisionRegister
from qcnpe.spec.config import EngineConfig
from tests.qcnpe.rtl.oracle import OracleTest


class TestPrecisionRegister(OracleTest):
    configs = (
        EngineConfig(),
        EngineConfig(precisions=(16,)),
        EngineConfig(precisions=(16, 8, 2)),
        EngineConfig(ncu="gated", precisions=(16, 11, 5)),
    )

    def build(self, config):
        return PrecisionRegister(config)

    def operations(self, config, rng):
        """Every width is asked for; only known ones are loaded, as the decoder does."""
        widths = [*range(32), *rng.choice(config.precisions, 40).tolist()]
        return [
            {
                "requested": width,
                "load": int(width in config.precisions and rng.random() < 0.5),
                "ceiling": int(rng.choice(config.precisions)),
            }
            for width in rng.permutation(widths).tolist()
        ]

    def expect(self, config, operations):
        held, outputs = 16, []
        for operation in operations:
            requested = operation["requested"]
            known = {"precision": held, "known": int(requested in config.precisions)}
            if mode_bits(config):
                known["mode"] = config.precisions.index(held)
            outputs.append(known)
            if operation["load"]:
                held = min(requested, operation["ceiling"]) if config.kind.is_gated else requested
        return outputs
