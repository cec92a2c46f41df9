"""What a file of torch.save says it holds, told by its opcodes: nothing of it is ever built or run. No torch."""

from __future__ import annotations

import pickletools
import zipfile
from typing import BinaryIO

SIGNS = (b"PK\x03\x04", *(bytes([0x80, protocol]) for protocol in range(1, 6)))  # how such a file begins
_MOST = 2**22  # bytes of opcodes that are looked at
_PLAIN = ("torch", "collections", "numpy", "builtins", "__builtin__", "_codecs", "copy_reg", "copyreg")
_NAMED = 3  # tensors


def pickle_words(file: BinaryIO) -> str:
    """What it is and what to do with it, as the end of a sentence."""
    program, content = _opcodes(file)
    if program:
        return (
            "it holds a TorchScript program: if it is your own, load it, then boundlab.export(torch.jit.load(FILE), OUT, in_shape), or put "
            "its weights into the nn.Module that it was made of (module.load_state_dict(scripted.state_dict()))"
        )
    classes, texts = _mentioned(content)
    if own := [name for name in classes if name.split(".")[0] not in _PLAIN]:
        return (
            f'it holds objects of your code ({own[0][:60]}): load it yourself, then boundlab.export(model, "net.safetensors", ...), '
            "or save its state_dict() and use `boundlab export MODULE:NAME OUT.safetensors --weights FILE`"
        )
    tensors = [text for text in texts if text.rsplit(".", 1)[-1] in ("weight", "bias", "running_mean", "running_var")]
    some = ", ".join(name[:40] for name in tensors[:_NAMED]) + (", ..." if len(tensors) > _NAMED else "")
    holds = f"it holds the weights of a network ({some})" if tensors else "it holds weights alone, if anything"
    return (
        f"{holds}: `boundlab export MODULE:NAME OUT.safetensors --weights FILE` puts them into the network that your function NAME in "
        "MODULE.py makes"
    )


def _opcodes(file: BinaryIO) -> tuple[bool, bytes]:
    """Whether it is TorchScript, and the pickle's opcodes, the first `_MOST` bytes; b"" where they cannot be found."""
    try:
        file.seek(0)
        if file.read(2) != b"PK":
            file.seek(0)
            return False, file.read(_MOST)
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            found = next((name for name in names if name.rpartition("/")[2] == "data.pkl"), None)
            if found is None or any(name.rpartition("/")[2] == "constants.pkl" for name in names):
                return found is not None, b""
            with archive.open(found) as inner:
                return False, inner.read(_MOST)
    except Exception:  # zipfile and zlib raise what they like on damaged bytes
        return False, b""


def _mentioned(content: bytes) -> tuple[list[str], list[str]]:
    """Names of classes and functions, and texts, in the opcodes as far as they can be read."""
    classes: list[str] = []
    texts: list[str] = []
    try:
        for _ in range(8):  # torch's older format is several pickles after each other
            length = _one_pickle(content, classes, texts)
            content = content[length:]
    except Exception:  # pickletools raises what it likes on damaged bytes
        pass
    return classes, texts


def _one_pickle(content: bytes, classes: list[str], texts: list[str]) -> int:
    """Adds to both lists; returns how many bytes it has."""
    length, recent, memo = 0, ["", ""], []  # of the stack the last two texts, which a STACK_GLOBAL takes
    for opcode, value, place in pickletools.genops(content):
        length = (place or 0) + 1
        if opcode.name == "GLOBAL":
            classes.append(str(value).replace(" ", "."))
        elif opcode.name == "STACK_GLOBAL":
            classes.append(".".join(recent))
        elif opcode.name == "MEMOIZE":
            memo.append(recent[1])
        elif opcode.name in ("BINGET", "LONG_BINGET") and isinstance(value, int) and value < len(memo):
            recent = [recent[1], memo[value]]
        elif isinstance(value, str):
            texts.append(value)
            recent = [recent[1], value]
    return length
