#!/usr/bin/env python3
"""Checks of the tree's shape. Each is a ctest, and each has a planted violation that it must catch.

    check.py CHECK --root DIR [--build DIR]      check the tree
    check.py CHECK --planted --build DIR         plant violations, each in a copy; fail unless it is caught

CHECK: includes, symbols, headers, sizes, format, options, codes, conditions, alerts, links, commands, context, manuals, peers, abi
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import abi

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lab import documents  # noqa: E402

FUNCTION_LIMIT = 80
FUNCTION_NINE_IN_TEN = 45
FILE_LIMIT = 700  # of tests and examples too

# Libraries that only some rooms may see.
LIBRARY_ROOMS = {
    "libpq-fe.h": {"postgres"},
    "librdkafka/": {"kafka", "worker"},
    "yaml.h": {"config", "kube"},
    "microhttpd.h": {"http"},
    "curl/": {"kube", "operator"},
    "jansson.h": {"kube", "worker", "operator"},
}


def rooms_of(root):
    """The table of rooms: name -> rooms it may include. CMakeLists.txt is its only place."""
    text = (root / "CMakeLists.txt").read_text()
    table = {}
    for name, rest in re.findall(r"^room\((\w+)([^)]*)\)", text, re.M):
        uses = re.search(r"USES ([\w ]+?)(?: LIBRARIES|$)", rest.strip())
        table[name] = set(uses.group(1).split()) if uses else set()
    return table


def sources(root, *endings):
    return sorted(p for p in (root / "src").rglob("*") if p.suffix in endings)


def check_includes(root, _build):
    table, problems = rooms_of(root), []
    for path in sources(root, ".c", ".h"):
        room = path.relative_to(root / "src").parts[0]
        if room not in table:
            problems.append(f"{path}: src/{room} is not a room of CMakeLists.txt")
            continue
        lines = path.read_text().splitlines()
        includes = [(n, m) for n, line in enumerate(lines, 1)
                    if (m := re.match(r'#include ([<"])([^>"]+)[>"]', line))]
        for number, match in includes:
            problems += include_problems(root, path, room, table[room], number, match)
        own = str(path.relative_to(root / "src").with_suffix(".h"))
        if path.suffix == ".c" and (root / "src" / own).exists() and includes[0][1].group(2) != own:
            problems.append(f"{path}: the first include is not its own header {own}")
    return problems


def include_problems(root, path, room, uses, number, match):
    quote, name = match.groups()
    if quote == '"':
        target = name.split("/")[0]
        if target == "pqcdc":
            return [] if room == "connector" else [f"{path}:{number}: only connector implements {name}"]
        if target != room and target not in uses:
            return [f"{path}:{number}: room {room} may not include {name}"]
        return []
    for library, allowed in LIBRARY_ROOMS.items():
        if name.startswith(library) and room not in allowed:
            return [f"{path}:{number}: room {room} may not include <{name}>"]
    return []


def check_symbols(root, build):
    problems, seen = [], 0
    for room in rooms_of(root):
        archive = build / "lib" / f"libroom_{room}.a"
        out = subprocess.run(["nm", "-A", "--defined-only", "-g", str(archive)],
                             capture_output=True, text=True, check=True).stdout
        for line in out.splitlines():
            match = re.match(r".*:([\w.]+)\.c\.o:\w* \w (\w+)$", line)
            if not match:
                continue
            stem, symbol = match.groups()
            if symbol.startswith(("__asan", "__odr", "__ubsan", "__tsan", "__sanitizer", "__llvm", "__prof")):
                continue
            seen += 1
            if symbol != stem and not symbol.startswith(stem + "_"):
                problems.append(f"src/{room}/{stem}.c exports {symbol}, which does not start with {stem}_")
    if seen == 0:
        problems.append("no exported symbol was found: the check sees nothing")
    return problems


def check_headers(root, build):
    flags = ["-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
             f"-I{root}/src", f"-I{root}/include", "-x", "c"]
    flags += subprocess.run(["pkg-config", "--cflags", "libpq", "rdkafka", "yaml-0.1", "libmicrohttpd",
                             "libcurl", "jansson"],
                            capture_output=True, text=True, check=True).stdout.split()
    problems = []
    headers = sources(root, ".h") + sorted((root / "include").rglob("*.h"))
    with tempfile.TemporaryDirectory() as directory:
        for header in headers:
            unit = pathlib.Path(directory) / "unit.c"
            unit.write_text(f'#include "{header}"\n#include "{header}"\nextern int unit_is_not_empty;\n')
            run = subprocess.run(["cc", *flags, str(unit)], capture_output=True, text=True)
            if run.returncode != 0:
                problems.append(f"{header} does not compile alone:\n{run.stderr[:500]}")
        for header in (h for h in headers if h.is_relative_to(root / "include")):
            run = subprocess.run(["clang-14", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-x", "c++", str(header)],
                                 capture_output=True, text=True)
            if run.returncode != 0:
                problems.append(f"{header} is not C++ as well:\n{run.stderr[:500]}")
    return problems


def functions_of(path):
    """(name, first line, lines) of each function; the format puts its braces at the line's start."""
    lines = path.read_text().splitlines()
    for start, line in enumerate(lines):
        if line != "{":
            continue
        first = start
        while first > 0 and lines[first - 1] and not re.search(r"([;}]|\*/)$|^#", lines[first - 1]):
            first -= 1
        end = next((i for i in range(start, len(lines)) if lines[i] == "}"), len(lines) - 1)
        name = re.search(r"(\w+)\(", " ".join(lines[first:start]))
        yield name.group(1) if name else "?", first + 1, end - first + 1


