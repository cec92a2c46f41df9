"""What a reader of a page meets before doing anything: how many words and controls. Pictures have words of their own,
and a bar that saves them; neither is counted."""

# Text on screen: no menu, no picture, no icon, nothing folded or hidden
_WORDS = """() => {
  const main = document.querySelector('[data-testid="stMain"]');
  const walk = document.createTreeWalker(main, NodeFilter.SHOW_TEXT), range = document.createRange(), words = [];
  const aside = 'svg, style, script, .katex, [data-testid="stIconMaterial"], [translate="no"], [data-testid="stFullScreenFrame"] button, [class*="st-key-bar_"]';
  while (walk.nextNode()) {
    const text = walk.currentNode, parent = text.parentElement;
    range.selectNodeContents(text);
    const box = range.getBoundingClientRect();
    if (parent.closest(aside) || !parent.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}) || box.width * box.height < 2) continue;
    words.push(...text.data.split(/\\s+/).filter(word => /[\\p{L}\\p{N}]/u.test(word)));
  }
  return words;
}"""
_CONTROLS = """() => [...document.querySelectorAll(
  ['Slider', 'ButtonGroup', 'Selectbox', 'MultiSelect', 'Popover', 'Button', 'DownloadButton', 'Checkbox', 'TextInput', 'NumberInput',
   'FileUploader', 'BidiComponentIsolated']
  .map(kind => `[data-testid="stMain"] [data-testid="st${kind}"]`).join())]
  .filter(control => control.checkVisibility() && control.getBoundingClientRect().height > 2 && !control.parentElement.closest('[data-testid="stFileUploader"], [data-testid="stPopover"], [class*="st-key-bar_"]'))
  .map(control => control.innerText || control.getAttribute('data-testid'))"""


def words(page):
    """The words on the page, in order; a word has a letter or a digit."""
    return page.evaluate(_WORDS)


def controls(page):
    """What stands on every control; a row of buttons of which one is chosen is one control, a fold is none."""
    return page.evaluate(_CONTROLS)
