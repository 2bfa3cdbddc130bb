"""Names of networks and their specs."""

import json
import tomllib

import pytest
import tomli_w

from sonoplane.errors import BundleError, UsageError
from sonoplane.models.spec import NetworkSpec, available, network_spec


@pytest.mark.parametrize("name", available())
def test_a_spec_survives_json_and_toml(name: str) -> None:
    spec = network_spec(name, n_classes=3, in_channels=2, options={"features_only": True})
    assert NetworkSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert NetworkSpec.from_dict(tomllib.loads(tomli_w.dumps(spec.to_dict()))) == spec


def test_any_width_can_be_spelled() -> None:
    assert (
        network_spec("sononet2d-24", n_classes=7).kind,
        network_spec("smallnet-8", n_classes=7).width,
    ) == (
        "2d",
        8,
    )
    assert network_spec("smallnet-32", n_classes=7).name == "smallnet"


@pytest.mark.parametrize("name", ["sononet2d", "sononet-16", "sononet2d-0", "sonnet2d-16", "Smallnet"])
def test_an_unknown_name_gets_close_matches(name: str) -> None:
    with pytest.raises(UsageError, match=r"Did you mean .*(sononet2d|smallnet)"):
        network_spec(name, n_classes=7)


@pytest.mark.parametrize("name", ["resnext3d-34", "resnext3d-50-32", "echo3dcnn-8"])
def test_sizes_that_are_options_are_not_spelled_in_the_name(name: str) -> None:
    with pytest.raises(UsageError, match=r"Did you mean .*(resnext3d-50|echo3dcnn)"):
        network_spec(name, n_classes=6)


def test_a_name_like_nothing_gets_the_list() -> None:
    with pytest.raises(UsageError, match="Use one of sononet2d-16"):
        network_spec("zzz", n_classes=7)


def test_unknown_options_and_impossible_counts_are_refused() -> None:
    with pytest.raises(UsageError, match="no option depth"):
        network_spec("smallnet", n_classes=7, options={"depth": 3})
    with pytest.raises(UsageError, match="impossible"):
        network_spec("smallnet", n_classes=0)


def test_a_spec_that_contradicts_its_name_is_refused() -> None:
    with pytest.raises(UsageError, match="width 16"):
        NetworkSpec(name="sononet2d-16", kind="2d", width=32, n_classes=7)
    with pytest.raises(BundleError, match="unknown or missing keys"):
        NetworkSpec.from_dict({"name": "smallnet"})


def test_a_name_tells_kind_width_and_direction() -> None:
    spec = network_spec("sononet2plus1d-24-causal", n_classes=7, options={"mid_channels": "paper"})
    assert (spec.family, spec.kind, spec.width) == ("sononet2plus1d", "2plus1d", 24)
    assert (spec.takes_clips, spec.dense, spec.causal, spec.streams) == (True, True, True, True)
    centered = network_spec("sononet3d-16", n_classes=7)
    assert (centered.takes_clips, centered.dense, centered.causal, centered.streams) == (
        True,
        True,
        False,
        False,
    )


def test_a_network_of_single_frames_is_causal_as_it_is() -> None:
    spec = network_spec("sononet2d-16-causal", n_classes=7)
    assert spec == network_spec("sononet2d-16", n_classes=7)
    assert spec.streams
    assert not spec.takes_clips
    assert network_spec("smallnet-causal", n_classes=7).name == "smallnet"
    assert not any("2d-16-causal" in name for name in available())


def test_an_option_has_one_of_its_values() -> None:
    with pytest.raises(UsageError, match="Give one of out, paper"):
        network_spec("sononet2plus1d-16", n_classes=7, options={"mid_channels": "papre"})
    with pytest.raises(UsageError, match="no option mid_channels"):
        network_spec("sononet3d-16", n_classes=7, options={"mid_channels": "paper"})
