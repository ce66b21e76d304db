"""Pickles that would do harm, assembled opcode by opcode, each with a canary.

A payload that ran would make the file ``canary``. Nothing here is downloaded, and nothing here
is ever unpickled but by the one control that shows that the payloads work.
"""

import pickle
import struct
from collections.abc import Callable
from pathlib import Path

Made = Callable[[Path], bytes]


def _text(value: str, protocol: int) -> bytes:
    if protocol < 2:
        return b"V" + value.encode("raw_unicode_escape") + b"\n"
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def named(module: str, name: str, protocol: int) -> bytes:
    """Push what ``module`` calls ``name``."""
    if protocol < 4:
        return f"c{module}\n{name}\n".encode()
    memo = b"\x94" if protocol > 4 else b""  # MEMOIZE after each, as real picklers do
    return _text(module, protocol) + memo + _text(name, protocol) + memo + b"\x93" + memo


def calling(module: str, name: str, *arguments: str, protocol: int) -> bytes:
    """A pickle that calls ``module.name(*arguments)``."""
    head = b"\x80" + bytes([protocol]) if protocol >= 2 else b""
    pushed = b"".join(_text(argument, protocol) for argument in arguments)
    return head + named(module, name, protocol) + b"(" + pushed + b"tR."


# What is called, and with what: {canary} is the file that must not appear.
GADGETS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "os.system": ("os", "system", ("touch {canary}",)),
    "posix.system": ("posix", "system", ("touch {canary}",)),
    "subprocess.getoutput": ("subprocess", "getoutput", ("touch {canary}",)),
    "subprocess.Popen": ("subprocess", "Popen", ("{canary}",)),
    "builtins.eval": ("builtins", "eval", ("__import__('os').mkdir({canary!r})",)),
    "builtins.exec": ("builtins", "exec", ("__import__('os').mkdir({canary!r})",)),
    "py2-eval": ("__builtin__", "eval", ("__import__('os').mkdir({canary!r})",)),
    "builtins.open": ("builtins", "open", ("{canary}", "w")),
    "builtins.compile": ("builtins", "compile", ("1", "x", "eval")),
    "builtins.getattr": ("builtins", "getattr", ("x", "upper")),
    "builtins.__import__": ("builtins", "__import__", ("antigravity",)),
    "importlib.import_module": ("importlib", "import_module", ("antigravity",)),
    "runpy.run_path": ("runpy", "run_path", ("{canary}.py",)),
    "operator.attrgetter": ("operator", "attrgetter", ("system",)),
    "operator.methodcaller": ("operator", "methodcaller", ("system", "touch {canary}")),
    "functools.partial": ("functools", "partial", ("x",)),
    "types.CodeType": ("types", "CodeType", ("x",)),
    "timeit.timeit": ("timeit", "timeit", ("__import__('os').mkdir({canary!r})",)),
    "cProfile.run": ("cProfile", "run", ("__import__('os').mkdir({canary!r})",)),
    "pdb.run": ("pdb", "run", ("__import__('os').mkdir({canary!r})",)),
    "doctest": ("doctest", "debug_script", ("__import__('os').mkdir({canary!r})",)),
    "pip.main": ("pip._internal.cli.main", "main", ("install",)),
    "webbrowser": ("webbrowser", "open", ("http://127.0.0.1:1/",)),
    "urllib": ("urllib.request", "urlopen", ("http://127.0.0.1:1/",)),
    "socket": ("socket", "create_connection", ("127.0.0.1",)),
    "ctypes": ("ctypes", "CDLL", ("{canary}.so",)),
    "shutil.rmtree": ("shutil", "rmtree", ("{canary}",)),
    "pathlib.Path.touch": ("pathlib", "Path.touch", ("{canary}",)),
    "pickle.loads": ("pickle", "loads", ("x",)),
    "joblib.load": ("joblib", "load", ("{canary}",)),
    "numpy.load": ("numpy", "load", ("{canary}.npy",)),
    "numpy.f2py": (
        "numpy.f2py.crackfortran",
        "getlincoef",
        ("__import__('os').mkdir({canary!r})", "x"),
    ),
    "numpy.testing": (
        "numpy.testing._private.utils",
        "runstring",
        ("__import__('os').mkdir({canary!r})", "x"),
    ),
    "pandas.eval": ("pandas", "eval", ("@__import__('os').mkdir({canary!r})",)),
    "sklearn-show-versions": ("sklearn", "show_versions", ()),
    "sklearn-load-files": ("sklearn.datasets._base", "load_files", ("/",)),
    "mlflow.load_model": ("mlflow.sklearn", "load_model", ("{canary}",)),
    "our-own-door": ("ml_orchestrator.modelfiles.pickles", "load_pickle", ("{canary}",)),
    "copyreg": ("copyreg", "add_extension", ("os", "system", "1")),
    "logging.config": ("logging.config", "listen", ()),
}


def gadget(name: str, canary: Path, *, protocol: int) -> bytes:
    """The pickle of one gadget."""
    module, attribute, arguments = GADGETS[name]
    filled = [argument.format(canary=str(canary)) for argument in arguments]
    return calling(module, attribute, *filled, protocol=protocol)


def _laughs_from_inside(_: Path) -> bytes:
    """Forty lists, each of which holds the one before ten times."""
    body = b"(]q\x00"
    for index in range(1, 40):
        body += b"](" + b"h" + bytes([index - 1]) + (b"h" + bytes([index - 1])) * 9
        body += b"eq" + bytes([index])
    return b"\x80\x02" + body + b"t."


