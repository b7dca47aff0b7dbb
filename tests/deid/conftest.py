from __future__ import annotations

import warnings

import pytest
from support.cleaned import Cleaned, all_cleaned
from support.planted import Corpus, PlantedFile, make_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("planted"))


@pytest.fixture(scope="session")
def research(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[PlantedFile, Cleaned]]:
    """Every planted file through the profile that clinical projects use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return all_cleaned(corpus, tmp_path_factory.mktemp("research"))
