"""libtorrent_visitor.py TORRENT FOLDER ADDRESS UNIX_TIME SETTINGS: one visitor with stock libtorrent.

Begins at that time, prints when it had the first tenth and all pieces as one line of JSON, and seeds until it is ended.
"""
import json
import signal
import sys
import time

import libtorrent as lt


def main(torrent, folder, address, at, settings):
    category = lt.alert.category_t
    session = lt.session({
        "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False, "enable_incoming_utp": False,
        "enable_outgoing_utp": False, "in_enc_policy": 2, "out_enc_policy": 2, "listen_interfaces": f"{address}:6881",
        "alert_mask": category.error_notification | category.status_notification | category.piece_progress_notification,
        **json.loads(settings)})
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.save_path = folder
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    head = set(range(max(1, params.ti.num_pieces() // 10)))
    head_at = done_at = None
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    time.sleep(max(0, float(at) - time.time()))
    session.add_torrent(params)
    while done_at is None:
        session.wait_for_alert(50)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.piece_finished_alert):
                head.discard(alert.piece_index)
            if not head and head_at is None:
                head_at = time.time()
            if isinstance(alert, lt.torrent_finished_alert):
                done_at = time.time()
    print(json.dumps({"head_at": head_at or done_at, "done_at": done_at}), flush=True)
    while True:
        session.wait_for_alert(1000)
        session.pop_alerts()


main(*sys.argv[1:])
