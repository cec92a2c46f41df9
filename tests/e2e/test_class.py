"""In a class a browser is known again: a fresh tab's link to a run that only its owner may see opens it."""

import hashlib
import json
import os
import shutil

from boundlab.runs.folder import open_run
from boundlab.ui.shelf import run_name
from tests.e2e.serving import CHART, open_notes, settle, started

TOKEN = "0123456789abcdef" * 2


def test_a_link_to_ones_own_run_opens_in_a_fresh_tab_and_after_a_restart(browser, tmp_path, finished):
    env = os.environ | {"BOUNDLAB_SHARED": "1", "BOUNDLAB_RUNS": str(tmp_path)}
    shutil.copytree(finished, tmp_path / finished.name)
    owner = hashlib.sha256(TOKEN.encode()).hexdigest()[:16]
    (tmp_path / finished.name / "job.json").write_text(json.dumps({"owner": owner, "submitted": 1.0}))
    link = f"anatomy?networks=trained+here&run={run_name(open_run(finished)).replace(' ', '+')}"
    for _ in range(2):  # servers
        with started(env=env) as (url, _):
            kept = [{"origin": url, "localStorage": [{"name": "boundlab-visitor", "value": TOKEN}]}]
            anna = browser.new_context(storage_state={"cookies": [], "origins": kept})
            page = anna.new_page()
            page.goto(f"{url}/{link}")
            page.locator(CHART).first.wait_for(timeout=60_000)
            settle(page)
            assert "trained here · epoch" in open_notes(page).inner_text()
            assert page.get_by_text("the link asks for").count() == 0
            assert "networks=trained+here" in page.url
            ben = browser.new_context()
            page = ben.new_page()
            page.goto(f"{url}/{link}")
            page.get_by_text("the link asks for trained here").wait_for(timeout=60_000)
            anna.close()
            ben.close()
