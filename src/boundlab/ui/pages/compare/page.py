"""The Compare page: pick the networks, then drawing, bounds, norms, errors and factors beside each other."""

from __future__ import annotations

import streamlit as st

from boundlab.analysis.comparison import csv_table, short_names
from boundlab.bounds import ALL
from boundlab.ui.bound_choice import choose_settings
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.formulas import formulas
from boundlab.ui.pages.compare import sections
from boundlab.ui.pages.compare.choice import choose_networks
from boundlab.ui.pages.compare.drawings import drawings
from boundlab.ui.pages.compare.outcomes import outcomes
from boundlab.ui.privacy import plain
from boundlab.words import comparison

# columns wrap where they would be too narrow to read, their drawings begin at one height; the networks' columns of all
# tables are equally wide; the names of what is compared are never cut, and in ink
_STYLE = """<style>
[class*="st-key-compare_columns"] [data-testid="stColumn"] { min-width: 160px; }
[class*="st-key-compare_name"] { min-height: 5.2rem; }
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
    """Controls, then one section after the other."""
    st.html(_STYLE)
    groups = choose_networks(controls)
    subjects = [group[0] for group in groups]
    names = short_names(subjects)
    drawings(subjects, names)
    sections.glance(groups, names)
    for line in comparison.unlike(subjects):
        st.info(line, icon=":material/difference:")
    for line in comparison.untrusted([plain(name) for name in names], subjects):
        st.warning(line)
    st.markdown("#### Bounds")
    with st.container(horizontal=True):
        settings = choose_settings(controls)
    sections.bounds_section(groups, names, settings)
    sections.norms_section(subjects, names)
    outcomes(subjects, names, settings.delta)
    sections.factors_section(controls, subjects, names, settings)
    st.download_button(
        "CSV of all numbers",
        lambda: csv_table(groups, settings).to_csv(index=False, float_format="%.10g"),
        "boundlab-compare.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    formulas(settings.convention, [bound.key for bound in ALL if settings.convention in bound.formulas])