def size_problems(path, lengths):
    """The file's own problems; the lengths of its functions are added to lengths."""
    count = len(path.read_text().splitlines())
    problems = [f"{path}: {count} lines, the limit is {FILE_LIMIT}"] if count > FILE_LIMIT else []
    for name, first, length in functions_of(path) if path.suffix in (".c", ".h") else ():
        lengths.append(length)
        if length > FUNCTION_LIMIT:
            problems.append(f"{path}:{first}: {name} has {length} lines, the limit is {FUNCTION_LIMIT}")
    return problems


def check_sizes(root, _build):
    problems, lengths = [], []
    for path in sources(root, ".c", ".h"):
        problems += size_problems(path, lengths)
    for place in ("include", "tests", "examples"):
        for path in sorted((root / place).rglob("*")):
            if path.suffix in (".c", ".h", ".py", ".sh"):
                problems += size_problems(path, [])  # nine in ten is a rule of src
    lengths.sort()
    if not lengths:
        return ["no function was found: the check sees nothing"]
    ninth = lengths[int(len(lengths) * 0.9)]
    if ninth > FUNCTION_NINE_IN_TEN:
        problems.append(f"nine in ten functions have up to {ninth} lines, the limit is {FUNCTION_NINE_IN_TEN}")
    print(f"{len(lengths)} functions: median {lengths[len(lengths) // 2]}, p90 {ninth}, max {lengths[-1]}")
    return problems


def check_format(root, _build):
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    if tool is None:
        return ["clang-format-14 is not installed"]
    files = sources(root, ".c", ".h")
    for place in ("include", "tests", "examples"):
        files += sorted(p for p in (root / place).rglob("*") if p.suffix in (".c", ".h"))
    run = subprocess.run([tool, f"--style=file:{root / '.clang-format'}", "--dry-run", "-Werror", *map(str, files)],
                         capture_output=True, text=True)
    return run.stderr.splitlines()[:40] if run.returncode != 0 else []


# Options that are announced and not there yet: the name, and why it may be written already.
PLANNED_OPTIONS: dict[str, str] = {}


