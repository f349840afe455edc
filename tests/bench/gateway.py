"""gateway: our loopback server beside nginx, the same files and the same load generator (wrk) in turn.

gateway.cpu_per_gb_ratio  CPU seconds of the server per GB of a 100 MB file, ours / nginx; target at most 1.3
gateway.rps_4k_ratio      requests of a 4 KiB file a second on 32 kept connections, ours / nginx; target at least 0.5
gateway.cpu_4k_ratio      CPU microseconds a request of that, ours / nginx
"""
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from bench import figure  # noqa: E402

REPO = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FRINGE_BUILD", REPO / "build"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "2"))
TOKEN = "0123456789abcdef" * 2
FILES = {"big": 100_000_000, "small": 4096}

NGINX = """
daemon off; master_process off; pid nginx.pid; error_log error.log; worker_rlimit_nofile 4096;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000; etag on;
  client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;
  server {{ listen 127.0.0.1:{port} backlog=511; root www; }}
}}
"""

WRK = """
done = function(summary)
  print(string.format("RESULT %.0f %.0f %.0f %d", summary.requests, summary.bytes, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write))
end
"""


def tool(name, package):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        raise SystemExit(f"{name} is missing: install the package {package}")
    return path


def cpu_seconds(pid):
    """To the nanosecond, of all threads."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


class Server:
    def __init__(self, process, base):
        self.process, self.base = process, base

    def load(self, folder, name, connections):
        """(requests, bytes, seconds, CPU seconds of the server)"""
        before = cpu_seconds(self.process.pid)
        out = subprocess.run([tool("wrk", "wrk"), "-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", folder / "wrk.lua", self.base + name],
                             check=True, capture_output=True, text=True).stdout
        cpu = cpu_seconds(self.process.pid) - before
        found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+)", out)
        assert found and found[4] == "0", out
        return int(found[1]), int(found[2]), int(found[3]) / 1e6, cpu


def start_ours(folder):
    program = BUILD / "tests" / "bench" / "gateway_serve"
    if not program.exists():
        raise SystemExit(f"{program} is not there: build with -DFRINGE_TESTS=ON")
    process = subprocess.Popen([program, folder / "www"], stdout=subprocess.PIPE, text=True)
    return Server(process, f"http://127.0.0.1:{int(process.stdout.readline())}/{TOKEN}/1/")


def start_nginx(folder):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    (folder / "nginx.conf").write_text(NGINX.format(port=port))
    process = subprocess.Popen([tool("nginx", "nginx-light"), "-p", folder, "-c", "nginx.conf", "-e", "error.log"],
                               stderr=subprocess.DEVNULL)
    for _ in range(200):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return Server(process, f"http://127.0.0.1:{port}/")
        time.sleep(0.02)
    raise SystemExit("nginx did not start: " + (folder / "error.log").read_text())


def measure(folder, servers):
    """Lists of what each round gave, by figure and side; ours and nginx take turns."""
    seen = {}
    for _ in range(ROUNDS):
        for side, server in servers.items():
            _, size, _, cpu = server.load(folder, "big", 1)
            seen.setdefault(("cpu_per_gb", side), []).append(cpu / (size / 1e9))
            requests, _, seconds, cpu = server.load(folder, "small", 32)
            seen.setdefault(("rps_4k", side), []).append(requests / seconds)
            seen.setdefault(("cpu_4k", side), []).append(cpu / requests * 1e6)
    return {key: statistics.median(values) for key, values in seen.items()}


def main():
    with tempfile.TemporaryDirectory(prefix="fringe-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "www").mkdir()
        (folder / "t").mkdir()
        folder.chmod(0o755)  # nginx may run as another user
        for file, size in FILES.items():
            (folder / "www" / file).write_bytes(os.urandom(size))
        (folder / "wrk.lua").write_text(WRK)
        servers = {}
        try:
            servers["ours"] = start_ours(folder)
            servers["peer"] = start_nginx(folder)
            medians = measure(folder, servers)
        finally:
            for server in servers.values():
                server.process.kill()
                server.process.wait()
    for key, unit in (("cpu_per_gb", "CPU s/GB"), ("rps_4k", "requests/s"), ("cpu_4k", "CPU us/request")):
        ours, peer = medians[key, "ours"], medians[key, "peer"]
        figure(f"gateway.{key}_ratio", ours / peer, ours=ours, peer=peer, unit=unit)


if __name__ == "__main__":
    main()
