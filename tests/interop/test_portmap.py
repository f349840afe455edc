"""The home router: what it is asked, what of its answers is believed, and that a mapping lives as long as the daemon.

The router is the real miniupnpd (with nftables, in a network namespace), and then one that misbehaves (fake_router.py).
"""
# Takes long: tests/run begins with it.
import contextlib
import os
import re
import signal
import sys
import time
import unittest

from lab import ENVIRONMENT, FRINGE, Daemon, wait_for
from nat_lab import HERE, INSIDE, OTHER_INSIDE, OUTSIDE, ROUTER, ROUTER_OUTSIDE, NatLab

# libminiupnpc reads numbers with strtol from a reply that it counts the bytes of: right, as something that is no digit always
# follows, but against what AddressSanitizer's strict check of strings asks for (a NUL at the end of every string).
ENVIRONMENT["ASAN_OPTIONS"] += ":strict_string_checks=0"
os.environ["ASAN_OPTIONS"] = ENVIRONMENT["ASAN_OPTIONS"]

URL = f"http://{ROUTER}:5000/root.xml"
GRANTED = 40000  # by the fake router, whatever it is asked for


class InsideDaemon(Daemon):
    """A daemon behind the router. Debug: what goes wrong in the process that asks is in the log."""

    def __init__(self, lab, *options, listen="0.0.0.0:6881", **more):
        self.before, self.listen = lab.inside.prefix, listen
        super().__init__(lab, "inside", "--log", "debug", *options, **more)

    def address(self):
        return self.listen

    def mapping(self):
        return self.status()["port_mapping"]

    def wait_mapping(self, state):
        try:
            wait_for(f"the state {state}", lambda: self.mapping()["state"] == state, 60)
        except AssertionError as error:
            raise AssertionError(f"{error}, it is {self.mapping()}\n{self.text()}") from None
        return self.mapping()


class WithRouter(unittest.TestCase):
    outside = ROUTER_OUTSIDE

    def setUp(self):
        self.lab = self.enterContext(NatLab(self.outside))
        self.site()

    def site(self):
        """A site inside, so that there is something to use peers for; its tracker is outside."""
        self.lab.write("a.txt", 3000)
        self.lab.publish("--tracker", f"http://{OUTSIDE}:8000/announce")
        _, log = self.lab.inside.start("web.log", sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory",
                                       self.lab.web, self.lab.origin_port)
        wait_for("the site", lambda: "Serving" in log.read_text())

    def daemon(self, *options, **more):
        daemon = InsideDaemon(self.lab, *options, **more)

        def end():
            if daemon.process.poll() is None:
                daemon.stop()
            for bad in ("Sanitizer", "runtime error", "asks the router (status", "was left open"):
                self.assertNotIn(bad, daemon.text())
        self.addCleanup(end)
        return daemon

    def visit(self, daemon):
        """A page of the site, read through the host."""
        done = self.lab.inside.run(FRINGE, "get", f"{self.lab.site}/static/a.txt", "-o", self.lab.dir / "out", "--socket",
                                   daemon.socket)
        self.assertEqual(done.stderr, "")

    def dial(self, other, address):
        """Another visitor who dials: what it is told."""
        return other.run(sys.executable, HERE / "wan_host.py", "connect", address, 6881, self.lab.infohash).stdout

    def ask(self, method, *options, ends=(0, 1)):
        """One question on the command line: the answer, as words."""
        done = self.lab.inside.run(FRINGE, "port-map", method, "--port", "6881", *options, check=False)
        for bad in ("Sanitizer", "runtime error"):
            self.assertNotIn(bad, done.stderr)
        self.assertIn(done.returncode, ends, done.stderr)
        return done.stdout.split()