def option_paths(root):
    """The paths of options.def, with all of their beginnings, and those that any entry may follow."""
    text = (root / "src" / "config" / "options.def").read_text()
    rows = re.findall(r'^(?:OPTION|ITEM)\((\w+), \w+, "([^"]+)"', text, re.M)
    paths = {path for _, path in rows} | set(re.findall(r'^(?:ALIAS|IGNORED)\("([^"]+)"', text, re.M))
    maps = {path for kind, path in rows if kind == "MAP"}
    for path in sorted(paths):
        parts = path.split(".")
        paths |= {".".join(parts[:n]) for n in range(1, len(parts))}
    return paths | {path.removesuffix("[]") for path in paths} | PLANNED_OPTIONS.keys(), maps


def texts_of(path):
    """(line number, text) of what people read: string literals of sources, all of a document."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if path.suffix == ".md":
            yield number, line
        elif not line.startswith("#include"):
            for literal in re.findall(r'"((?:[^"\\]|\\.)*)"', line):
                yield number, literal


def check_options(root, _build):
    """Whatever is said about an option names one that exists."""
    paths, maps = option_paths(root)
    problems, seen = [], 0
    files = sources(root, ".c", ".h", ".def") + sorted((root / "docs").glob("*.md")) + [root / "README.md"]
    for path in files:
        for number, text in texts_of(path):
            for word in re.findall(r"(?<![\w./{-])(?:cdc|kafka|format)\.[A-Za-z][\w.]*(?:\[\w*\][\w.]*)*", text):
                seen += 1
                name = re.sub(r"\[\w*\]", "[]", word).rstrip(".")
                if name in paths or name.removesuffix("[]") in paths:
                    continue
                if not any(name.startswith(entry + ".") for entry in maps):
                    problems.append(f"{path}:{number}: {name} is not an option")
    return problems if seen else ["no name of an option was found: the check sees nothing"]


def check_codes(root, _build):
    """The tables of what halts have every code of ours, and only codes that the program can say."""
    said = set()
    for path in sources(root, ".c", ".def"):
        text = path.read_text()
        said |= set(re.findall(r'"(\w+)"', text))
        if path.name == "kafka_error.def":
            said |= set(re.findall(r"^KAFKA_ERROR\((\w+),", text, re.M))
    path = root / "docs" / "operations.md"
    table = path.read_text().partition("## When it halts")[2].partition("\n## ")[0]
    codes = [code for row in re.findall(r"^\|([^|]*)\|", table, re.M) for code in re.findall(r"`(\w+)`", row)]
    if not codes:
        return [f"{path}: no code was found: the check sees nothing"]
    problems = [f"{path}: nothing says {code}" for code in codes if code not in said]
    halts = {code for unit in sources(root, ".c")
             for code in re.findall(r'ERROR_HALT,\s*"(\w+)"', unit.read_text())}
    return problems + [f"{path}: {code} is not in the tables" for code in sorted(halts - set(codes))]


def reason_of(text, reason, function):
    """As a row of the operator's tables has it; of one that is worked out, what it begins with."""
    if reason != "NULL":
        return reason.strip('"')
    body = re.search(rf"^static bool {function}\(.*?^}}", text, re.M | re.S)
    worked_out = re.search(r'"(\w+:)%', body[0]) if body else None
    return worked_out[1] if worked_out else f"{function}: its reason cannot be found"


def said_conditions(text):
    """(condition, status, reason) of every row of src/operator/conditions.c."""
    tables = re.search(r"\btables\[\] = \{(.*?)^\};", text, re.M | re.S)
    for condition, rows in re.findall(r'\{ "(\w+)", (\w+), COUNT_OF', tables[1] if tables else ""):
        table = re.search(rf"^static const struct row {rows}\[\] = \{{(.*?)^\}};", text, re.M | re.S)
        for status, reason, function in re.findall(r'\{ is_(\w+), ("\w+"|NULL), (\w+) \}', table[1]):
            yield condition, status.capitalize(), reason_of(text, reason, function)


def told_conditions(text):
    """The same of a document: a heading for each condition, and under it a row for each reason."""
    chapter = text.partition("\n## What a condition says")[2].partition("\n## ")[0]
    for section in re.split(r"^### ", chapter, flags=re.M)[1:]:
        for status, reasons in re.findall(r"^\| (True|False|Unknown) \| ([^|]*) \|", section, re.M):
            for reason in re.findall(r"`(\w+:?)\w*`", reasons):
                yield section.split()[0], status, reason


