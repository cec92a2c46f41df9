// Moves the Plotly chart beside it without a server round trip, and saves it. Streamlit keeps Plotly to itself, so its
// API is reached through the one invisible button that every figure with charts/frame.py's `remote` carries.
const TELL_AFTER = 250; // ms of rest before the words under the chart and the link follow
const PLAY_SECONDS = 5;
const CAPTION_LETTER = 7.5; // pixels a letter of the saved picture's caption takes
const SETTLED_AFTER = 600; // ms in which a new chart takes its final size
const FASTER = { 1: 2, 2: 4, 4: 0.5, 0.5: 1 }; // the next speed at each
const STILL = { mode: "immediate", frame: { duration: 0, redraw: false }, transition: { duration: 0 } };

const AXIS = /^[xy]axis\d*$/;

const players = new WeakMap();
const same = (a, b) => String(a) === String(b);

/** `parts` in lines of at most `letters`, joined by `joint`. */
function filled(parts, joint, letters) {
  const lines = [];
  for (const part of parts) {
    const longer = lines.length ? `${lines.at(-1)}${joint}${part}` : part;
    if (lines.length && longer.length <= letters) lines[lines.length - 1] = longer;
    else lines.push(part);
  }
  return lines;
}

/** `text` in lines of at most `letters`, broken between its parts, and between words where a part is longer. */
const wrapped = (text, letters) =>
  filled(text.split(" · "), " · ", letters).flatMap((line) => filled(line.split(" "), " ", letters));

/** The chart in `root`, and what may be done with it; `stamp` tells which picture it should show: while Streamlit replaces a
 * chart, the old one is there too. */
function chartIn(root, stamp) {
  const plot = () => {
    const all = [...root.querySelectorAll(".js-plotly-plot")];
    return all.find((one) => one._fullLayout?.meta?.stamp === stamp()) ?? all[0];
  };
  const button = () => plot()?.querySelector(".updatemenu-button");
  const axes = () => Object.entries(plot()._fullLayout).filter(([name]) => AXIS.test(name));
  return {
    plot,
    ready: () => Boolean(button()),
    meta: () => plot()._fullLayout.meta,
    ranges: () => Object.fromEntries(axes().map(([name, axis]) => [`${name}.range`, axis.range.slice()])),
    call(method, ...args) {
      Object.assign(button().__data__, { method, args });
      button().dispatchEvent(new MouseEvent("click"));
    },
    /** The camera of Plotly's own toolbar, on a picture that says what it shows. */
    save(format, filename, caption) {
      const { width, margin: { t } } = plot()._fullLayout;
      const lines = wrapped(caption, width / CAPTION_LETTER);
      const context = plot()._context, usual = context.toImageButtonOptions;
      context.toImageButtonOptions = { format, filename, scale: 2 };
      const title = { text: lines.join("<br>"), font: { size: 14 }, x: 0.01, xref: "container", y: 1, yref: "container", yanchor: "top", pad: { t: 18 } };
      this.call("relayout", { title, "margin.t": t + 14 + 18 * lines.length });
      plot().querySelector('.modebar-btn[data-title^="Download"]').click(); // reads the options at once
      context.toImageButtonOptions = usual;
      this.call("relayout", { "title.text": "", "margin.t": t });
    },
  };
}

