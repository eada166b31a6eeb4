"""The binary interface of include/pqcdc/pqcdc.h, compared with that of the first header of its
PQCDC_API_VERSION in tests/abi: a program that was compiled against that one must go on."""
import re
import subprocess
import tempfile
from pathlib import Path

# Structs that stand in arrays; those with `reserved` are filled by programs. Neither changes its size.
ARRAYS = {f"pqcdc_{name}" for name in ("text", "value", "column", "header", "member", "field", "label")}


def plain(header: str) -> str:
    return re.sub(r"/\*.*?\*/", "", header, flags=re.S)


def structs_of(header: str) -> dict[str, list[str]]:
    """Members of each struct that is defined."""
    found = {}
    for name, body in re.findall(r"^struct (\w+) \{(.*?)^\};", plain(header), re.M | re.S):
        members = []
        for statement in body.split(";")[:-1]:
            function = re.search(r"\(\*(\w+)\)", statement)
            parts = [function[1]] if function else re.findall(r"(\w+)(?:\[\w+\])?\s*(?:,|$)", statement.strip())
            members += parts
        found[name] = members
    return found


def constants_of(header: str) -> list[str]:
    bodies = re.findall(r"^enum \w+ \{(.*?)\};", plain(header), re.M | re.S)
    return [name for body in bodies for name in re.findall(r"(\w+) =", body)] + ["PQCDC_API_VERSION"]


def functions_of(header: str) -> set[str]:
    return set(re.findall(r"^PQCDC_PUBLIC [^;]*?\b(pqcdc_\w+)\(", plain(header), re.M))


def layout(header: Path, of: str) -> dict[str, str]:
    """What the compiler makes, by `header`, of what the text `of` names."""
    lines = [f'#include "{header}"', "#include <stdio.h>", "int main(void) {"]
    for struct, members in structs_of(of).items():
        if struct in ARRAYS or "reserved" in members:
            lines.append(f'printf("sizeof {struct} %zu\\n", sizeof(struct {struct}));')
        for member in members:
            if member == "reserved":
                continue
            value = f"offsetof(struct {struct}, {member}), sizeof(((struct {struct} *)0)->{member})"
            lines.append(f'printf("{struct}.{member} %zu/%zu\\n", {value});')
    lines += [f'printf("{name} %d\\n", (int)({name}));' for name in constants_of(of)]
    lines.append("return 0; }")
    with tempfile.TemporaryDirectory() as directory:
        source, program = Path(directory) / "layout.c", Path(directory) / "layout"
        source.write_text("\n".join(lines) + "\n")
        built = subprocess.run(["cc", "-std=c17", "-o", program, source], capture_output=True, text=True)
        if built.returncode != 0:
            return {"": built.stderr[:1000]}
        output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return dict(line.rsplit(" ", 1) for line in output.splitlines())


def exported(file: Path) -> set[str]:
    output = subprocess.run(["nm", "-D", "--defined-only", file], check=True, capture_output=True, text=True).stdout
    names = {line.split()[-1].split("@")[0] for line in output.splitlines()}
    return {name for name in names if name.startswith("pqcdc_")}


def problems(root: Path, build: Path) -> list[str]:
    header = root / "include/pqcdc/pqcdc.h"
    text = header.read_text()
    number = re.search(r"^#define PQCDC_API_VERSION (\d+)", text, re.M)[1]
    first = root / f"tests/abi/pqcdc-{number}.h"
    if not first.exists():
        return [f"{first} is missing: the first header of that number"]
    then = first.read_text()
    before, now = layout(first, then), layout(header, then)
    if len(before) < 80:
        return [f"{first}: only {len(before)} places were found: the check sees nothing"]
    found = [f"{header}: {name} was {value}, and is {now.get(name, 'gone: ' + now.get('', ''))}"
             for name, value in before.items() if now.get(name) != value]
    library, worker = exported(build / "lib/libpqcdc.so"), exported(build / "bin/pqcdc")
    found += [f"{name} is not exported by the library any more" for name in sorted(functions_of(then) - library)]
    if library != functions_of(text):
        found.append(f"the header and the library differ in {sorted(library ^ functions_of(text))}")
    for_plugins = {name for name in functions_of(text) if not name.startswith("pqcdc_connector_")}
    if worker != for_plugins:
        found.append(f"what plug-ins may call and what the worker exports differ in {sorted(worker ^ for_plugins)}")
    return found
