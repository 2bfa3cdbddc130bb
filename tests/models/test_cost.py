"""What networks cost, counted without computing."""

import pytest

from sonoplane.models.cost import cost, layer_table, list_models
from sonoplane.models.registry import available, network_spec


def test_every_registered_network_is_listed() -> None:
    rows = {row["name"]: row for row in list_models()}
    assert tuple(rows) == available()
    for name, parameters, streams, receptive_field in [
        ("sononet2d-16", 930_334, True, 1),
        ("sononet3d-32", 11_070_574, False, 31),
        ("sononet2plus1d-64-causal", 20_357_005, True, 31),
    ]:
        row = rows[name]
        found = (row["parameters"], row["streams"], row["receptive_field"])
        assert found == (parameters, streams, receptive_field)
    assert rows["sononet3d-16"]["gflop_per_frame"] == rows["sononet3d-16-causal"]["gflop_per_frame"]


@pytest.mark.parametrize(("kind", "taps"), [("2d", 9), ("3d", 27), ("2plus1d", None)])
def test_gflop_are_two_for_each_multiply_add(kind: str, taps: int | None) -> None:
    widths = [1, 16, 16, 32, 32, 64, 64, 64, 128, 128, 128, 128, 128, 128]
    sizes = [224 * 288 // 4**block for block in (0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4)]
    total, end = 0, 14 * 18
    for before, after, size in zip(widths, widths[1:], sizes, strict=False):
        total += size * after * (taps * before if taps else 9 * before + 3 * after)
    total += end * (128 * 64 + 64 * 7 + (0 if taps else 64 * 64 + 7 * 7))
    spec = network_spec(f"sononet{kind}-16", n_classes=7)
    assert cost(spec).gflop_per_frame == pytest.approx(2 * total / 1e9)


@pytest.mark.parametrize("name", ["sononet2d-16", "sononet2plus1d-16"])
def test_the_layer_table_adds_up(name: str) -> None:
    spec = network_spec(name, n_classes=7)
    rows = layer_table(spec)
    assert sum(row.parameters for row in rows) == cost(spec).parameters
    assert rows[0].layer.startswith("Conv")
    assert sum(row.name == "pool" for row in rows) == 4
    assert rows[-1].output == ((7, 14, 18) if name == "sononet2d-16" else (7, 6, 14, 18))


@pytest.mark.parametrize("name", ["sononet2d-16", "sononet3d-16", "echo3dcnn"])
def test_a_larger_input_costs_more(name: str) -> None:
    spec = network_spec(name, n_classes=7)
    small, large = cost(spec, (112, 144)), cost(spec, (224, 288))
    assert large == cost(spec)
    assert small.parameters == large.parameters or "echo" in name
    assert large.gflop_per_frame > 3 * small.gflop_per_frame