class RealRouter(WithRouter):
    def setUp(self):
        super().setUp()
        self.router, self.log = self.lab.miniupnpd()

    def test_each_method_maps_renews_and_removes(self):
        for method in ("upnp", "nat-pmp"):
            with self.subTest(method):
                answer = self.ask(method)
                self.assertEqual(answer[:3], ["mapped", f"{ROUTER_OUTSIDE}:6881", "3600"])
                self.assertEqual(len(self.lab.rules()), 1)
                again = self.ask(method, "--external", "6881", *(["--url", answer[3]] if method == "upnp" else []))
                self.assertEqual(again[:2], answer[:2])
                self.assertEqual(len(self.lab.rules()), 1)
                self.assertEqual(self.ask(method, "--remove"), ["removed"])
                self.assertEqual(self.lab.rules(), [])

    def test_a_port_that_another_host_has(self):
        self.lab.inside.ip("route", "replace", "default", "via", ROUTER, "src", OTHER_INSIDE)
        self.lab.inside.ip("route", "replace", "192.168.7.0/24", "dev", "eth0", "src", OTHER_INSIDE)
        self.assertEqual(self.ask("nat-pmp")[1], f"{ROUTER_OUTSIDE}:6881")
        self.lab.inside.ip("route", "replace", "default", "via", ROUTER, "src", INSIDE)
        self.lab.inside.ip("route", "replace", "192.168.7.0/24", "dev", "eth0", "src", INSIDE)
        for method in ("upnp", "nat-pmp"):
            answer = self.ask(method)
            self.assertEqual(answer[0], "mapped")
            self.assertNotEqual(answer[1], f"{ROUTER_OUTSIDE}:6881")

    def test_a_host_reached_from_outside_for_as_long_as_it_runs(self):
        daemon = self.daemon()
        self.visit(daemon)
        mapping = daemon.wait_mapping("mapped")
        self.assertEqual(mapping["external"], f"{ROUTER_OUTSIDE}:6881")
        self.assertIn(mapping["method"], ("upnp", "nat-pmp"))
        self.assertRegex(daemon.run("status").stdout, rf"\nrouter     {ROUTER_OUTSIDE}:6881 leads here \((upnp|nat-pmp)\)\n")
        self.assertRegex(self.lab.rules()[0], f"dport 6881 .*{INSIDE}:6881")
        self.assertEqual(self.dial(self.lab.outside, ROUTER_OUTSIDE), "peer says 6881\n")
        daemon.stop()
        self.assertEqual(self.lab.rules(), [])

    def test_an_address_to_listen_on(self):
        daemon = self.daemon(listen=f"{OTHER_INSIDE}:7000")
        self.visit(daemon)
        self.assertEqual(daemon.wait_mapping("mapped")["external"], f"{ROUTER_OUTSIDE}:7000")

    def test_nothing_is_asked_of_it(self):
        """Not for a host that may not, or only hears itself, nor before the visitor has chosen anything."""
        for options, more in (["--no-port-map"], {}), ([], {"listen": "127.0.0.1:6881"}), ([], {"listen": "[::1]:6881"}):
            with self.subTest(f"{options} {more}"):
                daemon = InsideDaemon(self.lab, *options, **more)
                self.visit(daemon)
                self.assertEqual(daemon.mapping(), {"state": "off", "method": "", "external": ""})
                self.assertIn("router     not asked", daemon.run("status").stdout)
                daemon.stop()
        daemon = self.daemon(zone="off")
        self.assertEqual(daemon.mapping()["state"], "off")
        log = self.log.read_text(errors="replace")
        self.assertNotRegex(log, "NAT-PMP request received|M-SEARCH from")

    def test_a_visitor_who_turns_it_off(self):
        daemon = self.daemon()
        self.visit(daemon)
        daemon.wait_mapping("mapped")
        wait_for("both methods", lambda: daemon.text().count(": mapped") >= 3)
        daemon.run("set", self.lab.site, "off")
        self.assertEqual(daemon.wait_mapping("off")["external"], "")
        wait_for("the end of the mapping", lambda: self.lab.rules() == [])
        daemon.run("set", self.lab.site, "fetch")
        daemon.wait_mapping("mapped")
        self.assertEqual(len(self.lab.rules()), 1)

    def test_a_host_that_is_killed(self):
        """The next one takes the mapping over; without one it ends with its lease."""
        daemon = self.daemon()
        self.visit(daemon)
        daemon.wait_mapping("mapped")
        daemon.stop(signal.SIGKILL)
        self.assertEqual(len(self.lab.rules()), 1)
        daemon.start()
        self.assertEqual(daemon.wait_mapping("mapped")["external"], f"{ROUTER_OUTSIDE}:6881")
        daemon.stop()
        self.assertEqual(self.lab.rules(), [])


class RealRouterBehindAnother(WithRouter):
    outside = "192.168.99.2"

    def test_leads_nowhere(self):
        self.lab.miniupnpd()
        daemon = self.daemon()
        self.visit(daemon)
        state = wait_for("an answer", lambda: (daemon.mapping()["state"] != "asking") and daemon.mapping())
        self.assertEqual(state["external"], "")
        self.assertIn(state["state"], ("double-nat", "refused"))
        self.assertEqual(self.lab.rules(), [])


