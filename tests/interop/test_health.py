"""A full or read-only disk, no network, a wrong clock: the daemon serves what it can, says what is wrong, and recovers by itself."""
import json
import os
import pathlib
import subprocess
import unittest

from lab import ENVIRONMENT, REPO, Daemon, WithSite, tool, wait_for
from nat_lab import Namespace

from control import Control

YEAR = 365 * 86400
SIZES = {"small.bin": 70000, "big.bin": 1500000}
WELL = {"store": "ok", "network": "ok", "clock": "ok", "clock_off_s": 0}


class Healthy(WithSite):
    def health(self, daemon, **wanted):
        """Waits until the daemon says so."""
        return wait_for(wanted, lambda: wanted.items() <= daemon.status()["health"].items())

    def open_site(self, client):
        return client.request("site.open", site=self.lab.site, seq=self.lab.seq, doc="page")

    def listen(self, daemon):
        """A connection as an extension's, which is told of what changes."""
        client = Control(daemon.socket, timeout=30)
        self.addCleanup(client.close)
        client.request("hello", api=1, client="extension", version="1")
        return client

    def event(self, client):
        while (message := client.receive()).get("event") != "health":
            pass
        return message


class Disk(Healthy):
    """A daemon on a small disk of its own."""

    def setUp(self):
        super().setUp()
        self.make_site(SIZES)
        self.lab.origin()
        self.disk = self.lab.dir / "disk"
        self.disk.mkdir()
        holder = subprocess.Popen([tool("unshare", "util-linux"), "-Urm", "sleep", "infinity"], stdin=subprocess.DEVNULL)
        self.lab.callback(self.lab.end, holder)
        wait_for("a namespace", lambda: pathlib.Path(f"/proc/{holder.pid}/comm").read_text().strip() == "sleep")
        self.inside = ["nsenter", "-t", str(holder.pid), "-U", "--preserve-credentials", "-m"]
        self.sh("mount -t tmpfs -o size=60m,mode=700 tmpfs $0")

    def sh(self, command):
        subprocess.run([*self.inside, "sh", "-ec", command, str(self.disk)], check=True, capture_output=True, timeout=60)

    def start(self, data="data"):
        inside, data = self.inside, self.disk / data

        class OnDisk(Daemon):
            before = inside

            def start(self):
                self.options = [*self.options, "--data", str(data)]
                super().start()

        daemon = OnDisk(self.lab, f"d{len(os.listdir(self.lab.dir))}")
        self.addCleanup(lambda: daemon.process.poll() is None and daemon.stop())
        return daemon

    def visit(self, daemon, path):
        return daemon.visit(self.lab.site, [f"/static/{path}"])[f"/static/{path}"]

    def fill(self):
        self.sh("dd if=/dev/zero of=$0/filler bs=4k 2>/dev/null || true")

    def is_kept_out(self, daemon):
        """What is not in the cache: the page goes to the site."""
        status, body = self.visit(daemon, "big.bin")
        self.assertTrue(status == 503 or (status == 0 and b"cannot-store" in body), (status, body[:200]))

    def test_a_disk_that_fills_up(self):
        daemon = self.start()
        self.assertEqual(self.visit(daemon, "small.bin"), (200, self.files["small.bin"]))
        daemon.run("cache", "keep", self.lab.site)  # else it gives way to what fills the disk
        client = self.listen(daemon)
        self.fill()
        self.is_kept_out(daemon)
        self.assertEqual(self.event(client)["store"], "no-space")
        self.health(daemon, store="no-space")
        self.assertEqual(daemon.status()["cache"]["state"], "no-space")
        self.assertEqual(self.visit(daemon, "small.bin"), (200, self.files["small.bin"]), "what is there is served")
        self.sh("rm $0/filler")
        self.assertEqual(self.event(client)["store"], "ok", "told without anybody asking for a file")
        self.assertEqual(self.visit(daemon, "big.bin"), (200, self.files["big.bin"]))

    def test_the_cache_gives_way_when_the_disk_fills_up(self):
        daemon = self.start()
        self.visit(daemon, "small.bin")
        self.fill()
        wait_for("it to give way", lambda: daemon.status()["cache"]["files"] == 0, 60)
        self.sh("rm $0/filler")
        wait_for("it to take files again", lambda: self.visit(daemon, "small.bin") == (200, self.files["small.bin"]))

    def begins_anew(self, daemon):
        def is_well():
            done = daemon.run("status", "--json", check=False)  # for a moment nobody listens
            return done.returncode == 0 and json.loads(done.stdout)["health"]["store"] == "ok"

        wait_for("the disk to be used", is_well)

    def start_again(self, make):
        """With one file in the cache, on a disk to which `make` has been done meanwhile."""
        daemon = self.start()
        self.visit(daemon, "small.bin")
        daemon.run("set", self.lab.site, "fetch")
        daemon.run("cache", "keep", self.lab.site)
        daemon.stop()
        make()
        return self.start()

    def test_begins_on_a_read_only_disk(self):
        daemon = self.start_again(lambda: self.sh("mount -o remount,ro $0"))
        client = self.listen(daemon)
        self.health(daemon, store="read-only")
        self.assertEqual(self.visit(daemon, "small.bin"), (200, self.files["small.bin"]), "what is there is served")
        self.assertEqual(client.request("site.status", site=self.lab.site)["chosen"], "fetch", "the choice is known")
        self.is_kept_out(daemon)
        self.sh("mount -o remount,rw $0")
        # It begins anew: whoever was connected connects again.
        with self.assertRaises(ConnectionError):
            while True:
                client.receive()
        self.begins_anew(daemon)
        self.assertEqual(self.visit(daemon, "big.bin"), (200, self.files["big.bin"]))

    def test_begins_on_a_full_disk(self):
        daemon = self.start_again(self.fill)
        self.health(daemon, store="no-space")
        self.assertEqual(self.visit(daemon, "small.bin"), (200, self.files["small.bin"]), "what is there is served")
        self.is_kept_out(daemon)
        self.sh("rm $0/filler")
        self.begins_anew(daemon)
        self.assertEqual(self.visit(daemon, "big.bin"), (200, self.files["big.bin"]))

    def test_begins_where_nothing_can_be_made(self):
        self.sh("mount -o remount,ro $0")
        daemon = self.start("not/there")
        self.health(daemon, store="read-only")
        with Control(daemon.socket) as client:
            self.assertEqual(self.open_site(client)["state"], "ready", "releases are read all the same")
        self.is_kept_out(daemon)
        self.sh("mount -o remount,rw $0")
        self.begins_anew(daemon)
        self.assertEqual(self.visit(daemon, "big.bin"), (200, self.files["big.bin"]))


