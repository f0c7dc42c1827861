"""Stage inputs: make the inputs that methods need besides the videos, once for all methods.

An input that cannot be made is not an error: the status file gives the reason, and the methods
that need the input are listed with the status *missing*.
"""

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data.formats.input_files import InputsStatusFile, InputStatus
from bench.features.input_makers import MAKERS, NotDescribed, Unavailable, Workspace


def run(config: Config, layout: Layout) -> None:
    """Write ``data/<profile>/inputs`` and ``results/inputs/<profile>.json``."""
    work = Workspace(config, layout)
    layout.inputs.mkdir(parents=True, exist_ok=True)
    status: dict[str, InputStatus] = {}
    for name, make in MAKERS.items():
        digests: dict[str, str] = {}
        keys: dict[str, str] = {}
        lacking: dict[str, str] = {}
        source = ""
        try:
            for dataset in work.datasets:
                try:
                    made = make(work, dataset)
                except Unavailable as error:
                    lacking[dataset] = str(error)
                    continue
                source, digests[dataset] = made.source, made.digest
                if made.key:
                    keys[dataset] = made.key
        except NotDescribed:
            continue
        status[name] = InputStatus(source=source, digests=digests, keys=keys, lacking=lacking)
        state = "ok" if not lacking else f"missing: {next(iter(lacking.values()))}"
        print(f"{name}: {len(digests)} of {len(work.datasets)} data sets, {state}", flush=True)
    InputsStatusFile(status).write(layout.inputs_status)
