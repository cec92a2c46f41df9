"""What comes of a file of another kind, or one that is too large, on page Your checkpoint: said beside the box, not only where the mouse rests."""

from boundlab.uploads.server import MOST_MB
from tests.e2e.serving import serving, visit

_SAID = """() => getComputedStyle(document.querySelector('.st-key-checkpoint_files'), '::after').content"""


def test_other_files_are_named_and_too_large_ones_told_so(browser, tmp_path):
    (keras := tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 5000)
    (large := tmp_path / "large.safetensors").write_bytes(b"\0" * (MOST_MB * 2**20 + 1))
    with serving() as url:
        page = visit(browser, f"{url}/checkpoint", drawn='[data-testid="stFileUploader"]')
        assert page.evaluate(_SAID) == "none"
        chooser = page.locator('input[type="file"]')
        chooser.set_input_files(str(keras))
        named = page.get_by_text("an HDF5 file, as Keras saves networks; make the same layers in PyTorch")
        named.wait_for(timeout=120_000)
        page.locator('input[type="file"]').set_input_files(str(large))
        page.wait_for_function(f"() => ({_SAID})().includes('larger than {MOST_MB} MB')", timeout=60_000)
        named.wait_for(state="hidden", timeout=60_000)
        assert page.get_by_test_id("stException").count() == 0
