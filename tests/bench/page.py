"""page: the demo page's load event in real browsers, with Fringe and without. A visitor has a link of 20 Mbit/s and a round trip of
40 ms to the site; every load is a fresh browser's, whose own cache is empty, and who has done with starting. It reports no
requests to whoever drives it: that takes Firefox 5 ms for each.

page.BROWSER.cold_ratio         nobody has anything; target at most 1.10
page.BROWSER.warm_ratio         the visitor's host has the files; at most 0.8
page.BROWSER.lan_ratio          a visitor on the same network has them; at most 0.5
page.BROWSER.unsupported_ratio  a site without a label, which gets no request of ours; at most 1.02
page.BROWSER.no_host_ratio      the host is not installed, from the second page on; at most 1.05

BROWSER is firefox or chromium; ours and peer are the medians in ms, with Fringe and without. BENCH_ROUNDS says how often (5).
Words keep it to these browsers and cases: `tests/bench/run page firefox cold lan`. As root, for the network namespaces.
"""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "crowd"), str(HERE.parent / "lib"), str(HERE.parent / "interop")]
from bench import figure  # noqa: E402
from control import Control  # noqa: E402
from lab import FRINGE, REPO, tool, wait_for  # noqa: E402
from network import ORIGIN, Network, ip, visitor_address  # noqa: E402
from website import wait_for_port  # noqa: E402

BROWSERS = ("chromium", "firefox")
LINK = 20e6
DELAY_US = 20_000
LAN = ("10.78.0.1", "10.78.0.2")  # the visitor's own network, without limits: the visitor, and one who has been there before
FIRST, SECOND, PLAIN = (f"https://{ORIGIN}:{port}" for port in (8443, 8444, 8445))  # two sites with Fringe, one without
TARGETS = {"cold": 1.10, "warm": 0.8, "lan": 0.5, "unsupported": 1.02, "no_host": 1.05}


def node(*words, **more):
    return subprocess.run([tool("node", "nodejs"), *map(str, words)], check=True, stdout=subprocess.PIPE, text=True, **more).stdout


