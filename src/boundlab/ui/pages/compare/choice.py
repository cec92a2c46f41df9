"""Which networks are compared: buttons for ready-made comparisons, and a drawer with a table to pick two to four from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.analysis.subject import Subject
from boundlab.ui import visitor
from boundlab.ui.address import here
from boundlab.ui.controls import Controls
from boundlab.ui.pages.compare import link
from boundlab.ui.pages.compare.listing import SHOWN_COLUMNS, narrowed, networks_table
from boundlab.ui.pages.compare.offers import (
    FEWEST_COMPARED,
    MOST_COMPARED,
    Offer,
    Pick,
    ReadyMade,
    offer,
    opening,
    presets,
)
from boundlab.ui.privacy import plain
from boundlab.ui.selected import selected_runs
from boundlab.ui.subjects import left_out_sentence
from boundlab.uploads.kept import left_out

# in the session
_PICKED = "compare_picked"  # a widget's, and gone after a visit to another page
_SHOWN = "compare_shown"  # names of the networks last compared
_TABLE = "compare_rows"  # how many tables there were; the rows of the last one, and which are ticked
_VISIT = "compare_visit"  # the arrival at this page that they are from
_FULL = "compare_full"  # a row was picked that has no place

_PICK_HELP = "In the order of the columns. Type to search, for example `MLP` or `0.004`; or pick rows of the table."
_FILTER_HELP = "Rows that have all these words, in any order."
_TYPICAL = "of each network the one whose training error is nearest to its mean over the seeds."


def choose_networks(controls: Controls, above: DeltaGenerator, below: DeltaGenerator) -> list[list[Subject]]:
    """The networks to compare, each with the same network's other seeds behind it. `above`: where the ready-made comparisons
    stand, `below`: the drawer."""
    known = offer()
    if len(known.picks()) < FEWEST_COMPARED:
        st.info("There are not two networks to compare: train some, or restore the shipped runs.")
        st.stop()
    offered = presets(known.runs)
    start = [known.typical(label) for label in opening(known, offered)]
    _arrive(controls, known, offered, start)
    with above:
        for preset in offered:
            _button(preset, [known.typical(label) for label in preset.labels])
        _selected(known.of_runs(frozenset(selected_runs(controls))))
    with below, st.expander("Choose networks", icon=":material/checklist:"):
        picks = _drawer(controls, known, start)
        if words := _seeds(known, picks):
            st.caption(words)
        if wrong := left_out(visitor.visitor_name(), visitor.at_home()):
            st.caption(left_out_sentence(wrong))
    return [known.group(pick) for pick in picks]


def _arrive(controls: Controls, known: Offer, offered: Sequence[ReadyMade], start: Sequence[Pick]) -> None:
    """Before the widgets: on arrival what the address names; what was compared before a visit to another page, where the menu
    led back here; never a network that is gone."""
    there = known.picks()
    more = offered[-1].labels if offered else ()
    defaults = list(dict.fromkeys([*(pick.label for pick in start), *more, *known.labels]))
    linked = [pick.name for pick in link.read_link(controls, known, [pick.label for pick in start], defaults)]
    kept = [name for name in st.session_state.get(_SHOWN, []) if name in there]
    arriving = st.session_state.get(_VISIT) != here().visit or _PICKED not in st.session_state
    if arriving:
        st.session_state[_TABLE] = (st.session_state.get(_TABLE, (0, None))[0], None)
    if arriving and not link.is_named() and len(kept) >= FEWEST_COMPARED:
        st.session_state[_PICKED] = kept
        link.write_link(controls, [there[name] for name in kept], start)
    elif arriving or len(kept) < FEWEST_COMPARED:
        st.session_state[_PICKED] = kept = linked
    st.session_state[_PICKED] = [name for name in st.session_state[_PICKED] if name in there]
    st.session_state[_SHOWN], st.session_state[_VISIT] = kept, here().visit


def _button(preset: ReadyMade, picks: Sequence[Pick]) -> None:
    names = [pick.name for pick in picks]
    icon = ":material/check:" if st.session_state[_PICKED] == names else None
    seeds = [pick.seed for pick in picks]
    words = f"{preset.help} Seeds {', '.join(seeds)}: {_TYPICAL}"
    st.button(preset.title, key=f"preset_{preset.title}", help=words, on_click=_set, args=(names,), icon=icon)


def _selected(picks: Sequence[Pick]) -> None:
    """The runs that the reader selected on another page, where there are enough."""
    if len(picks) >= FEWEST_COMPARED:
        left = f" The first {MOST_COMPARED} of {len(picks)}." if len(picks) > MOST_COMPARED else ""
        names = [pick.name for pick in picks[:MOST_COMPARED]]
        icon = ":material/check:" if st.session_state[_PICKED] == names else None
        words = f"The runs that you selected on another page.{left}"
        st.button("Selected runs", key="preset_selected", help=words, on_click=_set, args=(names,), icon=icon)


def _set(names: list[str]) -> None:
    st.session_state[_PICKED] = names


def _drawer(controls: Controls, known: Offer, start: Sequence[Pick]) -> list[Pick]:
    """What is compared, and the table to pick it from."""
    there = known.picks()
    picked = st.multiselect(
        "Compared",
        list(there),
        key=_PICKED,
        max_selections=MOST_COMPARED,
        help=_PICK_HELP,
        placeholder="Two to four networks",
    )
    if len(picked) < FEWEST_COMPARED:
        st.warning("Pick two to four networks. Until then the ones before stay on the page.")
    elif picked != st.session_state[_SHOWN]:
        st.session_state[_SHOWN] = picked
        link.write_link(controls, [there[name] for name in picked], start)
    if st.session_state.pop(_FULL, False):
        st.warning(f"{MOST_COMPARED} networks are compared at most: take one away first.")
    words = st.text_input(
        "Filter the table", key="compare_filter", placeholder="for example: MLP 0.001", help=_FILTER_HELP, live=True
    )
    _table(narrowed(networks_table(known), words), picked)
    return [there[name] for name in st.session_state[_SHOWN]]


def _table(rows: pd.DataFrame, picked: Sequence[str]) -> None:
    """The networks, the compared ones ticked. Ticks that came from elsewhere make a new table, in another place than the last:
    the browser would keep the old ones, set by session state or not, and send them back as the reader's."""
    now = _ticks(list(rows.index), picked)
    number, before = st.session_state.get(_TABLE, (0, None))
    number += now != before
    st.session_state[_TABLE] = number, now
    places = st.empty(), st.empty()
    places[number % 2].dataframe(
        rows,
        key=f"compare_rows_{number}",
        height=390,
        hide_index=True,
        column_config=SHOWN_COLUMNS,
        placeholder="",
        on_select=partial(_take, number, list(rows.index)),
        selection_mode="multi-row",
        selection_default={"selection": {"rows": now[1]}},
        alt="All networks that can be compared, one per row",
    )
    st.caption(f"{len(rows)} rows. Tick the ones to compare; a click on a column's name sorts.")


def _ticks(names: list[str], picked: Sequence[str]) -> tuple[list[str], list[int]]:
    return names, sorted(names.index(name) for name in picked if name in names)


def _take(number: int, names: list[str]) -> None:
    """The rows ticked in that table of these networks: new ones come last, those that the filter hides stay."""
    ticked = [names[row] for row in st.session_state[f"compare_rows_{number}"]["selection"]["rows"] if row < len(names)]
    before = st.session_state[_PICKED]
    kept = [name for name in before if name in ticked or name not in names]
    wanted = [*kept, *(name for name in ticked if name not in before)]
    st.session_state[_PICKED], st.session_state[_FULL] = wanted[:MOST_COMPARED], len(wanted) > MOST_COMPARED
    st.session_state[_TABLE] = (number, _ticks(names, wanted))


def _seeds(known: Offer, picks: Sequence[Pick]) -> str:
    """Which seeds are shown, where each is the one that stands for its network."""
    several = [pick for pick in picks if pick.seed and len(known.runs[pick.label].seeds) > 1]
    if not several or any(pick != known.typical(pick.label) for pick in several):
        return ""
    seeds = [plain(pick.seed) for pick in several]
    return f"Seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}: {_TYPICAL}"
