"""Finds the engines, or gets them from PyPI."""
import pathlib
import sys
import tarfile
from engines import (LlamaCpp, NotFound, OpenVino, Quern, Torch, run, say)

PEERS = ("llama.cpp", "torch", "openvino")
LLAMA_OPTIONS = ("CMAKE_BUILD_TYPE=Release", "GGML_NATIVE=ON",
                 "LLAMA_BUILD_SERVER=OFF", "LLAMA_BUILD_UI=OFF",
                 "LLAMA_USE_PREBUILT_UI=OFF", "LLAMA_BUILD_APP=OFF",
                 "LLAMA_BUILD_TESTS=OFF", "LLAMA_BUILD_EXAMPLES=OFF",
                 "LLAMA_OPENSSL=OFF")
# torch is also what the converter of llama.cpp needs.
TORCH_PACKAGES = ("torch", "transformers", "numpy", "safetensors",
                  "sentencepiece", "protobuf", "pyyaml")
OPENVINO_PACKAGES = ("openvino-genai", "openvino-tokenizers", "optimum-intel",
                     "nncf")


def keep_tile_configuration(source):
    """gcc 12 takes ldtilecfg to read 8 of its 64 bytes and drops the stores of
    the others, with which the first tile instruction ends the process."""
    path = source / "ggml" / "src" / "ggml-cpu" / "amx" / "mmq.cpp"
    call = "    _tile_loadconfig(&tc);"
    barrier = '    asm volatile("" : : "r"(&tc) : "memory");\n'
    text = path.read_text() if path.exists() else ""
    if call in text and barrier not in text:
        path.write_text(text.replace(call, barrier + call))


def build_llama(work):
    """Builds llama.cpp from the sources in its Python package; minutes."""
    folder = work / "llama"
    folder.mkdir(exist_ok=True)
    if not list(folder.glob("llama_cpp_python-*.tar.gz")):
        run([sys.executable, "-m", "pip", "download", "--no-deps",
             "--no-binary", ":all:", "-d", folder, "llama-cpp-python"])
    archive, = folder.glob("llama_cpp_python-*.tar.gz")
    source = folder / archive.name.removesuffix(".tar.gz")
    if not source.exists():
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    keep_tile_configuration(source / "vendor" / "llama.cpp")
    build = folder / "build"
    run(["cmake", "-G", "Ninja", "-S", source / "vendor" / "llama.cpp", "-B",
         build, *(f"-D{option}" for option in LLAMA_OPTIONS)])
    run(["cmake", "--build", build, "--target", "llama"])


def make_environment(folder, packages, base=None):
    """A virtual environment with the packages; what `base` has is not
    installed again."""
    if not (folder / "bin" / "python").exists():
        run([sys.executable, "-m", "venv", folder])
    if base:
        site, = (base / "lib").glob("python3*/site-packages")
        here, = (folder / "lib").glob("python3*/site-packages")
        (here / "base.pth").write_text(f"{site}\n")
    run([folder / "bin" / "python", "-m", "pip", "install", *packages])


def choose_python(given, folder):
    if given:
        return given
    python = folder / "bin" / "python"
    return python if python.exists() else pathlib.Path(sys.executable)


def find_engines(options, found):
    """Returns the engines, Quern last; writes the version of each, or why it is
    not there, to `found`."""
    work = options.work
    venv, openvino_venv = work / "venv", work / "venv-openvino"
    if options.get_peers:
        needs_torch = {"llama.cpp", "torch", "openvino"} & set(options.engines)
        if needs_torch and not options.python:
            make_environment(venv, TORCH_PACKAGES)
        if "llama.cpp" in options.engines and not options.llama_build:
            build_llama(work)
        if "openvino" in options.engines and not options.openvino_python:
            make_environment(openvino_venv, OPENVINO_PACKAGES,
                             None if options.python else venv)
    built = work / "llama" / "build"
    llama_build = options.llama_build or (built if built.exists() else None)
    python = choose_python(options.python, venv)
    openvino_python = choose_python(options.openvino_python, openvino_venv)
    makers = {
        "llama.cpp": lambda: LlamaCpp(llama_build, work, python),
        "torch": lambda: Torch(work, python),
        "openvino": lambda: OpenVino(work, openvino_python),
        "quern": lambda: Quern(options.build, work, options.target),
    }
    engines = []
    for name in [*options.engines, "quern"]:
        if name not in makers:
            raise SystemExit(f"bench: error: no engine {name!r}; there are "
                             + ", ".join(PEERS))
        try:
            engine = makers[name]()
            engines.append(engine)
            found[name] = engine.version
        except NotFound as reason:
            found[name] = f"not found: {reason}"
        say(f"{name}: {found[name]}")
    return engines
