"""A daemon cannot reach what it has no use for: its own files, its socket and the network go on as before (host/io/confine.h).

The daemon itself is made to look: tests/lib/peek.c reads a file of the user's, and starts a program, from inside it.
"""
import ctypes
import pathlib
import re
import subprocess
import unittest

from lab import ENVIRONMENT, REPO, Daemon, Lab, tool

LANDLOCK_CREATE_RULESET = 444
FILES = {"a.txt": 100_000, "b.txt": 1000}


def kernel_has_landlock():
    return ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), 1) > 0


class Confine(unittest.TestCase):
    def setUp(self):
        self.lab = Lab().__enter__()
        self.addCleanup(self.lab.__exit__, None, None, None)
        self.library = self.lab.dir / "peek.so"
        subprocess.run([tool("gcc", "gcc"), "-shared", "-fPIC", "-o", self.library, REPO / "tests/lib/peek.c"], check=True)
        self.letter = self.lab.dir / "letter"
        self.letter.write_text("private")

    def daemon(self, name, *options, at=None, **more):
        asan = ENVIRONMENT["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
        words = {"LD_PRELOAD": self.library, "PEEK_AT": at or self.letter, "ASAN_OPTIONS": asan, **more}

        class Peeking(Daemon):
            before = ("env", *(f"{key}={value}" for key, value in words.items()))

        daemon = Peeking(self.lab, name, *options)
        self.addCleanup(lambda: daemon.process.poll() is None and daemon.stop())
        return daemon

    def peeked(self, daemon):
        seen = set(re.findall(r"peek: file (\S+), program (\S+)", daemon.text()))
        self.assertEqual(len(seen), 1, daemon.text())
        return seen.pop()

    def serves(self, daemon):
        """It fetches, verifies, stores and gives: all that it is for."""
        files = {name: self.lab.write(name, size) for name, size in FILES.items()}
        self.lab.publish()
        self.lab.origin()
        for name, content in files.items():
            self.assertEqual(daemon.get(f"{self.lab.site}/static/{name}"), content)

    def status(self, daemon, field):
        text = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
        return re.search(rf"^{field}:\s*(\S+)$", text, re.M)[1]

    @unittest.skipUnless(kernel_has_landlock(), "this kernel has no Landlock")
    def test_a_file_in_the_home_folder_is_out_of_reach(self):
        daemon = self.daemon("ours")
        self.assertEqual(self.peeked(daemon), ("EACCES", "EACCES"))
        self.assertEqual((self.status(daemon, "NoNewPrivs"), self.status(daemon, "Seccomp")), ("1", "2"))
        self.assertRegex(daemon.text(), r"confined: Landlock [1-9]\d*, seccomp yes\n")
        self.assertNotIn("warning", daemon.text())
        self.serves(daemon)

    @unittest.skipUnless(kernel_has_landlock(), "this kernel has no Landlock")
    def test_its_own_folder_and_the_systems_are_within_reach(self):
        self.assertEqual(self.peeked(self.daemon("own", at=self.lab.dir / "own/data/index.sqlite"))[0], "read")
        self.assertEqual(self.peeked(self.daemon("resolver", at="/etc/resolv.conf"))[0], "read")

    def test_a_kernel_without_landlock(self):
        daemon = self.daemon("old", PEEK_OLD="yes")
        self.assertEqual(self.peeked(daemon)[0], "read")
        self.assertEqual(daemon.text().count("no Landlock"), 1)
        self.assertEqual(self.status(daemon, "Seccomp"), "2")
        self.serves(daemon)

    def test_who_starts_nothing_cannot_start_programs_even_then(self):
        self.assertEqual(self.peeked(self.daemon("still", "--no-port-map", PEEK_OLD="yes"))[1], "EPERM")


if __name__ == "__main__":
    unittest.main()
