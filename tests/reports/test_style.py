import re
from itertools import combinations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from bench.registry import discover
from reports.style import (
    BASELINES,
    OTHER_COLOURS,
    OTHER_MARKERS,
    VARIANTS,
    colour,
    style,
)

KNOWN = [*VARIANTS, *BASELINES]
ENOUGH = 10.0  # CIEDE2000; 1 is just noticeable side by side

# Viénot, Brettel and Mollon (1999): linear sRGB to LMS, one cone from the other two, and back.
TO_LMS = np.array(
    [[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]]
)
PROTAN = np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]])
DEUTAN = np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]])
SIGHT = {
    "three cones": np.eye(3),
    "protanopia, Viénot": np.linalg.inv(TO_LMS) @ PROTAN @ TO_LMS,
    "deuteranopia, Viénot": np.linalg.inv(TO_LMS) @ DEUTAN @ TO_LMS,
    # Machado, Oliveira and Fernandes (2009), severity 1.
    "protanopia, Machado": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia, Machado": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def lab(code: str, sight: str) -> np.ndarray:
    """CIELAB of #RRGGBB as seen with those cones."""
    coded = np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(SIGHT[sight] @ linear, 0, 1)
    return rgb2lab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055))


def test_simulation_merges_what_a_reader_without_green_cones_confuses() -> None:
    red, green = "#C06000", "#708000"
    seen = deltaE_ciede2000(*(lab(c, "deuteranopia, Viénot") for c in (red, green)))
    assert seen < ENOUGH < deltaE_ciede2000(*(lab(c, "three cones") for c in (red, green)))


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("group", [list(VARIANTS), ["full", *BASELINES]], ids=["variants", "all"])
def test_methods_of_one_plot_can_be_told_apart(group: list[str], sight: str) -> None:
    for one, other in combinations(group, 2):
        apart = deltaE_ciede2000(lab(colour(one), sight), lab(colour(other), sight))
        a, b = style(one), style(other)
        shapes = a["marker"] != b["marker"] and a["linestyle"] != b["linestyle"]
        assert apart >= ENOUGH or shapes, (one, other, apart)


@pytest.mark.parametrize("group", [list(VARIANTS), ["full", *BASELINES]], ids=["variants", "all"])
def test_methods_of_one_plot_have_markers_of_their_own(group: list[str]) -> None:
    assert len({style(method)["marker"] for method in group}) == len(group)


def test_variants_and_baselines_that_share_a_colour_differ_in_filling() -> None:
    looks = {tuple(sorted(style(method).items())) for method in KNOWN}
    assert len(looks) == len(KNOWN)
    for variant in VARIANTS:
        assert style(variant)["markerfacecolor"] == colour(variant)
    for baseline in BASELINES:
        assert style(baseline)["markerfacecolor"] == "white"


@pytest.mark.parametrize("method", [*KNOWN, "softplus", ""])
def test_colours_are_codes_that_show_on_white(method: str) -> None:
    assert re.fullmatch("#[0-9A-F]{6}", colour(method))
    assert lab(colour(method), "three cones")[0] < 80


def test_known_names_are_those_of_methods() -> None:
    assert set(KNOWN) <= set(discover())


def test_style_of_an_unknown_method_is_the_same_in_every_process() -> None:
    assert style("softplus") == {
        "color": "#0072B2",
        "marker": "d",
        "linestyle": ":",
        "markerfacecolor": "#0072B2",
    }


def test_unknown_methods_spread_and_never_look_like_known_ones() -> None:
    looks = [style(f"method-{number}") for number in range(400)]
    assert {look["color"] for look in looks} == set(OTHER_COLOURS)
    assert {look["marker"] for look in looks} == set(OTHER_MARKERS)
    assert len({(x["color"], x["marker"], x["linestyle"]) for x in looks}) > 90  # of 108
    assert not {style(method)["marker"] for method in KNOWN} & set(OTHER_MARKERS)
    assert colour("full") not in OTHER_COLOURS
