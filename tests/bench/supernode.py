"""supernode: what a super-node costs the publisher's server.

supernode.rss_mb_10000   resident memory with 10,000 idle WebSocket visitors that speak our extensions; target at most 300
supernode.tcp_cpu_ratio  CPU seconds of the super-node for each GB given over TCP, beside nginx (sendfile) over plain HTTP; target at most 1.5
supernode.ws_cpu_ratio   the same over WebSocket; target at most 4
supernode.cold_fetches   how often a file is fetched from the site that 1,000 visitors ask for before it is there; target exactly 1

The clients read and throw away; only the servers' CPU counts.
"""
import contextlib
import os
import pathlib
import random
import selectors
import socket
import statistics
import struct
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / part) for part in ("interop", "lib")]
from bench import figure, interleaved  # noqa: E402
from lab import Lab, free_port, wait_for  # noqa: E402
from raw_peer import HAVE_NONE, INTERESTED, REQUEST, handshake, message  # noqa: E402
from test_supernode import Supernode  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
VISITORS = int(os.environ.get("BENCH_VISITORS", "10000"))
ASKING = int(os.environ.get("BENCH_ASKING", "1000"))
SIZE = 64 << 20
TIMES = 4  # of the file, for one measurement
BLOCK, PIECE = 16384, 65536
OFFERS = b"\x14\0d1:md12:fringe_claimi1e6:ut_pexi4ee1:pi6881e4:reqqi512ee"
PARALLEL = 256  # requests on their way


