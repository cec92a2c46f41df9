// One history entry per page visited. Streamlit adds one for every change that the server makes to the address, and on the
// way to another page it writes the new page's address over the old page's path.
const MARK = Symbol.for("boundlab-address");

function watch() {
  const push = history.pushState.bind(history);
  let leaving = false; // a link of the menu was clicked, and the path is still the old one
  const path = (url) => new URL(url, location.href).pathname;
  document.addEventListener(
    "click",
    (click) => {
      const link = click.target.closest?.('a[data-testid="stPageLink-NavLink"]');
      const here = click.button === 0 && !(click.ctrlKey || click.metaKey || click.shiftKey || click.altKey);
      if (link && here) leaving = path(link.href) !== location.pathname;
    },
    true,
  );
  addEventListener("popstate", () => (leaving = false));
  history.pushState = (state, title, url) => {
    if (path(url ?? "") !== location.pathname) {
      leaving = false;
      push(state, title, url);
    } else if (!leaving) history.replaceState(state, title, url); // else the new page's, which comes with its path
  };
}

export default function () {
  if (history[MARK]) return;
  history[MARK] = true;
  watch();
}