function makePlayer(parent) {
  const get = (name) => parent.querySelector(name);
  const input = get("input"), play = get("#play");
  const chart = chartIn((parent.host ?? parent).closest('[class*="st-key-stage"]'), () => data?.stamp);
  const arrange = panelChooser(chart, get(".panels"));
  let data, setStateValue; // as the server last sent them
  let frames = []; // of `data`, where they are a text
  let plot = null, meta = {}, zoom = {}; // the chart on screen, which figure it is, and the ranges the reader zoomed to
  let shown, rest, timer, queued;
  let laid; // the chart's data when `shown` was true of it: Streamlit lays its own figure out again as a new array
  let count = 0; // of news; the chart carries it, and loses it when Streamlit lays its own figure out again
  let home; // the ranges of the axes unless the reader zoomed
  let heard, homes; // the news that the chart shows, and the y ranges it had unless the reader zoomed
  let forget = []; // takes this player's listeners off the chart
  let speed = 1;
  let untouched = false; // the chart is as its figure has it
  let ground; // which figure's axes, names and colours it has
  let waiting = null; // the format of a picture that is saved once the server's words are about this position

  const at = () => +input.value;

  // The position that a chart nobody moved stands at; none where its figure was drawn from other frames than there are now.
  const begun = () => (data?.serial && data.serial !== meta.stamp ? undefined : meta.base);

  // What is said at this position, **so** in bold: it moves with the picture.
  const say = () => {
    const words = data.words?.[at()] ?? "", marked = (part, i) => (i % 2 ? Object.assign(document.createElement("b"), { textContent: part }) : part);
    if (get(".words").dataset.said === words) return;
    get(".words").replaceChildren(...words.split("**").map(marked));
    get(".words").dataset.said = words;
  };

  // Make the picture of another choice of the chart that is there, axes and names included.
  const shift = (to) => {
    if (to.canvas !== meta.canvas) zoom = {};
    const frame = new Map(data.traces.map((trace, i) => [trace, frames[at()][i]]));
    home = Object.fromEntries(Object.entries(to.layout).filter(([name]) => AXIS.test(name)).map(([name, axis]) => [`${name}.range`, axis.range.slice()]));
    for (const [name, range] of Object.entries(home))
      [plot._fullLayout[name.split(".")[0]]._rangeInitial0, plot._fullLayout[name.split(".")[0]]._rangeInitial1] = range; // a double click goes there
    for (const [name, range] of Object.entries(zoom)) to.layout[name.split(".")[0]].range = range.slice();
    chart.call("react", to.data.map((part, i) => ({ ...part, ...frame.get(i) })), { ...plot.layout, ...to.layout, height: plot.layout.height, meta: { ...plot.layout.meta, ...to.layout.meta, panel: null } }); // Streamlit's own height of a full screen
    [laid, ground, meta] = [plot.data, data.ground, { ...meta, canvas: to.canvas }];
  };

  const draw = () => {
    get("output").textContent = data.labels[at()] ?? "";
    input.style.setProperty("--at", at() / Math.max(1, +input.max));
    say();
    input.setAttribute("aria-valuetext", `${data.name} ${data.labels[at()]}`);
    if (!plot || meta.stamp !== data.stamp || at() === shown || !frames.length) return;
    if (data.shift && data.ground !== ground) shift(JSON.parse(data.shift));
    else chart.call("animate", { data: frames[at()], traces: data.traces }, STILL);
    [shown, untouched] = [at(), false];
  };

  // A run that trains: the figure stays the one it was, and what is new comes here, for the picture that it is about alone.
  // The y axis grows with the run, but not while the reader has zoomed.
  const hear = () => {
    if (!plot || !data.news || chart.plot() !== plot || chart.meta().stamp !== data.stamp || (heard === data.news && chart.meta().news === count)) return;
    const { traces, data: changed, y } = data.news;
    const layout = { ...data.news.layout, "meta.news": ++count };
    const here = String(chart.ranges()["yaxis.range"]), there = String(y["yaxis.range"]);
    chart.call("update", changed, here !== there && homes.has(here) ? { ...layout, ...y } : layout, traces);
    homes.add(there);
    heard = data.news;
  };

  // Laid out again by Streamlit, it is where the server knew it to be.
  const drawAgain = () => {
    if (!plot || plot.data === laid || chart.plot() !== plot) return;
    [laid, shown, untouched, ground] = [plot.data, begun(), true, meta.ground];
    draw();
  };

  const listen = (event, answer) => {
    const met = plot;
    met.on(event, answer);
    forget.push(() => met.removeListener?.(event, answer));
  };
  const leave = () => {
    for (const off of forget.splice(0)) off();
    plot = null;
  };

  // Streamlit would draw a chart anew whose own text changes.
  const name = () => data?.alt && chart.plot()?.closest("[role=figure]")?.setAttribute("aria-label", data.alt);

  // A changed figure is a new chart, drawn at the position the server knew: give it the zoom and the position of the old.
  const meet = () => {
    if (chart.plot() === plot || !chart.ready()) return;
    leave();
    if (meta.canvas !== chart.meta().canvas) zoom = {};
    [plot, meta, heard, untouched] = [chart.plot(), chart.meta(), undefined, true];
    [laid, shown, ground] = [plot.data, begun(), meta.ground];
    homes = new Set([String(chart.ranges()["yaxis.range"])]);
    name();
    hear();
    arrange();
    const since = performance.now();
    home = chart.ranges();
    const zoomAgain = () => {
      if (performance.now() - since > SETTLED_AFTER || Object.entries(zoom).every(([name, range]) => same(range, chart.ranges()[name])))
        return;
      chart.call("relayout", { ...zoom });
    };
    listen("plotly_afterplot", zoomAgain); // Streamlit lays a new chart out anew once it knows its size
    listen("plotly_afterplot", () => setTimeout(() => (hear(), drawAgain(), arrange())));
    listen("plotly_relayout", () => {
      if (performance.now() - since > SETTLED_AFTER)
        zoom = Object.fromEntries(Object.entries(chart.ranges()).filter(([name, range]) => !same(range, home[name])));
    });
    zoomAgain();
    draw();
  };

  const tell = (after = TELL_AFTER) => {
    clearTimeout(rest);
    rest = setTimeout(() => setStateValue("at", data.labels[at()]), after);
  };
  const save = (format) => {
    const known = data.labels[data.at] === data.labels[at()];
    waiting = known ? null : format;
    if (known) chart.save(format, data.file + (data.labels[at()] ?? ""), data.caption);
    else tell(0);
  };
  const label = (text, words) => {
    play.textContent = text;
    play.title = words;
    play.setAttribute("aria-label", words);
  };
  const stop = () => {
    timer = clearInterval(timer);
    label("▶", "Play");
  };
  const go = (position) => {
    input.value = position;
    draw();
  };
  const start = () => {
    if (input.value === input.max) go(0);
    label("❚❚", "Pause");
    timer = setInterval(() => {
      go(at() + 1);
      if (input.value === input.max) stop(), tell();
    }, Math.max(100, (1000 * PLAY_SECONDS) / data.labels.length) / speed);
  };
  const step = (by) => (stop(), go(at() + by), tell());

  input.oninput = () => (stop(), (queued ??= requestAnimationFrame(() => ((queued = null), draw()))));
  input.onchange = () => tell();
  play.onclick = () => (timer ? (stop(), tell()) : start());
  get("#speed").onclick = () => {
    const playing = Boolean(timer);
    speed = FASTER[speed];
    get("#speed").textContent = `${speed}×`;
    if (playing) stop(), start();
  };
  get("#back").onclick = () => step(-1);
  get("#next").onclick = () => step(1);
  for (const format of ["png", "svg"])
    get(`#${format}`).onclick = () => (stop(), save(format));
  get("#about").onclick = () => {
    get("#caption").hidden = !get("#caption").hidden;
    get("#about").setAttribute("aria-expanded", !get("#caption").hidden);
  };
  get("#link").onclick = async () => {
    const link = new URL(location.href);
    for (const [name, version] of Object.entries(data.version)) link.searchParams.set(name, version);
    if (!navigator.clipboard) return void prompt("The link that restores this view", link.href); // plain http
    await navigator.clipboard.writeText(link.href);
    get("#link").textContent = "Copied";
    setTimeout(() => (get("#link").textContent = "Link"), 1500);
  };
  stop();

  const watcher = new MutationObserver(meet);
  watcher.observe((parent.host ?? parent).closest('[class*="st-key-stage"]'), { childList: true, subtree: true });
  return {
    update(sent, report) {
      const newer = data && sent.serial !== data.serial; // the same position shows something else
      const others = !data || !same(data.labels, sent.labels); // else the answer may be to an earlier report of the reader's
      if (sent.frames !== data?.frames) frames = JSON.parse(sent.frames);
      [data, setStateValue] = [sent, report];
      if (newer) shown = untouched ? begun() : undefined;
      get(".move").hidden = data.labels.length < 2;
      get("#speed").hidden = !data.speeds;
      get("#name").textContent = data.name;
      for (const [part, there] of [[".words", data.words], ["#hint", data.hint]]) get(part).hidden = !there;
      get("#hint").textContent = data.hint;
      get("#caption").textContent = data.caption;
      get(".bar").classList.toggle("large", Boolean(data.words));
      input.setAttribute("aria-label", data.name);
      input.max = Math.max(0, data.labels.length - 1);
      if (others) input.value = data.at;
      meet();
      name();
      draw();
      hear();
      if (waiting) save(waiting);
    },
    end() {
      watcher.disconnect();
      leave();
      clearInterval(timer);
      clearTimeout(rest);
    },
  };
}

export default function ({ data, parentElement, setStateValue }) {
  if (!players.has(parentElement)) players.set(parentElement, makePlayer(parentElement));
  players.get(parentElement).update(data, setStateValue);
  return () => {
    players.get(parentElement)?.end();
    players.delete(parentElement);
  };
}
