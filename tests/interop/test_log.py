"""The log of transfers: what one visitor fetched from another stands in both logs, as `fringe log` shows it."""
import contextlib
import csv
import io
import json
import signal
import sqlite3
import unittest

from lab import WithSite, wait_for

SIZES = {"a.bin": 300_000, "deep/b.bin": 70_001}


class Log(WithSite):
    def setUp(self):
        super().setUp()
        self.make_site(SIZES)
        self.lab.origin()
        self.first = self.lab.daemon("first")
        self.get_all(self.first)

    def lines(self, daemon, *words):
        said = daemon.run("log", "--json", *words).stdout
        return [json.loads(line) for line in said.splitlines()]

    def sums(self, daemon, kind):
        sums = {}
        for line in self.lines(daemon):
            if line["kind"] == kind:
                name = line["path"].removeprefix("/static/")
                self.assertEqual((line["site"], line["size"]), (self.lab.site, SIZES[name]))
                sums[name] = sums.get(name, 0) + line["bytes"]
        return sums

    def test_both_sides_have_it(self):
        self.assertEqual(self.sums(self.first, "origin"), SIZES)
        second = self.lab.daemon("second", peers=[self.first.address()])
        self.get_all(second)
        wait_for("both to have written it", lambda: self.sums(second, "peers") == SIZES)
        self.assertEqual(self.sums(self.first, "shared"), SIZES)
        fetched = [line for line in self.lines(second) if line["kind"] == "peers"]
        self.assertEqual({line["peer"] for line in fetched}, {self.first.address()})
        numbers = [line["n"] for line in self.lines(second)]
        self.assertEqual(numbers, sorted(numbers, reverse=True))
        self.assertEqual([line["n"] for line in self.lines(second, "--limit", "1")], numbers[:1])

    def test_what_was_moved_is_summed_over_all_runs(self):
        sums = {"cache": 0, "peers": 0, "supernode": 0, "origin": sum(SIZES.values()), "uploaded": 0}
        self.assertEqual(self.first.status()["ever"], sums)
        self.first.stop()
        self.first.start()
        self.assertEqual((self.first.status()["ever"], self.first.status()["total"]["origin"]), (sums, 0))
        second = self.lab.daemon("second", peers=[self.first.address()])
        self.get_all(second)
        sums["uploaded"] = sums["origin"]
        self.assertEqual(self.first.status()["ever"], sums)
        wait_for("it to be saved", lambda: self.saved(self.first, "ever_uploaded") == sums["origin"])
        self.first.stop(signal.SIGKILL)
        self.first.start()
        self.assertEqual(self.first.status()["ever"], sums)

    @staticmethod
    def saved(daemon, name):
        with contextlib.closing(sqlite3.connect(f"file:{daemon.dir}/data/index.sqlite?mode=ro", uri=True)) as index:
            row = index.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return row and row[0]

    def test_survives_and_is_cleared(self):
        before = self.lines(self.first)
        self.first.stop()
        self.first.start()
        self.assertEqual(self.lines(self.first), before)
        table = list(csv.DictReader(io.StringIO(self.first.run("log", "--csv").stdout)))
        self.assertEqual([(row["path"], row["bytes"]) for row in table], [(line["path"], str(line["bytes"])) for line in before])
        self.first.run("log", "--clear", "--site", "https://other.example")
        self.assertEqual(self.lines(self.first, "--site", self.lab.site), before)
        self.first.run("log", "--clear", "--site", self.lab.site)
        self.assertEqual(self.lines(self.first), [])

    def test_by_kind(self):
        second = self.lab.daemon("second", peers=[self.first.address()])
        self.get_all(second)
        wait_for("both to have written it", lambda: self.sums(second, "peers") == SIZES)
        kinds = lambda *words: {line["kind"] for line in self.lines(self.first, *words)}
        self.assertEqual(kinds(), {"origin", "shared"})
        self.assertEqual(kinds("--kind", "shared"), {"shared"})
        self.assertEqual(kinds("--kind", "fetched"), {"origin"})
        self.assertEqual(kinds("--kind", "peers"), set())
        self.assertIn("nothing of that kind", self.first.run("log", "--kind", "peers").stdout)

    def test_no_log_is_kept_where_the_visitor_wants_none(self):
        before = self.lines(self.first)
        self.assertIn("none is kept", self.first.run("set", "--log", "no").stdout)
        self.first.stop()
        self.first.start()
        second = self.lab.daemon("second", peers=[self.first.address()])
        second.run("set", "--log", "no")
        self.get_all(second)
        self.assertIn("fringe set --log yes", second.run("log").stdout)
        self.assertEqual(self.lines(second), [])
        self.assertEqual(self.lines(self.first), before, "what is there stays until it is cleared")
        second.run("set", "--log", "yes")
        self.assertIn("nothing was fetched or shared yet", second.run("log").stdout)
        self.first.run("set", "--log", "yes")
        self.get_all(self.lab.daemon("third", peers=[self.first.address()]))
        wait_for("the log to go on", lambda: self.sums(self.first, "shared") == SIZES)

    def test_what_is_no_request_is_refused(self):
        for words in (("--kind", "other"), ("--clear", "--kind", "shared"), ("--limit", "0"), ("--limit", "-1"), ("--limit", "99999999"), ("--site", "nonsense"), ("--json", "--csv")):
            with self.subTest(words):
                self.assertNotEqual(self.first.run("log", *words, check=False).returncode, 0)


if __name__ == "__main__":
    unittest.main()
