"""Violations that the checks of check.py must catch. plant_CHECK(root, build) changes a copy of the tree, and
returns the build that the check is given and what it must say."""
import pathlib
import re
import shutil
import subprocess
import tempfile

from check import CHECKS, FILE_LIMIT, FUNCTION_LIMIT, FUNCTION_NINE_IN_TEN, functions_of, sources


def plant_includes(root, build):
    path = root / "src" / "progress" / "ack_tracker.c"
    path.write_text(path.read_text() + '\n#include "kafka/delivery.h"\n')
    return build, "progress may not include"


def plant_includes_of_a_library(root, build):
    path = root / "src" / "postgres" / "slot.c"
    path.write_text(path.read_text() + "\n#include <yaml.h>\n")
    return build, "room postgres may not include <yaml.h>"


def plant_symbols(root, build):
    """An archive of its own, with one wrong name beside the real rooms."""
    planted = root / "planted"
    (planted / "lib").mkdir(parents=True)
    for archive in (build / "lib").glob("libroom_*.a"):
        shutil.copy(archive, planted / "lib")
    unit = root / "planted.c"
    unit.write_text("int wrong_name(void);\nint wrong_name(void)\n{\n    return 1;\n}\n")
    subprocess.run(["cc", "-c", "-o", str(root / "buf.c.o"), str(unit)], check=True)
    archive = planted / "lib" / "libroom_base.a"
    archive.unlink()
    subprocess.run(["ar", "rcs", str(archive), str(root / "buf.c.o")], check=True)
    return planted, "exports wrong_name"


def plant_headers(root, build):
    path = root / "src" / "base" / "planted.h"
    path.write_text("struct planted { size_t size; };\n")
    return build, "planted.h does not compile alone"


def long_function(name, lines):
    body = "\n".join("    (void)0;" for _ in range(lines - 3))
    return f"void {name}(void)\n{{\n{body}\n}}\n"


def plant_sizes(root, build):
    path = root / "src" / "base" / "planted.c"
    path.write_text(long_function("planted", FUNCTION_LIMIT + 1))
    return build, f"planted has {FUNCTION_LIMIT + 1} lines"


def plant_sizes_of_a_test(root, build):
    path = root / "tests" / "unit" / "planted_test.c"
    path.parent.mkdir(parents=True)
    path.write_text(long_function("planted", FUNCTION_LIMIT + 1))
    return build, f"planted has {FUNCTION_LIMIT + 1} lines"


def plant_sizes_of_a_file(root, build):
    path = root / "src" / "base" / "planted.h"
    path.write_text("/* */\n" * (FILE_LIMIT + 1))
    return build, f"planted.h: {FILE_LIMIT + 1} lines"


def plant_sizes_of_a_test_file(root, build):
    path = root / "tests" / "planted.py"
    path.parent.mkdir()
    path.write_text("#\n" * (FILE_LIMIT + 1))
    return build, f"planted.py: {FILE_LIMIT + 1} lines"


