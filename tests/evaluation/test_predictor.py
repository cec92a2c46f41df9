"""A model that no bound is about still has errors, and a limit from its test; and data that do not fit are blamed, not the model."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import boundlab
from boundlab.bounds.concentration import clopper_pearson
from boundlab.data.splits import load_splits
from boundlab.networks.export import checkpoint_of
from tests.networks.test_tracing import Attending, Recurrent


@pytest.fixture(scope="module")
def digits():
    train, test = load_splits("digits")
    return train.images[:200], train.labels[:200], test.images[:100], test.labels[:100]


def gelu() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.GELU(), nn.Flatten(), nn.Linear(144, 10))


class Rows(nn.Module):
    """An LSTM over (n, rows, features)."""

    def __init__(self):
        super().__init__()
        self.reads, self.classes = nn.LSTM(8, 6, batch_first=True), nn.Linear(6, 10)

    def forward(self, x):
        _, _, _ = x.shape  # no channels
        return self.classes(self.reads(x)[0][:, -1])


class Tanh(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.classes = nn.Linear(64, 5), nn.Linear(5, 10)

    def forward(self, x):
        return self.classes(torch.tanh(self.first(x)))


def ten(model):
    model.classes = nn.Linear(model.classes.in_features, 10)
    return model


MODELS = {
    "GELU": (gelu, lambda x: x, "GELU"),
    "LSTM": (Rows, lambda x: x.squeeze(1), "reads is a LSTM"),
    "recurrent": (lambda: ten(Recurrent()), lambda x: x, "reads is a LSTM"),
    "attention": (lambda: ten(Attending()), lambda x: x, "TransformerEncoderLayer"),
    "tanh": (Tanh, lambda x: x.flatten(1), "tanh is not among the operations"),
    "sigmoid": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.Sigmoid(), nn.Linear(5, 10)),
        lambda x: x,
        "Sigmoid",
    ),
}


@pytest.mark.parametrize("convention", ["published", "theorem", "strict"])
@pytest.mark.parametrize("name", MODELS)
def test_errors_and_the_tests_limit_hold_and_everything_else_says_why_not(digits, name, convention):
    make, takes, reason = MODELS[name]
    torch.manual_seed(0)
    model = make().train()
    with pytest.raises(ValueError, match=reason):
        checkpoint_of(model, (1, 8, 8))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    x, y, x_test, y_test = digits
    report = boundlab.evaluate(model, digits, convention)
    assert model.training
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in before.items())
    model.eval()
    with torch.no_grad():
        wrong = [
            float((model(takes(images)).argmax(1) != labels).double().mean())
            for images, labels in ((x, y), (x_test, y_test))
        ]
    assert list(report["errors"].values()) == pytest.approx(wrong)
    assert report["hold_out"] == {"value": float(clopper_pearson(wrong[1], 100, 0.001)), "n": 100}
    assert report["spec"]["kind"] == "predictor"
    assert report["norms"]["parameters"] == sum(p.numel() for p in model.parameters())
    for key in ("theorem_s2", "theorem_d", "pac_bayes"):
        assert report[key]["value"] is None
    for bound in (*report["bounds"].values(), report["theorem_d"], report["pac_bayes"], report["theorem_s2"]):
        assert bound["value"] is None
        assert "feed-forward ReLU networks" in bound["reason"]
        assert reason in bound["reason"]
    frame = report.to_frame()
    assert frame["reason"].notna().sum() == len(frame) - 1
    assert "hold-out" in repr(report)


def test_normalisation_is_what_the_model_is_fed(digits):
    torch.manual_seed(0)
    model, (_, _, x_test, y_test) = gelu().eval(), digits
    report = boundlab.evaluate(model, digits, normalize=(0.3, 0.2))
    with torch.no_grad():
        assert report["errors"]["test"] == pytest.approx(
            float((model((x_test - 0.3) / 0.2).argmax(1) != y_test).double().mean())
        )


class Noisy(nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :10].tanh() + torch.randn(len(x), 10)


class Together(nn.Module):
    """Each image beside the mean of the others."""

    def forward(self, x):
        x = x.flatten(1)[:, :10].tanh()
        return x - x.mean(0)


class Answers(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.layer, self.answer = nn.Linear(64, 10), answer

    def forward(self, x):
        return self.answer(self.layer(x.flatten(1)).tanh())


REFUSED = {
    "random": (Noisy, "differently from call to call"),
    "of the batch": (Together, "differently from call to call, or beside other images"),
    "a dictionary": (lambda: Answers(lambda x: {"logits": x}), "returns a dict, not one tensor.*wrap it"),
    "a tuple": (lambda: Answers(lambda x: (x, x)), "returns a tuple, not one tensor.*wrap it"),
    "complex": (lambda: Answers(lambda x: x + 1j), "real numbers .*complex64"),
    "one output": (lambda: Answers(lambda x: x[:, :1]), "two classes at least"),
    "NaN": (lambda: Answers(lambda x: x / 0 * 0), "NaN or infinite"),
    "another size": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(65, 5), nn.GELU(), nn.Linear(5, 10)),
        "forward ends with",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_test_says_anything_of_is_refused_with_both_reasons(digits, name):
    make, words = REFUSED[name]
    with pytest.raises(ValueError, match=rf"(?s)^[^\n]*Nor can it be tested: [^\n]*{words}[^\n]*$"):
        boundlab.evaluate(make(), digits)


def test_rows_of_a_square_become_maps_for_a_convolution_and_that_is_said(digits):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))
    x, y, x_test, y_test = digits
    flat = boundlab.evaluate(model, (x.flatten(1), y, x_test.flatten(1), y_test))
    whole = boundlab.evaluate(model, digits)
    assert flat["warnings"] == [
        "The images came as rows of 64 numbers and were laid out as 1x8x8, row after row.",
        *whole["warnings"],
    ]
    assert flat["bounds"] == whole["bounds"]
    assert flat["errors"] == whole["errors"]
    assert (
        boundlab.evaluate(model, (x.flatten(1), y), in_shape=(1, 8, 8))["errors"]["train"] == whole["errors"]["train"]
    )


def test_rows_of_a_checkpoint_become_what_it_takes(digits, tmp_path):
    x, y, *_ = digits
    three = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 10))
    path = boundlab.export(three, tmp_path / "net.safetensors", (3, 8, 8))
    pixels = torch.cat([x, x.flip(2), x.flip(3)], dim=1)
    assert boundlab.evaluate(path, (pixels.flatten(1), y))["errors"] == boundlab.evaluate(path, (pixels, y))["errors"]


def test_a_dense_network_takes_rows_as_they_are(digits):
    report = boundlab.evaluate(nn.Sequential(nn.Linear(64, 10)), (digits[0].flatten(1), digits[1]))
    assert report["spec"]["in_shape"] == [1, 1, 64]
    assert not any("rows" in words for words in report["warnings"])


def colour():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 10))


BLAMED = {
    "no square": (lambda: gelu(), (60,), r"rows, \(n, 60\).*one channel.*1 x height x width is 60"),
    "colours in a row": (
        colour,
        (192,),
        r"reshape\(-1, 3, 8, 8\) where each channel.*reshape\(-1, 8, 8, 3\) where the values",
    ),
    "grey": (colour, (8, 8), r"images are 1x8x8, with 1 channel, .* takes 3; .*repeat\(1, 3, 1, 1\)"),
    "coloured": (gelu, (3, 8, 8), "channels second or last"),
}


@pytest.mark.parametrize("name", BLAMED)
def test_the_shape_of_the_data_is_blamed_and_the_remedy_named(name):
    make, shape, words = BLAMED[name]
    pixels = np.random.default_rng(0).random((20, *shape))
    assert math.isfinite(pixels.max())
    with pytest.raises(ValueError, match=words):
        boundlab.evaluate(make(), (pixels, np.arange(20) % 10))


def relu() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


class Wrapped(nn.Module):
    """As others wrap their outputs."""

    def __init__(self, wrap):
        super().__init__()
        self.inner, self.wrap = relu(), wrap

    def forward(self, x):
        return self.wrap(self.inner(x))


@pytest.mark.parametrize("wrap", [lambda x: (x,), lambda x: {"logits": x}, lambda x: (x, x)])
def test_what_does_not_return_one_tensor_is_told_so_and_not_that_the_images_are_wrong(digits, wrap):
    with pytest.raises(ValueError, match=r"returns a (tuple|dict), not one tensor \(n, classes\); wrap it"):
        boundlab.evaluate(Wrapped(wrap), digits)


def test_a_lazy_layer_is_told_to_be_called_first(digits):
    with pytest.raises(ValueError, match="has no size yet; call the model on some images first"):
        boundlab.evaluate(nn.Sequential(nn.Flatten(), nn.LazyLinear(10)), digits)


def test_whole_numbers_up_to_16_are_doubted(digits):
    """As scikit-learn's digits come: divided by 255 they would be nearly black."""
    x, y, x_test, y_test = digits
    whole = boundlab.evaluate(relu(), ((x * 16).short(), y, (x_test * 16).short(), y_test))
    assert whole["warnings"][0].startswith(
        "The brightest pixel is 0.0627 of 1. Whole numbers are divided by 255: if yours go up to 16, give floats, x / 16"
    )
    assert not any("brightest" in words for words in boundlab.evaluate(relu(), digits)["warnings"])


