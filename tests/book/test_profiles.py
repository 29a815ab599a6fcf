"""The repository's own profiles set parameters that exist."""

from pathlib import Path

import pytest
import yaml
from l2o_book import profiles

ROOT = Path(__file__).parents[2]
PARAMETERS = {
    path.stem: profiles.defaults(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "notebooks").glob("*.py"))
}


@pytest.mark.parametrize("profile", ["quick", "standard", "paper"])
def test_a_profile_names_itself_and_sets_only_parameters_that_a_notebook_has(profile):
    values = yaml.safe_load((ROOT / "profiles" / f"{profile}.yml").read_text(encoding="utf-8"))
    assert values["profile"] == profile
    assert set(values) <= set().union(*PARAMETERS.values())
    for path in (ROOT / "profiles" / profile).glob("*.yml"):
        own = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert set(own) <= set(PARAMETERS[path.stem]), path


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_notebook_is_quick_unless_told_otherwise(name):
    assert PARAMETERS[name]["profile"] == "quick"
