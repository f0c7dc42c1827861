"""The tutorial, followed once for all tests of the documents."""

import pytest
from follow import Followed, by_dvc, by_stages, follow


@pytest.fixture(scope="session", params=["stages", pytest.param("dvc", marks=pytest.mark.slow)])
def followed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """Follow docs/tutorial.md; `dvc repro` as its stages, with ``-m slow`` by DVC itself."""
    repro = by_stages if request.param == "stages" else by_dvc
    root = tmp_path_factory.mktemp("tutorial") / "project"
    root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_JOBS", "1")
        return follow(root, repro)