class Network(Healthy):
    def test_comes_and_goes(self):
        host = Namespace(self.lab)

        class Inside(Daemon):
            before = host.prefix

        daemon = Inside(self.lab, "alone")
        self.addCleanup(lambda: daemon.process.poll() is None and daemon.stop())
        self.health(daemon, network="none")
        client = self.listen(daemon)
        host.ip("link", "add", "out", "type", "veth", "peer", "name", "far")
        host.ip("link", "set", "far", "up")
        host.ip("link", "set", "out", "up")
        host.address("out", "192.0.2.7")
        self.assertEqual(self.event(client)["network"], "ok")
        self.health(daemon, network="ok")
        host.ip("link", "delete", "out")
        self.assertEqual(self.event(client)["network"], "none")


class Clock(Healthy):
    def start(self, off):
        self.make_site(SIZES)
        self.lab.origin()
        library = self.lab.dir / "wrong_clock.so"
        subprocess.run([tool("gcc", "gcc"), "-shared", "-fPIC", "-o", library, REPO / "tests/lib/wrong_clock.c"], check=True)
        self.clock = self.lab.dir / "ours" / "clock"  # where a confined daemon can read it
        self.clock.parent.mkdir()
        self.clock.write_text(str(off))
        options = ENVIRONMENT["ASAN_OPTIONS"] + ":verify_asan_link_order=0"

        class Wrong(Daemon):
            before = ("env", f"LD_PRELOAD={library}", f"WRONG_CLOCK={self.clock}", f"ASAN_OPTIONS={options}")

        daemon = Wrong(self.lab, "ours")
        self.addCleanup(lambda: daemon.process.poll() is None and daemon.stop())
        return daemon

    def test_a_year_ahead(self):
        daemon = self.start(2 * YEAR)
        client = self.listen(daemon)
        answer = self.open_site(client)
        self.assertEqual((answer["state"], answer["reason"]), ("failed", "expired"))
        health = daemon.status()["health"]
        self.assertEqual(health["clock"], "ahead")
        self.assertAlmostEqual(health["clock_off_s"], 2 * YEAR, delta=600)
        # It is set: all is well at once, and who waits for that is told.
        self.clock.write_text("0")
        self.assertTrue(wait_for("the site", lambda: self.open_site(client)["state"] == "ready"))
        self.health(daemon, clock="ok")

    def test_a_year_behind(self):
        daemon = self.start(-YEAR)
        with Control(daemon.socket) as client:
            self.open_site(client)
        self.health(daemon, clock="behind")
        self.get_all(daemon)
        self.clock.write_text("0")
        self.health(daemon, clock="ok")

    def test_a_clock_that_is_right(self):
        daemon = self.start(0)
        self.get_all(daemon)
        self.assertEqual({**daemon.status()["health"], "network": "ok"}, WELL)


if __name__ == "__main__":
    unittest.main()
