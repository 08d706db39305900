"""The obvious stack: Flask checks the signature, SQLite keeps the delivery, stock SqliteHuey carries the task.

gunicorn --worker-class gthread --workers 1 --threads 8 obvious:app
huey_consumer obvious.huey
"""

import hmac
import os
import sqlite3
import threading

from flask import Flask, request
from huey import SqliteHuey
from stamp import stamp

STATE = os.environ["PEER_STATE"]
SECRET = os.environ["WEBHOOK_SECRET"].encode()

app = Flask(__name__)
huey = SqliteHuey("obvious", filename=f"{STATE}/huey.db")
local = threading.local()


def inbox() -> sqlite3.Connection:
    """This thread's connection."""
    if not hasattr(local, "connection"):
        local.connection = sqlite3.connect(f"{STATE}/inbox.db", timeout=30, isolation_level=None)
        local.connection.execute("PRAGMA journal_mode = WAL")
        local.connection.execute("PRAGMA synchronous = FULL")
        local.connection.execute(
            "CREATE TABLE IF NOT EXISTS deliveries (uuid TEXT PRIMARY KEY, kind TEXT, body BLOB, at TEXT DEFAULT CURRENT_TIMESTAMP)"
        )
    return local.connection


@huey.task()
def look(about: int) -> None:
    """Note the start."""
    stamp(about)


@app.post("/hook/forgejo")
def hook() -> tuple[str, int]:
    """Keep what is signed and new, and have it looked at."""
    body = request.get_data()
    signature = hmac.new(SECRET, body, "sha256").hexdigest()
    if not hmac.compare_digest(signature, request.headers.get("X-Forgejo-Signature", "")):
        return "", 401
    payload = request.get_json()
    uuid, kind = request.headers["X-Forgejo-Delivery"], request.headers["X-Forgejo-Event-Type"]
    known = inbox().execute("INSERT OR IGNORE INTO deliveries (uuid, kind, body) VALUES (?, ?, ?)", (uuid, kind, body))
    if known.rowcount:
        look(payload["number"])
    return "", 202
