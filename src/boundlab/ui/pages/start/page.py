"""Guess, then the picture: what is promised about a network, beside the truth."""

from __future__ import annotations

import functools

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from boundlab.analysis.conditions import conditions_of
from boundlab.charts.promises import Guess, guess_figure
from boundlab.ui import chart
from boundlab.ui.controls import Controls, with_controls
from boundlab.ui.handle import anchored, handle_at
from boundlab.ui.page import is_dark
from boundlab.ui.pages.start import guess
from boundlab.ui.pages.start.choice import Chosen, choose, first_label
from boundlab.ui.pages.start.picture import Story, sketch, story
from boundlab.ui.pages.start.stories import stories
from boundlab.ui.player import player
from boundlab.ui.shipped import shipped_runs
from boundlab.words.guarantees import CHOICE, spelled_out
from boundlab.words.promises import OLDER_NOTE, seen_by_a_neuron

QUESTION = "How many of 100 new digits will this network get wrong?"
_HINT = "how hard weights are pulled to zero"
_NOTHING = "There are no shipped networks of these data at several weight decays: restore `data/runs`, or pick other data under *More*."
_PLAYER, _STAGE = "player_start", "stage_start"
# A phone shows the chart, then the handle, and the drawing last
_PHONE = f"""<style>@media (max-width: 640px) {{
.st-key-{_STAGE} :is([data-testid="stLayoutWrapper"], [data-testid="stHorizontalBlock"]):has(> * .st-key-sketch) {{ display: contents; }}
.st-key-{_STAGE} > * {{ order: 1; }}
.st-key-{_STAGE} [data-testid="stColumn"]:has(.st-key-sketch) {{ order: 2; }}
}}</style>"""


@st.fragment
@with_controls
def start(controls: Controls) -> None:
    """The question, or its answer."""
    lead, stage, below = st.container(), st.container(key=_STAGE), st.container()
    st.html(_PHONE)
    shown = guess.revealed(controls)
    with stage:
        left, right = st.columns([1, 1.65], gap="medium")
    with left.container(key="sketch"):
        drawing = st.container()
        more: DeltaGenerator
        if shown:
            about = st.container(horizontal=True, vertical_alignment="center")
            with about:
                named = st.container(width="content")
                more = st.popover("More", icon=":material/tune:", width="content")
        else:
            more = st.container()
    with more:
        chosen = choose(controls, widgets=shown)
    if chosen is None:
        lead.info(_NOTHING)
        return
    at = _position(controls, chosen.labels)
    lead.caption(f"Trained on {chosen.images:,} handwritten digits; these it has never seen.")
    with drawing:
        st.html(sketch(chosen, at, is_dark()))
    if not shown:
        with right:
            _ask(controls)
        return
    with drawing:
        st.caption(seen_by_a_neuron(chosen.arch))
    named.markdown(f"**{chosen.arch.conv_layers} layers · {chosen.arch.channels} channels**")
    told = story(chosen)
    _answer(chosen, told, guess.made(controls), at, stage=stage, right=right)
    with more:
        st.button("Guess again", on_click=guess.again, icon=":material/replay:")
    with below:
        stories(chosen, chosen.labels[at])
        _spelled_out(chosen, told, at)


def _position(controls: Controls, labels: list[str]) -> int:
    """Where the handle stands: where the reader's browser reports that it was moved to, else as the address says."""
    default = first_label(labels)
    at = handle_at(controls, _PLAYER, "wd", "Weight decay λ", labels, labels, few=True) or default
    controls.keep("wd", at, default)
    return labels.index(at)


def _ask(controls: Controls) -> None:
    """Two guesses, drawn on the axis as the truth and the promises will be."""
    mine = guess.take_guess(controls)
    guess.reveal_buttons(mine)
    words = f"Your guess: {mine.wrong} wrong of 100, and a promise of at most {mine.promised}"
    chart.show(guess_figure(mine, is_dark()), "chart_guess", words)


def _answer(
    chosen: Chosen, told: Story, mine: Guess | None, at: int, stage: DeltaGenerator, right: DeltaGenerator
) -> None:
    """The picture and its handle."""
    film = told.film(mine, is_dark())
    picture = film.at(anchored("start", (film.stamp, film.still), at))
    caption = _caption(chosen, told)
    with right:
        chart.draw(picture.figure, "chart_start", f"Wrong out of 100 new digits. {told.verdicts[at].replace('**', '')}")
    with stage:
        player(
            _PLAYER,
            picture,
            "Weight decay λ",
            chosen.labels,
            at,
            f"boundlab-{chosen.dataset}-start-",
            caption,
            words=told.verdicts,
            hint=_HINT,
            points=functools.partial(told.table(chosen.delta).to_csv, index=False),
        )
        st.caption(caption)


def _caption(chosen: Chosen, told: Story) -> str:
    """What the picture is of, and what all its promises hold with."""
    network, sure = told.networks[0], f"{100 * (1 - chosen.delta):.6g} %"
    truth = f"truth: errors on {network.test_images:,} test images"
    return f"{chosen.task} · {chosen.arch.title}, seed 0 · {truth} · the promises hold together with probability {sure}"


def _spelled_out(chosen: Chosen, told: Story, at: int) -> None:
    """Every line at this λ, for who wants to know."""
    network = told.networks[at]
    box = st.expander("What every line promises", icon=":material/info:", on_change="rerun", key="lines_start")
    if box.open:
        with box:
            guessing = 1 - 1 / chosen.arch.classes
            for line in told.lines:
                made = next((g for g in network.made if g.kind == line.key), None)
                if made:
                    st.markdown(spelled_out(made, guessing, shipped_runs()))
            st.markdown(f"- {OLDER_NOTE}")
            for words in conditions_of(network.run.spec):
                st.markdown(f"- {words}")
            st.caption(CHOICE)
