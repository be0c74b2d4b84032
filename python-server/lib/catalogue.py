"""Fixed argument lists, known to both ends by name: what `type`, `types`, `reply` and `check` work with."""

import base64

CATALOGUE = {
    'none': [],
    'null': [None],
    'false': [False],
    'zero': [0],
    'empty-text': [''],
    'empty-list': [[]],
    'empty-map': [{}],
    'falsy': [None, False, 0, '', [], {}],
    'text': ['text'],
    'list': [[1, 'two', [3]]],
    'many': [1, 'two', True, None, {'three': 3}, [4]],
    'numbers': [-1, 1.5, -0.25, 1e21, 5e-324, 9007199254740991, -9007199254740991],
    'nested': [{'a': {'b': [{'c': None}, [[]], {}], 'd': [[[1], 2], 3]}, '': 'empty key', 'k"\\e,y:': True}],
    'escapes': ['"quoted" \\back\\slash /slash', '\b\f\n\r\t', '\u0000\u001f\u007f'],
    'accents': ['àéîõü ÀÉÎÕÜ ßøå', 'e\u0301 decomposed', {'clé': 'été'}],
    'cjk': ['한글', '漢字 かな カナ', {'键': '值'}],
    'emoji': ['😀', '👩‍👩‍👧 🇫🇷 👍🏽', {'🔑': '🔒'}],
    'separators': ['a\u2028b\u2029c', '\u0085\u00a0\ufeff', '\ufffd', '\uffff', 'עברית العربية'],
    'wire': ['42["no",1]', '1:2', ',', '450-', '\\n', '\\u0000'],
    'placeholder': [{'_placeholder': True, 'num': 0}],
    'bytes': [b'\x00\x01\x02\xfa\xff'],
    'bytes-empty': [b''],
    'bytes-all': [bytes(range(256))],
    'bytes-many': [b'\1', b'\2\2', b'\3\3\3', 'text', b'\4'],
    'bytes-with-empty': [b'\1', b'', b'\2'],
    'bytes-nested': [{'title': 'é', 'parts': [{'data': b'\1\2', 'note': None}, [b'\3', []]], 'size': 2}, 7, b'\xff'],
    'bytes-ten': [bytes([value]) for value in range(10)],
}

# By name only, because a strict JSON parser must refuse it.
UNUSUAL = {'lone-surrogate': ['x\ud800y']}


def entry(name):
    """The values of an entry; none if there is no entry of that name."""
    return CATALOGUE.get(name, UNUSUAL.get(name, []))


def names():
    """The entries of `types`, in order."""
    return list(CATALOGUE)


def same(a, b):
    """Equality of JSON values with bytes at any depth. To Python alone, True is 1."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def to_json(value):
    """JSON for the control port and for reports: bytes become {"$base64": "…"}."""
    if isinstance(value, bytes):
        return {'$base64': base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    return value


def from_json(value):
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict):
        if isinstance(value.get('$base64'), str):
            return base64.b64decode(value['$base64'])
        return {key: from_json(item) for key, item in value.items()}
    return value
