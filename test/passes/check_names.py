"""Every pass of passes/*.td has one name: class, file, flag and test agree.

Usage: check_names.py SOURCE_DIR
"""

import pathlib
import re
import sys

source = pathlib.Path(sys.argv[1])
text = "".join(path.read_text() for path in source.glob("passes/*.td"))
passes = re.findall(r'def (\w+)Pass\s*:\s*Pass<"([\w-]+)"', text)
errors = []
if not passes:
    errors.append("no pass found in passes/*.td")
for name, flag in passes:
    dialect, _, kebab = flag.partition("-")
    if dialect not in ("qwen", "exec") or kebab.replace("-", "") != name.lower():
        errors.append(f"{name}Pass: flag --{flag} doesn't follow from the name")
    files = list(source.glob(f"passes/*/{name}.cpp"))
    if len(files) != 1:
        errors.append(f"{name}Pass: expected one passes/*/{name}.cpp, found {len(files)}")
        continue
    test = source / "test/passes" / files[0].parent.name / f"{kebab}.mlir"
    if not test.exists():
        errors.append(f"{name}Pass: no test {test.relative_to(source)}")
print("\n".join(errors) or f"{len(passes)} passes")
sys.exit(1 if errors else 0)