def check_conditions(root, _build):
    """What a condition may say is what the document explains, and nothing else."""
    path = root / "docs" / "kubernetes.md"
    said = set(said_conditions((root / "src/operator/conditions.c").read_text()))
    told = set(told_conditions(path.read_text()))
    if not said or not told:
        return ["no condition was found: the check sees nothing"]
    return ([f"{path}: nothing explains {' '.join(row)}" for row in sorted(said - told)]
            + [f"{path}: no condition says {' '.join(row)}" for row in sorted(told - said)])


def check_alerts(root, _build):
    """Each alert of the chart, and each metric that one asks for, is explained, and no other alert is."""
    rules = (root / "charts/pqcdc/templates/operator/prometheusrule.yaml").read_text()
    path, metrics = root / "docs" / "operations.md", (root / "docs" / "metrics.md").read_text()
    made = set(re.findall(r"- alert: (\w+)", rules))
    told = set(re.findall(r"^\| `(Pqcdc\w+)` \|", path.read_text(), re.M))
    asked = {name for line in re.findall(r"expr: (.*)", rules) for name in re.findall(r"\b(?:go_pq|pqcdc)_\w+", line)}
    if not made or not told or not asked:
        return ["no alert was found: the check sees nothing"]
    return ([f"{path}: nothing explains the alert {name}" for name in sorted(made - told)]
            + [f"{path}: the chart makes no alert {name}" for name in sorted(told - made)]
            + [f"an alert asks for {name}, which no metric is called" for name in sorted(asked)
               if f"| `{name}` |" not in metrics])


def words_of_help(text):
    """Options, commands, exit codes and variables that a program's --help names."""
    words = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text)) | set(re.findall(r"\bPQCDC_OPERATOR_\w+", text))
    for title, row in (("Commands", r"^  ([a-z]+(?: [a-z]+)?)  "), ("Exit codes", r"^ +(\d+)  ")):
        words |= set(re.findall(row, text.partition(f"{title}:\n")[2].partition("\n\n")[0], re.M))
    return words


def check_manuals(root, build):
    """A manual page names what its program's --help names."""
    problems = []
    for program in ("pqcdc", "pqcdc-operator"):
        path = root / "docs" / f"{program}.1"
        run = subprocess.run([build / "bin" / program, "--help"], capture_output=True, text=True)
        page = re.sub(r"\\f[BIR]", "", path.read_text()).replace("\\-", "-")
        said = words_of_help(run.stdout)
        if len(said) < 10:
            return [f"{program} --help names next to nothing: the check sees nothing"]
        problems += [f"{path}: nothing says {word}" for word in sorted(said) if not re.search(rf"(?<![\w-]){word}(?![\w-])", page)]
        told = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", page))
        problems += [f"{path}: {program} --help has no {word}" for word in sorted(told - said)]
    return problems


def anchors_of(path):
    """What # of a link to that document may name: its headings, as they are shown on the web."""
    text = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", text, re.M)}


def link_problem(path, link):
    """What is wrong with a link to a place of the tree; None when nothing is."""
    name, _, anchor = link.partition("#")
    target = path.parent / name if name else path
    if not target.exists():
        return f"{path}: {link}: no such file"
    if anchor and anchor not in anchors_of(target):
        return f"{path}: {link}: no such heading"
    return None


def check_context(root, _build):
    """What is built and installed from docs and examples is in the context of the image's build."""
    allowed = re.findall(r"^!/(\S+)$", (root / ".dockerignore").read_text(), re.M)
    products = (root / "cmake/products.cmake").read_text().partition("if(NOT TESTS)")[0]
    named = re.findall(r"(?<![\w/])(?:docs|examples)/[\w.-]+", products)
    if not named or not allowed:
        return ["no file was found: the check sees nothing"]
    return [f".dockerignore leaves {name} out" for name in sorted(set(named) - set(allowed))]


