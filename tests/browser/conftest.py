"""One server and one browser for all tests with a reader."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.front_ends import FrontEnds, running_front_ends


@pytest.fixture(scope="package")  # not longer: in its thread Playwright has an event loop that runs
def front_ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnds]:
    with running_front_ends(tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("state")) as found:
        yield found
