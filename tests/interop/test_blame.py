"""Who sent which wrong block (BEP 52): the hashes of another peer tell, if they prove themselves."""
import struct
import threading
import unittest

from lab import WithSite, port_of, wait_for
from raw_peer import HASHES, PIECE, RawSeed, message

MIB = 1 << 20
SENT_BAD = "sent bytes that do not have their hash"
BAD_PROOF = "sent hashes that do not prove"


class Liar(RawSeed):
    """One wrong byte in each piece. It waits until a witness is there."""

    def __init__(self, *args):
        super().__init__(*args)
        self.may_lie = threading.Event()

    def answer(self, piece, begin, size):
        self.may_lie.wait(30)
        data = self.pieces[piece][begin:begin + size]
        if begin == 3 * 16384:
            data = data[:-1] + bytes([data[-1] ^ 1])
        return message(PIECE, struct.pack(">II", piece, begin) + data)


class Witness(RawSeed):
    """It gives no blocks: so the liar gives whole pieces."""

    def answer(self, *_):
        return b""


class FalseWitness(Witness):
    def answer_hashes(self, request):
        count = struct.unpack(">I", request[40:44])[0]
        return message(HASHES, request + bytes(32 * min(count, 8192)))


class SilentWitness(Witness):
    def answer_hashes(self, request):
        return b""


def handle_sends(handle):
    return wait_for("libtorrent to send", lambda: handle.status().total_payload_upload)


class Blame(WithSite):
    """Pieces of 64 blocks: too many to ask for all of them once more."""

    def setUp(self):
        super().setUp()
        self.files = {"big.bin": self.lab.write("big.bin", 6 * MIB + 5), "b.bin": self.lab.write("b.bin", 10)}
        self.lab.publish_in_pieces(MIB)
        self.lab.origin()
        self.lab.static.rename(self.lab.dir / "static")
        self.liar = self.raw(Liar)

    def raw(self, kind):
        seed = kind(self.lab.infohash, self.pieces(MIB))
        self.addCleanup(seed.close)
        return seed

    def start(self, witness):
        """A page begins to ask. The origin has nothing yet, so it is the peers that give."""
        ours = self.lab.daemon("ours", peers=[self.liar.address, witness.address])
        threading.Thread(target=lambda: ours.get(f"{self.lab.site}/static/big.bin", check=False), daemon=True).start()
        wait_for("a request to each", lambda: witness.asked and self.liar.asked)
        self.liar.may_lie.set()
        return ours

    def finish(self, ours):
        """The origin has the files again; and the liar is not let in again."""
        (self.lab.dir / "static").rename(self.lab.static)
        self.get_in_the_end(ours)
        self.assertEqual(self.liar.connections, 1, "the liar was dialled again")

    @staticmethod
    def complaints(ours, text):
        return [line for line in ours.text().splitlines() if text in line]

    def test_libtorrents_hashes_find_the_liar(self):
        session, handle = self.lab.libtorrent(self.lab.dir, seed=True)
        handle.set_upload_limit(2 * MIB)  # the liar is quicker
        ours = self.lab.daemon("ours", peers=[self.liar.address, port_of(session)])
        threading.Thread(target=lambda: handle_sends(handle) and self.liar.may_lie.set(), daemon=True).start()
        self.get_in_the_end(ours)
        self.assertTrue(self.liar.asked, "the liar was never asked: the test shows nothing")
        lines = self.complaints(ours, SENT_BAD)
        self.assertEqual(len(lines), 1, ours.text())
        self.assertIn(self.liar.address, lines[0])
        self.assertEqual(self.liar.connections, 1, "the liar was dialled again")
        self.assertEqual(self.complaints(ours, BAD_PROOF), [])
        said = [str(alert) for alert in session.pop_alerts()]
        self.assertTrue([line for line in said if "<== HASH_REQUEST" in line], "libtorrent was not asked")

    def test_hashes_that_do_not_prove(self):
        ours = self.start(self.raw(FalseWitness))
        wait_for("hashes", lambda: self.complaints(ours, BAD_PROOF), 60)
        self.finish(ours)
        self.assertEqual(len(self.complaints(ours, BAD_PROOF)), 1, ours.text())

    def test_hashes_that_are_refused(self):
        self.check_without_hashes(Witness)

    def test_hashes_that_never_come(self):
        self.check_without_hashes(SilentWitness)

    def check_without_hashes(self, kind):
        witness = self.raw(kind)
        ours = self.start(witness)
        wait_for("a request for hashes", lambda: witness.hashes_asked, 60)
        wait_for("the liar's end", lambda: [line for line in self.complaints(ours, SENT_BAD) if self.liar.address in line], 60)
        self.finish(ours)


if __name__ == "__main__":
    unittest.main()
