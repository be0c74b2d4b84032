"""Starts python-socketio on several ports; see README.md.

    python3 app.py [--main=<port>]
    python3 app.py --needs              whether it can run on this machine, and with which Python

Whichever Python runs this, the server runs on that of the virtual environment in `.venv`.
"""

import os
import platform
import re
import sys

OLDEST = (3, 10)
WRONG = 2
NOT_HERE = 3

HERE = os.path.dirname(os.path.abspath(__file__))
# The name of the folder depends on the system.
PYTHON = os.path.join(HERE, '.venv', 'Scripts', 'python.exe') if os.name == 'nt' else \
    os.path.join(HERE, '.venv', 'bin', 'python')
USAGE = 'usage: python3 app.py [--needs | --main=<port>]'


def fail(sentence, status=WRONG):
    print(sentence, file=sys.stderr)
    sys.exit(status)


def require_machine():
    """Ends where no virtual environment can be made."""
    if sys.version_info < OLDEST:
        wanted, found = ('.'.join(map(str, version)) for version in (OLDEST, sys.version_info[:2]))
        fail(f'python-socketio does not run here: it needs Python {wanted} or newer, and this is {found}.', NOT_HERE)
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        fail(f'python-socketio does not run here: this Python makes no virtual environments ({error}).', NOT_HERE)


def main(arguments):
    if not all(re.fullmatch(r'--needs|--main=\d+', argument) for argument in arguments):
        fail(USAGE)
    inside = sys.prefix != sys.base_prefix
    if not inside:
        require_machine()
    if '--needs' in arguments:
        print('Python', platform.python_version())
        return
    if not inside:
        if not os.path.exists(PYTHON):
            fail('python-socketio is not installed: see "By hand" in python-server/README.md.')
        # -I: nothing of this machine's own settings or packages.
        command = [PYTHON, '-I', os.path.join(HERE, 'app.py'), *arguments]
        os.execv(PYTHON, command)
    sys.path.insert(0, HERE)
    from lib.serve import serve
    ports = [int(argument.partition('=')[2]) for argument in arguments]
    serve(main_port=ports[-1] if ports else 0)


if __name__ == '__main__':
    main(sys.argv[1:])
