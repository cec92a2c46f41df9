"""2,000 random run specs and 400 random command lines (seeded): each is taken or refused in one sentence, never a traceback."""

import json
import random

import pytest

from boundlab.cli.main import main
from boundlab.specs.run import RunSpec
from tests.cases import checkpoint

DEEP = "[" * 60 + "]" * 60
# as JSON text, so that what only a file can say (1e400, long numbers) is said as a file says it
VALUES = [
    "null", "true", "false", "0", "1", "-1", "2", "3", "8", "10", "0.0", "-0.0", "0.5", "1.0", "1.5", "1e-3", "5e-324", "1e308",
    "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "9223372036854775808", "1" + "0" * 30, "1" + "0" * 400, "1" + "0" * 5000,
    '""', '"1"', '"01"', '"1e3"', '"mnist"', '"conv"', '"max2"', r'"\ud800"', r'"\u0000"', '"' + "x" * 3000 + '"', "[]", "[[]]",
    "[0]", "[0, 1]", "[0, [1]]", "[[0], [1]]", "[[0.9], [1.9]]", "[[true], [false]]", '[["0"], ["01"]]', "[[0], [1e400]]",
    "[[0, 1], [1]]", "[[0], [NaN]]", "[null]", "[1, 28, 28]", "[1, 8, 8]", "[1.0, 8, 8]", "[true, 8, 8]", "[1, 1e400, 8]",
    "[0.5, 0.5]", "[NaN, 1]", "[0.5, 1e400]", "[2, 3]", "[2, true]", '[2, "3"]', "{}", '{"a": 1}', DEEP, "[" * 5000 + "]" * 5000,
]  # fmt: skip
TRAINING = ("dataset", "n_train", "labels", "label_noise", "weight_decay", "preset", "epochs", "batch_size", "lr", "momentum",
            "loss", "certificate_weight", "seed")  # fmt: skip
ARCH = ("kind", "in_shape", "channels", "conv_layers", "kernel_size", "stride", "padding", "dilation", "groups", "pool", "head",
        "hidden", "classes", "bias", "weight_norm", "normalize")  # fmt: skip


def written(fields: dict[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in fields.items()) + "}"


def drawn(rng: random.Random) -> str:
    """A spec of the digits as JSON text, with one to three fields drawn anew."""
    arch = {"channels": "2", "conv_layers": "1"}
    for name in rng.sample(ARCH, rng.randint(0, 2)):
        arch[name] = rng.choice(VALUES)
    fields = {"dataset": '"digits"', "arch": written(arch)}
    for name in rng.sample([*TRAINING, "arch", "other"], rng.randint(0, 2)):
        fields[name] = rng.choice(VALUES)
    return written(fields) if rng.random() < 0.98 else rng.choice(VALUES)


def whole_and_finite(given: object) -> bool:
    """Whether JSON holds no bool where a number should be, and nothing that is not JSON."""
    flags = {"bias", "weight_norm"}
    values = given.items() if isinstance(given, dict) else enumerate(given) if isinstance(given, list) else ()
    return json.dumps(given, allow_nan=False) != "" and all(
        (not isinstance(value, bool) or name in flags) and whole_and_finite(value) for name, value in values
    )


def test_two_thousand_random_specs(tmp_path, capfd):
    rng, taken, refused = random.Random(0), 0, []
    for text in (drawn(rng) for _ in range(2000)):
        try:
            spec = RunSpec.from_dict(json.loads(text))
        except (ValueError, RecursionError) as error:  # of the reader of JSON, the latter
            refused.append((text, str(error)))
            continue
        taken += 1
        assert whole_and_finite(spec.to_dict()), text
        again = RunSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
        assert (again, again.id) == (spec, spec.id)
    assert taken > 200
    assert len(refused) > 1000
    for text, said in refused:
        assert "\n" not in said, text
        assert len(said) < 700, text
    for text, said in refused[::4]:
        (tmp_path / "spec.json").write_text(text)
        assert main(["train", str(tmp_path / "spec.json"), "--out", str(tmp_path / "runs"), "--quiet"]) == 2, text
        out, err = capfd.readouterr()
        assert (out, len(err.splitlines())) == ("", 1), (text, err)
        assert " ".join(said.split())[:60] in err or "cannot be read as JSON" in err


WORDS = ["", " ", "0", "1", "-1", "2", "1437", "01", "+1", "1_000", "1.0", "0.5", "1e-3", "1e400", "-1e400", "nan", "inf", "true",
         "²", "١", "1" + "0" * 400, "1" + "0" * 5000, "0x10", "None", "\ud800", "a" * 1000]  # fmt: skip
LABELS = ["0/1", "0,2/1,3", "01/1", "0.9/1.9", "0/1_0", "true/false", "/", "0//1", "0/1/", " 0 / 1 ", "١/٢", "0/10", "-1/0", "0/0",
          "[[0], [1]]", "[[0.9], [1.9]]", "[[true], [false]]", '[["0"], ["01"]]', "[[0], [1e400]]", "[[NaN], [0]]", "[0, 1]",
          "[0, [1]]", "[[0], 1]", "[[]]", "[]", "[[0]", "{}", "[[0], [10]]", "[[0], [null]]", DEEP, "[" * 5000, "1" + "0" * 5000]  # fmt: skip
OPTIONS = {"--delta": WORDS, "--n": WORDS, "--margin": WORDS, "--labels": LABELS, "--convention": ["strict", "theorem", "Strict"],
           "--dataset": ["digits", "digit", "", "own-a-01234567", "\ud800"]}  # fmt: skip


def ran(line: list[str]) -> int:
    try:
        return main(line)
    except SystemExit as ended:
        return ended.code


def test_random_lines_of_evaluate(tmp_path, capfd):
    rng, codes = random.Random(0), {0: 0, 2: 0}
    file = str(checkpoint(tmp_path))
    for _ in range(400):
        line = ["evaluate", file, "--dataset", "digits", "--no-errors", "--json"]
        for name in rng.sample(list(OPTIONS), rng.randint(1, 2)):
            line.append(f"{name}={rng.choice(OPTIONS[name])}")
        code = ran(line)
        out, err = capfd.readouterr()
        codes[code] += 1  # any other is a KeyError
        assert len(err.splitlines()) == (code == 2), (line, err)
        assert len(err) < 900, line
        assert (out == "") == (code == 2), line
        if out:
            json.loads(out, parse_constant=pytest.fail)
    assert min(codes.values()) > 40


@pytest.mark.parametrize("text", [
    "[[0.9],[1.9]]", "[[true],[false]]", '[["01"],["0"]]', "[[0],[1e400]]", "[[0],[NaN]]", "01/1", "0.0/1", "+0/1", "0/1_0", "١/0",
])  # fmt: skip
def test_only_whole_numbers_are_labels(tmp_path, capfd, text):
    assert ran(["evaluate", str(checkpoint(tmp_path)), "--dataset", "digits", "--no-errors", "--labels", text]) == 2
    assert "labels" in (said := capfd.readouterr().err)
    assert len(said.splitlines()) == 1