def cpu_seconds(pid):
    """To the nanosecond, of all threads."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


def extended():
    return struct.pack(">I", len(OFFERS)) + OFFERS


def frame(data):
    """A binary frame; a mask of zeros changes nothing."""
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
    return b"\x82" + size + b"\0\0\0\0" + data


def upgrade(sock, address):
    sock.sendall((f"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                  f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: fringe.bittorrent\r\nX-Forwarded-For: {address}\r\n"
                  "\r\n").encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(1)
    assert b" 101 " in head, head


def begin(infohash, port, websocket, address="127.0.0.1"):
    """A visitor: (socket, how its messages are framed)."""
    sock = socket.create_connection(("127.0.0.1", port), 20)
    wrap = frame if websocket else bytes
    if websocket:
        upgrade(sock, address)
    sock.sendall(wrap(handshake(infohash) + extended() + message(HAVE_NONE) + message(INTERESTED)))
    return sock, wrap


def request(piece, block):
    return message(REQUEST, struct.pack(">III", piece, block * BLOCK, BLOCK))


def drain(sock, seconds):
    """What has come within that time of silence."""
    sock.settimeout(seconds)
    with contextlib.suppress(TimeoutError):
        while sock.recv(65536):
            pass
    sock.settimeout(60)


def take_file(infohash, port, websocket):
    """Reads the big file some times over one connection."""
    blocks = TIMES * SIZE // BLOCK
    sock, wrap = begin(infohash, port, websocket)
    drain(sock, 0.5)
    asked = got = 0
    room = bytearray(1 << 20)
    while got < blocks * (BLOCK + 13):
        more = min(blocks - asked, PARALLEL - (asked - got // (BLOCK + 13)))
        if more >= PARALLEL // 4 or (more > 0 and more == blocks - asked):
            numbers = [(asked + i) % (SIZE // BLOCK) for i in range(more)]
            for at in range(0, more, 64):
                sock.sendall(wrap(b"".join(request(n // 4, n % 4) for n in numbers[at:at + 64])))
            asked += more
        count = sock.recv_into(room)
        assert count > 0, "the super-node has closed the connection"
        got += count
    sock.close()


def take_http(port):
    room = bytearray(1 << 20)
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        for number in range(TIMES):
            sock.sendall(b"GET /static/big.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
            got = 0
            while got < SIZE:
                count = sock.recv_into(room)
                assert count > 0, "nginx has closed the connection"
                got += count


def nginx_worker(lab, process):
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0])


def cost(pid, take):
    before = cpu_seconds(pid)
    take()
    return (cpu_seconds(pid) - before) / (TIMES * SIZE / 1e9)


def throughput():
    with Lab() as lab:
        lab.write("big.bin", SIZE)
        release = lab.publish()
        assert release["bundles"][0]["piece_length"] == PIECE, release
        nginx = lab.origin()
        conf = lab.dir / "nginx.conf"
        conf.write_text(conf.read_text().replace("http {", "http { sendfile on; tcp_nopush on; keepalive_requests 1000000;"))
        nginx.send_signal(1)  # SIGHUP
        time.sleep(1)
        port, ws = free_port(), free_port()
        node = Supernode(lab, "super", port, "--dir", str(lab.web), "--websocket", f"127.0.0.1:{ws}")
        lab.callback(node.stop)
        wait_for("the file", lambda: node.site_status()["total"]["origin"] >= SIZE, 60)
        worker = nginx_worker(lab, nginx)
        http, tcp, websocket = interleaved(ROUNDS, lambda: cost(worker, lambda: take_http(lab.origin_port)),
                                           lambda: cost(node.process.pid, lambda: take_file(lab.infohash, port, False)),
                                           lambda: cost(node.process.pid, lambda: take_file(lab.infohash, ws, True)))
        figure("supernode.tcp_cpu_ratio", tcp / http, ours=tcp, peer=http, unit="CPU s per GB", target=1.5)
        figure("supernode.ws_cpu_ratio", websocket / http, ours=websocket, peer=http, unit="CPU s per GB", target=4)


def idle():
    with Lab() as lab:
        for number in range(100):
            lab.write(f"f{number}.js", 20000)
        lab.publish()
        lab.origin()
        ws = free_port()
        node = Supernode(lab, "super", free_port(), "--dir", str(lab.web), "--websocket", f"127.0.0.1:{ws}", "--connections",
                         str(VISITORS + 10))
        lab.callback(node.stop)
        wait_for("the files", lambda: node.site_status()["total"]["origin"] >= 100 * 20000, 60)
        empty = node.memory_kb()
        socks = []
        for number in range(VISITORS):
            socks.append(begin(lab.infohash, ws, True, f"11.{number >> 16}.{number >> 8 & 255}.{number & 255}")[0])
            if number % 1000 == 999:
                print(f"{number + 1} visitors", file=sys.stderr)
        wait_for("all of them", lambda: node.status()["peers"] == VISITORS, 60)
        before = cpu_seconds(node.process.pid)
        time.sleep(20)
        busy = (cpu_seconds(node.process.pid) - before) / 20
        assert node.status()["peers"] == VISITORS
        figure("supernode.rss_mb_10000", node.memory_kb() / 1024, unit="MB", visitors=VISITORS, empty_mb=round(empty / 1024, 1),
               idle_cpu=round(busy, 4), target=300)


def cold():
    """Visitors ask for all of a file that the site is still sending."""
    with Lab() as lab:
        size = 8 << 20
        lab.write("cold.bin", size)
        lab.publish()
        lab.origin(limit="1m")
        port = free_port()
        node = Supernode(lab, "super", port)
        lab.callback(node.stop)
        wait_for("the torrent", lambda: node.site_status()["state"] == "ready")
        time.sleep(1)
        waiting = selectors.DefaultSelector()
        for number in range(ASKING):
            sock, _ = begin(lab.infohash, port, False)
            # The last block and some others: whoever has these has waited to the end.
            asked = [size // PIECE - 1] + random.sample(range(size // PIECE), 7)
            sock.sendall(b"".join(request(piece, 0) for piece in asked))
            sock.setblocking(False)
            waiting.register(sock, selectors.EVENT_READ, [0])
        assert node.site_status()["total"]["origin"] < size, "it was not cold any more"
        done, end = 0, time.monotonic() + 100
        while done < ASKING and time.monotonic() < end:
            for key, _ in waiting.select(1):
                key.data[0] += len(key.fileobj.recv(1 << 16))
                if key.data[0] >= 8 * (BLOCK + 13):
                    waiting.unregister(key.fileobj)
                    done += 1
        assert done == ASKING, f"{done} of {ASKING} visitors have what they asked for"
        log = (lab.dir / "access.log")
        wait_for("the log", lambda: lab.origin_bytes("/static/cold.bin") > 0)
        gets = sum("/static/cold.bin" in line for line in log.read_text().splitlines())
        figure("supernode.cold_fetches", lab.origin_bytes("/static/cold.bin") / size, unit="copies", visitors=ASKING, requests=gets, target=1)


if __name__ == "__main__":
    for part in sys.argv[1:] or ("throughput", "cold", "idle"):
        {"throughput": throughput, "cold": cold, "idle": idle}[part]()
