"""A super-node among real visitors: `fringe supernode` over TCP, from a folder and from the site."""
import subprocess
import time
import unittest

import lab
from lab import Daemon, WithSite, free_port, wait_for
from raw_peer import RawPeer

FILES = {"a.js": 20000, "b.bin": 1 << 20, "c.wasm": 300000}


class Supernode(Daemon):
    """`fringe supernode`: the same control socket, and the same ways to look at it."""

    def __init__(self, of, name, port, *options):
        self.lab, self.dir, self.host, self.port = of, of.dir / name, "127.0.0.1", port
        self.dir.mkdir(exist_ok=True)
        self.socket, self.options = self.dir / "s", options
        self.start()

    def start(self):
        self.log = open(self.dir / "log", "ab")
        self.process = subprocess.Popen(
            [lab.FRINGE, "supernode", "--site", self.lab.site, "--data", self.dir / "data", "--socket", self.socket, "--listen",
             self.address(), "--log", "info", *self.options], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, env=lab.ENVIRONMENT)
        wait_for("the super-node", lambda: self.process.poll() is not None or self.answers())
        if self.process.poll() is not None:
            raise AssertionError("the super-node ended at once:\n" + self.text())

    def site_status(self):
        with lab.Control(self.socket) as control:
            return control.request("site.status", site=self.lab.site)


