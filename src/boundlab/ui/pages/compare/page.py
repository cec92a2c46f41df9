"""The Compare page: pick the networks, then one view of them: their picture, or facts, bounds, norms, errors, factors."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from boundlab.analysis.comparison import csv_table, short_names
from boundlab.analysis.subject import Subject
from boundlab.specs.settings import Settings
from boundlab.ui.address import get
from boundlab.ui.bound_choice import choose_settings
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.pages.compare import sections
from boundlab.ui.pages.compare.choice import choose_networks
from boundlab.ui.pages.compare.drawings import drawings
from boundlab.ui.pages.compare.links import counterpart_links
from boundlab.ui.pages.compare.outcomes import outcomes
from boundlab.ui.privacy import plain
from boundlab.words import comparison

VIEWS_OF_NETWORKS = ("picture", "facts", "bounds", "norms", "errors", "factors")
_VIEWS_HELP = (
    "picture: what each network sees, and one bound beside the test error · facts: data, training, size · bounds: all of them, in every "
    "convention · norms: layer by layer · errors: with what may be promised, and margins · factors: which factor of a bound differs"
)

# columns wrap where they would be too narrow to read, their drawings begin at one height; the networks' columns of all
# tables are equally wide; the names of what is compared are never cut, and in ink
_STYLE = """<style>
[class*="st-key-compare_columns"] [data-testid="stColumn"] { min-width: 160px; }
[class*="st-key-compare_name"] { min-height: 3rem; }
[class*="st-key-compare_name"] h5 { font-size: 1.1rem; padding-bottom: 0.1rem; }
[class*="st-key-compare_table"] table { table-layout: fixed; width: 100%; }
[class*="st-key-compare_table"] :is(th, td) { font-size: 1rem; overflow-wrap: anywhere; }
.st-key-compare_picked [data-tag] {
  height: auto; max-width: 100%; color: inherit; background: color-mix(in srgb, currentColor 12%, transparent);
}
.st-key-compare_picked [data-tag] span { white-space: normal; max-width: none; }
.st-key-compare_picked :has(> [data-tag]), .st-key-compare_picked [data-testid="stMultiSelectTagsContainer"] { max-height: none; }
</style>"""


@st.fragment
@with_controls
def compare(controls: Controls) -> None:
    """Ready-made comparisons and the view above, the list of all networks below."""
    st.html(_STYLE)
    above, stage, below = st.container(horizontal=True), st.container(), st.container()
    groups = choose_networks(controls, above, below)
    subjects = [group[0] for group in groups]
    names = short_names(subjects)
    with above, st.popover("More", icon=":material/tune:"):
        settings = choose_settings(controls)
        _csv(groups, settings)
    with stage:
        view = controls.pick("View", VIEWS_OF_NETWORKS, "view", _VIEWS_HELP, "factors" if get("bound") else None)
        _show(controls, view, groups, names, settings)
        for line in comparison.untrusted([plain(name) for name in names], subjects):
            st.warning(line)
    with below:
        _unlike(subjects)


def _show(
    controls: Controls, view: str, groups: Sequence[Sequence[Subject]], names: Sequence[str], settings: Settings
) -> None:
    subjects = [group[0] for group in groups]
    if view == "picture":
        drawings(subjects, names)
        sections.one_ladder(groups, names, settings)
    elif view == "facts":
        sections.glance(groups, names)
        counterpart_links(subjects, names)
    elif view == "bounds":
        sections.bounds_section(groups, names, settings)
    elif view == "norms":
        sections.norms_section(subjects, names)
    elif view == "errors":
        outcomes(subjects, names, settings.delta)
    else:
        sections.factors_section(controls, subjects, names, settings)


def _unlike(subjects: Sequence[Subject]) -> None:
    """What besides the architecture differs: a line, which opens on what that means."""
    found = comparison.unlike(subjects)
    if found:
        with st.expander(f"Unlike: {', '.join(found)}", icon=":material/difference:"):
            for line in found.values():
                st.info(line)


def _csv(groups: Sequence[Sequence[Subject]], settings: Settings) -> None:
    st.download_button(
        "CSV of all numbers",
        lambda: csv_table(groups, settings).to_csv(index=False, float_format="%.10g"),
        "boundlab-compare.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
