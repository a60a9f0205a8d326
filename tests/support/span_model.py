"""Random spans, and TraceQL over them in Python: what the server's answers are compared with. Written from the
language's description, sharing nothing with the server."""

import json
import re

KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"]
STATUSES = ["unset", "ok", "error"]
SERVICES = ["cart", "shop", "pay/eu"]
NAMES = ["GET /", "POST /cart", "SELECT", "publish"]


class Span:
    """Times in nanoseconds; `attributes` and `resource` map keys to str, int, float, bool or lists of one of them."""

    def __init__(self, trace, identity, parent, **fields):
        self.trace, self.identity, self.parent = trace, identity, parent
        self.name = self.message = self.service = ""
        self.kind = self.status = 0
        self.start = self.duration = 0
        self.attributes, self.resource, self.events = {}, {}, []  # events: (name, offset, attributes)
        self.__dict__.update(fields)


def draw_traces(random, now_ns, count):
    """Traces of 1 to 12 spans that begin in the last hour, with lost parents here and there."""
    spans, identity = [], 0
    for trace in range(1, count + 1):
        begun = now_ns - random.randrange(3600 * 10**9)
        ids = []
        for _ in range(random.randrange(1, 13)):
            identity += 1
            parent = random.choice(ids) if ids and random.random() < 0.9 else 0
            if random.random() < 0.04:
                parent = 999999  # which nobody has
            s = Span(trace, identity, parent, name=random.choice(NAMES), kind=random.randrange(6),
                     status=random.choice([0, 0, 0, 1, 2]), start=begun + random.randrange(10**9),
                     duration=random.choice([0, 1500, 10**6, 25 * 10**6, random.randrange(10**9)]),
                     service=random.choice(SERVICES))
            s.message = random.choice(["", "broken pipe"]) if s.status == 2 else ""
            s.resource = {"host.name": "node-%d" % (identity % 3)} if identity % 4 else {}
            for key, values in (("code", [200, 404, 500]), ("ratio", [0.5, 1.5, 2.0]), ("ok", [True, False]),
                                ("route", ["/", "/cart", "/a\"b\\c"]), ("mixed", [1, "1", 1.0, True]),
                                ("tags", [["a", "b"], ["b"], ["c", "a"]]), ("host.name", ["own"])):
                if random.random() < 0.5:
                    s.attributes[key] = random.choice(values)
            for _ in range(random.choice([0, 0, 1, 3])):
                s.events.append((random.choice(["exception", "retry"]), random.randrange(10**6),
                                 {"attempt": random.randrange(3)} if random.random() < 0.7 else {}))
            ids.append(identity)
            spans.append(s)
    return spans


# --- OTLP ---

def any_value(value):
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(v) for v in value]}}
    return {"stringValue": value}


def attributes(of):
    return [{"key": key, "value": any_value(value)} for key, value in of.items()]


def otlp_json(spans):
    return json.dumps({"resourceSpans": [{
        "resource": {"attributes": attributes({"service.name": s.service, **s.resource})},
        "scopeSpans": [{"scope": {"name": "model"}, "spans": [{
            "traceId": "%032x" % s.trace, "spanId": "%016x" % s.identity,
            **({"parentSpanId": "%016x" % s.parent} if s.parent else {}),
            "name": s.name, "kind": s.kind, "startTimeUnixNano": str(s.start),
            "endTimeUnixNano": str(s.start + s.duration), "attributes": attributes(s.attributes),
            "events": [{"name": name, "timeUnixNano": str(s.start + offset), "attributes": attributes(of)}
                       for name, offset, of in s.events],
            "status": {"code": s.status, "message": s.message}}]}]} for s in spans]})


# --- Conditions: a pair of the text and a function of a span and its trace ---

class Keyword(str):
    """A status or a kind: equal to another one only."""


def comparable(a, b):
    numbers = [isinstance(x, (int, float)) and not isinstance(x, bool) for x in (a, b)]
    return all(numbers) or (not any(numbers) and type(a) is type(b))


