"""A cache that something has damaged: whatever is left of it, the daemon starts or says why not, and a page has every file right."""
import os
import random
import shutil
import sqlite3
import subprocess
import unittest

from lab import FRINGE, WithSite

SIZES = {"small.bin": 70000, "big.bin": 1500000, "one.bin": 1}
SCHEMA_TO_COME = 99


class Damage(WithSite):
    """A daemon that has all of a site, and is stopped."""

    def setUp(self):
        super().setUp()
        self.make_site(SIZES)
        self.lab.origin()
        self.daemon = self.lab.daemon("ours")
        self.data = self.daemon.dir / "data"
        self.index = self.data / "index.sqlite"
        self.get_all(self.daemon)

    def contents(self):
        return sorted(path for path in (self.data / "content").rglob("*") if path.is_file())

    def damaged(self, damage):
        """Stops the daemon, does `damage`, starts it: all files are right, and it is of use as before."""
        self.daemon.stop()
        damage()
        self.daemon.start()
        self.get_in_the_end(self.daemon)
        with self.subTest("and once more"):
            self.daemon.stop()
            self.daemon.start()
            self.visit_all(self.daemon)

    def replace(self, path, make):
        for each in [path, *path.parent.glob(f"{path.name}-*")]:
            if each.is_dir():
                shutil.rmtree(each)
            else:
                each.unlink(missing_ok=True)
        make(path)

    @staticmethod
    def flip(path, count):
        data = bytearray(path.read_bytes())
        for at in random.Random(str(path)).sample(range(len(data)), min(count, len(data))):
            data[at] ^= 0x55
        path.write_bytes(data)

    def test_the_index(self):
        half = lambda path: os.truncate(path, path.stat().st_size // 2)
        sql = lambda text: lambda: self.sql(text)
        for name, damage in {
            "cut short": lambda: half(self.index),
            "empty": lambda: os.truncate(self.index, 0),
            "garbage": lambda: self.replace(self.index, lambda path: path.write_bytes(random.Random(1).randbytes(50000))),
            "text": lambda: self.replace(self.index, lambda path: path.write_text("SQLite format 3, they say\n" * 400)),
            "flipped bytes": lambda: self.flip(self.index, 200),
            "gone": lambda: self.index.unlink(),
            "its log is garbage": lambda: (self.data / "index.sqlite-wal").write_bytes(random.Random(2).randbytes(9000)),
            "another program's": lambda: self.replace(self.index, lambda path: sqlite3.connect(path).execute("CREATE TABLE notes (text)").connection.close()),
            "of no schema": sql("PRAGMA user_version = 0"),
            "a schema that never was": sql("PRAGMA user_version = -7"),
            "rows of nonsense": sql("UPDATE file SET bytes = -1"),
            "bits of nonsense": sql("UPDATE file SET have = zeroblob(9000)"),
            "a folder": lambda: self.replace(self.index, lambda path: (path / "x").mkdir(parents=True)),
        }.items():
            with self.subTest(name):
                self.damaged(damage)

    def sql(self, text):
        with sqlite3.connect(self.index) as database:
            database.execute(text)
        database.close()

    def test_an_index_of_a_newer_version_is_left_alone(self):
        self.daemon.stop()
        self.sql(f"PRAGMA user_version = {SCHEMA_TO_COME}")
        before = self.index.read_bytes()
        done = subprocess.run([FRINGE, "daemon", "--data", self.data, "--socket", self.daemon.socket], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("newer version", done.stderr)
        self.assertEqual(self.index.read_bytes(), before)

    def test_the_files(self):
        def each(change):
            return lambda: [change(path) for path in self.contents()]

        for name, damage in {
            "a flipped byte in each": each(lambda path: self.flip(path, 1)),
            "cut short": each(lambda path: os.truncate(path, path.stat().st_size // 2)),
            "empty": each(lambda path: os.truncate(path, 0)),
            "too long": each(lambda path: os.truncate(path, path.stat().st_size + 100000)),
            "gone": each(lambda path: path.unlink()),
            "all gone": lambda: shutil.rmtree(self.data / "content"),
        }.items():
            with self.subTest(name):
                self.damaged(damage)

    def test_what_is_no_file(self):
        """It is not followed, read or removed: the page goes to the site."""
        self.daemon.stop()
        first, *others = self.contents()
        self.replace(first, lambda path: path.mkdir())
        for path in others:
            self.replace(path, lambda at: at.symlink_to("/etc/passwd"))
        self.daemon.start()
        for _ in range(2):
            for status, body in self.daemon.visit(self.lab.site, [f"/static/{path}" for path in self.files]).values():
                self.assertTrue(status == 503 or (status == 0 and b'"origin"' in body), (status, body[:100]))

    def test_exchanged_files(self):
        def exchange():
            first, *_, last = self.contents()
            spare = first.with_suffix(".x")
            first.rename(spare)
            last.rename(first)
            spare.rename(last)

        self.damaged(exchange)

    def test_under_a_daemon_that_runs(self):
        # Started again, it has recorded everything, and given out each file, which it keeps open.
        self.daemon.stop()
        self.daemon.start()
        self.visit_all(self.daemon)
        for path in self.contents():
            self.flip(path, 3)
        self.get_in_the_end(self.daemon)
        shutil.rmtree(self.data / "content")
        self.get_in_the_end(self.daemon)
        self.visit_all(self.daemon)

    def test_an_index_spoiled_under_a_daemon_that_runs(self):
        self.index.write_bytes(random.Random(3).randbytes(self.index.stat().st_size))
        self.visit_all(self.daemon)
        self.daemon.stop()
        self.daemon.start()
        self.get_in_the_end(self.daemon)


if __name__ == "__main__":
    unittest.main()
