#!/usr/bin/env python3
"""Writes the seed corpora of the BitTorrent decoders, one small file a case, next to itself.

What a fuzzer found later is kept beside these; running this again does not touch it."""
import hashlib
import pathlib
import struct

HERE = pathlib.Path(__file__).parent
PIECE = 65536
BLOCK = 16384


def write(target, cases):
    folder = HERE / target
    folder.mkdir(exist_ok=True)
    for name, data in cases.items():
        (folder / name).write_bytes(data)


# --- bencode

def benc(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, str):
        return benc(value.encode())
    if isinstance(value, list):
        return b"l" + b"".join(map(benc, value)) + b"e"
    pairs = sorted((k.encode() if isinstance(k, str) else k, v) for k, v in value.items())
    return b"d" + b"".join(benc(k) + benc(v) for k, v in pairs) + b"e"


write("bencode", {
    "int": b"i-42e", "int-zero": b"i0e", "int-max": b"i9223372036854775807e",
    "int-min": b"i-9223372036854775808e", "int-over": b"i9223372036854775808e",
    "int-minus-zero": b"i-0e", "int-leading-zero": b"i01e", "int-open": b"i12",
    "bytes": b"3:abc", "bytes-empty": b"0:", "bytes-short": b"5:abc",
    "bytes-huge": b"9223372036854775807:a", "bytes-leading-zero": b"01:a",
    "list": b"li1e1:alee", "dict": b"d1:ai1e1:bd0:leee", "dict-unsorted": b"d1:bi1e1:ai1ee",
    "dict-twice": b"d1:ai1e1:ai1ee", "dict-prefix-key": b"d1:ai1e2:aai2ee",
    "deep-64": b"l" * 64 + b"e" * 64, "deep-65": b"l" * 65 + b"e" * 65,
    "left-over": b"i1ei2e", "empty": b"",
})


# --- metainfo

def sha(data):
    return hashlib.sha256(data).digest()


