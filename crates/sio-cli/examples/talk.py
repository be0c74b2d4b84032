"""Talks Socket.IO from Python, by running `sio connect --json`. Needs nothing besides Python 3.

    python3 talk.py http://localhost:3000

Shows every event, answers the server's questions with its name, emits `echo` and waits for the ack. Words behind the URL
are the command that runs, with its options, in place of `sio connect --json`.
"""

import json
import subprocess
import sys


class Socket:
    """A connection: lines to and from the command."""

    def __init__(self, url, command):
        self.process = subprocess.Popen(
            [*command, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")

    def send(self, **line):
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def lines(self):
        for line in self.process.stdout:
            yield json.loads(line)

    def close(self):
        """No more lines from here: the command waits for acks that are out, closes the connection, and ends."""
        self.process.stdin.close()


def main(url, *command):
    socket = Socket(url, command or ("sio", "connect", "--json"))
    for line in socket.lines():
        if "event" in line:
            print("event", line["event"], json.dumps(line["args"]))
            if "ask" in line:
                socket.send(reply=line["ask"], args=["Python"])
        elif line.get("state") == "connected":
            print("connected over", line["transport"])
            socket.send(emit="echo", args=[1, "\u00fc", {"a": [None, 2**53 + 1]}], ack="first")
        elif "ack" in line:
            print("ack", line["ack"], json.dumps(line["args"]) if "args" in line else line["error"])
            socket.close()
        elif "error" in line:
            print("error", line["error"]["message"])
    return socket.process.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
