"""Make a bundle's network a model that other programs run, and prove on real frames that it answers the same."""

from pathlib import Path

from sonoplane.inference.export import export as add_model
from sonoplane.inference.export_proof import Evidence, together
from sonoplane.inference.export_settings import ExportSettings
from sonoplane.inference.exports import Exported, Runtime
from sonoplane.models.bundle import Bundle
from sonoplane.steps.evidence import of_phantom, of_place, of_training
from sonoplane.steps.progress import progress

__all__ = ["export"]


def export(
    bundle: Bundle,
    to: Runtime,
    settings: ExportSettings,
    *,
    calibrate: Path | str | None = None,
    verify: Path | str | None = None,
) -> tuple[Bundle, tuple[Exported, ...]]:
    """Add the model to its bundle; gives what was added, of every member of an ensemble, with its proof.

    It is proven on frames of `verify` (an archive, or recordings), else of the archive `calibrate`, else on simulated
    ones. int8 is fitted to the training recordings of its archive, and proven on those of validation, whatever else it
    is proven on. Archives are folders or URLs.

    Raises:
        MissingExtra, UsageError, BundleError: as `inference.export.export`.
        RecordingError: none of the recordings can be read.
    """

    def shown(member: Bundle, what: Exported) -> Evidence:
        wanted = [verify, calibrate if what.precision == "int8" or not verify else None]
        shown = [of_place(place, member, what) for place in wanted if place]
        return together(shown) if shown else of_phantom(member, what)

    def fitted(member: Bundle, what: Exported) -> Evidence:
        assert calibrate is not None
        return of_training(calibrate, member, what)

    with progress("export", "runs") as tell:
        return add_model(
            bundle,
            to,
            settings,
            evidence=shown,
            calibration=fitted if calibrate else None,
            on_run=tell,
        )
