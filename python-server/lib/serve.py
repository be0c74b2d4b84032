"""Start, ready line, end. The process ends when its standard input closes."""

import json
import logging
import os
import platform
import sys
import warnings

with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # eventlet says that it is deprecated
    import eventlet
import eventlet.patcher
import eventlet.wsgi
import socketio

from .control import Control
from .faults import Faults
from .journal import Journal
from .namespaces import Server
from .tap import Tap
from .variants import VARIANTS

NAME = 'python-4.6.1'


def serve(main_port):
    journal, faults, ports = Journal(), Faults(), {}
    note_exceptions(journal)
    for name, options in VARIANTS.items():
        app = Tap(application(name, journal, **options), name, journal, faults)
        ports[name] = listen(app, main_port if name == 'main' else 0)
    about = {'server': NAME, 'eio3': True, 'python': platform.python_version(), 'ports': ports}
    ports['control'] = listen(Control(journal, faults, about), 0)
    end_with_standard_input()
    print(json.dumps({'ready': True, **about}), flush=True)
    while True:
        eventlet.sleep(3600)


def application(name, journal, path='socket.io', guards='nobody', **options):
    # One handler at a time, in the order of the events: by default each has a thread of its own.
    server = Server(
        name,
        guards,
        journal,
        async_mode='eventlet',
        async_handlers=False,
        cors_allowed_origins='*',
        **options,
    )
    return socketio.WSGIApp(server, socketio_path=path)


def listen(app, port):
    """Serves an application from now on; returns its port."""
    listener = eventlet.listen(('127.0.0.1', port), backlog=256)
    eventlet.spawn(eventlet.wsgi.server, listener, app, log=sys.stderr, log_output=False, debug=False)
    return listener.getsockname()[1]


def note_exceptions(journal):
    """What the libraries catch and write into their logs counts as uncaught."""

    class Handler(logging.Handler):
        def emit(self, record):
            if record.exc_info:
                journal.error(record.exc_info[1])

    for name in ('engineio.server', 'socketio.server'):
        logging.getLogger(name).addHandler(Handler())
        logging.getLogger(name).setLevel(logging.ERROR)


def end_with_standard_input():
    """A thread of the system's: it waits where green threads must not."""
    threading = eventlet.patcher.original('threading')

    def wait():
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()