def check_links(root, _build):
    """Links from one document to another lead somewhere."""
    paths = [root / "README.md", *sorted((root / "docs").glob("*.md")), *sorted((root / "charts").glob("*/*.md"))]
    links = [(path, link) for path in paths for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text())
             if "://" not in link]
    if not links:
        return ["no link was found: the check sees nothing"]
    problems = [problem for path, link in links if (problem := link_problem(path, link))]
    named = {link for path, link in links if path == paths[0]}
    return problems + [f"{paths[0]}: no link to docs/{page.name}" for page in sorted((root / "docs").glob("*.md"))
                       if f"docs/{page.name}" not in named]


def defines(path, function):
    """Whether that file of tests has a function of that name."""
    if not path.is_file():
        return False
    head = rf"^def {function}\(" if path.suffix == ".py" else rf"\b{function}\([^;{{}}]*\)\s*\n{{"
    return re.search(head, path.read_text(), re.M) is not None


def check_peers(root, _build):
    """Every row of the peers' defects names tests that exist, or says that there is none."""
    path = root / "docs" / "peers.md"
    problems, seen = [], 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        names = [name for name in re.findall(r"`([^`]+)`", line) if name.startswith("tests/")]
        for name in names:
            match = re.fullmatch(r"(tests/[\w/]+\.py)::(\w+)|(tests/[\w/]+\.c): (\w+)", name)
            file, function = (match[1] or match[3], match[2] or match[4]) if match else (None, None)
            is_test = file is not None and defines(root / file, function)
            seen += is_test
            if not is_test and name != "tests/style":
                problems.append(f"{path}:{number}: {name} is no test")
        if re.match(r"\| (?!---)", line) and "| tests |" not in line and not names:
            if not re.search(r"(waits for|missing): \w", line):
                problems.append(f"{path}:{number}: no test, and not said why")
    return problems if seen else problems + ["no name of a test was found: the check sees nothing"]


def command_problem(root, path, block):
    """What is wrong with a block of a document; None when nothing is."""
    if block.language not in documents.COMMANDS:
        return None if block.language in documents.OTHERS else f"a block in \"{block.language}\", which says nothing"
    if block.mark is None:
        return "nothing says which test runs these commands (tests/lab/documents.py)"
    if block.mark["reason"]:
        return None
    test = root / block.mark["file"]
    if not defines(test, block.mark["test"]):
        return f"{block.mark['file']}::{block.mark['test']} is no test"
    if not block.mark["remark"] and path.name not in test.read_text():
        return f"{block.mark['file']} does not read {path.name}"
    return None


def check_commands(root, _build):
    """Every command that a document shows is run by a test, or it is said why not."""
    blocks = [(path, block) for path in documents.documents_of(root) for block in documents.blocks_of(path)]
    if not any(block.mark for _, block in blocks):
        return ["no block of commands was found: the check sees nothing"]
    return [f"{path}:{block.line}: {problem}" for path, block in blocks
            if (problem := command_problem(root, path, block))]


def check_abi(root, build):
    """A program that was compiled against the first header of this PQCDC_API_VERSION goes on."""
    return abi.problems(root, build)


CHECKS = {
    "includes": check_includes,
    "symbols": check_symbols,
    "headers": check_headers,
    "sizes": check_sizes,
    "format": check_format,
    "options": check_options,
    "codes": check_codes,
    "conditions": check_conditions,
    "alerts": check_alerts,
    "manuals": check_manuals,
    "links": check_links,
    "commands": check_commands,
    "context": check_context,
    "peers": check_peers,
    "abi": check_abi,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("check", choices=sorted(CHECKS))
    parser.add_argument("--root", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("--planted", action="store_true")
    arguments = parser.parse_args()
    if arguments.planted:
        import planted  # which needs this module

        return planted.run(arguments.check, arguments.build)
    problems = CHECKS[arguments.check](arguments.root.resolve(), arguments.build)
    for problem in problems:
        print(problem)
    print(f"{arguments.check}: {len(problems)} problem(s)")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
