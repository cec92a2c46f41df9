// A random name kept by this browser; its jobs are found again after a reload, and by a second tab.
const NAME = "boundlab-visitor";

function token() {
  try {
    const kept = localStorage.getItem(NAME);
    if (/^[0-9a-f]{32}$/.test(kept)) return kept;
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const fresh = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
    localStorage.setItem(NAME, fresh);
    return fresh;
  } catch {
    return null; // the browser keeps nothing: the server's own name for this session has to do
  }
}

export default function ({ data, setStateValue }) {
  const known = token();
  if (known && known !== data.token) setStateValue("token", known);
}
