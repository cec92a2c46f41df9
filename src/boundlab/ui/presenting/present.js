// A page in front of a lecture hall: as large as the window lets the first chart be, arrow keys for its handle, a pointer, Esc to leave.
const KEY = Symbol.for("boundlab-present");

// Whole nodes and those in the shadow of a component
function* everywhere(root, selector) {
  yield* root.querySelectorAll(selector);
  for (const host of root.querySelectorAll('[data-testid="stBidiComponentIsolated"], [data-testid="stBidiComponentIsolated"] *')) {
    if (host.shadowRoot) yield* everywhere(host.shadowRoot, selector);
  }
}

// Of a chart; Streamlit's own sliders move with the arrows once they are chosen
const handle = () =>
  [...everywhere(document, "input[type=range]")].find((input) => !input.closest('[data-testid="stSlider"]') && input.checkVisibility());

let large = 1;

// Streamlit draws a chart as large as its box is on the screen, where it is enlarged already: the box is made smaller by as much,
// and the chart, which is enlarged with the page, fills the room that is kept for it
function fit(chart) {
  if (chart.dataset.large === String(large)) return;
  chart.dataset.tall ??= chart.clientHeight;
  chart.dataset.large = large;
  chart.parentElement.style.width = `${100 / large}%`;
  chart.style.height = `${chart.dataset.tall / large}px`;
  chart.parentElement.style.height = `${chart.dataset.tall}px`;
}

const fitAll = () => document.querySelectorAll('[data-testid="stPlotlyChart"]').forEach(fit);

function unfit() {
  for (const chart of document.querySelectorAll('[data-testid="stPlotlyChart"][data-large]')) {
    chart.style.height = chart.parentElement.style.height = chart.parentElement.style.width = "";
    delete chart.dataset.large;
    delete chart.dataset.tall;
  }
}

function scale() {
  const most = Math.min(innerHeight / 560, innerWidth / 860);
  large = Number(Math.max(1, Math.min(2.4, most)).toFixed(3));
  document.documentElement.style.setProperty("--present-scale", large);
  fitAll();
}

function step(by) {
  const input = handle();
  if (!input) return false;
  input.focus({ preventScroll: true });
  input.valueAsNumber += by; // stays within its ends
  input.dispatchEvent(new Event("input", { bubbles: true }));
  input.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}

function chosen(selector) {
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  return active?.matches(selector);
}

const TYPED = "input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [role=textbox], [contenteditable]";
const MOVED = `${TYPED}, input, [role=slider], [role=radio], [role=tab]`; // arrows are theirs

function begin() {
  const dot = document.createElement("div");
  dot.id = "boundlab-pointer";
  dot.hidden = true;
  document.body.append(dot);
  const move = (event) => (dot.style.translate = `${event.clientX}px ${event.clientY}px`);
  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") document.querySelector(".st-key-present_leave button")?.click();
    else if (event.key === "p" || event.key === "P") dot.hidden = chosen(TYPED) ? dot.hidden : !dot.hidden;
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      if (!chosen(MOVED) && step(event.key === "ArrowRight" ? 1 : -1)) event.preventDefault();
    }
  };
  addEventListener("pointermove", move);
  addEventListener("keydown", press);
  addEventListener("resize", scale);
  const grown = new MutationObserver(fitAll);
  grown.observe(document.body, { childList: true, subtree: true });
  scale();
  return () => {
    grown.disconnect();
    unfit();
    dot.remove();
    removeEventListener("pointermove", move);
    removeEventListener("keydown", press);
    removeEventListener("resize", scale);
    document.documentElement.style.removeProperty("--present-scale");
  };
}

export default function () {
  window[KEY]?.();
  const end = begin();
  window[KEY] = end;
  return () => {
    end();
    if (window[KEY] === end) delete window[KEY];
  };
}
