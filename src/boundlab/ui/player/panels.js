// On a narrow screen a figure shows one of its panels at a time: the one that a button chooses.
const NARROW = 560; // pixels of a chart
const ASIDE = [0, 0.001]; // where an axis is kept whose panel is not shown: Plotly has no other place

/** What `Plotly.update` needs to show panel `one` alone, or all side by side (null). */
function panelsUpdate(plot, one) {
  const { panels } = plot._fullLayout.meta;
  const axis = (i) => `x${i ? i + 1 : ""}`;
  // the background of one kept aside would hide the edge of the one that is shown
  const layout = { "meta.panel": one, "xaxis99.overlaying": axis(one ?? panels.length - 1), plot_bgcolor: one === null ? null : "rgba(0,0,0,0)" };
  for (const [i, [, domain]] of panels.entries()) {
    const name = axis(i).replace("x", "xaxis"), shown = one === null || one === i;
    layout[`${name}.domain`] = one === null ? domain : shown ? [0, 1] : ASIDE;
    layout[`${name}.visible`] = shown;
    layout[`annotations[${i}].visible`] = shown;
    layout[`annotations[${i}].x`] = one === null ? (domain[0] + domain[1]) / 2 : 0.5;
  }
  // names and leaders say in `meta` which panel's they are, and without a choice those of the last are seen
  const seen = ({ meta, xaxis }) => (one === null ? !meta || meta === panels.length : meta ? meta === one + 1 : (xaxis ?? "x") === axis(one));
  return [{ visible: plot.data.map(seen) }, layout, plot.data.map((_, i) => i)];
}

/** The buttons in `box` that choose a panel of `chart`, where its figure has several and its screen is narrow. */
function panelChooser(chart, box) {
  let chosen = 0;
  const offer = (panels, at) => {
    box.hidden = at === null;
    const titles = panels.map(([title]) => title);
    if (!same(titles, [...box.children].map((button) => button.textContent)))
      box.replaceChildren(...titles.map((title, i) => Object.assign(document.createElement("button"), { type: "button", textContent: title, onclick: () => ((chosen = i), arrange()) })));
    for (const [i, button] of [...box.children].entries()) button.setAttribute("aria-pressed", i === at);
  };
  /** Make the chart what it should be by now; it forgets when Streamlit lays its own figure out again. */
  const arrange = () => {
    if (!chart.ready()) return;
    const { meta, width } = chart.plot()._fullLayout, panels = meta.panels ?? [];
    const at = panels.length > 1 && width < NARROW ? Math.min(chosen, panels.length - 1) : null;
    offer(panels, at);
    if ((meta.panel ?? null) !== at) chart.call("update", ...panelsUpdate(chart.plot(), at));
  };
  return arrange;
}