@pytest.mark.parametrize(("value", "words"), [(math.inf, "infinite values"), (math.nan, "NaN")])
def test_pixels_that_are_no_numbers_are_named(digits, value, words):
    pixels = digits[0].clone()
    pixels[3, 0, 2, 2] = value
    with pytest.raises(ValueError, match=rf"finite floats in \[0, 1\], got {words} among them; replace"):
        boundlab.evaluate(relu(), (pixels, digits[1]))


STATES = {
    "train mode": lambda model: model.train(),
    "float64": lambda model: model.double(),
    "no gradients": lambda model: model.requires_grad_(False),
    "channels last": lambda model: model.to(memory_format=torch.channels_last),
    "identities": lambda model: nn.Sequential(nn.Identity(), *model, nn.Identity()),
    "averaged": lambda model: torch.optim.swa_utils.AveragedModel(model),
    "parallel": lambda model: nn.DataParallel(model),
}


@pytest.mark.parametrize("state", STATES)
def test_states_of_a_model_that_change_nothing(digits, state):
    usual = boundlab.evaluate(relu(), digits)
    found = boundlab.evaluate(STATES[state](relu()), digits)
    assert found["errors"] == usual["errors"]
    assert found["bounds"]["golowich"]["value"] == pytest.approx(usual["bounds"]["golowich"]["value"], rel=1e-6)


