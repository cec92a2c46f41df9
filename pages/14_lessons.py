"""Seven lessons on the live pages: predict, reveal, try yourself."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.lessons.page import lesson_list

open_page("lessons")
title(
    "Lessons",
    "predict, reveal, try",
    "Each goes through live pages. Write your own as a Markdown file: its README in the folder of the shipped ones says how, "
    "`boundlab lesson check FILE` checks it, `boundlab app --lessons FOLDER` shows it.",
)
lesson_list()
