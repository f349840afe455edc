#!/usr/bin/python3
"""Runs one unittest file and prints TAP: tap.py FILE [TEST NAME PART].

A skipped test is printed with TAP's SKIP, which tests/run counts as a failure: what a test needs is installed first.
"""
import importlib.util
import pathlib
import sys
import traceback
import unittest


class TapResult(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.number = 0
        self.failed = False

    def _line(self, good, test, directive="", detail=""):
        self.number += 1
        self.failed = self.failed or not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {test.id()}{directive}")
        for line in detail.splitlines():
            print(f"# {line}")
        sys.stdout.flush()

    def addSuccess(self, test):
        self._line(True, test)

    def addError(self, test, err):
        self._line(False, test, detail="".join(traceback.format_exception(*err)))

    addFailure = addError

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._line(False, subtest, detail="".join(traceback.format_exception(*err)))
        super().addSubTest(test, subtest, err)

    def addSkip(self, test, reason):
        self._line(True, test, directive=f" # SKIP {reason}")

    def addUnexpectedSuccess(self, test):
        self._line(False, test, detail="passed although marked as an expected failure")


def load(path):
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def main():
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{part}*" for part in sys.argv[2:]] or None
    suite = loader.loadTestsFromModule(load(pathlib.Path(sys.argv[1]).resolve()))
    result = TapResult()
    suite.run(result)
    print(f"1..{result.number}")
    return 1 if result.failed else 0


if __name__ == "__main__":
    sys.exit(main())