def _laughs_from_outside(_: Path) -> bytes:
    """The same, but each list is referred to while it is empty and filled afterwards."""
    body = b"(" + b"".join(b"]q" + bytes([index]) for index in range(40))
    for index in range(39):
        body += b"h" + bytes([index]) + b"(" + (b"h" + bytes([index + 1])) * 10 + b"e"
    return b"\x80\x02" + body + b"t."


def _numpy(call: bytes, *, name: str = "_reconstruct") -> bytes:
    return b"\x80\x02cnumpy._core.multiarray\n" + name.encode() + b"\n" + call + b"."


def _loss() -> bytes:
    return b"csklearn._loss.loss\nHalfBinomialLoss\n"


def _good() -> bytes:
    return pickle.dumps({"plain": [1, 2.0, "three"]}, 2)


def _system(canary: Path) -> bytes:
    return f"touch {canary}".encode()


# Everything else that a pickle can do wrong.
TRICKS: dict[str, Made] = {
    "inst": lambda canary: b"(S'" + _system(canary) + b"'\nios\nsystem\n.",
    "obj": lambda canary: b"(cos\nsystem\nS'" + _system(canary) + b"'\no.",
    "extension": lambda _: b"\x80\x02\x82\x01.",
    "persistent": lambda _: b"Psomewhere\n.",
    "binary-persistent": lambda _: b"\x80\x02X\x01\x00\x00\x00xQ.",
    "out-of-band": lambda _: b"\x80\x05\x97.",
    "newobj-ex": lambda _: b"\x80\x04" + _loss() + b")}\x92.",
    "newobj-of-a-function": lambda canary: (
        b"\x80\x02cos\nsystem\nX"
        + struct.pack("<I", len(_system(canary)))
        + _system(canary)
        + b"\x85\x81."
    ),
    "newobj-with-arguments": lambda _: b"\x80\x02" + _loss() + b"K\x01\x85\x81.",
    "state-of-a-class": lambda _: b"\x80\x02" + _loss() + b"N}X\x01\x00\x00\x00aK\x01s\x86b.",
    "item-of-a-class": lambda _: b"\x80\x02" + _loss() + b"K\x01K\x02s.",
    "call-of-a-class": lambda _: b"\x80\x02" + _loss() + b")R.",
    "call-of-a-value": lambda _: b"\x80\x02cnumpy\nndarray\nM\xff\xff\x85\x85R.",
    "call-of-a-text": lambda _: b"\x80\x02X\x02\x00\x00\x00os)R.",
    "name-from-bytes": lambda _: b"\x80\x04C\x02osC\x06system\x93.",
    "name-from-a-tuple": lambda _: b"\x80\x04\x8c\x02os\x8c\x06system\x85\x93.",
    "name-from-the-memo": lambda _: b"\x80\x04\x8c\x06system\x94\x8c\x02osh\x00\x93.",
    "array-of-no-end": lambda _: _numpy(
        b"cnumpy\nndarray\n\x8a\x06\x00\x00\x00\x00\x00\x10\x85C\x01b\x87R"
    ),
    "array-of-another-kind": lambda _: _numpy(b"cbuiltins\nobject\nK\x00\x85C\x01b\x87R"),
    "number-from-a-pointer": lambda _: _numpy(
        b"cnumpy\ndtype\nX\x02\x00\x00\x00O8\x89\x88\x87RC\x08aaaaaaaa\x86R", name="scalar"
    ),
    "bytes-of-no-end": lambda _: b"\x80\x02cbuiltins\nbytes\n\x8a\x05\x00\x00\x00\x00\x01\x85R.",
    "encoding": lambda _: b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00zip\x86R.",
    "reconstructor-with-a-base": lambda _: (
        b"ccopy_reg\n_reconstructor\n(csklearn.pipeline\nPipeline\ncnumpy\nndarray\nNtR."
    ),
    "new-object-of-ours": lambda _: (
        b"\x80\x02csklearn.neighbors._kd_tree\nnewObj\ncbuiltins\nobject\n\x85R."
    ),
    "second-pickle": lambda canary: _good() + gadget("os.system", canary, protocol=2),
    "pickle-in-bytes": lambda canary: (
        pickle.dumps(gadget("os.system", canary, protocol=2), 4)[:-1]
        + b"\x8c\x06pickle\x8c\x05loads\x93\x8c\x00R."
    ),
    "broken-tail": lambda canary: gadget("os.system", canary, protocol=2)[:-1] + b"\xff",
    "cut": lambda canary: gadget("os.system", canary, protocol=4)[:-1],
    "spaces-behind": lambda _: _good() + b"\n",
    "protocol-6": lambda _: b"\x80\x06N.",
    "empty": lambda _: b"",
    "stop-only": lambda _: b".",
    "two-objects": lambda _: b"NN.",
    "mark-only": lambda _: b"(.",
    "remembered-mark": lambda _: b"(q\x00.",
    "no-such-memo": lambda _: b"h\x07.",
    "underflow": lambda _: b"\x80\x02R.",
    "laughs-from-inside": _laughs_from_inside,
    "laughs-from-outside": _laughs_from_outside,
    "contains-itself": lambda _: b"\x80\x02]q\x00h\x00a.",
    "nested": lambda _: b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".",
    "endless-number": lambda _: b"L" + b"1" * 4_000 + b"L\n.",
    "announced-bytes": lambda _: b"\x80\x05\x96" + struct.pack("<Q", 1 << 60) + b"x.",
    "text-program": lambda _: b"import os; os.system('true')",
}

# What is wrong with these is an argument of an allowed name: its guard finds that on loading.
GUARDED = frozenset(
    {
        "array-of-no-end", "array-of-another-kind", "number-from-a-pointer", "bytes-of-no-end",
        "encoding", "reconstructor-with-a-base", "new-object-of-ours",
    }
)  # fmt: skip