class SupernodeTest(WithSite):
    def begin(self, sharing="peers"):
        self.port = free_port()
        self.make_site(FILES, "--supernode", f"tcp://localhost:{self.port}", "--sharing", sharing)
        self.lab.origin()

    def supernode(self, *options, name="super"):
        node = Supernode(self.lab, name, self.port, *options)
        self.lab.callback(lambda: node.process.poll() is None and node.stop())
        return node

    def wait_whole(self, node, source="origin"):
        whole = sum(FILES.values())
        return wait_for("the super-node to have everything", lambda: node.site_status()["total"][source] >= whole)

    def test_a_folder_is_given_without_a_byte_from_the_site(self):
        self.begin()
        node = self.supernode("--dir", str(self.lab.web))
        self.wait_whole(node)
        self.assertEqual(self.lab.origin_bytes("/"), 0)
        visitor = self.lab.daemon("v1")
        self.get_all(visitor)
        total = visitor.status()["total"]
        self.assertEqual((total["origin"], total["peers"]), (0, 0))
        self.assertEqual(total["supernode"], sum(FILES.values()))
        self.assertEqual(self.lab.origin_bytes(), 0)
        status = node.site_status()
        self.assertTrue(status["supernode"])
        self.assertEqual(status["spared"], {"asked": sum(FILES.values()), "shared": sum(FILES.values())})
        said = node.run("status", "--site", self.lab.site).stdout
        self.assertIn("spared     100.0 %", said)
        node.stop()
        self.assertIn("the site was spared 100.0 %", node.text())

    def test_from_the_site_once(self):
        self.begin()
        node = self.supernode()
        self.wait_whole(node)
        self.assertEqual(self.lab.origin_bytes(), sum(FILES.values()))
        for name in ("v1", "v2", "v3"):
            self.get_all(self.lab.daemon(name))
        self.assertEqual(self.lab.origin_bytes(), sum(FILES.values()))
        spared = node.site_status()["spared"]
        self.assertGreater(spared["asked"], 0)
        self.assertEqual(spared["shared"], max(0, spared["asked"] - sum(FILES.values())))
        node.stop()
        again = self.supernode()  # what it has it keeps
        self.get_all(self.lab.daemon("v4"))
        self.assertEqual(self.lab.origin_bytes(), sum(FILES.values()))
        self.assertEqual(again.site_status()["total"]["origin"], 0)

    def test_a_new_release_is_taken_from_the_folder(self):
        self.begin()
        node = self.supernode("--dir", str(self.lab.web))
        self.wait_whole(node)
        self.files["a.js"] = self.lab.write("a.js", 30000, seed=2)
        self.lab.publish("--supernode", f"tcp://localhost:{self.port}")
        wait_for("the new release", lambda: node.site_status()["release"]["seq"] == self.lab.seq, 40)
        visitor = self.lab.daemon("v1")
        wait_for("the new file", lambda: node.site_status()["total"]["origin"] >= sum(FILES.values()) + 30000)
        self.get_all(visitor)
        self.assertEqual(self.lab.origin_bytes(), 0)

    def test_a_file_that_changes_under_it_is_never_given(self):
        self.begin()
        good = (self.lab.static / "b.bin").read_bytes()
        (self.lab.static / "b.bin").write_bytes(good[:500000] + b"x" + good[500001:])
        node = self.supernode("--dir", str(self.lab.web))
        wait_for("the other files", lambda: node.site_status()["total"]["origin"] >= 320000)
        visitor = self.lab.daemon("v1")
        self.assertEqual(visitor.get(f"{self.lab.site}/static/a.js"), self.files["a.js"])
        visitor.get(f"{self.lab.site}/static/b.bin", check=False)
        (self.lab.static / "b.bin").write_bytes(good)
        self.assertEqual(self.lab.daemon("v2").get(f"{self.lab.site}/static/b.bin"), good)

    def test_supernode_only(self):
        """Visitors of such a site are connected to the super-node, and to nobody else."""
        self.begin(sharing="supernode-only")
        node = self.supernode("--dir", str(self.lab.web))
        self.wait_whole(node)
        first = self.lab.daemon("v1")
        self.get_all(first)
        second = self.lab.daemon("v2", peers=[first.address()])
        self.get_all(second)
        self.assertEqual(second.status()["total"]["supernode"], sum(FILES.values()))
        time.sleep(3)  # for PEX to have said something, if it were to
        for daemon in (first, second):
            self.assertEqual(daemon.status()["peers"], 1)
        self.assertRaises(ConnectionError, RawPeer, self, self.lab.infohash, first.port)  # nobody is let in

    def test_it_introduces_visitors_to_each_other(self):
        self.begin()
        node = self.supernode("--dir", str(self.lab.web))
        self.wait_whole(node)
        daemons = [self.lab.daemon(name) for name in ("v1", "v2")]
        for daemon in daemons:
            daemon.get(f"{self.lab.site}/static/a.js")
        wait_for("the two to know each other", lambda: all(daemon.status()["peers"] == 2 for daemon in daemons), 90)

    def test_one_that_is_away_costs_nothing(self):
        self.begin()
        visitor = self.lab.daemon("v1")
        self.get_all(visitor)
        self.assertEqual(visitor.status()["total"]["supernode"], 0)
        node = self.supernode("--dir", str(self.lab.web))  # it comes back, and is found
        wait_for("the connection", lambda: visitor.status()["peers"] == 1, 40)
        node.stop()

    def test_it_drains(self):
        """After SIGTERM what has been asked for is given, and nobody new is let in."""
        self.begin()
        node = self.supernode("--dir", str(self.lab.web))
        self.wait_whole(node)
        node.stop()
        self.assertFalse(lab.can_connect(self.port))

    def test_options(self):
        for words, says in (((), "usage"), (("--site", "https://x.example"), "usage"),
                            (("--site", "https://x.example/a", "--listen", "127.0.0.1:0"), "a site is needed"),
                            (("--site", "https://x.example", "--listen", "nowhere"), "ADDR:PORT"),
                            (("--site", "https://x.example", "--listen", "127.0.0.1:0", "--connections", "0"), "a number"),
                            (("--site", "https://x.example", "--site", "https://y.example", "--listen", "127.0.0.1:0", "--dir", "/tmp"),
                             "one --site"),
                            (("--site", "https://x.example", "--listen", "127.0.0.1:0", "--dir", "/nowhere", "--data", str(self.lab.dir / "d")),
                             "/nowhere")):
            with self.subTest(words=words):
                done = subprocess.run([lab.FRINGE, "supernode", *words], capture_output=True, text=True, timeout=20)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(says, done.stderr)


if __name__ == "__main__":
    unittest.main()
