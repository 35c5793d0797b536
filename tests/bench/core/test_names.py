import pytest

from bench.core.names import source_name
from bench.core.run_folder import NAME


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("bsds500", "bsds500"),
        ("folder:/data/My photos/", "My-photos"),
        ("folder:/data/写真", "folder"),
        ("folder:../-.x", "x"),
        (f"folder:{'long' * 9}", "long" * 6),
    ],
)
def test_a_source_has_a_name_that_folders_may_have(source: str, name: str) -> None:
    assert source_name(source) == name and NAME.fullmatch(name)
