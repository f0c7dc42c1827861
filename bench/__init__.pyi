from bench.api import classify as classify
from bench.api import load as load
from bench.api import results as results
from bench.api import splits as splits
from bench.api import table as table
from bench.errors import UserError as UserError

__version__: str
