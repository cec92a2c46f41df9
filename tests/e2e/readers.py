"""One Chromium for many readers: a page is used by one after the other, so that what all of them load is loaded once."""

_MOST_IDLE = 3  # pages; each is a process
_FORGET = "() => { try { localStorage.clear(); sessionStorage.clear(); } catch { /* no page of a server */ } }"


class Readers:
    """Pages of a browser, lent to a test until it ends."""

    def __init__(self, browser, patience=120_000):
        self._browser, self._patience = browser, patience
        self._used, self._idle, self._own = [], [], []

    def new_context(self, **options):
        """For a reader who is known again, or slowed down: shared with nobody, closed when the test ends."""
        context = self._browser.new_context(**options)
        context.set_default_timeout(self._patience)  # ms; the machine may be busy with other tests
        self._own.append(context)
        return context

    def arrive(self, width=1400, height=900, dark=False, own=False):
        """A page that knows of no reader before, in a window of that size; `own`: nor of anything that readers load."""
        if own:
            scheme = "dark" if dark else "light"
            return self.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
        page = self._idle.pop() if self._idle else self._new()
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if dark else "light")
        self._used.append(page)
        return page

    def _new(self):
        context = self._browser.new_context()
        context.set_default_timeout(self._patience)
        return context.new_page()

    def leave(self, page):
        """The page is free for the next reader, who finds nothing of this one: no storage, no cookie, no pressed button."""
        self._used.remove(page)
        context = page.context
        for other in context.pages:
            if other is not page:
                other.close()
        context.set_offline(False)
        page.mouse.up()
        page.mouse.move(0, 0)
        page.evaluate(_FORGET)
        page.goto("about:blank")
        context.clear_cookies()
        if len(self._idle) < _MOST_IDLE:
            self._idle.append(page)
        else:
            context.close()

    def all_leave(self):
        """At the end of a test."""
        for page in list(self._used):
            self.leave(page)
        while self._own:
            self._own.pop().close()
