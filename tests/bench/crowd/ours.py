"""Our visitors: a `fringe daemon` each, and a page that asks for its files as the extension does."""
import concurrent.futures
import hashlib
import http.client
import json
import pathlib
import queue
import threading
import time
import urllib.parse

from control import Control
from lab import FRINGE, wait_for
from network import enter, visitor_address
from website import SITE

CONNECTIONS = 6  # of a browser to one host
HEAD_SHARE = 10  # the head is the first tenth of the bytes in the page's order
CHUNK = 64 << 10


class Progress:
    """When a page had its head, and when all of it; files come in parallel, each in order."""

    def __init__(self, sizes):
        left = sum(sizes) // HEAD_SHARE
        self.lock = threading.Lock()
        self.head = []  # bytes of each file that belong to the head and are not there yet
        for size in sizes:
            self.head.append(min(size, left))
            left -= self.head[-1]
        self.head_at = None

    def came(self, number, length):
        with self.lock:
            if self.head_at is not None:
                return
            self.head[number] -= min(self.head[number], length)
            if not any(self.head):
                self.head_at = time.time()


class Page:
    """Wants every file at once, then takes them over a browser's few connections in that order."""

    def __init__(self, namespace, daemon_socket, sizes, digests):
        self.namespace, self.socket, self.sizes, self.digests = namespace, daemon_socket, sizes, digests
        self.progress = Progress(list(sizes.values()))
        self.done_at = None

    def visit(self, at):
        time.sleep(max(0, at - time.time()))
        with Control(self.socket, timeout=300) as control:
            control.request("hello", api=1, client="extension", version="bench")
            opened = control.request("site.open", site=SITE, seq=1, doc="page")
            assert opened.get("state") == "ready", opened
            urls = self.want(control)
            with concurrent.futures.ThreadPoolExecutor(CONNECTIONS, initializer=enter, initargs=(self.namespace,)) as pool:
                for worker in [pool.submit(self.take, urls) for _ in range(CONNECTIONS)]:
                    worker.result()
        self.done_at = time.time()

    def want(self, control):
        urls = queue.SimpleQueue()
        for number, path in enumerate(self.sizes):
            control.send({"id": 1000 + number, "type": "asset.want", "site": SITE, "seq": 1, "path": f"/static/{path}", "doc": "page"})
        for number, path in enumerate(self.sizes):
            answer = control.receive()
            while answer.get("id") != 1000 + number:
                answer = control.receive()
            assert answer.get("via") == "gateway", answer
            urls.put((number, path, answer["url"]))
        return urls

    def take(self, urls):
        connection = None
        while True:
            try:
                number, path, url = urls.get_nowait()
            except queue.Empty:
                return
            url = urllib.parse.urlsplit(url)
            connection = connection or http.client.HTTPConnection(url.netloc, timeout=300)
            connection.request("GET", url.path)
            answer = connection.getresponse()
            assert answer.status == 200, (path, answer.status)
            digest = hashlib.sha256()
            while data := answer.read1(CHUNK):
                digest.update(data)
                self.progress.came(number, len(data))
            answer.read()  # notices that the connection can be used again
            assert digest.digest() == self.digests[path], f"{path}: other bytes than the site's"


class Ours:
    label = "fringe"

    def infohash(self, website):
        return website.infohash

    def start(self, network, website, run, count):
        self.daemons = []
        self.digests = {path: hashlib.sha256((website.static / path).read_bytes()).digest() for path in website.files}
        self.website, self.network = website, network
        for number in range(count):
            home = run / f"v{number}"
            home.mkdir()
            self.daemons.append(home)
            network.start(network.visitor(number), [FRINGE, "daemon", "--data", home / "data", "--socket", home / "s", "--listen",
                                                    f"{visitor_address(number)}:6881", "--ca-file", website.certificate,
                                                    "--no-port-map", "--zone", "share", "--log", "info"], home / "log")
        for home in self.daemons:
            wait_for("a daemon", lambda: answers(home / "s"))

    def visit(self, times):
        """Seconds until each visitor's head and end, since its own arrival."""
        pages = [Page(self.network.visitor(i), home / "s", self.website.files, self.digests) for i, home in enumerate(self.daemons)]
        with concurrent.futures.ThreadPoolExecutor(len(pages)) as pool:
            for number, visit in enumerate([pool.submit(page.visit, at) for page, at in zip(pages, times)]):
                try:
                    visit.result()
                except Exception as error:
                    log = (self.daemons[number] / "log").read_text(errors="replace")
                    raise AssertionError(f"visitor {number}: {error!r}\n{log[-2000:]}") from error
        return [(page.progress.head_at - at, page.done_at - at) for page, at in zip(pages, times)]

    def details(self):
        totals = []
        for home in self.daemons:
            with Control(home / "s") as control:
                totals.append(control.request("status")["total"])
        return {"verified_from_origin": sum(total["origin"] for total in totals) / self.website.bytes,
                "taken_in_vain": sum(total["wasted"] for total in totals) / self.website.bytes}


def answers(path):
    try:
        Control(path).close()
        return True
    except OSError:
        return False
