"""A published client of Python's at one work of the benchmark; see ../README.md.

    python3 client.py <folder> <work> <url> <count> [<extra>]

The folder has the client's name and version, and its virtual environment, on whose Python this goes on. Status 3: this
client cannot do the work.
"""

import json
import os
import re
import sys
import traceback

FAILED = 1
CANNOT = 3

HERE = os.path.dirname(os.path.abspath(__file__))
USAGE = 'usage: python3 client.py <folder> <work> <url> <count> [<extra>]'


def fail(sentence, status=FAILED):
    print(sentence, file=sys.stderr)
    sys.exit(status)


def parse(arguments):
    if len(arguments) not in (4, 5) or not os.path.exists(os.path.join(HERE, arguments[0], 'requirements.txt')):
        fail(USAGE)
    folder, work, url, *numbers = arguments
    if not all(re.fullmatch(r'[1-9]\d*', number) for number in numbers):
        fail(USAGE)
    return folder, work, url, [int(number) for number in numbers]


def python_of(folder):
    """The name inside the folder depends on the system."""
    inside = ('Scripts', 'python.exe') if os.name == 'nt' else ('bin', 'python')
    return os.path.join(HERE, folder, '.venv', *inside)


def client_of(folder, url):
    if folder.startswith('python-socketio-'):
        from lib.python_socketio import Client
    else:
        from lib.socketio_client import Client
    return Client(url)


def main(arguments):
    folder, work, url, numbers = parse(arguments)
    if sys.prefix == sys.base_prefix:
        python = python_of(folder)
        if not os.path.exists(python):
            fail(f'{folder} is not installed: see "By hand" in bench/peers/README.md.')
        # -I: nothing of this machine's own settings or packages.
        os.execv(python, [python, '-I', os.path.join(HERE, 'client.py'), *arguments])
    sys.path.insert(0, HERE)
    from lib import works
    try:
        if work not in works.WORKS:
            raise works.CannotDo(f'There is no {work} of {folder}.')
        line = works.WORKS[work](client_of(folder, url), *numbers)
    except works.CannotDo as sentence:
        fail(sentence, CANNOT)
    print(json.dumps({'work': work, **line}), flush=True)


if __name__ == '__main__':
    status = 0
    try:
        main(sys.argv[1:])
    except Exception:
        traceback.print_exc()
        status = FAILED
    except SystemExit as end:
        status = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    # These clients have threads that outlive their connections, and one of them connects again when it is thrown away.
    os._exit(status or 0)
