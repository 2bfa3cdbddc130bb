"""The command `sonoplane`: which commands there are, and how errors and exit statuses come out."""

import logging
import os
import sys
from pathlib import Path
from typing import Any

from cyclopts import App, CycloptsError, CycloptsPanel
from pydantic import ValidationError

from sonoplane import __version__
from sonoplane.errors import SonoplaneError

__all__ = ["app", "main"]


def _told(error: CycloptsError) -> Any:
    """A wrong call in words: the settings' own complaints without the settings library's address."""
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return CycloptsPanel(error)
    return CycloptsPanel(
        "\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, not {e['input']!r}." for e in cause.errors())
    )


app = App(
    name="sonoplane",
    version=__version__,
    help="Finds and names the standard planes in ultrasound video, and trains the networks that do it.\n\n"
    "Start with `sonoplane demo --out demo-output`. Any command takes --debug, which shows where an error arose.",
    error_formatter=_told,
    suppress_keyboard_interrupt=False,
)

#: What `--help` says of each command; it lies in a file of its own that is imported when it is called, so that
#: `sonoplane --help` is quick.
COMMANDS = {
    "predict": """
Say what recordings show, and hand over the frames worth seeing.

Example: `sonoplane predict study/ sweep.dcm --bundle liver --out out`
""",
    "stream": """
Say what a live feed shows, frame by frame: a recording at its own pace, a capture device, a network
address, or raw frames on standard input (-).

Example: `sonoplane stream rtsp://scanner.local/live --bundle liver --record out`

Ctrl-C ends it; what was recorded is then whole. `--json` prints a line of JSON for every frame.
""",
    "prepare": """
Turn recordings and their labels into an archive for training.

Example: `sonoplane prepare sweeps/ --out archive --labels planes=labels.csv`

Beside the archive, in `<archive>-private`, lies what must not travel with it: the key of its
pseudonyms, which recording got which, `failures.csv`, and `sheet.html`, which shows what was
blanked in every recording.
""",
    "train": """
Train a network on an archive and leave it as a bundle; its input is that which the archive was
prepared for.

Example: `sonoplane train archive --task planes --out liver --training.epochs 20`

Cross-validation: `sonoplane train archive --task planes --out liver5 --folds 5`
""",
    "evaluate": """
Measure how right a network is on an archive's recordings, how surely that is known, and how far to
believe it.

Example: `sonoplane evaluate archive --bundle liver --split test --out evaluation`
""",
    "compare": """
Measure several networks on the same recordings: which is better, how surely, and at what cost.

Example: `sonoplane compare archive --bundle a --bundle b --bundle c --out comparison`
""",
    "explain": """
Say what recordings show, as `predict` does, and where in their frames the network looked.

Example: `sonoplane explain sweep.dcm --bundle liver --out out --method grad-cam`
""",
    "export": """
Make the network a model that other programs run, kept in its bundle, and prove that it answers the
same.

Example: `sonoplane export liver --to openvino`
""",
    "models": """
Show the networks that can be trained: parameters, cost, how many frames they see; or the layers of one.

Example: `sonoplane models sononet3d-16`
""",
    "weights": """
Bring published or foreign networks in.
""",
    "demo": """
Simulate sweeps, train a small network on two thirds of the patients, and find the planes of the
others.

Example: `sonoplane demo --out demo-output`
""",
}
for _name, _help in COMMANDS.items():
    app.command(f"sonoplane.cli.{_name}:{_name}", name=_name, help=_help.strip())

_TRAIN = "Run `pip install 'sonoplane[train]'`."
#: What is not in the plain install, and how to get it.
_EXTRAS = dict.fromkeys(
    ("torch", "captum", "pytorch_lightning", "onnxscript", "numba", "matplotlib", "tensorboardX"), _TRAIN
)


def main() -> None:
    """Run the command line: errors as one line, exit status as the manual says."""
    tokens = sys.argv[1:]
    debug = "--debug" in tokens
    if debug:
        logging.basicConfig(level=logging.WARNING)
        logging.getLogger("sonoplane").setLevel(logging.DEBUG)
    try:
        status = app([token for token in tokens if token != "--debug"], result_action="return_value")
    except KeyboardInterrupt:
        _complain("Interrupted. What was finished is kept.")
        status = 130
    except BrokenPipeError:
        status = 0
    except SonoplaneError as error:
        if debug:
            raise
        _complain(f"sonoplane: {error}")
        status = 2
    except OSError as error:
        if debug:
            raise
        what = f": '{Path(os.fsdecode(error.filename)).name}'" if error.filename else ""
        _complain(
            f"sonoplane: {error.strerror or type(error).__name__}{what}. Check the path, its permissions and space."
        )
        status = 2
    except ModuleNotFoundError as error:
        if debug or error.name is None:
            raise
        advice = _EXTRAS.get(error.name, "Install sonoplane again.")
        _complain(f"sonoplane: This needs {error.name}, which is not installed. {advice}")
        status = 2
    except Exception as error:
        if debug:
            raise
        _complain(
            f"sonoplane: an error that it has no word for ({type(error).__name__}). "
            "Run again with --debug and report what it shows."
        )
        status = 2
    sys.exit(status if isinstance(status, int) else 0)


def _complain(line: str) -> None:
    sys.stderr.write(f"{line}\n")
