"""The site that a crowd visits: its files, nginx over TLS and plain, a tracker."""
import json
import socket
import subprocess
import time

from content import write
from lab import FRINGE, tool
from network import ORIGIN, TRACKER, enter

SITE = f"https://{ORIGIN}"
ANNOUNCE = f"http://{TRACKER}:6969/announce"


class Website:
    def __init__(self, folder, files):
        self.dir = folder
        self.web = folder / "web"
        self.static = self.web / "static"
        self.files = files
        self.bytes = sum(files.values())
        write(self.static, files)
        self.certify()
        self.publish()

    def certify(self):
        """A certificate for the origin's address, which is its own authority."""
        self.certificate, self.key = self.dir / "origin.pem", self.dir / "origin.key"
        subprocess.run([tool("openssl", "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "2", "-subj", "/CN=crowd bench", "-addext", f"subjectAltName=IP:{ORIGIN}", "-keyout", self.key, "-out",
                        self.certificate], check=True, capture_output=True)

    def publish(self):
        secret = self.dir / "site.key"
        subprocess.run([FRINGE, "keygen", "--out", self.dir / "site", "--no-password"], check=True, capture_output=True)
        subprocess.run([FRINGE, "publish", self.static, "--site", SITE, "--base", "/static/", "--key", secret, "--out", self.web,
                        "--tracker", ANNOUNCE], check=True, capture_output=True)
        release = json.loads((self.web / ".well-known/fringe/release.json").read_text())
        self.infohash = release["bundles"][0]["infohash"]

    def serve(self, network, run):
        self.log = run / "access.log"
        temp = " ".join(f"{kind}_temp_path {run}/tmp-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (run / "nginx.conf").write_text(f"""daemon off; worker_processes 1; pid {run}/nginx.pid; error_log {run}/nginx.err;
events {{ worker_connections 4096; }}
http {{ {temp} log_format bytes '$msec $remote_addr $status $body_bytes_sent $request_time "$http_range" $uri'; access_log {self.log} bytes;
sendfile on; keepalive_requests 100000; ssl_certificate {self.certificate}; ssl_certificate_key {self.key};
server {{ listen {ORIGIN}:443 ssl http2; listen {ORIGIN}:80; root {self.web}; }} }}
""")
        network.start(network.name("origin"), [tool("nginx", "nginx-light"), "-c", run / "nginx.conf", "-e", run / "nginx.err"],
                      run / "nginx.out")
        wait_for_port(network.name("origin"), ORIGIN, 443)

    def track(self, network, run, infohashes):
        home = run / "tracker"
        home.mkdir()
        home.chmod(0o777)
        # Debian's opentracker serves only the hashes of its white list, which it reads in its own chroot.
        (home / "list").write_text("".join(f"{infohash[:40]}\n" for infohash in infohashes))
        network.start(network.name("tracker"), [tool("opentracker", "opentracker"), "-i", TRACKER, "-p", "6969", "-P", "6969", "-d", home,
                                                "-w", "/list"], run / "tracker.out")
        wait_for_port(network.name("tracker"), TRACKER, 6969)

    def requests(self):
        """What nginx answered: (status, bytes of the body, path)."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(int(line.split()[2]), int(line.split()[3]), line.split()[-1]) for line in lines]


def in_namespace(name, function):
    """Calls it in a thread inside the namespace."""
    import concurrent.futures
    with concurrent.futures.ThreadPoolExecutor(1, initializer=enter, initargs=(name,)) as pool:
        return pool.submit(function).result()


def wait_for_port(name, address, port, seconds=10):
    def connects():
        with socket.socket() as s:
            return s.connect_ex((address, port)) == 0

    end = time.monotonic() + seconds
    while not in_namespace(name, connects):
        if time.monotonic() > end:
            raise AssertionError(f"nobody listens on {address}:{port}")
        time.sleep(0.05)
