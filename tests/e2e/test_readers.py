"""A page that one reader leaves is the next one's, who finds nothing of the one before."""

KEPT = "() => [Object.keys(localStorage).filter(key => key === 'mine'), sessionStorage.length, document.cookie.includes('mine')]"


def test_the_next_reader_of_a_page_finds_nothing_of_the_last(browser, server):
    page = browser.arrive(1280, 720)
    page.goto(f"{server}/_stcore/health")
    page.evaluate("() => { localStorage.mine = sessionStorage.mine = '1'; document.cookie = 'mine=1'; }")
    assert page.evaluate(KEPT) == [["mine"], 1, True]
    second = page.context.new_page()
    page.context.set_offline(True)
    browser.leave(page)
    again = browser.arrive(390, 844, dark=True)
    assert again is page
    assert second.is_closed()
    again.goto(f"{server}/_stcore/health")
    assert again.evaluate(KEPT) == [[], 0, False]
    assert again.evaluate("() => [innerWidth, innerHeight]") == [390, 844]
    assert again.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")


def test_two_readers_at_once_share_no_page_and_one_may_have_loaded_nothing(browser, server):
    one, other, own = browser.arrive(), browser.arrive(), browser.arrive(own=True)
    assert len({one.context, other.context, own.context}) == 3
    browser.all_leave()
    assert own.is_closed()
    assert not one.is_closed()
    assert not other.is_closed()
