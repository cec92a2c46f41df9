"""From accurate to certified: the runs of one task by the weight of the complexity in training."""

from __future__ import annotations

import streamlit as st

from boundlab.analysis.guarantees import along_the_weights
from boundlab.charts.certified import certified_chart
from boundlab.runs.run import Run
from boundlab.specs.recipes import recipe
from boundlab.text import percent
from boundlab.ui import chart
from boundlab.ui.network_choice import task_title
from boundlab.ui.page import is_dark
from boundlab.ui.shelf import own_runs
from boundlab.ui.shipped import certified_runs, shipped_by_id


def slope(run: Run, delta: float, theorem: str) -> None:
    """The runs of the same task from accurate to certified."""
    own = [] if run.id in shipped_by_id() else [other for other in own_runs() if other.spec.train.loss == "certificate"]
    alike = (task_title(run), recipe(run.spec))
    peers = [other for other in (*certified_runs(), *own) if (task_title(other), recipe(other.spec)) == alike]
    table = along_the_weights(peers, delta, theorem)
    if len(table) < 2:
        st.caption("There are runs of this task at one weight only.")
        return
    top = max(1.1, min(1.6, 1.08 * float(table["certificate"].max())))
    first, last, best = table.iloc[0], table.iloc[-1], table.loc[table["certificate"].idxmin()]
    words = (
        f"As the weight of the complexity in training grows by a factor of {last['weight'] / first['weight']:.3g}, Theorem {theorem} goes from "
        f"**{percent(first['certificate'])}** to **{percent(last['certificate'])}** and the test error from "
        f"**{percent(first['test_error'])}** to **{percent(last['test_error'])}**."
    )
    if best["weight"] != last["weight"]:
        words += (
            f" It is smallest at weight {best['weight']:g}: **{percent(best['certificate'])}**, with a test error of "
            f"**{percent(best['test_error'])}**."
        )
    if last["certificate"] < first["certificate"] - 0.01 and last["test_error"] > first["test_error"]:
        words += " The promise is about a strongly regularised network: what can be certified is not what errs least."
    chart.show(
        certified_chart(table, run.spec.train.certificate_weight, top, theorem, is_dark()), "chart_certified", words
    )
    st.markdown(words)
    st.caption(
        f"Final epoch, means over the seeds of each weight · δ = {delta:g} for Theorem {theorem} alone. Every point is at the margin "
        "that makes its certificate smallest, so ramp error and complexity may jump in opposite directions; the confidence term "
        "is in the certificate and not drawn."
    )
