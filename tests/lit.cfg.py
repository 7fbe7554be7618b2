# How lit runs the tests under tests/. Run them with ctest, or some of them with
#   lit -v BUILD/tests --filter=graph_passes
#
# Substitutions: %cnnc, %FileCheck, %split_file, not; %exits CODE runs a command that must exit so;
# %source for the root of the project, %build for that of the build, %tests for this folder, %bench for the folder of the built
# benchmarks, %cc and %cxx for the compilers of the build, %s for the test and %t for a file name of its own.
import os

import lit.formats

config.name = "cnnc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".ir", ".test"]
config.excludes = ["Inputs", "corpus", "unit", "install", "CMakeLists.txt"]
config.test_source_root = os.path.dirname(__file__)

config.substitutions += [
    ("%cnnc", config.cnnc),
    ("%bench", config.bench),
    ("%FileCheck", os.path.join(config.llvm_tools, "FileCheck")),
    (r"\bnot\b", os.path.join(config.llvm_tools, "not")),
    ("%exits", f"python3 {os.path.join(config.test_source_root, 'exits.py')}"),
    ("%split_file", os.path.join(config.llvm_tools, "split-file")),
    ("%build", config.build),
    ("%source", config.source_root),
    ("%tests", config.test_source_root),
    ("%cc", config.c_compiler),
    ("%cxx", config.cxx_compiler),
]
config.environment["FILECHECK_OPTS"] = "--dump-input-filter=error"
