"""A home network in namespaces of its own: inside (192.168.7.5) - router (192.168.7.1 | 20.0.0.1) - outside (20.0.0.2).

Needs no rights where user namespaces are allowed. The kernel takes all of it away when its processes end. The addresses outside
are public ones, because a router whose own address is not public is refused; no packet leaves the namespaces.
"""
import contextlib
import pathlib
import subprocess
import sys

from lab import Lab, tool, wait_for

HERE = pathlib.Path(__file__).parent
INSIDE, OTHER_INSIDE, ROUTER, ROUTER_OUTSIDE, OUTSIDE = "192.168.7.5", "192.168.7.6", "192.168.7.1", "20.0.0.1", "20.0.0.2"

# What miniupnpd's own nft_init.sh makes, without a firewall.
CHAINS = """table inet filter {
  chain forward { type filter hook forward priority 0; jump miniupnpd; }
  chain miniupnpd { }
  chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
  chain postrouting { type nat hook postrouting priority 100; jump postrouting_miniupnpd; }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}
"""

MINIUPNPD = """ext_ifname=wan
listening_ip=lan
port=5000
enable_natpmp=yes
enable_upnp=yes
secure_mode=yes
uuid=00000000-0000-4000-8000-000000000001
upnp_table_name=filter
upnp_nat_table_name=filter
allow 1024-65535 192.168.7.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""


class Namespace:
    """One host of the network: a process that sleeps holds it."""

    def __init__(self, lab, inside_of=None):
        unshare = [tool("unshare", "util-linux"), *(["-n"] if inside_of else ["-Urnm"]), "sleep", "infinity"]
        self.lab = lab
        self.holder = subprocess.Popen([*(inside_of.prefix if inside_of else []), *unshare], stdin=subprocess.DEVNULL)
        lab.callback(lab.end, self.holder)
        wait_for("a namespace", lambda: self.holder.poll() is not None or self.command() == "sleep")
        if self.holder.poll() is not None:
            raise AssertionError("no network namespace can be made here: unshare failed")
        # nsenter becomes the program: a signal to the process that was started reaches it.
        self.prefix = ["nsenter", "-t", str(self.holder.pid), "-U", "--preserve-credentials", "-n", "-m"]
        self.ip("link", "set", "lo", "up")

    def command(self):
        return pathlib.Path(f"/proc/{self.holder.pid}/comm").read_text().strip()

    def run(self, *words, check=True, **more):
        done = subprocess.run([*self.prefix, *map(str, words)], capture_output=True, text=True, timeout=120, **more)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")
        return done

    def ip(self, *words):
        self.run(tool("ip", "iproute2"), *words)

    def address(self, device, *addresses):
        for address in addresses:
            self.ip("address", "add", f"{address}/24", "dev", device)
        self.ip("link", "set", device, "up")

    def start(self, name, *words):
        """A process of the lab's; its output is the file `name`."""
        log = self.lab.dir / name
        with open(log, "wb") as out:
            process = subprocess.Popen([*self.prefix, *map(str, words)], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.lab.callback(self.lab.end, process)
        return process, log


class NatLab(Lab):
    """`outside`: the router's address there; one that is not public makes a second NAT of what is behind it."""

    def __init__(self, outside=ROUTER_OUTSIDE):
        super().__init__()
        self.router_outside = outside

    def __enter__(self):
        super().__enter__()
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            self.router = Namespace(self)
            self.inside, self.outside = Namespace(self, self.router), Namespace(self, self.router)
            for device, host in (("lan", self.inside), ("wan", self.outside)):
                self.router.ip("link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", host.holder.pid)
            self.router.address("lan", ROUTER)
            self.router.address("wan", self.router_outside)
            self.inside.address("eth0", INSIDE, OTHER_INSIDE)
            self.outside.address("eth0", OUTSIDE)
            self.inside.ip("route", "add", "default", "via", ROUTER)
            self.outside.ip("route", "add", "192.168.7.0/24", "via", ROUTER_OUTSIDE)
            self.router.ip("route", "add", "default", "dev", "wan")
            self.router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            undo.pop_all()
        return self

    def miniupnpd(self, settings=""):
        """The real one. (process, log)"""
        (self.dir / "chains").write_text(CHAINS)
        self.router.run(tool("nft", "nftables"), "-f", self.dir / "chains")
        conf = self.dir / "miniupnpd.conf"
        conf.write_text(MINIUPNPD + settings)
        process, log = self.router.start("miniupnpd.log", tool("miniupnpd", "miniupnpd-nftables"), "-d", "-f", conf, "-P",
                                         self.dir / "miniupnpd.pid")
        wait_for("miniupnpd", lambda: process.poll() is not None or "Listening for NAT-PMP" in log.read_text(errors="replace"))
        if process.poll() is not None:
            raise AssertionError("miniupnpd does not run here:\n" + log.read_text(errors="replace"))
        return process, log

    def rules(self):
        """The ports that miniupnpd has opened, as lines of nftables."""
        text = self.router.run("nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd").stdout
        return [line.strip() for line in text.splitlines() if "dnat" in line]

    def script(self, where, name, *words):
        """One of the Python programs of this folder, when it says that it is ready."""
        process, log = where.start(f"{name}.log", sys.executable, HERE / f"{name}.py", *words)
        wait_for(name, lambda: process.poll() is not None or "ready" in log.read_text(errors="replace"))
        if process.poll() is not None:
            raise AssertionError(f"{name}.py ended at once:\n" + log.read_text(errors="replace"))
        return process, log

    def fake_router(self, natpmp="off", upnp="off"):
        return self.script(self.router, "fake_router", "--natpmp", natpmp, "--upnp", upnp)
