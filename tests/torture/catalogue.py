"""Every fault, in the order of docs/reliability.md: one file a family."""

from . import clock, damage, disk, features, kills, methods, together

FAULTS = [
    *kills.FAULTS,
    *together.FAULTS,
    *disk.FAULTS,
    *damage.FAULTS,
    *clock.FAULTS,
    *features.FAULTS,
    *methods.FAULTS,
]
