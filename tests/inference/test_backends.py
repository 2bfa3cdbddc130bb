import pytest

from sonoplane.errors import BundleError, UsageError
from sonoplane.inference.backends import open_backend
from sonoplane.inference.settings import RunSettings
from sonoplane.models.bundle import Bundle


@pytest.mark.parametrize("form", ["openvino", "onnx"])
def test_a_bundle_without_that_model_says_how_to_get_it(bundle: Bundle, form: str) -> None:
    with pytest.raises(BundleError, match=f"sonoplane export BUNDLE --to {form}"):
        open_backend(bundle, form)  # type: ignore[arg-type]  # a parametrized str


def test_a_precision_that_a_backend_has_not_is_refused(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="float32 only"):
        open_backend(bundle, "torch", RunSettings(precision="bf16"))
