"""A site of very many files: fringe publish cuts it into bundles with a catalog, and a host loads of that what its pages need."""
import hashlib
import json
import subprocess
import unittest

from lab import ENVIRONMENT, FRINGE, WithSite, free_port, wait_for

FOLDERS, EACH = 110, 100
NEEDED = [f"d{folder:03}/f{number:02}.txt" for folder in (0, 60, 61, 109) for number in (0, 1, 50)]


class Catalog(WithSite):
    def setUp(self):
        super().setUp()
        for folder in range(FOLDERS):
            (self.lab.static / f"d{folder:03}").mkdir()
            for number in range(EACH):
                self.path(f"d{folder:03}/f{number:02}.txt").write_text(f"{folder} {number}\n")
        self.folder = self.lab.web / ".well-known/fringe"
        self.release = self.lab.publish()
        self.lab.origin()

    def path(self, name):
        return self.lab.static / name

    def names(self, suffix):
        return {path.name for path in self.folder.iterdir() if path.name.endswith(suffix)}

    def asked(self, suffix):
        lines = (self.lab.dir / "access.log").read_text().splitlines()
        return [line.split(" ")[2].rsplit("/", 1)[1] for line in lines if line.split(" ")[2].endswith(suffix)]

    def check_page(self, daemon, names=NEEDED):
        answers = daemon.visit(self.lab.site, [f"/static/{name}" for name in names])
        self.assertEqual({path: body for path, (_, body) in answers.items()},
                         {f"/static/{name}": self.path(name).read_bytes() for name in names})

    def ask(self, daemon, name):
        """What a page is told that wants a file."""
        status, body = daemon.visit(self.lab.site, [f"/static/{name}"])[f"/static/{name}"]
        return json.loads(body) if status == 0 else None

    def publish(self):
        self.release = self.lab.publish()

    def check_published(self):
        catalog = self.release["catalog"]
        self.assertEqual((self.release["bundles"], catalog["base"], catalog["files"]), ([], "/static/", FOLDERS * EACH))
        self.assertLess((self.folder / "release.json").stat().st_size, 4096)
        index = self.folder / (catalog["sha256"] + ".catalog")
        self.assertEqual(index.stat().st_size, catalog["bytes"])
        for name in self.names(".catalog"):
            self.assertEqual(hashlib.sha256((self.folder / name).read_bytes()).hexdigest() + ".catalog", name)
        self.assertGreaterEqual(len(self.names(".torrent")), FOLDERS * EACH / 1000)

    def verify(self, *target):
        done = subprocess.run([FRINGE, "verify", *target, "--json"], capture_output=True, text=True)
        seen = json.loads(done.stdout)
        return [fault["code"] for fault in seen["faults"]], seen

    def check_verified(self):
        faults, seen = self.verify(str(self.lab.web), "--site", self.lab.site, "--all")
        self.assertEqual(faults, [])
        self.assertEqual(seen["files"], FOLDERS * EACH)
        self.assertNotIn("catalog", self.verify(f"{self.lab.site}/static/d000/f00.txt")[0])

    def check_next_release(self, ours):
        self.path("d060/f01.txt").write_text("new\n")
        torrents = self.names(".torrent")
        self.publish()
        self.assertEqual(len(self.names(".torrent") - torrents), 1, "the others are as they were")
        self.check_page(ours)
        self.assertEqual(len(self.asked(".torrent")), len(set(self.asked(".torrent"))), "none is loaded twice")

    def test_a_page_loads_what_it_needs(self):
        self.check_published()
        self.check_verified()
        (self.lab.dir / "access.log").write_text("")
        first = self.lab.daemon("first")
        self.check_page(first)
        self.assertEqual(len(self.asked(".catalog")), 2, "the index, and its only page")
        self.assertLessEqual(len(self.asked(".torrent")), 4)
        for name in ("a.txt", "d050/none.txt", "zzz/last.txt"):
            self.assertEqual(self.ask(first, name)["reason"], "not-listed", name)
        second = self.lab.daemon("second", peers=[first.address()])
        self.check_page(second)
        self.assertGreater(second.status()["total"]["peers"], 0)
        second.stop()
        (self.lab.dir / "access.log").write_text("")
        self.check_next_release(first)
        self.lab.fringe("revoke", "--site", self.lab.site, "--key", str(self.lab.dir / "key.key"), "--out", str(self.lab.web), "--yes")
        self.lab.seq += 1
        self.assertEqual(self.ask(first, NEEDED[0])["reason"], "revoked")

    def test_a_super_node_holds_all_of_it(self):
        site, port = self.lab.site, free_port()
        words = [FRINGE, "supernode", "--site", site, "--dir", self.lab.web, "--listen", f"127.0.0.1:{port}", "--data", self.lab.dir / "super"]
        socket = self.lab.dir / "super.sock"
        process = subprocess.Popen([*map(str, words), "--socket", str(socket)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=ENVIRONMENT)
        self.lab.callback(self.lab.end, process)
        whole = sum(path.stat().st_size for path in self.lab.static.rglob("*") if path.is_file())
        wait_for("the super-node", socket.exists)

        def held():
            done = subprocess.run([FRINGE, "status", "--json", "--socket", socket], capture_output=True, text=True)
            return done.returncode == 0 and json.loads(done.stdout)["total"]["origin"] >= whole

        wait_for("the super-node to have everything", held, 120)
        visitor = self.lab.daemon("visitor", peers=[f"127.0.0.1:{port}"])
        (self.lab.dir / "access.log").write_text("")
        self.check_page(visitor)
        self.assertEqual(self.lab.origin_bytes(), 0)

    def test_pages_that_are_not_what_the_release_says(self):
        for name in self.names(".catalog"):
            data = bytearray((self.folder / name).read_bytes())
            data[-1] ^= 1
            (self.folder / name).write_bytes(data)
        self.assertEqual(self.ask(self.lab.daemon("one"), NEEDED[0])["reason"], "bad-catalog")
        self.assertIn("catalog", self.verify(str(self.lab.web), "--site", self.lab.site)[0])
        for name in self.names(".catalog"):
            (self.folder / name).unlink()
        self.assertEqual(self.ask(self.lab.daemon("other"), NEEDED[0])["reason"], "no-catalog")

    def test_publishing_again(self):
        for number in range(3):
            self.path("d060/f01.txt").write_text(f"new {number}\n")
            self.publish()
        self.assertEqual(len(self.names(".catalog")), 3 * 2, "older ones are removed")
        words = ["--site", self.lab.site, "--key", str(self.lab.dir / "key.key"), "--out", str(self.lab.web)]
        done = subprocess.run([FRINGE, "publish", str(self.lab.static), *words, "--base", "/static/", "--previous", str(self.lab.static)],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--previous: patches are made for folders of up to 10,000 files", done.stderr)
        self.check_beside(words)
        for folder in range(20):
            for number in range(EACH):
                self.path(f"d{folder:03}/f{number:02}.txt").unlink()
        self.publish()
        self.assertNotIn("catalog", self.release)
        self.check_page(self.lab.daemon("last"), NEEDED[3:])

    def check_beside(self, words):
        """A small folder beside the large one."""
        small = self.lab.dir / "small"
        small.mkdir()
        (small / "a.txt").write_text("a\n")
        done = self.lab.fringe("publish", str(small), *words, "--base", "/small/")
        self.assertIn("kept as it was", done.stdout)
        self.lab.seq += 1
        self.check_page(self.lab.daemon("ours"))
        inside = subprocess.run([FRINGE, "publish", str(small), *words, "--base", "/static/d000/"], capture_output=True, text=True)
        self.assertIn("cannot be beside it", inside.stderr)


if __name__ == "__main__":
    unittest.main()
