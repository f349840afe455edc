"""Writes a host's cache as the first version of its schema had it: a site that is shared, and one complete file.

  old-store.py DIR   DIR: the host's data folder, new
"""
import hashlib
import os
import sqlite3
import sys
from pathlib import Path

# As they were; host/io/store_schema.h must still know them.
SCHEMA = [
    "CREATE TABLE file (root BLOB NOT NULL PRIMARY KEY, length INTEGER NOT NULL, "
    "piece_length INTEGER NOT NULL, have BLOB, bytes INTEGER NOT NULL, boot BLOB NOT NULL, "
    "synced INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, "
    "created INTEGER NOT NULL, last_used INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX file_by_use ON file (last_used)",
    "CREATE TABLE site (site TEXT NOT NULL PRIMARY KEY, zone INTEGER NOT NULL, "
    "seq INTEGER NOT NULL, last_used INTEGER NOT NULL, key BLOB, release BLOB, "
    "signature BLOB) STRICT",
    "CREATE TABLE torrent (infohash BLOB NOT NULL PRIMARY KEY, last_used INTEGER NOT NULL, "
    "data BLOB NOT NULL) STRICT",
    "PRAGMA user_version = 1",
]
CONTENT = b"kept over the upgrade\n" * 100
SHARE = 2


def main():
    folder = Path(sys.argv[1])
    root = hashlib.sha256(CONTENT).digest()  # of less than a block
    file = folder / "content" / root.hex()[:2] / root.hex()
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    info = os.stat(file)
    now = int(info.st_mtime)
    db = sqlite3.connect(folder / "index.sqlite")
    db.execute("PRAGMA journal_mode = WAL")
    for statement in SCHEMA:
        db.execute(statement)
    db.execute("INSERT INTO file VALUES (?, ?, 65536, NULL, ?, ?, 1, ?, ?, ?, ?)",
               (root, len(CONTENT), len(CONTENT), b"another boot", info.st_size, info.st_mtime_ns, now, now))
    db.execute("INSERT INTO site VALUES ('https://game.example', ?, 0, ?, NULL, NULL, NULL)", (SHARE, now))
    db.commit()
    db.close()


if __name__ == "__main__":
    main()
