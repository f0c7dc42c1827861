"""Which inputs a method is given: what it declares, against what the stage inputs could make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.config.paths import Layout
from bench.config.profile import Config
from bench.experiments.method_registry import MethodFile
from bench.utils.io import digest, read_json

STATUS = {str: {"source": str, "digests": {str: str}, "keys?": {str: str}, "lacking": {str: str}}}
COMPUTED = "computed "
"""Parts of this name are digests of numbers that a network computed, which differ between types of
machines. They are recorded, and marked where they differ, but do not decide a fingerprint."""
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


def input_parts(status: Mapping[str, Any], name: str, datasets: Sequence[str]) -> dict[str, str]:
    """Return the parts of a fingerprint that an input of these data sets decides."""
    digests, keys = status[name]["digests"], status[name].get("keys", {})
    parts = {f"input {name}": digest({d: keys.get(d, digests[d]) for d in datasets})}
    if any(d in keys for d in datasets):
        parts[f"{COMPUTED}{name}"] = digest({d: digests[d] for d in datasets})
    return parts


def read_status(layout: Layout) -> dict[str, Any] | None:
    """Return what the stage ``inputs`` produced: input -> source, digests, keys and lacking."""
    status: dict[str, Any] | None = read_json(layout.inputs_status, whole=STATUS)
    return status


class Inputs:
    """The inputs of a profile, from the status file that the stage inputs writes."""

    def __init__(self, config: Config, layout: Layout) -> None:
        self._profile = config.name
        self._kinds = {name: one.kind for name, one in config.profile.datasets.items()}
        self.status = read_status(layout)

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
                parts |= input_parts(self.status, name, datasets)
                sources[name] = self.status[name]["source"]
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
            if dataset not in facts["digests"]:
                reason = facts["lacking"].get(dataset, f"not made for {dataset}")
                return f"{reason}; then run 'bench stage inputs'"
        return ""