def fold(row, pad):
    while len(row) & (len(row) - 1):
        row.append(pad)
    while len(row) > 1:
        row = [sha(row[i] + row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def tree(data):
    """The root and the piece layer (None for a file of at most one piece)."""
    leaves = [sha(data[i:i + BLOCK]) for i in range(0, len(data), BLOCK)]
    if len(data) <= PIECE:
        return fold(leaves, bytes(32)), None
    per = PIECE // BLOCK
    layer = []
    for i in range(0, len(leaves), per):
        part = leaves[i:i + per]
        layer.append(fold(part + [bytes(32)] * (per - len(part)), bytes(32)))
    return fold(layer[:], fold([bytes(32)] * per, bytes(32))), b"".join(layer)


def torrent(files, info=(), top=(), drop=()):
    file_tree, layers = {}, {}
    for path, data in files.items():
        node = file_tree
        *folders, name = path.split("/")
        for folder in folders:
            node = node.setdefault(folder, {})
        node[name] = {"": {"length": len(data)}}
        if data:
            root, layer = tree(data)
            node[name][""]["pieces root"] = root
            if layer:
                layers[root] = layer
    inner = {"file tree": file_tree, "meta version": 2, "name": "static", "piece length": PIECE}
    inner.update(info)
    for key in drop:
        inner.pop(key, None)
    outer = {"info": inner, "piece layers": layers}
    outer.update(top)
    return benc(outer)


def content(n):
    return bytes((i * 131 + 7) & 255 for i in range(n))


GOOD = {"a.txt": b"a", "d/one": content(65536), "d/two": content(65537), "d/same": content(65537),
        "e/f/empty": b"", "three": content(163841)}
good = torrent(GOOD)
write("metainfo", {
    "small": torrent({"a": b"a"}), "folders": good,
    "trackers": torrent(GOOD, top={"announce": "http://t.example/a", "url-list": "http://h/"}),
    "other-keys": torrent({"a": b"a"}, info={"private": 1, "source": "x"}, top={"zz": [1, {}]}),
    "no-layers": torrent(GOOD, top={"piece layers": {}}),
    "extra-layer": torrent({"a": b"a"}, top={"piece layers": {bytes(32): bytes(64)}}),
    "wrong-layer": good.replace(tree(GOOD["three"])[1], bytes(96)),
    "short-layer": torrent({"b": content(65537)},
                           top={"piece layers": {tree(content(65537))[0]: bytes(32)}}),
    "v1": benc({"info": {"length": 5, "name": "a", "piece length": 16384, "pieces": bytes(20)}}),
    "hybrid": torrent({"a": b"a"}, info={"pieces": bytes(20), "length": 1}),
    "version-3": torrent({"a": b"a"}, info={"meta version": 3}),
    "no-name": torrent({"a": b"a"}, drop=["name"]),
    "no-tree": torrent({"a": b"a"}, drop=["file tree"]),
    "no-info": benc({"piece layers": {}}),
    "empty-tree": torrent({}), "dot-dot": torrent({"../x": b"a"}), "name-nul": torrent({"\0": b"a"}),
    "name-slash": torrent({"a": b"a"}, info={"name": "a/b"}),
    "piece-length-odd": torrent({"a": b"a"}, info={"piece length": 65537}),
    "deep": torrent({"/".join("a" * 48): b"a"}), "deeper": torrent({"/".join("a" * 49): b"a"}),
    "two-lengths": torrent({}, info={"file tree": {
        "a": {"": {"length": 1, "pieces root": sha(b"a")}},
        "b": {"": {"length": 2, "pieces root": sha(b"a")}}}}),
    "sibling": torrent({}, info={"file tree": {"a": {"": {"length": 0}, "b": {"": {"length": 0}}}}}),
    "huge-length": torrent({}, info={"file tree": {
        "a": {"": {"length": 1 << 40, "pieces root": bytes(32)}}}}),
    "symlink": torrent({}, info={"file tree": {"a": {"": {"attr": "l", "length": 0}}}}),
})


# --- peer wire

def msg(kind, body=b""):
    return struct.pack(">IB", 1 + len(body), kind) + body


def u32(*values):
    return struct.pack(">%dI" % len(values), *values)


ROOT = sha(b"root")
hello = b"\x13BitTorrent protocol" + bytes.fromhex("0000000000100005") + ROOT[:20] + b"-FR0100-" + b"x" * 12
write("peer_msg", {
    "handshake": hello, "handshake-cut": hello[:67], "handshake-other": b"\x13BitTorrent protocoX",
    "keep-alive": bytes(4), "choke": msg(0), "unchoke": msg(1), "interested": msg(2),
    "not-interested": msg(3), "have": msg(4, u32(7)), "bitfield": msg(5, b"\xf0\x10"),
    "request": msg(6, u32(1, 16384, 16384)), "piece": msg(7, u32(1, 0) + b"data"),
    "piece-empty": msg(7, u32(1, 0)), "piece-long": msg(7, u32(1, 0) + bytes(16385)),
    "cancel": msg(8, u32(1, 16384, 16384)), "port": msg(9, b"\x1a\xe1"), "suggest": msg(13, u32(1)),
    "have-all": msg(14), "have-none": msg(15), "reject": msg(16, u32(1, 0, 16384)),
    "allowed-fast": msg(17, u32(1)), "extended": msg(20, b"\0d1:mdee"), "extended-none": msg(20),
    "hash-request": msg(21, ROOT + u32(2, 0, 4, 2)), "hash-reject": msg(23, ROOT + u32(2, 0, 4, 2)),
    "hashes": msg(22, ROOT + u32(2, 0, 2, 2) + bytes(96)),
    "hashes-none": msg(22, ROOT + u32(2, 0, 0, 0) + bytes(32)),
    "hashes-too-few": msg(22, ROOT + u32(2, 0, 512, 0) + bytes(64)),
    "unknown": msg(99, b"?"), "huge": u32(0xffffffff) + b"\7", "short-have": msg(4, b"\0\0\1"),
    "stream": msg(14) + msg(1) + msg(2) + msg(6, u32(0, 0, 16384)) + bytes(4) + msg(7, u32(0, 0) + b"x"),
})

ids = {"fringe_claim": 1, "fringe_release": 2, "lt_donthave": 3, "ut_metadata": 4, "ut_pex": 5}
write("peer_extended", {
    "ours": benc({"m": ids, "p": 6881, "reqq": 500, "v": "Fringe 0.1.0"}),
    "libtorrent": benc({"complete_ago": 5, "m": {"lt_donthave": 7, "share_mode": 8, "upload_only": 3,
                                                 "ut_holepunch": 4, "ut_metadata": 2, "ut_pex": 1},
                        "metadata_size": 560, "reqq": 2000, "upload_only": 1,
                        "v": "libtorrent/2.0.8.0", "yourip": b"\x7f\0\0\1"}),
    "bare": b"de", "disable": benc({"m": {"ut_pex": 0}}), "id-256": benc({"m": {"ut_pex": 256}}),
    "port-wrong": benc({"p": 65536}), "size-wrong": benc({"metadata_size": 1 << 40}),
    "version-long": benc({"v": "x" * 100}), "version-binary": benc({"v": b"\x1b[2J\0\xff"}),
    "m-list": benc({"m": []}), "left-over": b"dex",
})


# --- tracker

v4 = b"\x7f\0\0\1\x1a\xe1\1\2\3\4\0\x50"
v6 = bytes.fromhex("20010db8000000000000000000000007") + b"\1\2"
write("tracker", {
    "compact": benc({"complete": 1, "downloaded": 0, "incomplete": 2, "interval": 1756,
                     "min interval": 878, "peers": v4, "peers6": v6}),
    "none": benc({"interval": 1800, "peers": b""}),
    "list": benc({"peers": [{"ip": "1.2.3.4", "peer id": b"x" * 20, "port": 80},
                            {"ip": "::1", "port": 81}, {"ip": "host.example", "port": 82}, {}]}),
    "failure": benc({"failure reason": "Requested download is not authorized"}),
    "failure-empty": benc({"failure reason": "", "peers": v4}),
    "port-zero": benc({"peers": b"\1\2\3\4\0\0"}), "peers-odd": benc({"peers": b"\1\2\3\4\5"}),
    "peers6-odd": benc({"peers6": b"x" * 17}), "many": benc({"peers": b"\1\2\3\4\5\6" * 300}),
    "interval-huge": benc({"interval": (1 << 63) - 1}), "html": b"<html>",
    "url": b"http://t.example/announce", "url-query": b"https://t.example/a?k=v",
    "url-udp": b"udp://t.example:80", "url-newline": b"http://t.example/\r\nX: y",
})

write("address", {
    "v4": b"1.2.3.4:6881", "v6": b"[2001:db8::7]:80", "mapped": b"[::ffff:127.0.0.1]:1",
    "loopback": b"127.0.0.1:0", "no-port": b"1.2.3.4", "port-over": b"1.2.3.4:65536",
    "zone": b"[fe80::1%lo]:1", "octal": b"01.2.3.4:1", "name": b"localhost:80", "nul": b"1.2.3.4\0:1",
    "long": b"[" + b"ffff:" * 20 + b"]:1", "empty": b"",
})

write("merkle", {
    "one": bytes([0, 0, 0, 0]) + b"content", "full": bytes([7, 5, 1, 40]) + b"x" * 300,
    "edge": bytes([28, 28, 2, 3]) + b"content" * 40, "root": bytes([255, 9, 8, 255]) + b"abc" * 100,
    "peer-fits": bytes([7, 0, 0, 0]) + u32(4, 4, 0, 5, 3) + b"abc",
    "peer-huge": bytes([7, 0, 0, 0]) + u32(1, 0xffffffff, 63, 63, 0) + b"abc",
    "peer-none": bytes([7, 0, 0, 0]) + u32(0, 0, 0, 0, 0), "empty": b"",
})


# --- extended messages, and finding peers

write("ut_metadata", {
    "request": benc({"msg_type": 0, "piece": 0}), "reject": benc({"msg_type": 2, "piece": 7}),
    "data": benc({"msg_type": 1, "piece": 0, "total_size": 3}) + b"abc",
    "data-last": benc({"msg_type": 1, "piece": 1, "total_size": 16390}) + b"x" * 6,
    "data-short": benc({"msg_type": 1, "piece": 0, "total_size": 4}) + b"abc",
    "data-huge": benc({"msg_type": 1, "piece": 0, "total_size": 1 << 40}) + b"abc",
    "request-more": benc({"msg_type": 0, "piece": 0}) + b"abc",
    "later": benc({"msg_type": 3}), "no-piece": benc({"msg_type": 0}), "bare": b"de",
})

write("ut_pex", {
    "all": benc({"added": v4, "added.f": b"\2\x10", "added6": v6, "added6.f": b"\4",
                 "dropped": b"\7\7\7\7\0\7", "dropped6": v6}),
    "none": b"de", "no-flags": benc({"added": v4}), "flags-odd": benc({"added": v4, "added.f": b"x"}),
    "many": benc({"added": b"\1\2\3\4\5\6" * 60, "added.f": b"\1" * 60}),
    "odd": benc({"dropped": b"12345"}), "port-zero": benc({"added": b"\1\2\3\4\0\0"}),
    "list": benc({"added": []}),
})

peer = b"-FR0100-012345678901"
write("fringe_claim", {
    "one": b"\1\1\0\1" + u32(1) + peer + u32(5) + b"\0\2\x4e\x20",
    "withdrawn": b"\1\0\2\2" + u32(9) + peer + (u32(5) + b"\0\2\0\0") * 2,
    "later": b"\2rest", "trailing": b"\1\1\0\1" + u32(1) + peer + u32(5) + b"\0\2\1\0more",
    "none": b"\1\0\0\0" + u32(1) + peer, "short": b"\1\1\0\2" + u32(1) + peer + u32(5) + b"\0\2\1\0",
    "many": b"\1\1\4\x20" + u32(1) + peer + (u32(5) + b"\0\x40\xea\x60") * 32,
})

mark = b"siteMark" + u32(0, 42)
write("fringe_release", {
    "have": b"\1\0\0\0" + mark, "ask": b"\1\1\0\0" + mark,
    "whole": b"\1\2\0\0" + mark + u32(2, 3) + b"{}sig", "later": b"\2", "kind": b"\1\3\0\0" + mark,
    "too-large": b"\1\2\0\0" + mark + u32(65537, 3) + b"{}sig",
    "short": b"\1\2\0\0" + mark + u32(2, 4) + b"{}sig", "seq-zero": b"\1\0\0\0siteMark" + bytes(8),
})

write("udp_tracker", {
    "connect": u32(0, 7, 1, 2), "announce": u32(1, 7, 1800, 1, 2) + v4, "six": u32(1, 7, 1800, 1, 2) + v6,
    "none": u32(1, 7, 0, 0, 0), "odd": u32(1, 7, 1800, 1, 2) + b"12345", "error": u32(3, 7) + b"no\x1b",
    "error-empty": u32(3, 7), "scrape": u32(2, 7, 1, 2, 3), "short": u32(0, 7),
    "many": u32(1, 7, 1800, 1, 2) + b"\1\2\3\4\5\6" * 300, "url": b"udp://t.example:6969/announce",
    "url-six": b"udp://[2001:db8::7]:80", "url-bad": b"udp://a b:0",
})

first, line = b"BT-SEARCH * HTTP/1.1\r\n", b"Infohash: " + b"ab" * 20 + b"\r\n"
write("lsd", {
    "one": first + b"Host: 239.192.152.143:6771\r\nPort: 6881\r\n" + line + b"cookie: a1\r\n\r\n\r\n",
    "two": first + b"port:1\r\n" + line * 2 + b"\r\n", "many": first + b"port:1\r\n" + line * 25 + b"\r\n",
    "no-port": first + line + b"\r\n", "port-zero": first + b"Port: 0\r\n" + line + b"\r\n",
    "open": first + line, "ssdp": b"M-SEARCH * HTTP/1.1\r\nHost: x\r\n\r\n", "bare-lf": b"BT-SEARCH * HTTP/1.1\n\n",
})

write("peer_priority", {
    "v4": b"\1\1\2" + b"\1\2\3\4" * 4 + b"\1\3\4" + b"\1\2\4\5" * 4,
    "v6": b"\0\1\2" + v6[:16] + b"\0\3\4" + v6[:15] + b"\xff",
    "mapped": b"\0\1\2" + bytes(10) + b"\xff\xff\1\2\3\4" + b"\1\3\4" + b"\1\2\3\4" * 4,
    "donthave": u32(5), "empty": b"",
})

write("hash_answer", {
    "layer": b"\0" + u32(2, 0, 8, 2), "leaves": b"\0" + u32(0, 4, 4, 4), "small": b"\1" + u32(0, 0, 4, 1),
    "small-cut": b"\1" + u32(0, 0, 3, 1), "last": b"\0" + u32(0, 28, 2, 4), "above": b"\0" + u32(3, 2, 2, 1),
    "middle": b"\0" + u32(1, 2, 2, 3), "two-pieces": b"\0" + u32(0, 0, 8, 2), "cut": b"\0" + u32(2, 0, 5, 2),
    "far": b"\0" + u32(2, 0xfffffffe, 2, 0), "unknown": b"\2" + u32(2, 0, 8, 2), "none": b"\0" + u32(2, 0, 0, 0),
})


# --- sim_peer: a peer's deeds (tests/fuzz/fuzz_sim_peer.c)

def said(kind, body=b""):
    return bytes([kind, len(body)]) + body


def extended(number, value):
    return said(20, bytes([number]) + (value if isinstance(value, bytes) else benc(value)))


def numbers(*values):
    return struct.pack(f">{len(values)}I", *values)


HAS, WANTS = b"\1", b"\0"  # the host has every file, or none yet
HAVE_ALL, HAVE_NONE, UNCHOKE, INTERESTED = said(14), said(15), said(1), said(2)
ASK = [b"\xe2" + bytes([i]) for i in range(3)]
BLOCKS = b"".join(bytes([0xe3, piece, block, 0]) for piece in range(5) for block in range(2))
OFFER = extended(0, {"m": {"fringe_claim": 1, "fringe_release": 2, "lt_donthave": 3, "ut_metadata": 4, "ut_pex": 5}, "reqq": 50, "p": 6881})
CLAIM = struct.pack(">BBBBI", 1, 0, 0, 1, 7) + b"x" * 19 + b"\1" + struct.pack(">IHH", 0, 3, 5000)
write("sim_peer", {
    "leech": HAS + HAVE_NONE + INTERESTED + b"".join(said(6, numbers(piece, 0, BLOCK)) for piece in range(5)) + b"\xe1\5",
    "leech-twice": HAS + HAVE_NONE + INTERESTED + said(6, numbers(0, 0, BLOCK)) * 5 + said(8, numbers(0, 0, BLOCK)) * 2 + said(3),
    "seed": WANTS + HAVE_ALL + UNCHOKE + ASK[0] + BLOCKS + b"\xe1\1" + ASK[1] + BLOCKS + ASK[2] + BLOCKS,
    "seed-flips": WANTS + HAVE_ALL + UNCHOKE + ASK[0] + BLOCKS[:4] + bytes([0xe3, 0, 1, 200]) + BLOCKS,
    "seed-rejects": WANTS + HAVE_ALL + UNCHOKE + ASK[0] + b"".join(said(16, numbers(0, at, BLOCK)) for at in (0, BLOCK)) + b"\xe1\x20",
    "seed-stalls": WANTS + HAVE_ALL + UNCHOKE + ASK[0] + BLOCKS[:4] + b"\xe1\x78" + said(0) + said(1) + BLOCKS,
    "haves": WANTS + b"".join(said(4, numbers(piece)) for piece in range(5)) + UNCHOKE + ASK[0] + BLOCKS,
    "bitfield": WANTS + said(5, b"\xa8") + UNCHOKE + ASK[0] + ASK[1] + BLOCKS,
    "bitfield-twice": WANTS + said(5, b"\xa8") + said(5, b"\xa8"),
    "extended": HAS + HAVE_NONE + OFFER + OFFER + extended(3, b"\0\0\0\1") + extended(5, {"added": b"\x7f\0\0\1\x1a\xe1", "added.f": b"\0"}),
    "metadata": HAS + HAVE_NONE + OFFER + b"".join(extended(n, {"msg_type": 0, "piece": 0}) for n in range(1, 7)),
    "claims": WANTS + OFFER + HAVE_NONE + ASK[0] + b"".join(extended(n, CLAIM) for n in range(1, 7)) + b"\xe1\x40",
    "hashes": HAS + HAVE_NONE + said(21, bytes(32) + numbers(1, 0, 2, 1)) + said(22, bytes(32) + numbers(1, 0, 2, 1) + bytes(64))
    + said(23, bytes(32) + numbers(1, 0, 2, 1)) + b"\xe7\0\1\0\2\1\xe7\0\0\2\2\1\xe7\1\0\0\2\0\xe1\1",
    "zones": HAS + HAVE_NONE + INTERESTED + said(6, numbers(0, 0, BLOCK)) + b"\xe5\0\xe1\1\xe5\1\xe1\1\xe5\2\xe1\1\xe4" + HAVE_NONE + INTERESTED,
    "idle": HAS + HAVE_NONE + b"\xe1\xff" * 8 + b"\xe0\4\0\0\0\0",
    "long": HAS + b"\xe6\x14\x90\0\xe4\xe6\x16\xff\0\xe4\xe6\7\x21\xff",
    "raw": WANTS + b"\xe0\5\0\0\0\1\2\xe0\3\0\0\0\xe0\5\5\4\0\0\0\xe0\1\1",
})