def compare(op, a, b):
    if a is None or b is None:
        return False
    if isinstance(a, list):
        results = [compare(op, x, b) for x in a]
        return all(results) if op in ("!=", "!~") else any(results)
    if not comparable(a, b) or (isinstance(a, (bool, Keyword)) and op not in ("=", "!=")):
        return False
    if op in ("=~", "!~"):
        return isinstance(a, str) and (re.fullmatch(b, a, re.S) is not None) == (op == "=~")
    return {"=": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]


def root_of(trace):
    roots = [s for s in trace if s.parent == 0]
    return min(roots, key=lambda s: (s.start, s.identity)) if roots else None


# Text of a field -> the values it has in a span (several for events).
FIELDS = {
    "name": lambda s, t: [s.name],
    "kind": lambda s, t: [Keyword(KINDS[s.kind])],
    "status": lambda s, t: [Keyword(STATUSES[s.status])],
    "statusMessage": lambda s, t: [s.message],
    "duration": lambda s, t: [s.duration],
    "resource.service.name": lambda s, t: [s.service],
    "resource.host.name": lambda s, t: [s.resource.get("host.name")],
    ".host.name": lambda s, t: [s.attributes.get("host.name", s.resource.get("host.name"))],
    "span.code": lambda s, t: [s.attributes.get("code")],
    ".code": lambda s, t: [s.attributes.get("code")],
    "span.ratio": lambda s, t: [s.attributes.get("ratio")],
    "span.ok": lambda s, t: [s.attributes.get("ok")],
    "span.route": lambda s, t: [s.attributes.get("route")],
    "span.mixed": lambda s, t: [s.attributes.get("mixed")],
    "span.tags": lambda s, t: [s.attributes.get("tags")],
    "span.absent": lambda s, t: [None],
    "event:name": lambda s, t: [name for name, _, _ in s.events],
    "event:timeSinceStart": lambda s, t: [offset for _, offset, _ in s.events],
    "event.attempt": lambda s, t: [of.get("attempt") for _, _, of in s.events],
    "instrumentation:name": lambda s, t: ["model"],
    "span:id": lambda s, t: ["%016x" % s.identity],
    "span:childCount": lambda s, t: [sum(x.parent == s.identity for x in t)],
    "traceDuration": lambda s, t: [max(x.start + x.duration for x in t) - min(x.start for x in t)],
    "rootName": lambda s, t: [root_of(t).name if root_of(t) else None],
    "rootServiceName": lambda s, t: [root_of(t).service if root_of(t) else None],
}

LITERALS = {
    "name": NAMES, "kind": [Keyword(k) for k in KINDS], "status": [Keyword(x) for x in STATUSES],
    "statusMessage": ["", "broken pipe"], "duration": ["0ns", "1ms", "25ms", "0.5s"],
    "resource.service.name": SERVICES + ["none"], "resource.host.name": ["node-1"], ".host.name": ["own", "node-2"],
    "span.code": [200, 404, 450.5], ".code": [500, "500"], "span.ratio": [1, 1.5], "span.ok": [True, False],
    "span.route": ["/", "/a\"b\\c"], "span.mixed": [1, "1", True], "span.tags": ["a", "b"], "span.absent": [1],
    "event:name": ["exception", "other"], "event:timeSinceStart": ["500us"], "event.attempt": [0, 2],
    "instrumentation:name": ["model"], "span:id": ["%016x" % 50], "span:childCount": [0, 1],
    "traceDuration": ["900ms"], "rootName": NAMES, "rootServiceName": SERVICES,
}
NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}


def literal(value, field):
    """(text, what it is)"""
    if field in ("duration", "event:timeSinceStart", "traceDuration"):
        number, unit = re.fullmatch(r"([\d.]+)(\w+)", value).groups()
        return value, float(number) * NS[unit]
    if isinstance(value, Keyword):
        return str(value), value
    if isinstance(value, bool):
        return str(value).lower(), value
    return (json.dumps(value), value) if isinstance(value, str) else (str(value), value)