def test_layouts_of_images_that_change_nothing(digits):
    x, y, *_ = digits
    usual = boundlab.evaluate(relu(), (x, y))["errors"]["train"]
    turned = [
        x.permute(0, 2, 3, 1),
        x[:, 0],
        x.double(),
        x.to(memory_format=torch.channels_last),
        x.numpy(),
        x.tolist(),
    ]
    for images in turned:
        assert boundlab.evaluate(relu(), (images, y))["errors"]["train"] == usual
    pairs = torch.utils.data.TensorDataset(x, y)
    shuffled = torch.utils.data.DataLoader(pairs, 30, shuffle=True)
    assert boundlab.evaluate(relu(), shuffled)["errors"]["train"] == pytest.approx(usual)


def test_in_a_frame_every_row_without_a_promise_has_its_reason(digits):
    report = boundlab.evaluate(relu(), digits, "strict")
    frame = report.to_frame()
    assert report["theorem_d"]["value"] == 1  # 200 images pay for no code
    assert frame.loc["theorem_d", "reason"].startswith(
        "vacuous: 1 or more says nothing of an error; the code of its hidden weights takes "
    )
    says_something = frame["value"] < 1
    assert frame.loc[~says_something, "reason"].notna().all()
    assert frame.loc[says_something, "reason"].isna().all()
    assert says_something["hold_out"]
