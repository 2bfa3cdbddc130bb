import json
from dataclasses import replace
from pathlib import Path

import pytest

from sonoplane.models.bundle import Bundle
from sonoplane.records import Frame
from sonoplane.steps.recipe import layered
from tests.steps.live_feeds import ALL, Feed, findings, follow


def test_a_region_that_is_kept_lets_the_next_run_start_at_once(
    sweep: list[Frame], bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache" / "region.json"
    first, _ = follow(Feed(sweep), bundle, region_cache=cache, record=tmp_path / "a")
    again, streamed = follow(Feed(sweep, wait_s=0.05), bundle, region_cache=cache, record=tmp_path / "b")
    assert [a.plane for a in again] == [a.plane for a in first]
    assert again[0].latency_ms < 900, "not held until the last came"
    one, other = findings(tmp_path / "a" / "stream"), findings(streamed.folder)
    assert one["region"] == other["region"]
    assert any("earlier run" in warning for warning in other["warnings"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("spoil", ["size", "search", "text", "box"])
def test_a_kept_region_that_does_not_fit_is_searched_anew(
    spoil: str, sweep: list[Frame], bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "region.json"
    expected, _ = follow(Feed(sweep), bundle, region_cache=cache)
    frames, recipe = sweep, layered(ALL)
    values = json.loads(cache.read_text())
    if spoil == "size":
        frames = [replace(frame, image=frame.image[:-2]) for frame in sweep]
    elif spoil == "search":
        recipe = layered(ALL, {"region": {"least_share": 0.05}})
    elif spoil == "box":
        cache.write_text(json.dumps(values | {"box": values["box"] | {"right": 5000}}))
    else:
        cache.write_text("[1]")
    answers, _ = follow(Feed(frames), bundle, recipe, region_cache=cache)
    assert "searched anew" in capsys.readouterr().err
    if spoil != "size":
        assert [a.probability for a in answers] == [a.probability for a in expected]
