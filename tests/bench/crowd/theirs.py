"""Visitors with stock libtorrent: as it comes, and tuned for a crowd."""
import json
import pathlib
import subprocess
import sys
import time

from network import ORIGIN, visitor_address
from website import ANNOUNCE

VISITOR = pathlib.Path(__file__).resolve().parent / "libtorrent_visitor.py"
PYTHON = "/usr/bin/python3"  # Debian's own has libtorrent
TUNED = {"unchoke_interval": 2, "optimistic_unchoke_interval": 5, "unchoke_slots_limit": 20, "mixed_mode_algorithm": 0,
         "connection_speed": 200, "torrent_connect_boost": 60, "initial_picker_threshold": 0, "max_web_seed_connections": 1,
         "urlseed_max_request_bytes": 131072, "urlseed_pipeline_size": 1, "request_queue_time": 1, "close_redundant_connections": True,
         "peer_turnover": 0}


def make_torrent(website, path, piece_length):
    import libtorrent as lt
    storage = lt.file_storage()
    lt.add_files(storage, str(website.static))
    torrent = lt.create_torrent(storage, piece_length, int(lt.create_torrent_flags_t.v2_only))
    torrent.add_url_seed(f"http://{ORIGIN}/")
    torrent.add_tracker(ANNOUNCE)
    lt.set_piece_hashes(torrent, str(website.web))
    path.write_bytes(lt.bencode(torrent.generate()))
    return str(lt.torrent_info(str(path)).info_hashes().v2)


class Libtorrent:
    def __init__(self, label, settings, piece_length):
        self.label, self.settings, self.piece_length = label, settings, piece_length

    def infohash(self, website):
        self.torrent = website.dir / f"{self.label}.torrent"
        return make_torrent(website, self.torrent, self.piece_length)

    def start(self, network, website, run, count):
        self.network, self.run, self.count = network, run, count

    def visit(self, times):
        visitors = []
        for number, at in enumerate(times):
            home = self.run / f"v{number}"
            home.mkdir()
            visitors.append(self.network.start(
                self.network.visitor(number), [PYTHON, VISITOR, self.torrent, home, visitor_address(number), repr(at),
                                               json.dumps(self.settings)], home.with_suffix(".log"), stdout=subprocess.PIPE, text=True))
        answers = []
        for number, (visitor, at) in enumerate(zip(visitors, times)):
            line = visitor.stdout.readline()
            if not line:
                raise AssertionError(f"a visitor with libtorrent ended: {(self.run / f'v{number}.log').read_text()[-2000:]}")
            result = json.loads(line)
            answers.append((result["head_at"] - at, result["done_at"] - at))
        return answers

    def details(self):
        return {}


DEFAULT = Libtorrent("libtorrent-default", {}, 256 << 10)
BEST = Libtorrent("libtorrent-tuned", TUNED, 64 << 10)