class Sites:
    """The demo site three times, on one nginx over TLS."""

    def __init__(self, folder):
        self.dir = folder
        certs = (REPO / "tests/browser/lib/certs.js").as_uri()
        node("--input-type=module", "-e", f"import {{ makeCertificates }} from {json.dumps(certs)};"
             f"await makeCertificates({json.dumps(str(folder))}, [], [{json.dumps(ORIGIN)}]);")
        self.certificate = folder / "ca.pem"
        subprocess.run([FRINGE, "keygen", "--out", folder / "site", "--no-password"], check=True, capture_output=True)
        self.bytes = 0
        for url in (FIRST, SECOND, PLAIN):
            node(REPO / "tests/site/build.mjs", self.root(url), stderr=subprocess.DEVNULL)
            if url != PLAIN:
                subprocess.run([FRINGE, "publish", self.root(url) / "static", "--site", url, "--base", "/static/", "--key", folder / "site.key",
                                "--out", self.root(url)], check=True, capture_output=True)

    def root(self, url):
        return self.dir / url.rsplit(":", 1)[1]

    def server(self, url):
        label = "" if url == PLAIN else """location / { add_header Link '</.well-known/fringe/release.json>; rel="fringe"; seq=1' always; }"""
        return f"server {{ listen {ORIGIN}:{url.rsplit(':', 1)[1]} ssl http2; root {self.root(url)}; {label} }}"

    def serve(self, network):
        self.log = self.dir / "access.log"
        temp = " ".join(f"{kind}_temp_path {self.dir}/tmp-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = self.dir / "nginx.conf"
        servers = "\n".join(map(self.server, (FIRST, SECOND, PLAIN)))
        conf.write_text(f"""user root; daemon off; worker_processes 1; pid {self.dir}/nginx.pid; error_log {self.dir}/nginx.err;
events {{ worker_connections 1024; }}
http {{ {temp} include /etc/nginx/mime.types; types {{ text/javascript mjs; application/json map; }} default_type application/octet-stream;
log_format bytes '$server_port $status $body_bytes_sent $request_uri $msec $request_time $connection $server_protocol'; access_log {self.log} bytes; sendfile on;
ssl_certificate {self.dir}/server.pem; ssl_certificate_key {self.dir}/server.key;
{servers} }}
""")
        network.start(network.name("origin"), [tool("nginx", "nginx-light"), "-c", conf, "-e", self.dir / "nginx.err"], self.dir / "nginx.out")
        wait_for_port(network.name("origin"), ORIGIN, 8443)

    def our_requests_to_plain(self):
        return [line for line in self.log.read_text().splitlines() if line.startswith("8445 ") and ("/.well-known/" in line or "fringe" in line)]


class Visits:
    def __init__(self, folder, sites, network):
        self.dir, self.sites, self.network = folder, sites, network
        self.port = 6881
        self.connect_lan()

    def connect_lan(self):
        ends = [self.network.visitor(number) for number in (0, 1)]
        ip("-n", ends[0], "link", "add", "lan0", "type", "veth", "peer", "name", "lan0", "netns", ends[1])
        for end, address in zip(ends, LAN):
            ip("-n", end, "address", "add", f"{address}/24", "dev", "lan0")
            ip("-n", end, "link", "set", "lan0", "addrgenmode", "none")  # an address that comes late makes Chromium end its connections
            ip("-n", end, "link", "set", "lan0", "up")

    def neighbour(self, store):
        """On the visitor's own network: who has everything."""
        data, sock = self.dir / "neighbour", self.dir / "n.sock"
        shutil.copytree(store, data)
        self.network.start(self.network.visitor(1), [FRINGE, "daemon", "--data", data, "--socket", sock, "--listen", f"{LAN[1]}:6881",
                                                     "--ca-file", self.sites.certificate, "--no-port-map", "--zone", "share"], self.dir / "n.log")
        wait_for("the neighbour", lambda: sock.exists())
        with Control(sock) as control:
            control.request("hello", api=1, client="extension", version="bench")
            opened = control.request("site.open", site=FIRST, seq=1, doc="page")
            assert opened.get("state") == "ready", opened

    def visit(self, browser, urls, extension=True, host=True, **more):
        """In a new browser, with a new host where the neighbour does not find it by itself."""
        self.port += 1
        how = {"browser": browser, "urls": urls, "extension": extension, "host": host and extension, "caFile": str(self.sites.certificate),
               "addresses": [url.removeprefix("https://") for url in (FIRST, SECOND, PLAIN)], "listen": f"{LAN[0]}:{self.port}", **more}
        command = ["ip", "netns", "exec", self.network.visitor(0), tool("node", "nodejs"), HERE / "page/visit.mjs", json.dumps(how)]
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, timeout=180, check=True)
        return json.loads(done.stdout)

    def round(self, browser, store, cases):
        """For each case the times with Fringe and without, in ms."""
        pages = [f"{url}/" for url in (FIRST, SECOND, PLAIN)]
        off = self.visit(browser, pages, extension=False)["ms"]
        seen = {}
        if {"cold", "unsupported"} & cases:
            cold = self.visit(browser, pages)["ms"]
            seen |= {"cold": (cold[0], off[0]), "unsupported": (cold[2], off[2])}
        if "warm" in cases:
            seen["warm"] = (self.visit(browser, pages[:1], store=str(store))["ms"][0], off[0])
        if "lan" in cases:
            lan = self.visit(browser, pages[:1], peers=[f"{LAN[1]}:6881"])
            assert lan["total"]["peers"] > 0, f"nothing came from the neighbour: {lan}"
            seen["lan"] = (lan["ms"][0], off[0])
        if "no_host" in cases:
            seen["no_host"] = (self.visit(browser, pages[:2], host=False)["ms"][1], off[1])
        return {case: seen[case] for case in TARGETS if case in cases}


def chosen(names):
    """The browsers and cases that the command line names; all where it names none."""
    words = set(sys.argv[1:])
    if words - {*BROWSERS, *TARGETS}:
        raise SystemExit(f"usage: {' | '.join((*BROWSERS, *TARGETS))} ...")
    return [name for name in names if name in words] or list(names)


def main():
    rounds = int(os.environ.get("BENCH_ROUNDS", "5"))
    browsers, cases = chosen(BROWSERS), chosen(TARGETS)
    with tempfile.TemporaryDirectory(prefix="fringe-page-") as folder, Network(2, LINK, LINK, 0, DELAY_US) as network:
        root = pathlib.Path(folder)
        sites = Sites(root)
        sites.serve(network)
        visits = Visits(root, sites, network)
        store = root / "store"
        first = visits.visit("chromium", [f"{FIRST}/"], keep=str(store))
        print(f"first visit: {first}", file=sys.stderr)
        visits.neighbour(store)
        for browser in browsers:
            seen = []
            for number in range(rounds):
                seen.append(visits.round(browser, store, set(cases)))
                print(f"{browser}, round {number + 1} of {rounds}: " + ", ".join(
                    f"{what} {ours:.0f} ({peer:.0f}) ms" for what, (ours, peer) in seen[-1].items()), file=sys.stderr)
            for what in cases:
                ours, peer = (statistics.median(one[what][side] for one in seen) for side in (0, 1))
                figure(f"page.{browser}.{what}_ratio", ours / peer, ours=ours, peer=peer, unit="of the time without Fringe", target=TARGETS[what])
        assert not sites.our_requests_to_plain(), sites.our_requests_to_plain()


if __name__ == "__main__":
    main()
