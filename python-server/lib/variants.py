"""The ports of the process: each is a server of its own with one thing changed against the defaults.

python-socketio 4 cannot do without one of its transports, so `polling-only` and `websocket-only` are not among them.
"""

VARIANTS = {
    'main': {},
    'nsp-guarded': {'guards': 'namespaces'},
    'root-guarded': {'guards': 'everybody'},
    'no-upgrade': {'allow_upgrades': False},
    'short-heartbeat': {'ping_interval': 0.3, 'ping_timeout': 0.7},
    'small-limit': {'max_http_buffer_size': 1000},
    'large-limit': {'max_http_buffer_size': 100_000_000},
    'compressed': {'compression_threshold': 0},
    'custom-path': {'path': 'custom/path'},
    'forbidden': {'guards': 'all'},
}
