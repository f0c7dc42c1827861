"""Types of numbers for parameters of methods: ``rank: Count = 4`` refuses 0 and -1."""

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=1)]
"""An integer of at least 1."""
Natural = Annotated[int, Field(ge=0)]
"""An integer of at least 0."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A finite number above 0."""
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A finite number of at least 0."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""A seed of a random generator: an integer in [0, 2³²)."""
Share = Annotated[float, Field(ge=0, lt=1)]
"""A number in [0, 1)."""
