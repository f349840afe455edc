"""Metered networks and battery, as NetworkManager and UPower (mocks of them) say it on a system bus of the test's own."""
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

from lab import Daemon, WithSite, alerts, tool, wait_for

try:
    import dbus
    import dbus.bus
    import dbus.lowlevel
    import dbusmock
except ImportError as error:
    raise SystemExit("a module is missing: install the package python3-dbusmock") from error

NETWORK = ("org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager", "Metered")
POWER = ("org.freedesktop.UPower", "/org/freedesktop/UPower", "OnBattery")
UNKNOWN, YES, NO, GUESS_YES, GUESS_NO = (dbus.UInt32(value) for value in range(5))
SIZES = {"a.bin": 4_000_000, "b.bin": 70_000}
RATE = 1_000_000

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="signal"/><allow send_type="method_call"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
</policy></busconfig>"""


class Bus:
    """A dbus-daemon with a socket in `folder`, and the services on it."""

    def __init__(self, lab):
        self.lab = lab
        self.path = lab.dir / "bus"
        self.address = f"unix:path={self.path}"
        self.config = lab.dir / "bus.conf"
        self.config.write_text(CONFIG.format(path=self.path))
        self.start()

    def start(self):
        self.path.unlink(missing_ok=True)
        self.process = subprocess.Popen([tool("dbus-daemon", "dbus-daemon"), f"--config-file={self.config}", "--nofork", "--nopidfile"],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.lab.callback(self.lab.end, self.process)
        wait_for("the bus", self.connect)
        self.connection = self.connect()

    def connect(self):
        try:
            return dbus.bus.BusConnection(self.address)
        except dbus.DBusException:
            return None

    def serve(self, service, value):
        """A mock of it, with its one property."""
        name, path, property_ = service
        process = subprocess.Popen(["/usr/bin/python3", "-m", "dbusmock", "--system", name, path, name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.address})
        self.lab.callback(self.lab.end, process)
        wait_for(name, lambda: self.connection.name_has_owner(name))
        self.tell(service, **{property_: value})
        return process

    def mock(self, service):
        name, path, _ = service
        return dbus.Interface(self.connection.get_object(name, path, introspect=False), dbusmock.MOCK_IFACE)

    def tell(self, service, **properties):
        def is_done():
            try:
                for name, value in properties.items():
                    try:
                        self.mock(service).AddProperty(service[0], name, value)
                    except dbus.DBusException as error_:
                        if "PropertyExists" not in str(error_.get_dbus_name()):
                            raise
                self.mock(service).UpdateProperties(service[0], properties)
                return True
            except dbus.DBusException as error_:  # it has its name a moment before its object
                self.why = error_
                return False

        try:
            wait_for("the mock to take it", is_done)
        except AssertionError as error_:
            raise AssertionError(f"{error_}: {self.why}") from None

    def name_of(self, process):
        """The unique name of a process that is connected; None: it is not."""
        bus = dbus.Interface(self.connection.get_object("org.freedesktop.DBus", "/", introspect=False), "org.freedesktop.DBus")
        for name in bus.ListNames():
            try:
                if name.startswith(":") and bus.GetConnectionUnixProcessID(name) == process.pid:
                    return str(name)
            except dbus.DBusException:  # it has just gone
                pass
        return None

    def send(self, connection, to, arguments, signature):
        """A signal in the name of NetworkManager, straight to it."""
        message = dbus.lowlevel.SignalMessage(NETWORK[1], "org.freedesktop.DBus.Properties", "PropertiesChanged")
        message.set_destination(to)
        message.append(*arguments, signature=signature)
        connection.send_message(message)
        connection.flush()


class Surroundings(WithSite):
    def setUp(self):
        super().setUp()
        self.make_site(SIZES)
        self.lab.origin()

    def daemon(self, address, name="ours"):
        class OnBus(Daemon):
            before = ("env", f"DBUS_SYSTEM_BUS_ADDRESS={address}")

        daemon = OnBus(self.lab, name)
        self.addCleanup(lambda: daemon.process.poll() is None and daemon.stop())
        return daemon

    def seeding(self, address, *settings):
        ours = self.daemon(address)
        self.get_all(ours)
        ours.run("set", "--upload-rate", str(RATE), *settings)
        return ours

    def leech(self, ours, name="leech"):
        return self.lab.libtorrent(self.lab.dir / name, peers=[ours.address()], settings={"min_reconnect_time": 1})

    def sharing(self, daemon, word):
        """Waits until it is so."""
        def is_so():
            self.last = daemon.status()
            return self.last["sharing"] == word

        try:
            wait_for(word, is_so, 40)
        except AssertionError as error:
            raise AssertionError(f"{error}: it is {self.last}\n{daemon.text()[-2000:]}") from None
        return self.last

    def gives_some(self, ours, session):
        before = ours.status()["total"]["uploaded"]
        try:
            wait_for("some of it", lambda: ours.status()["total"]["uploaded"] > before + 200_000)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{alerts(session)}") from None

    def gives_nothing(self, ours):
        """Though it is connected, and somebody new comes."""
        before = ours.status()["total"]["uploaded"]
        peers = ours.status()["peers"]
        _, late = self.leech(ours, "late")
        wait_for("the late one", lambda: ours.status()["peers"] > peers or late.status().num_peers > 0)
        self.visit_all(ours)  # pages go on
        self.assertEqual(ours.status()["total"]["uploaded"], before)
        self.assertEqual(late.status().total_payload_download, 0)


class Services(Surroundings):
    def setUp(self):
        super().setUp()
        self.bus = Bus(self.lab)

    def test_metered_while_giving(self):
        self.bus.serve(NETWORK, NO)
        ours = self.seeding(self.bus.address, "--unmetered-only", "yes")
        session, handle = self.leech(ours)
        self.gives_some(ours, session)
        for bad, good in ((YES, GUESS_NO), (GUESS_YES, UNKNOWN)):
            self.bus.tell(NETWORK, Metered=bad)
            self.assertEqual(self.sharing(ours, "metered")["surroundings"], {"network": "metered", "power": "unknown"})
            if bad is YES:
                self.gives_nothing(ours)
                self.assertIn("sharing    no: this network is metered", ours.run("status").stdout)
            self.bus.tell(NETWORK, Metered=good)
            self.sharing(ours, "on")
            self.gives_some(ours, session)
        ours.run("set", "--upload-rate", "0")
        self.assert_complete(session, handle, self.lab.dir / "leech", 90)

    def test_battery_and_a_service_that_comes_and_goes(self):
        ours = self.seeding(self.bus.address)
        self.assertIsNone(self.bus.name_of(ours.process), "nobody is asked for nothing")
        done = ours.run("set", "--mains-only", "yes", "--unmetered-only", "yes")
        self.assertIn("not given  over a metered network or on battery", done.stdout)
        self.sharing(ours, "on")
        text = ours.run("status").stdout
        self.assertIn("UPower says nothing", text)
        self.assertIn("NetworkManager says nothing", text)
        power = self.bus.serve(POWER, True)
        self.assertEqual(self.sharing(ours, "battery")["surroundings"]["power"], "battery")
        self.assertIn("runs on battery", ours.run("status").stdout)
        self.gives_nothing(ours)
        self.bus.tell(POWER, OnBattery=False)
        self.assertEqual(self.sharing(ours, "on")["surroundings"], {"network": "unknown", "power": "mains"})
        self.bus.serve(NETWORK, YES)
        self.sharing(ours, "metered")
        self.bus.tell(POWER, OnBattery=True)
        wait_for("the battery", lambda: ours.status()["surroundings"]["power"] == "battery")
        ours.run("set", "--unmetered-only", "no")
        self.sharing(ours, "battery")
        power.send_signal(signal.SIGKILL)
        self.assertEqual(self.sharing(ours, "on")["surroundings"], {"network": "metered", "power": "unknown"})
        session, handle = self.leech(ours)
        ours.run("set", "--upload-rate", "0")
        self.assert_complete(session, handle, self.lab.dir / "leech")
        ours.run("set", "--mains-only", "no")
        wait_for("it to hang up", lambda: self.bus.name_of(ours.process) is None)

    def test_the_switch_is_remembered(self):
        self.bus.serve(POWER, True)
        ours = self.seeding(self.bus.address, "--mains-only", "yes")
        self.sharing(ours, "battery")
        ours.stop(signal.SIGKILL)
        ours.start()
        self.assertEqual(self.sharing(ours, "battery")["limits"]["mains_only"], 1)
        self.assertEqual(ours.status()["total"]["uploaded"], 0)
        for words in (["--mains-only", "maybe"], ["--unmetered-only", "2"], ["--unmetered-only", ""]):
            self.assertEqual(ours.run("set", *words, check=False).returncode, 2, words)
        # Nobody has asked for anything in this run: it is given all the same.
        self.bus.tell(POWER, OnBattery=False)
        session, handle = self.leech(ours)
        ours.run("set", "--upload-rate", "0")
        self.assert_complete(session, handle, self.lab.dir / "leech")

    def test_the_bus_dies_and_comes_back(self):
        self.bus.serve(NETWORK, YES)
        ours = self.seeding(self.bus.address, "--unmetered-only", "yes")
        self.sharing(ours, "metered")
        self.lab.end(self.bus.process)
        self.assertEqual(self.sharing(ours, "on")["surroundings"]["network"], "unknown")
        self.bus.start()
        self.bus.serve(NETWORK, YES)
        self.sharing(ours, "metered")

    def test_wrong_types(self):
        self.bus.serve(NETWORK, "yes")
        self.bus.serve(POWER, dbus.UInt32(1))
        ours = self.seeding(self.bus.address, "--unmetered-only", "yes", "--mains-only", "yes")
        self.assertEqual(self.sharing(ours, "on")["surroundings"], {"network": "unknown", "power": "unknown"})
        for value in (YES, dbus.Byte(1), YES, dbus.Int32(1), YES, "x" * 50_000, YES, dbus.UInt32(77)):
            self.bus.tell(NETWORK, Metered=value)
            self.sharing(ours, "metered" if value is YES else "on")
        self.bus.tell(POWER, OnBattery=True)
        self.sharing(ours, "battery")

    def test_another_program_on_the_bus(self):
        """Anybody may send signals in NetworkManager's name: they are believed nothing, and a flood of them ends the talk."""
        self.bus.serve(NETWORK, YES)
        ours = self.seeding(self.bus.address, "--unmetered-only", "yes")
        self.sharing(ours, "metered")
        us = self.bus.name_of(ours.process)
        for arguments, types in (((NETWORK[0], {"Metered": NO}, []), "sa{sv}as"), ((NETWORK[0], {"Metered": "no"}, []), "sa{sv}as"),
                                 ((7,), "u"), ((), ""), ((NETWORK[0], {}, ["Metered"]), "sa{sv}as")):
            self.bus.send(self.bus.connection, us, arguments, types)
        self.gives_nothing(ours)
        self.assertEqual(ours.status()["sharing"], "metered")
        memory = ours.memory_kb()
        for text in ("y" * 100, "x" * 3_000_000):
            self.flood(ours, text)
            self.assertEqual(ours.status()["sharing"], "metered", "and what was known stays")
            self.assertLess(ours.memory_kb() - memory, 20_000)
            self.visit_all(ours)
            ours.run("set", "--unmetered-only", "no")
            ours.run("set", "--unmetered-only", "yes")  # a new connection
            self.sharing(ours, "metered")
        self.assertIn("too much comes over the system bus", ours.text())

    def flood(self, ours, text):
        us = wait_for("it on the bus", lambda: self.bus.name_of(ours.process))
        end = time.monotonic() + 60
        sender = self.bus.connect()
        while self.bus.name_of(ours.process) == us:
            self.assertLess(time.monotonic(), end, "it still listens")
            for _ in range(max(1, 100_000 // len(text))):
                self.bus.send(sender, us, (NETWORK[0], {"Metered": text}, []), "sa{sv}as")
        sender.close()


class Absent(Surroundings):
    def listen(self, name, answer):
        """What is no bus: it sends `answer` to whoever connects, and then nothing."""
        path = self.lab.dir / f"{name}.socket"
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(str(path))
        server.listen()

        def serve():
            kept = []
            try:
                while True:
                    kept.append(server.accept()[0])
                    kept[-1].sendall(answer)
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        return f"unix:path={path}"

    def test_nobody_says_anything(self):
        """No bus, what is none, a service that hangs: after a while as if nothing were known, and files are given."""
        bus = Bus(self.lab)
        hung = bus.serve(POWER, True)
        hung.send_signal(signal.SIGSTOP)
        self.addCleanup(hung.send_signal, signal.SIGCONT)
        addresses = {"nowhere": f"unix:path={self.lab.dir}/nothing", "nonsense": "what:is=this", "garbage": self.listen("garbage", b"\0\xff" * 50_000),
                     "half": self.listen("half", b"OK 0123456789abcdef0123456789abcdef\r\n\x6c"), "hung": bus.address,
                     "silent": self.listen("silent", b"")}
        daemons = {name: self.daemon(address, name) for name, address in addresses.items()}
        for daemon in daemons.values():
            daemon.run("set", "--mains-only", "yes", "--unmetered-only", "yes")
        self.assertIn("sharing    not yet", daemons["silent"].run("status").stdout)
        for daemon in daemons.values():
            self.assertEqual(self.sharing(daemon, "on")["surroundings"], {"network": "unknown", "power": "unknown"})
        hung.send_signal(signal.SIGCONT)
        self.sharing(daemons["hung"], "battery")
        self.get_all(daemons["nowhere"])
        session, handle = self.leech(daemons["nowhere"])
        self.assert_complete(session, handle, self.lab.dir / "leech")


if __name__ == "__main__":
    unittest.main()
