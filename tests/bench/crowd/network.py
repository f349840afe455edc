"""Network namespaces with links between them: an origin, a tracker and visitors (root and iproute2 are needed).

The links are those of tests/bench/netsim.c, for kernels that have no netem. Namespaces carry the bench's process id in their names,
so several benches can run at once, and only what was made here is deleted.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import signal
import subprocess

from lab import Lab

BUILD = pathlib.Path(os.environ["FRINGE_BUILD"])
NETSIM = BUILD / "tests" / "bench" / "netsim"
CLONE_NEWNET = 0x40000000
ORIGIN = "10.77.0.1"
TRACKER = "10.77.0.2"
DELAY_US = 10_000  # of a host's uplink: a round trip takes 20 ms
QUEUE_MS = 100


def visitor_address(number):
    return f"10.77.0.{10 + number}"


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class Network(contextlib.ExitStack):
    """Up and down in bit/s; 0 is unlimited. From host to host it takes delay_us, and as long back."""

    def __init__(self, visitors, up, down, origin_up, delay_us=DELAY_US):
        super().__init__()
        self.delay_us = delay_us
        self.prefix = f"fringe{os.getpid()}"
        self.hosts = [(self.name("origin"), ORIGIN, origin_up, 0), (self.name("tracker"), TRACKER, 0, 0)]
        self.hosts += [(self.visitor(i), visitor_address(i), up, down) for i in range(visitors)]

    def name(self, host):
        return f"{self.prefix}-{host}"

    def visitor(self, number):
        return self.name(f"v{number}")

    def __enter__(self):
        super().__enter__()
        try:
            self.make()
        except BaseException:
            self.close()
            raise
        return self

    def make(self):
        if os.geteuid() != 0:
            raise SystemExit("network namespaces need root")
        if not NETSIM.exists():
            raise SystemExit(f"{NETSIM} is missing: build the target netsim")
        for name, *_ in self.hosts:
            ip("netns", "add", name)
            self.callback(ip, "netns", "del", name)
            ip("-n", name, "link", "set", "lo", "up")
        self.netsim = subprocess.Popen([NETSIM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.callback(Lab.end, self.netsim)
        os.setpriority(os.PRIO_PROCESS, self.netsim.pid, -15)  # a network does not slow down because its hosts are busy
        for name, address, up, down in self.hosts:
            self.netsim.stdin.write(f"{name} {address} {up:.0f} {down:.0f} {self.delay_us} {QUEUE_MS}\n")
        self.netsim.stdin.close()
        assert self.netsim.stdout.readline() == "ready\n", "netsim did not start"
        for name, address, *_ in self.hosts:
            ip("-n", name, "address", "add", f"{address}/24", "dev", "p0")
            ip("-n", name, "link", "set", "p0", "addrgenmode", "none")
            ip("-n", name, "link", "set", "p0", "up", "txqueuelen", "100")

    def start(self, name, argv, log, **more):
        """A process inside the namespace; it ends with the network at the latest."""
        with open(log, "ab") as out:
            process = subprocess.Popen(["ip", "netns", "exec", name, *map(str, argv)], stdin=subprocess.DEVNULL,
                                       **{"stdout": out, "stderr": out, **more})
        self.callback(Lab.end, process)
        return process

    def traffic(self):
        """Ends the network: for each host what it sent, received, lost, and had from every other one, in bytes."""
        self.netsim.send_signal(signal.SIGTERM)
        return json.loads(self.netsim.stdout.readline())["hosts"]


def enter(name):
    """Moves the calling thread, and it alone, into a namespace."""
    descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), name)
    finally:
        os.close(descriptor)
