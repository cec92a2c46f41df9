"""The menu: every page, and what a link to it may carry."""

from __future__ import annotations

from dataclasses import dataclass

LESSON = ("lesson", "step", "guess")  # of a link to any page: the lesson that the reader is in, and how far
PRESENT = "present"  # of a link to any page: 1 in front of a lecture hall
VERSION, LINK_VERSION = "v", 1  # of a copied link: what its parts mean; one without it is of version 1
EVERYWHERE = (*LESSON, PRESENT, VERSION)
_SETTINGS = ("convention", "delta")
_SHARED = (
    *("dataset", "recipe", "runs", "flagged", "networks", "layers", "channels", "wd", "seed", "task", "weight"),
    *(*_SETTINGS, "scale", "show", "selected", "where"),
)


@dataclass(frozen=True)
class Page:
    """An entry of the menu; `params`: the query parameters a link to it may carry."""

    key: str
    path: str
    title: str
    icon: str
    help: str
    params: tuple[str, ...]
    takes: tuple[str, ...] = _SHARED  # of these, what a reader brings along through the menu


_FIGURE = (
    *("dataset", "convention", "delta", "scale", "panels", "paper", "show", "flagged", "recipe", "runs"),
    *("layers", "channels", "wd", "axes", "quantity", "own", "selected"),
)
_ONE = ("networks", "dataset", "recipe", "runs", "layers", "channels", "wd", "seed", "flagged", "run")
_NETWORK = (*_ONE, "epoch", "convention", "delta")
_CHOSEN = (*_ONE, "task", "weight")
_SECOND = ("run2", "layers2", "channels2", "wd2", "seed2", "epoch2", "convention2")
_TRAIN = (
    *("dataset", "n_train", "task", "label_noise"),
    *("kind", "conv_layers", "channels", "kernel_size", "stride", "padding", "hidden", "bias"),
    *("dilation", "groups", "pool", "head", "dense"),
    *("preset", "weight_decay", "certificate_weight", "seeds", "epochs", "lr", "batch_size", "device"),
    *("form", "run", "live", "compare", "convention", "delta"),
)


def _without(axis: str) -> tuple[str, ...]:
    """What a figure page takes along: not the value of its own axis, which only its heat map has a place for."""
    return tuple(name for name in _SHARED if name != axis)


PAGES = (
    Page(
        "start",
        "app.py",
        "Start",
        ":material/home:",
        "How many errors a network makes, and how many theory can promise.",
        ("reveal", "wrong", "promised", "dataset", "layers", "channels", "wd", "delta", "all"),
    ),
    Page(
        "playground",
        "pages/0_playground.py",
        "Playground",
        ":material/play_circle:",
        "A whole λ sweep trains before your eyes; move width or depth and watch every bound follow.",
        (
            *("dataset", "layers", "channels", "kernel", "stride", "kind", "label_noise", "n_train", "seed"),
            *("wd", "epoch", "ghost"),
        ),
        ("dataset",),
    ),
    Page(
        "lessons",
        "pages/14_lessons.py",
        "Lessons",
        ":material/school:",
        "Seven short lessons on the live pages: guess, reveal, try yourself.",
        (),
        (),
    ),
    Page(
        "training",
        "pages/1_training.py",
        "During training",
        ":material/show_chart:",
        "The paper's figure 1: bounds and errors against epochs.",
        _FIGURE,
    ),
    Page(
        "lambda",
        "pages/2_lambda.py",
        "Weight decay λ",
        ":material/tune:",
        "The paper's figure 4: bounds and errors against weight decay.",
        (*_FIGURE, "epoch"),
        _without("wd"),
    ),
    Page(
        "width",
        "pages/3_width.py",
        "Width",
        ":material/width:",
        "The paper's figure 2: bounds and errors against channels per layer.",
        (*_FIGURE, "epoch"),
        _without("channels"),
    ),
    Page(
        "depth",
        "pages/4_depth.py",
        "Depth",
        ":material/layers:",
        "The paper's figure 3: bounds and errors against the number of layers.",
        (*_FIGURE, "epoch"),
        _without("layers"),
    ),
    Page(
        "memorisation",
        "pages/13_memorisation.py",
        "Memorisation",
        ":material/shuffle:",
        "Bounds and errors against label noise, and against the number of training images.",
        (
            *("along", "dataset", "convention", "delta", "scale", "panels", "show", "recipe", "runs"),
            *("layers", "channels", "wd", "label_noise", "n_train", "own", "selected"),
        ),
        ("dataset", *_SETTINGS, "scale", "show", "selected"),
    ),
    Page(
        "anatomy",
        "pages/5_anatomy.py",
        "Anatomy",
        ":material/account_tree:",
        "One bound taken apart, factor by factor; two networks compared; what if n, margin or geometry were different.",
        (
            *_CHOSEN,
            *("epoch", "convention", "delta"),
            *_SECOND,
            "view",
            "second",
            "bound",
            "merge",
            "times",
            "new_delta",
            "margin",
            "head",
            "new_layers",
            "kernel",
            "stride",
            "padding",
        ),
    ),
    Page(
        "certificates",
        "pages/6_certificates.py",
        "Certificates",
        ":material/verified:",
        "What may be promised about a network's test error, by four arguments; margins; from accurate to certified.",
        (*_CHOSEN, "epoch", "delta", "margin", "theorem", "slope", "margins", "full"),
    ),
    Page(
        "compare",
        "pages/7_compare.py",
        "Compare",
        ":material/compare:",
        "Two to four networks side by side: connectivity, norms, bounds, margins, and the factors that differ.",
        ("count", "n1", "n2", "n3", "n4", "s1", "s2", "s3", "s4", "convention", "delta", "bound", "view", "selected"),
    ),
    Page(
        "ranking",
        "pages/11_ranking.py",
        "Ranking",
        ":material/leaderboard:",
        "Which bound, or which plain number, orders networks as their gap or test error does.",
        (
            *("dataset", "convention", "delta", "recipe", "runs", "flagged", "target", "counted", "number"),
            *("where", "selected"),
        ),
    ),
    Page(
        "runs",
        "pages/12_runs.py",
        "All runs",
        ":material/table_view:",
        "Every run in one table: filter, group, select, save; what is selected is marked on Ranking and the figures.",
        ("data", "group", "only", "columns", "where", "selected", "parallel"),
    ),
    Page(
        "theory",
        "pages/8_theory.py",
        "Theory",
        ":material/menu_book:",
        "Every bound stated, its assumptions checked, its numbers filled in; the proofs of Theorems S and S2; known gaps; references.",
        (*_CHOSEN, "convention", "delta", "section", "theorem", "bound", "symbol", "filled", "assumed", "source"),
    ),
    Page(
        "train",
        "pages/9_train.py",
        "Train",
        ":material/model_training:",
        "Train networks of your own here and watch the bounds come down; they join the other pages.",
        _TRAIN,
        _SETTINGS,
    ),
    Page(
        "checkpoint",
        "pages/10_checkpoint.py",
        "Your checkpoint",
        ":material/upload_file:",
        "Upload a network trained anywhere: every bound, its margins, its errors, and why one does not apply.",
        ("dataset", "task", "checkpoint", "convention", "delta", "margin"),
        _SETTINGS,
    ),
)


PAGE = {page.key: page for page in PAGES}