def plant_sizes_of_nine_in_ten(root, build):
    """Every function is within its own limit; there are only too many long ones."""
    functions = sum(1 for path in sources(root, ".c", ".h") for _ in functions_of(path))
    for number in range(functions // 7):
        path = root / "src" / "base" / f"planted_{number}.c"
        path.write_text(long_function(f"planted_{number}", FUNCTION_NINE_IN_TEN + 1))
    return build, f"nine in ten functions have up to {FUNCTION_NINE_IN_TEN + 1} lines"


def plant_format(root, build):
    path = root / "src" / "base" / "planted.c"
    path.write_text("int planted( void ){return 1;}\n")
    return build, "planted.c"


def plant_options(root, build):
    path = root / "src" / "postgres" / "sqlstate.def"
    path.write_text(path.read_text() + '\nRULE("99", ERROR_HALT, "planted", "check cdc.user and kafka.properties")\n')
    return build, "cdc.user is not an option"


def plant_codes(root, build):
    path = root / "docs" / "operations.md"
    path.write_text(path.read_text().replace("| `slot_missing`", "| `planted_code`, `slot_missing`"))
    return build, "nothing says planted_code"


def plant_conditions(root, build):
    path = root / "src" / "operator" / "conditions.c"
    path.write_text(path.read_text().replace('{ is_false, "NoLeader", on_no_leader }',
                                             '{ is_false, "Planted", on_no_leader }'))
    return build, "nothing explains Ready False Planted"


def plant_conditions_of_a_reason_that_is_worked_out(root, build):
    path = root / "src" / "operator" / "conditions.c"
    path.write_text(path.read_text().replace('"Halted:%', '"Planted:%'))
    return build, "nothing explains Degraded True Planted:"


def plant_conditions_of_another_status(root, build):
    path = root / "docs" / "kubernetes.md"
    path.write_text(path.read_text().replace("| False | `NoLeader` |", "| Unknown | `NoLeader` |"))
    return build, "no condition says Ready Unknown NoLeader"


def plant_alerts(root, build):
    path = root / "charts" / "pqcdc" / "templates" / "operator" / "prometheusrule.yaml"
    path.write_text(path.read_text().replace("PqcdcKafkaDown", "PqcdcPlanted"))
    return build, "nothing explains the alert PqcdcPlanted"


def plant_alerts_of_another_metric(root, build):
    path = root / "charts" / "pqcdc" / "templates" / "operator" / "prometheusrule.yaml"
    path.write_text(path.read_text().replace("pqcdc_kafka_brokers_up", "pqcdc_planted"))
    return build, "pqcdc_planted, which no metric is called"


def plant_manuals(root, build):
    path = root / "docs" / "pqcdc.1"
    path.write_text(path.read_text().replace("accept\\-gap", "planted"))
    return build, "nothing says --accept-gap"


def plant_manuals_of_the_operator(root, build):
    path = root / "docs" / "pqcdc-operator.1"
    path.write_text(path.read_text().replace("\\-\\-resync", "\\-\\-planted"))
    return build, "pqcdc-operator --help has no --planted"


def plant_links(root, build):
    path = root / "docs" / "kubernetes.md"
    path.write_text(path.read_text() + "\n[planted](planted.md)\n")
    return build, "planted.md: no such file"


def plant_links_of_the_readme(root, build):
    (root / "docs" / "planted.md").write_text("# Planted\n")
    return build, "README.md: no link to docs/planted.md"


def plant_context(root, build):
    path = root / ".dockerignore"
    path.write_text(path.read_text().replace("!/docs/pqcdc-operator.1\n", ""))
    return build, "leaves docs/pqcdc-operator.1 out"


def plant_links_of_a_heading(root, build):
    path = root / "docs" / "kubernetes.md"
    path.write_text(path.read_text().replace("### Two Connectors, one slot", "### Planted"))
    return build, "#two-connectors-one-slot: no such heading"


def copy_tests(root):
    """That a copied tree has not got."""
    tests = pathlib.Path(__file__).resolve().parents[1]
    shutil.copytree(tests, root / "tests", ignore=shutil.ignore_patterns("corpus", "data", "__pycache__"))


def plant_commands(root, build):
    copy_tests(root)
    path = root / "README.md"
    path.write_text(path.read_text() + "\n```sh\nplanted\n```\n")
    return build, "nothing says which test"


def plant_commands_of_an_unknown_language(root, build):
    copy_tests(root)
    path = root / "README.md"
    path.write_text(path.read_text() + "\n```\nplanted\n```\n")
    return build, "which says nothing"


def plant_commands_of_a_test(root, build):
    copy_tests(root)
    path = root / "README.md"
    path.write_text(re.sub(r"(test_docs\.py)::\w+", r"\1::test_planted", path.read_text(), count=1))
    return build, "tests/integration/test_docs.py::test_planted is no test"


def plant_commands_of_another_document(root, build):
    copy_tests(root)
    path = root / "README.md"
    path.write_text(re.sub(r"test_docs\.py::\w+", "test_http.py::test_status", path.read_text(), count=1))
    test = root / "tests/integration/test_http.py"
    test.write_text(test.read_text() + "\n\ndef test_status():\n    pass\n")
    return build, "test_http.py does not read README.md"


def plant_in_peers(root, pattern, replacement):
    copy_tests(root)
    path = root / "docs" / "peers.md"
    path.write_text(re.sub(pattern, replacement, path.read_text(), count=1))


def plant_peers(root, build):
    plant_in_peers(root, r"(test_flow\.py)::\w+", r"\1::test_planted")
    return build, "tests/integration/test_flow.py::test_planted is no test"


def plant_peers_of_a_c_function(root, build):
    plant_in_peers(root, r"(pipeline_test\.c): \w+", r"\1: planted")
    return build, "pipeline_test.c: planted is no test"


def plant_peers_of_a_file(root, build):
    plant_in_peers(root, r"tests/unit/connector/pipeline_test\.c", "tests/unit/connector/planted_test.c")
    return build, "planted_test.c: "


def plant_peers_of_a_row_without_a_test(root, build):
    plant_in_peers(root, r"\| waits for: snapshot \|", "| |")
    return build, "no test, and not said why"


def plant_in_header(root, pattern, replacement):
    shutil.copytree(pathlib.Path(__file__).resolve().parents[1] / "abi", root / "tests" / "abi")
    path = root / "include" / "pqcdc" / "pqcdc.h"
    text = path.read_text()
    path.write_text(re.sub(pattern, replacement, text, count=1, flags=re.M))
    assert path.read_text() != text


def plant_abi(root, build):
    plant_in_header(root, r"^struct pqcdc_message \{", "struct pqcdc_message {\n    int planted;")
    return build, "pqcdc_message.table was 0/8, and is 8/8"


def plant_abi_of_a_size(root, build):
    plant_in_header(root, r"^(struct pqcdc_value \{[^}]*)\}", r"\1    int planted;\n}")
    return build, "sizeof pqcdc_value was 24, and is 32"


def plant_abi_of_a_constant(root, build):
    plant_in_header(root, r"PQCDC_DELETE = 3", "PQCDC_DELETE = 4")
    return build, "PQCDC_DELETE was 3, and is 4"


def plant_abi_of_a_function(root, build):
    plant_in_header(root, r"pqcdc_emit_default\(", "pqcdc_planted(")
    return build, "the header and the library differ in ['pqcdc_emit_default', 'pqcdc_planted']"


def run(name, build):
    """plant_CHECK and each plant_CHECK_of_SOMETHING, one after the other."""
    plants = [value for key, value in globals().items() if re.fullmatch(rf"plant_{name}(_of_\w+)?", key)]
    return 1 if sum(run_plant(name, plant, build) for plant in plants) or not plants else 0


def run_plant(name, plant, build):
    root = pathlib.Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory() as directory:
        copy = pathlib.Path(directory) / "tree"
        copy.mkdir()
        for part in ("src", "include", "docs", "charts", "cmake", "README.md", "CMakeLists.txt", ".clang-format", ".dockerignore"):
            place = root / part
            if place.is_dir():
                shutil.copytree(place, copy / part)
            else:
                shutil.copy(place, copy / part)
        place, expected = plant(copy, build)
        problems = CHECKS[name](copy, place)
    found = [p for p in problems if expected in p]
    if not found:
        print(f"{plant.__name__} was not caught; found: {problems}")
        return 1
    print(f"caught: {found[0].splitlines()[0]}")
    return 0
