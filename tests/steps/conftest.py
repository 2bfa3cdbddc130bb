"""What the tests of live feeds share: the frames of a sweep, and a network that looks back only."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # torch and OpenCV load when a test first asks for what needs them
    from sonoplane.models.bundle import Bundle
    from sonoplane.records import Frame
    from sonoplane.video.phantom import PhantomExam


@pytest.fixture(scope="session")
def sweep(exams: "list[PhantomExam]") -> "list[Frame]":
    return list(exams[0].recording.frames())


@pytest.fixture(scope="session")
def causal(bundle: "Bundle", tmp_path_factory: pytest.TempPathFactory) -> "Bundle":
    from sonoplane.models.bundle import save_bundle
    from sonoplane.models.registry import build, network_spec, weights_of

    spec = network_spec("sononet3d-2-causal", n_classes=len(bundle.card.classes))
    return save_bundle(
        tmp_path_factory.mktemp("bundles") / "causal",
        name="causal",
        version="1",
        spec=spec,
        card=bundle.card,
        weights=weights_of(build(spec, seed=1)),
        recipe={},
    )
