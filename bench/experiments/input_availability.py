"""Match the inputs that a method declares with those that the ``inputs`` stage produced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.data.formats.input_files import InputsStatusFile
from bench.experiments.method_registry import MethodFile

DIRECT = ("video", "clips")  # read from the data set itself; the index's digest stands for them


@dataclass(frozen=True)
class Given:
    """What a method is given on some data sets, beside their videos.

    ``parts`` go into the fingerprint, ``sources`` say what each input is made by; ``missing`` is ""
    or the first input that it needs and that is not there, with what to do.
    """

    parts: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    missing: str = ""


class Inputs:
    """The inputs of a profile, from the status file that the stage inputs writes."""

    def __init__(self, config: Config, layout: Layout) -> None:
        self._profile = config.name
        self._kinds = {name: one.kind for name, one in config.profile.datasets.items()}
        found = InputsStatusFile.read(layout.inputs_status)
        self.status = None if found is None else found.root

    def of(self, file: MethodFile, values: Mapping[str, Any], datasets: Sequence[str]) -> Given:
        """Return what a method is given; nothing is known before the stage inputs has run."""
        if self.status is None:
            return Given()
        needs, wants = file.uses(values)
        parts: dict[str, str] = {}
        sources: dict[str, str] = {}
        missing = ""
        for name in (*needs, *wants):
            if name in DIRECT:
                bare = [d for d in datasets if self._kinds.get(d) == "features"]
                if name == "clips" and bare:
                    missing = missing or f"needs clips, but data set {bare[0]} has features only"
                continue
            reason = self.lacks(name, datasets)
            if not reason:
                parts |= self.status[name].parts(name, datasets)
                sources[name] = self.status[name].source
            elif name in needs:
                missing = missing or f"needs {name}: {reason}"
            else:
                parts[f"input {name}"] = ""
        return Given(parts, sources, missing)

    def lacks(self, name: str, datasets: Sequence[str]) -> str:
        """Return why some data sets have not an input, and what to do; "" if all have it."""
        facts = (self.status or {}).get(name)
        if facts is None:
            return f"describe it as profiles.{self._profile}.inputs.{name} in params.yaml"
        for dataset in datasets:
            if dataset not in facts.digests:
                reason = facts.lacking.get(dataset, f"not made for {dataset}")
                return f"{reason}; then run 'bench stage inputs'"
        return ""
