import json
from dataclasses import asdict

import numpy as np
from packaging.markers import default_environment

from sparkscore.model.trust.installed_packages import InstalledPackages, read_installed_packages, read_marker_values
from sparkscore.model.trust.package_requirements import compare_requirements


def test_versions_travel_as_json() -> None:
    read = read_installed_packages(["numpy", "absent-package"])
    assert read.versions == {"numpy": np.__version__}
    assert InstalledPackages.from_dict(json.loads(json.dumps(asdict(read)))) == read


def test_markers_are_those_of_the_packaging_library() -> None:
    assert read_marker_values() == {
        **default_environment(),
        "platform_release": read_marker_values()["platform_release"],
    }


def test_a_requirement_of_another_system_is_judged_by_the_executors_markers() -> None:
    there = InstalledPackages({}, read_marker_values() | {"sys_platform": "win32"})
    lines = ["numpy==1.0; sys_platform == 'win32'", "pandas==1.0; sys_platform == 'linux'"]
    assert compare_requirements(lines, "pyfunc", there) == ("numpy==1.0 is needed, and not installed",)


def test_a_package_of_the_same_module_counts() -> None:
    there = InstalledPackages({"mlflow-skinny": "3.11.0"}, read_marker_values())
    assert compare_requirements(["mlflow==3.11.0"], "pyfunc", there) == ()