def draw_condition(random):
    field = random.choice(list(FIELDS))
    values = FIELDS[field]
    if random.random() < 0.1:
        absent = random.random() < 0.5
        return (f"{field} {'=' if absent else '!='} nil",
                lambda s, t: all(v is None for v in values(s, t)) == absent)
    sample = random.choice(LITERALS[field])
    text, value = literal(sample, field)
    ops = ["=", "!="]
    if isinstance(value, str) and not isinstance(value, Keyword):
        ops += ["=~", "!~"]
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        ops += ["<", "<=", ">", ">="]
    op = random.choice(ops)
    if op in ("=~", "!~"):
        value = re.escape(value[:2]) + ".*"
        text = json.dumps(value)
    return f"{field} {op} {text}", lambda s, t: any(compare(op, v, value) for v in values(s, t))


def draw_expression(random, depth):
    form = random.randrange(6) if depth else 0
    if form < 3:
        return draw_condition(random)
    left_text, left = draw_expression(random, depth - 1)
    if form == 3:
        return f"!({left_text})", lambda s, t: not left(s, t)
    right_text, right = draw_expression(random, depth - 1)
    if form == 4:
        return f"({left_text} && {right_text})", lambda s, t: left(s, t) and right(s, t)
    return f"({left_text} || {right_text})", lambda s, t: left(s, t) or right(s, t)


# --- Sets of spans: the text, and a function of a trace that gives those that are found ---

def is_child(a, b, trace):
    return b.parent != 0 and b.parent == a.identity


def is_descendant(a, b, trace):
    by_id = {s.identity: s for s in trace}
    while b.parent in by_id:
        b = by_id[b.parent]
        if b is a:
            return True
    return False


def is_sibling(a, b, trace):
    return a is not b and a.parent == b.parent


RELATIONS = {
    ">": is_child, ">>": is_descendant, "~": is_sibling,
    "<": lambda a, b, t: is_child(b, a, t), "<<": lambda a, b, t: is_descendant(b, a, t),
}


def relate(op, left, right, trace):
    relation = RELATIONS[op.lstrip("!&")]
    found = [b for b in right if any(relation(a, b, trace) for a in left)]
    if op.startswith("!"):
        return [b for b in right if b not in found]
    if op.startswith("&"):
        return found + [a for a in left if any(relation(a, b, trace) for b in right)]
    return found


def draw_spansets(random, depth):
    if depth == 0 or random.random() < 0.4:
        text, holds = draw_expression(random, 2)
        return "{ %s }" % text, lambda t: [s for s in t if holds(s, t)]
    left_text, left = draw_spansets(random, depth - 1)
    right_text, right = draw_spansets(random, depth - 1)
    op = random.choice(["&&", "||"] + [mark + r for mark in ("", "!", "&") for r in RELATIONS])

    def find(trace):
        a, b = left(trace), right(trace)
        if op == "&&":
            return a + b if a and b else []
        return a + b if op == "||" else relate(op, a, b, trace)
    return f"({left_text} {op} {right_text})", lambda t: unique(find(t))


def unique(spans):
    return list({s.identity: s for s in spans}.values())


def draw_query(random):
    text, find = draw_spansets(random, random.randrange(3))
    if random.random() < 0.7:
        return text, find
    which = random.randrange(4)
    if which == 0:
        return text + " | count() > 2", lambda t: find(t) if len(find(t)) > 2 else []
    if which == 1:
        def average(t):
            found = find(t)
            return found if found and sum(s.duration for s in found) // len(found) > 10**7 else []
        return text + " | avg(duration) > 10ms", average
    if which == 2:
        def greatest(t):
            codes = [s.attributes["code"] for s in find(t) if "code" in s.attributes]
            return find(t) if codes and max(codes) >= 404 else []
        return text + " | max(span.code) >= 404", greatest

    def grouped(t):
        found = find(t)
        return [s for s in found if sum(x.service == s.service for x in found) > 1]
    return text + " | by(resource.service.name) | count() > 1", grouped


def group_traces(spans):
    traces = {}
    for s in spans:
        traces.setdefault(s.trace, []).append(s)
    return traces


def newest(traces, find, start_ns, end_ns):
    """[(time, trace, spans found)], the newest first."""
    hits = []
    for trace, spans in traces.items():
        found = find(spans)
        times = [s.start for s in found if start_ns <= s.start <= end_ns]
        if times:
            hits.append((max(times), trace, found))
    return sorted(hits, key=lambda hit: (-hit[0], hit[1]))
