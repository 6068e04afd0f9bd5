"""Where compiled kernels may be kept."""

import numba
import pytest

from axnn.cpu.kernels.batch import compiled


def kernel(values):
    values[0] = 1


@pytest.mark.parametrize(("mode", "is_kept"), [(0o755, True), (0o777, False)])
def test_kernel_is_kept_only_where_nobody_else_writes(tmp_path, monkeypatch, mode, is_kept):
    monkeypatch.setattr(numba.core.config, "CACHE_DIR", str(tmp_path))
    (folder,) = {compiled(kernel).stats.cache_path} - {None}
    (tmp_path / folder).chmod(mode)
    assert (compiled(kernel).stats.cache_path is not None) is is_kept