class FakeRouter(WithRouter):
    """Each case: what the router does -> what is made of it."""

    @contextlib.contextmanager
    def fake(self, **modes):
        """A router of that kind for a while."""
        self.process, self.log = self.lab.fake_router(**modes)
        try:
            yield
        finally:
            self.lab.end(self.process)

    def each(self, method, cases, *options):
        for mode, expected in cases.items():
            with self.subTest(mode), self.fake(**{method.replace("-", ""): mode}):
                self.assertRegex(" ".join(self.ask(method, *options)), f"^{expected}$")

    def asked(self, what):
        """Whole lines of the router's log: the last one may be half written yet."""
        return [line for line in self.log.read_text().split("\n")[:-1] if re.search(what, line)]

    def test_natpmp(self):
        self.each("nat-pmp", {
            "ok": f"mapped {ROUTER_OUTSIDE}:{GRANTED} 3600", "refuse": "refused", "double-nat": "double-nat 100.64.7.7:0",
            "other-kind": "no-router", "other-version": "no-router", "other-port": "no-router", "no-port": "refused",
            "short-lease": "refused", "flood": "no-router", "off": "no-router"})

    def test_natpmp_that_talks_nonsense(self):
        """What libnatpmp makes of a short datagram depends on what was in memory; it must only never be taken for a mapping."""
        with self.fake(natpmp="short"):
            self.assertNotEqual(self.ask("nat-pmp")[0], "mapped")
        with self.fake(natpmp="noise"):
            for _ in range(10):
                self.assertNotEqual(self.ask("nat-pmp")[0], "mapped")

    def test_upnp(self):
        self.each("upnp", {
            "ok": f"mapped {ROUTER_OUTSIDE}:6881 3600 {URL}", "double-nat": "double-nat 192.168.1.2:0", "no-address": "refused",
            "taken": rf"mapped {ROUTER_OUTSIDE}:(49|5\d|6[0-5])\d\d\d 3600 {URL}",
            "permanent": f"mapped {ROUTER_OUTSIDE}:6881 3600 {URL}",
            "refuse": "refused", "no-service": "no-router", "noise": "no-router", "huge-length": "no-router"}, "--url", URL)

    def test_upnp_found_by_a_search(self):
        with self.fake(upnp="ok"):
            self.assertEqual(self.ask("upnp"), ["mapped", f"{ROUTER_OUTSIDE}:6881", "3600", URL])
            self.assertEqual(self.ask("upnp", "--remove"), ["removed"])
            self.assertEqual(self.asked("post DeletePortMapping"), ["post DeletePortMapping 6881"])

    def test_upnp_without_an_end(self):
        """The process that asks gives up before it has taken much, and says nothing."""
        for mode in ("endless-head", "endless-body"):
            with self.subTest(mode), self.fake(upnp=mode):
                # By its memory's limit or, on a slow machine, by its time's.
                self.assertEqual(self.ask("upnp", "--url", URL, ends=(0, 1, -signal.SIGALRM)), [])
                sent = wait_for("its end", lambda: self.asked("^sent"))
                self.assertLess(int(sent[0].split()[1]), 300e6)

    def test_upnp_that_names_other_hosts(self):
        """Only the router is fetched from and posted to, whatever the answers of the search or a description name."""
        _, outside = self.lab.script(self.lab.outside, "wan_host")
        for mode in ("elsewhere", "other-host"):
            with self.subTest(mode), self.fake(upnp=mode):
                self.assertEqual(self.ask("upnp"), ["no-router"])
        self.assertEqual(self.ask("upnp", "--url", f"http://{OUTSIDE}:8000/root.xml"), ["no-router"])
        self.assertEqual(self.ask("upnp", "--url", f"http://{INSIDE}:8000/root.xml"), ["no-router"])
        self.assertEqual(outside.read_text(), "ready\n")

    def test_upnp_from_a_crowd_of_devices(self):
        with self.fake(upnp="crowd"):
            self.assertEqual(self.ask("upnp"), ["no-router"])
            self.assertEqual(len(self.asked("^get")), 8)  # LIMIT_ROUTER_DEVICES

    def test_what_others_are_told(self):
        """The router's port goes to the tracker and to peers beyond it."""
        _, outside = self.lab.script(self.lab.outside, "wan_host")
        daemon = self.daemon()
        with self.fake(natpmp="ok"):
            self.visit(daemon)
            self.assertEqual(daemon.wait_mapping("mapped"),
                             {"state": "mapped", "method": "nat-pmp", "external": f"{ROUTER_OUTSIDE}:{GRANTED}"})
            wait_for("an announce", lambda: f"&port={GRANTED}&" in outside.read_text())
            self.assertEqual(self.dial(self.lab.outside, INSIDE), f"peer says {GRANTED}\n")
            self.assertEqual(self.dial(self.lab.router, INSIDE), "peer says 6881\n")  # our own network
            daemon.stop()
            self.assertEqual(self.asked("nat-pmp")[-1], "nat-pmp " + "00020000" + "1ae10000" + "00000000")

    def test_the_daemon_ends_though_the_router_does_not_answer(self):
        daemon = self.daemon()
        daemon.stop()
        for mode in ("silent", "drip"):
            with self.subTest(mode), self.fake(upnp=mode):
                daemon.start()
                self.visit(daemon)
                wait_for("a question", lambda: self.asked("^get"))
                self.assertEqual(daemon.mapping()["state"], "asking")
                before = time.monotonic()
                daemon.stop()
                self.assertLess(time.monotonic() - before, 15)  # a question may take 20 s

    def test_a_router_that_goes_away_before_the_end(self):
        daemon = self.daemon()
        with self.fake(natpmp="ok", upnp="ok"):
            self.visit(daemon)
            wait_for("both methods", lambda: daemon.text().count(": mapped") >= 3)  # and what is made of both
            self.process.send_signal(signal.SIGSTOP)
            daemon.stop()
            self.process.send_signal(signal.SIGCONT)
